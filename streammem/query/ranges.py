"""The part of a memory that a question is about, in seconds of that memory's stream."""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from streammem.core.timebase import format_time
from streammem.core.types import Gap, Question, RelativeRange
from streammem.query.memories import QueryMemory, QueryOptions

# A gap that takes less of the asked time than this does not stand in the way of a "no".
NEGLIGIBLE_GAP_SHARE = 0.01
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open range [start_s, end_s) of one memory; an instant where both are equal.

    `limited` says that the question named it; `inside` that the memory covers any of it, and
    `covered` all of it, without gaps worth mentioning. `notes` tell what is missing. Nothing from
    `limit_s` on may be told, also where an instant lies in a span that goes on beyond it.
    `asked_s` is when the question is asked: what was said later is not known yet.
    """

    start_s: float
    end_s: float
    limited: bool = False
    inside: bool = True
    covered: bool = True
    notes: tuple[str, ...] = ()
    limit_s: float = math.inf
    asked_s: float = math.inf

    @property
    def instant(self) -> bool:
        """Whether this is a point in time."""
        return self.start_s == self.end_s

    def after(self, time_s: float) -> "Window":
        """The part from an instant on."""
        return replace(self, start_s=max(self.start_s, time_s), limited=True)

    def before(self, time_s: float) -> "Window":
        """The part up to an instant."""
        return replace(self, end_s=min(self.end_s, time_s), limited=True)

    def at(self, start_s: float, end_s: float) -> "Window":
        """Another range with the same facts about coverage."""
        return replace(self, start_s=start_s, end_s=end_s, limited=True)


def resolve_window(question: Question, memory: QueryMemory, options: QueryOptions) -> Window:
    """The range of a memory that the question and the options leave, with notes on what lacks."""
    end_s = memory.end_s if options.at_s is None else min(memory.end_s, options.at_s)
    question = _by_clock(question, memory, end_s)
    start_s, stop_s, limited = memory.start_s, end_s, False
    problem: str | None = None
    instants: list[float] = []
    for low_s, high_s in _bounds(question, memory, options, end_s):
        if low_s is None and high_s is None:
            problem = _unknown_clock(memory)
            continue
        limited = True
        if low_s is not None and low_s == high_s:
            instants.append(low_s)
        start_s = start_s if low_s is None else max(start_s, low_s)
        stop_s = stop_s if high_s is None else min(stop_s, high_s)
    if problem is not None:
        return Window(start_s, start_s, True, inside=False, covered=False, notes=(problem,))
    if instants:
        # Another restriction, or another instant, may exclude this one.
        allowed = start_s <= instants[0] and stop_s >= min(instants[0], end_s)
        start_s = stop_s = _nudged(instants[0], memory, end_s)
        inside = allowed and memory.start_s <= start_s < end_s
    else:
        inside = start_s < stop_s
    asked_s = math.inf if options.at_s is None else options.at_s
    window = Window(start_s, stop_s, limited, inside, limit_s=end_s, asked_s=asked_s)
    return _with_notes(window, question, memory, options)


def gaps_in(memory: QueryMemory, start_s: float, end_s: float) -> tuple[Gap, ...]:
    """The gaps of a memory that a range touches."""
    if start_s == end_s:
        return tuple(gap for gap in memory.gaps if gap.start_s <= start_s < gap.end_s)
    return tuple(gap for gap in memory.gaps if gap.start_s < end_s and gap.end_s > start_s)


def _bounds(
    question: Question, memory: QueryMemory, options: QueryOptions, end_s: float
) -> list[tuple[float | None, float | None]]:
    """Every restriction as (start, end); (None, None) where it cannot be resolved."""
    bounds: list[tuple[float | None, float | None]] = []
    if question.start_s is not None or question.end_s is not None:
        bounds.append((question.start_s, question.end_s))
    if options.start_s is not None or options.end_s is not None:
        bounds.append((options.start_s, options.end_s))
    if question.relative is not None:
        bounds.append(_resolve(question.relative, memory, end_s))
    return bounds


def _resolve(
    relative: RelativeRange, memory: QueryMemory, end_s: float
) -> tuple[float | None, float | None]:
    if relative.kind == "wall_clock":
        return _resolve_clock(relative, memory, end_s)
    # Both sides of a distance from the end and of a share are always there.
    start, end = relative.start or 0.0, relative.end or 0.0
    if relative.kind == "from_end":
        return end_s - start, end_s - end
    length_s = end_s - memory.start_s
    return memory.start_s + start * length_s, memory.start_s + end * length_s


def _by_clock(question: Question, memory: QueryMemory, end_s: float) -> Question:
    """The question with times like 15:10 meant by the clock, where only so they are in the memory.

    "15:10" was read as minutes and seconds, "15:10:05" as hours, minutes and seconds.
    """
    start, end = question.start_s, question.end_s
    first = start if start is not None else end
    if memory.recorded_at is None or ":" not in question.text or first is None or first <= end_s:
        return question
    factor = 60.0 if first < _DAY_S / 60.0 else 1.0
    low, high = (None if side is None else side * factor for side in (start, end))
    if max(low or 0.0, high or 0.0) >= _DAY_S or question.relative is not None:
        return question
    clock = RelativeRange("wall_clock", low, high)
    begins_s, ends_s = _resolve_clock(clock, memory, end_s)
    before = begins_s is not None and begins_s >= end_s
    if before or (ends_s is not None and ends_s < memory.start_s):
        return question
    return replace(question, start_s=None, end_s=None, relative=clock)


def _resolve_clock(
    relative: RelativeRange, memory: QueryMemory, end_s: float
) -> tuple[float | None, float | None]:
    """Seconds since midnight, local time, on the latest day on which they lie in the memory."""
    if memory.recorded_at is None:
        return None, None
    begun = datetime.fromtimestamp(memory.recorded_at).astimezone()
    ended = begun + timedelta(seconds=end_s - memory.start_s)
    first = relative.start if relative.start is not None else relative.end
    if first is None:
        return None, None
    first_day = begun.replace(hour=0, minute=0, second=0, microsecond=0)
    day = ended.replace(hour=0, minute=0, second=0, microsecond=0)
    while day + timedelta(seconds=first) > ended and day > first_day:
        day -= timedelta(days=1)
    midnight_s = memory.start_s + (day - begun).total_seconds()
    low = None if relative.start is None else midnight_s + relative.start
    high = None if relative.end is None else midnight_s + relative.end
    if low is not None and high is not None and high < low:
        high += _DAY_S
    return low, high


def _nudged(instant_s: float, memory: QueryMemory, end_s: float) -> float:
    """An instant at the very end means the last frame, whose time ends there."""
    if end_s <= instant_s <= end_s + memory.interval_s:
        return max(memory.start_s, math.nextafter(end_s, -math.inf))
    return instant_s


def _with_notes(
    window: Window, question: Question, memory: QueryMemory, options: QueryOptions
) -> Window:
    notes: list[str] = []
    asked_start, asked_end = _asked_edges(question, options)
    tolerance_s = memory.interval_s
    early = asked_start is not None and asked_start < memory.start_s - tolerance_s
    late = asked_end is not None and asked_end > window.limit_s + tolerance_s
    if not window.inside or early or late:
        notes.append(
            f"{memory.memory_id} covers {format_time(memory.start_s)} to "
            f"{format_time(max(memory.start_s, window.limit_s))}"
        )
    gaps = gaps_in(memory, window.start_s, window.end_s)
    notes += [
        f"nothing was seen from {format_time(gap.start_s)} to "
        f"{format_time(min(gap.end_s, window.limit_s))} in {memory.memory_id} ({gap.reason})"
        for gap in gaps[:3]
    ]
    if len(gaps) > 3:
        notes.append(f"and {len(gaps) - 3} more gaps")
    missed_s = sum(min(gap.end_s, window.end_s) - max(gap.start_s, window.start_s) for gap in gaps)
    whole = missed_s <= NEGLIGIBLE_GAP_SHARE * (window.end_s - window.start_s)
    seen = whole and not (window.instant and gaps)
    # "In the first ten minutes" of a shorter video is all of it: nothing was missed.
    whole_opening = asked_start == 0.0
    covered = window.inside and seen and not early and (not late or whole_opening)
    return replace(window, covered=covered, notes=tuple(notes))


def _asked_edges(question: Question, options: QueryOptions) -> tuple[float | None, float | None]:
    starts = [value for value in (question.start_s, options.start_s) if value is not None]
    ends = [value for value in (question.end_s, options.end_s) if value is not None]
    return (max(starts) if starts else None), (min(ends) if ends else None)


def _unknown_clock(memory: QueryMemory) -> str:
    return (
        f"{memory.memory_id} does not know at what time of day it was recorded; "
        "ingest with --recorded-at to ask by the clock"
    )
