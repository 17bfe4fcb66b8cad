"""Progress while sources are read: bars on a terminal, event lines on request, else nothing."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from streammem_cli import render
from streammem_cli.options import Output

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from streammem.core.results import IngestEvent


class Progress:
    """Receives ingest events and shows them as the output options say. Use as a context."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._bars: RichProgress | None = None
        self._tasks: dict[str, tuple[TaskID, float]] = {}

    def __enter__(self) -> Self:
        wanted = not (self._output.json or self._output.jsonl or self._output.quiet)
        if wanted and sys.stderr.isatty():
            self._bars = _new_bars(color=self._output.color)
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def show(self, event: "IngestEvent") -> None:
        """Take in one event."""
        if self._output.jsonl:
            render.event_line(event.to_json())
        if event.kind == "note" and self._output.verbose and not self._output.quiet:
            render.note(f"{event.source}: {event.message}")
        if self._bars is not None:
            self._draw(self._bars, event)

    def _draw(self, bars: "RichProgress", event: "IngestEvent") -> None:
        if event.kind == "started":
            total_s = None if event.end_s is None else event.end_s - event.start_s
            task = bars.add_task(event.source[-32:], total=total_s, rate="")
            self._tasks[event.source] = (task, time.monotonic())
        elif event.kind == "progress" and event.source in self._tasks:
            task, started_at = self._tasks[event.source]
            done_s = event.position_s - event.start_s
            speed = done_s / max(time.monotonic() - started_at, 1e-3)
            bars.update(task, completed=done_s, rate=f"{speed:.0f}x")
        elif event.kind in ("item_done", "item_failed") and event.source in self._tasks:
            bars.remove_task(self._tasks.pop(event.source)[0])


def _new_bars(*, color: bool) -> "RichProgress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    return Bars(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True, no_color=not color),
    )
