"""Operators over spans of one stream: order, number, length and state, without any scores.

Everything the answers compute with times is here, so that it can be tested against definitions.
Spans are half-open [start_s, end_s); anything with these two fields is one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, Protocol, Self, TypeVar

from streammem.core.timebase import TimeSpan, merge_spans

# Times nearer than this are the same instant: sums of float seconds differ by less.
SAME_S = 1e-9


class Spanned(Protocol):
    """Anything that lasts from `start_s` to `end_s`."""

    @property
    def start_s(self) -> float: ...  # noqa: D102
    @property
    def end_s(self) -> float: ...  # noqa: D102


class Divisible(Spanned, Protocol):
    """A span that can be cut shorter."""

    def cut(self, start_s: float, end_s: float) -> Self:
        """The same with other borders, inside the old ones."""


S = TypeVar("S", bound=Spanned)
D = TypeVar("D", bound=Divisible)


@dataclass(frozen=True, slots=True)
class Run(Generic[S]):
    """A stretch in which one state holds: its name and the spans that show it, in time order."""

    state: str
    spans: tuple[S, ...]

    @property
    def start_s(self) -> float:
        """When the state is first seen."""
        return self.spans[0].start_s

    @property
    def end_s(self) -> float:
        """When it is last seen."""
        return max(span.end_s for span in self.spans)


def in_order(spans: Iterable[S]) -> list[S]:
    """Spans by start, then by end."""
    return sorted(spans, key=lambda span: (span.start_s, span.end_s))


def nth(spans: Iterable[S], rank: int) -> S | None:
    """The n-th span in time, from 1 on or from the end for -1 on; None where there are too few."""
    ordered = in_order(spans)
    index = rank - 1 if rank > 0 else len(ordered) + rank
    return ordered[index] if rank and 0 <= index < len(ordered) else None


def between(starts: Sequence[S], ends: Sequence[S]) -> tuple[S, S] | None:
    """The first span of one kind and the next of the other; in the order seen if reversed.

    None where there are not two different spans.
    """
    start = nth(starts, 1)
    if start is None:
        return None
    others = [span for span in ends if span != start]
    end = nth((span for span in others if span.start_s >= start.start_s), 1)
    if end is not None:
        return start, end
    earlier = nth(others, 1)
    return None if earlier is None else (earlier, start)


def restricted(
    spans: Iterable[D], start_s: float, end_s: float, *, sliver_s: float = 0.0
) -> list[D]:
    """The parts of spans within [start_s, end_s), in time order.

    A part that is shorter than `sliver_s`, and shorter than half of its span, is left out: it is
    a frame at the border that belongs to what lies beyond it.
    """
    parts = []
    for span in spans:
        low, high = max(span.start_s, start_s), min(span.end_s, end_s)
        whole_s = span.end_s - span.start_s
        instant = whole_s == 0 and start_s <= span.start_s < end_s
        if not instant and (high <= low or high - low + SAME_S < min(sliver_s, 0.5 * whole_s)):
            continue
        parts.append(span if high - low >= whole_s else span.cut(low, high))
    return in_order(parts)


def remaining(
    start_s: float, end_s: float, taken: Iterable[Spanned], *, sliver_s: float = 0.0
) -> list[TimeSpan]:
    """What spans leave of [start_s, end_s), in time order, without parts under `sliver_s`."""
    free, free_from_s = [], start_s
    edge = TimeSpan(end_s, end_s)
    for span in [*in_order(TimeSpan(span.start_s, span.end_s) for span in taken), edge]:
        until_s = min(span.start_s, end_s)
        if until_s - free_from_s > max(sliver_s - SAME_S, SAME_S):
            free.append(TimeSpan(free_from_s, until_s))
        free_from_s = max(free_from_s, span.end_s)
    return free


def total_s(spans: Iterable[S]) -> float:
    """Seconds that spans cover together, overlaps once."""
    merged = merge_spans(TimeSpan(span.start_s, span.end_s) for span in spans)
    return float(sum(span.duration_s for span in merged))


def longest(spans: Iterable[S]) -> S | None:
    """The span that lasts longest, the earliest of equals; None without spans."""
    return max(in_order(spans), key=lambda span: round(span.end_s - span.start_s, 6), default=None)


def shortest(spans: Iterable[S]) -> S | None:
    """The span that lasts shortest, the earliest of equals; None without spans."""
    return min(in_order(spans), key=lambda span: round(span.end_s - span.start_s, 6), default=None)


def first_seen(kinds: Mapping[str, Sequence[S]]) -> list[tuple[str, S]]:
    """Each kind with its first span, in the order of those; kinds without spans are left out."""
    firsts = [(name, in_order(spans)[0]) for name, spans in kinds.items() if spans]
    return sorted(firsts, key=lambda item: (item[1].start_s, item[0]))


def most(amounts: Mapping[str, float]) -> tuple[str, ...]:
    """The names with the largest amount, several where they are equal, none where it is 0."""
    best = max(amounts.values(), default=0.0)
    if best <= 0:
        return ()
    return tuple(name for name, amount in amounts.items() if best - amount < SAME_S)


def least(amounts: Mapping[str, float]) -> tuple[str, ...]:
    """The names with the smallest amount."""
    low = min(amounts.values(), default=0.0)
    return tuple(name for name, amount in amounts.items() if amount - low < SAME_S)


def runs(states: Iterable[tuple[str, S]]) -> list[Run[S]]:
    """Named spans in time order as stretches in which the state stays the same."""
    found: list[Run[S]] = []
    for state, span in sorted(states, key=lambda item: (item[1].start_s, item[1].end_s, item[0])):
        if found and found[-1].state == state:
            found[-1] = Run(state, (*found[-1].spans, span))
        else:
            found.append(Run(state, (span,)))
    return found


def changes(
    stretches: Sequence[Run[S]], *, old: str | None = None, new: str | None = None
) -> list[tuple[Run[S], Run[S]]]:
    """Neighbouring stretches of different states, of a named old or new state only if given."""
    pairs = pairwise(stretches)
    return [
        (before, after)
        for before, after in pairs
        if old in {None, before.state} and new in {None, after.state}
    ]


def newest(stretches: Sequence[Run[S]]) -> Run[S] | None:
    """The state that holds last: the one that began last; None without any."""
    return max(stretches, key=lambda run: run.start_s, default=None)


def still_holds(spans: Iterable[S], now_s: float, recent_s: float) -> bool:
    """Whether any span reaches into the last `recent_s` seconds before `now_s`."""
    return any(span.end_s > now_s - recent_s and span.start_s <= now_s + SAME_S for span in spans)
