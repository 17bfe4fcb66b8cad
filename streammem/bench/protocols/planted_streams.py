"""Recall of planted events and needles on the streams of DESIGN 5, on harder ones, by load.

The bars of DESIGN 11 are stated on the first four: 64 cells of 1152 bytes at D = 512, the last
stream also at 24,000 frames and at 16 cells.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict

from streammem.bench.planted import (
    HARDER,
    LONG,
    LONG_KIND,
    STEP_S,
    TABLE,
    StreamKind,
    plant,
)
from streammem.bench.protocols.base import Column, Protocol, budgets
from streammem.bench.questions import ask_all
from streammem.bench.request import BenchRequest, cell_bytes
from streammem.bench.stores import open_field
from streammem.bench.trials import Case, Row, Trial
from streammem.core.budget import KIB, MIB

DIM = 512
CELLS = 64
FEW_CELLS = 16
LOADS = (0.5, 1, 2, 4, 8, 16)
QUICK_LOADS = (0.5, 2)
BUDGETS = (64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB)
QUICK_BUDGETS = (64 * KIB, 256 * KIB)
MEASURES = (
    Column("needle_r1", "needle R@1"),
    Column("event_r1", "event R@1"),
    Column("needle_iou50", "needle IoU>=.5"),
    Column("event_iou50", "event IoU>=.5"),
)


def streams_cases(request: BenchRequest) -> list[Case]:
    """Each stream at 64 cells' bytes, the last of DESIGN 5 also at 16; or at those asked for."""
    kinds = _short(TABLE) if request.quick else {**TABLE, LONG: LONG_KIND, **HARDER}
    most = budgets(request, (CELLS * cell_bytes(DIM),))
    found = _cases("streams", kinds, most)
    if not request.budgets_bytes:
        last = list(TABLE)[-1]
        found += _cases("streams", {last: TABLE[last]}, (FEW_CELLS * cell_bytes(DIM),))
    return found


def _short(kinds: Mapping[str, StreamKind]) -> dict[str, StreamKind]:
    """Those of less than a hundred visits."""
    return {name: kind for name, kind in kinds.items() if kind.visits < 100}


def load_cases(request: BenchRequest) -> list[Case]:
    """Ever more different events for the same bytes: loads from 0.5 to 16."""
    found = []
    for budget_bytes in budgets(request, (CELLS * cell_bytes(DIM),)):
        cells = budget_bytes / cell_bytes(DIM)
        for load in QUICK_LOADS if request.quick else LOADS:
            events = max(2, round(load * cells))
            kind = StreamKind(events, events, min(20, events))
            found += _cases("load", {f"load {load:g}": kind}, (budget_bytes,))
    return found


def budget_cases(request: BenchRequest) -> list[Case]:
    """The same 2,000 different events for ever more bytes."""
    default = QUICK_BUDGETS if request.quick else BUDGETS
    events, needles = (100, 20) if request.quick else (2000, 50)
    kind = StreamKind(events, events, needles)
    name = f"{events} different events, {needles} needles"
    return _cases("budgets", {name: kind}, budgets(request, default))


def _cases(
    protocol: str, kinds: Mapping[str, StreamKind], budgets_bytes: tuple[int, ...]
) -> list[Case]:
    found = []
    for budget_bytes in budgets_bytes:
        for name, kind in kinds.items():
            load = kind.places * cell_bytes(kind.dim) / budget_bytes
            facts = {"kind": asdict(kind), "load": load}
            frames = kind.visits * kind.visit_frames
            found.append(Case(protocol, name, budget_bytes, facts, frames))
    return found


def measure(trial: Trial) -> Iterator[Row]:
    """Write the stream to every policy, then ask for every needle and place."""
    stream = plant(StreamKind(**trial.case.facts["kind"]), trial.seed)
    field = open_field(trial, stream.frames.shape[1])
    yield from field.refused
    questions = stream.questions()
    for policy, store in field.stores.items():
        store.write(stream.frames, stream.pts_s)
        metrics = ask_all(store.snapshot(), questions, STEP_S)
        yield field.row(policy, {**metrics, **field.size_metrics(policy)})


STREAMS = Protocol(
    name="streams",
    title="planted needles and events: the streams of DESIGN 5, and harder ones",
    cases=streams_cases,
    measure=measure,
    columns=MEASURES,
)
LOAD = Protocol(
    name="load",
    title="different events per fp16 cell that the budget holds",
    cases=load_cases,
    measure=measure,
    columns=MEASURES,
    axis="load",
)
BUDGETS_PROTOCOL = Protocol(
    name="budgets",
    title="the same events for ever more bytes",
    cases=budget_cases,
    measure=measure,
    columns=MEASURES,
    axis="budget_bytes",
)
