"""Marks a memory's name as taken between choosing it and writing the memory.

The mark is a short text file in the memory's place that names the source's fingerprint, so that
the same source gets the same name back if its process dies in between.
"""

from pathlib import Path

_PREFIX = b"streammem: to be written for "
# The smallest database has a page of 512 bytes; no mark is that long, no memory that short.
_MAX_BYTES = 511


def write_placeholder(path: Path, fingerprint: str) -> None:
    """Take a free name; the caller holds the lock of the library."""
    unfinished = path.with_name(f".{path.name}.claim")
    unfinished.write_bytes((_PREFIX + fingerprint.encode())[:_MAX_BYTES])
    unfinished.replace(path)


def is_no_placeholder(size_bytes: int) -> bool:
    """Whether a file of this size cannot be a mark."""
    return size_bytes > _MAX_BYTES


def read_placeholder(path: Path) -> str | None:
    """The fingerprint that a mark names, None if the file is no mark."""
    try:
        if is_no_placeholder(path.stat().st_size):
            return None
        data = path.read_bytes()
    except OSError:
        return None
    if not data.startswith(_PREFIX):
        return None
    return data.removeprefix(_PREFIX).decode(errors="replace")
