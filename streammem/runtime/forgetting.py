"""Removing memories from a library."""

from collections.abc import Sequence

from streammem.core.errors import UsageError
from streammem.core.results import Forgotten
from streammem.storage.library import LibraryFolder
from streammem.storage.lock import folder_lock
from streammem.storage.pins import read_pins, write_pins


def forget(library: LibraryFolder, memories: Sequence[str], *, remove: bool) -> list[Forgotten]:
    """Remove the named memories, or without `remove` only say what would be removed.

    Raises:
        UsageError: a memory is unknown or lies in another folder; nothing is removed then.
    """
    paths = [library.resolve(memory) for memory in memories]
    outside = [path for path in paths if path.parent.resolve() != library.folder.resolve()]
    if outside:
        raise UsageError(
            f"{outside[0]} does not lie in the library {library.folder}",
            hint=f"add --library {outside[0].parent}",
            code="outside_library",
        )
    forgotten = []
    for path in paths:
        size = path.stat().st_size
        if remove:
            library.forget(path.stem)
            _unpin(library, path.stem)
        forgotten.append(Forgotten(path.stem, str(path), size, remove))
    return forgotten


def _unpin(library: LibraryFolder, memory_id: str) -> None:
    """A pin goes with its memory: another one may get the name."""
    pins = read_pins(library.folder)
    if memory_id in pins:
        with folder_lock(library.lock_file):
            write_pins(library.folder, read_pins(library.folder) - {memory_id})
