"""The planted streams of the bench: what they are made of and that questions have answers."""

from dataclasses import replace

import numpy as np
import pytest

from streammem.bench.planted import HARDER, STEP_S, TABLE, StreamKind, plant
from streammem.bench.questions import Question, answers, ask_all, temporal_iou, touches
from streammem.core.types import Tier
from streammem.memory import Hit, MemoryStore

SMALL = StreamKind(12, 6, 4, dim=64)


def _hit(start_s: float, end_s: float) -> Hit:
    return Hit(start_s, end_s, 0.9, Tier.WORKING, 1, start_s)


def test_a_seed_fixes_the_stream_and_seeds_differ() -> None:
    first, again, other = plant(SMALL, 1), plant(SMALL, 1), plant(SMALL, 2)

    assert first.frames.tobytes() == again.frames.tobytes()
    assert first.frames.shape != other.frames.shape or not np.array_equal(
        first.frames, other.frames
    )


@pytest.mark.parametrize("kind", [*TABLE.values(), *HARDER.values()])
def test_every_question_is_answered_by_what_lies_in_its_spans(kind: StreamKind) -> None:
    """The frames inside a question's spans fit it better than the frames outside."""
    stream = plant(replace(kind, dim=256), 3)
    rows = stream.frames / np.maximum(np.linalg.norm(stream.frames, axis=1), 1e-9)[:, None]
    times = stream.pts_s
    right = 0
    questions = stream.questions()
    for question in questions:
        inside = np.zeros(times.size, np.bool_)
        for start_s, end_s in question.spans:
            inside |= (times >= start_s) & (times < end_s)
        scores = rows @ question.query
        assert inside.any()
        right += scores[inside].max() > scores[~inside].max()

    assert right >= 0.95 * len(questions)


def test_what_harder_streams_add_leaves_the_others_as_they_were() -> None:
    plain = plant(SMALL, 5)
    black = plant(replace(SMALL, black=0.2), 5)
    zero = ~black.frames.any(axis=1)

    assert 0 < zero.sum() < 0.5 * zero.size
    assert np.array_equal(black.frames[~zero], plain.frames[~zero])


def test_strobe_flickers_at_every_frame() -> None:
    stream = plant(replace(SMALL, strobe=1.0, noise=0.0, cone=0.0, needles=0), 1)
    cosines = np.einsum("ij,ij->i", stream.frames[1:], stream.frames[:-1])

    assert (cosines < 0.3).mean() > 0.8
    assert stream.events == []


def test_bursty_visits_differ_by_an_order_of_magnitude() -> None:
    lengths = [
        round((end_s - start_s) / STEP_S)
        for _, spans in plant(replace(HARDER["bursty durations"], dim=32), 1).events
        for start_s, end_s in spans
    ]

    assert max(lengths) > 10 * min(lengths)


def test_impossible_kinds_are_refused() -> None:
    for change in ({"places": 13}, {"needles": 13}, {"lengths": "odd"}, {"visit_frames": 5}):
        with pytest.raises(ValueError, match=r"needs|lengths|room"):
            replace(SMALL, **change)  # type: ignore[arg-type]


def test_a_needle_is_not_found_by_a_hit_as_long_as_a_scene() -> None:
    needle = Question("needle", np.ones(4, np.float32), ((100.0, 101.0),))

    assert answers(needle, _hit(99.0, 102.0), STEP_S)
    assert not answers(needle, _hit(90.0, 111.0), STEP_S)
    assert touches(needle, _hit(90.0, 111.0), STEP_S)
    assert not touches(needle, _hit(0.0, 100.5), STEP_S)


def test_an_event_is_found_by_the_middle_of_a_hit() -> None:
    event = Question("event", np.ones(4, np.float32), ((10.0, 20.0), (50.0, 60.0)))

    assert answers(event, _hit(52.0, 64.0), STEP_S)
    assert not answers(event, _hit(18.0, 40.0), STEP_S)
    assert touches(event, _hit(18.0, 40.0), STEP_S)
    assert temporal_iou(event.spans, _hit(50.0, 55.0)) == pytest.approx(0.5)
    assert temporal_iou(event.spans, _hit(30.0, 40.0)) == 0.0


def test_figures_tell_a_memory_that_holds_everything_from_one_that_holds_little() -> None:
    stream = plant(StreamKind(60, 60, 10, dim=128), 1)
    figures = []
    for policy in ("streammem", "recent"):
        store = MemoryStore(128, 64 * 1024, policy=policy)
        store.write(stream.frames, stream.pts_s)
        figures.append(ask_all(store.snapshot(), stream.questions(), STEP_S))
    large, small = figures

    assert large["needle_r1"] >= 0.95
    assert large["event_r1"] >= 0.95
    assert small["event_r1"] < 0.5
    assert all(0 <= value <= 1 for value in (*large.values(), *small.values()))
    assert large["event_iou50"] <= large["event_r1"] <= large["event_r5"]
