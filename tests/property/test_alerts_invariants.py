"""Standing questions under any scores: what they promise holds whatever a camera shows."""

import json
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streammem.core.alerts import AlertRule
from streammem.query.alerts import DAY_S, Report, StandingQuestion

# Scores that a machine would stumble over: jumps, plateaus at the thresholds, tiny noise.
scores = st.one_of(
    st.floats(-20, 20, width=32),
    st.sampled_from([0.0, 0.049, 0.3, 0.31, 0.6, 6.0, -6.0, 100.0]),
)
steps_s = st.sampled_from([0.1, 0.5, 0.5, 0.5, 1.0, 9.9, 10.1, 600.0, 40_000.0])
frames = st.lists(st.tuples(steps_s, scores), min_size=1, max_size=300)
rules = st.builds(
    AlertRule,
    name=st.just("any"),
    text=st.just("any"),
    threshold=st.sampled_from([1.0, 3.0, 6.0]),
    release=st.sampled_from([0.0, 0.5, 1.0]),
    confirm_frames=st.integers(1, 3),
    confirm_of=st.integers(3, 5),
    warm_up_s=st.sampled_from([0.0, 5.0]),
    adapt_s=st.sampled_from([60.0, 3600.0]),
    cool_down_s=st.sampled_from([0.0, 1.0, 30.0, 5000.0]),
    max_per_day=st.integers(1, 4),
    absent_for_s=st.sampled_from([None, None, 3.0]),
    min_strength=st.sampled_from([-100.0, -1.0]),
)


def played(question: StandingQuestion, given_frames, start_s: float = 0.0) -> list[Report]:
    time_s, found = start_s, []
    for step_s, score in given_frames:
        time_s += step_s
        report = question.step(time_s, score)
        if report is not None:
            found.append(report)
    return found


def flicker(rule: AlertRule, seconds: float, period_s: float) -> list[Report]:
    """A camera that falls quiet and starts again for as long as it takes."""
    question = StandingQuestion(rule)
    found = []
    for number in range(int(seconds / 0.5)):
        time_s = 0.5 * number
        shown = time_s > 30 and (time_s % period_s) < 0.6 * period_s
        report = question.step(time_s, 5.0 if shown else 0.0)
        if report is not None:
            found.append(report)
    return found


@settings(max_examples=150, deadline=None)
@given(rules, frames)
def test_cool_down_and_budget_hold_for_any_scores(rule: AlertRule, given_frames) -> None:
    """No two reports are closer than the cool-down, no 24 hours hold more than the budget."""
    times = [report.time_s for report in played(StandingQuestion(rule), given_frames)]

    assert all(b - a >= rule.cool_down_s for a, b in pairwise(times))
    for start_s in times:
        assert sum(start_s <= at_s < start_s + DAY_S for at_s in times) <= rule.max_per_day


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 6), st.sampled_from([10.0, 25.0]), st.sampled_from([0.0, 20.0, 60.0]))
def test_a_flickering_camera_spends_its_budget_and_no_more(
    budget: int, period_s: float, cool_down_s: float
) -> None:
    """Reports do come, as many as allowed, and what is held back is counted."""
    rule = AlertRule("x", text="x", max_per_day=budget, cool_down_s=cool_down_s)
    times = [report.time_s for report in flicker(rule, 3600.0, period_s)]

    assert len(times) == budget
    assert all(b - a >= cool_down_s for a, b in pairwise(times))


@settings(max_examples=40, deadline=None)
@given(rules, st.floats(-50, 50, width=32), st.integers(1, 400), steps_s)
def test_a_constant_stream_never_alerts(
    rule: AlertRule, score: float, count: int, step_s: float
) -> None:
    """Whatever is always there is what this camera usually shows."""
    assert played(StandingQuestion(rule), [(step_s, score)] * count) == []


@settings(max_examples=60, deadline=None)
@given(rules, frames, st.integers(0, 300))
def test_a_stored_machine_goes_on_as_if_nothing_had_happened(
    rule: AlertRule, given_frames, cut: int
) -> None:
    """Also through JSON, at any frame: the same reports, counts and calibration."""
    whole = StandingQuestion(rule)
    expected = played(whole, given_frames)
    cut = min(cut, len(given_frames))
    first, second = StandingQuestion(rule), StandingQuestion(rule)

    found = played(first, given_frames[:cut])
    second.restore(json.loads(json.dumps(first.to_json())))
    found += played(second, given_frames[cut:], sum(step_s for step_s, _ in given_frames[:cut]))

    assert [report.rise for report in found] == [report.rise for report in expected]
    assert second.suppressed == whole.suppressed
    assert second.site == whole.site


@settings(max_examples=30, deadline=None)
@given(frames)
def test_memory_is_bounded(given_frames) -> None:
    """Whatever goes by, the state stays within a bound that the rule sets."""
    question = StandingQuestion(AlertRule("x", text="x", warm_up_s=0.0, max_per_day=10))
    for number in range(5):
        played(question, given_frames, start_s=1e6 * number)

    assert len(json.dumps(question.to_json())) < 1500


def test_noise_does_not_alert_and_the_thing_does() -> None:
    """A day of ordinary noise stays silent; what stands out of it is reported once a visit."""
    rng = np.random.default_rng(7)
    question = StandingQuestion(AlertRule("x", text="x"))
    quiet = rng.normal(0.2, 0.1, 40_000)
    assert played(question, [(0.5, score) for score in quiet]) == []

    visit = rng.normal(1.2, 0.1, 40)
    found = played(question, [(0.5, score) for score in visit], start_s=20_000.0)
    assert len(found) == 1
    assert found[0].time_s <= 20_003.0
