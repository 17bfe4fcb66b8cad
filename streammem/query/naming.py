"""Names for what is seen: an encoder's labels on the cells of a stretch, and the timeline."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streammem.encoders.base import Labels
from streammem.query.calibrate import Scale, label_strengths, scale_of
from streammem.query.memories import QueryMemory
from streammem.query.moments import Moment
from streammem.query.ranges import Window
from streammem.query.words import COLOUR_WORDS, words_of

# Labels whose embeddings agree more than this name the same thing.
SAME_NAME = 0.97
MAX_NAMES = 3
# A stretch without a recognised label keeps its cells together while they look alike.
SAME_LOOK = 0.9

# Words of a label that say how much, not what.
_DEGREES = frozenset(("mostly", "something", "some", "a", "an", "the", "very"))

Name = tuple[str, float]


@dataclass(frozen=True, slots=True)
class Stretch:
    """One entry of a timeline: spans in time order that look alike, with names best first."""

    start_s: float
    end_s: float
    row: int
    names: tuple[Name, ...]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


def name_rows(
    memory: QueryMemory,
    rows: NDArray[np.int64],
    weights: NDArray[np.float64],
    *,
    min_confidence: float,
    colours_only: bool = False,
) -> tuple[Name, ...]:
    """The strongest labels of some cells, weighted by how long each is seen, best first."""
    labels = memory.encoder.labels()
    if not len(rows) or not labels.words or weights.sum() <= 0:
        return ()
    scale = scale_of(memory.encoder)
    strengths = label_strengths(memory, labels, rows)
    mean = (strengths * (weights / weights.sum())[:, None]).sum(axis=0)
    confidences = scale.confidences(mean)
    names: list[Name] = []
    taken: list[int] = []
    for index in np.argsort(-mean, kind="stable"):
        if confidences[index] < min_confidence or len(names) == MAX_NAMES:
            break
        word = labels.words[index]
        if colours_only and not COLOUR_WORDS.intersection(words_of(word)):
            continue
        if any(_same_name(labels, int(index), other) for other in taken):
            continue
        taken.append(int(index))
        names.append((word, float(confidences[index])))
    return tuple(names)


def _same_name(labels: Labels, index: int, other: int) -> bool:
    """Whether a weaker label adds nothing to a stronger one."""
    if float(labels.vectors[index] @ labels.vectors[other]) > SAME_NAME:
        return True
    said = {word for word in words_of(labels.words[index]) if word not in _DEGREES}
    return bool(said) and said <= set(words_of(labels.words[other]))


def timeline(memory: QueryMemory, window: Window, *, min_confidence: float) -> list[Stretch]:
    """The events of a window in time order, neighbours of one look joined, each with its names."""
    rows, start_s, end_s = _event_spans(memory, window)
    stretches: list[Stretch] = []
    for group in _alike_runs(memory, rows):
        lengths = np.maximum(end_s[group] - start_s[group], 1e-6)
        names = name_rows(memory, rows[group], lengths, min_confidence=min_confidence)
        longest = int(group[int(np.argmax(lengths))])
        stretch = Stretch(
            float(start_s[group].min()), float(end_s[group].max()), int(rows[longest]), names
        )
        if stretches and _same_names(stretches[-1], stretch):
            stretch = _joined(stretches.pop(), stretch)
        stretches.append(stretch)
    return stretches


def rows_in(memory: QueryMemory, window: Window) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rows of the cells seen in a window, and for how many seconds each."""
    rows, start_s, end_s = _event_spans(memory, window)
    return rows, np.maximum(end_s - start_s, 1e-6)


def stretch_moment(memory: QueryMemory, stretch: Stretch, scale: Scale) -> Moment:
    """A stretch as a moment: as sure as its best name; unnamed ones are seen but not known."""
    confidence = stretch.names[0][1] if stretch.names else 0.0
    exemplar_s = float(memory.snapshot.exemplar_s[stretch.row])
    inside = stretch.start_s <= exemplar_s < stretch.end_s
    return Moment(
        memory=memory,
        start_s=stretch.start_s,
        end_s=stretch.end_s,
        time_s=exemplar_s if inside else 0.5 * (stretch.start_s + stretch.end_s),
        strength=scale.strength(confidence),
        confidence=confidence,
        row=stretch.row,
        text=", ".join(word for word, _ in stretch.names) or None,
    )


def _event_spans(
    memory: QueryMemory, window: Window
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Spans of lasting cells in a window in time order; the sensory ring where there are none."""
    snapshot, rows = memory.snapshot, memory.span_rows
    start_s, end_s = snapshot.span_start_s, snapshot.span_end_s
    if window.instant:
        inside = (start_s <= window.start_s) & (end_s > window.start_s)
        low, high = start_s, end_s
    else:
        low, high = np.maximum(start_s, window.start_s), np.minimum(end_s, window.end_s)
        inside = (high > low) & (
            high - low >= np.minimum(0.5 * memory.interval_s, 0.5 * (end_s - start_s))
        )
    lasting = inside & ~memory.sensory[rows] if len(rows) else inside
    chosen = np.flatnonzero(lasting if lasting.any() else inside)
    order = chosen[np.lexsort((high[chosen], low[chosen]))]
    return rows[order], low[order], high[order]


def _alike_runs(memory: QueryMemory, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Runs of neighbours in time whose keys agree, as positions in `rows`."""
    if not len(rows):
        return []
    keys = memory.snapshot.keys[rows]
    alike = np.einsum("nd,nd->n", keys[1:], keys[:-1]) >= SAME_LOOK
    return np.split(np.arange(len(rows)), np.flatnonzero(~alike) + 1)


def _same_names(first: Stretch, second: Stretch) -> bool:
    return bool(first.names) and [n for n, _ in first.names] == [n for n, _ in second.names]


def _joined(first: Stretch, second: Stretch) -> Stretch:
    longer = first if first.duration_s >= second.duration_s else second
    return Stretch(first.start_s, max(first.end_s, second.end_s), longer.row, longer.names)


def strongest_names(stretches: Sequence[Stretch], count: int = 5) -> tuple[Name, ...]:
    """The names of a timeline by the time they are seen, with their best confidence."""
    seconds: dict[str, float] = {}
    best: dict[str, float] = {}
    for stretch in stretches:
        for word, confidence in stretch.names:
            seconds[word] = seconds.get(word, 0.0) + stretch.duration_s
            best[word] = max(best.get(word, 0.0), confidence)
    ranked = sorted(seconds, key=lambda word: (-seconds[word], word))
    return tuple((word, best[word]) for word in ranked[:count])
