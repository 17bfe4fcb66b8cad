"""Forgets a stretch of a finished memory: every cell that holds any of it goes, or is made anew.

A cell's key is a mean over all its frames, so what one frame added cannot be taken out again.
Whoever has the frames that may stay can give them back; such a cell is rebuilt from them alone.
What stays of the forgotten stretch is its part in sums over the whole stream: the memory's centre,
which is fixed after the first sixteen events, and the running figures of the boundary.

This is `Tiers` from within, in a file of its own: it uses what is private there and nowhere else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from streammem.core.errors import UsageError
from streammem.core.types import Floats, Times
from streammem.memory.cells import LONG_TERM, NONE, WORKING, join_sum
from streammem.memory.codes import to_fixed_point
from streammem.memory.event import Event
from streammem.memory.store import MemoryStore
from streammem.memory.tiered import TieredEngine
from streammem.memory.tiers import Tiers
from streammem.memory.tokens import encode_tokens

REASON = "forgotten"
# Fewer bytes than this may be found anywhere by chance.
LEAST_TRACE = 12
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class TouchedCell:
    """A cell that holds any of a stretch; `kept` are the parts of its spans outside of it."""

    id: int
    mass: int
    kept: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames that may stay, read again: unit embeddings `[B D]`, times `[B]`, tokens `[B P D]`.

    `span` is when they are seen.
    """

    span: Span
    embeddings: Floats
    pts_s: Times
    tokens: Floats | None = None


@dataclass(frozen=True, slots=True)
class ForgottenCells:
    """What went and what was made anew: cells, frames and copies of frames."""

    cells: int
    rebuilt: int
    dropped: int
    frames: int
    sensory_frames: int


def engine_of(store: MemoryStore) -> TieredEngine:
    """The state of a store that can forget a stretch.

    Raises:
        UsageError: its policy cannot, or frames may still come.
    """
    if not isinstance(store.engine, TieredEngine):
        raise UsageError(
            f"the policy {store.policy.name!r} cannot forget a part of a memory",
            hint="forget all of it: `streammem forget MEMORY --yes`",
            code="cannot_forget_part",
        )
    if not store.closed:
        raise UsageError(
            "the memory is unfinished", hint="finish it first", code="unfinished_memory"
        )
    return store.engine


def touched(store: MemoryStore, start_s: float, end_s: float) -> tuple[TouchedCell, ...]:
    """The working and long-term cells with a span that overlaps [start_s, end_s), by id.

    Raises:
        UsageError: as `engine_of`.
    """
    tiers = engine_of(store).tiers
    found = []
    for slot in tiers.table.slots.tolist():
        starts_s, ends_s = tiers.spans.of(slot)
        if not np.any(_overlaps(starts_s, ends_s, start_s, end_s)):
            continue
        row = tiers.table.rows[slot]
        kept = tuple(
            part
            for one in zip(starts_s.tolist(), ends_s.tolist(), strict=True)
            for part in _outside(one, start_s, end_s)
        )
        found.append(TouchedCell(int(row["id"]), int(row["mass"]), kept))
    return tuple(sorted(found, key=lambda cell: cell.id))


def forget_stretch(
    store: MemoryStore, start_s: float, end_s: float, again: Mapping[int, Sequence[Stretch]]
) -> ForgottenCells:
    """Remove every trace of [start_s, end_s) from cells, their details, and the sensory ring.

    `again` gives, by the id of a touched cell, the frames outside of the stretch that it is
    rebuilt from; a cell without any is dropped with all its visits. The ledger gets the stretch
    as a gap with the reason `forgotten`, and what is gone is added to its totals.

    Raises:
        UsageError: as `engine_of`.
    """
    engine = engine_of(store)
    cells = touched(store, start_s, end_s)
    frames = rebuilt = 0
    for cell in cells:
        slot = engine.tiers.table.slot_of(cell.id)
        assert slot is not None
        gone = _remove(engine.tiers, slot)
        stretches = [part for part in again.get(cell.id, ()) if len(part.pts_s)]
        back = _rebuild(engine.tiers, stretches, engine.plan.tokens_per_cell, pinned=gone.pinned)
        rebuilt += bool(stretches)
        frames += max(0, gone.mass - back.mass)
        engine.ledger.evict(
            max(0, gone.mass - back.mass),
            max(0, gone.visits - back.visits),
            max(0, gone.time_sum_us - back.time_sum_us),
        )
    copies = engine.sensory.forget(start_s, end_s)
    engine.intake.last_frame = np.zeros_like(engine.intake.last_frame)
    engine.ledger.record(start_s, end_s, "gap", frames, REASON)
    return ForgottenCells(len(cells), rebuilt, len(cells) - rebuilt, frames, copies)


@dataclass(frozen=True, slots=True)
class _Amounts:
    mass: int = 0
    visits: int = 0
    time_sum_us: int = 0
    pinned: bool = False


def _remove(tiers: Tiers, slot: int) -> _Amounts:
    """Give up a cell with all that belongs to it; its bytes are cleared."""
    row = tiers.table.rows[slot]
    time_sum_us = join_sum(int(row["time_high"]), int(row["time_low"]))
    amounts = _Amounts(int(row["mass"]), int(row["visits"]), time_sum_us, bool(row["pinned"]))
    tiers._neighbours.forget(slot)
    tiers._drop_detail(slot)
    tiers.spans.release(slot)
    tiers.table.release(slot)
    if slot in tiers.working:
        tiers.working.remove(slot)
    return amounts


