"""Copies the live cells of a memory into a snapshot."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats, Tier, Times
from streammem.memory.cells import NONE, WORKING
from streammem.memory.codes import FIXED_ONE, Bytes, Fits
from streammem.memory.event import Intake
from streammem.memory.fine_keys import FineRows
from streammem.memory.keys import CodedKeys, KeySet, LookKeys, MixedKeys
from streammem.memory.sensory import SensoryRing
from streammem.memory.signs import FLAT, Looks, cosine_by_difference, differing
from streammem.memory.snapshot import MemorySnapshot
from streammem.memory.spans import looks_of
from streammem.memory.tiers import TIER_NAMES, Tiers
from streammem.memory.visits import VisitLooks

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
    span_cell: Integers
    span_start_s: Times
    span_end_s: Times
    fine_cell: Integers
    fine_codes: Bytes
    fine_square_sum: NDArray[np.uint32]
    fine_scale: Floats
    fine_along: Floats
    fine_fit: Fits
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
    span_cell = joined("span_cell")[by_span]
    fine = tiers.fine_code.key_set(
        FineRows(
            joined("fine_codes"),
            joined("fine_square_sum"),
            joined("fine_scale"),
            joined("fine_along"),
            joined("fine_fit"),
        )
    )
    named: list[tuple[Integers, KeySet]] = [
        (joined("fine_cell"), fine), _looked_at(tiers), _frame_keys(tiers, sensory),
    ]  # fmt: skip
    rows = tuple((_rows_of(columns["ids"], ids), keys) for ids, keys in named)
    return MemorySnapshot(
        tiers=tuple(names[tier] for tier in joined("tiers")[order].tolist()),
        span_cell=span_cell,
        span_start_s=joined("span_start_s")[by_span],
        span_end_s=joined("span_end_s")[by_span],
        token_cell=joined("token_cell"),
        token_codes=joined("token_codes"),
        now_s=intake.clock.end_s,
        key_set=MixedKeys(len(order), rows),
        # Spans of cells come first in the parts, in the order of the pool's entries.
        visits_of_spans=_visits(tiers, by_span),
        **columns,
    )


def _looked_at(tiers: Tiers) -> tuple[Integers, LookKeys]:
    """Ids of the cells without a fine key, and their looks."""
    rows = tiers.table.rows[tiers.table.slots]
    rows = rows[rows["detail"] == NONE]
    looks = looks_of(tiers.spans.entries[rows["look"]])
    return rows["id"].astype(np.int64), LookKeys(tiers.sign_code, tiers.centre, looks)


def _frame_keys(tiers: Tiers, sensory: SensoryRing) -> tuple[Integers, KeySet]:
    """Ids of the sensory frames, and their codes, or their looks, which have no centre."""
    rows, code = sensory.rows, tiers.frame_code
    ids = -rows["frame"].astype(np.int64)
    if code.row is not None:
        return ids, CodedKeys(code.row, rows["code"], rows["square_sum"], rows["fit"])
    signs = np.ascontiguousarray(rows["code"][:, :-1]).view("<u8").reshape(-1, code.look.limbs)
    reach = np.where(rows["square_sum"] > 0, FIXED_ONE, FLAT).astype(np.uint16)
    looks = Looks(reach, rows["code"][:, -1:], signs.astype(np.uint64, copy=False))
    return ids, LookKeys(code.look, np.zeros(code.look.dim), looks)


def _visits(tiers: Tiers, by_span: Integers) -> VisitLooks:
    """The looks of the spans of cells, beside those that stand for the cells."""
    spans = tiers.spans.entries[tiers.spans.live_entries()]
    keys = tiers.spans.entries[tiers.table.rows["look"][spans["owner"]]]
    cosines = cosine_by_difference(tiers.sign_code.signs(spans["signs"].shape[1]))
    place = np.full(by_span.size, NONE, np.int64)
    of_cells = by_span < spans.size
    place[of_cells] = by_span[of_cells]
    return VisitLooks(
        LookKeys(tiers.sign_code, tiers.centre, looks_of(spans)),
        agreement=cosines[differing(spans["signs"].T, keys["signs"].T)],
        key_reach=keys["reach"],
        place=place,
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
        span_cell=ids[owners],
        span_start_s=entries["start_s"],
        span_end_s=entries["end_s"],
        fine_cell=ids[details["owner"]],
        fine_codes=details["code"],
        fine_square_sum=details["square_sum"],
        fine_scale=details["scale"],
        fine_along=details["along"],
        fine_fit=details["fit"],
        token_cell=token_cell,
        token_codes=token_codes,
    )


def _open_event(tiers: Tiers, intake: Intake) -> _Part:
    """The open event as the working cell that it would be if it ended now."""
    event = intake.event
    key = tiers.fine_code.key_of(event.sums, event.frames)
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
        span_cell=cell_id,
        span_start_s=start_s,
        span_end_s=end_s,
        fine_cell=cell_id,
        fine_codes=key.codes,
        fine_square_sum=key.square_sum,
        fine_scale=key.scale,
        fine_along=key.along,
        fine_fit=key.fits,
        token_cell=np.repeat(cell_id, event.tokens.shape[0]),
        token_codes=event.tokens.copy(),
    )


def _frames(tiers: Tiers, sensory: SensoryRing) -> _Part:
    rows = sensory.rows
    ids = -rows["frame"].astype(np.int64)
    nothing = np.zeros(ids.size, np.int64)
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
        span_cell=ids,
        span_start_s=rows["start_s"],
        span_end_s=rows["end_s"],
        fine_cell=nothing[:0],
        fine_codes=np.zeros((0, tiers.fine_code.row.code_bytes), np.uint8),
        fine_square_sum=np.zeros(0, np.uint32),
        fine_scale=np.zeros(0, np.float32),
        fine_along=np.zeros(0, np.float32),
        fine_fit=np.zeros(0, np.uint16),
        token_cell=nothing[:0],
        token_codes=np.zeros((0, tiers.fine_code.dim), np.uint8),
    )
