"""Keeps the visits of all cells in one pool: when each was, and how it looked.

A cell owns at least one span. A merged cell's key shows none of its visits well; a span's look
was taken from the visit alone, before any merge, and tells them apart. When the bytes of the
pool are used up, all looks are cut to half their signs; when they are as short as they may be,
neighbours that look alike are joined first, those with the closest gaps of the whole memory
before others; so cells with many visits borrow from those with one.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from streammem.core.errors import MemoryFileError
from streammem.core.types import Times
from streammem.memory.signs import Looks, SignCode, differing, distances, spread_by_difference

Slots = NDArray[np.int64]
Entries = NDArray[np.void]

# A free entry's `owner` is below every slot: -2 - next, and -1 ends the chain.
_END = -1
_SLOTS_AT_ONCE = 2048
_JOINED_AT_ONCE = 256
_ENTRIES_AT_ONCE = 1 << 13
# Squared distances up to which two visits are one picture, one view and one scene. Looks of many
# signs tell pictures apart that lie nearer: up to this number over that of the signs (record 0017).
_ALIKE = (0.04, 0.16, 0.58)
_ALIKE_BY_SIGNS = 5.0


def span_dtype(limbs: int, fits: int) -> np.dtype[np.void]:
    """A half-open span, the slot of its cell and the visit's look.

    A free entry keeps the next free one in `owner`. `fits` are those of the look as it is and
    as it will be when it is cut.
    """
    return np.dtype([
        ("start_s", "<f8"), ("end_s", "<f8"), ("owner", "<i4"), ("reach", "<u2"),
        ("fits", "u1", (fits,)), ("signs", "<u8", (limbs,)),
    ])  # fmt: skip


def looks_of(entries: Entries) -> Looks:
    """The looks of entries."""
    return Looks(entries["reach"], entries["fits"], entries["signs"])


class Likeness:
    """Compares looks of one width."""

    def __init__(self, signs: int) -> None:
        self.spread = spread_by_difference(signs)
        self._alike = np.array([min(_ALIKE[0], _ALIKE_BY_SIGNS / signs), *_ALIKE[1:]], np.float32)

    def distances(self, looks: Entries, others: Entries) -> NDArray[np.float32]:
        """Squared distances `[N]` of unit vectors, pair by pair."""
        spread = self.spread[differing(looks["signs"].T, others["signs"].T)]
        return distances(looks["reach"], others["reach"], spread)

    def unlikeness(self, looks: Entries, others: Entries) -> NDArray[np.int64]:
        """0 to 3, pair by pair: one picture, one view, one scene, or none of them."""
        return np.searchsorted(self._alike, self.distances(looks, others)).astype(np.int64)


def join_spans(spans: Entries, most: int, likeness: Likeness) -> Entries:
    """At most `most` spans that cover the given ones of one cell, which are sorted by start.

    Overlapping spans are joined, and touching ones of one picture; then the closest gaps, the
    earlier first on ties. A joined span has the look of its longest part, the first on ties.
    """
    reached = np.maximum.accumulate(spans["end_s"])
    gaps = spans["start_s"][1:] - reached[:-1]
    split = gaps >= 0
    split &= (gaps > 0) | (likeness.unlikeness(spans[1:], spans[:-1]) > 0)
    surplus = int(np.count_nonzero(split)) + 1 - most
    if surplus > 0:
        order = np.argsort(np.where(split, gaps, np.inf), kind="stable")
        split[order[:surplus]] = False
    return _joined(spans, split)


def _joined(spans: Entries, split: NDArray[np.bool_]) -> Entries:
    """Spans of one cell joined wherever `split`, between neighbours, is false."""
    group = np.concatenate(([0], np.cumsum(split)))
    firsts = np.concatenate(([0], np.flatnonzero(split) + 1))
    lengths = spans["end_s"] - spans["start_s"]
    joined: Entries = spans[np.lexsort((-lengths, group))[firsts]]
    joined["start_s"] = spans["start_s"][firsts]
    joined["end_s"] = np.maximum.reduceat(spans["end_s"], firsts)
    return joined


class SpanPool:
    """Spans in fixed entries, each owned by the slot of a cell.

    `steps` are the limbs of looks, widest first; the pool takes at most `capacity_bytes`.
    """

    def __init__(
        self, capacity_bytes: int, spans_per_cell: int, code: SignCode, steps: tuple[int, ...]
    ) -> None:
        # Written once, so that the process takes these bytes now and does not grow with the stream.
        self._buffer = np.full(capacity_bytes, 0, np.uint8)
        self._spans_per_cell = spans_per_cell
        self._code = code
        self._steps = steps
        self.size = 0
        self.live = 0
        self._first_free = _END
        self._set_step(0)

    def _set_step(self, step: int) -> None:
        self.step = step
        self._dtype = span_dtype(self._steps[step], len(self._steps) - step)
        room = self._buffer.size // self._dtype.itemsize
        self.entries: Entries = self._buffer[: room * self._dtype.itemsize].view(self._dtype)
        self.likeness = Likeness(self._code.signs(self._steps[step]))

    @property
    def steps(self) -> tuple[int, ...]:
        """Limbs of looks as they are now, and as they will be when they are cut."""
        return self._steps[self.step :]

    @property
    def capacity(self) -> int:
        """Entries in all, with looks as wide as they are now."""
        return int(self.entries.shape[0])

    @property
    def bytes_per_span(self) -> int:
        """Bytes of an entry."""
        return int(self._dtype.itemsize)

    @property
    def full(self) -> bool:
        """Whether one more span needs others to give way."""
        return self.live == self.capacity

    @property
    def grows(self) -> bool:
        """Whether the next span takes bytes that no span has taken yet."""
        return self._first_free == _END and self.size < self.capacity

    @property
    def first_free(self) -> int:
        """Head of the chain of free entries, as stored."""
        return self._first_free

    def add(self, owner: int, start_s: float, end_s: float, look: Looks) -> int:
        """Give a cell one more span, with the only one of `look`; the entry it lies in.

        Looks are as wide as `steps` says.

        Raises:
            IndexError: the pool is full.
        """
        if self._first_free != _END:
            entry = -2 - self._first_free
            self._first_free = int(self.entries["owner"][entry])
        elif self.size < self.capacity:
            entry = self.size
            self.size += 1
        else:
            raise IndexError("the pool of spans is full")
        self.entries[entry] = (
            start_s, end_s, owner, look.reach[0], look.fits[0], look.signs[0],
        )  # fmt: skip
        self.live += 1
        return entry

    @property
    def can_be_cut(self) -> bool:
        """Whether looks may become shorter."""
        return self.step + 1 < len(self._steps)

    def cut_looks(self) -> None:
        """Keep the first half of every look; entries keep their numbers.

        Records move towards the front of the same buffer, block by block, so that the scratch
        does not grow with the pool.
        """
        before, size = self.entries, self.size
        self._set_step(self.step + 1)
        limbs = self._steps[self.step]
        for first in range(0, size, _ENTRIES_AT_ONCE):
            block = before[first : min(first + _ENTRIES_AT_ONCE, size)].copy()
            target = self.entries[first : first + block.size]
            for name in ("start_s", "end_s", "owner", "reach"):
                target[name] = block[name]
            target["fits"] = block["fits"][:, 1:]
            target["signs"] = block["signs"][:, :limbs]
        self._buffer[size * self._dtype.itemsize :] = 0

    def of(self, owner: int) -> tuple[Times, Times]:
        """Starts and ends of a cell's spans, sorted."""
        entries = self._of_range(owner, owner + 1)
        return self.entries["start_s"][entries], self.entries["end_s"][entries]

    def merge(self, owner: int, other: int) -> Slots:
        """Give `owner` the spans of `other`, within the limit of spans of one cell.

        Returns the entries of all its spans, sorted by start.
        """
        owners = self.entries["owner"][: self.size]
        entries = np.flatnonzero((owners == owner) | (owners == other))
        entries = entries[np.argsort(self.entries["start_s"][entries], kind="stable")]
        spans = join_spans(self.entries[entries], self._spans_per_cell, self.likeness)
        return self._rewrite(owner, entries, spans)

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

    def join_some(self) -> Mapping[int, Slots]:
        """Free some entries by joining neighbours among the spans of one cell.

        Those most alike come first, then the closest gaps; ties go to the earlier gap. Spans
        are looked at in blocks. Returns, for each cell that was changed, its entries sorted by
        start.
        """
        count = min(_JOINED_AT_ONCE, max(1, self.capacity // 32))
        starts_s, owners = self.entries["start_s"], self.entries["owner"]
        unlike = np.empty(0, np.int64)
        closest = np.empty(0, np.float64)
        closed = np.empty(0, np.int64)
        for left, right in self._neighbours():
            before, behind = self.entries[left], self.entries[right]
            apart = np.concatenate((unlike, self.likeness.unlikeness(before, behind)))
            gaps = np.concatenate((closest, behind["start_s"] - before["end_s"]))
            after = np.concatenate((closed, right))
            order = np.lexsort((starts_s[after], gaps, apart))[:count]
            unlike, closest, closed = apart[order], gaps[order], after[order]
        changed = {}
        for owner in np.unique(owners[closed]).tolist():
            entries = self._of_range(owner, owner + 1)
            split = ~np.isin(entries[1:], closed)
            changed[owner] = self._rewrite(owner, entries, _joined(self.entries[entries], split))
        return changed

    def _neighbours(self) -> Iterator[tuple[Slots, Slots]]:
        """Entries of neighbouring spans of one cell, a block at a time."""
        owners = self.entries["owner"]
        for first in range(0, int(owners[: self.size].max(initial=0)) + 1, _SLOTS_AT_ONCE):
            used = self._of_range(first, first + _SLOTS_AT_ONCE)
            places = np.flatnonzero(owners[used[:-1]] == owners[used[1:]])
            for start in range(0, places.size, _ENTRIES_AT_ONCE):
                block = places[start : start + _ENTRIES_AT_ONCE]
                yield used[block], used[block + 1]

    def renew_looks(self, owner: int, look: Looks) -> None:
        """Give every span of a cell the only one of `look`."""
        entries = self._of_range(owner, owner + 1)
        self.entries["reach"][entries] = look.reach[0]
        self.entries["fits"][entries] = look.fits[0]
        self.entries["signs"][entries] = look.signs[0]

    def _rewrite(self, owner: int, entries: Slots, spans: Entries) -> Slots:
        """Let the first of `entries` hold `spans`, and release the others."""
        kept = entries[: spans.size]
        self.entries[kept] = spans
        self.entries["owner"][kept] = owner
        self._release(entries[spans.size :])
        return kept

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

    def load(self, data: bytes, first_free: int, step: int) -> None:
        """Take over what `to_bytes` gave.

        Raises:
            MemoryFileError: the bytes do not fit this pool.
        """
        if not 0 <= step < len(self._steps):
            raise MemoryFileError("the spans do not fit the memory's plan")
        self._set_step(step)
        size, rest = divmod(len(data), self.bytes_per_span)
        if rest or size > self.capacity:
            raise MemoryFileError("the spans do not fit the memory's plan")
        self.entries[:size] = np.frombuffer(data, self._dtype)
        self.size = size
        self.live = int(np.count_nonzero(self.entries["owner"][:size] >= 0))
        self._first_free = first_free