def _rebuild(
    tiers: Tiers, stretches: Sequence[Stretch], tokens_per_cell: int, *, pinned: bool
) -> _Amounts:
    """One long-term cell of all stretches, one visit for each."""
    first: int | None = None
    for stretch in stretches:
        # As a working cell it is safe from being merged or evicted until it is whole.
        if tiers.table.full:
            tiers._free_a_slot()
        tiers._free_a_span()
        slot = tiers._new_cell(_event_of(stretch, tiers.fine_code.dim, tokens_per_cell))
        if first is None:
            first = slot
        else:
            tiers._merge(first, slot, WORKING)
    if first is None:
        return _Amounts()
    row = tiers.table.rows[first]
    row["tier"], row["pinned"] = LONG_TERM, pinned
    if not pinned:
        tiers._neighbours.add(first)
    time_sum_us = join_sum(int(row["time_high"]), int(row["time_low"]))
    return _Amounts(int(row["mass"]), int(row["visits"]), time_sum_us)


def _event_of(stretch: Stretch, dim: int, tokens_per_cell: int) -> Event:
    """The event that a stretch of frames is."""
    frames = to_fixed_point(np.ascontiguousarray(stretch.embeddings, np.float32))
    sums = frames.sum(axis=0)
    exemplar = int(np.argmax(frames @ sums))
    tokens = np.zeros((tokens_per_cell, dim), np.uint8)
    if tokens_per_cell and stretch.tokens is not None:
        codes = encode_tokens(stretch.tokens[exemplar], tokens_per_cell)
        tokens[: len(codes)] = codes
    return Event(
        sums=sums,
        tokens=tokens,
        frames=len(frames),
        square_sum=int(np.square(frames).sum()),
        start_s=stretch.span[0],
        end_s=stretch.span[1],
        time_sum_us=sum(round(pts_s * 1e6) for pts_s in stretch.pts_s.tolist()),
        exemplar_s=float(stretch.pts_s[exemplar]),
    )


def _outside(span: Span, start_s: float, end_s: float) -> tuple[Span, ...]:
    """The parts of a span before and after a stretch."""
    before, after = (span[0], min(span[1], start_s)), (max(span[0], end_s), span[1])
    return tuple(part for part in (before, after) if part[0] < part[1])


def _overlaps(
    starts_s: Times, ends_s: Times, start_s: float, end_s: float
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which half-open spans have an instant in common with a stretch; empty ones are instants."""
    lasting_s = np.maximum(ends_s, np.nextafter(starts_s, np.inf))
    return np.asarray((starts_s < end_s) & (lasting_s > start_s))


def traces(store: MemoryStore, start_s: float, end_s: float) -> frozenset[bytes]:
    """The codes of everything in a store that was made from frames of [start_s, end_s).

    Long ones as two halves: a border between what a file stores apart cuts one of them at most.
    """
    engine = engine_of(store)
    slots = [engine.tiers.table.slot_of(cell.id) for cell in touched(store, start_s, end_s)]
    rows = engine.sensory.rows
    copies = rows[_overlaps(rows["start_s"], rows["end_s"], start_s, end_s)]
    found: set[bytes] = set().union(*(_halves(row["code"]) for row in copies))
    found.update(*(_codes_of(engine.tiers, slot) for slot in slots if slot is not None))
    if engine.last_pts_s is not None and start_s <= engine.last_pts_s < end_s:
        found |= _halves(engine.intake.last_frame.astype("<i2"))
    return frozenset(code for code in found if len(code) >= LEAST_TRACE and any(code))


def live_codes(store: MemoryStore) -> frozenset[bytes]:
    """The codes of everything that a store holds, as `traces` has them."""
    engine = engine_of(store)
    found: set[bytes] = set().union(*(_halves(row["code"]) for row in engine.sensory.rows))
    found.update(*(_codes_of(engine.tiers, slot) for slot in engine.tiers.table.slots.tolist()))
    return frozenset(found)


def _codes_of(tiers: Tiers, slot: int) -> set[bytes]:
    """The fine key, the tokens and the looks of one cell."""
    entries = tiers.spans.entries[: tiers.spans.size]
    found: set[bytes] = set()
    found.update(*(_halves(signs) for signs in entries["signs"][entries["owner"] == slot]))
    place = int(tiers.table.rows[slot]["detail"])
    if place != NONE:
        record = tiers.details.records[place]
        found |= _halves(record["code"])
        if "tokens" in (record.dtype.names or ()):
            held = record["tokens"][: int(record["token_count"])]
            found.update(*(_halves(token) for token in held))
    return found


def _halves(code: np.ndarray[Any, np.dtype[Any]]) -> set[bytes]:
    """A code as one piece, or as two where each of them is still long enough."""
    plain = np.ascontiguousarray(code).tobytes()
    middle = len(plain) // 2
    return {plain} if middle < LEAST_TRACE else {plain[:middle], plain[middle:]}
