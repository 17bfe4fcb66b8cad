"""Writes and reads one memory file: one transaction per commit, one writer, any readers.

The main file is held under the budget by shares that are checked before a commit and by
SQLite's page limit. The write-ahead log beside it is scratch: it is emptied before it would
outgrow `plan.wal_bytes` and removed at close. Two things can make it larger for a while: one
commit that alone changes more than that (a commit is never split), and a reader that holds its
transaction open for longer than readers may.
"""

import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from streammem.core.budget import BudgetPlan
from streammem.core.errors import UsageError
from streammem.storage.chunks import ChunkChanges, plan_changes
from streammem.storage.connection import BUSY_S, drop_log, open_for_writing, translated
from streammem.storage.cue_cost import CueCost, LooseIndex
from streammem.storage.cue_rows import get_cues, put_cues, storable
from streammem.storage.gaps import gap_limit
from streammem.storage.lock import WriterLock
from streammem.storage.pages import chunk_bytes, thumbnail_charge
from streammem.storage.placeholder import read_placeholder
from streammem.storage.reading import read_memory, read_meta, read_thumbnail, read_with_cues
from streammem.storage.records import (
    Commit,
    CommitRecord,
    MemoryMeta,
    StoredMemory,
)
from streammem.storage.rows import (
    COMMIT_ROW,
    LISTENING_ROW,
    TALLY_ROW,
    get_commit_record,
    get_file_bytes,
    get_memory,
    put_record,
    put_state,
    put_thumbnails,
)
from streammem.storage.schema import create_database, new_database, write_database
from streammem.storage.shares import check_shares, log_bytes
from streammem.storage.side_files import remove_side_files, unfinished_path
from streammem.storage.usage import trim_usage
from streammem.text.rows import CueRow

__all__ = [
    "MemoryWriter",
    "read_memory",
    "read_meta",
    "read_thumbnail",
    "read_with_cues",
    "thumbnail_charge",
]

# Readers copy and leave within a second.
_READER_S = 2.0


