"""Finds out what happens in a library from its locks and its memories; disturbs nobody."""

import os
import time
from pathlib import Path

from streammem.core.activity import (
    INTERRUPTED,
    WATCHING,
    WRITING,
    MemoryActivity,
    MemoryWriter,
)
from streammem.core.errors import StreamMemError
from streammem.core.watches import LIVE
from streammem.runtime.describing import describe
from streammem.storage.library import LibraryFolder
from streammem.storage.lock import LockOwner, lock_owner
from streammem.storage.memory_file import read_memory
from streammem.storage.records import StoredMemory
from streammem.video.live_source import STDIN

_LOCK_SUFFIX = ".lock"
_RUNNING = "running"


def activities(library: LibraryFolder) -> list[MemoryActivity]:
    """The memories that are being written or were left unfinished, by name."""
    owners = _owners(library.folder)
    unfinished = {entry.memory_id: None for entry in library.entries() if entry.status == _RUNNING}
    return [
        _activity(library.path_of(name), owner)
        for name, owner in sorted({**unfinished, **owners}.items())
    ]


def _owners(folder: Path) -> dict[str, LockOwner | None]:
    """Who holds each memory that is held."""
    try:
        names = [name for name in os.listdir(folder) if name.endswith(_LOCK_SUFFIX)]  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        return {}
    held: dict[str, LockOwner | None] = {}
    for name in names:
        if name.startswith("."):
            continue
        memory_id = name.removesuffix(_LOCK_SUFFIX)
        owner = lock_owner(folder / f"{memory_id}.smem")
        if owner is not None:
            held[memory_id] = owner
    return held


def _activity(path: Path, owner: LockOwner | None) -> MemoryActivity:
    writer = None if owner is None else MemoryWriter(owner.pid, owner.host, owner.since)
    try:
        stored = read_memory(path)
    except StreamMemError as error:
        state = INTERRUPTED if owner is None else WRITING
        return MemoryActivity(path.stem, str(path), state, writer, problem=error.message)
    progress, meta = stored.progress, stored.meta
    live = bool(meta.reader.get(LIVE))
    known = progress.gaps if progress.mark is None else progress.mark.gaps
    # A gap that is still open stands behind those that are entered for good.
    blind_s = sum(gap.end_s - gap.start_s for gap in progress.gaps[len(known) :])
    return MemoryActivity(
        memory_id=path.stem,
        memory_path=str(path),
        state=INTERRUPTED if owner is None else WATCHING if live else WRITING,
        writer=writer,
        source=meta.source,
        position_s=progress.last_end_s or 0.0,
        behind_s=_behind_s(stored) if live and owner is not None else None,
        blind_s=blind_s if owner is not None else 0.0,
        last_commit_at=_last_commit_at(path),
        commits=progress.commits,
        frames=progress.frames,
        gaps=progress.gaps,
        bytes=describe(stored, status=progress.status).bytes,
    )


def _behind_s(stored: StoredMemory) -> float | None:
    """How far a live memory is behind the wall clock; files and pipes have a time of their own."""
    meta, reached_s = stored.meta, stored.progress.last_end_s
    if meta.recorded_at is None or reached_s is None:
        return None
    if meta.source_path is not None or meta.source == STDIN:
        return None
    return max(0.0, time.time() - meta.recorded_at - reached_s)


def _last_commit_at(path: Path) -> float | None:
    """When the file or the log beside it was written last."""
    times = []
    for file in (path, path.with_name(f"{path.name}-wal")):
        try:
            times.append(file.stat().st_mtime)
        except OSError:
            continue
    return max(times, default=None)
