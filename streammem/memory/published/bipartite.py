"""Merges cells by bipartite soft matching, inside a segment and over the whole memory."""

from dataclasses import dataclass

import numpy as np

from streammem.memory.codes import Wide, rows_per_block
from streammem.memory.published.events import merge_same
from streammem.memory.published.table import (
    LONG_TERM,
    SPANS_PER_CELL,
    WORKING,
    CellTable,
    Closed,
    Slots,
)


def best_matches(table: CellTable, slots: Slots, count: int) -> list[tuple[int, int]]:
    """The `count` best pairs of bipartite soft matching over cells in time order.

    Cells take sides in turn. Each of the first side looks for the one of the second side that is
    most like it; the best `count` of these pairs are taken, ties by the older cell. Several may
    have the same partner.
    """
    left, right = slots[::2], slots[1::2]
    best = np.empty(left.size, np.int64)
    cosine = np.empty(left.size)
    step = max(1, (1 << 18) // max(1, right.size))
    for first in range(0, left.size, step):
        block = _cosines(table, left[first : first + step], right)
        best[first : first + step] = block.argmax(axis=1)
        cosine[first : first + step] = block.max(axis=1)
    order = np.argsort(-cosine, kind="stable")[:count]
    return list(zip(left[order].tolist(), right[best[order]].tolist(), strict=True))


def _cosines(table: CellTable, left: Slots, right: Slots) -> Wide:
    step = rows_per_block(table.code.dim)
    parts = [
        table.cosines(left, right[first : first + step]) for first in range(0, right.size, step)
    ]
    return np.concatenate(parts, axis=1)


def merge_matches(table: CellTable, pairs: list[tuple[int, int]]) -> None:
    """Merge pairs, best first; one that shares a cell with an earlier pair joins its result."""
    now: dict[int, int] = {}
    for left, right in pairs:
        into = now.get(right, right)
        merged = table.merge(left, into)
        now[right] = merged


@dataclass(frozen=True, slots=True)
class TokenMergingKeeper:
    """Halves each segment of frames until a few cells are left, and the memory when it is full.

    Frames wait as working cells; a full segment is halved by bipartite soft matching until
    `units` are left. Once the memory is full, one matching over all long-term cells merges an
    eighth of them.

    Source: LongVLM (Weng and others, 2024, arXiv:2404.03384, section 3.2): segments whose
    tokens are merged by matching (ToMe, Bolya and others, 2022, arXiv:2210.09461) with means by
    size. Deviations: frames in place of patch tokens; segments of so many frames, because the
    length of a stream is not known; the class tokens of all frames, which LongVLM adds to every
    segment, would add the same to every key and are left out; the second matching is ours.
    """

    segment: int = 16
    units: int = 4
    most_cells: int = 0

    @property
    def merging(self) -> bool:
        """A cell stands for many frames."""
        return True

    @property
    def spans(self) -> int:
        """Matching cells may lie far apart."""
        return SPANS_PER_CELL

    def keep(self, table: CellTable, closed: Closed, seed: int) -> None:
        """Take frames into the segment, and each full segment into the long term."""
        size = min(self.segment, table.capacity // 2)
        waiting = table.in_tier(WORKING).tolist()
        for item in range(len(closed)):
            if table.full:
                kept = table.in_tier(LONG_TERM)
                merge_matches(table, best_matches(table, kept, max(1, kept.size // 8)))
            waiting.append(table.add(closed, item, WORKING))
            if len(waiting) >= size:
                self._reduce(table)
                waiting = []

    def _reduce(self, table: CellTable) -> None:
        slots = table.in_tier(WORKING)
        while slots.size > self.units:
            merge_matches(
                table, best_matches(table, slots, min(slots.size // 2, slots.size - self.units))
            )
            slots = table.in_tier(WORKING)
        table.rows["tier"][slots] = LONG_TERM
        newest = table.in_tier(LONG_TERM)[-slots.size - 1 :]
        merge_same(table, newest)
