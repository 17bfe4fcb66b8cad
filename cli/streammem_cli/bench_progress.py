"""What is seen while a bench runs: a bar on a terminal, else now and then a line."""

import time
from typing import TYPE_CHECKING

import typer

from streammem.core.errors import Interrupted
from streammem_cli import render
from streammem_cli.bars import Drawn
from streammem_cli.signals import StopRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.progress import Progress as RichProgress
    from rich.progress import ProgressColumn, TaskID

    from streammem.bench import BenchEvent, BenchRun

    Runner = Callable[[Callable[[BenchEvent], None], Callable[[], bool]], BenchRun]

_NOTE_EVERY_S = 10.0
_PARTIAL = 3


class BenchProgress(Drawn):
    """Receives bench events: a bar on a terminal, else now and then a line. Use as a context."""

    def __init__(self, *, as_events: bool, as_text: bool) -> None:
        super().__init__(wanted=as_text)
        self._as_events = as_events
        self._task: TaskID | None = None
        self._said_at = time.monotonic()

    def _columns(self) -> "Sequence[ProgressColumn]":
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

        return (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )

    def _begin(self, bars: "RichProgress") -> None:
        self._task = bars.add_task("measurements", total=None)

    def show(self, event: "BenchEvent") -> None:
        """Take in one event."""
        if self._as_events:
            render.event_line(event.to_json())
        if event.kind in ("note", "failed"):
            render.note(f"{event.kind}: {event.message}")
        elif event.kind == "resumed":
            render.note(f"{event.done} of {event.total} measurements were there already")
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, completed=event.done, total=event.total or None)
        elif event.kind == "progress" and time.monotonic() - self._said_at >= _NOTE_EVERY_S:
            self._said_at = time.monotonic()
            render.note(f"{event.done} of {event.total} measurements, {event.message}")


def run_bench(runner: "Runner", *, as_json: bool, as_lines: bool) -> None:
    """Run, show progress, print what came of it."""
    stop = StopRequest(lambda: render.note("stopping; what is finished is kept")).install()
    try:
        with BenchProgress(as_events=as_lines, as_text=not (as_json or as_lines)) as progress:
            run = runner(progress.show, stop.requested)
    except Interrupted as problem:
        problem.exit_code = stop.status or problem.exit_code
        raise
    if as_json:
        render.document(run.document)
    elif not as_lines:
        render.block(run.text)
    for path in run.files:
        render.note(f"written: {path}")
    if run.failures:
        raise typer.Exit(_PARTIAL)
