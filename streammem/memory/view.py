"""Copies the live cells of a memory into a snapshot."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Tier, Times
from streammem.memory.cells import WORKING
from streammem.memory.event import Intake
from streammem.memory.sensory import SensoryRing
from streammem.memory.snapshot import MemorySnapshot
from streammem.memory.tiers import TIER_NAMES, Tiers

_SENSORY = 0


@dataclass(frozen=True, slots=True)
class _Part:
    """Cells of one kind, in any order; spans and tokens name their cell by its id."""

    ids: NDArray[np.int64]
    tiers: NDArray[np.uint8]
    mass: NDArray[np.int64]
    visits: NDArray[np.int64]
    use: NDArray[np.int64]
    reads: NDArray[np.int64]
    start_s: Times
    end_s: Times
    exemplar_s: Times
    key_codes: NDArray[np.uint8]
    key_square_sum: NDArray[np.uint32]
    span_cell: NDArray[np.int64]
    span_start_s: Times
    span_end_s: Times
    token_cell: NDArray[np.int64]
    token_codes: NDArray[np.uint8]


_OF_CELLS = (
    "ids", "mass", "visits", "use", "reads", "start_s", "end_s", "exemplar_s", "key_codes",
    "key_square_sum",
)  # fmt: skip


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
    return MemorySnapshot(
        tiers=tuple(names[tier] for tier in joined("tiers")[order].tolist()),
        span_cell=joined("span_cell")[by_span],
        span_start_s=joined("span_start_s")[by_span],
        span_end_s=joined("span_end_s")[by_span],
        token_cell=joined("token_cell"),
        token_codes=joined("token_codes"),
        now_s=intake.clock.end_s,
        row_code=tiers.code,
        **columns,
    )


def _cells(tiers: Tiers) -> _Part:
    slots, rows = tiers.table.slots, tiers.table.rows
    entries = tiers.spans.entries[tiers.spans.live_entries()]
    owners = entries["owner"]
    ids = rows["id"].astype(np.int64)
    if "tokens" in (rows.dtype.names or ()):
        with_tokens = slots[rows["token_count"][slots] > 0]
        token_codes = rows["tokens"][with_tokens]
        token_cell = np.repeat(ids[with_tokens], token_codes.shape[1])
        token_codes = token_codes.reshape(-1, tiers.code.dim)
    else:
        token_codes = np.zeros((0, tiers.code.dim), np.uint8)
        token_cell = np.zeros(0, np.int64)
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
        key_codes=rows["code"][slots],
        key_square_sum=rows["square_sum"][slots],
        span_cell=ids[owners],
        span_start_s=entries["start_s"],
        span_end_s=entries["end_s"],
        token_cell=token_cell,
        token_codes=token_codes,
    )


def _open_event(tiers: Tiers, intake: Intake) -> _Part:
    """The open event as the working cell that it would be if it ended now."""
    event = intake.event
    encoded = tiers.code.encode(tiers.code.rotate(event.sums[None, :]))
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
        key_codes=encoded.codes,
        key_square_sum=encoded.square_sum,
        span_cell=cell_id,
        span_start_s=start_s,
        span_end_s=end_s,
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
        key_codes=rows["code"],
        key_square_sum=rows["square_sum"],
        span_cell=ids,
        span_start_s=rows["start_s"],
        span_end_s=rows["end_s"],
        token_cell=nothing[:0],
        token_codes=np.zeros((0, tiers.code.dim), np.uint8),
    )
