"""Who did this dance? Dancers perform one after the other, and one dance is asked for at the end.

Other_systems.md 4.4, after the ballet of HCAM (Lampinen and others, 2021, arXiv:2105.14039): 2, 4
or 8 dancers, 16 steps a dance, an empty stage in between; here also 32 and 128 dancers, and a stage
that stays empty for 10,000 frames before the question. A frame shows dancer, dance and step. Dances
are half alike, steps are the same in all of them, and the question shows the dance without the
dancer, so most of what was seen has nothing to do with what is asked.
"""

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from streammem.bench.long_streams import (
    CHOICE,
    PLANTED,
    STEP_S,
    LongKind,
    LongStream,
    Plant,
    direction,
    generator,
)
from streammem.bench.protocols.base import Column, Protocol, budgets
from streammem.bench.questions import Question, answers
from streammem.bench.request import BenchRequest
from streammem.bench.stores import open_field
from streammem.bench.trials import Case, Row, Trial
from streammem.core.budget import KIB
from streammem.core.types import Floats

DANCERS = (2, 4, 8, 32, 128)
QUICK_DANCERS = (8,)
DELAYS = (16, 48)
LONG_DELAY = 10_000
DANCE_FRAMES = 16
STEPS = 24
DANCE_SIZE, STEP_SIZE = 0.6, 0.3
QUERY_COSINE = 0.9


def ballet_cases(request: BenchRequest) -> list[Case]:
    """Each number of dancers with each pause after a dance; the most also with a long wait."""
    dancers = QUICK_DANCERS if request.quick else DANCERS
    delays = DELAYS[:1] if request.quick else DELAYS
    stages = [(count, delay, delay) for count in dancers for delay in delays]
    if not request.quick:
        stages.append((dancers[-1], DELAYS[-1], LONG_DELAY))
    found = []
    for budget_bytes in budgets(request, (64 * KIB,)):
        for count, delay, last in stages:
            frames = delay + count * (DANCE_FRAMES + delay) + last - delay
            facts = {"kind": asdict(LongKind(frames, empty=True)), "dancers": count, "delay": delay}
            name = f"{count} dancers, {delay} frames between"
            if last > delay:
                name += f", {last:,} before the question"
            if frames <= request.max_frames:
                found.append(Case("ballet", name, budget_bytes, facts, frames))
    return found


class Ballet:
    """The dances of a case: when each is, by whom, and how it is asked for."""

    def __init__(self, kind: LongKind, dancers: int, delay: int, seed: int) -> None:
        rng = generator(seed, CHOICE)
        steps = np.stack([direction(kind.dim, seed, PLANTED, 1, step) for step in range(STEPS)])
        shared = direction(kind.dim, seed, PLANTED, 2)
        own = [direction(kind.dim, seed, PLANTED, 3, number) for number in range(dancers)]
        self.dances: list[Floats] = [(shared + dance) / np.float32(np.sqrt(2)) for dance in own]
        self.plants = [
            Plant(
                delay + number * (DANCE_FRAMES + delay),
                DANCE_FRAMES,
                direction(kind.dim, seed, PLANTED, 0, number)
                + DANCE_SIZE * dance
                + STEP_SIZE * steps[rng.integers(0, STEPS, DANCE_FRAMES)],
            )
            for number, dance in enumerate(self.dances)
        ]
        self.stream = LongStream(kind, seed, self.plants)

    def question(self, number: int) -> Question:
        """Whose dance this is: right is any moment at which that dancer dances it."""
        query: Floats = self.stream.query(self.dances[number], QUERY_COSINE, number)
        return Question("event", query, (self.plants[number].span_s,))


def measure_ballet(trial: Trial) -> Iterator[Row]:
    """Write the whole evening, then ask for every dance; chance is one over the dancers."""
    facts = trial.case.facts
    kind, dancers = LongKind(**facts["kind"]), facts["dancers"]
    ballet = Ballet(kind, dancers, facts["delay"], trial.seed)
    field = open_field(trial, kind.dim)
    yield from field.refused
    field.write_all(ballet.stream.blocks())
    for policy, snapshot in field.snapshots():
        right = 0
        for number in range(dancers):
            question = ballet.question(number)
            hits = snapshot.search(question.query, 1)
            right += bool(hits) and answers(question, hits[0], STEP_S)
        metrics = {"dancer": right / dancers, "above_chance": right / dancers - 1 / dancers}
        yield field.row(policy, {**metrics, **field.size_metrics(policy)})


BALLET = Protocol(
    name="ballet",
    title="who did this dance",
    cases=ballet_cases,
    measure=measure_ballet,
    columns=(Column("dancer", "right dancer"), Column("above_chance", "above chance")),
)
