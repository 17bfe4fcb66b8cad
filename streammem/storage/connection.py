"""Opens memory files for reading and for writing, and turns SQLite's errors into ours."""

import errno
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from streammem.core.budget import BudgetPlan, format_bytes
from streammem.core.errors import (
    BudgetError,
    MemoryFileError,
    MemoryLockedError,
    StreamMemError,
    UsageError,
)
from streammem.storage.rows import get_settings
from streammem.storage.schema import SCHEMA_VERSION, check_schema, migrate

BUSY_S = 10.0
_SWITCH_S = 3.0
_SWITCH_STEP_S = 0.1
_SIDE_SUFFIXES = ("-wal", "-journal")


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A read transaction on a memory file, brought up to date in a copy if its schema is old.

    Works while a writer runs, on read-only media and from any folder. Copy what is needed and
    leave: as long as the transaction is open, the writer's log cannot be emptied.

    Raises:
        UsageError: there is no such file.
        MemoryFileError: it is not a memory, damaged or newer.
    """
    _check_exists(path)
    with translated(path), ExitStack() as stack:
        connection = _open_reader(path, stack)
        connection.execute("BEGIN")
        if check_schema(connection, path) < SCHEMA_VERSION:
            connection = copy_to_memory(connection, stack)
            migrate(connection, check_schema(connection, path))
        yield connection


def copy_to_memory(connection: sqlite3.Connection, stack: ExitStack) -> sqlite3.Connection:
    """A copy of an opened database that can be changed without touching the file."""
    copy = stack.enter_context(closing(sqlite3.connect(":memory:", isolation_level=None)))
    connection.backup(copy)
    return copy


def open_for_writing(path: Path) -> sqlite3.Connection:
    """A connection for the one writer; the caller holds the lock and translates errors."""
    _check_exists(path)
    # The pipeline commits from a thread that is not the one that opened the file.
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        isolation_level=None,
        timeout=BUSY_S,
        check_same_thread=False,
    )
    try:
        version = check_schema(connection, path)
        _, plan = get_settings(connection)
        connection.execute(f"PRAGMA max_page_count={plan.max_pages}")
        migrate(connection, version)
        _harden(connection)
        # Pages that change twice in a commit go to the log once.
        connection.execute("PRAGMA cache_spill=OFF")
        connection.execute("PRAGMA secure_delete=FAST")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        if use_log(connection):
            # A killed process loses nothing; after a power cut the last commits may be missing,
            # never half of one. FULL would wait for the disk at every commit.
            connection.execute("PRAGMA synchronous=NORMAL")
        else:
            # The rollback journal is safe against power cuts only so.
            connection.execute("PRAGMA synchronous=FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def use_log(connection: sqlite3.Connection) -> bool:
    """Switch to the write-ahead log; False where the folder cannot have one.

    Without it (some network folders cannot share memory between processes) the rollback journal
    stays: readers then wait for commits and commits for readers.
    """
    return _switch_journal(connection, "wal")


def drop_log(connection: sqlite3.Connection) -> bool:
    """Move the log into the main file and do without, so that the memory is one plain file.

    False if a reader kept the log for longer than readers may; the next writer does it then.
    """
    return _switch_journal(connection, "delete")


def _switch_journal(connection: sqlite3.Connection, mode: str) -> bool:
    deadline = time.monotonic() + _SWITCH_S
    connection.execute(f"PRAGMA busy_timeout={int(_SWITCH_STEP_S * 1000)}")
    try:
        while True:
            try:
                (now,) = connection.execute(f"PRAGMA journal_mode={mode}").fetchone()
            except sqlite3.OperationalError as error:
                # Readers copy and leave, so a busy file is free in a moment.
                if _primary(error) == sqlite3.SQLITE_BUSY and time.monotonic() < deadline:
                    time.sleep(0.01)
                    continue
                if _primary(error) in _CANNOT_SWITCH:
                    return False
                raise
            return bool(now == mode)
    finally:
        connection.execute(f"PRAGMA busy_timeout={int(BUSY_S * 1000)}")


def _open_reader(path: Path, stack: ExitStack) -> sqlite3.Connection:
    uri = path.absolute().as_uri()
    try:
        return _connect_reader(f"{uri}?mode=ro", stack)
    except sqlite3.OperationalError as error:
        if _primary(error) not in _NEEDS_WRITING:
            raise
    sides = [side for side in _side_files(path) if side.is_file() and side.stat().st_size > 0]
    if not sides:
        # Read-only media: nobody can be writing there.
        return _connect_reader(f"{uri}?mode=ro&immutable=1", stack)
    # A log that must be replayed beside a file that cannot be written: replay it in a copy.
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streammem-")))
    for file in (path, *sides):
        shutil.copyfile(file, folder / file.name)
    return _connect_reader(f"{(folder / path.name).as_uri()}?mode=rw", stack)


def _connect_reader(uri: str, stack: ExitStack) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_S)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        _harden(connection)
    except BaseException:
        connection.close()
        raise
    stack.callback(connection.close)
    return connection


def _harden(connection: sqlite3.Connection) -> None:
    """Files come from anywhere: run nothing that a schema names, trust no page."""
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA cell_size_check=ON")


def _side_files(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in _SIDE_SUFFIXES]


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise UsageError(
            f"there is no memory {path}",
            hint="see `streammem list` for the memories of the library",
            code="unknown_memory",
        )
    if not path.is_file():
        raise MemoryFileError(
            f"{path} is not a file", hint="name a .smem file", code="not_a_memory"
        )


@contextmanager
def translated(path: Path, plan: BudgetPlan | None = None) -> Iterator[None]:
    """Raise SQLite's and the system's errors as ours, with the file's name in the message."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise
    except sqlite3.Error as error:
        raise explain(error, path, plan) from error
    except MemoryFileError as error:
        if str(path) in error.message:
            raise
        raise type(error)(f"{path}: {error.message}", hint=error.hint, code=error.code) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(path, None) from error
        raise _unreadable(path, str(error)) from error


