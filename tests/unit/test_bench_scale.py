"""Long streams and what the bench measures on them; bars; where time and memory are counted."""

import mmap

import numpy as np
import pytest

from streammem.bench.bars import RECALL_BARS, bars
from streammem.bench.long_streams import LongKind, LongStream, Plant
from streammem.bench.protocols.scale import SCALE, resident_bytes
from streammem.bench.request import BenchRequest
from streammem.bench.trials import Case, Trial

KIND = LongKind(3000, dim=32)

HELD_BYTES = 64_000_000


def test_a_long_stream_is_the_same_in_blocks_of_any_size() -> None:
    plant = Plant(1000, 60, np.full(32, 1.0, np.float32))
    whole = [
        np.concatenate(part) for part in zip(*LongStream(KIND, 7, [plant]).blocks(), strict=True)
    ]
    small = [
        np.concatenate(part) for part in zip(*LongStream(KIND, 7, [plant]).blocks(100), strict=True)
    ]

    assert whole[0].shape == (3000, 32)
    assert np.array_equal(whole[0], small[0])
    assert np.array_equal(whole[1], small[1])
    assert (np.diff(whole[1]) == 0.5).all()


def test_a_plant_is_seen_where_it_was_planted_across_blocks() -> None:
    quiet = LongKind(3000, dim=32, noise=1e-6, cone=0.0)
    vector = np.eye(32, dtype=np.float32)[3]
    plant = Plant(1000, 60, vector)
    frames = np.concatenate([rows for rows, _ in LongStream(quiet, 7, [plant]).blocks()])
    plain = np.concatenate([rows for rows, _ in LongStream(quiet, 7).blocks()])

    assert np.allclose(frames[1000:1060], vector, atol=1e-4)
    assert np.array_equal(frames[:1000], plain[:1000])
    assert np.array_equal(frames[1060:], plain[1060:])
    assert plant.span_s == (500.0, 530.0)


def test_a_question_has_the_cosine_it_was_asked_with() -> None:
    stream = LongStream(LongKind(100, dim=64, cone=0.0), 1)
    vector = np.random.default_rng(0).standard_normal(64).astype(np.float32)
    query = stream.query(vector, 0.7, 1)

    cosine = query @ vector / np.linalg.norm(query) / np.linalg.norm(vector)
    assert cosine == pytest.approx(0.7, abs=1e-5)


def test_scale_measures_bytes_and_times_and_stays_in_the_budget() -> None:
    (case,) = SCALE.cases(BenchRequest(quick=True))
    (row,) = SCALE.measure(Trial(case, 1000, ("streammem",)))

    assert row.refused is None
    assert row.metrics["over_budget"] == 0.0
    assert 0 < row.metrics["nbytes"] <= row.metrics["nbytes_peak"] <= case.budget_bytes
    assert row.metrics["frames_per_s"] > 0
    assert row.metrics["search_p50_ms"] <= row.metrics["search_p99_ms"]
    assert SCALE.alone


def test_resident_memory_grows_by_what_is_held() -> None:
    before = resident_bytes()
    if before is None:
        pytest.skip("this system does not tell resident memory")
    # Fresh pages of the system: an array may be given memory that an earlier test left resident.
    with mmap.mmap(-1, HELD_BYTES) as held:
        held.write(b"\1" * HELD_BYTES)
        after = resident_bytes()

    assert after is not None
    assert after - before >= 0.9 * HELD_BYTES


def _case(name: str, budget_bytes: int, **figures: float) -> dict[str, object]:
    metrics = {name: {"mean": value} for name, value in figures.items()}
    return {
        "name": name, "budget_bytes": budget_bytes, "frames": 1,
        "policies": [
            {"policy": "streammem", "status": "done", "metrics": metrics},
            {"policy": "other", "status": "done",
             "metrics": {"needle_r1": {"mean": 0.93}, "event_r1": {"mean": 0.2}}},
        ],
    }  # fmt: skip


def test_bars_are_judged_by_what_was_reached() -> None:
    (name, budget_bytes), wanted = next(iter(RECALL_BARS.items()))
    case = _case(name, budget_bytes, needle_r1=0.90, event_r1=0.99)
    judged = {bar.name: bar.met for bar in bars([{"protocol": "streams", "cases": [case]}])}

    assert len(RECALL_BARS) == 6
    assert wanted == (0.95, 0.95)
    assert [met for text, met in judged.items() if text.startswith("needle / event")] == [False]
    ahead = {text: met for text, met in judged.items() if text.startswith("no bounded")}
    assert [met for text, met in ahead.items() if "in needle" in text] == [False]
    assert [met for text, met in ahead.items() if "in event" in text] == [True]


def test_refused_and_unmeasured_cases_judge_nothing() -> None:
    case = _case("any", 1)
    case["policies"] = [{"policy": "streammem", "status": "refused", "metrics": {}}]

    assert bars([{"protocol": "streams", "cases": [case]}]) == []
    assert Case("a", "b", 1).id != Case("a", "b", 2).id
