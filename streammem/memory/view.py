"""Copies the live cells of a memory into a snapshot."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Tier, Times
from streammem.memory.cells import WORKING
from streammem.memory.codes import Bytes
from streammem.memory.event import Intake
from streammem.memory.keys import CodedKeys, TwoLevelKeys
from streammem.memory.sensory import SensoryRing
from streammem.memory.signs import Limbs
from streammem.memory.snapshot import MemorySnapshot
from streammem.memory.tiers import TIER_NAMES, Tiers
from streammem.memory.visits import VisitSketches

_SENSORY = 0

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Part:
    """Cells of one kind, in any order; spans, tokens and fine keys name their cell by its id."""

    ids: Integers
    tiers: NDArray[np.uint8]
    mass: Integers
    visits: Integers
    use: Integers
    reads: Integers
    start_s: Times
    end_s: Times
    exemplar_s: Times
    signs: Limbs
    flat: NDArray[np.bool_]
    span_cell: Integers
    span_start_s: Times
    span_end_s: Times
    span_sketch: Limbs
    fine_cell: Integers
    fine_codes: Bytes
    fine_square_sum: NDArray[np.uint32]
    token_cell: Integers
    token_codes: Bytes


_OF_CELLS = ("ids", "mass", "visits", "use", "reads", "start_s", "end_s", "exemplar_s")


def take_snapshot(tiers: Tiers, intake: Intake, sensory: SensoryRing) -> MemorySnapshot:
    """Working and long-term cells, the open event as a working cell, and sensory frames."""
    parts = [_cells(tiers), _frames(tiers, sensory)]
    if intake.event.frames:
        parts.append(_open_event(tiers, intake))

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(part, name) for part in parts])

    order = np.lexsort((joined("ids"), joined("start_s")))
    by_span = np.lexsort((joined("span_cell"), joined("span_start_s")))
    names = {**TIER_NAMES, _SENSORY: Tier.SENSORY}
    columns = {name: joined(name)[order] for name in _OF_CELLS}
    signs, span_cell = joined("signs")[order], joined("span_cell")[by_span]
    sketches = joined("span_sketch")[by_span]
    fine = CodedKeys(tiers.fine_code, joined("fine_codes"), joined("fine_square_sum"))
    fine_row = _rows_of(columns["ids"], joined("fine_cell"))
    return MemorySnapshot(
        tiers=tuple(names[tier] for tier in joined("tiers")[order].tolist()),
        span_cell=span_cell,
        span_start_s=joined("span_start_s")[by_span],
        span_end_s=joined("span_end_s")[by_span],
        token_cell=joined("token_cell"),
        token_codes=joined("token_codes"),
        now_s=intake.clock.end_s,
        key_set=TwoLevelKeys(tiers.sign_code, signs, joined("flat")[order], fine_row, fine),
        visits_of_spans=VisitSketches.of(
            tiers.sign_code, sketches, signs[_rows_of(columns["ids"], span_cell)]
        ),
        **columns,
    )


def _rows_of(ids: Integers, wanted: Integers) -> Integers:
    """The row of each wanted id."""
    order = np.argsort(ids)
    rows: Integers = order[np.searchsorted(ids, wanted, sorter=order)]
    return rows


def _cells(tiers: Tiers) -> _Part:
    slots, rows = tiers.table.slots, tiers.table.rows
    entries = tiers.spans.entries[tiers.spans.live_entries()]
    owners = entries["owner"]
    ids = rows["id"].astype(np.int64)
    details = tiers.details.records[: tiers.details.size]
    token_codes = np.zeros((0, tiers.fine_code.dim), np.uint8)
    token_cell = np.zeros(0, np.int64)
    if "tokens" in (details.dtype.names or ()):
        # Slots of no order: tokens of one cell lie side by side, that is all that is needed.
        with_tokens = details[details["token_count"] > 0]
        token_codes = with_tokens["tokens"]
        token_cell = np.repeat(ids[with_tokens["owner"]], token_codes.shape[1])
        token_codes = token_codes.reshape(-1, tiers.fine_code.dim)
    return _Part(
        ids=ids[slots],
        tiers=rows["tier"][slots],
        mass=rows["mass"][slots].astype(np.int64),
        visits=rows["visits"][slots].astype(np.int64),
        use=rows["use"][slots].astype(np.int64),
        reads=tiers.reads - rows["born_reads"][slots].astype(np.int64),
        start_s=entries["start_s"][np.searchsorted(owners, slots, side="left")],
        end_s=entries["end_s"][np.searchsorted(owners, slots, side="right") - 1],
        exemplar_s=rows["exemplar_s"][slots],
        signs=rows["signs"][slots],
        flat=rows["flat"][slots] > 0,
        span_cell=ids[owners],
        span_start_s=entries["start_s"],
        span_end_s=entries["end_s"],
        span_sketch=entries["sketch"],
        fine_cell=ids[details["owner"]],
        fine_codes=details["code"],
        fine_square_sum=details["square_sum"],
        token_cell=token_cell,
        token_codes=token_codes,
    )


def _open_event(tiers: Tiers, intake: Intake) -> _Part:
    """The open event as the working cell that it would be if it ended now."""
    event = intake.event
    row = event.sums[None, :]
    fine = tiers.fine_code.encode(tiers.fine_code.rotate(row))
    signs = tiers.sign_code.encode(row)
    cell_id = np.array([tiers.next_id], np.int64)
    start_s, end_s = np.array([event.start_s]), np.array([intake.open_end_s])
    return _Part(
        ids=cell_id,
        tiers=np.array([WORKING], np.uint8),
        mass=np.array([event.frames], np.int64),
        visits=np.array([1], np.int64),
        use=np.array([event.use], np.int64),
        reads=np.array([event.reads], np.int64),
        start_s=start_s,
        end_s=end_s,
        exemplar_s=np.array([event.exemplar_s]),
        signs=signs,
        flat=np.array([not row.any()]),
        span_cell=cell_id,
        span_start_s=start_s,
        span_end_s=end_s,
        span_sketch=tiers.sketches(signs),
        fine_cell=cell_id,
        fine_codes=fine.codes,
        fine_square_sum=fine.square_sum,
        token_cell=np.repeat(cell_id, event.tokens.shape[0]),
        token_codes=event.tokens.copy(),
    )


def _frames(tiers: Tiers, sensory: SensoryRing) -> _Part:
    rows = sensory.rows
    ids = -rows["frame"].astype(np.int64)
    nothing = np.zeros(ids.size, np.int64)
    wide = tiers.frames_are_fine
    limbs = tiers.sign_code.limbs
    # Of frames with a fine code no signs are kept; each is its only visit, so none are needed.
    signs = np.zeros((ids.size, limbs), np.uint64)
    if not wide:
        signs = np.ascontiguousarray(rows["code"]).view("<u8").reshape(-1, limbs)
    fine = rows[:] if wide else rows[:0]
    code_bytes = tiers.fine_code.code_bytes
    return _Part(
        ids=ids,
        tiers=np.full(ids.size, _SENSORY, np.uint8),
        mass=nothing,
        visits=nothing,
        use=nothing,
        reads=nothing,
        start_s=rows["start_s"],
        end_s=rows["end_s"],
        exemplar_s=rows["start_s"],
        signs=signs,
        flat=rows["square_sum"] == 0,
        span_cell=ids,
        span_start_s=rows["start_s"],
        span_end_s=rows["end_s"],
        span_sketch=tiers.sketches(signs),
        fine_cell=ids if wide else nothing[:0],
        fine_codes=fine["code"] if wide else np.zeros((0, code_bytes), np.uint8),
        fine_square_sum=fine["square_sum"],
        token_cell=nothing[:0],
        token_codes=np.zeros((0, tiers.fine_code.dim), np.uint8),
    )
