"""Remembers what a listing needs of each memory, so that a large library lists at once.

The index is only a copy: an entry counts while the memory's files have the sizes and times they
had, and any trouble with the index itself means doing without. It may be deleted at any time.
"""

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from streammem.storage.records import dump_json, load_json

INDEX_NAME = "index.sqlite"
# 2 is the form of the entries; an index of another form is made anew.
_FORM = 2
# A file may change twice within one tick of the clock that stamps it.
_SETTLED_NS = 1_000_000_000
_MEMORY, _MEMORY_LOG = ".smem", ".smem-wal"

Stamp = tuple[int, ...]


def stamp(path: Path) -> Stamp | None:
    """What changes when a memory changes: sizes and times of the file and of its log.

    None while the files are too fresh for the times to tell two commits apart.
    """
    values: list[int] = []
    for file in (path, path.with_name(path.name + "-wal")):
        try:
            status = file.stat()
        except OSError:
            values += [0, 0]
            continue
        if time.time_ns() - status.st_mtime_ns < _SETTLED_NS:
            return None
        values += [status.st_size, status.st_mtime_ns]
    return tuple(values)


def stamps_in(folder: Path) -> dict[str, Stamp | None]:
    """The stamps of all memories of a folder by name, with one look at each file."""
    found: dict[str, os.stat_result] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith((_MEMORY, _MEMORY_LOG)):
                    with suppress(OSError):
                        found[entry.name] = entry.stat()
    except OSError:
        return {}
    now_ns = time.time_ns()
    stamps: dict[str, Stamp | None] = {}
    for name, status in found.items():
        if not name.endswith(_MEMORY):
            continue
        both = [found[file] for file in (name, f"{name}-wal") if file in found]
        fresh = any(now_ns - one.st_mtime_ns < _SETTLED_NS for one in both)
        log = (both[1].st_size, both[1].st_mtime_ns) if len(both) > 1 else (0, 0)
        at = (status.st_size, status.st_mtime_ns, *log)
        stamps[name.removesuffix(_MEMORY)] = None if fresh else at
    return stamps


class LibraryIndex:
    """The index file of one library folder."""

    def __init__(self, folder: Path) -> None:
        """An index in `folder`; nothing is opened yet."""
        self._file = folder / INDEX_NAME

    def load(self) -> dict[str, tuple[Stamp, dict[str, Any]]]:
        """Every entry by memory id; empty where there is no usable index."""
        if not self._file.is_file():
            return {}
        try:
            with self._opened() as connection:
                rows = connection.execute("SELECT id,stamp,body FROM entry").fetchall()
            return {name: (tuple(load_json(at)), load_json(body)) for name, at, body in rows}
        except (sqlite3.Error, OSError, ValueError, TypeError):
            self._discard()
            return {}

    def save(self, fresh: Mapping[str, tuple[Stamp, dict[str, Any]]], gone: Iterable[str]) -> None:
        """Add entries and remove others; does nothing where the folder cannot be written."""
        try:
            with self._opened() as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany("DELETE FROM entry WHERE id=?", ((name,) for name in gone))
                connection.executemany(
                    "INSERT OR REPLACE INTO entry(id,stamp,body) VALUES(?,?,?)",
                    (
                        (name, dump_json(list(at)), dump_json(body))
                        for name, (at, body) in fresh.items()
                    ),
                )
                connection.execute("COMMIT")
        except sqlite3.OperationalError:
            # In use or not writable: the next listing tries again.
            return
        except (sqlite3.Error, OSError):
            self._discard()

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._file, isolation_level=None, timeout=0.5)) as connection:
            (form,) = connection.execute("PRAGMA user_version").fetchone()
            if form != _FORM:
                connection.execute("DROP TABLE IF EXISTS entry")
                connection.execute(
                    "CREATE TABLE entry(id TEXT PRIMARY KEY,stamp BLOB,body BLOB) WITHOUT ROWID"
                )
                connection.execute(f"PRAGMA user_version={_FORM}")
            yield connection

    def _discard(self) -> None:
        with suppress(OSError):
            self._file.unlink()
