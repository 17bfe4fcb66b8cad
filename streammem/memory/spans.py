"""Keeps the spans of all cells in one pool, so that a cell with many visits borrows from the rest.

A cell owns at least one span. When the pool is full, the closest gaps of the whole memory are
joined first; so a pool of one and a half spans per cell serves both streams where nothing
returns and streams where everything does.
"""

import numpy as np
from numpy.typing import NDArray

from streammem.core.errors import MemoryFileError
from streammem.core.types import Times

SPAN = np.dtype([("start_s", "<f8"), ("end_s", "<f8"), ("owner", "<i4")])
"""A half-open span and the slot of its cell; a free entry keeps the next free one in `owner`."""

Slots = NDArray[np.int64]

# A free entry's `owner` is below every slot: -2 - next, and -1 ends the chain.
_END = -1
_SLOTS_AT_ONCE = 2048
_JOINED_AT_ONCE = 256


def join_closest(starts_s: Times, ends_s: Times, most: int) -> tuple[Times, Times]:
    """At most `most` spans that cover the given ones, which are sorted by start.

    Touching and overlapping spans are joined, then the closest gaps, the earlier first on ties.
    """
    reached = np.maximum.accumulate(ends_s)
    gaps = starts_s[1:] - reached[:-1]
    split = gaps > 0
    surplus = int(np.count_nonzero(split)) + 1 - most
    if surplus > 0:
        order = np.argsort(np.where(split, gaps, np.inf), kind="stable")
        split[order[:surplus]] = False
    first = np.concatenate(([True], split))
    last = np.concatenate((split, [True]))
    return starts_s[first], reached[last]


class SpanPool:
    """Spans in fixed entries, each owned by the slot of a cell."""

    def __init__(self, capacity: int, spans_per_cell: int) -> None:
        self.entries: NDArray[np.void] = np.zeros(capacity, SPAN)
        self.size = 0
        self.live = 0
        self._spans_per_cell = spans_per_cell
        self._first_free = _END

    @property
    def capacity(self) -> int:
        """Entries in all."""
        return int(self.entries.shape[0])

    @property
    def first_free(self) -> int:
        """Head of the chain of free entries, as stored."""
        return self._first_free

    def add(self, owner: int, start_s: float, end_s: float) -> None:
        """Give a cell one more span, joining the closest gaps elsewhere if the pool is full."""
        if self.live == self.capacity:
            self._make_room(min(_JOINED_AT_ONCE, max(1, self.capacity // 32)))
        if self._first_free != _END:
            entry = -2 - self._first_free
            self._first_free = int(self.entries["owner"][entry])
        else:
            entry = self.size
            self.size += 1
        self.entries[entry] = (start_s, end_s, owner)
        self.live += 1

    def of(self, owner: int) -> tuple[Times, Times]:
        """Starts and ends of a cell's spans, sorted."""
        entries = self._of_range(owner, owner + 1)
        return self.entries["start_s"][entries], self.entries["end_s"][entries]

    def merge(self, owner: int, other: int) -> None:
        """Give `owner` the spans of `other`, within the limit of spans of one cell."""
        owners = self.entries["owner"][: self.size]
        entries = np.flatnonzero((owners == owner) | (owners == other))
        entries = entries[np.argsort(self.entries["start_s"][entries], kind="stable")]
        starts_s, ends_s = join_closest(
            self.entries["start_s"][entries], self.entries["end_s"][entries], self._spans_per_cell
        )
        kept = entries[: starts_s.size]
        self.entries["start_s"][kept] = starts_s
        self.entries["end_s"][kept] = ends_s
        self.entries["owner"][kept] = owner
        self._release(entries[starts_s.size :])

    def release(self, owner: int) -> None:
        """Drop all spans of a cell."""
        self._release(np.flatnonzero(self.entries["owner"][: self.size] == owner))

    def first_starts(self, slots: int) -> Times:
        """The earliest start of each of the first `slots` slots, infinite where it has none."""
        owners = self.entries["owner"][: self.size]
        used = owners >= 0
        starts_s = np.full(slots, np.inf)
        np.minimum.at(starts_s, owners[used], self.entries["start_s"][: self.size][used])
        return starts_s

    def live_entries(self) -> Slots:
        """Entries in use, sorted by owner, then start."""
        return self._of_range(0, 1 << 31)

    def _make_room(self, count: int) -> None:
        """Free up to `count` entries by joining the closest gaps between spans of one cell.

        Ties go to the earlier gap. Slots are looked at in ranges, so that the scratch does not
        grow with the pool.
        """
        starts_s, ends_s = self.entries["start_s"], self.entries["end_s"]
        owners = self.entries["owner"]
        closest = np.empty(0, np.float64)
        closed = np.empty(0, np.int64)
        for first in range(0, int(owners[: self.size].max(initial=0)) + 1, _SLOTS_AT_ONCE):
            used = self._of_range(first, first + _SLOTS_AT_ONCE)
            left, right = used[:-1], used[1:]
            same = owners[left] == owners[right]
            left, right = left[same], right[same]
            gaps = np.concatenate((closest, starts_s[right] - ends_s[left]))
            behind = np.concatenate((closed, right))
            order = np.lexsort((starts_s[behind], gaps))[:count]
            closest, closed = gaps[order], behind[order]
        for owner in np.unique(owners[closed]).tolist():
            self._join(owner, closed)

    def _of_range(self, first: int, last: int) -> Slots:
        """Entries of the slots in [first, last), sorted by owner, then start."""
        owners = self.entries["owner"][: self.size]
        used = np.flatnonzero((owners >= first) & (owners < last))
        return used[np.lexsort((self.entries["start_s"][used], owners[used]))]

    def _join(self, owner: int, closed: Slots) -> None:
        """Join the spans of a cell that lie before the entries in `closed` with those."""
        entries = self._of_range(owner, owner + 1)
        joined = np.isin(entries, closed)
        ends_s = self.entries["end_s"][entries]
        last = np.append(np.flatnonzero(~joined)[1:], entries.size) - 1
        self.entries["end_s"][entries[~joined]] = ends_s[last]
        self._release(entries[joined])

    def _release(self, entries: Slots) -> None:
        for entry in entries.tolist():
            self.entries[entry] = (0.0, 0.0, self._first_free)
            self._first_free = -2 - entry
            self.live -= 1

    def to_bytes(self) -> bytes:
        """Used entries as bytes."""
        return self.entries[: self.size].tobytes()

    def load(self, data: bytes, first_free: int) -> None:
        """Take over what `to_bytes` gave.

        Raises:
            MemoryFileError: the bytes do not fit this pool.
        """
        size, rest = divmod(len(data), SPAN.itemsize)
        if rest or size > self.capacity:
            raise MemoryFileError("the spans do not fit the memory's plan")
        self.entries[:size] = np.frombuffer(data, SPAN)
        self.size = size
        self.live = int(np.count_nonzero(self.entries["owner"][:size] >= 0))
        self._first_free = first_free
