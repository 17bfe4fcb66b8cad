"""Needle grid, chains, scripts and facts: the harness answers right with a memory of everything."""

from itertools import pairwise

import numpy as np
import pytest

from streammem.bench.long_streams import STEP_S, LongKind
from streammem.bench.protocols.ballet import BALLET, DANCE_FRAMES, Ballet
from streammem.bench.protocols.base import Protocol
from streammem.bench.protocols.needles import (
    CHAINS_PROTOCOL,
    DEPTHS,
    NEEDLES,
    WIDTHS,
    plant_needles,
)
from streammem.bench.protocols.scripts import (
    HORIZON,
    SCRIPTS,
    occurrences,
    plant_facts,
    script_metrics,
    write_script,
)
from streammem.bench.request import BenchRequest
from streammem.bench.trials import Metrics, Trial
from streammem.memory import MemoryStore


def _measure(protocol: Protocol, *policies: str) -> dict[str, Metrics]:
    case = protocol.cases(BenchRequest(quick=True))[0]
    rows = protocol.measure(Trial(case, 1000, policies))
    return {row.key.policy: row.metrics for row in rows}


@pytest.mark.parametrize(
    ("protocol", "metric"),
    [(NEEDLES, "needle_r1"), (NEEDLES, "survival"), (CHAINS_PROTOCOL, "chain_done"),
     (SCRIPTS, "first"), (SCRIPTS, "count"), (SCRIPTS, "duration"), (SCRIPTS, "abstention_f1"),
     (HORIZON, "recall"), (HORIZON, "updated"), (BALLET, "dancer")],
)  # fmt: skip
def test_a_memory_of_everything_answers_right_and_of_the_last_frames_does_not(
    protocol: Protocol, metric: str
) -> None:
    metrics = _measure(protocol, "unbounded", "recent")

    assert metrics["unbounded"][metric] >= 0.95
    assert metrics["recent"][metric] < 0.5 or metric == "abstention_f1"


def test_needles_lie_at_all_depths_in_all_widths_without_touching() -> None:
    plants = plant_needles(LongKind(1000), 1000)
    ends = [plant.start + plant.frames for plant in plants]

    assert len(plants) == DEPTHS * len(WIDTHS)
    assert all(plant.start >= end for plant, end in zip(plants[1:], ends, strict=False))
    assert ends[-1] <= 1000
    for depth in range(DEPTHS):
        of_depth = plants[depth * len(WIDTHS) : (depth + 1) * len(WIDTHS)]
        assert sorted(plant.frames for plant in of_depth) == sorted(WIDTHS)


def test_facts_that_changed_were_replaced_before_they_are_asked() -> None:
    kind = LongKind(8400, dim=16)
    plants, facts = plant_facts(kind, 1000)
    changed = [fact for fact in facts if fact.stale_s is not None]

    assert len(changed) == len(facts) // 2
    assert all(fact.stale_s[1] < fact.span_s[0] for fact in changed if fact.stale_s)
    assert all(0 <= plant.start <= kind.frames - plant.frames for plant in plants)
    end_s = kind.frames * STEP_S
    for fact in facts:
        away_s = end_s - fact.span_s[1]
        assert fact.delay_s <= away_s <= fact.delay_s + 5
    taken = np.zeros(kind.frames, np.int64)
    for plant in plants:
        taken[plant.start : plant.start + plant.frames] += 1
    assert taken.max() == 1


def test_each_dancer_dances_once_with_a_pause_before() -> None:
    ballet = Ballet(LongKind(600, dim=64, empty=True), 8, 48, 1000)
    starts = [plant.start for plant in ballet.plants]

    assert starts == [48 + number * (DANCE_FRAMES + 48) for number in range(8)]
    assert all(plant.vector.shape == (DANCE_FRAMES, 64) for plant in ballet.plants)
    alike = [float(ballet.dances[0] @ dance) for dance in ballet.dances[1:]]
    assert np.mean(alike) == pytest.approx(0.5, abs=0.15)


def test_scripts_hold_what_they_say() -> None:
    script = write_script(LongKind(2500, dim=64, empty=True), 50, 1000)

    assert sum(len(spans) for spans in script.spans) == 50
    flat = sorted(span for spans in script.spans for span in spans)
    assert all(first[1] < second[0] for first, second in pairwise(flat))


def test_figures_of_scripts_are_those_of_what_was_found() -> None:
    truth = [[(0.0, 5.0), (50.0, 60.0)], [(20.0, 30.0)], []]
    exact = script_metrics(truth, truth, [[], []])
    half = script_metrics(truth, [[(50.0, 60.0)], [], []], [[], [(1.0, 2.0)]])

    assert exact["first"] == exact["count"] == exact["duration"] == exact["abstention_f1"] == 1.0
    assert (half["first"], half["last"], half["count"], half["count_off_by_one"]) == (0, 0.5, 0, 1)
    assert half["duration_error"] == pytest.approx((1 / 3 + 1) / 2)
    assert half["abstention_f1"] == pytest.approx(2 / 4)


def test_what_is_absent_occurs_nowhere() -> None:
    script = write_script(LongKind(2500, dim=256, empty=True), 50, 1001)
    store = MemoryStore(256, 1 << 20)
    for frames, pts_s in script.stream.blocks():
        store.write(frames, pts_s)
    snapshot = store.snapshot()

    assert occurrences(snapshot, script.query(script.absent[0], 99)) == []
    often = max(range(len(script.spans)), key=lambda number: len(script.spans[number]))
    found = occurrences(snapshot, script.query(script.vectors[often], often))
    assert len(found) == len(script.spans[often])
