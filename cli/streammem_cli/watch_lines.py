"""What is seen while a live source is watched: one line that is renewed, and what happens."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streammem.core.budget import format_bytes
from streammem.core.timebase import format_time
from streammem_cli import layout, render
from streammem_cli.bars import Drawn
from streammem_cli.options import Output

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import ProgressColumn, TaskID

    from streammem.core.watches import WatchEvent, WatchStatus


def status_text(status: "WatchStatus") -> str:
    """A status in one line: time, distance from live, rate, bytes of each tier, gaps, drops."""
    parts = [format_time(status.position_s).partition(".")[0]]
    if status.blind_s:
        parts.append(f"blind for {status.blind_s:.0f} s")
    else:
        parts.append(f"{status.behind_s:.1f} s behind")
    parts.append(f"{status.fps:.0f} fps")
    parts.append(f"{status.gaps} gap{'' if status.gaps == 1 else 's'}")
    if status.dropped:
        parts.append(f"{status.dropped} dropped")
    # Last, because a narrow terminal cuts the line off.
    parts += [
        f"{name.partition('_')[0]} {format_bytes(status.bytes[name])}"
        for name in layout.TIERS
        if name in status.bytes
    ]
    return "  ".join(parts)


def event_text(event: "WatchEvent") -> str | None:
    """What happened, for human eyes; None where that is not worth a line of its own."""
    if event.kind == "gap" and event.end_s is None:
        return f"nothing is seen since {format_time(event.start_s or 0.0)}: {event.message}"
    if event.kind == "gap":
        span = f"{format_time(event.start_s or 0.0)} - {format_time(event.end_s or 0.0)}"
        return f"gap {span}: {event.message}"
    if event.kind == "segment" and event.message not in ("start", "not watching"):
        return f"a new segment begins at {format_time(event.start_s or 0.0)}: {event.message}"
    return None


class WatchView(Drawn):
    """Receives the events of a watch and shows them as the output options say. A context."""

    def __init__(self, output: Output) -> None:
        self._output = output
        super().__init__(wanted=not output.jsonl)
        self._line: TaskID | None = None

    def _columns(self) -> "Sequence[ProgressColumn]":
        from rich.progress import TextColumn

        return (TextColumn("{task.description}", markup=False),)

    def _begin(self, bars: "RichProgress") -> None:
        self._line = bars.add_task("waiting for the first frame")

    def show(self, event: "WatchEvent") -> None:
        """Take in one event."""
        if self._output.jsonl:
            render.event_line(event.to_json())
        if event.status is not None and self._bars is not None and self._line is not None:
            self._bars.update(self._line, description=layout.visible(status_text(event.status)))
        if event.kind == "note":
            render.detail(f"{event.source}: {event.message}")
        text = event_text(event)
        if text is not None and not self._output.jsonl:
            render.note(text)
