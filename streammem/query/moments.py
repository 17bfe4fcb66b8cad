"""From strengths of spans to stretches of time: one moment per visit, best instant included."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streammem.core.timebase import TimeSpan
from streammem.core.types import Channel, Evidence, Floats, Tier
from streammem.query.calibrate import Scale, Strengths
from streammem.query.intervals import total_s
from streammem.query.memories import QueryMemory
from streammem.query.mmr import choose_diverse
from streammem.query.ranges import Window

# A visit belongs to the answer if it is at least this far from the memory's low scores to its best.
RELATIVE_CUT = 0.5
# Which part of the remembered time counts as a memory's low scores.
LOW_SHARE = 0.2
# Visits within this many deviations of the best one always belong to the answer.
SAME_STRENGTH = 1.0
# Visits closer than this many sampling intervals are one visit.
JOIN_INTERVALS = 1.5
# Digits of a score; moments that differ by less are ordered by their strength.
SCORE_DIGITS = 6
# Spans that take part in a ranking without a cut.
MAX_RANKED = 1000


@dataclass(frozen=True, slots=True)
class Moment:
    """One stretch [start_s, end_s) of one memory, with its best instant and cell.

    `row` is the best cell's row in the snapshot (-1 where the memory has no cells), `strength`
    its z, `confidence` in [0, 1]. For what was said or shown in words, `channel` says where it
    comes from and `text` quotes it; the strength is then the z of equal confidence. `found_for`
    is what was looked for, where an answer is about several things.
    """

    memory: QueryMemory
    start_s: float
    end_s: float
    time_s: float
    strength: float
    confidence: float
    row: int
    text: str | None = None
    channel: Channel = Channel.VISION
    found_for: str | None = None

    @property
    def span(self) -> TimeSpan:
        """The stretch without what was found in it."""
        return TimeSpan(self.start_s, self.end_s)

    def cut(self, start_s: float, end_s: float) -> "Moment":
        """The same moment with narrower borders; its best instant moves inside them."""
        last_s = max(start_s, float(np.nextafter(end_s, -np.inf)))
        time_s = min(max(self.time_s, start_s), last_s)
        return replace(self, start_s=start_s, end_s=end_s, time_s=time_s)

    def to_evidence(self, number: int) -> Evidence:
        """Evidence `e<number>`."""
        return Evidence(
            id=f"e{number}",
            memory_id=self.memory.memory_id,
            source=self.memory.source,
            start_s=float(self.start_s),
            end_s=float(self.end_s),
            time_s=float(self.time_s),
            score=round(float(self.confidence), SCORE_DIGITS),
            channel=self.channel,
            tier=_tier(self.memory, self.row),
            text=self.text,
        )


def find_moments(
    memory: QueryMemory,
    strengths: Strengths,
    window: Window,
    scale: Scale,
    *,
    min_confidence: float,
    trust: float = 1.0,
) -> list[Moment]:
    """The visits of what the strengths `[S]` stand for, in time order.

    Spans count from `min_confidence` on, and from a cut between the memory's low scores and the
    best score in the window on; overlapping and adjacent spans become one moment.
    """
    spans = _Spans.inside(memory, strengths, window)
    if not len(spans.rows) or trust <= 0:
        return []
    best = float(spans.strengths.max())
    low = _low_strength(memory, strengths, window.limit_s)
    if low >= scale.midpoint:
        # Most of the memory shows it: its low scores are no background then.
        low = 0.0
    cut = best - max(RELATIVE_CUT * (best - low), SAME_STRENGTH)
    if min_confidence > 0:
        cut = max(cut, scale.strength(min(1.0, min_confidence / trust)))
    return _join(memory, spans.where(spans.strengths >= cut), scale, trust)


def rank_spans(
    memory: QueryMemory, strengths: Strengths, window: Window, scale: Scale, *, trust: float = 1.0
) -> list[Moment]:
    """Every span of a window as its own moment, for searches that never abstain.

    A frame of the sensory ring is the same picture as its event: where the event is there, the
    frame only lends it its strength.
    """
    spans = _Spans.inside(memory, strengths, window)
    if not len(spans.rows):
        return []
    return _one_each(memory, _without_copies(memory, spans), scale, trust)


def best_first(moments: Iterable[Moment]) -> list[Moment]:
    """Moments by falling confidence, then strength; ties by memory and time."""
    return sorted(
        moments,
        key=lambda item: (
            -round(item.confidence, SCORE_DIGITS),
            -item.strength,
            item.memory.memory_id,
            item.start_s,
        ),
    )


def in_time_order(moments: Iterable[Moment]) -> list[Moment]:
    """Moments by start; memories one after the other."""
    return sorted(moments, key=lambda item: (item.memory.memory_id, item.start_s, item.end_s))


def pick(moments: Sequence[Moment], top_k: int) -> list[Moment]:
    """At most `top_k` moments, strong and different ones, best first."""
    ranked = best_first(moments)
    if len(ranked) <= top_k:
        return ranked
    # Selection compares every candidate with every chosen one, so only the head takes part.
    head = ranked[: head_size(top_k)]
    relevance = np.array([moment.strength for moment in head])
    keys = [_key(moment) for moment in head]
    chosen = choose_diverse(relevance, keys, [(m.memory.memory_id, m.time_s) for m in head], top_k)
    return best_first(head[index] for index in chosen)


def head_size(top_k: int) -> int:
    """How many of the best moments take part when `top_k` are chosen."""
    return max(8 * top_k, 64)


def _tier(memory: QueryMemory, row: int) -> Tier:
    return Tier.LONG_TERM if row < 0 else Tier(str(memory.snapshot.tiers[row]))


def _key(moment: Moment) -> Floats:
    """What a moment looks like; words have no look, so they repeat nothing."""
    if moment.channel is not Channel.VISION:
        return np.zeros(moment.memory.encoder.spec.dim, np.float32)
    key: Floats = moment.memory.snapshot.keys[moment.row]
    return key


def covered_s(moments: Iterable[Moment]) -> float:
    """Seconds that moments cover together, per memory, overlaps once."""
    by_memory: dict[str, list[Moment]] = {}
    for moment in moments:
        by_memory.setdefault(moment.memory.memory_id, []).append(moment)
    return float(sum(total_s(own) for own in by_memory.values()))


def with_text(moment: Moment, text: str | None) -> Moment:
    """The same moment, found for `text`; a picture is said to show it, words stay what they are."""
    shown = text if moment.channel is Channel.VISION else moment.text
    return replace(moment, text=shown, found_for=text)


@dataclass(frozen=True, slots=True)
class _Spans:
    """Spans of cells, clipped to a window: rows `[S]`, times `[S]`, strengths `[S]`."""

    rows: NDArray[np.int64]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    strengths: Strengths

    @classmethod
    def inside(cls, memory: QueryMemory, strengths: Strengths, window: Window) -> "_Spans":
        snapshot, rows = memory.snapshot, memory.span_rows
        start_s, end_s = snapshot.span_start_s, snapshot.span_end_s
        if window.instant:
            inside = (start_s <= window.start_s) & (end_s > window.start_s)
            inside |= (start_s == end_s) & (start_s == window.start_s)
            stop_s = np.minimum(end_s[inside], window.limit_s)
            return cls(rows[inside], start_s[inside], stop_s, strengths[inside])
        low = np.maximum(start_s, window.start_s)
        high = np.minimum(end_s, window.end_s)
        # A sliver at the border of the window is the neighbour's last frame, not a visit.
        sliver_s = np.minimum(0.5 * memory.interval_s, 0.5 * (end_s - start_s))
        inside = (high - low >= sliver_s) & (high >= low) & (low < window.end_s)
        return cls(rows[inside], low[inside], high[inside], strengths[inside])

    def where(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> "_Spans":
        return _Spans(self.rows[keep], self.start_s[keep], self.end_s[keep], self.strengths[keep])


def _low_strength(memory: QueryMemory, strengths: Strengths, limit_s: float) -> float:
    """The strength that `LOW_SHARE` of the time remembered before an instant stays under."""
    snapshot, rows = memory.snapshot, memory.span_rows
    past = snapshot.span_start_s < limit_s
    lasting = past & ~memory.sensory[rows]
    if not lasting.any():
        lasting = past if past.any() else np.ones(len(rows), np.bool_)
    values = strengths[lasting]
    lengths = (np.minimum(snapshot.span_end_s, limit_s) - snapshot.span_start_s)[lasting]
    order = np.argsort(values, kind="stable")
    total = np.cumsum(np.maximum(lengths[order], 1e-9))
    return float(values[order][int(np.searchsorted(total, LOW_SHARE * total[-1]))])


def _join(memory: QueryMemory, spans: _Spans, scale: Scale, trust: float) -> list[Moment]:
    """Spans closer than a sampling interval or so become one moment each."""
    if not len(spans.rows):
        return []
    order = np.lexsort((spans.end_s, spans.start_s))
    start_s, end_s = spans.start_s[order], spans.end_s[order]
    reached = np.maximum.accumulate(end_s)
    tolerance_s = JOIN_INTERVALS * memory.interval_s
    first = np.flatnonzero(np.r_[True, start_s[1:] > reached[:-1] + tolerance_s])
    last = np.r_[first[1:], len(order)] - 1
    group = np.repeat(np.arange(len(first)), last - first + 1)
    # Within a group the strongest span first, the earlier of equals.
    ranked = np.lexsort((start_s, -spans.strengths[order], group))
    best = ranked[np.r_[0, np.flatnonzero(np.diff(group[ranked])) + 1]]
    chosen = spans.where(order[best])
    times = _best_instants(memory, chosen)
    confidences = trust * scale.confidences(chosen.strengths)
    return [
        Moment(
            memory=memory,
            start_s=float(start_s[first[index]]),
            end_s=float(reached[last[index]]),
            time_s=float(times[index]),
            strength=float(chosen.strengths[index]),
            confidence=float(confidences[index]),
            row=int(chosen.rows[index]),
        )
        for index in range(len(first))
    ]


def _best_instants(memory: QueryMemory, spans: _Spans) -> NDArray[np.float64]:
    """The exemplar where it lies in the span, else the middle, `[S]`."""
    exemplars = memory.snapshot.exemplar_s[spans.rows]
    inside = (exemplars >= spans.start_s) & (
        exemplars < np.maximum(spans.end_s, spans.start_s + 1e-9)
    )
    instants: NDArray[np.float64] = np.where(inside, exemplars, 0.5 * (spans.start_s + spans.end_s))
    return instants


def _without_copies(memory: QueryMemory, spans: _Spans) -> _Spans:
    """Spans without the sensory frames that a lasting cell holds as well."""
    copies = memory.sensory[spans.rows]
    lasting = np.flatnonzero(~copies)
    if not copies.any() or not len(lasting):
        return spans
    lasting = lasting[np.argsort(spans.start_s[lasting], kind="stable")]
    frames = np.flatnonzero(copies)
    middles = 0.5 * (spans.start_s[frames] + spans.end_s[frames])
    places = np.searchsorted(spans.start_s[lasting], middles, side="right") - 1
    owners = lasting[np.maximum(places, 0)]
    held = (places >= 0) & (spans.end_s[owners] > middles)
    strengths = spans.strengths.copy()
    np.maximum.at(strengths, owners[held], spans.strengths[frames[held]])
    keep = np.ones(len(spans.rows), np.bool_)
    keep[frames[held]] = False
    return _Spans(spans.rows, spans.start_s, spans.end_s, strengths).where(keep)


def _one_each(memory: QueryMemory, spans: _Spans, scale: Scale, trust: float) -> list[Moment]:
    # Ranking goes on with the strongest alone; a thousand is far beyond any list that is shown.
    head = np.argsort(-spans.strengths, kind="stable")[:MAX_RANKED]
    spans = spans.where(head)
    times = _best_instants(memory, spans)
    confidences = trust * scale.confidences(spans.strengths)
    return [
        Moment(
            memory=memory,
            start_s=float(spans.start_s[index]),
            end_s=float(spans.end_s[index]),
            time_s=float(times[index]),
            strength=float(spans.strengths[index]),
            confidence=float(confidences[index]),
            row=int(spans.rows[index]),
        )
        for index in range(len(head))
    ]
