"""A memory told in order: its events with names and cues, gathered into chapters."""

from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Channel, Cue, Floats
from streammem.query.memories import QueryMemory
from streammem.query.naming import Name, Stretch, strongest_names, timeline
from streammem.query.ranges import Window

# A metadata cue that ends this close to the memory's own borders is about all of it.
_WHOLE_S = 1.0
# Words this far apart belong to different events where nothing is seen; such events are no longer.
_SILENCE_S = 5.0
_LONGEST_WORDS_S = 60.0
# A chapter by look has at least this many seconds and events.
_SHORTEST_S = 10.0
_FEWEST_EVENTS = 3
# So many events on each side are compared where a chapter may begin.
_COMPARED = 3
# A cut is where likeness falls by this many deviations more than it usually does.
_CUT = 0.5
_TITLE_NAMES = 3
# Windows whose chapters are kept with a memory.
_KEPT = 2


@dataclass(frozen=True, slots=True)
class Told:
    """One event: its stretch, and the cues that begin in it, in time order."""

    stretch: Stretch
    cues: tuple[Cue, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A chapter: its title, its bounds, where it comes from (`file` or `look`), and its events."""

    title: str
    start_s: float
    end_s: float
    origin: str
    events: tuple[Told, ...]


def about(memory: QueryMemory) -> list[str]:
    """What the container says about the whole recording."""
    return [cue.text for cue in _cues(memory) if _is_metadata(cue) and _is_whole(memory, cue)]


def parts_of(memory: QueryMemory, window: Window, *, min_confidence: float) -> list[Part]:
    """The chapters of a window, each with at least one event, in time order.

    They are the container's own where it has any; else neighbouring events that look alike are
    gathered. Every event is in one chapter: the one that holds its middle. What was told last is
    kept, because a conversation comes back to the whole and to the part that it is about.
    """
    if not window.inside:
        return []
    asked = (window.start_s, window.end_s, window.limit_s, min_confidence)
    kept: dict[object, list[Part]] = memory.derived.setdefault("parts", {})
    parts = kept.pop(asked, None)
    if parts is None:
        parts = _parts(memory, window, min_confidence)
    kept[asked] = parts
    while len(kept) > _KEPT:
        kept.pop(next(iter(kept)))
    return list(parts)


def _parts(memory: QueryMemory, window: Window, min_confidence: float) -> list[Part]:
    events = _events(memory, window, min_confidence)
    if not events:
        return []
    named = [
        cue
        for cue in _cues(memory)
        if _is_metadata(cue) and not _is_whole(memory, cue) and _inside(cue, window)
    ]
    return _by_file(events, named) if named else _by_look(memory, events)


def _cues(memory: QueryMemory) -> list[Cue]:
    return [] if memory.cues is None else [row.cue for row in memory.cues.in_time_order]


def _is_metadata(cue: Cue) -> bool:
    return cue.channel is Channel.METADATA


def _is_whole(memory: QueryMemory, cue: Cue) -> bool:
    begins = cue.start_s <= memory.start_s + _WHOLE_S
    return begins and (cue.end_s >= memory.end_s - _WHOLE_S or cue.end_s == cue.start_s)


def _inside(cue: Cue, window: Window) -> bool:
    return cue.start_s < window.end_s and max(cue.end_s, cue.start_s + 1e-6) > window.start_s


def _events(memory: QueryMemory, window: Window, min_confidence: float) -> list[Told]:
    """Stretches with the cues that begin in them; runs of words where nothing was seen."""
    stretches = timeline(memory, window, min_confidence=min_confidence)
    cues = [cue for cue in _cues(memory) if not _is_metadata(cue) and _inside(cue, window)]
    if not stretches:
        return [_run(run) for run in _runs(cues)]
    starts = [stretch.start_s for stretch in stretches]
    held: list[list[Cue]] = [[] for _ in stretches]
    for cue in cues:
        place = bisect(starts, max(cue.start_s, window.start_s)) - 1
        held[max(place, 0)].append(cue)
    return [Told(stretch, tuple(of)) for stretch, of in zip(stretches, held, strict=True)]


def _runs(cues: Iterable[Cue]) -> list[list[Cue]]:
    runs: list[list[Cue]] = []
    for cue in cues:
        last = runs[-1] if runs else None
        near = last is not None and cue.start_s - last[-1].end_s <= _SILENCE_S
        if last is not None and near and cue.end_s - last[0].start_s <= _LONGEST_WORDS_S:
            last.append(cue)
        else:
            runs.append([cue])
    return runs


def _run(cues: Sequence[Cue]) -> Told:
    end_s = max(cue.end_s for cue in cues)
    return Told(Stretch(cues[0].start_s, end_s, -1, ()), tuple(cues))


def _by_file(events: Sequence[Told], named: Sequence[Cue]) -> list[Part]:
    """The container's chapters; what lies before the first one is a chapter without a title."""
    starts = [cue.start_s for cue in named]
    groups: dict[int, list[Told]] = {}
    for event in events:
        middle_s = (event.stretch.start_s + event.stretch.end_s) / 2
        place = bisect(starts, middle_s) - 1
        groups.setdefault(place, []).append(event)
    return [
        _part(named[place].text if place >= 0 else "", "file", group)
        for place, group in sorted(groups.items())
    ]


def _by_look(memory: QueryMemory, events: Sequence[Told]) -> list[Part]:
    """Cuts where the events before and behind look least alike, as in TextTiling (Hearst 1997)."""
    cuts = _cuts(_looks(memory, events), events)
    bounds = [0, *cuts, len(events)]
    groups = [events[first:stop] for first, stop in pairwise(bounds)]
    return [_part(_title(group), "look", group) for group in groups]


def _looks(memory: QueryMemory, events: Sequence[Told]) -> Floats:
    """The key of each event, weighted by its length, `[E D]`; zeros where nothing was seen."""
    places = [place for place, event in enumerate(events) if event.stretch.row >= 0]
    looks = np.zeros((len(events), memory.encoder.spec.dim), np.float32)
    rows = [events[place].stretch.row for place in places]
    lengths = np.array([events[place].stretch.duration_s for place in places], np.float32)
    looks[places] = memory.snapshot.keys[rows] * lengths[:, np.newaxis]
    return looks


def _cuts(looks: Floats, events: Sequence[Told]) -> list[int]:
    """Places at which a chapter begins, in order."""
    count = len(events)
    if count < 2 * _FEWEST_EVENTS:
        return []
    depths = _depths(_likeness(looks).tolist())
    least = max(0.0, float(np.mean(depths) + _CUT * np.std(depths)))
    bounds = [0, count]
    deepest_first = np.argsort(-np.array(depths), kind="stable") + 1
    for place in deepest_first.tolist():
        if depths[place - 1] <= least:
            break
        # Only the chapter that the place lies in is cut in two; the others stay as they are.
        index = bisect(bounds, place)
        first, stop = bounds[index - 1], bounds[index]
        if _is_chapter(events, first, place) and _is_chapter(events, place, stop):
            bounds.insert(index, place)
    return bounds[1:-1]


def _likeness(looks: Floats) -> NDArray[np.float64]:
    """For each place the cosine of the few events before it with the few behind it, `[E - 1]`."""
    count = len(looks)
    before, behind = np.zeros_like(looks[1:]), np.zeros_like(looks[1:])
    for step in range(min(_COMPARED, count - 1)):
        before[step:] += looks[: count - 1 - step]
        behind[: count - 1 - step] += looks[1 + step :]
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(behind, axis=1)
    products = np.einsum("ed,ed->e", before, behind)
    found: NDArray[np.float64] = np.where(lengths > 0, products / np.maximum(lengths, 1e-30), 0.0)
    return found.astype(np.float64)


def _depths(likeness: Sequence[float]) -> list[float]:
    """How far likeness falls at each place from the nearest peaks on both sides."""
    depths = []
    for place, value in enumerate(likeness):
        left = right = value
        for other in range(place - 1, -1, -1):
            if likeness[other] < left:
                break
            left = likeness[other]
        for other in range(place + 1, len(likeness)):
            if likeness[other] < right:
                break
            right = likeness[other]
        depths.append(left - value + right - value)
    return depths


def _is_chapter(events: Sequence[Told], first: int, stop: int) -> bool:
    """Whether the events from `first` on, before `stop`, are enough for a chapter of their own."""
    lasts_s = events[stop - 1].stretch.end_s - events[first].stretch.start_s
    return stop - first >= _FEWEST_EVENTS and lasts_s >= _SHORTEST_S


def _part(title: str, origin: str, events: Sequence[Told]) -> Part:
    end_s = max(event.stretch.end_s for event in events)
    return Part(title, events[0].stretch.start_s, end_s, origin, tuple(events))


def _title(events: Sequence[Told]) -> str:
    """What is seen longest in it."""
    names: tuple[Name, ...] = strongest_names([event.stretch for event in events], _TITLE_NAMES)
    return ", ".join(name for name, _ in names)
