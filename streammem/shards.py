"""Questions to a library that several processes hold, here or on a Ray cluster."""

import os
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from streammem.api import Library
from streammem.core.config import LoadedConfig, load_config
from streammem.core.requests import AskOptions, request_from_config
from streammem.core.shards import ShardOptions
from streammem.core.types import Answer

if TYPE_CHECKING:
    from streammem.answer.base import Answerer, OnProgress
    from streammem.runtime.library_search import OnRead

__all__ = ["ShardOptions", "ShardedLibrary"]


class ShardedLibrary:
    """A library whose memories are held by processes side by side. For one thread; close it.

    with ShardedLibrary(Library("memories"), ShardOptions(shards=4, engine="ray")) as library:
        print(library.ask("when does the red ball appear?").text)

    The answers are those of `Library.ask`. Memories stay open between questions.
    """

    def __init__(
        self,
        library: Library,
        options: ShardOptions | None = None,
        config: LoadedConfig | None = None,
        *,
        on_read: "OnRead | None" = None,
    ) -> None:
        """Processes are started by the first question; for `on_read` see `Library`.

        Raises:
            UsageError: there is no such engine.
            MissingError: its package is not here.
        """
        from streammem.runtime.batch.engines import Engine, crew_for
        from streammem.runtime.batch.wire import WorkerOrders
        from streammem.runtime.shards.gathering import Gatherer
        from streammem.runtime.shards.team import Team

        chosen = options or ShardOptions()
        self._config = (config or load_config()).config
        self._answerers: dict[tuple[str, str], Answerer] = {}
        orders = WorkerOrders(
            folder=str(library.folder.absolute()),
            request=request_from_config(self._config),
            asking=AskOptions(),
            answering=self._config.answer,
        )
        engine = Engine(chosen.engine, chosen.shards, chosen.ray_address, chosen.gpus)
        # As many threads as one process would use: sums depend on how they are split.
        crew = crew_for(engine, orders, os.cpu_count() or 1)
        folder = library.folder.absolute()
        self._gatherer = Gatherer(folder, Team(crew, chosen.shards), on_read)

    def ask(
        self,
        question: str,
        options: AskOptions | None = None,
        *,
        on_progress: "OnProgress | None" = None,
    ) -> Answer:
        """Answer from the memories; see `Library.ask`.

        Raises:
            UsageError: the library is empty, a named memory or the answerer is unknown.
            MissingError: the encoder of every memory asked is missing, or a local model is.
            StreamMemError: no process can run, or they are lost again and again.
        """
        from streammem.runtime.answering import wording_for
        from streammem.runtime.pictures import save_pictures

        query = self._config.query
        options = options or AskOptions(
            top_k=query.top_k,
            min_confidence=query.min_confidence,
            answerer=query.answerer,
            second_look=query.second_look,
        )
        wording = wording_for(options, self._config.answer, self._answerers, on_progress)
        answer, shown = self._gatherer.ask(question, options, wording)
        if options.thumbnails is None:
            return answer
        folder = Path(options.thumbnails)
        return replace(
            answer,
            evidence=save_pictures(answer.evidence, shown, folder),
            candidates=save_pictures(answer.candidates, shown, folder),
        )

    def close(self) -> None:
        """End the processes, and the cluster where it is its own."""
        self._gatherer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
