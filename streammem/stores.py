"""A library that lies in a store: `s3://`, `gs://`, `file://` and the like, `http://` to read."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from streammem.api import Library
from streammem.core.batches import BatchEvent, BatchOptions, OnBatchEvent
from streammem.core.config import LoadedConfig, load_config, store_copies_folder
from streammem.core.errors import Interrupted, StreamMemError, UsageError
from streammem.core.results import (
    Forgotten,
    IngestEvent,
    IngestRequest,
    IngestResult,
    OnEvent,
)
from streammem.core.watches import ObserverFactory, OnWatchEvent, WatchOptions

if TYPE_CHECKING:
    from streammem.runtime.library_search import OnRead
    from streammem.runtime.store_copy import StoreCopy


class LibraryInStore(Library):
    """A library at an address, read through a copy here, added to in whole memories.

    library = LibraryInStore("s3://bucket/library")
    library.ingest(["video.mp4"])
    library.refresh()
    print(library.ask("when does the red ball appear?").text)

    `refresh` is the only thing that looks there for what is new; `ingest` and `batch` begin with
    it. Memories are written here, checked, copied there under a passing name and then renamed.
    """

    def __init__(
        self,
        address: str,
        config: LoadedConfig | None = None,
        *,
        copies: Path | None = None,
        on_read: "OnRead | None" = None,
    ) -> None:
        """The library at `address`; `copies` is where copies lie, else the user's cache."""
        from streammem.runtime.store_copy import StoreCopy

        config = config or load_config()
        most_bytes = config.config.library.copies
        self._copy: StoreCopy = StoreCopy(
            address, copies or store_copies_folder(), most_bytes, on_read
        )
        super().__init__(self._copy.folder, config, on_read=on_read)

    @property
    def address(self) -> str:
        """Where the library lies, without what is secret in it."""
        return self._copy.shown

    def refresh(self, memories: Sequence[str] = ()) -> None:
        """Fetch what is new or has changed, of the named memories or of all.

        Raises:
            SourceError: the store cannot be reached.
            MissingError: the store's package is not installed.
            BudgetError: the memories take more than `library.copies` allows.
        """
        self._copy.refresh(memories)

    def ingest(
        self,
        sources: Sequence[str],
        request: IngestRequest | None = None,
        *,
        on_event: OnEvent | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> list[IngestResult]:
        """As `Library.ingest`; a memory that cannot be moved there makes its result a failure.

        Raises:
            UsageError: nothing can be written there.
            SourceError: the store cannot be reached.
        """
        self._check_writable()
        moving = _Moving(self._copy, on_event or (lambda _event: None))
        return moving.through(
            lambda: super(LibraryInStore, self).ingest(
                sources, request, on_event=moving.hear, should_stop=should_stop
            )
        )

    def batch(
        self,
        folders: Sequence[str],
        request: IngestRequest | None = None,
        options: BatchOptions | None = None,
        *,
        on_event: OnBatchEvent | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> list[IngestResult]:
        """As `Library.batch`; a memory that cannot be moved there makes its result a failure.

        Raises:
            UsageError: nothing can be written there, or the options need a folder.
            SourceError: the store cannot be reached.
        """
        self._check_writable()
        _check_options(options or BatchOptions())
        moving = _Moving(self._copy, on_event or (lambda _event: None))
        return moving.through(
            lambda: super(LibraryInStore, self).batch(
                folders, request, options, on_event=moving.hear, should_stop=should_stop
            )
        )

    def watch(
        self,
        source: str,
        request: IngestRequest | None = None,
        options: WatchOptions | None = None,
        *,
        observe: ObserverFactory | None = None,
        on_event: OnWatchEvent | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> NoReturn:
        """Refused: what is moved whole cannot be asked while it grows."""
        raise UsageError(
            f"a live source cannot be remembered in {self.address}",
            hint="watch into a folder, and copy the memory there when it is done",
        )

    def forget(self, memories: Sequence[str], *, remove: bool) -> list[Forgotten]:
        """Refused: it could not be proved that nothing of it is left there."""
        raise UsageError(
            f"nothing can be forgotten in {self.address}",
            hint="remove the memory's file there; copies of it go with the next question",
        )

    def _check_writable(self) -> None:
        if not self._copy.writable:
            raise UsageError(
                f"{self.address} can only be read", hint="ingest into s3://, gs:// or a folder"
            )


class _Moving:
    """Moves each memory of a run to its store before anybody is told that it is done."""

    def __init__(self, copy: "StoreCopy", on_event: Callable[[Any], None]) -> None:
        self._copy = copy
        self._on_event = on_event
        self._moved: dict[tuple[str, str | None], IngestResult] = {}
        self._any = False

    def through(self, run: Callable[[], list[IngestResult]]) -> list[IngestResult]:
        """The results of a run as they are once everything was moved."""
        self._copy.refresh()
        left = [failed for name in self._copy.unpublished() for failed in self._leave(name)]
        try:
            results = run()
        except Interrupted as stop:
            if isinstance(done := getattr(stop, "results", None), list):
                done[:] = [*left, *self._of(done), *self._list()]
            raise
        return [*left, *self._of(results), *self._list()]

    def hear(self, event: IngestEvent | BatchEvent) -> None:
        """Pass an event on; that a memory is done only once it is there."""
        if isinstance(event, IngestEvent) and event.kind == "item_done" and event.result:
            result = self._move(event.result)
            kind = "item_failed" if result.error else event.kind
            event = replace(event, kind=kind, result=result)
        self._on_event(event)

    def _move(self, result: IngestResult) -> IngestResult:
        name = result.memory_id
        assert name is not None
        try:
            self._any |= self._copy.publish(name)
            moved = replace(result, memory_path=self._copy.place_of(name))
        except StreamMemError as error:
            moved = replace(result, status="failed", error=error, fully_readable=False)
        self._moved[result.source, name] = moved
        return moved

    def _leave(self, name: str) -> list[IngestResult]:
        """Move what an earlier run could not; its failure is a result of its own."""
        try:
            self._any |= self._copy.publish(name)
        except StreamMemError as error:
            return [self._failure(f"{name}.smem", error)]
        return []

    def _list(self) -> list[IngestResult]:
        """Renew the catalogue where anything was moved; its failure is a result of its own."""
        try:
            if self._any:
                self._copy.write_catalogue()
        except StreamMemError as error:
            return [self._failure("library.json", error)]
        return []

    def _failure(self, file: str, error: StreamMemError) -> IngestResult:
        return IngestResult(
            source=f"{self._copy.shown}/{file}", status="failed", error=error, fully_readable=False
        )

    def _of(self, results: Sequence[IngestResult]) -> list[IngestResult]:
        return [self._moved.get((one.source, one.memory_id), one) for one in results]


def _check_options(options: BatchOptions) -> None:
    if options.ray_address:
        raise UsageError(
            "a library in a store is written by this machine alone",
            hint="leave out --ray-address, or name a folder that all machines share",
        )
    if options.questions and not options.answers:
        raise UsageError(
            "answers cannot be added to a file in a store", hint="name a file here: --answers FILE"
        )
