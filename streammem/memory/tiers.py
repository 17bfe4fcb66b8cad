"""Moves cells from the open event to working to long-term, and keeps them within their slots."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Tier, Times
from streammem.memory.cells import LONG_TERM, WORKING, CellTable, join_sum, split_sum
from streammem.memory.codes import FIXED_ONE, RowCode, Wide
from streammem.memory.consolidation import Merge, Neighbours
from streammem.memory.engine import Tally
from streammem.memory.event import Event
from streammem.memory.eviction import first_that_keeps_coverage
from streammem.memory.governor import MemoryPlan
from streammem.memory.ledger import Ledger
from streammem.memory.policies import PolicySet
from streammem.memory.spans import SpanPool

TIER_NAMES = {WORKING: Tier.WORKING, LONG_TERM: Tier.LONG_TERM}
_COUNT_LIMIT = (1 << 32) - 1
_SLOTS_AT_ONCE = 2048
_VICTIMS_CONSIDERED = 64


class Tiers:
    """The working and long-term cells of one memory; `TieredEngine` is the only caller.

    Invariants: every cell has at least one span; working cells are the youngest and are never
    merged with long-term ones; the cell of the stream's first event is pinned.
    """

    def __init__(self, plan: MemoryPlan, policy: PolicySet, seed: int, ledger: Ledger) -> None:
        self.code: RowCode = plan.row_code(seed)
        self.table = CellTable(plan.cells, plan.cell_dtype)
        self.spans = SpanPool(plan.spans, policy.settings.spans_per_cell)
        self.working: list[int] = []
        self.next_id = 1
        self.reads = 0
        self.tally = Tally()
        self._plan = plan
        self._policy = policy
        self._ledger = ledger
        self._neighbours = Neighbours(
            self.table, self.code, policy.pair_cost, policy.settings.mass_exponent
        )

    def close_event(self, event: Event) -> None:
        """Put a closed event into working; consolidate first where there is no slot."""
        self.tally.events += 1
        if len(self.working) == self._plan.working:
            self._promote(self.working.pop(0))
        while self.table.full:
            self._free_a_slot()
        slot = self._new_cell(event)
        if self.working and self._same(self.working[-1], slot):
            self._merge(self.working[-1], slot, WORKING)
        else:
            self.working.append(slot)

    def use(self, returned: Mapping[int, int], reads: int, open_event: Event) -> None:
        """Note what reading returned; ids that are gone are passed over."""
        for cell_id, times in returned.items():
            slot = self.table.slot_of(cell_id)
            if slot is not None:
                row = self.table.rows[slot]
                row["use"] = min(int(row["use"]) + times, _COUNT_LIMIT)
        if open_event.frames:
            times = returned.get(self.next_id, 0)
            open_event.use = min(open_event.use + times, _COUNT_LIMIT)
            open_event.reads = min(open_event.reads + reads, _COUNT_LIMIT)
        self.reads = min(self.reads + reads, _COUNT_LIMIT)

    def _new_cell(self, event: Event) -> int:
        slot = self.table.allocate()
        encoded = self.code.encode(self.code.rotate(event.sums[None, :]))
        row = self.table.rows[slot]
        row["id"], row["tier"], row["visits"] = self.next_id, WORKING, 1
        row["pinned"] = self.next_id == 1
        row["mass"], row["use"] = event.frames, event.use
        row["born_reads"] = max(0, self.reads - event.reads)
        row["time_high"], row["time_low"] = split_sum(event.time_sum_us)
        row["exemplar_s"] = event.exemplar_s
        row["code"] = encoded.codes[0]
        row["square_sum"] = encoded.square_sum[0]
        row["scale"] = encoded.scale[0] / (event.frames * FIXED_ONE)
        if event.tokens.size:
            row["tokens"] = event.tokens
            row["token_count"] = event.tokens.shape[0]
        self.spans.add(slot, event.start_s, event.end_s)
        self.next_id += 1
        return slot

    def _promote(self, slot: int) -> None:
        """The oldest working cell becomes long-term; one that is there already is joined."""
        row = self.table.rows[slot]
        row["tier"] = LONG_TERM
        if row["pinned"]:
            return
        self._neighbours.add(slot)
        merge = self._neighbours.cheapest_with(slot)
        if merge is not None and merge.distance <= self._policy.settings.same_distance:
            self._merge_long_term(merge)

    def _free_a_slot(self) -> None:
        """Merge the cheapest pair, or evict where no merge saves anything worth its cost."""
        merge = self._neighbours.cheapest()
        if merge is not None and merge.distance <= self._policy.settings.max_merge_distance:
            self._merge_long_term(merge)
        else:
            self._evict()

    def _merge_long_term(self, merge: Merge) -> None:
        self._neighbours.forget(merge.older)
        self._neighbours.forget(merge.younger)
        self._merge(merge.older, merge.younger, LONG_TERM)
        self._neighbours.add(merge.older)

    def _same(self, slot: int, other: int) -> bool:
        distance = self._neighbours.distance(slot, other)
        return distance <= self._policy.settings.same_distance

    def _key(self, slot: int) -> Wide:
        """The key in the space of the codes, in fixed point."""
        row = self.table.rows[slot]
        values = self.code.values(row["code"][None, :])[0].astype(np.float64)
        key: Wide = values * (float(row["scale"]) * FIXED_ONE)
        return key

    def _merge(self, older: int, younger: int, tier: int) -> None:
        """Merge two cells into the slot of the older one; its id stays.

        Mass, visits and the sum of times add exactly. The exemplar and its tokens are those of
        the cell whose key lies closer to the merged one, the older cell's on a tie.
        """
        rows = self.table.rows
        kept, gone = rows[older], rows[younger]
        kept_key, gone_key = self._key(older), self._key(younger)
        mass, other_mass = int(kept["mass"]), int(gone["mass"])
        mean = np.rint((mass * kept_key + other_mass * gone_key) / (mass + other_mass))
        if _cosine(gone_key, mean) > _cosine(kept_key, mean):
            kept["exemplar_s"] = gone["exemplar_s"]
            if gone["token_count"]:
                kept["tokens"], kept["token_count"] = gone["tokens"], gone["token_count"]
        encoded = self.code.encode(mean[None, :])
        kept["code"], kept["square_sum"] = encoded.codes[0], encoded.square_sum[0]
        kept["scale"] = encoded.scale[0] / FIXED_ONE
        kept["mass"] = mass + other_mass
        kept["visits"] += gone["visits"]
        kept["time_high"], kept["time_low"] = split_sum(_time_sum(kept) + _time_sum(gone))
        kept["use"] = min(int(kept["use"]) + int(gone["use"]), _COUNT_LIMIT)
        kept["born_reads"] = min(int(kept["born_reads"]), int(gone["born_reads"]))
        kept["pinned"] |= gone["pinned"]
        kept["tier"] = tier
        self.spans.merge(older, younger)
        self.table.release(younger)
        self.tally.merges += 1

    def _evict(self) -> None:
        """Give up one long-term cell and enter it in the ledger, stretch by stretch."""
        slot = self._victim()
        row = self.table.rows[slot]
        starts_s, ends_s = self.spans.of(slot)
        shares = _shares(int(row["mass"]), (ends_s - starts_s).tolist())
        for start_s, end_s, count in zip(starts_s.tolist(), ends_s.tolist(), shares, strict=True):
            self._ledger.record(start_s, end_s, "evicted", count, "budget")
        self._ledger.evict(int(row["mass"]), int(row["visits"]), _time_sum(row))
        self._neighbours.forget(slot)
        self.spans.release(slot)
        self.table.release(slot)

    def _victim(self) -> int:
        """The first long-term cell in the policy's order that coverage allows to go."""
        best = np.empty(0, np.int64)
        first_start_s = self.spans.first_starts(self.table.size)
        for first in range(0, self.table.size, _SLOTS_AT_ONCE):
            rows = self.table.rows[first : first + _SLOTS_AT_ONCE]
            eligible = (rows["tier"] == LONG_TERM) & (rows["pinned"] == 0)
            best = np.concatenate((best, first + np.flatnonzero(eligible)))
            best = self._by_worth(best, first_start_s)[:_VICTIMS_CONSIDERED]
        spans = self.spans.entries[: self.spans.size]
        used = spans["owner"] >= 0
        length_s = float(spans["end_s"][used].max() - spans["start_s"][used].min())
        longest_gap_s = self._policy.settings.coverage_fraction * length_s
        return first_that_keeps_coverage(best.tolist(), spans, longest_gap_s)

    def _by_worth(self, slots: NDArray[np.int64], first_start_s: Times) -> NDArray[np.int64]:
        """Slots in the order in which the policy would evict them."""
        rows = self.table.rows
        chances = np.maximum(self.reads - rows["born_reads"][slots].astype(np.int64), 1)
        order = self._policy.victim(
            rows["use"][slots] / chances,
            rows["mass"][slots].astype(np.float64),
            first_start_s[slots],
            rows["id"][slots].astype(np.int64),
        )
        return slots[order]


def _time_sum(row: np.void) -> int:
    return join_sum(int(row["time_high"]), int(row["time_low"]))


def _cosine(key: Wide, mean: Wide) -> float:
    length = float(np.sqrt(key @ key))
    return float(key @ mean) / length if length else 0.0


def _shares(total: int, lengths: list[float]) -> list[int]:
    """A count split over stretches in proportion to their lengths; the parts add up exactly."""
    whole = sum(lengths) or 1.0
    edges = [0, *(round(total * sum(lengths[: n + 1]) / whole) for n in range(len(lengths) - 1))]
    return [right - left for left, right in pairwise([*edges, total])]
