"""A timeline as lines of at most 80 columns."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from streammem.core.timebase import format_time
from streammem_cli.layout import folded

if TYPE_CHECKING:
    from streammem.core.timelines import Chapter, Timeline, TimelineEvent

_CHANNELS = {"subtitle": "subtitle", "speech": "said", "screen_text": "on the screen"}
_EVENT_INDENT = 4


def timeline_lines(timelines: "Sequence[Timeline]", *, chapters: bool) -> list[str]:
    """Memories one after the other: their chapters and, unless only those are wanted, events."""
    lines: list[str] = []
    for timeline in timelines:
        if lines:
            lines.append("")
        lines += _head(timeline)
        for number, chapter in enumerate(timeline.chapters, 1):
            lines += _chapter(number, chapter)
            if not chapters:
                lines += [line for event in chapter.events for line in _event(event)]
        for gap in timeline.gaps:
            lines += folded(gap.reason, f"not seen {_span(gap.start_s, gap.end_s)}: ")
    return lines


def _head(timeline: "Timeline") -> Iterator[str]:
    yield from folded(f"{timeline.memory_id}  {_span(timeline.start_s, timeline.end_s)}")
    for text in timeline.about:
        yield from folded(text, "  ")
    if not timeline.chapters:
        yield "  nothing is remembered of this stretch"


def _chapter(number: int, chapter: "Chapter") -> list[str]:
    head = f"{_span(chapter.start_s, chapter.end_s)}  {number}. "
    return folded(chapter.title or "without a name", head, _EVENT_INDENT)


def _event(event: "TimelineEvent") -> Iterator[str]:
    head = f"  {_span(event.start_s, event.end_s)} {event.duration_s:>8.1f} s  "
    yield from folded(event.title or "cannot be named", head, _EVENT_INDENT)
    for cue in event.cues:
        how = _CHANNELS.get(cue.channel, cue.channel)
        yield from folded(f"{cue.text} ({how})", f"    {format_time(cue.start_s)}  ")
    if event.thumbnail:
        yield f"    {event.thumbnail}"


def _span(start_s: float, end_s: float) -> str:
    return f"{format_time(start_s)} - {format_time(end_s)}"
