"""What keeps a library in order: who writes, forgetting a stretch, ages, quotas and pins."""

from streammem.api import Library
from streammem.core.activity import MemoryActivity
from streammem.core.keeping import CompactRequest, CompactResult, RangeForgotten


def activities(library: Library) -> list[MemoryActivity]:
    """The memories that are being written now, by whom, and those that were left unfinished."""
    from streammem.runtime.activity import activities as find
    from streammem.storage.library import LibraryFolder

    return find(LibraryFolder(library.folder))


def forget_range(
    library: Library, memory: str, between_s: tuple[float, float], *, remove: bool
) -> RangeForgotten:
    """Forget a stretch of a finished memory and prove it, or say what that would be.

    Raises:
        UsageError: the memory is unknown or unfinished, or holds nothing of the stretch.
        MemoryLockedError: a process is writing it.
    """
    from streammem.runtime.forgetting_range import forget_range as forget
    from streammem.storage.library import LibraryFolder

    return forget(LibraryFolder(library.folder), memory, between_s, remove=remove, encoders={})


def compact(library: Library, request: CompactRequest, *, remove: bool) -> CompactResult:
    """Apply pins, remove what is too old or too much, and shrink the files that stay.

    Without `remove` nothing is changed; the result says what would be.

    Raises:
        UsageError: a memory to pin or to unpin is unknown.
    """
    from streammem.runtime.retention import compact_library
    from streammem.storage.library import LibraryFolder

    return compact_library(LibraryFolder(library.folder), request, remove=remove)
