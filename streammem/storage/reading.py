"""Reads memory files: everything, only what a listing needs, or one picture."""

from pathlib import Path

from streammem.storage.connection import reading
from streammem.storage.cue_index import CueIndex
from streammem.storage.records import MetaView, StoredMemory
from streammem.storage.rows import (
    get_commit_record,
    get_file_bytes,
    get_memory,
    get_settings,
    get_thumbnail,
)


def read_memory(path: Path) -> StoredMemory:
    """The memory as its last commit left it, copied out in one read transaction.

    Raises:
        UsageError: there is no such file.
        MemoryFileError: it is not a memory, damaged or newer.
    """
    with reading(path) as connection:
        return get_memory(connection, path)


def read_with_cues(path: Path) -> tuple[StoredMemory, CueIndex | None]:
    """The memory as its last commit left it, and its cues; None where it holds none.

    Raises:
        UsageError: there is no such file.
        MemoryFileError: it is not a memory, damaged or newer.
    """
    with reading(path) as connection:
        stored = get_memory(connection, path)
        return stored, CueIndex(connection) if stored.cue_counts else None


def read_meta(path: Path) -> MetaView:
    """Settings, progress and counts of a memory, without its sections.

    Raises:
        UsageError: there is no such file.
        MemoryFileError: it is not a memory, damaged or newer.
    """
    with reading(path) as connection:
        meta, _ = get_settings(connection)
        record = get_commit_record(connection)
        return MetaView(
            meta,
            record.progress,
            record.cell_counts,
            record.tier_bytes,
            record.cue_counts,
            get_file_bytes(connection),
        )


def read_thumbnail(path: Path, pts_us: int) -> bytes | None:
    """The WebP of the frame at a presentation time in microseconds, None where none is kept.

    Raises:
        UsageError: there is no such file.
        MemoryFileError: it is not a memory, damaged or newer.
    """
    with reading(path) as connection:
        return get_thumbnail(connection, pts_us)
