"""Several sources, one after the other: one bad input never stops the rest."""

import errno
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from streammem.core.errors import BudgetError, Interrupted, StreamMemError, UsageError
from streammem.core.results import IngestEvent, IngestRequest, IngestResult, OnEvent
from streammem.storage.library import LibraryFolder
from streammem.video.identity import redact

if TYPE_CHECKING:
    from streammem.runtime.encoder_keeper import EncoderKeeper


class InterruptedRun(Interrupted):
    """A stop in the middle of several sources; `results` holds those that were finished."""

    def __init__(self, cause: Interrupted, results: list[IngestResult]) -> None:
        super().__init__(cause.message, hint=cause.hint)
        self.results = results


def ingest_many(
    sources: Sequence[str],
    library: LibraryFolder,
    request: IngestRequest,
    *,
    on_event: OnEvent,
    should_stop: Callable[[], bool],
) -> list[IngestResult]:
    """One result per source, failures included.

    Raises:
        InterruptedRun: `should_stop` said so.
    """
    from streammem.runtime.encoder_keeper import EncoderKeeper

    results: list[IngestResult] = []
    encoders = EncoderKeeper()
    for source in sources:
        if should_stop():
            stop = Interrupted(
                f"stopped; {len(results)} of {len(sources)} sources are done and kept",
                hint="run the same command again to go on",
            )
            raise InterruptedRun(stop, results)
        try:
            result = ingest_guarded(
                source, library, request, encoders, on_event=on_event, should_stop=should_stop
            )
        except Interrupted as stop:
            raise InterruptedRun(stop, results) from stop
        results.append(result)
    return results


def ingest_guarded(
    source: str,
    library: LibraryFolder,
    request: IngestRequest,
    encoders: "EncoderKeeper",
    *,
    on_event: OnEvent,
    should_stop: Callable[[], bool],
    shown: str | None = None,
) -> IngestResult:
    """The result of one source; an error becomes a failed result and an event.

    `shown` is what to call it where `source` is only a copy that goes again.

    Raises:
        Interrupted: `should_stop` said so.
    """
    # Who only gathers results does not load what reads.
    from streammem.runtime.ingest import ingest_source

    try:
        result = ingest_source(
            source, library, request, encoders,
            on_event=on_event, should_stop=should_stop, shown=shown,
        )  # fmt: skip
    except Interrupted:
        raise
    except StreamMemError as error:
        result = failed_result(shown or source, error)
    except MemoryError:
        hint = "use a smaller encoder, or free memory"
        result = failed_result(
            shown or source, BudgetError("the machine's memory is full", hint=hint)
        )
    except OSError as error:
        result = failed_result(shown or source, _refused(error))
    kind = "item_failed" if result.error else "item_done"
    on_event(IngestEvent(kind, result.source, result.memory_id, result=result))
    return result


def _refused(error: OSError) -> StreamMemError:
    """What the operating system refused, a full disk apart from the rest."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return BudgetError(f"the disk is full: {error}", hint="free some space", code="disk_full")
    return UsageError(
        f"{error.filename or 'the library'}: {(error.strerror or str(error)).lower()}",
        hint="check the library's folder and its permissions",
        code="file_system",
    )


def failed_result(source: str, error: StreamMemError) -> IngestResult:
    """The result of a source that could not be ingested."""
    return IngestResult(source=redact(source), status="failed", error=error, fully_readable=False)
