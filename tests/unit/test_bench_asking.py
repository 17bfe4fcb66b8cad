"""Event scripts, the questions about them, and when an answer is right."""

import numpy as np
import pytest

from streammem.bench.asking import drawing, features, world
from streammem.bench.asking.bars import bars
from streammem.bench.asking.names import NAMES, Script, Visit
from streammem.bench.asking.request import QuestionsRequest
from streammem.bench.asking.scoring import Given, Judged, is_right, kendall, metrics_of
from streammem.bench.asking.templates import TASKS, Asked, questions, rotations
from streammem.bench.trials import Trial
from streammem.core.errors import UsageError
from streammem.core.types import Channel, Evidence, Tier

SMALL = QuestionsRequest(quick=True)


def _evidence(start_s: float, end_s: float, text: str | None = None) -> Evidence:
    return Evidence(
        "e1", "m", "s", start_s, end_s, start_s, 0.9, Channel.VISION, Tier.WORKING, text
    )


def test_the_noise_is_where_single_frames_are_found_in_0_95_of_all_cases() -> None:
    assert world.retrieval(world.noise_length()) == pytest.approx(0.95, abs=0.01)
    assert world.retrieval(0.0) > 0.99


def test_names_with_a_word_in_common_look_half_alike() -> None:
    looks = world.name_directions(3)
    first, sibling, other = (NAMES.index(n) for n in ("red kite", "red van", "blue spoon"))

    assert float(looks[first] @ looks[sibling]) == pytest.approx(0.5, abs=0.1)
    assert abs(float(looks[first] @ looks[other])) < 0.15


def test_the_text_of_a_name_lies_as_far_from_its_look_as_stated() -> None:
    encoder = world.WorldEncoder(3)
    looks = world.name_directions(3)
    cosines = [
        float(encoder.encode_text(f"the {NAMES[index]}").embedding @ looks[index])
        for index in range(0, len(NAMES), 50)
    ]

    assert np.mean(cosines) == pytest.approx(world.TEXT_COSINE, abs=0.03)
    assert encoder.encode_text("a flying pig").unknown_words == ("flying", "pig")
    assert not encoder.encode_text("a flying pig").embedding.any()


def test_a_stretched_script_shows_the_same_events_in_the_same_order() -> None:
    plain, _ = world.write_script(world.Staging(40, 8), 5)
    longer, stream = world.write_script(world.Staging(40, 100, stretch=10), 5)

    assert [v.name for v in plain.visits] == [v.name for v in longer.visits]
    assert [v.duration_s for v in plain.visits] == [v.duration_s for v in longer.visits]
    assert longer.end_s == 10 * plain.end_s == stream.kind.frames * 0.5
    assert set(plain.names).isdisjoint(plain.absent)
    assert all(a.end_s < b.start_s for a, b in zip(plain.visits, plain.visits[1:], strict=False))


def test_every_task_is_asked_and_negatives_are_a_fifth() -> None:
    script, _ = world.write_script(world.Staging(40, 8), 5)
    asked = questions(script, np.random.default_rng(0))
    everything, _ = world.write_script(world.Staging(400, 8), 5)
    many = [item.task for item in questions(everything, np.random.default_rng(0))]

    assert {item.task for item in asked} == set(TASKS)
    share = many.count("absence") / (many.count("absence") + many.count("exists"))
    assert share == pytest.approx(0.2, abs=0.01)


def _script(*visits: tuple[str, float, float]) -> Script:
    return Script([Visit(*visit) for visit in visits], ["wet spoon"], 100.0)


SCRIPT = _script(
    ("red kite", 0, 5), ("blue van", 10, 15), ("red kite", 20, 25), ("hot tea", 30, 40)
)


def test_questions_state_what_the_script_says() -> None:
    """Every question about a small script, checked against the script by hand."""
    asked = questions(SCRIPT, np.random.default_rng(1))

    def of(task: str) -> dict[str, Asked]:
        return {item.text: item for item in asked if item.task == task}

    counts = {item.text.split("the ")[1][:8]: item.value for item in of("count").values()}
    assert counts == {"red kite": 2.0, "blue van": 1.0, "hot tea ": 1.0} or counts["red kite"] == 2
    assert {item.span_s for item in of("nth").values()} == {(20, 25)}
    assert all(item.order[:1] == ("red kite",) for item in of("order").values())
    for item in of("after").values():
        assert item.span_s is not None
        assert item.span_s[0] >= 15


@pytest.mark.parametrize(
    ("asked", "given", "right"),
    [
        (Asked("first", "", (10.0, 20.0)), Given([_evidence(8, 20)], None, None), True),
        (Asked("first", "", (10.0, 20.0)), Given([_evidence(14, 20)], None, None), False),
        (Asked("first", "", (10.0, 11.0)), Given([_evidence(12, 13)], None, None), False),
        (Asked("first", "", (10.0, 20.0)), Given([], None, None), False),
        (Asked("count", "", value=3.0), Given([], 3, None), True),
        (Asked("count", "", value=3.0), Given([], None, None), False),
        (Asked("duration", "", value=100.0), Given([], 91.0, None), True),
        (Asked("duration", "", value=100.0), Given([], 89.0, None), False),
        (Asked("absence", "", value=False), Given([], False, None), True),
        (Asked("absence", "", value=False), Given([], None, None), False),
        (Asked("now", "", name="red kite"), Given([], None, None, ["red kite"]), True),
        (Asked("choose", "", choices=("a", "b"), choice="b"), Given([], None, "b"), True),
    ],
)
def test_when_an_answer_is_right(asked: Asked, given: Given, right: bool) -> None:
    assert is_right(asked, given) is right


