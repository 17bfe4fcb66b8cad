"""What a memory costs as its stream grows: bytes, resident memory, writing and searching.

Other_systems.md 4.8 without a model: the figures are of the whole process, on the machine that
the result names, and each policy has a process of its own with nothing beside it.
"""

import gc
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from streammem.bench.long_streams import BLOCK_FRAMES, STEP_S, LongKind, LongStream
from streammem.bench.protocols.base import Column, Protocol, budgets
from streammem.bench.request import BenchRequest
from streammem.bench.stores import open_field
from streammem.bench.trials import Case, Metrics, Row, Trial
from streammem.core.budget import MIB
from streammem.core.types import Floats
from streammem.memory import POLICIES, MemoryStore
from streammem.memory.engine import BOUNDED

LENGTHS = (1_000, 10_000, 100_000, 1_000_000)
QUICK_LENGTHS = (2_000,)
BATCH_FRAMES = 256
SINGLE_WRITES = 2_000
QUERIES = 100
TIME_LIMIT_S = 300.0
UNBOUNDED_FRAMES = 100_000
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def cases(request: BenchRequest) -> list[Case]:
    """One stream of ever new events, 25 frames each, of each length."""
    found = []
    for budget_bytes in budgets(request, (MIB,)):
        for frames in QUICK_LENGTHS if request.quick else LENGTHS:
            facts = {"kind": asdict(LongKind(frames))}
            found.append(Case("scale", f"{frames:,} frames", budget_bytes, facts, frames))
    return found


def measure(trial: Trial) -> Iterator[Row]:
    """Write in batches of 256, then single frames, then search; every write within the budget."""
    kind = LongKind(**trial.case.facts["kind"])
    field = open_field(trial, kind.dim)
    yield from field.refused
    for policy, store in field.stores.items():
        if BOUNDED not in POLICIES[policy].traits and kind.frames > UNBOUNDED_FRAMES:
            reason = f"it has no bound and is not measured beyond {UNBOUNDED_FRAMES:,} frames"
            yield Row(trial.key(policy), {}, refused=reason)
            continue
        metrics = _metrics(store, LongStream(kind, trial.seed))
        if metrics is None:
            reason = f"it was still writing after {TIME_LIMIT_S:.0f} s"
            yield Row(trial.key(policy), {}, refused=reason)
        else:
            yield field.row(policy, metrics)


def _metrics(store: MemoryStore, stream: LongStream) -> Metrics | None:
    early_at = stream.kind.frames // 10
    early: tuple[int, int, int | None] | None = None
    write_s = cpu_s = peak = 0.0
    for frames, pts_s in stream.blocks(BATCH_FRAMES):
        started_at, cpu_at_s = time.perf_counter(), time.process_time()
        store.write(frames, pts_s)
        cpu_s += time.process_time() - cpu_at_s
        write_s += time.perf_counter() - started_at
        peak = max(peak, store.nbytes)
        if early is None and store.frames >= early_at:
            early = store.frames, store.nbytes, resident_bytes()
        if write_s > TIME_LIMIT_S:
            return None
    figures: Metrics = {
        "frames_per_s": store.frames / write_s,
        # Of all threads together; what a busy machine does not change.
        "frames_per_cpu_s": store.frames / max(cpu_s, 1e-9),
        "nbytes": float(store.nbytes),
        "nbytes_peak": peak,
        "over_budget": max(0.0, peak - store.budget_bytes),
    }
    late = resident_bytes()
    if late is not None:
        figures["rss_bytes"] = float(late)
    if early is not None and store.frames > early[0]:
        between = store.frames - early[0]
        figures["nbytes_slope"] = (store.nbytes - early[1]) / between
        figures["nbytes_change"] = abs(store.nbytes - early[1]) / store.budget_bytes
        if late is not None and early[2] is not None:
            figures["rss_slope"] = (late - early[2]) / between
    return {**figures, **_search(store, stream), **_single_writes(store, stream)}


def _search(store: MemoryStore, stream: LongStream) -> Metrics:
    """Latency of taking a snapshot, of the first search in it, and of all later ones."""
    started_at = time.perf_counter()
    snapshot = store.snapshot()
    snapshot_ms = (time.perf_counter() - started_at) * 1000
    rng = np.random.default_rng(stream.seed)
    times_ms = []
    for query in rng.standard_normal((QUERIES + 1, stream.kind.dim), dtype=np.float32):
        started_at = time.perf_counter()
        snapshot.search(query)
        times_ms.append((time.perf_counter() - started_at) * 1000)
    return {
        "cells": float(len(snapshot)),
        "snapshot_ms": snapshot_ms,
        "first_search_ms": times_ms[0],
        **_quantiles("search", times_ms[1:]),
    }


def _single_writes(store: MemoryStore, stream: LongStream) -> Metrics:
    """Latency of writing one frame at a time, after all the others."""
    count = min(SINGLE_WRITES, stream.kind.frames // 5)
    more = LongStream(LongKind(count, dim=stream.kind.dim), stream.seed + 1)
    origin_s = store.frames * STEP_S
    times_ms = []
    for frames, pts_s in more.blocks(BLOCK_FRAMES):
        for row, at_s in zip(frames, (pts_s + origin_s).tolist(), strict=True):
            times_ms.append(_timed_write(store, row[None, :], at_s))
    return _quantiles("write", times_ms)


def _timed_write(store: MemoryStore, row: Floats, at_s: float) -> float:
    started_at = time.perf_counter()
    store.write(row, [at_s])
    return (time.perf_counter() - started_at) * 1000


def _quantiles(name: str, values: Sequence[float]) -> Metrics:
    p50, p95, p99 = np.quantile(values, (0.5, 0.95, 0.99)).tolist()
    return {
        f"{name}_p50_ms": p50,
        f"{name}_p95_ms": p95,
        f"{name}_p99_ms": p99,
        f"{name}_max_ms": max(values),
    }


def resident_bytes() -> int | None:
    """Resident memory of this process; None where the system does not tell."""
    gc.collect()
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return None
    return int(pages) * PAGE_BYTES


SCALE = Protocol(
    name="scale",
    title="bytes, resident memory and times of a process as its stream grows",
    cases=cases,
    measure=measure,
    columns=(
        Column("frames_per_s", "frames/s"),
        Column("search_p50_ms", "search p50 ms", higher=False),
        Column("frames_per_cpu_s", "frames/s of processor time"),
        Column("search_p99_ms", "search p99 ms", higher=False),
        Column("write_p99_ms", "write of one frame p99 ms", higher=False),
        Column("nbytes", "bytes", higher=False),
        Column("nbytes_change", "change of bytes / budget since a tenth", higher=False),
        Column("over_budget", "bytes over the budget at most", higher=False),
        Column("rss_bytes", "resident bytes", higher=False),
        Column("rss_slope", "resident bytes per frame since a tenth", higher=False),
    ),
    axis="frames",
    alone=True,
    seeded=False,
)
