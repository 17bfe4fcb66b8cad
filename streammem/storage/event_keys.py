"""A copy of what a question needs first of each memory of a library, so that few files are opened.

Per memory: its facts, one row of numbers per event (codes of eight bits), the words of its cues
and the codes of what they mean. The file is only a copy: an entry counts while the memory's files
have the sizes and times they had, and it may be deleted at any time. What is removed is
overwritten with zeros, so that nothing of a forgotten memory stays here.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats, Gap, Times
from streammem.storage.checksum import crc
from streammem.storage.library_index import Stamp
from streammem.storage.records import MemoryMeta, dump_json, load_json

KEYS_NAME = "search.sqlite"
# An index of another form is made anew.
_FORM = 1
_BUSY_S = 5.0
_PEAK = 127
_BETWEEN_WORDS = "\n"
_HOLDERS = "SELECT DISTINCT id FROM word JOIN entry USING(number) WHERE"


@dataclass(frozen=True, slots=True, eq=False)
class EventKeys:
    """One memory in the index.

    Spans `[S]` lie side by side; `first_row` `[S]` is the first of a span's rows, the others are
    its tokens. A row `[D]` is `codes` times `scales`; its product with a query, plus `offsets`,
    is the span's score (its strength where `scaled`: the memory's encoder has a background of
    texts only). `excess` is how far the best exact score may lie above the best of these.
    `blur` `[S]` is the variance that narrow codes add to a score. `words` are those of the cues,
    each once; they are written and searched, and not read back.
    """

    meta: MemoryMeta
    start_s: float
    end_s: float
    interval_s: float
    gaps: tuple[Gap, ...]
    excess: float
    scaled: bool
    span_start_s: Times
    span_end_s: Times
    first_row: NDArray[np.int32]
    codes: NDArray[np.int8]
    scales: Floats
    offsets: Floats
    blur: Floats
    cue_counts: Mapping[str, int] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    meanings: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0), np.uint8))

    @property
    def memory_id(self) -> str:
        """The name of the memory."""
        return self.meta.memory_id


def quantised(rows: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Rows `[R D]` as codes of eight bits and a scale for each."""
    peaks = np.abs(rows).max(axis=1, initial=0.0)
    scales = np.where(peaks > 0, peaks / _PEAK, 1.0).astype(np.float32)
    return np.rint(rows / scales[:, None]).astype(np.int8), scales


class EventKeyIndex:
    """The index file of one library folder. Several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        """An index in `folder`; nothing is opened yet."""
        self.file = folder / KEYS_NAME

    def stamps(self) -> dict[str, Stamp]:
        """What each memory's files looked like when its entry was made; empty without an index."""
        rows = self._read("SELECT id,stamp FROM entry")
        try:
            return {name: tuple(load_json(at)) for name, at in rows}
        except (ValueError, TypeError):
            self.discard()
            return {}

    def load(self, memory_ids: Iterable[str]) -> dict[str, EventKeys]:
        """The entries of some memories; those that are damaged or not there are left out."""
        wanted = set(memory_ids)
        found = {}
        for name, total, facts, body in self._read("SELECT id,crc,facts,body FROM entry"):
            if name not in wanted:
                continue
            try:
                if crc(facts + body) != total:
                    raise ValueError("the sum differs")
                found[name] = _unpack(load_json(facts), body)
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
        return found

    def holders(self, word: str, *, prefix: bool = False) -> set[str]:
        """The memories in whose cues a word is said or shown, or one that begins with it."""
        last = word + "\U0010ffff" if prefix else word
        return {name for (name,) in self._read(f"{_HOLDERS} word BETWEEN ? AND ?", (word, last))}

    def containing(self, part: str) -> set[str]:
        """The memories with a word that has `part` anywhere in it; slower than `holders`."""
        return {name for (name,) in self._read(f"{_HOLDERS} instr(word,?)>0", (part,))}

    def save(self, fresh: Sequence[tuple[Stamp, EventKeys]], gone: Iterable[str] = ()) -> bool:
        """Add entries and remove others; False where the index could not be written."""
        try:
            with self._opened() as connection:
                connection.execute("BEGIN IMMEDIATE")
                for name in (*gone, *(keys.memory_id for _, keys in fresh)):
                    _remove(connection, name)
                for at, keys in fresh:
                    _insert(connection, at, keys)
                connection.execute("COMMIT")
        except sqlite3.OperationalError:
            # In use or not writable: whoever comes next tries again.
            return False
        except (sqlite3.Error, OSError):
            self.discard()
            return False
        return True

    def remove(self, memory_ids: Iterable[str]) -> None:
        """Overwrite what is known of some memories; without certainty of that the file goes."""
        if self.file.exists() and not self.save((), gone=memory_ids):
            self.discard()

    def discard(self) -> None:
        """Remove the file; it is made again by the next question."""
        for suffix in ("", "-journal"):
            with suppress(OSError):
                self.file.with_name(self.file.name + suffix).unlink()

    def _read(self, statement: str, values: tuple[str, ...] = ()) -> list[Any]:
        if not self.file.is_file():
            return []
        try:
            with self._opened() as connection:
                return connection.execute(statement, values).fetchall()
        except sqlite3.OperationalError:
            return []
        except (sqlite3.Error, OSError):
            self.discard()
            return []

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with closing(
            sqlite3.connect(self.file, isolation_level=None, timeout=_BUSY_S)
        ) as connection:
            connection.execute("PRAGMA secure_delete=ON")
            (form,) = connection.execute("PRAGMA user_version").fetchone()
            if form != _FORM:
                _create(connection)
            yield connection


