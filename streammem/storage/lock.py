"""One writer per memory: a lock of the operating system that dies with its process.

The lock lies on a file of its own (`NAME.lock`), which also says in words who holds it. The
text is only for people; a file without a live lock means nothing, whatever it says.
"""

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from weakref import WeakSet

from streammem.core.errors import MemoryFileError, MemoryLockedError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

# Somebody who only looks whether a lock is held holds it for that moment.
_PATIENCE_S = 0.25
# Most locks are held for a fraction of a millisecond: the pauses between tries grow up to the last.
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.0002, 0.01
_TEXT_BYTES = 512


@dataclass(frozen=True, slots=True)
class LockOwner:
    """Who holds a lock, as they wrote it down. `since` is unix seconds."""

    pid: int | None
    host: str | None
    since: float | None

    def __str__(self) -> str:
        process = "another process" if self.pid is None else f"process {self.pid}"
        place = f" on {self.host}" if self.host and self.host != socket.gethostname() else ""
        age = "" if self.since is None else f" since {max(0.0, time.time() - self.since):.0f} s"
        return f"{process}{place}{age}"


class WriterLock:
    """The right to write one memory. Released by `release`, or by the end of the process."""

    def __init__(self, path: Path) -> None:
        """Take the lock of the memory at `path`.

        Raises:
            MemoryLockedError: another process, or another writer of this one, holds it.
            MemoryFileError: the folder cannot be written or knows no locks.
        """
        self._file = lock_path(path)
        self._descriptor: int | None = _take(self._file, _PATIENCE_S)
        if self._descriptor is None:
            owner = _read_owner(self._file)
            raise MemoryLockedError(
                f"{path} is being written by {owner}",
                hint="wait until it is done, or stop that process",
            )
        _held.add(self)
        _write_owner(self._descriptor)

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self._descriptor is not None:
            _held.discard(self)
            descriptor, self._descriptor = self._descriptor, None
            # While it is held nobody can take it, and whoever waits sees that it is gone.
            # Windows refuses to remove an open file; there it stays, without meaning.
            with suppress(OSError):
                self._file.unlink()
            os.close(descriptor)

    def abandon(self) -> None:
        """Forget the lock in a forked child, which must not keep what its parent holds."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


_held: "WeakSet[WriterLock]" = WeakSet()


def _abandon_all() -> None:
    for lock in list(_held):
        lock.abandon()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_abandon_all)


def lock_path(path: Path) -> Path:
    """Where the lock of a memory lies: NAME.lock beside NAME.smem."""
    return path.with_name(path.name.removesuffix(".smem") + ".lock")


def lock_owner(path: Path) -> LockOwner | None:
    """Who is writing the memory at `path`, None if nobody is."""
    file = lock_path(path)
    try:
        descriptor = os.open(file, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return None
    try:
        if try_lock(descriptor):
            return None
    finally:
        os.close(descriptor)
    return _read_owner(file)


@contextmanager
def folder_lock(file: Path, patience_s: float = 30.0) -> Iterator[None]:
    """Hold a lock file for a short piece of work that processes do one at a time.

    Raises:
        MemoryLockedError: it was not free within `patience_s`.
    """
    descriptor = _take(file, patience_s)
    if descriptor is None:
        raise MemoryLockedError(
            f"{file.parent} is being changed by another process",
            hint="try again in a moment",
            code="library_locked",
        )
    try:
        yield
    finally:
        os.close(descriptor)


def _take(file: Path, patience_s: float) -> int | None:
    """A descriptor that holds the lock of the file now at that path; None if it stays held."""
    deadline, pause_s = time.monotonic() + patience_s, _FIRST_PAUSE_S
    while True:
        descriptor = _open(file)
        try:
            if try_lock(descriptor) and _is_at(descriptor, file):
                kept, descriptor = descriptor, -1
                return kept
        except OSError as error:
            raise _no_locks(file, error) from error
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        if time.monotonic() >= deadline:
            return None
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LAST_PAUSE_S)


def _open(file: Path) -> int:
    try:
        return os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    except OSError as error:
        raise MemoryFileError(
            f"cannot write in {file.parent}: {error.strerror}",
            hint="check that the folder exists and may be written",
            code="memory_unwritable",
        ) from error


def _no_locks(file: Path, error: OSError) -> MemoryFileError:
    return MemoryFileError(
        f"the folder {file.parent} does not support locks: {error.strerror}",
        hint="keep the library on a local disk",
        code="no_locks",
    )


def _is_at(descriptor: int, file: Path) -> bool:
    """Whether the opened file is still the one at that path, not one that was removed."""
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    # Far behind the text, which others read while the lock is held.
    _LOCKED_BYTE = 1 << 30

    def try_lock(descriptor: int) -> bool:
        """Take the exclusive lock of an open file if it is free."""
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def try_lock(descriptor: int) -> bool:
        """Take the exclusive lock of an open file if it is free."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _write_owner(descriptor: int) -> None:
    text = json.dumps(
        {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}, sort_keys=True
    )
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, text.encode()[:_TEXT_BYTES])


def _read_owner(file: Path) -> LockOwner:
    try:
        data = json.loads(file.read_bytes()[:_TEXT_BYTES])
        return LockOwner(int(data["pid"]), str(data["host"]), float(data["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return LockOwner(None, None, None)
