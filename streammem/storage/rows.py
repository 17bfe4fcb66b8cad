"""Reads and writes single rows of an opened memory file; each is checked against its sum."""

import sqlite3
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from streammem.core.budget import BudgetPlan
from streammem.core.errors import MemoryFileError
from streammem.storage.checksum import crc
from streammem.storage.chunks import join_sections
from streammem.storage.records import CommitRecord, MemoryMeta, StoredMemory, dump_json, load_json

SETTINGS_ROW = 1
COMMIT_ROW = 2
LISTENING_ROW = 3
TALLY_ROW = 4


def put_record(connection: sqlite3.Connection, row: int, data: dict[str, Any]) -> None:
    """Write one of the two JSON rows."""
    body = dump_json(data)
    connection.execute(
        "INSERT OR REPLACE INTO record(id,crc,body) VALUES(?,?,?)", (row, crc(body), body)
    )


def settings_to_json(meta: MemoryMeta, plan: BudgetPlan) -> dict[str, Any]:
    """The settings row: what was asked and how the budget was split."""
    return {"meta": meta.bounded().to_json(), "plan": asdict(plan)}


def get_settings(connection: sqlite3.Connection) -> tuple[MemoryMeta, BudgetPlan]:
    """The settings row.

    Raises:
        MemoryFileError: it is damaged.
    """
    data = _get_record(connection, SETTINGS_ROW)
    try:
        return MemoryMeta.from_json(data["meta"]), BudgetPlan(**data["plan"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged("the settings", error) from error


def get_commit_record(connection: sqlite3.Connection) -> CommitRecord:
    """The row of the last commit.

    Raises:
        MemoryFileError: it is damaged.
    """
    data = _get_record(connection, COMMIT_ROW)
    try:
        return CommitRecord.from_json(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged("the record of the last commit", error) from error


def _get_record(connection: sqlite3.Connection, row: int) -> dict[str, Any]:
    found = connection.execute("SELECT crc,body FROM record WHERE id=?", (row,)).fetchone()
    if found is None or not isinstance(found[1], bytes) or crc(found[1]) != found[0]:
        raise _damaged("the settings" if row == SETTINGS_ROW else "the record of the last commit")
    try:
        data = load_json(found[1])
    except ValueError as error:
        raise _damaged("a record", error) from error
    if not isinstance(data, dict):
        raise _damaged("a record")
    return data


def put_state(connection: sqlite3.Connection, row: int, state: bytes) -> None:
    """Write one of the rows of plain bytes, or remove it where there are none."""
    if state:
        connection.execute(
            "INSERT OR REPLACE INTO record(id,crc,body) VALUES(?,?,?)", (row, crc(state), state)
        )
    else:
        connection.execute("DELETE FROM record WHERE id=?", (row,))


def get_state(connection: sqlite3.Connection, row: int) -> bytes:
    """What `put_state` wrote, empty where there is none.

    Raises:
        MemoryFileError: it is damaged.
    """
    found = connection.execute("SELECT crc,body FROM record WHERE id=?", (row,)).fetchone()
    if found is None:
        return b""
    if not isinstance(found[1], bytes) or crc(found[1]) != found[0]:
        raise _damaged("the state of listening" if row == LISTENING_ROW else "the tally of words")
    return found[1]


def get_file_bytes(connection: sqlite3.Connection) -> int:
    """Size of the main file with everything committed moved into it."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages) * int(page_bytes)


def get_thumbnail_lengths(connection: sqlite3.Connection) -> dict[int, int]:
    """Length in bytes of each picture by its key, in order of time."""
    rows = connection.execute("SELECT pts_us,length(webp) FROM thumbnail ORDER BY pts_us")
    return dict(rows.fetchall())


def get_thumbnail(connection: sqlite3.Connection, pts_us: int) -> bytes | None:
    """One picture, None where there is none.

    Raises:
        MemoryFileError: it is damaged.
    """
    found = connection.execute(
        "SELECT crc,webp FROM thumbnail WHERE pts_us=?", (pts_us,)
    ).fetchone()
    if found is None:
        return None
    stored_crc, webp = found
    if not isinstance(webp, bytes) or crc(webp) != stored_crc:
        raise _damaged(f"the picture at {pts_us} us")
    return webp


def get_memory(connection: sqlite3.Connection, path: Path) -> StoredMemory:
    """Everything but pictures and cues of the commit that the connection sees.

    Raises:
        MemoryFileError: something in it is not what was written.
    """
    meta, plan = get_settings(connection)
    record = get_commit_record(connection)
    rows = connection.execute("SELECT id,body FROM state ORDER BY id").fetchall()
    lengths = get_thumbnail_lengths(connection)
    file_bytes = get_file_bytes(connection)
    return StoredMemory(
        path=path,
        meta=meta,
        plan=plan,
        progress=record.progress,
        sections=join_sections(rows, record.sections),
        thumbnail_keys=tuple(lengths),
        thumbnail_lengths=tuple(lengths.values()),
        cell_counts=record.cell_counts,
        tier_bytes=record.tier_bytes,
        usage_absorbed=record.usage_absorbed,
        file_bytes=file_bytes,
        thumbnail_bytes=record.thumbnail_bytes,
        cue_bytes=record.cue_bytes,
        cue_counts=record.cue_counts,
        cue_next_id=record.cue_next_id,
        listening=get_state(connection, LISTENING_ROW),
        word_tally=get_state(connection, TALLY_ROW),
    )


def put_thumbnails(
    connection: sqlite3.Connection, dropped: Iterable[int], added: Iterable[tuple[int, bytes]]
) -> None:
    """Remove and add pictures; removing first makes room for the new ones."""
    connection.executemany("DELETE FROM thumbnail WHERE pts_us=?", ((key,) for key in dropped))
    connection.executemany(
        "INSERT INTO thumbnail(pts_us,crc,webp) VALUES(?,?,?)",
        ((key, crc(webp), webp) for key, webp in added),
    )


def _damaged(what: str, error: Exception | None = None) -> MemoryFileError:
    reason = "is not what was written" if error is None else f"cannot be read ({error!r})"
    return MemoryFileError(f"{what} {reason}", hint="restore the file, or ingest the source again")
