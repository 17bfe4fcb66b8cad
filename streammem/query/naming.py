"""Names for what is seen: an encoder's labels on the cells of a stretch, and the timeline."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streammem.encoders.base import Labels
from streammem.query.calibrate import Scale, Strengths, label_strengths, scale_of
from streammem.query.memories import QueryMemory
from streammem.query.moments import Moment
from streammem.query.ranges import Window
from streammem.query.words import COLOUR_WORDS, words_of

# Labels whose embeddings agree more than this name the same thing.
SAME_NAME = 0.97
MAX_NAMES = 3
# Neighbours in time whose keys agree this much look the same; those whose best name is the same
# may differ more, by something that moves in the scene.
SAME_LOOK = 0.9
SAME_NAMED_LOOK = 0.8
# Spans at the edge of a window that are looked at first for its first or last stretch.
_EDGE_SPANS = 32
# Slack of a strength turned into a confidence and back.
_ROUNDING = 1e-6
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
    strengths = label_strengths(memory, labels, rows)
    mean = (strengths * (weights / weights.sum())[:, None]).sum(axis=0)
    confidences = scale_of(memory.encoder).confidences(mean)
    return _names(labels, confidences, min_confidence, colours_only=colours_only)


def _names(
    labels: Labels, confidences: Strengths, min_confidence: float, *, colours_only: bool = False
) -> tuple[Name, ...]:
    """The labels `[L]` that are sure enough and say different things, best first."""
    sure = np.flatnonzero(confidences >= min_confidence)
    ranked = sure[np.argsort(-confidences[sure], kind="stable")].tolist()
    if colours_only:
        ranked = [n for n in ranked if COLOUR_WORDS.intersection(words_of(labels.words[n]))]
    return _distinct(labels, [(n, float(confidences[n])) for n in ranked], {})


def _distinct(
    labels: Labels, ranked: Sequence[tuple[int, float]], same: dict[tuple[int, int], bool]
) -> tuple[Name, ...]:
    """The first labels of a ranking that say different things; `same` keeps what was compared."""
    taken: list[tuple[int, float]] = []
    for index, confidence in ranked:
        if len(taken) == MAX_NAMES:
            break
        for other, _ in taken:
            pair = (index, other)
            if pair not in same:
                same[pair] = _same_name(labels, index, other)
            if same[pair]:
                break
        else:
            taken.append((index, confidence))
    return tuple((labels.words[index], confidence) for index, confidence in taken)


def _same_name(labels: Labels, index: int, other: int) -> bool:
    """Whether a weaker label adds nothing to a stronger one."""
    if float(labels.vectors[index] @ labels.vectors[other]) > SAME_NAME:
        return True
    said = {word for word in words_of(labels.words[index]) if word not in _DEGREES}
    return bool(said) and said <= set(words_of(labels.words[other]))


def timeline(memory: QueryMemory, window: Window, *, min_confidence: float) -> list[Stretch]:
    """The events of a window in time order, neighbours of one look joined, each with its names.

    The last one told is kept, because several parts of a question may ask for the same.
    """
    asked = (window.start_s, window.end_s, window.limit_s, min_confidence)
    kept: tuple[object, tuple[Stretch, ...]] | None = memory.derived.get("timeline")
    if kept is None or kept[0] != asked:
        spans = _event_spans(memory, window)
        kept = (asked, tuple(_stretches(memory, *spans, min_confidence)))
        memory.derived["timeline"] = kept
    return list(kept[1])


def edge_stretch(
    memory: QueryMemory, window: Window, *, last: bool, min_confidence: float
) -> Stretch | None:
    """The first or the last stretch of a window, without telling the whole timeline."""
    rows, start_s, end_s = _event_spans(memory, window)
    count = _EDGE_SPANS
    while True:
        part = slice(-count, None) if last else slice(None, count)
        stretches = _stretches(memory, rows[part], start_s[part], end_s[part], min_confidence)
        if len(stretches) > 1 or count >= len(rows):
            return (stretches[-1] if last else stretches[0]) if stretches else None
        count *= 8


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
        low, high = start_s, np.minimum(end_s, window.limit_s)
    else:
        low, high = np.maximum(start_s, window.start_s), np.minimum(end_s, window.end_s)
        inside = (high > low) & (
            high - low >= np.minimum(0.5 * memory.interval_s, 0.5 * (end_s - start_s))
        )
    lasting = inside & ~memory.sensory[rows] if len(rows) else inside
    chosen = np.flatnonzero(lasting if lasting.any() else inside)
    order = chosen[np.lexsort((high[chosen], low[chosen]))]
    return rows[order], low[order], high[order]


def _stretches(
    memory: QueryMemory,
    rows: NDArray[np.int64],
    start_s: NDArray[np.float64],
    end_s: NDArray[np.float64],
    min_confidence: float,
) -> list[Stretch]:
    """Spans in time order as stretches: runs of one look, then neighbours of one name."""
    if not len(rows):
        return []
    firsts = _run_starts(memory, rows)
    lengths = np.maximum(end_s - start_s, 1e-6)
    named = _names_of_runs(memory, rows, lengths, firsts, min_confidence)
    run = np.repeat(np.arange(len(firsts)), np.diff(firsts, append=len(rows)))
    # The longest span of each run first, the earlier of equals.
    longest = np.lexsort((-lengths, run))[firsts]
    starts = np.minimum.reduceat(start_s, firsts).tolist()
    ends = np.maximum.reduceat(end_s, firsts).tolist()
    stretches: list[Stretch] = []
    for parts in zip(starts, ends, rows[longest].tolist(), named, strict=True):
        stretch = Stretch(*parts)
        if stretches and _same_scene(memory, stretches[-1], stretch):
            stretch = _joined(stretches.pop(), stretch)
        stretches.append(stretch)
    return stretches


def _run_starts(memory: QueryMemory, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions in `rows` at which the look changes from one span to the next."""
    keys = memory.snapshot.keys[rows]
    alike = np.einsum("nd,nd->n", keys[1:], keys[:-1]) >= SAME_LOOK
    return np.concatenate([np.zeros(1, np.int64), np.flatnonzero(~alike) + 1])


