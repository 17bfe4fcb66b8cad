"""Makes sure that what was deleted is not in the files any more, and looks for what may be.

SQLite marks pages as free and leaves what is in them; here the file is written anew instead.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from streammem.core.errors import MemoryLockedError
from streammem.storage.connection import BUSY_S, translated
from streammem.storage.event_keys import EventKeyIndex
from streammem.storage.library_index import INDEX_NAME
from streammem.storage.lock import lock_path
from streammem.storage.memory_file import MemoryWriter
from streammem.storage.side_files import side_files
from streammem.storage.usage import usage_path


def rewrite(writer: MemoryWriter) -> None:
    """Write the file of an opened memory anew, without free pages, and empty its log.

    Raises:
        MemoryLockedError: a reader keeps the log for longer than readers may.
        BudgetError: the disk is full; the memory is as it was.
    """
    # The one writer's own connection: a second one would have to wait for it.
    connection = writer._connection
    with translated(writer.path, writer.plan):
        connection.execute("PRAGMA secure_delete=ON")
        try:
            connection.execute("VACUUM")
            connection.execute(f"PRAGMA busy_timeout={int(BUSY_S * 1000)}")
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.execute("PRAGMA secure_delete=FAST")
    if busy:
        raise MemoryLockedError(
            f"{writer.path} is being read, so its log cannot be emptied",
            hint="run the same command again in a moment: it is deleted, but not yet erased",
            code="memory_busy",
        )


def free_bytes(writer: MemoryWriter) -> int:
    """Bytes of the pages that an opened memory does not use."""
    connection = writer._connection
    with translated(writer.path):
        (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int(pages) * writer.plan.page_bytes


def files_of(path: Path) -> list[Path]:
    """Every file in which anything of a memory may lie: its own, and the library's indexes."""
    folder = path.parent
    index, keys = folder / INDEX_NAME, EventKeyIndex(folder).file
    files = [path, *side_files(path), usage_path(path), lock_path(path)]
    for file in (index, keys):
        files += [file, file.with_name(f"{file.name}-journal")]
    return [file for file in files if file.is_file()]


def found_in(traces: Iterable[bytes], contents: Sequence[bytes]) -> frozenset[bytes]:
    """The byte strings that occur in any of some files."""
    return frozenset(trace for trace in traces if any(trace in content for content in contents))
