"""Turns the state of cells in tiers into bytes and back, with nothing in it but numbers.

The state is eight sections. Each keeps its parts at fixed places, so that storage, which
writes the 4 KB pieces that changed, writes little: counters lie together in `head`, and a cell
stays in its slot of `cells` and `links` for life.
"""

import numpy as np
from numpy.typing import NDArray

from streammem.core.errors import MemoryFileError
from streammem.memory.boundary import BoundaryState
from streammem.memory.cells import join_sum, split_sum
from streammem.memory.codes import BIT_WIDTHS, Wide
from streammem.memory.container import overhead_bytes
from streammem.memory.engine import Tally
from streammem.memory.event import Event, Intake
from streammem.memory.governor import MemoryPlan, queue_bytes, worst_case_bytes
from streammem.memory.ledger import KINDS, Evicted, Ledger
from streammem.memory.policies import PolicySettings
from streammem.memory.tiers import Tiers
from streammem.memory.timing import Clock

SECTIONS = ("head", "open", "sensory", "cells", "links", "spans", "details", "ledger")

_PLAN = (
    ("dim", "<u4"), ("budget_bytes", "<u8"), ("tokens_per_frame", "<u4"), ("fine_bits", "<u4"),
    ("narrowest_fine_bits", "<u4"), ("widest_limbs", "<u4"), ("narrowest_limbs", "<u4"),
    ("tokens_per_cell", "<u4"), ("cells", "<u4"), ("span_bytes", "<u8"),
    ("shared_bytes", "<u8"), ("working", "<u4"), ("sensory", "<u4"), ("sensory_bits", "<u4"),
    ("ledger", "<u4"),
)  # fmt: skip
_TALLY = (
    ("frames", "<u8"), ("next_id", "<u8"), ("reads", "<u8"),
    ("events", "<u8"), ("merges", "<u8"), ("wild", "<u8"), ("first_free_cell", "<i4"),
    ("first_free_span", "<i4"), ("working_count", "<u4"), ("has_frame", "u1"),
    ("stated", "u1"), ("look_step", "u1"), ("fine_step", "u1"), ("pts_s", "<f8"),
    ("end_s", "<f8"), ("step_s", "<f8"),
    ("evicted_cells", "<u8"), ("evicted_mass", "<u8"), ("evicted_visits", "<u8"),
    ("evicted_high", "<i8"), ("evicted_low", "<u8"),
)  # fmt: skip
_HEAD = np.dtype([
    *_PLAN, ("settings", "<f8", (len(PolicySettings().to_row()),)), *_TALLY,
    ("boundary", "<f8", (len(BoundaryState()),)), ("counts", "<u8", (len(KINDS),)),
])  # fmt: skip

FIXED_BYTES = overhead_bytes(len(SECTIONS)) + _HEAD.itemsize
"""What counters, and everything around the sections, take whatever the plan."""


def empty_bytes(plan: MemoryPlan) -> int:
    """Length of the sections that do not depend on how full the memory is."""
    return _HEAD.itemsize + queue_bytes(plan.working) + plan.open_dtype.itemsize


def head_bytes(
    plan: MemoryPlan, settings: PolicySettings, tiers: Tiers, intake: Intake, ledger: Ledger
) -> bytes:
    """The `head` section: counters, then the working cells' slots, oldest first."""
    head: NDArray[np.void] = np.zeros(1, _HEAD)
    values: dict[str, object] = {name: getattr(plan, name) for name, _ in _PLAN}
    high, low = split_sum(ledger.evicted.time_sum_us)
    values |= {
        "settings": settings.to_row(), "frames": intake.frames_seen,
        "next_id": tiers.next_id, "reads": tiers.reads, "events": tiers.tally.events,
        "merges": tiers.tally.merges, "wild": tiers.tally.wild,
        "first_free_cell": tiers.table.first_free,
        "first_free_span": tiers.spans.first_free, "working_count": len(tiers.working),
        "look_step": tiers.spans.step, "fine_step": tiers.details.step,
        "evicted_cells": ledger.evicted.cells, "evicted_mass": ledger.evicted.mass,
        "evicted_visits": ledger.evicted.visits, "evicted_high": high, "evicted_low": low,
        "boundary": tuple(intake.boundary),
        "counts": tuple(ledger.counts[kind] for kind in KINDS),
        **intake.clock._asdict(),
    }  # fmt: skip
    for name, value in values.items():
        head[name][0] = value
    queue = np.full(plan.working, -1, "<i4")
    queue[: len(tiers.working)] = tiers.working
    return head.tobytes() + queue.tobytes()


