"""Keepers of whole events: the least recently used goes, or the closest neighbours become one."""

from dataclasses import dataclass

import numpy as np

from streammem.memory.published.table import LONG_TERM, WORKING, CellTable, Closed, Slots

SAME = 0.9995
"""Cosine from which neighbours show the same: they are merged at once, so that a still stream
does not fill the memory."""

_NO_NEXT = -2.0


@dataclass(frozen=True, slots=True)
class LeastUsedKeeper:
    """Keeps events until the memory is full, then gives up the least used: ties, the oldest.

    Used is how often reading returned an event; where nothing is ever read, the oldest goes.
    """

    most_cells: int = 0

    @property
    def merging(self) -> bool:
        """A cell stands for many frames."""
        return True

    @property
    def spans(self) -> int:
        """An event is one span."""
        return 1

    def keep(self, table: CellTable, closed: Closed, seed: int) -> None:
        """Give each event a slot."""
        for item in range(len(closed)):
            if table.full:
                slots = table.slots
                order = np.lexsort((table.rows["id"][slots], table.rows["use"][slots]))
                table.drop(int(slots[order[0]]))
            table.add(closed, item, LONG_TERM)


class Neighbours:
    """Cells in time order, each with its cosine to the next in `note`; made anew in each call."""

    def __init__(self, table: CellTable, slots: Slots) -> None:
        """`slots` in time order, their notes as they were left."""
        self._table, self.slots = table, slots

    def append(self, slot: int) -> None:
        """Add a cell behind the others."""
        self.slots = np.append(self.slots, slot)
        self._note(self.slots.size - 2)
        self._table.rows["note"][slot] = _NO_NEXT

    def closest(self) -> tuple[int, float]:
        """The first place whose cell is most like the next one, and their cosine."""
        notes = self._table.rows["note"][self.slots[:-1]]
        at = int(notes.argmax())
        return at, float(notes[at])

    def merge(self, at: int, weights: tuple[int, int] | None = None) -> None:
        """Make one cell of that at a place and the next."""
        first, second = (int(slot) for slot in self.slots[at : at + 2])
        self._table.rows["note"][first] = self._table.rows["note"][second]
        self._table.merge(first, second, weights)
        self.slots = np.delete(self.slots, at + 1)
        self._note(at - 1)
        self._note(at)

    def pop_oldest(self) -> None:
        """Give up the oldest cell."""
        self._table.drop(int(self.slots[0]))
        self.slots = self.slots[1:]

    def _note(self, at: int) -> None:
        if 0 <= at < self.slots.size - 1:
            left, right = (int(slot) for slot in self.slots[at : at + 2])
            self._table.rows["note"][left] = self._table.cosine(left, right)


def merge_same(table: CellTable, slots: Slots) -> None:
    """Merge each cell that shows the same as the one before it; `slots` in time order."""
    last = int(slots[0])
    for slot in slots[1:].tolist():
        last = table.merge(last, slot) if table.cosine(last, slot) >= SAME else slot


@dataclass(frozen=True, slots=True)
class ClosestNeighboursKeeper:
    """Keeps events in order; once the memory is full, the two most alike neighbours become one.

    Ties go to the first pair.
    """

    most_cells: int = 0

    @property
    def merging(self) -> bool:
        """A cell stands for many frames."""
        return True

    @property
    def spans(self) -> int:
        """Neighbours make one span."""
        return 1

    def keep(self, table: CellTable, closed: Closed, seed: int) -> None:
        """Give each event a slot."""
        order = Neighbours(table, table.in_tier(LONG_TERM))
        for item in range(len(closed)):
            if table.full:
                order.merge(order.closest()[0])
            order.append(table.add(closed, item, LONG_TERM))
            if order.slots.size > 1 and table.rows["note"][order.slots[-2]] >= SAME:
                order.merge(order.slots.size - 2)


@dataclass(frozen=True, slots=True)
class FragmentKeeper:
    """Gathers frames in fragments, merges each to a few cells, and the whole when it is full.

    Frames wait as working cells; with the last frame of a fragment the two most alike
    neighbours become one until `units` are left, which become long-term cells. Once the memory
    is full, the most alike neighbours of the long-term cells become one.

    Source: MovieChat (Song and others, 2023, arXiv:2307.16449, section 3.3). Deviations: keys
    are means by mass (the published plain mean forgets how many frames a key stands for); the
    similarity is the cosine of the paper, not the raw product of the program; real times are
    kept; the program's long-term memory has no working limit, ours merges on by the same rule.
    `faithful` brings back the plain mean and, where the memory is full, drops its oldest cells.
    """

    fragment: int = 8
    units: int = 2
    faithful: bool = False
    most_cells: int = 0

    @property
    def merging(self) -> bool:
        """A cell stands for many frames."""
        return True

    @property
    def spans(self) -> int:
        """Neighbours make one span."""
        return 1

    def keep(self, table: CellTable, closed: Closed, seed: int) -> None:
        """Take frames into the fragment, and each full fragment into the long term."""
        from_here = Neighbours(table, table.in_tier(WORKING))
        kept = Neighbours(table, table.in_tier(LONG_TERM))
        size = min(self.fragment, table.capacity // 2)
        for item in range(len(closed)):
            if table.full:
                self._make_room(kept)
            from_here.append(table.add(closed, item, WORKING))
            if from_here.slots.size < size:
                continue
            while from_here.slots.size > self.units:
                from_here.merge(from_here.closest()[0], self._weights)
            for slot in from_here.slots.tolist():
                table.rows["tier"][slot] = LONG_TERM
                kept.append(slot)
                if kept.slots.size > 1 and table.rows["note"][kept.slots[-2]] >= SAME:
                    kept.merge(kept.slots.size - 2, self._weights)
            from_here = Neighbours(table, from_here.slots[:0])

    @property
    def _weights(self) -> tuple[int, int] | None:
        return (1, 1) if self.faithful else None

    def _make_room(self, kept: Neighbours) -> None:
        if self.faithful:
            kept.pop_oldest()
        else:
            kept.merge(kept.closest()[0])
