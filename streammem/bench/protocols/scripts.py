"""Questions about order, number and duration, and about facts that change.

Other_systems.md 4.3 and 4.5: scripts of recurring events, answered by arithmetic on what a
search returns, without any model; and facts asked after growing delays, some of which were
replaced in between.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from streammem.bench.long_streams import (
    CHOICE,
    PLANTED,
    STEP_S,
    TOLERANCE_FRAMES,
    LongKind,
    LongStream,
    Plant,
    direction,
    generator,
)
from streammem.bench.protocols.base import Column, Protocol, budgets
from streammem.bench.questions import Span
from streammem.bench.request import BenchRequest
from streammem.bench.stores import open_field
from streammem.bench.trials import Case, Metrics, Row, Trial
from streammem.core.budget import KIB, MIB
from streammem.core.types import Floats
from streammem.memory import MemorySnapshot

EVENTS = (50, 500, 5_000)
QUICK_EVENTS = (50,)
TYPES = 32
ABSENT = 8
DELAYS_S = (0.0, 10.0, 60.0, 600.0, 3_600.0, 36_000.0)
FACTS = 2
FACT_FRAMES = 6
STALE_FRAMES = 300
QUERY_COSINE = 0.9
MOST_SPANS = 20_000
_SPREADS = 6.0
_DURATION_ERROR = 0.1


def occurrences(snapshot: MemorySnapshot, query: Floats) -> list[Span]:
    """Where a memory says that something is, in order of time; nothing if it says nowhere.

    A span counts whose score is six spreads (of the median, by the median deviation) above the
    usual score and nearer to the best than to the usual one; spans less than five frames apart
    are one occurrence.
    """
    hits = snapshot.search(query, MOST_SPANS)
    if not hits:
        return []
    scores = np.array([hit.score for hit in hits])
    usual = float(np.median(scores))
    spread = max(0.02, 1.4826 * float(np.median(np.abs(scores - usual))))
    least = max(usual + _SPREADS * spread, (usual + scores[0]) / 2)
    found: list[Span] = []
    for start_s, end_s in sorted((hit.start_s, hit.end_s) for hit in hits if hit.score >= least):
        if found and start_s - found[-1][1] <= TOLERANCE_FRAMES * STEP_S:
            found[-1] = (found[-1][0], max(found[-1][1], end_s))
        else:
            found.append((start_s, end_s))
    return found


@dataclass(frozen=True)
class Script:
    """A stream of events of 32 types, with where each type occurs."""

    stream: LongStream
    vectors: Sequence[Floats]
    spans: Sequence[Sequence[Span]]
    absent: Sequence[Floats]

    def query(self, vector: Floats, number: int) -> Floats:
        """The vector of a type as a question shows it."""
        return self.stream.query(vector, QUERY_COSINE, number)


def write_script(kind: LongKind, events: int, seed: int) -> Script:
    """Events of types drawn by Zipf's law, 10 to 30 frames each, with empty ground between."""
    rng = generator(seed, CHOICE)
    weights = 1 / np.arange(1, TYPES + 1)
    drawn = rng.choice(TYPES, events, p=weights / weights.sum()).tolist()
    vectors = [direction(kind.dim, seed, PLANTED, number) for number in range(TYPES + ABSENT)]
    plants: list[Plant] = []
    spans: list[list[Span]] = [[] for _ in range(TYPES)]
    slot = kind.frames // events
    for number, which in enumerate(drawn):
        frames = int(rng.integers(10, 31))
        start = number * slot + int(rng.integers(6, slot - frames - 5))
        plants.append(Plant(start, frames, vectors[which]))
        spans[which].append(plants[-1].span_s)
    return Script(LongStream(kind, seed, plants), vectors[:TYPES], spans, vectors[TYPES:])


def script_cases(request: BenchRequest) -> list[Case]:
    """Scripts of 50 to 5,000 events, one every 50 frames."""
    found = []
    for budget_bytes in budgets(request, (64 * KIB,) if request.quick else (64 * KIB, MIB)):
        for events in QUICK_EVENTS if request.quick else EVENTS:
            kind = LongKind(events * 50, empty=True)
            facts = {"kind": asdict(kind), "events": events}
            name = f"{events:,} events"
            if kind.frames <= request.max_frames:
                found.append(Case("scripts", name, budget_bytes, facts, kind.frames))
    return found


