"""What memories that are not opened for a question contribute to its answer.

A question to a large library opens the memories that may answer it. The others still tell how
high a query scores where it is absent, and whether all of them together bear out a "no".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from streammem.query.calibrate import (
    MAX_SHIFT,
    MIN_OTHER_SPANS,
    SPANS_PER_OTHER,
    Strengths,
)

_Number = TypeVar("_Number", np.float64, np.int64)


def spread_out(values: NDArray[_Number]) -> NDArray[_Number]:
    """At most about `SPANS_PER_OTHER` spans of one memory, evenly spaced."""
    return values[:: max(1, len(values) // SPANS_PER_OTHER)]


def raised_zero(parts: Sequence[Strengths]) -> float:
    """How far the zero of a memory is raised that adds nothing to the pool of these parts."""
    kept = [part for part in parts if len(part)]
    size = sum(map(len, kept))
    if size < MIN_OTHER_SPANS:
        return 0.0
    low, high = (size - 1) // 2, size // 2
    values = np.partition(np.concatenate(kept), (low, high))
    return min(max(0.5 * float(values[low] + values[high]), 0.0), MAX_SHIFT)


class Pool:
    """Strengths of one phrase in many memories, sorted once, to raise each one's zero by others.

    What `calibrate.shifted` gives with all other memories, without looking at each pair.
    """

    def __init__(self, parts: Sequence[Strengths]) -> None:
        """The strengths of each memory that count, already spread out."""
        kept = [part for part in parts if len(part)]
        self._sorted = np.sort(np.concatenate(kept)) if kept else np.zeros(0)

    def shift(self, own: Strengths) -> float:
        """How far the zero of a memory is raised whose part of the pool is `own`."""
        size = len(self._sorted) - len(own)
        if size < MIN_OTHER_SPANS:
            return 0.0
        low, high = self._without(own, np.array([(size - 1) // 2, size // 2]))
        return min(max(0.5 * (low + high), 0.0), MAX_SHIFT)

    def _without(self, own: Strengths, ranks: NDArray[np.int64]) -> list[float]:
        """The numbers of these ranks among those of the pool that are not `own`."""
        if len(own):
            ordered = np.sort(own)
            # Equal numbers are interchangeable: the first of them are taken for one's own.
            first = np.searchsorted(self._sorted, ordered, side="left")
            before = first - np.searchsorted(ordered, ordered, side="left")
            ranks = ranks + np.searchsorted(before, ranks, side="right")
        found: list[float] = self._sorted[ranks].tolist()
        return found


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The memories of a library that a question was not opened in.

    `memories` is how many of them the asked range lies in; `silent` whether each of them bears
    out that the phrase is absent: its words are known, all of the range was seen, and nothing in
    it comes near. `strengths_of` gives, for the digest of an encoder and a text, the strengths of
    each of them, spread out; those of several may be one part.
    """

    memories: int = 0
    silent: bool = True
    strengths_of: Callable[[str, str], list[Strengths]] = field(default=lambda _digest, _text: [])


NOWHERE = Elsewhere()
"""Every memory was opened."""
