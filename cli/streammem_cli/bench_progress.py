"""What is seen while a bench runs: a bar on a terminal, else now and then a line."""

import time
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

import typer

from streammem.core.errors import Interrupted
from streammem_cli import render
from streammem_cli.signals import StopRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from streammem.bench import BenchEvent, BenchRun

    Runner = Callable[[Callable[[BenchEvent], None], Callable[[], bool]], BenchRun]

_NOTE_EVERY_S = 10.0
_PARTIAL = 3


class BenchProgress:
    """Receives bench events: a bar on a terminal, else now and then a line. Use as a context."""

    def __init__(self, *, as_events: bool, as_text: bool) -> None:
        self._as_events, self._as_text = as_events, as_text
        self._bars: Bars | None = None
        self._task: TaskID | None = None
        self._drawing = ExitStack()
        self._said_at = time.monotonic()

    def __enter__(self) -> Self:
        if self._as_text and render.shows_progress():
            bars = _new_bars()
            if bars.console.is_interactive:
                self._bars = bars
                self._drawing.enter_context(render.below(bars))
                self._task = bars.add_task("measurements", total=None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._drawing.close()

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


def _new_bars() -> "Bars":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    return Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True, no_color=not render.in_color()),
        transient=True,
        redirect_stdout=False,
    )


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
