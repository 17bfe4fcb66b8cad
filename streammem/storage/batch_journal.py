"""Remembers, beside a library, what batches did with each file: what is done, what kills workers.

The journal saves time and protects the next run; no memory depends on it, it may be deleted at any
time, and trouble with it never stops a batch. A file is known by its path, size and time of
change; changed in any of them it is another file.
"""

import os
import sqlite3
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

JOURNAL_NAME = "batch.sqlite"
_FORM = 2
# A file that was changed this shortly before it was looked at may change again unseen.
_SETTLED_NS = 2_000_000_000
_PATIENCE_S = 5.0
# What is lost of a run that is killed: a file is looked at again.
_WRITE_EVERY_S = 0.5
_TABLE = """CREATE TABLE file(
    path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, settings TEXT, memory_id TEXT,
    memory_size INTEGER, memory_mtime_ns INTEGER, result TEXT,
    covered_s REAL, elapsed_s REAL, done_at REAL,
    strikes INTEGER NOT NULL DEFAULT 0, reason TEXT) WITHOUT ROWID"""


@dataclass(frozen=True, slots=True)
class FileMark:
    """A file as it lay on disk: what tells whether it is still the same."""

    path: str
    size: int
    mtime_ns: int
    settled: bool

    @classmethod
    def of(cls, source: str) -> "FileMark | None":
        """The mark of a local file, None for any other source."""
        # Without objects for paths: a batch asks twice for each of its files.
        try:
            status = os.lstat(source)
            linked = stat.S_ISLNK(status.st_mode)
            if linked:
                status = os.stat(source)  # noqa: PTH116
            if not stat.S_ISREG(status.st_mode):
                return None
            whole = os.path.realpath(source) if linked else _whole_path(source)
        except (OSError, ValueError):
            return None
        settled = time.time_ns() - status.st_mtime_ns > _SETTLED_NS
        return cls(whole, status.st_size, status.st_mtime_ns, settled)


def _whole_path(source: str) -> str:
    """The path of a file that is no link with no link left in it."""
    folder, name = os.path.split(source)
    here = folder if os.path.isabs(folder) else os.path.join(os.getcwd(), folder)  # noqa: PTH109, PTH117, PTH118
    return os.path.join(_whole_folder(here), name)  # noqa: PTH118


@lru_cache(maxsize=256)
def _whole_folder(folder: str) -> str:
    return os.path.realpath(folder)


@dataclass(frozen=True, slots=True)
class DoneFile:
    """The memory that a file became under some settings.

    `memory` marks its file as it lay then, `result` is what was said of it as JSON: both together
    save reading it as long as nobody has changed it.
    """

    memory_id: str
    memory: FileMark
    result: str


