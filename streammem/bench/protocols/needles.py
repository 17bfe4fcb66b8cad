"""Needles by depth and length of the stream, and chains of needles that name one another.

Other_systems.md 4.1 and 4.2. A needle counts as surviving where some stored span fits it, so
that forgetting can be told from ranking; the survey's test by cosine would count narrow codes
as forgotten.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

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
from streammem.bench.questions import Question, Verdict, answers, judge, summarise
from streammem.bench.request import BenchRequest, cell_bytes
from streammem.bench.stores import open_field
from streammem.bench.trials import Case, Metrics, Row, Trial
from streammem.core.budget import KIB, MIB
from streammem.core.types import Floats
from streammem.memory import Hit, MemorySnapshot

LENGTHS = (1_000, 3_000, 10_000, 30_000, 100_000, 1_000_000)
QUICK_LENGTHS = (1_000,)
DEPTHS = 11
WIDTHS = (1, 3, 10)
COSINES = (0.9, 0.7, 0.5)
BUDGETS = (64 * KIB, MIB)
PLACES = 50
HOPS = (2, 3, 4)
CHAINS = 4
CHAIN_FRAMES = 10_000
CHAIN_PART_FRAMES = 3


def needle_cases(request: BenchRequest) -> list[Case]:
    """Streams of 50 recurring places of each length, at each budget."""
    found = []
    for budget_bytes in budgets(request, BUDGETS[:1] if request.quick else BUDGETS):
        for frames in QUICK_LENGTHS if request.quick else LENGTHS:
            if frames <= request.max_frames:
                kind = LongKind(frames, places=PLACES)
                load = (PLACES + DEPTHS * len(WIDTHS)) * cell_bytes(kind.dim) / budget_bytes
                facts = {"kind": asdict(kind), "load": load}
                found.append(Case("needles", f"{frames:,} frames", budget_bytes, facts, frames))
    return found


def plant_needles(kind: LongKind, seed: int) -> list[Plant]:
    """A needle of each width at each of the eleven depths, in an order drawn by the seed."""
    rng = generator(seed, CHOICE)
    slot = kind.frames / (DEPTHS * len(WIDTHS))
    found = []
    for depth in range(DEPTHS):
        for place, width in enumerate(rng.permutation(WIDTHS).tolist()):
            number = depth * len(WIDTHS) + place
            first, last = round(slot * number), round(slot * (number + 1)) - width
            start = int(rng.integers(first, max(first, last) + 1))
            found.append(Plant(start, width, direction(kind.dim, seed, PLANTED, number)))
    return found


def measure_needles(trial: Trial) -> Iterator[Row]:
    """Write, then ask for every needle at three distances from what was shown."""
    kind = LongKind(**trial.case.facts["kind"])
    stream = LongStream(kind, trial.seed, plant_needles(kind, trial.seed))
    field = open_field(trial, kind.dim)
    yield from field.refused
    field.write_all(stream.blocks())
    for policy, snapshot in field.snapshots():
        yield field.row(policy, {**_needle_metrics(stream, snapshot), **field.size_metrics(policy)})


def _needle_metrics(stream: LongStream, snapshot: MemorySnapshot) -> Metrics:
    by_depth: list[list[Verdict]] = [[] for _ in range(DEPTHS)]
    metrics: Metrics = {}
    for cosine in COSINES:
        verdicts = []
        for number, plant in enumerate(stream.plants):
            query = stream.query(plant.vector, cosine, number)
            question = Question("needle", query, (plant.span_s,), _tolerance_frames(plant))
            verdict = judge(snapshot, question, STEP_S)
            verdicts.append(verdict)
            by_depth[number // len(WIDTHS)].append(verdict)
        metrics |= summarise(verdicts, f"cosine{round(cosine * 10)}")
    shares = [sum(one.right for one in verdicts) / len(verdicts) for verdicts in by_depth]
    metrics |= {f"depth{depth:02d}_r1": share for depth, share in enumerate(shares)}
    metrics["needle_r1"] = sum(shares) / DEPTHS
    metrics["survival"] = sum(_survives(plant, snapshot) for plant in stream.plants) / len(
        stream.plants
    )
    if metrics["needle_r1"]:
        metrics["depth_flatness"] = min(shares) / metrics["needle_r1"]
    return metrics


def _tolerance_frames(plant: Plant) -> int:
    """Five frames, or the width of a wider needle: one frame of it is an answer."""
    return max(TOLERANCE_FRAMES, plant.frames)


def _survives(plant: Plant, snapshot: MemorySnapshot) -> bool:
    """Whether some stored span would be a right answer."""
    start_s, end_s = plant.span_s
    limit_s = _tolerance_frames(plant) * STEP_S
    near = np.abs(snapshot.span_start_s - start_s) <= limit_s
    return bool((near & (np.abs(snapshot.span_end_s - end_s) <= limit_s)).any())


def chain_cases(request: BenchRequest) -> list[Case]:
    """Chains of two to four needles in 10,000 frames."""
    frames = 1_000 if request.quick else CHAIN_FRAMES
    kind = LongKind(frames, places=PLACES)
    return [
        Case(
            "multi-hop", f"{hops} hops", budget_bytes, {"kind": asdict(kind), "hops": hops}, frames
        )
        for budget_bytes in budgets(request, (64 * KIB,))
        for hops in HOPS
    ]


class _Chains:
    """Four chains: each needle shows its own sign, then the turned sign of the next one.

    Turning (the entries in reverse) keeps a needle that names a sign from being taken for the
    needle that bears it.
    """

    def __init__(self, kind: LongKind, seed: int, hops: int) -> None:
        self.hops = hops
        self.signs = [
            [direction(kind.dim, seed, PLANTED, chain, hop) for hop in range(hops + 1)]
            for chain in range(CHAINS)
        ]
        count = CHAINS * (hops + 1)
        width = 2 * CHAIN_PART_FRAMES
        slots = generator(seed, CHOICE).permutation(count)
        starts = (slots * (kind.frames / count) + kind.frames / count / 2).astype(int) - width
        self.starts = starts.reshape(CHAINS, hops + 1)
        self.plants = [
            plant for chain in range(CHAINS) for hop in range(hops + 1)
            for plant in self._needle(chain, hop)
        ]  # fmt: skip

    def _needle(self, chain: int, hop: int) -> Iterator[Plant]:
        start = int(self.starts[chain, hop])
        yield Plant(start, CHAIN_PART_FRAMES, self.signs[chain][hop])
        if hop < self.hops:
            turned = self.signs[chain][hop + 1][::-1]
            yield Plant(start + CHAIN_PART_FRAMES, CHAIN_PART_FRAMES, turned)

    def question(self, chain: int, hop: int) -> Question:
        """What a right hit on a needle's sign is."""
        start = int(self.starts[chain, hop])
        plant = Plant(start, CHAIN_PART_FRAMES, self.signs[chain][hop])
        return Question("needle", plant.vector, (plant.span_s,))


