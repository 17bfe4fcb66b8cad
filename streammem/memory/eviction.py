"""Chooses which cell is given up once merging can save nothing more.

Merging keeps every span and so uncovers no time; the floor on coverage concerns eviction alone.
"""

from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Times

Integers = NDArray[np.int64]
_SPANS_AT_ONCE = 1 << 14


class VictimRule(Protocol):
    """The order in which cells would be evicted: rows, first victim first."""

    def __call__(self, usage: Times, mass: Times, start_s: Times, ids: Integers) -> Integers:
        """Rows in that order."""
        ...


def least_used(usage: Times, mass: Times, start_s: Times, ids: Integers) -> Integers:
    """Lowest usage first, then smallest mass, then oldest; ties by id.

    Ordering survivors instead of comparing with a cut-off removes one cell per tie, where
    XMem's `usage > threshold` removes all of them (arXiv:2207.07115, its published code).
    """
    return np.lexsort((ids, start_s, mass, usage)).astype(np.int64)


def first_that_keeps_coverage(
    order: list[int], spans: NDArray[np.void], longest_gap_s: float
) -> int:
    """The first slot of `order` without which no uncovered stretch exceeds `longest_gap_s`.

    `spans` are those of every live cell, with fields `start_s`, `end_s` and `owner`; other
    entries have a negative owner. Where every choice opens such a stretch, the first slot is
    returned: a budget comes before coverage.
    """
    by_start = np.argsort(spans["start_s"], kind="stable")
    for slot in order:
        if _longest_gap_s(spans, by_start, slot) <= longest_gap_s:
            return slot
    return order[0]


def shares_by_length(total: int, lengths: list[float]) -> list[int]:
    """A count split over stretches in proportion to their lengths; the parts add up exactly."""
    whole = sum(lengths) or 1.0
    edges = [0, *(round(total * sum(lengths[: n + 1]) / whole) for n in range(len(lengths) - 1))]
    return [right - left for left, right in pairwise([*edges, total])]


def _longest_gap_s(spans: NDArray[np.void], by_start: Integers, without: int) -> float:
    """The longest stretch between the first and last span that no cell but `without` covers."""
    longest_s, reached_s = 0.0, np.inf
    for first in range(0, by_start.size, _SPANS_AT_ONCE):
        block = spans[by_start[first : first + _SPANS_AT_ONCE]]
        block = block[(block["owner"] >= 0) & (block["owner"] != without)]
        if block.size:
            before = np.concatenate(([reached_s], block["end_s"]))
            before[0] = block["start_s"][0] if np.isinf(reached_s) else reached_s
            before = np.maximum.accumulate(before)
            longest_s = max(longest_s, float((block["start_s"] - before[:-1]).max()))
            reached_s = float(before[-1])
    return longest_s
