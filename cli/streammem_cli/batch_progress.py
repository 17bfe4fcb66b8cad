"""What is seen of a batch: a bar for all of it above one for each source at work."""

from typing import TYPE_CHECKING

from streammem_cli import render
from streammem_cli.progress import Progress

if TYPE_CHECKING:
    from rich.progress import TaskID

    from streammem.core.batches import BatchEvent
    from streammem.core.results import IngestEvent


class BatchProgress(Progress):
    """Receives the events of a batch and shows them as the output options say."""

    _overall: "TaskID | None" = None
    _sources = 0
    _finished = 0
    _failed = 0

    def show(self, event: "IngestEvent | BatchEvent") -> None:
        """Take in one event of any kind."""
        from streammem.core.batches import BatchEvent

        if not isinstance(event, BatchEvent):
            super().show(event)
            if event.result is not None:
                self._finished += 1
                self._failed += event.result.error is not None
        else:
            if self._output.jsonl:
                render.event_line(event.to_json())
            if event.kind == "sources":
                self._sources = event.count
            elif event.kind == "retried":
                render.note(f"{event.source} is tried again: {event.message}")
        self._draw_overall()

    def _draw_overall(self) -> None:
        if self._bars is None:
            return
        failed = f", {self._failed} failed" if self._failed else ""
        title = f"{self._finished} of {self._sources} files{failed}"
        if self._overall is None:
            self._overall = self._bars.add_task(title, total=self._sources, rate="")
        self._bars.update(
            self._overall, description=title, completed=self._finished, total=self._sources
        )
