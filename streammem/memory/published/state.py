"""Turns the state of a published policy into bytes and back, with nothing in it but numbers."""

import numpy as np
from numpy.typing import NDArray

from streammem.core.errors import MemoryFileError
from streammem.memory.engine import Tally
from streammem.memory.ledger import KINDS, Evicted
from streammem.memory.published.plan import Plan, open_dtype
from streammem.memory.published.stretches import STATE_SIZE, Intake, Open
from streammem.memory.published.table import CellTable
from streammem.memory.timing import Clock

SECTIONS = ("head", "open", "cells", "ledger")
NUMBERS = 8
"""Most numbers of a rule or a keeper."""

HEAD = np.dtype([
    ("bits", "<u4"), ("cells", "<u4"), ("ledger", "<u4"), ("state_size", "<u4"),
    ("rule", "<f8", (NUMBERS,)), ("keeper", "<f8", (NUMBERS,)),
    ("frames", "<u8"), ("next_id", "<u8"), ("reads", "<u8"), ("events", "<u8"),
    ("merges", "<u8"), ("has_frame", "u1"), ("stated", "u1"), ("spare", "u1", (6,)),
    ("pts_s", "<f8"), ("end_s", "<f8"), ("step_s", "<f8"), ("state", "<f8", (STATE_SIZE,)),
    ("evicted_cells", "<u8"), ("evicted_mass", "<u8"), ("evicted_visits", "<u8"),
    ("evicted_high", "<i8"), ("evicted_low", "<u8"), ("counts", "<u8", (len(KINDS),)),
])  # fmt: skip

_LOW = (1 << 64) - 1


def open_bytes(dim: int, compares: bool) -> int:
    """Length of the `open` section."""
    return open_dtype(dim, compares).itemsize


def head_bytes(
    plan: Plan, numbers: tuple[tuple[float, ...], ...], table: CellTable, intake: Intake
) -> bytes:
    """The `head` section: the plan, the policy's numbers, and counters."""
    head: NDArray[np.void] = np.zeros(1, HEAD)
    evicted = table.ledger.evicted
    values: dict[str, object] = {
        "bits": plan.bits, "cells": plan.cells, "ledger": plan.ledger,
        "rule": numbers[0], "keeper": numbers[1],
        "frames": intake.frames_seen, "next_id": table.next_id, "reads": table.reads,
        "events": table.tally.events, "merges": table.tally.merges,
        "state_size": len(intake.state),
        "state": intake.state + (0.0,) * (STATE_SIZE - len(intake.state)),
        "evicted_cells": evicted.cells, "evicted_mass": evicted.mass,
        "evicted_visits": evicted.visits, "evicted_high": evicted.time_sum_us >> 64,
        "evicted_low": evicted.time_sum_us & _LOW,
        "counts": tuple(table.ledger.counts[kind] for kind in KINDS),
        **intake.clock._asdict(),
    }  # fmt: skip
    for name, value in values.items():
        head[name][0] = value
    return head.tobytes()


def read_head(data: bytes) -> np.void:
    """The record of a `head` section.

    Raises:
        MemoryFileError: it has the wrong length or cannot be.
    """
    if len(data) != HEAD.itemsize:
        raise MemoryFileError("the memory's head section has the wrong length")
    head: np.void = np.frombuffer(data, HEAD)[0]
    if int(head["bits"]) not in (1, 2, 4, 8, 16) or int(head["state_size"]) > STATE_SIZE:
        raise MemoryFileError("the memory's head section is damaged")
    return head


def stretch_bytes(intake: Intake) -> bytes:
    """The `open` section."""
    stretch = intake.open
    row: NDArray[np.void] = np.zeros(1, open_dtype(intake.code.dim, intake.rule.compares))
    row["time_high"], row["time_low"] = stretch.time_sum_us >> 64, stretch.time_sum_us & _LOW
    for name in ("frames", "use", "reads", "start_s", "end_s", "exemplar_s", "exemplar_fit"):
        row[name] = getattr(stretch, name)
    row["sums"] = stretch.sums
    if intake.rule.compares:
        row["last_frame"] = intake.last_frame
    return row.tobytes()


def restore(head: np.void, opened: bytes, table: CellTable, intake: Intake) -> None:
    """Put counters, clock and the open stretch back."""
    table.next_id, table.reads = int(head["next_id"]), int(head["reads"])
    table.tally = Tally(int(head["events"]), int(head["merges"]))
    table.ledger.evicted = Evicted(
        cells=int(head["evicted_cells"]),
        mass=int(head["evicted_mass"]),
        visits=int(head["evicted_visits"]),
        time_sum_us=(int(head["evicted_high"]) << 64) | int(head["evicted_low"]),
    )
    table.ledger.counts = dict(zip(KINDS, head["counts"].tolist(), strict=True))
    intake.frames_seen = int(head["frames"])
    intake.state = tuple(head["state"].tolist()[: int(head["state_size"])])
    intake.clock = Clock(
        bool(head["has_frame"]),
        float(head["pts_s"]),
        float(head["end_s"]),
        float(head["step_s"]),
        bool(head["stated"]),
    )
    compares = intake.rule.compares
    row: np.void = np.frombuffer(opened, open_dtype(intake.code.dim, compares))[0]
    intake.open = Open(
        sums=row["sums"].astype(np.float64),
        frames=int(row["frames"]),
        start_s=float(row["start_s"]),
        end_s=float(row["end_s"]),
        time_sum_us=(int(row["time_high"]) << 64) | int(row["time_low"]),
        exemplar_s=float(row["exemplar_s"]),
        exemplar_fit=float(row["exemplar_fit"]),
        use=int(row["use"]),
        reads=int(row["reads"]),
    )
    if compares:
        intake.last_frame = row["last_frame"].astype(np.float64)
