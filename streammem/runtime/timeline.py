"""The timeline of a memory: events, chapters, cues and representative frames as one result."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from streammem.core.timelines import (
    Chapter,
    Quote,
    Timeline,
    TimelineEvent,
    TimelineOptions,
)
from streammem.core.types import Cue, Question
from streammem.query.chapters import Part, Told, about, parts_of
from streammem.query.memories import QueryOptions
from streammem.query.ranges import Window, resolve_window
from streammem.runtime.asking import OpenMemory
from streammem.runtime.pictures import file_name, picture_at
from streammem.runtime.timeline_page import page

SPEECH_WITHOUT_WORDS = "somebody speaks"


def tell(
    opened: Sequence[OpenMemory], notes: tuple[str, ...], options: TimelineOptions
) -> list[Timeline]:
    """The timelines of some memories, with the pictures and the page that are asked for."""
    timelines: list[Timeline] = []
    for memory in opened:
        timeline = timeline_of(memory, options)
        if options.thumbnails is not None or options.html is not None:
            timeline = with_pictures(timeline, memory)
        if options.thumbnails is not None:
            timeline = save_thumbnails(timeline, options.thumbnails)
        timelines.append(replace(timeline, notes=() if timelines else notes))
    if options.html is not None:
        options.html.write_text(page(timelines), encoding="utf-8")
    return timelines


def timeline_of(memory: OpenMemory, options: TimelineOptions) -> Timeline:
    """The events of a memory within a range, by default all of it, without pictures."""
    start_s, end_s = options.between_s or (None, None)
    everything = Question(text="", intent="describe", phrase="")
    asked = QueryOptions(min_confidence=options.min_confidence, start_s=start_s, end_s=end_s)
    window = resolve_window(everything, memory.query, asked)
    parts = parts_of(memory.query, window, min_confidence=options.min_confidence)
    numbers = count(1)
    gaps = (gap for gap in memory.query.gaps if _touches(window, gap.start_s, gap.end_s))
    return Timeline(
        memory_id=memory.meta.memory_id,
        source=memory.meta.source,
        start_s=window.start_s,
        end_s=window.end_s,
        chapters=tuple(_chapter(memory, part, numbers) for part in parts),
        about=tuple(about(memory.query)),
        gaps=tuple(gaps),
    )


def _touches(window: Window, start_s: float, end_s: float) -> bool:
    return start_s < window.end_s and end_s > window.start_s


def _chapter(memory: OpenMemory, part: Part, numbers: Iterator[int]) -> Chapter:
    events = tuple(_event(memory, told, f"e{next(numbers)}") for told in part.events)
    return Chapter(part.title, part.start_s, part.end_s, part.origin, events)


def _event(memory: OpenMemory, told: Told, number: str) -> TimelineEvent:
    stretch = told.stretch
    time_s = (stretch.start_s + stretch.end_s) / 2
    if stretch.row >= 0:
        exemplar_s = float(memory.query.snapshot.exemplar_s[stretch.row])
        time_s = exemplar_s if stretch.start_s <= exemplar_s < stretch.end_s else time_s
    return TimelineEvent(
        id=number,
        start_s=stretch.start_s,
        end_s=stretch.end_s,
        time_s=time_s,
        names=stretch.names,
        cues=tuple(_quote(cue) for cue in told.cues),
    )


def _quote(cue: Cue) -> Quote:
    words = " ".join(cue.text.split()) or SPEECH_WITHOUT_WORDS
    return Quote(cue.start_s, cue.end_s, cue.channel.value, words)


def with_pictures(timeline: Timeline, memory: OpenMemory) -> Timeline:
    """The same with each event's frame, from the memory or, where it is still there, the source."""
    return _mapped(timeline, lambda event: replace(event, picture=picture_at(memory, event.time_s)))


def save_thumbnails(timeline: Timeline, folder: Path) -> Timeline:
    """The same with every picture written into a folder, and its path."""
    folder.mkdir(parents=True, exist_ok=True)

    def saved(event: TimelineEvent) -> TimelineEvent:
        if event.picture is None:
            return event
        path = folder / file_name(event.id, timeline.memory_id, event.time_s)
        path.write_bytes(event.picture)
        return replace(event, thumbnail=str(path))

    return _mapped(timeline, saved)


def _mapped(timeline: Timeline, change: Callable[[TimelineEvent], TimelineEvent]) -> Timeline:
    chapters = tuple(
        replace(chapter, events=tuple(change(event) for event in chapter.events))
        for chapter in timeline.chapters
    )
    return replace(timeline, chapters=chapters)
