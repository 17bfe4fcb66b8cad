"""Keeps a library within an age and a size: what is pinned or being written stays."""

import time
from collections.abc import Iterable
from dataclasses import replace

from streammem.core.errors import MemoryLockedError, StreamMemError, UsageError
from streammem.core.keeping import Compacted, CompactRequest, CompactResult
from streammem.storage.erasing import free_bytes, rewrite
from streammem.storage.event_keys import EventKeyIndex
from streammem.storage.library import LibraryEntry, LibraryFolder
from streammem.storage.lock import folder_lock, lock_owner
from streammem.storage.memory_file import MemoryWriter
from streammem.storage.pins import read_pins, write_pins
from streammem.storage.side_files import side_files
from streammem.storage.usage import usage_path

# Writing a file anew for less than this share of free pages is not worth it.
_WORTH_SHRINKING = 16


def compact_library(
    library: LibraryFolder, request: CompactRequest, *, remove: bool, now: float | None = None
) -> CompactResult:
    """Apply pins, remove what is too old, then the oldest beyond the quota, and shrink the rest.

    A memory's age counts from the end of its recording where that is known, else from when it was
    begun. One that cannot be read is left alone: its age is not known.

    Raises:
        UsageError: a memory to pin or to unpin is unknown.
    """
    pins = _pinned(library, request, write=remove)
    moment = time.time() if now is None else now
    entries = library.entries()
    found = [_judged(entry, request, pins, moment) for entry in entries]
    before = sum(one.bytes for one in found)
    found = _within_quota(found, request, before)
    if remove:
        found = [_done(library, one) for one in found]
        names = {entry.memory_id for entry in entries}
        EventKeyIndex(library.folder).remove(
            [name for name in EventKeyIndex(library.folder).stamps() if name not in names]
        )
    freed = sum(one.freed_bytes for one in found)
    return CompactResult(tuple(found), before, before - freed)


def _pinned(library: LibraryFolder, request: CompactRequest, *, write: bool) -> frozenset[str]:
    """The pins with the requested changes; names of memories that are gone are dropped."""
    if not (request.pin or request.unpin):
        return read_pins(library.folder)
    added = {library.resolve(name).stem for name in request.pin}
    dropped = {library.resolve(name).stem for name in request.unpin}
    if added & dropped:
        name = min(added & dropped)
        raise UsageError(f"{name!r} cannot be pinned and unpinned at once", code="bad_pin")
    if not write:
        return (read_pins(library.folder) | added) - dropped
    with folder_lock(library.lock_file):
        pins = ((read_pins(library.folder) | added) - dropped) & set(library.ids())
        write_pins(library.folder, pins)
    return pins


def _judged(
    entry: LibraryEntry, request: CompactRequest, pins: Iterable[str], now: float
) -> Compacted:
    """What age says about one memory."""
    one = Compacted(
        memory_id=entry.memory_id,
        memory_path=str(entry.path),
        action="keep",
        reason="",
        done=False,
        bytes=_bytes_of(entry),
        age_s=_age_s(entry, now),
        pinned=entry.memory_id in pins,
    )
    if entry.problem is not None:
        return replace(one, reason=f"cannot be read: {entry.problem}", age_s=None)
    if lock_owner(entry.path) is not None:
        return replace(one, reason="is being written")
    if one.pinned:
        return replace(one, reason="is pinned")
    if request.keep_s is not None and one.age_s is not None and one.age_s > request.keep_s:
        return replace(one, action="remove", reason="older than is kept", freed_bytes=one.bytes)
    return one


def _within_quota(found: list[Compacted], request: CompactRequest, total: int) -> list[Compacted]:
    """The oldest memories that may go are removed until the library is no larger than its quota."""
    if request.quota_bytes is None:
        return found
    left = total - sum(one.freed_bytes for one in found)
    by_age = sorted(
        (one for one in found if one.action == "keep" and not one.reason),
        key=lambda one: (-(one.age_s or 0.0), one.memory_id),
    )
    going: set[str] = set()
    for one in by_age:
        if left <= request.quota_bytes:
            break
        going.add(one.memory_id)
        left -= one.bytes
    return [
        replace(one, action="remove", reason="beyond the quota", freed_bytes=one.bytes)
        if one.memory_id in going
        else one
        for one in found
    ]


def _done(library: LibraryFolder, one: Compacted) -> Compacted:
    """Do what was decided; a memory that somebody began to write meanwhile is left alone."""
    try:
        if one.action == "remove":
            library.forget(one.memory_id)
            return replace(one, done=True)
        if one.reason and not one.pinned:
            return one
        return _shrunk(library, one)
    except MemoryLockedError:
        return replace(one, action="keep", reason="is being written", freed_bytes=0)
    except StreamMemError as error:
        return replace(one, action="keep", reason=error.message, freed_bytes=0)


def _shrunk(library: LibraryFolder, one: Compacted) -> Compacted:
    """Write a file anew where enough of it is free."""
    path = library.path_of(one.memory_id)
    before = path.stat().st_size
    with MemoryWriter.open(path) as writer:
        if free_bytes(writer) * _WORTH_SHRINKING < before:
            return one
        rewrite(writer)
    freed = max(0, before - path.stat().st_size)
    return replace(one, action="shrink", reason="free pages", done=True, freed_bytes=freed)


def _age_s(entry: LibraryEntry, now: float) -> float | None:
    if entry.recorded_at is not None:
        return now - entry.recorded_at - (entry.duration_s or entry.covered_s)
    return None if entry.created_at is None else now - entry.created_at


def _bytes_of(entry: LibraryEntry) -> int:
    """Bytes of a memory and of what lies beside it."""
    total = 0
    for file in (entry.path, *side_files(entry.path), usage_path(entry.path)):
        try:
            total += file.stat().st_size
        except OSError:
            continue
    return total
