"""Reads and writes the cues of an opened memory file, together with their full-text index.

Rows are only appended. Where some have to go, the table and the index are written anew without
them, which leaves no holes: the file then costs what its cues cost, however often that happens.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator

from streammem.core.errors import MemoryFileError
from streammem.core.types import Channel, Cue
from streammem.storage.checksum import crc
from streammem.storage.records import dump_json
from streammem.text.rows import CueRow, pack_details, settled, unpack_row

_SELECT = "SELECT id,start_s,end_s,channel,text,details,crc FROM cue ORDER BY id"


def storable(row: CueRow) -> CueRow:
    """The row as it will come back: see `streammem.text.rows.settled`."""
    return CueRow(int(row.id), settled(row.cue), bytes(row.vector))


def get_cues(connection: sqlite3.Connection) -> tuple[CueRow, ...]:
    """Every cue in the order of the numbers.

    Raises:
        MemoryFileError: one of them is not what was written.
    """
    return tuple(_checked(values) for values in connection.execute(_SELECT).fetchall())


def find_bad_cues(connection: sqlite3.Connection) -> Iterator[str]:
    """A line for each cue that is not what was written."""
    for values in connection.execute(_SELECT).fetchall():
        try:
            _checked(values)
        except MemoryFileError as error:
            yield error.message


def put_cues(
    connection: sqlite3.Connection,
    added: Iterable[CueRow],
    dropped: Collection[int],
    *,
    tidy: bool = False,
) -> None:
    """Remove and append cues and keep the index in step; removing comes first.

    With `tidy`, and where cues are removed, the index is written in one piece; its pages are
    free before it takes new ones.
    """
    if dropped:
        added = (*(row for row in get_cues(connection) if row.id not in dropped), *added)
        connection.execute("DELETE FROM cue")
    in_one_piece = tidy or bool(dropped)
    for row in added:
        _append(connection, row)
        if not in_one_piece:
            connection.execute(
                "INSERT INTO cue_text(rowid,text) VALUES(?,?)", (row.id, row.cue.text)
            )
    if in_one_piece:
        connection.execute("INSERT INTO cue_text(cue_text) VALUES('rebuild')")


def _append(connection: sqlite3.Connection, row: CueRow) -> None:
    cue, details = row.cue, pack_details(row)
    connection.execute(
        "INSERT INTO cue(id,start_s,end_s,channel,crc,text,details) VALUES(?,?,?,?,?,?,?)",
        (row.id, cue.start_s, cue.end_s, cue.channel.value, _cue_crc(cue, details), cue.text,
         details),
    )  # fmt: skip


def _checked(values: tuple[int, float, float, str, str, bytes, int]) -> CueRow:
    number, start_s, end_s, channel, text, details, stored_crc = values
    try:
        plain = Cue(start_s, end_s, text, Channel(channel))
        if _cue_crc(plain, details) != stored_crc:
            raise ValueError("its sum differs")
        return unpack_row(number, plain, details)
    except (ValueError, TypeError, AttributeError) as error:
        raise MemoryFileError(
            f"cue {number} is not what was written",
            hint="restore the file, or ingest the source again",
        ) from error


def _cue_crc(cue: Cue, details: bytes) -> int:
    """The sum of everything in a cue."""
    return crc(dump_json([cue.start_s, cue.end_s, cue.channel.value, cue.text]) + details)
