"""Opens the memories of a library for questions: named ones, all of a small one, few of a large."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from streammem.core.errors import UsageError
from streammem.runtime.asking import EncoderCache, OpenMemory, open_memories
from streammem.runtime.warm import WarmMemories
from streammem.storage.library import LibraryFolder

if TYPE_CHECKING:
    from streammem.runtime.library_asking import Opened, Settings
    from streammem.runtime.library_search import LibrarySearch, OnRead


class Opener:
    """The memories of one library folder, with the encoders that were loaded. For one thread."""

    def __init__(self, folder: Path, on_read: "OnRead | None" = None) -> None:
        """Nothing is opened yet; see `LibrarySearch` for `on_read`."""
        self.encoders: EncoderCache = {}
        self._folder = folder
        self._on_read = on_read
        self._warm: WarmMemories | None = None
        self._search: LibrarySearch | None = None

    def keep_warm(self) -> WarmMemories:
        """From now on memories stay open between questions."""
        self._warm = self._warm or WarmMemories(self.encoders)
        return self._warm

    def paths(self, memories: Sequence[str] = ()) -> list[Path]:
        """The files of the named memories, or of all.

        Raises:
            UsageError: the library is empty or a named memory is unknown.
        """
        library = LibraryFolder(self._folder)
        paths = [library.resolve(name) for name in memories] or library.paths()
        if not paths:
            raise UsageError(
                f"the library {self._folder} is empty",
                hint="remember a video first: streammem ingest video.mp4",
                code="empty_library",
            )
        return paths

    def open(
        self, settings: "Settings", paths: Sequence[Path] | None = None
    ) -> tuple[list[OpenMemory], tuple[str, ...]]:
        """The memories that the settings name, or all, or those at `paths`, with notes.

        Raises:
            UsageError: as `paths`.
            MissingError: the encoder of every one of them is missing.
        """
        chosen = self.paths(settings.memories) if paths is None else paths
        named, weights, device = bool(settings.memories), settings.weights, settings.device
        if self._warm is not None:
            return self._warm.open(chosen, weights=weights, device=device, named=named)
        return open_memories(chosen, self.encoders, weights=weights, device=device, named=named)

    def open_for(self, text: str | None, settings: "Settings", *, searching: bool) -> "Opened":
        """The memories that a question or a search needs; all where it is about a picture."""
        from streammem.runtime.library_asking import Opened, open_for_question, open_for_search
        from streammem.runtime.library_search import LibrarySearch

        if settings.memories or text is None:
            return Opened(*self.open(settings))
        self._search = self._search or LibrarySearch(self._folder, self.encoders, self._on_read)
        choose = open_for_search if searching else open_for_question
        return choose(
            text, self.paths(), settings, self._search, lambda paths: self.open(settings, paths)
        )