def measure_scripts(trial: Trial) -> Iterator[Row]:
    """Write the script, find every type once, and answer all templates from that."""
    facts = trial.case.facts
    script = write_script(LongKind(**facts["kind"]), facts["events"], trial.seed)
    field = open_field(trial, script.stream.kind.dim)
    yield from field.refused
    field.write_all(script.stream.blocks())
    for policy, snapshot in field.snapshots():
        found = [
            occurrences(snapshot, script.query(vector, number))
            for number, vector in enumerate(script.vectors)
        ]
        absent = [
            occurrences(snapshot, script.query(vector, TYPES + number))
            for number, vector in enumerate(script.absent)
        ]
        metrics = script_metrics(script.spans, found, absent)
        yield field.row(policy, {**metrics, **field.size_metrics(policy)})


def script_metrics(
    truth: Sequence[Sequence[Span]],
    found: Sequence[Sequence[Span]],
    absent: Sequence[Sequence[Span]],
) -> Metrics:
    """Exact shares of each template over the types that occur; abstention over all types."""
    pairs = [(t, f) for t, f in zip(truth, found, strict=True) if t]
    count = len(pairs)
    errors = [abs(len(f) - len(t)) for t, f in pairs]
    lasting = [(_total_s(t), _total_s(f)) for t, f in pairs]
    silent = sum(not f for f in absent)
    wrongly_silent = sum(not f for _, f in pairs)
    silences = 2 * silent + wrongly_silent + (len(absent) - silent)
    most = max(range(len(truth)), key=lambda number: len(truth[number]))
    return {
        "first": sum(bool(f) and _same(f[0], t[0]) for t, f in pairs) / count,
        "last": sum(bool(f) and _same(f[-1], t[-1]) for t, f in pairs) / count,
        "second": _share(len(f) > 1 and _same(f[1], t[1]) for t, f in pairs if len(t) > 1),
        "before": _order(pairs),
        "kendall": _kendall(pairs),
        "count": sum(not error for error in errors) / count,
        "count_off_by_one": sum(error <= 1 for error in errors) / count,
        "count_error": sum(errors) / count,
        "duration": sum(abs(f - t) <= _DURATION_ERROR * t for t, f in lasting) / count,
        "duration_error": sum(abs(f - t) / t for t, f in lasting) / count,
        "most_frequent": float(len(found[most]) == max(len(f) for f in found) > 0),
        "abstention_f1": 2 * silent / silences if silences else 0.0,
    }


def _share(right: Iterator[bool]) -> float:
    outcomes = list(right)
    return sum(outcomes) / len(outcomes) if outcomes else 0.0


def _same(found: Span, truth: Span) -> bool:
    return abs(found[0] - truth[0]) <= TOLERANCE_FRAMES * STEP_S


def _total_s(spans: Sequence[Span]) -> float:
    return sum(end_s - start_s for start_s, end_s in spans)


def _order(pairs: Sequence[tuple[Sequence[Span], Sequence[Span]]]) -> float:
    """Share of pairs of types of which it is known which one came first."""
    right = total = 0
    for number, (truth, found) in enumerate(pairs):
        for other_truth, other_found in pairs[:number]:
            total += 1
            if found and other_found:
                right += (found[0][0] < other_found[0][0]) == (truth[0][0] < other_truth[0][0])
    return right / total if total else 0.0


def _kendall(pairs: Sequence[tuple[Sequence[Span], Sequence[Span]]]) -> float:
    """Mean Kendall tau of lists of four types by their first occurrence; unknown ones last."""
    taus = [2 * _order(pairs[first : first + 4]) - 1 for first in range(0, len(pairs) - 3, 4)]
    return sum(taus) / len(taus) if taus else 0.0