def explain(error: sqlite3.Error, path: Path, plan: BudgetPlan | None) -> StreamMemError:
    """Our error for one of SQLite's."""
    code = _primary(error)
    if code == sqlite3.SQLITE_NOTADB:
        return MemoryFileError(
            f"{path} is not a memory",
            hint="memories are the .smem files that `streammem ingest` writes",
            code="not_a_memory",
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return MemoryLockedError(
            f"{path} is in use by another process",
            hint="try again in a moment",
            code="memory_busy",
        )
    if code == sqlite3.SQLITE_FULL or _extended(error) in _WRITE_FAILURES:
        at_limit = code == sqlite3.SQLITE_FULL and plan is not None
        return _full(path, plan if at_limit else None)
    if code == sqlite3.SQLITE_NOMEM:
        return BudgetError(
            f"not enough memory to read {path}",
            hint="close other programs and try again",
            code="out_of_memory",
        )
    if code in _NEEDS_WRITING:
        return _unreadable(path, str(error))
    return MemoryFileError(
        f"{path} is damaged: {error}",
        hint="restore it from a copy, or ingest the source again with --force",
        code="memory_damaged",
    )


def _full(path: Path, plan: BudgetPlan | None) -> BudgetError:
    if plan is not None and shutil.disk_usage(path.parent).free > plan.total_bytes:
        return BudgetError(
            f"{path} has reached its budget of {format_bytes(plan.total_bytes)}",
            hint="the last commit is intact; ingest the source again with a larger --budget",
            code="budget_full",
        )
    return BudgetError(
        f"the disk is full; {path} could not be written",
        hint="the last commit is intact; free some space and run the same command again",
        code="disk_full",
    )


def _unreadable(path: Path, reason: str) -> MemoryFileError:
    return MemoryFileError(
        f"{path} cannot be opened: {reason}",
        hint="check the permissions of the file and its folder",
        code="memory_unreadable",
    )


def _extended(error: sqlite3.Error) -> int:
    # Errors that Python raises itself, such as undecodable text, have no code.
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)


def _primary(error: sqlite3.Error) -> int:
    return _extended(error) & 0xFF


_NEEDS_WRITING = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM})
_CANNOT_SWITCH = _NEEDS_WRITING | {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
}
_WRITE_FAILURES = frozenset(
    {
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_TRUNCATE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    }
)