def _names_of_runs(
    memory: QueryMemory,
    rows: NDArray[np.int64],
    lengths: NDArray[np.float64],
    firsts: NDArray[np.int64],
    min_confidence: float,
) -> list[tuple[Name, ...]]:
    """The names of each run, from the mean of its spans weighted by their lengths."""
    labels = memory.encoder.labels()
    if not labels.words:
        return [()] * len(firsts)
    weighted = label_strengths(memory, labels, rows) * lengths[:, None]
    means = np.add.reduceat(weighted, firsts, axis=0)
    means /= np.add.reduceat(lengths, firsts)[:, None]
    # Confidence grows with strength, so that only the few labels that are sure need one.
    scale = scale_of(memory.encoder)
    runs, sure = np.nonzero(means >= scale.strength(min_confidence) - _ROUNDING)
    confidences = scale.confidences(means[runs, sure])
    order = np.lexsort((sure, -confidences, runs))
    ranked: list[list[tuple[int, float]]] = [[] for _ in firsts]
    for run, label, confidence in zip(
        runs[order].tolist(), sure[order].tolist(), confidences[order].tolist(), strict=True
    ):
        if confidence >= min_confidence:
            ranked[run].append((label, confidence))
    same: dict[tuple[int, int], bool] = {}
    return [_distinct(labels, row, same) for row in ranked]


def _same_scene(memory: QueryMemory, first: Stretch, second: Stretch) -> bool:
    if not first.names or not second.names or first.names[0][0] != second.names[0][0]:
        return False
    keys = memory.snapshot.keys
    return float(keys[first.row] @ keys[second.row]) >= SAME_NAMED_LOOK


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