class BatchJournal:
    """The journal of one library folder. Safe to share between processes.

    While it is entered it stays open, and what becomes of files is written many at a time.
    """

    def __init__(self, folder: Path) -> None:
        """A journal in `folder`; nothing is opened yet."""
        self._file = folder / JOURNAL_NAME
        # What could not be written still holds for this run.
        self._struck: dict[str, tuple[int, str]] = {}
        self._kept: sqlite3.Connection | None = None
        self._opened_file: tuple[int, int] | None = None
        self._keeps = False
        self._unwritten: dict[str, tuple[object, ...]] = {}
        self._written_at = 0.0
        self._looked_up: tuple[FileMark, tuple[Any, ...] | None] | None = None
        # Where there was no journal before: the paths that this run has written down.
        self._all_written: set[str] | None = None

    def __enter__(self) -> Self:
        self._keeps = True
        if not self._file.exists():
            self._all_written = set()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.write_out()
        self._keeps, self._all_written = False, None
        self._close()

    def done(self, mark: FileMark, settings: str) -> DoneFile | None:
        """What became of a file, if it is the same and was read with the same settings."""
        row = self._look_up(mark)
        # Whoever hears that it is not done asks next whether it may be tried.
        self._looked_up = mark, row
        if row is None or not mark.settled:
            return None
        read_with, memory_id, size, mtime_ns, result, *_ = row
        if memory_id is None or read_with != settings:
            return None
        path = self._file.with_name(f"{memory_id}.smem").resolve()
        return DoneFile(memory_id, FileMark(str(path), size, mtime_ns, settled=True), result)

    def note_done(
        self, mark: FileMark, settings: str, done: DoneFile, covered_s: float, elapsed_s: float
    ) -> None:
        """A file became a memory in `elapsed_s`; whatever it did to workers before is forgiven.

        `elapsed_s` of 0 keeps what was measured before.
        """
        self._struck.pop(mark.path, None)
        if self._all_written is not None:
            self._all_written.add(mark.path)
        self._unwritten[mark.path] = (
            mark.path, mark.size, mark.mtime_ns, settings, done.memory_id, done.memory.size,
            done.memory.mtime_ns, done.result, covered_s, elapsed_s, time.time(),
        )  # fmt: skip
        if not self._keeps or time.monotonic() - self._written_at > _WRITE_EVERY_S:
            self.write_out()

    def write_out(self) -> None:
        """Write down what is known of files and was kept back."""
        if self._unwritten:
            rows, self._unwritten = list(self._unwritten.values()), {}
            self._written_at = time.monotonic()
            self._write(
                "INSERT INTO file VALUES(?,?,?,?,?,?,?,?,?,nullif(?,0),?,0,NULL) "
                "ON CONFLICT(path) DO UPDATE SET size=excluded.size,mtime_ns=excluded.mtime_ns,"
                "settings=excluded.settings,memory_id=excluded.memory_id,"
                "memory_size=excluded.memory_size,memory_mtime_ns=excluded.memory_mtime_ns,"
                "result=excluded.result,strikes=0,reason=NULL,"
                "covered_s=excluded.covered_s,elapsed_s=coalesce(excluded.elapsed_s,elapsed_s),"
                "done_at=excluded.done_at",
                rows,
            )

    def _write_out_of(self, mark: FileMark) -> None:
        if mark.path in self._unwritten:
            self.write_out()

    def strikes(self, mark: FileMark) -> tuple[int, str]:
        """How often a file has killed its worker, and how the last time."""
        looked_up, self._looked_up = self._looked_up, None
        same = looked_up is not None and looked_up[0] == mark
        row = looked_up[1] if looked_up is not None and same else self._look_up(mark)
        stored = (int(row[-2]), str(row[-1])) if row is not None and row[-2] > 0 else (0, "")
        return max(stored, self._struck.get(mark.path, (0, "")))

    def strike(self, mark: FileMark, reason: str) -> int:
        """A file killed its worker; returns how often it has done so by now."""
        count = self.strikes(mark)[0] + 1
        self._struck[mark.path] = (count, reason)
        if self._all_written is not None:
            self._all_written.add(mark.path)
        self._write(
            "INSERT INTO file(path,size,mtime_ns,strikes,reason) VALUES(?,?,?,?,?) "
            "ON CONFLICT(path) DO UPDATE SET size=excluded.size,mtime_ns=excluded.mtime_ns,"
            "strikes=excluded.strikes,reason=excluded.reason",
            [(mark.path, mark.size, mark.mtime_ns, count, reason)],
        )
        return count

    def forgive(self, mark: FileMark) -> None:
        """Forget what a file did to workers."""
        self._write_out_of(mark)
        self._struck.pop(mark.path, None)
        self._write("UPDATE file SET strikes=0,reason=NULL WHERE path=?", [(mark.path,)])

    def speeds(self, settings: str, limit: int) -> list[tuple[float, float]]:
        """(seconds of video, seconds it took) of the files last read with such settings.

        `settings` is what theirs begin with.
        """
        self.write_out()
        rows = self._rows(
            "SELECT covered_s,elapsed_s FROM file "
            "WHERE instr(settings,?)=1 AND elapsed_s IS NOT NULL ORDER BY done_at DESC LIMIT ?",
            (settings, limit),
        )
        return [(float(covered_s), float(elapsed_s)) for covered_s, elapsed_s in rows]

    def _look_up(self, mark: FileMark) -> tuple[Any, ...] | None:
        """What is written of a file, if it is still the same."""
        if self._all_written is not None and mark.path not in self._all_written:
            # What another batch writes meanwhile, its memories tell as well.
            return None
        self._write_out_of(mark)
        rows = self._rows(
            "SELECT settings,memory_id,memory_size,memory_mtime_ns,result,strikes,reason FROM file "
            "WHERE path=? AND size=? AND mtime_ns=?",
            (mark.path, mark.size, mark.mtime_ns),
        )
        return rows[0] if rows else None

    def _rows(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        if not self._file.is_file():
            return []
        try:
            with self._opened() as connection:
                return connection.execute(query, _storable(values)).fetchall()
        except sqlite3.OperationalError:
            return []
        except (sqlite3.Error, OSError):
            self._discard()
            return []

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        self._looked_up = None
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._opened() as connection:
                connection.execute("BEGIN IMMEDIATE")
                with connection:
                    connection.executemany(statement, map(_storable, rows))
        except (sqlite3.OperationalError, OSError):
            # In use, not writable or a full disk: the next run looks at the file itself.
            self._close()
        except sqlite3.Error:
            self._discard()

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        if self._kept is not None and _file_of(self._file) != self._opened_file:
            # Somebody has deleted it.
            self._close()
        connection = self._kept or _connect(self._file)
        if not self._keeps:
            with closing(connection):
                yield connection
            return
        self._kept, self._opened_file = connection, _file_of(self._file)
        yield connection

    def _close(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _discard(self) -> None:
        self._close()
        with suppress(OSError):
            self._file.unlink()


def _file_of(path: Path) -> tuple[int, int] | None:
    """What tells one file at a path from the next one there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None, timeout=_PATIENCE_S)
    try:
        # A crash of the machine may cost the journal, never a memory.
        connection.execute("PRAGMA synchronous=OFF")
        (form,) = connection.execute("PRAGMA user_version").fetchone()
        if form != _FORM:
            _create(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _storable(values: tuple[object, ...]) -> tuple[object, ...]:
    """The values with escapes for bytes of file names that are no text, which SQLite refuses."""
    return tuple(
        value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
        for value in values
    )


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    # Another process may have been quicker.
    if connection.execute("PRAGMA user_version").fetchone() != (_FORM,):
        connection.execute("DROP TABLE IF EXISTS file")
        connection.execute(_TABLE)
        connection.execute(f"PRAGMA user_version={_FORM}")
    connection.execute("COMMIT")
