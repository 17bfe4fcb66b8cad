"""Holds cells in fixed slots whose bytes change only where a cell changes.

A slot is never moved: storage writes the 4 KB pieces that differ, so an event or a merge costs
a few of them, however large the memory is.
"""

import numpy as np
from numpy.typing import NDArray

from streammem.core.errors import MemoryFileError

FREE, WORKING, LONG_TERM = 0, 1, 2
NONE = -1
"""No slot: the end of the chain of free slots, or a neighbour that is not known."""

LINK = np.dtype([("partner", "<i4"), ("cost", "<f4")])
"""Cheapest known merge of a cell; a free slot keeps the next free one in `partner`."""


CELL = np.dtype([
    ("time_low", "<u8"), ("exemplar_s", "<f8"), ("time_high", "<i4"), ("mass", "<u4"),
    ("id", "<u4"), ("visits", "<u4"), ("use", "<u4"), ("born_reads", "<u4"),
    ("detail", "<i4"), ("look", "<i4"), ("tier", "u1"), ("pinned", "u1"), ("spare", "u1", (2,)),
])  # fmt: skip
"""One cell.

`time_high`, `time_low` are the two parts of the exact sum of frame times in microseconds;
`born_reads` is the count of reads when the cell came to be, so that reading touches only cells
that were returned. `detail` is the place of the cell's detail or `NONE`, `look` the entry of the
span whose look stands for the cell: the one of its exemplar.
"""


CELL_BYTES = CELL.itemsize + LINK.itemsize
"""Bytes of a slot with its link."""


def split_sum(total: int) -> tuple[int, int]:
    """An exact sum of up to 95 bits as (high, low), the lower 64 bits in `low`."""
    return total >> 64, total & 0xFFFFFFFFFFFFFFFF


def join_sum(high: int, low: int) -> int:
    """The inverse of `split_sum`."""
    return (int(high) << 64) | int(low)


class CellTable:
    """Slots for cells and, beside each, its cheapest known merge.

    Owns the arrays and the chain of free slots; knows nothing of policies. Capacity is reserved
    at once and committed by the operating system only where touched, so growing copies nothing.
    """

    def __init__(self, capacity: int) -> None:
        self.rows: NDArray[np.void] = np.zeros(capacity, CELL)
        self.links: NDArray[np.void] = np.zeros(capacity, LINK)
        self.size = 0
        self.live = 0
        self._first_free = NONE

    @property
    def capacity(self) -> int:
        """Slots in all."""
        return int(self.rows.shape[0])

    @property
    def full(self) -> bool:
        """Whether every slot holds a cell."""
        return self.live == self.capacity

    @property
    def grows(self) -> bool:
        """Whether the next cell takes bytes that no cell has taken yet."""
        return self._first_free == NONE and self.size < self.capacity

    @property
    def bytes_per_cell(self) -> int:
        """Bytes of a slot without its spans."""
        return CELL_BYTES

    @property
    def slots(self) -> NDArray[np.int64]:
        """Slots that hold a cell, increasing."""
        return np.flatnonzero(self.rows["tier"][: self.size]).astype(np.int64)

    def allocate(self) -> int:
        """A cleared slot for a new cell.

        Raises:
            IndexError: the table is full.
        """
        slot = self._first_free
        if slot != NONE:
            self._first_free = int(self.links["partner"][slot])
        elif self.size < self.capacity:
            slot = self.size
            self.size += 1
        else:
            raise IndexError("the cell table is full")
        self.rows[slot : slot + 1].view(np.uint8)[:] = 0
        self.links[slot] = (NONE, np.inf)
        self.live += 1
        return slot

    def release(self, slot: int) -> None:
        """Give a slot back; its bytes are cleared so that nothing of the cell remains."""
        self.rows[slot : slot + 1].view(np.uint8)[:] = 0
        self.links[slot] = (self._first_free, np.inf)
        self._first_free = slot
        self.live -= 1

    def slot_of(self, cell_id: int) -> int | None:
        """The slot of a live cell, None where there is none of that id."""
        if not 0 < cell_id < 1 << 32:
            return None
        found = np.flatnonzero(self.rows["id"][: self.size] == cell_id)
        return int(found[0]) if found.size else None

    def to_sections(self) -> dict[str, bytes]:
        """Used slots as bytes."""
        return {
            "cells": self.rows[: self.size].tobytes(),
            "links": self.links[: self.size].tobytes(),
        }

    def load(self, cells: bytes, links: bytes, first_free: int) -> None:
        """Take over what `to_sections` gave.

        Raises:
            MemoryFileError: the sections do not fit this table.
        """
        size, rest = divmod(len(cells), CELL.itemsize)
        if rest or size > self.capacity or len(links) != size * LINK.itemsize:
            raise MemoryFileError("the cells and their links do not fit the memory's plan")
        self.rows[:size] = np.frombuffer(cells, CELL)
        self.links[:size] = np.frombuffer(links, LINK)
        self.size = size
        self.live = int(np.count_nonzero(self.rows["tier"][:size]))
        self._first_free = first_free

    @property
    def first_free(self) -> int:
        """Head of the chain of free slots."""
        return self._first_free