def test_kendall_counts_pairs_that_are_not_told_as_wrong() -> None:
    asked = Asked("order", "", order=("a1", "b2", "c3"))
    whole = Given(
        [_evidence(9, 10, "c3"), _evidence(1, 2, "a1"), _evidence(5, 6, "b2")], None, None
    )
    reverse = Given(
        [_evidence(1, 2, "c3"), _evidence(5, 6, "b2"), _evidence(9, 10, "a1")], None, None
    )
    part = Given([_evidence(1, 2, "a1"), _evidence(5, 6, "b2")], None, None)

    assert [kendall(asked, given) for given in (whole, reverse, part)] == [
        1.0,
        -1.0,
        pytest.approx(-1 / 3),
    ]
    assert is_right(asked, whole)
    assert not is_right(asked, part)


def test_a_choice_is_asked_with_every_rotation_of_its_options() -> None:
    asked = Asked("choose", "", choices=("a", "b", "c", "d"), choice="a")
    turned = [item.choices for item in rotations(asked)]

    assert len(set(turned)) == 4
    assert {options[0] for options in turned} == {"a", "b", "c", "d"}
    assert list(rotations(Asked("first", ""))) == [Asked("first", "")]


def test_one_wrong_rotation_makes_a_choice_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that always takes the first option is right in one rotation of four: wrong."""
    asked = Asked("choose", "", choices=("a", "b", "c", "d"), choice="a")
    monkeypatch.setattr(features, "ask", lambda memory, item: Given([], None, item.choices[0]))

    assert not features.ask_rotated(None, asked).right  # type: ignore[arg-type]


def test_absence_f1_counts_false_alarms_on_both_sides() -> None:
    absent = [Judged(Asked("absence", "", value=False), Given([], v, None), v is False)
              for v in (False, False, True, None)]  # fmt: skip
    present = [Judged(Asked("exists", "", value=True), Given([], v, None), v is True)
               for v in (True, False)]  # fmt: skip
    metrics = metrics_of([*absent, *present])

    assert metrics["absence_f1"] == pytest.approx(2 * 2 / (4 + 2 + 1))


def test_the_plain_script_is_answered_through_the_real_engine() -> None:
    """One whole trial: parser, store, retrieval, operators; nearly everything is right."""
    (case, _) = features.cases(SMALL)
    (row,) = features.measure(Trial(case, 3, ("streammem",)))

    assert row.metrics["budget_used"] <= 1
    for task in ("first", "after", "between", "count", "exists"):
        assert row.metrics[task] >= 0.85, task


def test_pictures_show_each_event_for_as_long_as_the_script_says() -> None:
    script = drawing.write_script(4)
    frames = list(drawing.pictures(script))
    corners = [tuple(int(v) for v in frame[:, 2, 2]) for frame in frames]
    for visit in script.visits:
        first, last = round(visit.start_s * drawing.RATE_HZ), round(visit.end_s * drawing.RATE_HZ)
        shown = tuple(int(v) for v in drawing.SCENES[visit.name]()[:, 2, 2])

        assert set(corners[first:last]) == {shown}
        assert corners[first - 1] != shown

    assert len(frames) == round(script.end_s * drawing.RATE_HZ)


def _results(plain: float, stretched: float) -> list[dict]:
    def case(name: str, stretch: int, value: float) -> dict:
        figures = {"first": {"mean": value}, "duration_error": {"mean": 0.2}}
        entry = {"policy": "streammem", "status": "done", "metrics": figures}
        return {
            "name": name,
            "facts": {"staging": {"stretch": stretch}, "load": 4.0},
            "policies": [entry],
        }

    cases = [case("plain", 1, plain), case("x100", 100, stretched)]
    return [{"protocol": "features", "cases": cases}]


def test_bars_judge_the_plain_script_and_what_a_long_stream_loses() -> None:
    judged = {bar.name: bar.met for bar in bars(_results(0.95, 0.89))}

    assert judged["first at least 0.9: plain"]
    assert not judged["duration_error at most 0.1: plain"]
    assert not judged["first within 0.05 of the plain script: x100, load 4"]
    assert judged["duration_error within 0.05 of the plain script: x100, load 4"]


def test_figures_of_tuning_seeds_are_never_kept(tmp_path) -> None:
    assert QuestionsRequest(tuning=True, seeds=3).seed_numbers() == (0, 1, 2)
    assert QuestionsRequest(seeds=2).seed_numbers() == (1000, 1001)
    with pytest.raises(UsageError, match="exclude"):
        QuestionsRequest(tuning=True, out=tmp_path).check()
    with pytest.raises(UsageError, match="tuning"):
        QuestionsRequest(tuning=True, seeds=101).check()
