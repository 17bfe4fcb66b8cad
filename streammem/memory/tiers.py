"""Moves cells from the open event to working to long-term, and keeps them within their slots."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Tier, Times
from streammem.memory.boundary import EventLimits, frames_of_wild_events, least_surprise
from streammem.memory.cells import LONG_TERM, NONE, WORKING, CellTable, join_sum, split_sum
from streammem.memory.codes import FIXED_ONE, Wide
from streammem.memory.consolidation import Merge, Neighbours
from streammem.memory.details import DetailPool
from streammem.memory.engine import Tally
from streammem.memory.event import Event
from streammem.memory.eviction import first_that_keeps_coverage, shares_by_length
from streammem.memory.fine_keys import FineCode, narrow_rows, write_rows
from streammem.memory.governor import MemoryPlan
from streammem.memory.ledger import Ledger
from streammem.memory.policies import PolicySet
from streammem.memory.signs import Looks, SignCode
from streammem.memory.spans import SpanPool

TIER_NAMES = {WORKING: Tier.WORKING, LONG_TERM: Tier.LONG_TERM}
_COUNT_LIMIT = (1 << 32) - 1
_SLOTS_AT_ONCE = 2048
_VICTIMS_CONSIDERED = 64
# Events after which the memory's centre is fixed, if nothing has to give way before.
_CENTRE_EVENTS = 16
_CENTRE_PEAK = 127


class Tiers:
    """The working and long-term cells of one memory; `TieredEngine` is the only caller.

    Invariants: every cell has at least one span; working cells are the youngest and are never
    merged with long-term ones; the cell of the stream's first event is pinned.
    """

    def __init__(self, plan: MemoryPlan, policy: PolicySet, seed: int, ledger: Ledger) -> None:
        self._row_codes = plan.fine_codes(seed)
        self._fine: FineCode | None = None
        self._made_for = (0, 0)
        self.frame_code = plan.frame_code(seed)
        self.sign_code: SignCode = plan.sign_code(seed)
        self.table = CellTable(plan.cells)
        self.spans = SpanPool(
            plan.span_bytes, policy.settings.spans_per_cell, self.sign_code, plan.look_steps
        )
        self.details = DetailPool(plan.shared_bytes, plan.detail_dtypes)
        self.working: list[int] = []
        self.next_id = 1
        self.reads = 0
        self.tally = Tally()
        self.centre_codes = np.zeros(plan.dim, np.int8)
        self.centre_step = 0
        self._plan = plan
        self._policy = policy
        self._ledger = ledger
        self._neighbours = Neighbours(
            self.table, self.spans, policy.pair_cost, policy.settings.mass_exponent
        )

    @property
    def nbytes(self) -> int:
        """Bytes of cells with their links, spans and details."""
        return (
            self.table.size * self.table.bytes_per_cell
            + self.spans.size * self.spans.bytes_per_span
            + self.details.nbytes
        )

    @property
    def fine_code(self) -> FineCode:
        """The code of fine keys as they are now."""
        made_for = (self.details.step, self.centre_step)
        if self._fine is None or self._made_for != made_for:
            self._fine, self._made_for = self._fine_code_at(self.details.step), made_for
        return self._fine

    def _fine_code_at(self, step: int) -> FineCode:
        return FineCode(self._row_codes[step], self.centre if step else None)

    @property
    def centre(self) -> Wide:
        """What looks are taken around, in fixed point `[D]`; zero until it is fixed."""
        return self.centre_codes.astype(np.float64) * self.centre_step

    def look_at(self, row: Wide) -> Looks:
        """The look of one vector of integers `[D]` of any length."""
        return self.sign_code.encode(row[None, :], self.centre, self.spans.steps)

    def close_event(self, event: Event) -> None:
        """Put a closed event into working; consolidate first where there is no slot."""
        self.tally.events += 1
        self.tally.wild += event.wild
        if len(self.working) == self._plan.working:
            self._promote(self.working.pop(0))
        if self.table.full:
            self._free_a_slot()
        else:
            self._spare_details()
        self._free_a_span()
        slot = self._new_cell(event)
        if self.tally.events == _CENTRE_EVENTS:
            self._fix_centre()
        if self.working and self._same(self.working[-1], slot):
            self._merge(self.working[-1], slot, WORKING)
        else:
            self.working.append(slot)

    def event_limits(self) -> EventLimits:
        """What the next event may be, with the bytes that are left."""
        settings, share = self._policy.settings, self.tally.wild / self._plan.spans
        return EventLimits(
            frames_of_wild_events(share, settings.max_event_frames),
            least_surprise(settings.surprise_floor, self.spans.step),
        )

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
        """The cell of an event, with a detail where one fits once older ones made room."""
        self._drop_details(self._growth_bytes() + self.details.bytes_per_detail)
        slot = self.table.allocate()
        row = self.table.rows[slot]
        row["id"], row["tier"], row["visits"] = self.next_id, WORKING, 1
        row["pinned"] = self.next_id == 1
        row["mass"], row["use"] = event.frames, event.use
        row["born_reads"] = max(0, self.reads - event.reads)
        row["time_high"], row["time_low"] = split_sum(event.time_sum_us)
        row["exemplar_s"] = event.exemplar_s
        row["detail"] = NONE
        look = self.look_at(event.sums)
        row["look"] = self.spans.add(slot, event.start_s, event.end_s, look)
        if self._free_bytes >= self.details.bytes_per_detail:
            self._add_detail(slot, event)
        self.next_id += 1
        return slot

    def _add_detail(self, slot: int, event: Event) -> None:
        place = self.details.add(slot)
        self.table.rows[slot]["detail"] = place
        write_rows(
            self.details.records[place : place + 1], self.fine_code.key_of(event.sums, event.frames)
        )
        if event.tokens.size:
            self.details.records[place]["tokens"] = event.tokens
            self.details.records[place]["token_count"] = event.tokens.shape[0]

    @property
    def _free_bytes(self) -> int:
        return self._plan.shared_bytes - self.nbytes

    def _growth_bytes(self) -> int:
        """Bytes that the next cell and its span take beyond those in use."""
        cell = self.table.bytes_per_cell if self.table.grows else 0
        return cell + (self.spans.bytes_per_span if self.spans.grows else 0)

    def _free_a_span(self) -> None:
        """Where the pool of spans is full, cut all looks or, where they are short, join some."""
        while self.spans.full:
            if self.spans.can_be_cut:
                self.spans.cut_looks()
                self._neighbours.forget_all()
                continue
            for slot, entries in self.spans.join_some().items():
                self._choose_look(slot, entries)
                self._neighbours.renew(slot)

    def _choose_look(self, slot: int, entries: NDArray[np.int64]) -> None:
        """Let the span with the exemplar stand for the cell, else its first one."""
        spans, row = self.spans.entries[entries], self.table.rows[slot]
        inside = (spans["start_s"] <= row["exemplar_s"]) & (row["exemplar_s"] < spans["end_s"])
        row["look"] = entries[int(np.argmax(inside))]

    def _fix_centre(self) -> None:
        """Take the mean of all keys for what the stream's vectors share, for good.

        That happens before any detail is dropped, so that every look can be taken anew; in a
        memory too small for any detail the centre stays zero.
        """
        if self.centre_step:
            return
        self.centre_step = 1
        slots = self.table.slots
        if (self.table.rows["detail"][slots] == NONE).any():
            return
        keys = {slot: self._fixed_key(slot) for slot in slots.tolist()}
        mean = np.rint(np.sum(list(keys.values()), axis=0) / len(keys))
        self.centre_step = max(1, -int(-np.abs(mean).max() // _CENTRE_PEAK))
        self.centre_codes = np.rint(mean / self.centre_step).astype(np.int8)
        for slot, key in keys.items():
            self.spans.renew_looks(slot, self.look_at(key))
        self._neighbours.forget_all()

    def _fixed_key(self, slot: int) -> Wide:
        """The fine key of a cell as a fixed-point vector of length 1 `[D]`; zero stays zero."""
        turned = self._key(int(self.table.rows[slot]["detail"]))[None, :].astype(np.float32)
        key = self.fine_code.row.rotate_back(turned)[0].astype(np.float64)
        length = float(np.sqrt(key @ key))
        fixed: Wide = np.rint(key * (FIXED_ONE / length if length else 0.0))
        return fixed

    def _spare_details(self) -> None:
        """Where a new cell would cost others their details, merge the nearest pair instead.

        Whole keys are narrowed first: that takes next to nothing from them.
        """
        if self._free_bytes >= self._growth_bytes() + self.details.bytes_per_detail:
            return
        if self.details.step == 0 and self.details.size and self.details.can_be_narrowed:
            self._fix_centre()
            self._narrow_keys()
            return
        merge = self._neighbours.cheapest()
        if merge is not None and merge.distance <= self._policy.settings.near_distance:
            self._merge_long_term(merge)

    def _drop_details(self, wanted_bytes: int) -> None:
        """Narrow all fine keys, then drop details, until so many bytes are free.

        Those of the least used and oldest cells go first. A sixty-fourth of them goes at once,
        so that putting them in order is paid for by many.
        """
        if wanted_bytes > self._free_bytes and self.details.size:
            self._fix_centre()
        while wanted_bytes > self._free_bytes and self.details.can_be_narrowed:
            self._narrow_keys()
        missing = wanted_bytes - self._free_bytes
        if missing <= 0 or not self.details.size:
            return
        count = max(-(-missing // self.details.bytes_per_detail), self.details.size // 64)
        slots = self.details.records["owner"][: self.details.size].astype(np.int64)
        rows = self.table.rows
        chances = np.maximum(self.reads - rows["born_reads"][slots].astype(np.int64), 1)
        order = np.lexsort((rows["id"][slots], rows["use"][slots] / chances))
        for slot in slots[order[:count]].tolist():
            self._drop_detail(slot)

    def _narrow_keys(self) -> None:
        """Give all fine keys the next code."""
        wide, narrow = self.fine_code, self._fine_code_at(self.details.step + 1)
        self.details.narrow(lambda block, target: narrow_rows(wide, narrow, block, target))

    def _drop_detail(self, slot: int) -> None:
        place = int(self.table.rows[slot]["detail"])
        if place == NONE:
            return
        self.table.rows[slot]["detail"] = NONE
        moved = self.details.remove(place)
        if moved != NONE:
            self.table.rows[moved]["detail"] = place

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

    def _key(self, place: int) -> Wide:
        """A fine key in the space of its code, in fixed point."""
        key: Wide = self.fine_code.rows(self.details.records[place : place + 1])[0]
        return key

    def _merge(self, older: int, younger: int, tier: int) -> None:
        """Merge two cells into the slot of the older one; its id stays.

        Mass, visits and the sum of times add exactly. Where both have a fine key, the mean of
        the keys is the new one, and the exemplar and its tokens are those of the cell whose key
        lies closer to it. Else all that shows the cell is the heavier one's. Ties go to the
        older cell.
        """
        rows = self.table.rows
        kept, gone = rows[older], rows[younger]
        if kept["detail"] != NONE and gone["detail"] != NONE:
            self._average(older, younger)
        elif gone["mass"] > kept["mass"]:
            self._take_over(older, younger)
        self._drop_detail(younger)
        kept["mass"] += gone["mass"]
        kept["visits"] += gone["visits"]
        kept["time_high"], kept["time_low"] = split_sum(_time_sum(kept) + _time_sum(gone))
        kept["use"] = min(int(kept["use"]) + int(gone["use"]), _COUNT_LIMIT)
        kept["born_reads"] = min(int(kept["born_reads"]), int(gone["born_reads"]))
        kept["pinned"] |= gone["pinned"]
        kept["tier"] = tier
        self._choose_look(older, self.spans.merge(older, younger))
        self.table.release(younger)
        self.tally.merges += 1

    def _average(self, older: int, younger: int) -> None:
        """Give the older cell the mean of both fine keys."""
        kept, gone = self.table.rows[older], self.table.rows[younger]
        place, other = int(kept["detail"]), int(gone["detail"])
        keys = self._key(place), self._key(other)
        masses = int(kept["mass"]), int(gone["mass"])
        mean = np.rint((masses[0] * keys[0] + masses[1] * keys[1]) / sum(masses))
        if _cosine(keys[1], mean) > _cosine(keys[0], mean):
            kept["exemplar_s"] = gone["exemplar_s"]
            records = self.details.records
            if records[other]["token_count"]:
                records[place]["tokens"] = records[other]["tokens"]
                records[place]["token_count"] = records[other]["token_count"]
        write_rows(self.details.records[place : place + 1], self.fine_code.key_at(mean))

    def _take_over(self, older: int, younger: int) -> None:
        """Let the older cell look as the younger one does."""
        rows = self.table.rows
        self._drop_detail(older)
        place = int(rows[younger]["detail"])
        rows[older]["exemplar_s"], rows[older]["detail"] = rows[younger]["exemplar_s"], place
        rows[younger]["detail"] = NONE
        if place != NONE:
            self.details.records[place]["owner"] = older

    def _evict(self) -> None:
        """Give up one long-term cell and enter it in the ledger, stretch by stretch."""
        slot = self._victim()
        row = self.table.rows[slot]
        starts_s, ends_s = self.spans.of(slot)
        shares = shares_by_length(int(row["mass"]), (ends_s - starts_s).tolist())
        for start_s, end_s, count in zip(starts_s.tolist(), ends_s.tolist(), shares, strict=True):
            self._ledger.record(start_s, end_s, "evicted", count, "budget")
        self._ledger.evict(int(row["mass"]), int(row["visits"]), _time_sum(row))
        self._neighbours.forget(slot)
        self._drop_detail(slot)
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
