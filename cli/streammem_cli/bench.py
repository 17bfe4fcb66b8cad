"""`streammem bench memory`: how much the policies remember at equal bytes."""

import shlex
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Self

import typer

from streammem.core.errors import Interrupted
from streammem_cli import options, render
from streammem_cli.signals import StopRequest

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from streammem.bench import BenchEvent

app = typer.Typer(
    help="Measure memory policies against each other.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_NOTE_EVERY_S = 10.0
_PARTIAL = 3


@app.command("memory")
@options.common
def memory(
    protocol: Annotated[
        list[str] | None, typer.Option(help="Run this protocol only; may be repeated. [all]")
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(help="Measure this policy only; repeatable. [all; quick: a few]"),
    ] = None,
    cells: Annotated[
        str, typer.Option(help="Cells of the policies: fp16, codes or both.")
    ] = "both",
    budget: Annotated[
        list[str] | None,
        typer.Option(metavar="SIZE", help="Instead of each protocol's budgets; repeatable."),
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Streams of each kind. [20, quick 1]")] = None,
    tuning: Annotated[
        bool, typer.Option("--tuning", help="Seeds 0 to 99, which are never reported.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Small, in under two minutes.")] = False,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Processes side by side.")] = 1,
    max_frames: Annotated[
        int, typer.Option(min=1000, help="Leave out longer streams, except of scale.")
    ] = 100_000,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write results.json, table.md and plots; go on there."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Measure anew what --out already holds.")
    ] = False,
    clips: Annotated[
        Path | None, typer.Option(metavar="FILE", help="streams.json of joined real clips.")
    ] = None,
    timelines: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Narrated timelines, *.jsonl.")
    ] = None,
    encoder: Annotated[str, typer.Option(help="Encoder of the clips.")] = "descriptor",
    weights: options.Weights = None,
    cache: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where vectors of clips are kept.")
    ] = None,
    json: options.Json = False,
    jsonl: options.JsonLines = False,
) -> None:
    """Measure what each policy still finds at equal bytes.

    \b
    Examples:
      streammem bench memory --quick
      streammem bench memory --protocol streams --jobs 2 --out results/
      streammem bench memory --protocol load --policy streammem --policy moviechat

    Offline and seeded. The same command with the same --out goes on where a stopped
    one ended. Exit code 3 if a measurement failed.
    """
    from streammem.bench import BenchRequest, run_memory_bench
    from streammem.core.budget import parse_bytes

    request = BenchRequest(
        protocols=tuple(protocol or ()),
        policies=tuple(policy or ()),
        cells=cells,
        budgets_bytes=tuple(parse_bytes(text) for text in budget or ()),
        seeds=seeds,
        tuning=tuning,
        quick=quick,
        jobs=jobs,
        max_frames=max_frames,
        out=out,
        fresh=fresh,
        clips=clips,
        timelines=timelines,
        encoder=encoder,
        weights=weights or "",
        cache=cache,
        command_line=shlex.join(["streammem", *sys.argv[1:]]),
    )
    stop = StopRequest(lambda: render.note("stopping; finished measurements are kept")).install()
    try:
        with _Progress(as_events=jsonl, as_text=not (json or jsonl)) as progress:
            run = run_memory_bench(request, on_event=progress.show, should_stop=stop.requested)
    except Interrupted as problem:
        problem.exit_code = stop.status or problem.exit_code
        raise
    if json:
        render.document(run.document)
    elif not jsonl:
        render.block(run.text)
    for path in run.files:
        render.note(f"written: {path}")
    if run.failures:
        raise typer.Exit(_PARTIAL)


class _Progress:
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