class MemoryWriter:
    """The one writer of a memory file. Use it from one thread at a time, and close it.

    with MemoryWriter.create(path, meta, plan) as writer:
        writer.commit(Commit(sections, progress))
    """

    def __init__(
        self, path: Path, lock: WriterLock, draft: sqlite3.Connection | None = None
    ) -> None:
        """Open the memory at `path`; `create`, `draft` and `open` are the ways to get here."""
        self.path = path
        self._lock = lock
        self._closed = False
        self._is_draft = draft is not None
        self._lies_in_file = draft is None
        self._sections: Mapping[str, bytes]
        self._thumbnails: dict[int, int]
        self._cues: CueCost
        self._index: LooseIndex
        self._record: CommitRecord
        self._in_doubt = False
        with ExitStack() as on_failure, translated(path):
            on_failure.callback(lock.release)
            self._connection = draft or open_for_writing(path)
            on_failure.callback(self._connection.close)
            self.stored = self._load()
            on_failure.pop_all()
        self.plan = self.stored.plan
        trim_usage(path, self._record.usage_absorbed)

    @classmethod
    def create(cls, path: Path, meta: MemoryMeta, plan: BudgetPlan) -> Self:
        """Begin a memory: the file appears with its settings and nothing else, or not at all.

        Raises:
            MemoryLockedError: another process is writing it.
            UsageError: there is a memory already.
        """
        lock = _lock_free_place(path)
        try:
            with translated(path):
                create_database(unfinished_path(path), meta, plan)
                unfinished_path(path).replace(path)
        except BaseException:
            lock.release()
            raise
        return cls(path, lock)

    @classmethod
    def draft(cls, path: Path, meta: MemoryMeta, plan: BudgetPlan) -> Self:
        """Begin a memory whose file appears with its first commit, whole.

        For sources so short that it is likely the last one: no log is needed then.

        Raises:
            MemoryLockedError: another process is writing it.
            UsageError: there is a memory already.
        """
        lock = _lock_free_place(path)
        try:
            with translated(path):
                connection = new_database(meta, plan)
        except BaseException:
            lock.release()
            raise
        return cls(path, lock, connection)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Go on with a memory from its last commit, also after its writer was killed.

        Raises:
            UsageError: there is no such file.
            MemoryLockedError: another process is writing it.
            MemoryFileError: it is not a memory, damaged or newer.
        """
        if not path.exists():
            raise UsageError(
                f"there is no memory {path}",
                hint="see `streammem list` for the memories of the library",
                code="unknown_memory",
            )
        return cls(path, WriterLock(path))

    @property
    def usage_absorbed(self) -> int:
        """Offset of the usage log up to which the last commit has absorbed it."""
        return self._record.usage_absorbed

    @property
    def file_bytes(self) -> int:
        """Size of the main file with everything committed moved into it."""
        with translated(self.path):
            return get_file_bytes(self._connection)

    @property
    def wal_bytes(self) -> int:
        """Size of the write-ahead log; 0 where there is none."""
        try:
            return self.path.with_name(self.path.name + "-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def current(self) -> StoredMemory:
        """The memory as the last commit left it."""
        record = self._record
        keys = sorted(self._thumbnails)
        return StoredMemory(
            path=self.path,
            meta=self.stored.meta,
            plan=self.plan,
            progress=record.progress,
            sections=dict(self._sections),
            thumbnail_keys=tuple(keys),
            thumbnail_lengths=tuple(self._thumbnails[key] for key in keys),
            cell_counts=record.cell_counts,
            tier_bytes=record.tier_bytes,
            usage_absorbed=record.usage_absorbed,
            file_bytes=self.file_bytes,
            thumbnail_bytes=record.thumbnail_bytes,
            cue_bytes=record.cue_bytes,
            cue_counts=record.cue_counts,
            cue_next_id=record.cue_next_id,
            listening=self._listening,
            word_tally=self._word_tally,
        )

    def cue_rows(self) -> tuple[CueRow, ...]:
        """Every cue of the last commit, in the order of the numbers.

        Raises:
            MemoryFileError: one of them is not what was written.
        """
        with translated(self.path):
            return get_cues(self._connection)

    def commit(self, commit: Commit) -> None:
        """Put everything in it on disk in one transaction, or nothing.

        Raises:
            BudgetError: it exceeds a share of the budget, or the disk is full; the last commit
                stays, and the writer can go on.
        """
        cues = tuple(storable(row) for row in commit.cues)
        commit = replace(commit, sections=dict(commit.sections), cues=cues)
        self._leave_draft()
        if self._in_doubt:
            with translated(self.path):
                self._load()
        thumbnails = {
            key: length
            for key, length in self._thumbnails.items()
            if key not in commit.thumbnails_dropped
        }
        replaced = thumbnails.keys() & commit.thumbnails_added.keys()
        thumbnails |= {key: len(webp) for key, webp in commit.thumbnails_added.items()}
        changes = plan_changes(
            self._sections,
            self._record.sections,
            commit.sections,
            chunk_bytes(self.plan.page_bytes),
        )
        after = self._cues.changed(cues, commit.cues_dropped)
        record = self._next_record(commit, changes, thumbnails, after)
        check_shares(self.plan, commit, after.bytes, thumbnails.values())
        with translated(self.path, self.plan):
            tidy = self._index.is_due(after, commit.cues, commit.cues_dropped)
            self._make_room(changes, commit, after.bytes if tidy else 0)
            # A signal may strike between the commit and the lines that note it.
            self._in_doubt = True
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                removed = commit.thumbnails_dropped | replaced
                self._write(commit, changes, record, removed, tidy=tidy)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._write_draft()
        absorbed_more = record.usage_absorbed != self._record.usage_absorbed
        self._sections, self._record = commit.sections, record
        self._thumbnails, self._cues, self._in_doubt = thumbnails, after, False
        self._listening, self._word_tally = commit.listening, commit.word_tally
        if absorbed_more:
            trim_usage(self.path, record.usage_absorbed)
        if self.wal_bytes > self.plan.wal_bytes // 2:
            # The commit is made; where the disk is full the next one will say so.
            with suppress(sqlite3.Error):
                self._empty_log(wait_s=0.0)

    def close(self) -> None:
        """Empty and remove the log, close the file and release the lock; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        try:
            # On a full disk the log stays where it is; with it the memory is whole.
            with suppress(sqlite3.Error):
                if not self._is_draft:
                    self._empty_log(wait_s=_READER_S)
                    drop_log(self._connection)
        finally:
            self._connection.close()
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write_draft(self) -> None:
        """Put the file of a draft in its place, with all of the first commit."""
        if not self._lies_in_file:
            write_database(self._connection, unfinished_path(self.path))
            unfinished_path(self.path).replace(self.path)
            self._lies_in_file = True

    def _leave_draft(self) -> None:
        """Go on in the file that a draft has become."""
        if self._is_draft and self._lies_in_file:
            with translated(self.path):
                connection = open_for_writing(self.path)
            self._connection.close()
            self._connection, self._is_draft = connection, False

    def _load(self) -> StoredMemory:
        """Read what lies in the file, which later commits are compared with."""
        self._connection.execute("BEGIN")
        try:
            stored = get_memory(self._connection, self.path)
            self._record = get_commit_record(self._connection)
            self._cues = CueCost(stored.plan.page_bytes).changed(get_cues(self._connection), ())
            self._index = LooseIndex()
        finally:
            # SQLite may have ended it already when the machine's memory ran out.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        self._sections = stored.sections
        self._listening, self._word_tally = stored.listening, stored.word_tally
        self._thumbnails = dict(zip(stored.thumbnail_keys, stored.thumbnail_lengths, strict=True))
        self._in_doubt = False
        return stored

    def _next_record(
        self,
        commit: Commit,
        changes: ChunkChanges,
        thumbnails: Mapping[int, int],
        cues: CueCost,
    ) -> CommitRecord:
        return CommitRecord(
            progress=commit.progress.bounded(gap_limit(self.plan.total_bytes)),
            cell_counts=dict(commit.cell_counts),
            tier_bytes=dict(commit.tier_bytes),
            usage_absorbed=commit.usage_absorbed,
            sections=changes.records,
            thumbnail_count=len(thumbnails),
            thumbnail_bytes=sum(thumbnails.values()),
            cue_counts=dict(Counter(size.channel for size in cues.sizes.values())),
            cue_bytes=sum(size.text_bytes for size in cues.sizes.values()),
            cue_next_id=commit.cue_next_id,
        )

    def _write(
        self,
        commit: Commit,
        changes: ChunkChanges,
        record: CommitRecord,
        removed: frozenset[int],
        *,
        tidy: bool,
    ) -> None:
        """The body of the transaction; what frees pages comes before what needs them."""
        connection = self._connection
        connection.executemany("DELETE FROM state WHERE id>=? AND id<?", changes.deletes)
        put_thumbnails(connection, removed, ())
        # A row that keeps its length is overwritten in place, and only its changed pages count.
        connection.executemany(
            "INSERT INTO state(id,body) VALUES(?,?) "
            "ON CONFLICT(id) DO UPDATE SET body=excluded.body",
            changes.writes,
        )
        put_thumbnails(connection, (), sorted(commit.thumbnails_added.items()))
        put_cues(connection, commit.cues, commit.cues_dropped, tidy=tidy)
        put_state(connection, LISTENING_ROW, commit.listening)
        if commit.word_tally != self._word_tally:
            put_state(connection, TALLY_ROW, commit.word_tally)
        put_record(connection, COMMIT_ROW, record.to_json())

    def _make_room(self, changes: ChunkChanges, commit: Commit, rewritten_bytes: int) -> None:
        """Empty the log if this commit might make it outgrow its bound."""
        wanted = log_bytes(self.plan, changes, commit) + rewritten_bytes
        if self.wal_bytes + wanted > self.plan.wal_bytes:
            self._empty_log(wait_s=_READER_S)

    def _empty_log(self, wait_s: float) -> None:
        """Move the log into the main file, as far as readers let go of it within `wait_s`."""
        self._connection.execute(f"PRAGMA busy_timeout={int(wait_s * 1000)}")
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            self._connection.execute(f"PRAGMA busy_timeout={int(BUSY_S * 1000)}")


def _lock_free_place(path: Path) -> WriterLock:
    """The lock of a memory that is to be begun at a path, without leftovers of another one.

    Raises:
        MemoryLockedError: another process is writing it.
        UsageError: there is a memory already.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = WriterLock(path)
    try:
        if path.exists() and read_placeholder(path) is None:
            raise UsageError(
                f"there is a memory {path} already",
                hint="open it, or forget it first",
                code="memory_exists",
            )
        with translated(path):
            # A log of a memory that was removed would be replayed into this one.
            remove_side_files(path)
    except BaseException:
        lock.release()
        raise
    return lock