def _create(connection: sqlite3.Connection) -> None:
    """The tables; what another form left goes. Safe against a second process that does the same."""
    connection.execute("BEGIN IMMEDIATE")
    (form,) = connection.execute("PRAGMA user_version").fetchone()
    if form != _FORM:
        for statement in (
            "DROP TABLE IF EXISTS entry",
            "DROP TABLE IF EXISTS word",
            "CREATE TABLE entry(number INTEGER PRIMARY KEY,id TEXT UNIQUE NOT NULL,stamp BLOB,"
            "crc INT,words TEXT,facts BLOB,body BLOB)",
            "CREATE TABLE word(word TEXT,number INT,PRIMARY KEY(word,number)) WITHOUT ROWID",
            f"PRAGMA user_version={_FORM}",
        ):
            connection.execute(statement)
    connection.execute("COMMIT")


def _remove(connection: sqlite3.Connection, name: str) -> None:
    found = connection.execute("SELECT number,words FROM entry WHERE id=?", (name,)).fetchone()
    if found is None:
        return
    number, words = found
    connection.executemany(
        "DELETE FROM word WHERE word=? AND number=?",
        ((word, number) for word in words.split(_BETWEEN_WORDS)),
    )
    connection.execute("DELETE FROM entry WHERE number=?", (number,))


def _insert(connection: sqlite3.Connection, at: Stamp, keys: EventKeys) -> None:
    facts, body = dump_json(_facts(keys)), _body(keys)
    words = _BETWEEN_WORDS.join(keys.words)
    cursor = connection.execute(
        "INSERT INTO entry(id,stamp,crc,words,facts,body) VALUES(?,?,?,?,?,?)",
        (keys.memory_id, dump_json(list(at)), crc(facts + body), words, facts, body),
    )
    number = cursor.lastrowid
    connection.executemany(
        "INSERT INTO word(word,number) VALUES(?,?)", ((word, number) for word in keys.words)
    )


_ARRAYS = {
    "span_start_s": "<f8", "span_end_s": "<f8", "first_row": "<i4", "scales": "<f4",
    "offsets": "<f4", "blur": "<f4", "codes": "i1", "meanings": "u1",
}  # fmt: skip
_NUMBERS = ("start_s", "end_s", "interval_s", "excess", "scaled")


def _facts(keys: EventKeys) -> dict[str, Any]:
    return {
        **{name: getattr(keys, name) for name in _NUMBERS},
        "meta": keys.meta.to_json(),
        "gaps": [asdict(gap) for gap in keys.gaps],
        "cue_counts": dict(keys.cue_counts),
        "shapes": {name: list(getattr(keys, name).shape) for name in _ARRAYS},
    }


def _body(keys: EventKeys) -> bytes:
    return b"".join(
        np.ascontiguousarray(getattr(keys, name), kind).tobytes() for name, kind in _ARRAYS.items()
    )


def _unpack(facts: dict[str, Any], body: bytes) -> EventKeys:
    arrays: dict[str, Any] = {}
    at = 0
    for name, kind in _ARRAYS.items():
        shape = facts["shapes"][name]
        size = int(np.prod(shape))
        arrays[name] = np.frombuffer(body, kind, size, at).reshape(shape)
        at += arrays[name].nbytes
    return EventKeys(
        **{name: facts[name] for name in _NUMBERS},
        **arrays,
        meta=MemoryMeta.from_json(facts["meta"]),
        gaps=tuple(Gap(**gap) for gap in facts["gaps"]),
        cue_counts=facts["cue_counts"],
    )
