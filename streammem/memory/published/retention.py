"""Keeps the frames that rank highest and forgets the rest: the baselines.

A frame's rank is a pure function of its number in the stream (and the seed), so the frames kept
are those of the highest ranks so far, whatever the batches.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streammem.memory.published.table import CellTable, Closed

Numbers = NDArray[np.int64]
Rank = Callable[[Numbers, int], Numbers]
"""Ranks, all different, of frames by their numbers in the stream (from 0) and the seed."""

_NUMBER_BITS = 32
_TAKEN_NEVER = np.iinfo(np.int64).max


def newest(numbers: Numbers, seed: int) -> Numbers:
    """Later frames rank higher."""
    return numbers


def evenly_spaced(numbers: Numbers, seed: int) -> Numbers:
    """Numbers that higher powers of two divide rank higher, later ones among equals.

    What is kept lies one power of two apart in the newer part of the stream and twice as far in
    the older: stride doubling, one frame at a time, so that the memory stays full. This is the
    steady retention of DStream (Moreno and others, 2024, arXiv:2409.06199), for any number of
    cells.
    """
    return (_twos(numbers) << _NUMBER_BITS) + numbers


def stretched(numbers: Numbers, seed: int) -> Numbers:
    """The first frames divisible by each power of two rank higher, higher powers among equals.

    Every power of two keeps about as many frames, the earliest that it divides and the next one
    does not, so that gaps grow in proportion to the time since the start: the stretched
    retention of DStream (arXiv:2409.06199), for any number of cells.
    """
    twos = _twos(numbers + 1)
    return twos - (((numbers + 1) >> (twos + 1)) << 6)


def drawn(numbers: Numbers, seed: int) -> Numbers:
    """A number drawn for each frame (SplitMix64), the same in every release."""
    with np.errstate(over="ignore"):
        start = np.uint64(seed & 0xFFFFFFFFFFFFFFFF)
        state = (numbers + 1).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + start
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    # The lower bits are the number's, so that no two ranks are equal.
    drawn_bits = (state >> np.uint64(_NUMBER_BITS + 1)).astype(np.int64)
    return (drawn_bits << _NUMBER_BITS) | numbers


def _twos(numbers: Numbers) -> Numbers:
    """How many times 2 divides each number; 62 for 0."""
    lowest = numbers & -numbers
    twos: Numbers = np.frexp(lowest.astype(np.float64))[1].astype(np.int64) - 1
    twos[numbers == 0] = _NUMBER_BITS - 2
    return twos


@dataclass(frozen=True, slots=True)
class RankKeeper:
    """Keeps frames by rank; each of `ranks` sees every n-th frame and has an n-th of the cells.

    `most_cells` is as in `Keeper`. Without a limit on cells everything is kept.
    """

    ranks: tuple[Rank, ...]
    tier: int
    most_cells: int = 0

    @property
    def merging(self) -> bool:
        """Frames are kept or not."""
        return False

    @property
    def spans(self) -> int:
        """A frame's own."""
        return 1

    def keep(self, table: CellTable, closed: Closed, seed: int) -> None:
        """Give each frame a slot, that of the lowest rank once all are taken."""
        if table.capacity == 0:
            for item in range(len(closed)):
                table.add(closed, item, self.tier)
            return
        parts = [_Part(self, table, index, seed) for index in range(len(self.ranks))]
        first = table.next_id - 1
        numbers = np.arange(first, first + len(closed))
        ranks = [part.ranks_of(numbers) for part in parts]
        for item, number in enumerate(numbers.tolist()):
            index = number % len(parts)
            parts[index].offer(closed, item, int(ranks[index][item]))


class _Part:
    """The cells of one rank, with the rank of each; made anew in each call."""

    def __init__(self, keeper: RankKeeper, table: CellTable, index: int, seed: int) -> None:
        self._rank, self._table, self._seed = keeper.ranks[index], table, seed
        self._tier, self._stride = keeper.tier, len(keeper.ranks)
        share, rest = divmod(table.capacity, self._stride)
        self._capacity = share + (1 if index < rest else 0)
        numbers = table.rows["id"].astype(np.int64) - 1
        mine = (table.rows["tier"] > 0) & (numbers % self._stride == index)
        self._ranks = np.where(mine, self.ranks_of(numbers), _TAKEN_NEVER)
        self._live = int(np.count_nonzero(mine))

    def ranks_of(self, numbers: Numbers) -> Numbers:
        """Ranks by number in the stream; numbers of other parts get ranks that mean nothing."""
        return self._rank(np.maximum(numbers, 0) // self._stride, self._seed)

    def offer(self, closed: Closed, item: int, rank: int) -> None:
        """Take a frame in, or account for it."""
        if self._live == self._capacity:
            lowest = int(self._ranks.argmin())
            if rank < self._ranks[lowest]:
                self._table.refuse(closed, item)
                return
            self._table.drop(lowest)
            self._ranks[lowest] = _TAKEN_NEVER
            self._live -= 1
        self._ranks[self._table.add(closed, item, self._tier)] = rank
        self._live += 1
