"""Keeps what pairs of cells are compared by in columns, so that a comparison gathers nothing.

A comparison of one cell with all others reads 64 bytes or less of each, scattered over the
records of spans and cells; gathering them took longer than comparing them. The columns are a
copy that is brought up to date where a cell changed, and is made anew where all of them did.
They are scratch of the process, as the gathered ones were, and no part of a memory's bytes.
"""

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats
from streammem.memory.cells import CellTable
from streammem.memory.signs import differing, distances
from streammem.memory.spans import SpanPool

Slots = NDArray[np.int64]


class LookColumns:
    """Reach, signs and inverse mass of the cells, by slot; right for those that were renewed."""

    def __init__(self, table: CellTable, spans: SpanPool) -> None:
        self._table = table
        self._spans = spans
        self._changed: set[int] | None = None
        self._reach = np.empty(0, np.uint16)
        self._inverse_mass = np.empty(0, np.float32)
        self._signs = np.empty((0, 0), np.uint64)

    def renew(self, slot: int) -> None:
        """The look or the mass of a cell changed."""
        if self._changed is not None:
            self._changed.add(slot)

    def renew_all(self) -> None:
        """All looks changed, perhaps their width too."""
        self._changed = None

    def refresh(self) -> None:
        """Copy what changed since the last time."""
        if self._changed is None:
            # The operating system commits only what is touched, as for the table.
            capacity, limbs = self._table.capacity, self._spans.steps[0]
            self._reach = np.zeros(capacity, np.uint16)
            self._inverse_mass = np.zeros(capacity, np.float32)
            self._signs = np.zeros((limbs, capacity), np.uint64)
            self._copy(np.arange(self._table.size))
        elif self._changed:
            self._copy(np.fromiter(self._changed, np.int64))
        self._changed = set()

    def _copy(self, slots: Slots) -> None:
        rows = self._table.rows
        entries = self._spans.entries
        looks = rows["look"][slots]
        self._reach[slots] = entries["reach"][looks]
        self._signs[:, slots] = entries["signs"][looks].T
        # Free slots have mass 0; nobody asks for their costs.
        self._inverse_mass[slots] = np.divide(1, np.maximum(rows["mass"][slots], 1))

    def inverse_mass(self, slots: Slots | slice) -> Floats:
        """One over the mass of cells, float32 `[N]`."""
        return self._inverse_mass[slots]

    def distances(self, slots: Slots, others: slice) -> Floats:
        """Squared distances float32 `[K N]` of unit keys, by the looks that stand for cells."""
        columns, spread_of = self._signs[:, others], self._spans.likeness.spread
        spread = np.empty((slots.size, columns.shape[1]), np.float32)
        for row, slot in zip(spread, slots.tolist(), strict=True):
            np.take(spread_of, differing(columns, self._signs[:, slot]), out=row, mode="clip")
        return distances(self._reach[slots][:, None], self._reach[others], spread)
