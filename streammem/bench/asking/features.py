"""Scripts as features: a memory under a byte budget, and questions in English to it."""

from collections.abc import Iterator
from dataclasses import asdict

from streammem.bench.asking.names import TYPES, Script
from streammem.bench.asking.request import QuestionsRequest
from streammem.bench.asking.scoring import Given, Judged, is_right, metrics_of
from streammem.bench.asking.templates import Asked, questions, rotations
from streammem.bench.asking.world import (
    DIM,
    TEXT_COSINE,
    WANTED_RETRIEVAL,
    Staging,
    WorldEncoder,
    noise_length,
    write_script,
)
from streammem.bench.long_streams import CHOICE, generator
from streammem.bench.request import cell_bytes
from streammem.bench.stores import open_field
from streammem.bench.trials import Case, Row, Trial
from streammem.memory import MemorySnapshot
from streammem.query.engine import find
from streammem.query.memories import QueryMemory, QueryOptions
from streammem.query.parse import parse_question

EVENTS = 40
PLAIN_PLACES = 8
STRETCH = 100
LOADS = (1.0, 4.0)
QUICK_STRETCH, QUICK_PLACES = 5, 200
_TOP_K = 5


def cases(request: QuestionsRequest) -> list[Case]:
    """The script alone, and spread over a stream 100 times longer at each load."""
    staged = [Staging(EVENTS, PLAIN_PLACES)]
    if request.quick:
        staged.append(Staging(EVENTS, QUICK_PLACES, QUICK_STRETCH))
    else:
        for load in LOADS:
            places = round(load * request.budget_bytes / cell_bytes(DIM)) - TYPES
            staged.append(Staging(EVENTS, places, STRETCH))
    return [
        Case("features", _name(one), request.budget_bytes, _facts(one, request), one.frames)
        for one in staged
    ]


def _name(staging: Staging) -> str:
    return "features" if staging.stretch == 1 else f"features x{staging.stretch}"


def _facts(staging: Staging, request: QuestionsRequest) -> dict[str, object]:
    return {
        "staging": asdict(staging),
        "load": (TYPES + staging.places) * cell_bytes(DIM) / request.budget_bytes,
        "dim": DIM,
        "noise": noise_length(),
        "single_frame_retrieval": WANTED_RETRIEVAL,
        "text_cosine": TEXT_COSINE,
    }


def measure(trial: Trial) -> Iterator[Row]:
    """Write the stream to every memory and ask each the same questions."""
    staging = Staging(**trial.case.facts["staging"])
    script, stream = write_script(staging, trial.seed)
    asked = questions(script, generator(trial.seed, CHOICE, 1))
    field = open_field(trial, DIM)
    yield from field.refused
    field.write_all(stream.blocks())
    encoder = WorldEncoder(trial.seed)
    for policy, snapshot in field.snapshots():
        memory = memory_of(snapshot, encoder, script)
        judged = [ask_rotated(memory, item) for item in asked]
        yield field.row(policy, {**metrics_of(judged), **field.size_metrics(policy)})


def memory_of(snapshot: MemorySnapshot, encoder: WorldEncoder, script: Script) -> QueryMemory:
    """A snapshot as questions see it."""
    return QueryMemory("script", "script", snapshot, encoder, 0.0, script.end_s)


def ask_rotated(memory: QueryMemory, asked: Asked) -> Judged:
    """One question with its verdict; a choice is right if it is in every rotation."""
    given = [(item, ask(memory, item)) for item in rotations(asked)]
    return Judged(asked, given[0][1], all(is_right(item, answer) for item, answer in given))


def ask(memory: QueryMemory, asked: Asked) -> Given:
    """What the question engine says."""
    question = parse_question(asked.text, choices=asked.choices)
    findings = find(question, [memory], QueryOptions(top_k=_TOP_K, at_s=asked.at_s))
    names = [name for name, _ in findings.labels]
    return Given(findings.evidence, findings.value, findings.choice, names)
