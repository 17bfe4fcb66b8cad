"""Keeps prototypes that later frames look at most, strengthened by what they stand for."""

from dataclasses import dataclass

import numpy as np

from streammem.memory.codes import Wide
from streammem.memory.published.table import (
    LONG_TERM,
    SPANS_PER_CELL,
    WORKING,
    CellTable,
    Closed,
    Slots,
)

_READERS = 30
# Affinities are kept as whole numbers, so that their sums do not depend on their order.
_UNITS = float(1 << 20)
_FRAMES_AT_ONCE = 32
_MOST_WORKING = 512


@dataclass(frozen=True, slots=True)
class PrototypeKeeper:
    """Every frame reads the memory; what is read most becomes a prototype, what least is dropped.

    Frames are working cells. When a quarter of the memory is full of them, all but the first
    and the newest half are consolidated: one in `ratio` of them, those of the highest usage,
    become prototypes (long-term cells). A prototype's key is potentiated: the mean of all
    candidates weighted by affinity. Where the memory is full, the long-term cell of the lowest
    usage goes, ties the lightest, then the oldest, and no more than are in the way.

    Usage is the affinity that each new frame gives to the 30 cells most like it, per frame of a
    cell's life. Source: XMem (Cheng and Schwing, 2022, arXiv:2207.07115, sections 3.3 and 3.4).
    Deviations: an element is a frame's embedding, not a patch; affinity is a softmax of
    `sharpness` times the cosine; shrinkage and selection, which are learned, are 1. Fixed:
    affinities are those of exact cosines, whose softmax cannot overflow; fewer than 30 cells are
    all read; ties at the limit of eviction remove one cell, not all; usage is carried into the
    long term; each candidate's mass, spans and usage go to the one prototype that is most like
    it, so that nothing is counted twice or lost.
    """

    ratio: int = 4
    sharpness: float = 16.0
    most_cells: int = 0

    @property
    def merging(self) -> bool:
        """A prototype stands for many frames."""
        return True

    @property
    def spans(self) -> int:
        """A prototype may stand for frames that lie apart."""
        return SPANS_PER_CELL

    def keep(self, table: CellTable, closed: Closed, seed: int) -> None:
        """Take frames one after the other; each reads, then becomes a working cell."""
        for first in range(0, len(closed), _FRAMES_AT_ONCE):
            items = range(first, min(first + _FRAMES_AT_ONCE, len(closed)))
            reader = _Reader(table, closed, items, self.sharpness)
            working = int(np.count_nonzero(table.rows["tier"][: table.size] == WORKING))
            for item in items:
                if table.full:
                    table.drop(self._least_used(table))
                reader.read(item)
                slot = table.add(closed, item, WORKING)
                table.rows["partner"][slot] = table.next_id - 1
                reader.admitted(slot, item)
                working += 1
                if working >= max(4, min(_MOST_WORKING, table.capacity // 4)):
                    reader.changed(self._consolidate(table))
                    working = table.in_tier(WORKING).size

    def _least_used(self, table: CellTable) -> int:
        slots = table.in_tier(LONG_TERM)
        rows = table.rows
        order = np.lexsort((rows["id"][slots], rows["mass"][slots], usage(table, slots)))
        return int(slots[order[0]])

    def _consolidate(self, table: CellTable) -> Slots:
        """Make prototypes of the older half of the working cells; the slots that changed."""
        working = table.in_tier(WORKING)
        candidates = working[1 : working.size - working.size // 2]
        count = max(1, candidates.size // self.ratio)
        order = np.lexsort((table.rows["id"][candidates], -usage(table, candidates)))
        chosen = np.sort(order[:count])
        prototypes = candidates[chosen]
        cosines = table.cosines(prototypes, candidates)
        nearest = cosines.argmax(axis=0)
        nearest[chosen] = np.arange(count)
        keys = _potentiated(table, candidates, cosines, self.sharpness)
        for prototype, key in enumerate(keys):
            slot = int(prototypes[prototype])
            group = candidates[(nearest == prototype) & (candidates != slot)]
            for other in group.tolist():
                slot = _join(table, slot, other)
            table.write_key(slot, key)
            table.rows["tier"][slot] = LONG_TERM
            prototypes[prototype] = slot
        return prototypes


def usage(table: CellTable, slots: Slots) -> Wide:
    """Affinity received per frame of each cell's life."""
    life = table.next_id - table.rows["partner"][slots].astype(np.float64)
    received: Wide = table.rows["note"][slots] / life
    return received


def _join(table: CellTable, slot: int, other: int) -> int:
    """Merge two cells with the sum of what they received; the slot."""
    rows = table.rows
    received = float(rows["note"][slot]) + float(rows["note"][other])
    exemplar_s = float(rows["exemplar_s"][slot])
    born = min(int(rows["partner"][slot]), int(rows["partner"][other]))
    merged = table.merge(slot, other)
    rows["note"][merged], rows["partner"][merged] = received, born
    rows["exemplar_s"][merged] = exemplar_s
    return merged


def _potentiated(table: CellTable, candidates: Slots, cosines: Wide, sharpness: float) -> Wide:
    """Fixed-point keys `[P D]`: means of the candidates by their affinity to each prototype."""
    weights = np.exp(sharpness * (cosines - cosines.max(axis=1, keepdims=True)))
    weights /= weights.sum(axis=1, keepdims=True)
    scale = table.rows["scale"][candidates].astype(np.float64)
    keys: Wide = np.rint((weights * scale) @ table.values(candidates))
    return keys


class _Reader:
    """Cosines of all cells with the next few frames, kept up to date while cells change."""

    def __init__(self, table: CellTable, closed: Closed, items: range, sharpness: float) -> None:
        self._table, self._first, self._sharpness = table, items.start, sharpness
        part = slice(items.start, items.stop)
        codes, square_sum = closed.keys.codes[part], closed.keys.square_sum[part]
        self._frames = table.decode(codes, square_sum)
        self._cosines = np.zeros((table.rows.shape[0], len(items)))
        self._among = self._frames.cosines(self._frames)
        self.changed(table.slots)

    def changed(self, slots: Slots) -> None:
        """Compare cells that have a new key."""
        self._cosines[slots] = self._table.cosines_with(slots, self._frames)

    def admitted(self, slot: int, item: int) -> None:
        """Note the slot of a frame, whose cosines with the others are known."""
        self._cosines[slot] = self._among[item - self._first]

    def read(self, item: int) -> None:
        """Let one frame give its affinity to the cells most like it."""
        slots = self._table.slots
        if slots.size == 0:
            return
        cosines = self._cosines[slots, item - self._first]
        if slots.size > _READERS:
            cut = np.partition(cosines, -_READERS)[-_READERS]
            slots, cosines = slots[cosines >= cut], cosines[cosines >= cut]
        affinity = np.exp(self._sharpness * (cosines - cosines.max()))
        self._table.rows["note"][slots] += np.rint(_UNITS * affinity / affinity.sum())