def horizon_cases(request: BenchRequest) -> list[Case]:
    """Facts asked up to ten hours later; a quarter of one for a quick run."""
    hours = 0.25 if request.quick else 11
    kind = LongKind(round(hours * 7_200) + 1_200, places=200)
    if kind.frames > request.max_frames:
        return []
    return [
        Case("horizon", f"{hours:g} h", budget_bytes, {"kind": asdict(kind)}, kind.frames)
        for budget_bytes in budgets(request, (64 * KIB,) if request.quick else (64 * KIB, MIB))
    ]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something seen so long before the end, and, where it replaced something, when that was."""

    delay_s: float
    vector: Floats
    span_s: Span
    stale_s: Span | None


def plant_facts(kind: LongKind, seed: int) -> tuple[list[Plant], list[Fact]]:
    """Two facts at every delay that fits; the second one replaces an older value of the same."""
    plants, facts = [], []
    for row, delay_s in enumerate(DELAYS_S):
        for number in range(FACTS):
            vector = direction(kind.dim, seed, PLANTED, row, number)
            back = round(delay_s / STEP_S) + number * (FACT_FRAMES + 2) + FACT_FRAMES
            plant = Plant(kind.frames - back, FACT_FRAMES, vector)
            if plant.start < STALE_FRAMES:
                continue
            stale = Plant(plant.start - STALE_FRAMES, FACT_FRAMES, vector) if number else None
            plants += [stale, plant] if stale else [plant]
            facts.append(Fact(delay_s, vector, plant.span_s, stale.span_s if stale else None))
    return plants, facts


def measure_horizon(trial: Trial) -> Iterator[Row]:
    """Write, then ask for every fact: the last occurrence must be the newest value's."""
    kind = LongKind(**trial.case.facts["kind"])
    plants, facts = plant_facts(kind, trial.seed)
    stream = LongStream(kind, trial.seed, plants)
    field = open_field(trial, kind.dim)
    yield from field.refused
    field.write_all(stream.blocks())
    for policy, snapshot in field.snapshots():
        metrics = _horizon_metrics(stream, facts, snapshot)
        yield field.row(policy, {**metrics, **field.size_metrics(policy)})


def _horizon_metrics(
    stream: LongStream, facts: Sequence[Fact], snapshot: MemorySnapshot
) -> Metrics:
    right: dict[float, list[bool]] = {}
    updated: list[bool] = []
    stale: list[bool] = []
    for number, fact in enumerate(facts):
        found = occurrences(snapshot, stream.query(fact.vector, QUERY_COSINE, number))
        good = bool(found) and _same(found[-1], fact.span_s)
        right.setdefault(fact.delay_s, []).append(good)
        if fact.stale_s is not None:
            updated.append(good)
            stale.append(bool(found) and _same(found[-1], fact.stale_s))
    shares = {delay_s: sum(of) / len(of) for delay_s, of in right.items()}
    curve = list(shares.values())
    return {
        "recall": sum(curve) / len(curve),
        "updated": sum(updated) / len(updated),
        "stale": sum(stale) / len(stale),
        "half_life_s": max((d for d, share in shares.items() if share >= 0.5), default=0.0),
        **{f"after_{delay_s:g}s": share for delay_s, share in shares.items()},
    }


SCRIPTS = Protocol(
    name="scripts",
    title="order, number and duration of recurring events",
    cases=script_cases,
    measure=measure_scripts,
    columns=(
        Column("first", "first"),
        Column("count", "count"),
        Column("last", "last"),
        Column("second", "second"),
        Column("before", "before/after"),
        Column("kendall", "Kendall tau"),
        Column("count_off_by_one", "count +-1"),
        Column("count_error", "count error", higher=False),
        Column("duration", "duration +-10 %"),
        Column("most_frequent", "most frequent"),
        Column("abstention_f1", "abstention F1"),
    ),
)
HORIZON = Protocol(
    name="horizon",
    title="facts after growing delays, and the newest value of those that changed",
    cases=horizon_cases,
    measure=measure_horizon,
    columns=(
        Column("recall", "recall over delays"),
        Column("updated", "newest value"),
        Column("stale", "stale value", higher=False),
        Column("half_life_s", "half-life s"),
        *(Column(f"after_{delay_s:g}s", f"after {delay_s:g} s") for delay_s in DELAYS_S),
    ),
)
