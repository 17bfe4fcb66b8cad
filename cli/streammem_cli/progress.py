"""What is seen while sources are read: bars on a terminal, a line for each source that is done."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from streammem_cli import layout, render
from streammem_cli.bars import Drawn, new_bars
from streammem_cli.options import Output

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import ProgressColumn, TaskID

    from streammem.core.results import IngestEvent

_NAME_WIDTH = 32


class Progress(Drawn):
    """Receives ingest events and shows them as the output options say. Use as a context."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._as_text = not (output.json or output.jsonl)
        super().__init__(wanted=self._as_text)
        self._tasks: dict[str, tuple[TaskID, float]] = {}
        self._told: set[str] = set()

    def show(self, event: "IngestEvent") -> None:
        """Take in one event."""
        if self._output.jsonl:
            render.event_line(event.to_json())
        if event.kind == "note":
            render.detail(f"{event.source}: {event.message}")
        if self._bars is not None:
            self._draw(self._bars, event)
        if self._as_text and event.result is not None:
            render.ingested(event.result)
            # What was not heard or read is the same for most sources of a run.
            for text in event.result.notes:
                if text not in self._told:
                    self._told.add(text)
                    render.note(f"note: {text}")

    def _columns(self) -> "Sequence[ProgressColumn]":
        return _rated_columns()

    def _draw(self, bars: "RichProgress", event: "IngestEvent") -> None:
        if event.kind == "started":
            total_s = None if event.end_s is None else event.end_s - event.start_s
            name = layout.visible(event.source)[-_NAME_WIDTH:]
            task = bars.add_task(name, total=total_s, rate="")
            self._tasks[event.source] = (task, time.monotonic())
        elif event.kind == "progress" and event.source in self._tasks:
            task, started_at = self._tasks[event.source]
            done_s = event.position_s - event.start_s
            speed = done_s / max(time.monotonic() - started_at, 1e-3)
            bars.update(task, completed=done_s, rate=f"{speed:.0f}x")
        elif event.kind in ("item_done", "item_failed") and event.source in self._tasks:
            bars.remove_task(self._tasks.pop(event.source)[0])


@contextmanager
def download_bar(name: str, *, wanted: bool) -> Iterator[Callable[[int, int | None], None]]:
    """A bar for one download; hand it the bytes that are done, and in total where known."""
    bars = new_bars(_rated_columns())
    task = bars.add_task(layout.visible(name)[-_NAME_WIDTH:], total=None, rate="")
    started_at = time.monotonic()

    def show(done_bytes: int, total_bytes: int | None) -> None:
        per_s = done_bytes / max(time.monotonic() - started_at, 1e-3)
        bars.update(task, completed=done_bytes, total=total_bytes, rate=f"{per_s / 1e6:.1f} MB/s")

    with ExitStack() as drawing:
        if wanted and render.shows_progress() and bars.console.is_interactive:
            drawing.enter_context(render.below(bars))
        yield show


def _rated_columns() -> "Sequence[ProgressColumn]":
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

    return (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