def measure_chains(trial: Trial) -> Iterator[Row]:
    """Follow each chain from its first sign by what the memory stores behind each needle."""
    kind = LongKind(**trial.case.facts["kind"])
    chains = _Chains(kind, trial.seed, trial.case.facts["hops"])
    stream = LongStream(kind, trial.seed, chains.plants)
    field = open_field(trial, kind.dim)
    yield from field.refused
    field.write_all(stream.blocks())
    for policy, snapshot in field.snapshots():
        reached = [_follow(chain, chains, stream, snapshot) for chain in range(CHAINS)]
        metrics = {
            "chain_done": sum(hops == chains.hops for hops in reached) / CHAINS,
            "hops_done": sum(reached) / (CHAINS * chains.hops),
        }
        yield field.row(policy, {**metrics, **field.size_metrics(policy)})


def _follow(chain: int, chains: _Chains, stream: LongStream, snapshot: MemorySnapshot) -> int:
    """Hops done before the first wrong one."""
    query = stream.query(chains.signs[chain][0], 0.9, chain)
    for hop in range(chains.hops + 1):
        hits = snapshot.search(query, 1)
        if not hits or not answers(chains.question(chain, hop), hits[0], STEP_S):
            return max(0, hop - 1)
        if hop < chains.hops:
            behind = _key_behind(hits[0], query, snapshot)
            if behind is None:
                return hop
            along = float(behind @ stream.cone) / float(stream.cone @ stream.cone)
            query = (behind - stream.cone * along)[::-1] + stream.cone
    return chains.hops


def _key_behind(hit: Hit, query: Floats, snapshot: MemorySnapshot) -> Floats | None:
    """Of the keys stored at most three frames behind a hit the one least like the question.

    A memory of single frames may have hit the first frame of a sign, with more of it behind.
    """
    starts_s = snapshot.span_start_s
    behind = (starts_s > hit.start_s) & (starts_s < hit.end_s + CHAIN_PART_FRAMES * STEP_S)
    rows = np.flatnonzero(np.isin(snapshot.ids, snapshot.span_cell[behind]))
    if not rows.size:
        return None
    key: Floats = snapshot.keys[rows[np.argmin(snapshot.keys[rows] @ query)]]
    return key


def _columns(*named: tuple[str, str]) -> Sequence[Column]:
    return [Column(metric, title) for metric, title in named]


NEEDLES = Protocol(
    name="needles",
    title="needles at eleven depths of ever longer streams",
    cases=needle_cases,
    measure=measure_needles,
    columns=tuple(
        _columns(
            ("needle_r1", "needle R@1"),
            ("survival", "survival"),
            ("depth_flatness", "flatness over depths"),
            ("cosine9_r1", "R@1 at cosine 0.9"),
            ("cosine7_r1", "R@1 at cosine 0.7"),
            ("cosine5_r1", "R@1 at cosine 0.5"),
        )
    ),
    axis="frames",
)
CHAINS_PROTOCOL = Protocol(
    name="multi-hop",
    title="chains of needles that name the next one",
    cases=chain_cases,
    measure=measure_chains,
    columns=tuple(_columns(("chain_done", "whole chains"), ("hops_done", "hops"))),
)
