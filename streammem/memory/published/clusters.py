"""Keeps weighted k-means centroids of all frames, each with the real frame nearest to it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streammem.memory.codes import Wide, rows_per_block
from streammem.memory.published.table import (
    LONG_TERM,
    SPANS_PER_CELL,
    WORKING,
    CellTable,
    Closed,
    Slots,
)

_WAITING_SHARE = 8
_MOST_WAITING = 64
_SAME_COST = 1e-3
_NOBODY = 0
_COSTS_AT_ONCE = 1 << 17
_COLUMN_FLOATS = 1 << 17


@dataclass(frozen=True, slots=True)
class CentroidKeeper:
    """Clusters all frames so that the squared distance within clusters grows least.

    Frames wait as working cells, an eighth of the memory but at most 64. Then all cells are
    clustered anew into as many as there is long-term room for: in rounds, cells that are each
    other's cheapest partner become one, the cheapest first; the cost is Ward's, the growth of
    the weighted sum of squares. K + 1 points in K clusters always have exactly one pair
    together, so for one frame this is the best weighted k-means there is.

    Source: Flash-VStream (Zhang and others, 2024, arXiv:2406.08085, and 2025, arXiv:2506.23825:
    weighted k-means for the synopsis, the real frame nearest to a heavy centroid for detail).
    Fixed: starting points are not drawn at random, which made the outcome a random frame joined
    to its neighbour; weights are never reset or lost; times are those of the frames, not of
    slots; equal frames do not divide by 0. Deviation: the frame nearest to each centroid is kept
    as its exemplar's time, which the source still has, instead of a bank of all frames.
    """

    most_cells: int = 0

    @property
    def merging(self) -> bool:
        """A centroid stands for many frames."""
        return True

    @property
    def spans(self) -> int:
        """A centroid may stand for frames that lie apart."""
        return SPANS_PER_CELL

    def keep(self, table: CellTable, closed: Closed, seed: int) -> None:
        """Take frames as working cells, and cluster when enough wait."""
        most_waiting = min(_MOST_WAITING, _COLUMN_FLOATS // table.capacity)
        most_waiting = max(1, min(most_waiting, table.capacity // _WAITING_SHARE))
        waiting = int(np.count_nonzero(table.rows["tier"][: table.size] == WORKING))
        for item in range(len(closed)):
            table.add(closed, item, WORKING)
            waiting += 1
            if waiting == most_waiting:
                _Clustering(table).run(table.capacity - most_waiting)
                waiting = 0


class _Clustering:
    """One clustering. Between two of them each cell knows its cheapest partner (by id) and cost.

    While it runs, that holds for settled cells among themselves. Cells that are new or merged
    are fresh: light ones are the cheapest partner of nearly all cells for as long as they are
    alone, so their costs with all cells are kept in columns, and noted only in the end.
    """

    def __init__(self, table: CellTable) -> None:
        self._table = table
        self._columns: dict[int, Wide] = {}
        self._settled = table.in_tier(LONG_TERM)

    def run(self, most: int) -> None:
        """Merge until at most `most` cells are left and none show the same."""
        table, rows = self._table, self._table.rows
        waiting = table.in_tier(WORKING)
        rows["tier"][waiting] = LONG_TERM
        self._freshen(waiting)
        while table.live > 1:
            merged: list[int] = []
            gone: list[int] = []
            for cost, first, second in self._mutual():
                if table.live <= most and cost > _SAME_COST:
                    break
                gone += [int(rows["id"][slot]) for slot in (first, second)]
                merged.append(table.merge(first, second))
                for slot in (first, second):
                    self._columns.pop(slot, None)
                    for column in self._columns.values():
                        column[slot] = np.inf
            if not merged:
                break
            settled = rows["tier"][self._settled] == LONG_TERM
            self._settled = self._settled[settled & ~np.isin(self._settled, merged)]
            bereft = np.isin(rows["partner"][self._settled], gone)
            self._note(self._settled, self._settled[bereft])
            self._freshen(np.array(merged))
        costs, partners = self._best()
        everyone = table.slots
        rows["note"][everyone], rows["partner"][everyone] = costs[everyone], partners[everyone]

    def _freshen(self, slots: Slots) -> None:
        """Compare new or merged cells with all cells."""
        everyone = self._table.in_tier(LONG_TERM)
        for block in self._blocks(slots, everyone.size):
            costs = self._costs(everyone, block)
            for place, slot in enumerate(block.tolist()):
                column = np.full(self._table.size, np.inf)
                column[everyone] = costs[:, place]
                column[slot] = np.inf
                for other, known in self._columns.items():
                    known[slot] = column[other]
                self._columns[slot] = column

    def _note(self, among: Slots, slots: Slots) -> None:
        """Find the cheapest partners of settled cells among settled cells, by id on ties."""
        rows = self._table.rows
        for block in self._blocks(slots, among.size):
            costs = self._costs(among, block)
            costs[among[:, None] == block] = np.inf
            best = costs.argmin(axis=0)
            rows["note"][block] = costs[best, np.arange(block.size)]
            rows["partner"][block] = rows["id"][among[best]]

    def _blocks(self, slots: Slots, others: int) -> list[Slots]:
        step = max(1, min(rows_per_block(self._table.code.dim), _COSTS_AT_ONCE // max(1, others)))
        return [slots[first : first + step] for first in range(0, slots.size, step)]

    def _best(self) -> tuple[Wide, NDArray[np.int64]]:
        """Cost and id of the cheapest partner of the cell in each slot, lower ids on ties."""
        table, rows = self._table, self._table.rows
        cost = np.full(table.size, np.inf)
        partner = np.full(table.size, _NOBODY, np.int64)
        cost[self._settled] = rows["note"][self._settled]
        partner[self._settled] = rows["partner"][self._settled]
        everyone = table.in_tier(LONG_TERM)
        ids = rows["id"][everyone].astype(np.int64)
        for slot, column in self._columns.items():
            mine = int(rows["id"][slot])
            best = int(column[everyone].argmin())
            cheaper = column < cost
            cheaper |= (column == cost) & (mine < partner)
            cheaper[slot] = False
            cost[cheaper], partner[cheaper] = column[cheaper], mine
            own = float(column[everyone[best]])
            if own < cost[slot] or (own == cost[slot] and ids[best] < partner[slot]):
                cost[slot], partner[slot] = own, ids[best]
        return cost, partner

    def _mutual(self) -> list[tuple[float, int, int]]:
        """Pairs that are each other's cheapest partner: cost and slots, cheapest first."""
        slots = self._table.in_tier(LONG_TERM)
        ids = self._table.rows["id"][slots].astype(np.int64)
        cost, partner = self._best()
        partners = partner[slots]
        at = np.minimum(np.searchsorted(ids, partners), slots.size - 1)
        firsts = np.flatnonzero((ids[at] == partners) & (partners[at] == ids) & (ids < partners))
        firsts = firsts[np.lexsort((ids[firsts], cost[slots[firsts]]))]
        return [(float(cost[slots[i]]), int(slots[i]), int(slots[at[i]])) for i in firsts]

    def _costs(self, slots: Slots, others: Slots) -> Wide:
        """Ward's cost `[N M]`: the growth of the sum of squares, in squared unit lengths."""
        table, rows = self._table, self._table.rows
        mass, other_mass = (rows["mass"][of].astype(np.float64) for of in (slots, others))
        squares, other_squares = table.squares(slots), table.squares(others)
        products = table.cosines(slots, others)
        products *= np.sqrt(squares)[:, None] * np.sqrt(other_squares)
        distance = np.maximum(squares[:, None] + other_squares - 2 * products, 0)
        cost: Wide = distance * (mass[:, None] * other_mass / (mass[:, None] + other_mass))
        return cost