def read_head(data: bytes) -> tuple[np.void, list[int]]:
    """Counters and working slots of a `head` section.

    Raises:
        MemoryFileError: the section has the wrong length.
    """
    if len(data) < _HEAD.itemsize or (len(data) - _HEAD.itemsize) % 4:
        raise MemoryFileError("the memory's head section has the wrong length")
    head: np.void = np.frombuffer(data, _HEAD, 1)[0]
    queue = np.frombuffer(data, "<i4", offset=_HEAD.itemsize)
    return head, queue[: int(head["working_count"])].tolist()


def read_plan(head: np.void) -> MemoryPlan:
    """The capacities that a memory was made with.

    Raises:
        MemoryFileError: they cannot be.
    """
    plan = MemoryPlan(**{name: int(head[name]) for name, _ in _PLAN})
    bits = {plan.fine_bits, plan.narrowest_fine_bits, plan.sensory_bits}
    if (
        not bits <= set(BIT_WIDTHS)
        or min(plan.dim, plan.cells, plan.widest_limbs, plan.narrowest_limbs) < 1
    ):
        raise MemoryFileError("the memory's head section is damaged")
    if worst_case_bytes(plan, FIXED_BYTES) > plan.budget_bytes:
        raise MemoryFileError("the memory's head section is damaged: its plan exceeds its budget")
    return plan


def read_settings(head: np.void) -> PolicySettings:
    """The settings that a memory was made with."""
    return PolicySettings.from_row(tuple(head["settings"].tolist()))


def restore_counters(head: np.void, tiers: Tiers, intake: Intake, ledger: Ledger) -> None:
    """Put counters, boundary and clock back."""
    tiers.next_id, tiers.reads = int(head["next_id"]), int(head["reads"])
    tiers.tally = Tally(int(head["events"]), int(head["merges"]), int(head["wild"]))
    intake.frames_seen = int(head["frames"])
    intake.boundary = BoundaryState(*head["boundary"].tolist())
    intake.clock = Clock(
        bool(head["has_frame"]),
        float(head["pts_s"]),
        float(head["end_s"]),
        float(head["step_s"]),
        bool(head["stated"]),
    )
    ledger.evicted = Evicted(
        cells=int(head["evicted_cells"]),
        mass=int(head["evicted_mass"]),
        visits=int(head["evicted_visits"]),
        time_sum_us=join_sum(int(head["evicted_high"]), int(head["evicted_low"])),
    )
    ledger.counts = dict(zip(KINDS, head["counts"].tolist(), strict=True))


def event_bytes(intake: Intake, tiers: Tiers, dtype: np.dtype[np.void]) -> bytes:
    """The `open` section: the open event and the centre."""
    event, row = intake.event, np.zeros(1, dtype)
    row["centre"], row["centre_step"] = tiers.centre_codes, tiers.centre_step
    row["last_frame"] = intake.last_frame
    high, low = split_sum(event.time_sum_us)
    row["time_high"], row["time_low"] = high, low
    for name in ("square_sum", "frames", "use", "reads", "start_s", "end_s", "exemplar_s"):
        row[name] = getattr(event, name)
    row["exemplar_surprise"] = event.exemplar_surprise
    row["sums"] = event.sums
    if event.tokens.size:
        row["tokens"] = event.tokens
    return row.tobytes()


def read_event(data: bytes, plan: MemoryPlan, tiers: Tiers) -> tuple[Event, Wide]:
    """The open event of an `open` section, and the last frame; the centre goes to the tiers.

    Raises:
        MemoryFileError: the section has the wrong length.
    """
    dtype = plan.open_dtype
    if len(data) != dtype.itemsize:
        raise MemoryFileError("the memory's open section has the wrong length")
    row: np.void = np.frombuffer(data, dtype)[0]
    tiers.centre_codes, tiers.centre_step = row["centre"].copy(), int(row["centre_step"])
    tokens = row["tokens"].copy() if plan.tokens_per_cell else np.zeros((0, plan.dim), np.uint8)
    event = Event(
        sums=row["sums"].astype(np.float64),
        tokens=tokens,
        frames=int(row["frames"]),
        square_sum=int(row["square_sum"]),
        start_s=float(row["start_s"]),
        end_s=float(row["end_s"]),
        time_sum_us=join_sum(int(row["time_high"]), int(row["time_low"])),
        exemplar_s=float(row["exemplar_s"]),
        exemplar_surprise=float(row["exemplar_surprise"]),
        use=int(row["use"]),
        reads=int(row["reads"]),
    )
    return event, row["last_frame"].astype(np.float64)
