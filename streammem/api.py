"""What README shows and the command line uses: a library of memories, and questions to it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from streammem.core.alerts import AlertOptions, AlertRule
from streammem.core.batches import BatchEvent, BatchOptions, BatchPlan, OnBatchEvent
from streammem.core.config import LoadedConfig, default_library_folder, load_config
from streammem.core.errors import UsageError
from streammem.core.requests import AskOptions, questions_from_config, request_from_config
from streammem.core.results import (
    Check,
    Forgotten,
    IngestEvent,
    IngestRequest,
    IngestResult,
    MemoryDetails,
    MemorySummary,
    ModelSummary,
    OnEvent,
    Verification,
)
from streammem.core.timelines import Timeline, TimelineOptions
from streammem.core.types import Answer
from streammem.core.watches import ObserverFactory, OnWatchEvent, WatchEvent, WatchOptions
from streammem.named_memory import Memory

if TYPE_CHECKING:
    from streammem.answer.base import Answerer, OnProgress
    from streammem.runtime.alerting_targets import Alerts
    from streammem.runtime.answering import Wording
    from streammem.runtime.asking import OpenMemory
    from streammem.runtime.batch.run import BatchJob
    from streammem.runtime.conversing import Conversation
    from streammem.runtime.library_search import OnRead
    from streammem.runtime.opening import Opener

__all__ = [
    "AskOptions",
    "BatchOptions",
    "Library",
    "Memory",
    "TimelineOptions",
    "WatchOptions",
    "doctor",
    "list_models",
    "pull_model",
    "request_from_config",
]


def _ignore(_event: IngestEvent | BatchEvent | WatchEvent) -> None:
    """The event receiver of callers who want none."""


def _never() -> bool:
    return False


class Library:
    """A folder of memories. Safe to use from one thread; several processes may share a folder.

    library = Library(Path("memories"))
    library.ingest(["video.mp4"])
    print(library.ask("when does the red ball appear?").text)
    """

    def __init__(
        self,
        folder: Path | str | None = None,
        config: LoadedConfig | None = None,
        *,
        on_read: "OnRead | None" = None,
    ) -> None:
        """The library in a folder; `on_read` hears how many memories its index has read, of all."""
        self._config = config or load_config()
        chosen = folder or self._config.config.library.folder or default_library_folder()
        self._folder = Path(chosen).expanduser()
        self._on_read = on_read
        self._answerers: dict[tuple[str, str], Answerer] = {}
        self._opener: Opener | None = None

    @property
    def folder(self) -> Path:
        """Where the memories lie."""
        return self._folder

    def ingest(
        self,
        sources: Sequence[str],
        request: IngestRequest | None = None,
        *,
        on_event: OnEvent | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> list[IngestResult]:
        """Remember files, folders, globs and URLs; one result per source, failures included.

        Raises:
            UsageError: `name` with more than one source.
            Interrupted: `should_stop` said so; `results` on it holds what was finished.
        """
        from streammem.runtime.many import ingest_many
        from streammem.storage.library import LibraryFolder
        from streammem.video.discover import expand_sources

        request = request or request_from_config(self._config.config)
        found = expand_sources(list(sources), recursive=False)
        if request.name is not None and len(found) > 1:
            raise UsageError(
                f"--name {request.name!r} cannot name {len(found)} sources",
                hint="ingest them one by one, or leave the name out",
            )
        return ingest_many(
            found,
            LibraryFolder(self._folder),
            request,
            on_event=on_event or _ignore,
            should_stop=should_stop or _never,
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
        """Remember every video below the folders with several processes; as `ingest` otherwise.

        Raises:
            SourceError: there is no video below the folders.
            Interrupted: `should_stop` said so; `results` on it holds what was finished.
        """
        from streammem.runtime.batch.run import run_batch

        return run_batch(
            list(folders),
            self._batch_job(request, options),
            on_event=on_event or _ignore,
            should_stop=should_stop or _never,
        )

    def plan(
        self,
        folders: Sequence[str],
        request: IngestRequest | None = None,
        options: BatchOptions | None = None,
        *,
        quick: bool = False,
    ) -> BatchPlan:
        """What `batch` would take, by a trial; `quick` has none if runs tell or it is short."""
        from streammem.runtime.batch.planning import plan_batch

        return plan_batch(list(folders), self._batch_job(request, options), quick=quick)

    def _batch_job(self, request: IngestRequest | None, options: BatchOptions | None) -> "BatchJob":
        from streammem.runtime.batch.run import BatchJob

        config, asking = self._config.config, self.default_options()
        chosen = request or request_from_config(config)
        return BatchJob(self._folder, chosen, options or BatchOptions(), asking, config.answer)

    def watch(
        self,
        source: str,
        request: IngestRequest | None = None,
        options: WatchOptions | None = None,
        *,
        observe: ObserverFactory | None = None,
        on_event: OnWatchEvent | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> IngestResult:
        """Remember a live source for as long as wanted; a second watch goes on with its memory.

        Raises:
            SourceError: no frame comes from the source at all.
            Interrupted: `should_stop` said so; everything up to there is kept.
        """
        from streammem.runtime.watching import watch_source
        from streammem.storage.library import LibraryFolder

        return watch_source(
            source,
            LibraryFolder(self._folder),
            request or request_from_config(self._config.config),
            options or WatchOptions(),
            observe=observe,
            on_event=on_event or _ignore,
            should_stop=should_stop or _never,
        )

    def default_options(self) -> AskOptions:
        """What the configuration says of questions."""
        return questions_from_config(self._config.config)

    def ask(
        self,
        question: str,
        options: AskOptions | None = None,
        *,
        on_progress: "OnProgress | None" = None,
    ) -> Answer:
        """Answer from the memories, with evidence, or say that there is not enough.

        `on_progress` is told how many characters a language model has written so far.

        Raises:
            UsageError: the library is empty, a named memory or the answerer is unknown.
            MissingError: the encoder of every memory asked is missing, or a local model is.
        """
        from streammem.runtime.asking import answer_question

        options = options or self.default_options()
        started_at = time.perf_counter()
        wording = self._wording(options, on_progress)
        opened = self._memories().open_for(question, options, searching=False)
        load_ms = (time.perf_counter() - started_at) * 1000
        answer = answer_question(
            question,
            opened.memories,
            options,
            load_ms=load_ms,
            notes=opened.notes,
            wording=wording,
            elsewhere=opened.elsewhere,
        )
        return self._with_thumbnails(answer, opened.memories, options)

    def converse(
        self, options: AskOptions | None = None, *, on_progress: "OnProgress | None" = None
    ) -> "Conversation":
        """A conversation with follow-ups; from now on memories stay open between questions.

        Raises:
            UsageError: the library is empty, a named memory or the answerer is unknown.
            MissingError: a local model that was asked for is not here.
        """
        from streammem.runtime.conversing import Conversation

        chosen = options or replace(self.default_options(), second_look=True)
        opener = self._memories()
        warm = opener.keep_warm()
        self._wording(chosen, None)

        def ask(text: str, memories: tuple[str, ...]) -> Answer:
            return self.ask(text, replace(chosen, memories=memories), on_progress=on_progress)

        conversation = Conversation(ask, lambda: warm.bounds_s, opener.paths)
        conversation.use(chosen.memories)
        return conversation

    def understand(self, audio: str) -> str:
        """The words of a spoken question.

        Raises:
            MissingError: the packages or the weights for transcripts are not on this machine.
            SourceError: the file cannot be opened or has no sound.
            UsageError: nobody says anything in it that can be made out.
        """
        from streammem.runtime.hearing import listen_options
        from streammem.runtime.spoken import transcribe_file

        request = request_from_config(self._config.config)
        return transcribe_file(audio, listen_options(request)).text

    def search(
        self, text: str | None = None, image: str | None = None, options: AskOptions | None = None
    ) -> Answer:
        """The moments nearest to a text or a picture; never abstains.

        Raises:
            UsageError: not exactly one of `text` and `image`, an empty library, an unknown memory.
        """
        from streammem.runtime.asking import search_for

        if (text is None) == (image is None):
            raise UsageError("search takes a text or --image FILE, exactly one of them")
        options = options or self.default_options()
        started_at = time.perf_counter()
        opened = self._memories().open_for(text, options, searching=True)
        load_ms = (time.perf_counter() - started_at) * 1000
        answer = search_for(
            text,
            image,
            opened.memories,
            options,
            load_ms=load_ms,
            notes=opened.notes,
            elsewhere=opened.elsewhere,
        )
        return self._with_thumbnails(answer, opened.memories, options)

    def timelines(
        self, memories: Sequence[str] = (), options: TimelineOptions | None = None
    ) -> list[Timeline]:
        """What the named memories hold, or all, event by event; errors are those of `ask`."""
        from streammem.runtime.timeline import tell

        options = options or TimelineOptions(
            min_confidence=self._config.config.query.min_confidence
        )
        asked = AskOptions(tuple(memories), weights=options.weights, device=options.device)
        return tell(*self._memories().open(asked), options)

    def alerts(self, rules: Sequence[AlertRule], options: AlertOptions | None = None) -> "Alerts":
        """Standing questions: `.replay(targets)`, or `watch(..., observe=alerts.observer)`."""
        from streammem.runtime.alerting_targets import Alerts

        chosen = options or AlertOptions()
        return Alerts(rules, chosen, self._config.config, self._folder, self._memories().encoders)

    def memories(self) -> list[MemorySummary]:
        """Every memory of the library, by id; damaged ones say so."""
        from streammem.runtime.inspecting import summarise
        from streammem.storage.library import LibraryFolder

        return summarise(LibraryFolder(self._folder))

    def memory(self, name: str) -> Memory:
        """One of them, by its id or the path of its file; `UsageError` where there is none."""
        from streammem.storage.library import LibraryFolder

        LibraryFolder(self._folder).resolve(name)
        return Memory(self, name)

    def show(self, memory: str) -> MemoryDetails:
        """Everything about one memory: settings, bytes, gaps, cells, ledger."""
        from streammem.runtime.inspecting import details
        from streammem.storage.library import LibraryFolder

        return details(LibraryFolder(self._folder).resolve(memory))

    def verify(self, memories: Sequence[str] = ()) -> list[Verification]:
        """Check files, counts, digests and cells of the named memories, or of all."""
        from streammem.runtime.inspecting import verify
        from streammem.storage.library import LibraryFolder

        return verify(LibraryFolder(self._folder), memories)

    def forget(self, memories: Sequence[str], *, remove: bool) -> list[Forgotten]:
        """Remove memories, or with `remove` False only say what would be removed."""
        from streammem.runtime.forgetting import forget
        from streammem.storage.library import LibraryFolder

        return forget(LibraryFolder(self._folder), memories, remove=remove)

    def _wording(self, options: AskOptions, on_progress: "OnProgress | None") -> "Wording | None":
        """The answerer that was asked for, kept for later questions; None for the built-in one."""
        from streammem.runtime.answering import wording_for

        return wording_for(options, self._config.config.answer, self._answerers, on_progress)

    def _memories(self) -> "Opener":
        """What opens memories, kept for later questions."""
        from streammem.runtime.opening import Opener

        self._opener = self._opener or Opener(self._folder, self._on_read)
        return self._opener

    def _with_thumbnails(
        self, answer: Answer, opened: "Sequence[OpenMemory]", options: AskOptions
    ) -> Answer:
        if options.thumbnails is None:
            return answer
        from streammem.runtime.pictures import with_pictures

        return with_pictures(answer, opened, Path(options.thumbnails))


def doctor(library: Library) -> list[Check]:
    """Check the machine, the packages, the encoders and the library; each failure has a fix."""
    from streammem.runtime.doctor import run_checks

    return run_checks(library.folder)


def list_models() -> list[ModelSummary]:
    """Every encoder that can be used or pulled, and which are on this machine."""
    from streammem.runtime.inspecting import models

    return models()


def pull_model(model_id: str, on_progress: Callable[[int, int | None], None]) -> Path:
    """Fetch an encoder's weights into the user's cache.

    Raises:
        MissingError: there is no network, the id is unknown or the digest does not match.
    """
    from streammem.encoders.pull import pull

    return pull(model_id, on_progress)
