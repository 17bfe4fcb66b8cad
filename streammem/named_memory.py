"""One memory of a library, as `Library.memory` gives it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from streammem.core.requests import AskOptions
from streammem.core.results import Forgotten, MemoryDetails, Verification
from streammem.core.timelines import Timeline, TimelineOptions
from streammem.core.types import Answer

if TYPE_CHECKING:
    from streammem.api import Library


class Memory:
    """A memory by its id or path, to be asked alone; errors are those of the library's functions.

    door = Library(Path("memories")).memory("front-door")
    print(door.ask("when does a red van stop?").text)
    """

    def __init__(self, library: "Library", name: str) -> None:
        """Hold the name; nothing is opened yet."""
        self._library = library
        self._name = name

    @property
    def name(self) -> str:
        """Its id in the library, or the path of its file."""
        return self._name

    def ask(self, question: str, options: AskOptions | None = None) -> Answer:
        """Answer from this memory, with evidence, or say that there is not enough."""
        return self._library.ask(question, self._alone(options))

    def search(
        self, text: str | None = None, image: str | None = None, options: AskOptions | None = None
    ) -> Answer:
        """The moments nearest to a text or a picture; never abstains."""
        return self._library.search(text, image, self._alone(options))

    def timeline(self, options: TimelineOptions | None = None) -> Timeline:
        """What it holds, event by event."""
        (timeline,) = self._library.timelines((self._name,), options)
        return timeline

    def show(self) -> MemoryDetails:
        """Settings, bytes, gaps, cells, ledger."""
        return self._library.show(self._name)

    def verify(self) -> Verification:
        """Check files, counts, digests and cells."""
        (verification,) = self._library.verify((self._name,))
        return verification

    def forget(self, *, remove: bool) -> Sequence[Forgotten]:
        """Remove it, or with `remove` False only say what would be removed."""
        return self._library.forget((self._name,), remove=remove)

    def _alone(self, options: AskOptions | None) -> AskOptions:
        return replace(options or self._library.default_options(), memories=(self._name,))
