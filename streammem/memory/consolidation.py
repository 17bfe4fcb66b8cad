"""Finds the globally cheapest merge without comparing every pair again for every event.

Each cell keeps the cheapest merge among the cells that were there when it was last compared.
A new or merged cell is compared with all others, so every pair is known to at least one of its
two cells; a cell whose partner is gone keeps its old cost, which can only be too low, and is
compared again when that cost comes up. That is the generic linkage algorithm of Muellner
("Modern hierarchical, agglomerative clustering algorithms", 2011, arXiv:1109.2378, figure 3),
with the comparisons of several cells made in one pass. Keys are compared by the looks that
stand for the cells.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats
from streammem.memory.cells import NONE, CellTable
from streammem.memory.look_columns import LookColumns
from streammem.memory.spans import SpanPool

# Rows compared in one pass: enough to share its fixed cost, few enough to waste little.
_ROWS_PER_PASS = 3
# Pairs compared in one pass where all cells must be, as after looks were cut: bounds the scratch.
_PAIRS_PER_PASS = 1 << 17
# Slots priced at once; bounds the scratch of one pass.
_SLOTS_PER_STRETCH = 1 << 13
_NO_ID = np.uint32(0xFFFFFFFF)

Slots = NDArray[np.int64]


class PairCost(Protocol):
    """The cost of merging cells, from squared distances of unit keys and inverse masses.

    `distance` float32 `[K N]`; `inverse_mass` float32 `[K 1]` and `[1 N]`. It must give the
    same value for a pair whichever of the two cells is the row.
    """

    def __call__(
        self, distance: Floats, inverse_mass: Floats, other_inverse_mass: Floats, exponent: float
    ) -> Floats:
        """Costs float32 `[K N]`."""
        ...


def mass_weighted_cost(
    distance: Floats, inverse_mass: Floats, other_inverse_mass: Floats, exponent: float
) -> Floats:
    """(m1 m2 / (m1 + m2)) ** exponent times the squared distance.

    Exponent 1 is Ward's criterion, which spends cells on what lasts; 0 ignores mass, which
    keeps rare moments. See section 5 of the design for the trial behind the default.
    """
    if exponent == 0:
        return distance
    harmonic = np.power(inverse_mass + other_inverse_mass, np.float32(-exponent))
    cost: Floats = np.multiply(harmonic, distance, dtype=np.float32)
    return cost


@dataclass(frozen=True, slots=True)
class Merge:
    """Two slots to merge, the older cell first, with cost and squared distance of unit keys."""

    older: int
    younger: int
    cost: float
    distance: float


class Neighbours:
    """Keeps the links of a cell table right; owns no data of its own.

    Candidates for merging are the cells with a finite cost in their link.
    """

    def __init__(
        self, table: CellTable, spans: SpanPool, pair_cost: PairCost, mass_exponent: float
    ) -> None:
        self._table = table
        self._spans = spans
        self._columns = LookColumns(table, spans)
        self._pair_cost = pair_cost
        self._exponent = mass_exponent

    def add(self, slot: int) -> None:
        """Make a cell a candidate; it is compared when the next decision is taken."""
        self._table.links[slot] = (NONE, 0.0)
        self._columns.renew(slot)

    def forget(self, slot: int) -> None:
        """A cell is no longer a candidate, or its key changed: nobody's partner any more."""
        links = self._table.links[: self._table.size]
        links["partner"][(links["partner"] == slot) & np.isfinite(links["cost"])] = NONE
        links[slot] = (NONE, np.inf)

    def renew(self, slot: int) -> None:
        """The key of a cell changed: if it is a candidate, it is compared again."""
        if np.isfinite(self._table.links["cost"][slot]):
            self.forget(slot)
            self.add(slot)

    def forget_all(self) -> None:
        """Keys are compared otherwise now: no partner and no cost holds any more."""
        links = self._table.links[: self._table.size]
        candidates = np.isfinite(links["cost"])
        links[candidates] = (NONE, 0.0)
        self._columns.renew_all()

    def distance(self, slot: int, other: int) -> float:
        """The squared distance of the unit keys of two cells."""
        look, entries = self._table.rows["look"], self._spans.entries
        pair = entries[look[[slot, other]]]
        return float(self._spans.likeness.distances(pair[:1], pair[1:])[0])

    def cheapest_with(self, slot: int) -> Merge | None:
        """The cheapest merge of a candidate with another one."""
        if self._table.links["partner"][slot] == NONE:
            self._compare_stale(slot)
        partner = int(self._table.links["partner"][slot])
        return None if partner == NONE else self._merge_of(slot, partner)

    def cheapest(self) -> Merge | None:
        """The cheapest merge of all; ties go to the smallest older id, then younger id."""
        table = self._table
        links = table.links[: table.size]
        while True:
            costs = links["cost"]
            if np.count_nonzero(np.isfinite(costs)) < 2:
                return None
            lowest = costs.min()
            slots = np.flatnonzero(costs == lowest)
            partners = links["partner"][slots]
            if (partners == NONE).any():
                self._compare_stale()
                continue
            ids = table.rows["id"]
            first = np.minimum(ids[slots], ids[partners])
            second = np.maximum(ids[slots], ids[partners])
            best = np.lexsort((second, first))[0]
            return self._merge_of(int(slots[best]), int(partners[best]))

    def _merge_of(self, slot: int, partner: int) -> Merge:
        ids = self._table.rows["id"]
        older, younger = (slot, partner) if ids[slot] < ids[partner] else (partner, slot)
        cost = float(self._table.links["cost"][slot])
        return Merge(older, younger, cost, self.distance(older, younger))

    def _compare_stale(self, slot: int | None = None) -> None:
        """Compare `slot` and the cells whose lower bounds come up next with all candidates."""
        links = self._table.links[: self._table.size]
        stale = np.flatnonzero((links["partner"] == NONE) & np.isfinite(links["cost"]))
        bounds = links["cost"][stale].copy()
        if slot is not None:
            bounds[stale == slot] = -np.inf
        # None of those that nothing is known of can be left out.
        unknown = min(int(np.count_nonzero(bounds <= 0)), _PAIRS_PER_PASS // self._table.size)
        self._compare(stale[_lowest(bounds, max(_ROWS_PER_PASS, unknown))])

    def _compare(self, slots: Slots) -> None:
        """Set the links of `slots` from one pass over all candidates; ties to the smaller id."""
        table, columns = self._table, self._columns
        columns.refresh()
        best_cost = np.full(slots.size, np.inf, np.float32)
        best_id = np.full(slots.size, _NO_ID, np.uint32)
        best_slot = np.full(slots.size, NONE, np.int64)
        rows = np.arange(slots.size)
        for first in range(0, table.size, _SLOTS_PER_STRETCH):
            others = slice(first, min(first + _SLOTS_PER_STRETCH, table.size))
            cost = self._pair_cost(
                columns.distances(slots, others),
                columns.inverse_mass(slots)[:, None],
                columns.inverse_mass(others),
                self._exponent,
            )
            cost[:, np.isinf(table.links["cost"][others])] = np.inf
            inside = (slots >= others.start) & (slots < others.stop)
            cost[rows[inside], slots[inside] - first] = np.inf
            lowest = cost.min(axis=1)
            at, ids = self._smallest_ids(cost == lowest[:, None], first)
            better = (lowest < best_cost) | ((lowest == best_cost) & (ids < best_id))
            better &= np.isfinite(lowest)
            best_cost[better], best_id[better] = lowest[better], ids[better]
            best_slot[better] = first + at[better]
        # A candidate without company waits at the lowest bound, not at infinity.
        table.links["partner"][slots] = best_slot
        table.links["cost"][slots] = np.where(best_slot == NONE, 0, best_cost)

    def _smallest_ids(
        self, equal: NDArray[np.bool_], first: int
    ) -> tuple[Slots, NDArray[np.uint32]]:
        """Where in each row, among the marked places, the cell with the smallest id is."""
        at = equal.argmax(axis=1).astype(np.int64)
        ids = self._table.rows["id"][first + at]
        for row in np.flatnonzero(np.count_nonzero(equal, axis=1) > 1).tolist():
            places = np.flatnonzero(equal[row])
            tied = self._table.rows["id"][first + places]
            at[row], ids[row] = places[tied.argmin()], tied.min()
        return at, ids


def _lowest(values: Floats, count: int) -> Slots:
    """Where the `count` lowest values are, in no order; the first ones on ties."""
    if count >= values.size:
        return np.arange(values.size)
    bound = np.partition(values, count - 1)[count - 1]
    below = np.flatnonzero(values < bound)
    return np.concatenate((below, np.flatnonzero(values == bound)[: count - below.size]))
