"""Keeps the visits of all cells in one pool: when each was, and a sketch of how it looked.

A cell owns at least one span. A merged cell's key shows none of its visits well; the sketch, the
first signs of the visit's own key, was taken before any merge and tells them apart. When the
pool is full, neighbours that look alike are joined first, those with the closest gaps of the
whole memory before others; so cells with many visits borrow from those with one.
"""

import numpy as np
from numpy.typing import NDArray

from streammem.core.errors import MemoryFileError
from streammem.core.types import Times
from streammem.memory.signs import LIMB_BITS, Limbs, differing

Slots = NDArray[np.int64]

# A free entry's `owner` is below every slot: -2 - next, and -1 ends the chain.
_END = -1
_SLOTS_AT_ONCE = 2048
_JOINED_AT_ONCE = 256


def span_dtype(sketch_limbs: int) -> np.dtype[np.void]:
    """A half-open span, the slot of its cell and the visit's sketch.

    A free entry keeps the next free one in `owner`.
    """
    return np.dtype(
        [("start_s", "<f8"), ("end_s", "<f8"), ("owner", "<i4"), ("sketch", "<u8", (sketch_limbs,))]
    )


def unlikeness(sketches: Limbs, others: Limbs) -> NDArray[np.int64]:
    """How unlike sketches `[N w]` are, 0 to 3: up to a sixteenth, eighth, quarter of signs, more.

    These are cosines from 0.98, 0.92 and 0.71 on, and less.
    """
    signs = sketches.shape[-1] * LIMB_BITS
    steps = np.array([signs // 16, signs // 8, signs // 4])
    return np.searchsorted(steps, differing(sketches.T, others.T)).astype(np.int64)


def join_spans(spans: NDArray[np.void], most: int) -> NDArray[np.void]:
    """At most `most` spans that cover the given ones of one cell, which are sorted by start.

    Overlapping spans are joined, and touching ones that look alike; then the closest gaps, the
    earlier first on ties. A joined span has the sketch of its longest part, the first on ties.
    """
    reached = np.maximum.accumulate(spans["end_s"])
    gaps = spans["start_s"][1:] - reached[:-1]
    split = gaps >= 0
    split &= (gaps > 0) | (unlikeness(spans["sketch"][1:], spans["sketch"][:-1]) > 0)
    surplus = int(np.count_nonzero(split)) + 1 - most
    if surplus > 0:
        order = np.argsort(np.where(split, gaps, np.inf), kind="stable")
        split[order[:surplus]] = False
    return _joined(spans, split)


def _joined(spans: NDArray[np.void], split: NDArray[np.bool_]) -> NDArray[np.void]:
    """Spans of one cell joined wherever `split`, between neighbours, is false."""
    group = np.concatenate(([0], np.cumsum(split)))
    firsts = np.concatenate(([0], np.flatnonzero(split) + 1))
    lengths = spans["end_s"] - spans["start_s"]
    longest = np.lexsort((-lengths, group))[firsts]
    joined = spans[firsts].copy()
    joined["end_s"] = np.maximum.reduceat(spans["end_s"], firsts)
    joined["sketch"] = spans["sketch"][longest]
    return joined


class SpanPool:
    """Spans in fixed entries, each owned by the slot of a cell."""

    def __init__(self, capacity: int, spans_per_cell: int, sketch_limbs: int) -> None:
        self.entries: NDArray[np.void] = np.zeros(capacity, span_dtype(sketch_limbs))
        self.size = 0
        self.live = 0
        self._spans_per_cell = spans_per_cell
        self._first_free = _END

    @property
    def capacity(self) -> int:
        """Entries in all."""
        return int(self.entries.shape[0])

    @property
    def bytes_per_span(self) -> int:
        """Bytes of an entry."""
        return int(self.entries.dtype.itemsize)

    @property
    def grows(self) -> bool:
        """Whether the next span takes bytes that no span has taken yet."""
        return self._first_free == _END and self.size < self.capacity

    @property
    def first_free(self) -> int:
        """Head of the chain of free entries, as stored."""
        return self._first_free

    def add(self, owner: int, start_s: float, end_s: float, sketch: Limbs) -> None:
        """Give a cell one more span, joining others first if the pool is full."""
        if self.live == self.capacity:
            self._make_room(min(_JOINED_AT_ONCE, max(1, self.capacity // 32)))
        if self._first_free != _END:
            entry = -2 - self._first_free
            self._first_free = int(self.entries["owner"][entry])
        else:
            entry = self.size
            self.size += 1
        self.entries[entry] = (start_s, end_s, owner, sketch)
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
        self._rewrite(owner, entries, join_spans(self.entries[entries], self._spans_per_cell))

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
        """Free up to `count` entries by joining neighbours among the spans of one cell.

        Those most alike come first, then the closest gaps; ties go to the earlier gap.
        Slots are looked at in ranges, so that the scratch does not grow with the pool.
        """
        starts_s, ends_s = self.entries["start_s"], self.entries["end_s"]
        sketches, owners = self.entries["sketch"], self.entries["owner"]
        unlike = np.empty(0, np.int64)
        closest = np.empty(0, np.float64)
        closed = np.empty(0, np.int64)
        for first in range(0, int(owners[: self.size].max(initial=0)) + 1, _SLOTS_AT_ONCE):
            used = self._of_range(first, first + _SLOTS_AT_ONCE)
            left, right = used[:-1], used[1:]
            same = owners[left] == owners[right]
            left, right = left[same], right[same]
            gaps = np.concatenate((closest, starts_s[right] - ends_s[left]))
            apart = np.concatenate((unlike, unlikeness(sketches[left], sketches[right])))
            behind = np.concatenate((closed, right))
            order = np.lexsort((starts_s[behind], gaps, apart))[:count]
            unlike, closest, closed = apart[order], gaps[order], behind[order]
        for owner in np.unique(owners[closed]).tolist():
            entries = self._of_range(owner, owner + 1)
            split = ~np.isin(entries[1:], closed)
            self._rewrite(owner, entries, _joined(self.entries[entries], split))

    def _rewrite(self, owner: int, entries: Slots, spans: NDArray[np.void]) -> None:
        """Let the first of `entries` hold `spans`, and release the others."""
        kept = entries[: spans.size]
        self.entries[kept] = spans
        self.entries["owner"][kept] = owner
        self._release(entries[spans.size :])

    def _of_range(self, first: int, last: int) -> Slots:
        """Entries of the slots in [first, last), sorted by owner, then start."""
        owners = self.entries["owner"][: self.size]
        used = np.flatnonzero((owners >= first) & (owners < last))
        return used[np.lexsort((self.entries["start_s"][used], owners[used]))]

    def _release(self, entries: Slots) -> None:
        for entry in entries.tolist():
            self.entries[entry : entry + 1].view(np.uint8)[:] = 0
            self.entries["owner"][entry] = self._first_free
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
        size, rest = divmod(len(data), self.bytes_per_span)
        if rest or size > self.capacity:
            raise MemoryFileError("the spans do not fit the memory's plan")
        self.entries[:size] = np.frombuffer(data, self.entries.dtype)
        self.size = size
        self.live = int(np.count_nonzero(self.entries["owner"][:size] >= 0))
        self._first_free = first_free
