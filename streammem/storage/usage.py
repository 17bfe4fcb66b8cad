"""The usage log beside a memory: which cells questions returned, until the writer absorbs it.

Readers never write the memory. Each question appends one line to `NAME.usage`; the one writer
takes the lines in with its next commit, notes how far it got, and shortens the file.

The first line says at which offset the file begins. Offsets never go back, whether the file was
shortened, lost or copied: a new file begins at the clock's nanoseconds, and grows slower than
these. A line that is torn or damaged is skipped; usage is a hint, and losing one is no harm.
"""

import json
import os
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from streammem.storage.lock import try_lock

MAX_USAGE_BYTES = 64 * 1024
_HEADER = b"streammem usage %020d\n"
_HEADER_BYTES = len(_HEADER % 0)
_PATIENCE_S = 0.5


class UsageEntry(NamedTuple):
    """One question: how often it returned each cell, and for how many readings it counts."""

    returned: dict[int, int]
    reads: int


def usage_path(path: Path) -> Path:
    """Where the usage log of a memory lies: NAME.usage beside NAME.smem."""
    return path.with_name(path.name.removesuffix(".smem") + ".usage")


def append_usage(path: Path, returned: Mapping[int, int], reads: int = 1) -> bool:
    """Note that a question returned these cells of the memory at `path`.

    Returns whether it was noted: a log that is full or cannot be written is left as it is,
    since a question must be answered on read-only media, too.
    """
    cells = {int(cell): int(count) for cell, count in sorted(returned.items())}
    body = json.dumps([reads, list(cells.items())], separators=(",", ":")).encode()
    # The leading newline parts this line from a torn one before it.
    line = b"\n%08x %s\n" % (zlib.crc32(body), body)
    try:
        with _opened(usage_path(path), create=True) as descriptor:
            size = os.fstat(descriptor).st_size
            if size < _HEADER_BYTES:
                os.ftruncate(descriptor, 0)
                line = _HEADER % time.time_ns() + line
            if size + len(line) > MAX_USAGE_BYTES:
                return False
            return os.write(descriptor, line) == len(line)
    except OSError:
        return False


def read_usage(path: Path, from_offset: int) -> tuple[int, tuple[UsageEntry, ...]]:
    """The entries behind an offset, and the offset behind them; see `trim_usage`."""
    try:
        data = usage_path(path).read_bytes()
    except OSError:
        return from_offset, ()
    begin = _begin(data)
    if begin is None:
        return from_offset, ()
    # A line that is being written is left for next time.
    end = data.rfind(b"\n") + 1
    start = max(_HEADER_BYTES, from_offset - begin + _HEADER_BYTES)
    if start >= end:
        return from_offset, ()
    lines = data[start:end].split(b"\n")
    entries = tuple(entry for entry in map(_parse, lines) if entry is not None)
    return begin + end - _HEADER_BYTES, entries


def trim_usage(path: Path, absorbed: int) -> None:
    """Remove what lies before an offset that is safely stored in the memory itself."""
    file = usage_path(path)
    if not file.exists():
        return
    try:
        with _opened(file, create=False) as descriptor:
            data = _read_all(descriptor)
            begin = _begin(data)
            if begin is not None and absorbed <= begin:
                return
            rest = b"" if begin is None else data[absorbed - begin + _HEADER_BYTES :]
            os.ftruncate(descriptor, 0)
            os.write(descriptor, _HEADER % absorbed + rest)
    except OSError:
        # The log stays as long as it is; its entries are behind us and will not be read twice.
        return


@contextmanager
def _opened(file: Path, *, create: bool) -> Iterator[int]:
    """A descriptor of the log that nobody else changes meanwhile.

    Raises:
        OSError: it cannot be opened, or is in use for longer than a line takes.
    """
    flags = os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        descriptor = os.open(file, flags | (os.O_CREAT if create else 0), 0o666)
        try:
            # It may have been forgotten with its memory between opening and locking.
            if try_lock(descriptor) and os.path.samestat(os.fstat(descriptor), file.stat()):
                yield descriptor
                return
        except FileNotFoundError:
            if not create:
                raise
        finally:
            os.close(descriptor)
        if time.monotonic() > deadline:
            raise TimeoutError(f"{file} is in use")
        time.sleep(0.002)


def _read_all(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    parts = []
    while part := os.read(descriptor, MAX_USAGE_BYTES):
        parts.append(part)
    return b"".join(parts)


def _begin(data: bytes) -> int | None:
    """The offset of the first byte behind the header, None for a file without one."""
    head = data[:_HEADER_BYTES]
    number = head.removeprefix(b"streammem usage ").removesuffix(b"\n")
    if len(head) < _HEADER_BYTES or not number.isdigit() or _HEADER % int(number) != head:
        return None
    return int(number)


def _parse(line: bytes) -> UsageEntry | None:
    checksum, _, body = line.partition(b" ")
    if not body or checksum != b"%08x" % zlib.crc32(body):
        return None
    try:
        reads, cells = json.loads(body)
        return UsageEntry({int(cell): int(count) for cell, count in cells}, int(reads))
    except (ValueError, TypeError):
        return None
