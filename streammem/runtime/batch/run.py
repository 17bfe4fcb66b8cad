"""A batch as a whole: find the sources, hire workers of the engine, run, watch on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from streammem.core.batches import BatchOptions, OnBatchEvent
from streammem.core.config import AnswerConfig
from streammem.core.errors import SourceError
from streammem.core.requests import AskOptions
from streammem.core.results import IngestRequest, IngestResult
from streammem.runtime.batch.crew import Crew
from streammem.runtime.batch.desk import Desk
from streammem.runtime.batch.early import end_workers, threads_each
from streammem.runtime.batch.engines import Engine, crew_for
from streammem.runtime.batch.remote import named_sources
from streammem.runtime.batch.schedule import Schedule
from streammem.runtime.batch.watching import FolderWatch
from streammem.runtime.batch.wire import WorkerOrders
from streammem.storage.library import LibraryFolder


@dataclass(frozen=True, slots=True)
class BatchJob:
    """Everything that a batch is about; `asking` and `answering` are how `questions` are asked."""

    folder: Path
    request: IngestRequest
    options: BatchOptions
    asking: AskOptions
    answering: AnswerConfig

    def orders(self) -> WorkerOrders:
        """What its workers are told."""
        return WorkerOrders(
            folder=str(self.folder.absolute()),
            request=self.request,
            asking=self.asking,
            answering=self.answering,
            memory_limit_bytes=self.options.memory_limit_bytes,
        )


def run_batch(
    named: Sequence[str],
    job: BatchJob,
    *,
    on_event: OnBatchEvent,
    should_stop: Callable[[], bool],
) -> list[IngestResult]:
    """Remember every source that the texts name; one result each, failures included.

    Raises:
        SourceError: there is none.
        UsageError: the engine is unknown or the answers file holds something else.
        MissingError: the engine's package is not here.
        InterruptedRun: `should_stop` said so.
    """
    try:
        return _run(named, job, on_event, should_stop)
    finally:
        end_workers()


def _run(
    named: Sequence[str], job: BatchJob, on_event: OnBatchEvent, should_stop: Callable[[], bool]
) -> list[IngestResult]:
    options = job.options
    desk = Desk(LibraryFolder(job.folder), job.request, options)
    if options.watch:
        watch = FolderWatch(named)
        schedule = Schedule(_crew(job, options.jobs), desk, options, on_event)
        return schedule.run([], should_stop, watch.poll)
    found = find_sources(named)
    schedule = Schedule(_crew(job, min(options.jobs, len(found))), desk, options, on_event)
    return schedule.run(found, should_stop)


def _crew(job: BatchJob, jobs: int) -> Crew:
    """Workers that share the cores."""
    options = job.options
    engine = Engine(options.engine, jobs, options.ray_address, options.gpus)
    return crew_for(engine, job.orders(), threads_each(jobs))


def find_sources(named: Sequence[str]) -> list[str]:
    """The sources below folders, of globs and of lists.

    Raises:
        SourceError: there are none.
    """
    found = named_sources(named)
    if not found:
        raise SourceError(
            f"no video below {', '.join(named)}",
            hint="name a folder that holds videos",
            code="no_media",
        )
    return found
