"""Standing questions, one rule of theirs at a time."""

from dataclasses import replace

import numpy as np
import pytest

from streammem.core.alerts import AlertRule
from streammem.core.errors import UsageError
from streammem.core.types import Background
from streammem.query.alerts import StandingQuestion
from streammem.query.alerts_gate import Gate, cell_strengths, image_target, text_target
from streammem.query.alerts_site import MIN_LEARNT, MIN_SPREAD, RING, SiteCalibration
from tests.unit._query_world import Cell, WordEncoder, memory_of

RULE = AlertRule("door", text="door", warm_up_s=10.0, cool_down_s=10.0)
LOW, HIGH = 0.0, 2.0


class OfTexts(WordEncoder):
    """An encoder whose background is phrases."""

    def background(self) -> Background:
        return replace(super().background(), kind="text")


class Camera:
    """Feeds a machine, two frames a second."""

    def __init__(self, rule: AlertRule = RULE, usual: float = LOW) -> None:
        self.question = StandingQuestion(rule)
        self.now_s = 0.0
        self.times: list[float] = []
        self.show(usual, 15.0)

    def show(self, score: float, seconds: float) -> None:
        """A score for so long."""
        for _ in range(round(seconds / 0.5)):
            report = self.question.step(self.now_s, score)
            self.now_s += 0.5
            if report is not None:
                self.times.append(report.time_s)


def test_it_takes_several_frames_and_is_reported_once_a_visit() -> None:
    """A single frame is no visit; a long visit is one report, with its start."""
    camera = Camera()
    camera.show(HIGH, 0.5)
    camera.show(LOW, 5.0)
    assert camera.times == []

    start_s = camera.now_s
    camera.show(HIGH, 120.0)

    assert camera.times == [start_s + 1.0]


def test_hysteresis_keeps_a_visit_together() -> None:
    """Scores between release and threshold go on with a visit and begin none."""
    camera = Camera(replace(RULE, cool_down_s=0.0))
    between = (RULE.release + 1.0) * MIN_SPREAD
    camera.show(between, 10.0)
    assert camera.times == []

    camera.show(HIGH, 5.0)
    camera.show(between, 5.0)
    camera.show(HIGH, 5.0)
    assert len(camera.times) == 1

    camera.show(LOW, 5.0)
    camera.show(HIGH, 5.0)
    assert len(camera.times) == 2


def test_nothing_is_reported_while_the_camera_is_learnt() -> None:
    """What is there from the beginning is usual, until it has gone and comes back."""
    camera = Camera(usual=HIGH)
    camera.show(HIGH, 15.0)
    assert camera.times == []
    assert camera.question.site is not None
    assert camera.question.site.zero == pytest.approx(HIGH)

    camera.show(LOW, 60.0)
    camera.show(HIGH, 5.0)
    assert len(camera.times) == 1


def test_the_cool_down_delays_a_visit_that_lasts_and_drops_a_short_one() -> None:
    """What is still there when the cool-down ends is reported then."""
    camera = Camera(replace(RULE, cool_down_s=30.0))
    camera.show(HIGH, 5.0)
    first_s = camera.times[0]
    camera.show(LOW, 5.0)
    camera.show(HIGH, 5.0)
    camera.show(LOW, 5.0)
    assert camera.question.suppressed["cool_down"] == 1

    camera.show(HIGH, 60.0)
    assert camera.times == [first_s, first_s + 30.0]


def test_the_threshold_rises_as_the_day_is_spent() -> None:
    """Weak visits are held back first, a strong one still gets through, and then none."""
    camera = Camera(replace(RULE, cool_down_s=0.0, max_per_day=4))
    weak = 1.2 * RULE.threshold * MIN_SPREAD
    for _ in range(5):
        camera.show(weak, 5.0)
        camera.show(LOW, 5.0)
    assert len(camera.times) == 3
    assert camera.question.suppressed["budget"] == 2

    camera.show(HIGH, 5.0)
    camera.show(LOW, 5.0)
    assert len(camera.times) == 4
    camera.show(HIGH, 5.0)
    camera.show(LOW, 5.0)
    assert len(camera.times) == 4
    assert camera.question.suppressed["budget"] == 3


def test_an_answerers_no_gives_the_budget_back() -> None:
    """A refused report does not count against the day."""
    question = StandingQuestion(replace(RULE, cool_down_s=0.0, max_per_day=1))
    for n in range(30):
        question.step(0.5 * n, LOW)
    reports = [question.step(15.0 + 0.5 * n, HIGH) for n in range(5)]
    report = next(one for one in reports if one is not None)
    question.refuse(report)
    for n in range(10):
        question.step(20.0 + 0.5 * n, LOW)

    again = [question.step(30.0 + 0.5 * n, HIGH) for n in range(5)]

    assert any(one is not None for one in again)
    assert question.reports == 1
    assert question.suppressed["refused"] == 1


def test_absence_is_reported_after_its_time_and_not_over_a_gap() -> None:
    """Nobody for a minute: a minute that was watched."""
    rule = replace(RULE, absent_for_s=60.0)
    question = StandingQuestion(rule)

    def show(score: float, start_s: float, seconds: float) -> list[float]:
        reports = [question.step(start_s + 0.5 * n, score) for n in range(round(2 * seconds))]
        return [report.time_s for report in reports if report is not None]

    assert show(HIGH, 0.0, 30.0) == []
    assert show(LOW, 30.0, 40.0) == []
    # Ten minutes without a picture tell nothing about the desk.
    assert show(LOW, 670.0, 50.0) == []
    assert show(LOW, 720.0, 50.0) == [pytest.approx(730.0)]
    assert show(HIGH, 770.0, 30.0) == []
    assert show(LOW, 800.0, 90.0) == [pytest.approx(860.0)]


def test_frames_that_were_taken_already_change_nothing() -> None:
    """A stream that is read again from its last commit is not counted twice."""
    camera = Camera()
    before = camera.question.to_json()

    assert camera.question.step(camera.now_s - 5.0, HIGH) is None
    assert camera.question.to_json() == before


def test_slow_sampling_confirms_as_well() -> None:
    """A camera of one frame in twenty seconds has no gap between its frames."""
    question = StandingQuestion(replace(RULE, warm_up_s=300.0), interval_s=20.0)
    reports = [question.step(20.0 * n, LOW) for n in range(40)]
    reports += [question.step(20.0 * (40 + n), HIGH) for n in range(5)]

    assert sum(report is not None for report in reports) == 1


def test_a_state_that_is_none_is_refused_whole() -> None:
    """A damaged state raises and leaves the machine as it was."""
    camera = Camera()
    before = camera.question.to_json()
    broken = {**before, "site": {"learnt": 20, "sample": ""}}

    for data in ({}, {"site": None}, broken, {**before, "visit": [1]}):
        with pytest.raises(ValueError, match=r".+"):
            camera.question.restore(data)
    assert camera.question.to_json() == before


def test_the_lowest_group_is_the_usual_state() -> None:
    """A room that is occupied most of the time still has its emptiness as zero."""
    rng = np.random.default_rng(3)
    site = SiteCalibration()
    for value in rng.permutation(np.r_[rng.normal(-0.6, 0.02, 30), rng.normal(-0.2, 0.1, 90)]):
        site.learn(float(value))
    found = site.scores()

    assert found is not None
    assert found.zero == pytest.approx(-0.6, abs=0.02)
    assert found.spread == MIN_SPREAD


@pytest.mark.parametrize("seed", range(5))
def test_one_group_is_not_split(seed: int) -> None:
    """Ordinary noise is one group, so that its middle is zero."""
    rng = np.random.default_rng(seed)
    site = SiteCalibration()
    for value in rng.normal(1.0, 0.3, RING):
        site.learn(float(value))
    found = site.scores()

    assert found is not None
    assert found.zero == pytest.approx(1.0, abs=0.1)
    assert found.spread == pytest.approx(0.3, rel=0.3)


def test_the_sample_is_bounded_and_follows_the_camera() -> None:
    """The oldest scores go; a camera that was moved is learnt anew."""
    site = SiteCalibration()
    for _ in range(MIN_LEARNT - 1):
        site.learn(0.0)
    assert site.scores() is None
    for _ in range(2 * RING):
        site.learn(3.0)
    found = site.scores()

    assert found is not None
    assert (found.zero, found.low) == (3.0, 3.0)
    assert SiteCalibration.from_json(site.to_json()).scores() == found


def test_the_gate_gives_strengths_over_the_background() -> None:
    """The word of a frame stands out, and batches do not matter to the last bit."""
    encoder = WordEncoder()
    gate = Gate(encoder, [text_target(encoder, "red"), text_target(encoder, "dog")])
    frames = np.stack([encoder.encode_text(word).embedding for word in ("red", "dog", "sky")])

    whole = gate.strengths(frames)

    assert whole.shape == (3, 2)
    assert whole[0, 0] == whole[:, 0].max()
    assert whole[1, 1] == whole[:, 1].max()
    parts = np.concatenate([gate.strengths(frames[at : at + 1]) for at in range(3)])
    assert np.array_equal(whole, parts)


def test_a_background_of_texts_gives_every_frame_its_own_zero() -> None:
    """What every phrase scores on a frame is no strength; what stands out of them is."""
    encoder = OfTexts()
    gate = Gate(encoder, [text_target(encoder, "red")])
    frames = np.stack([encoder.encode_text(word).embedding for word in ("red", "dog")])
    absent = encoder.background().vectors @ frames[0]
    expected = (frames[0] @ frames[0] - absent.mean()) / absent.std()

    found = gate.strengths(frames)[:, 0]

    assert found[0] == pytest.approx(float(expected), rel=1e-4)
    assert found[0] > found[1]
    memory = memory_of([Cell("red", [(0, 5)]), Cell("dog", [(5, 9)])], encoder=encoder)
    of_cells = cell_strengths(memory, text_target(encoder, "red"))
    assert of_cells[0] > 3 > of_cells[1]


def test_cells_score_on_the_scale_of_frames() -> None:
    """A memory's spans have about the strength of the frames they were made of."""
    memory = memory_of([Cell("red", [(0, 5)]), Cell("dog", [(5, 9)])])
    target = text_target(memory.encoder, "red")
    frame = memory.encoder.encode_text("red").embedding
    gate = Gate(memory.encoder, [target])

    found = cell_strengths(memory, target)

    assert found[0] == pytest.approx(float(gate.strengths(frame[None])[0, 0]), rel=0.15)
    assert found[0] > found[1]


def test_a_wish_and_a_picture_are_targets_and_unknown_words_are_refused() -> None:
    """Words of wishing are not looked for; without one known word there is nothing to look for."""
    encoder = WordEncoder()
    red = encoder.encode_text("red").embedding

    assert np.array_equal(
        text_target(encoder, "let me know when red appears").phrase.vector,
        text_target(encoder, "red appears").phrase.vector,
    )
    assert np.array_equal(image_target(red).phrase.vector, red)
    noted = text_target(encoder, "red zzyzx")
    assert noted.note is not None
    assert "zzyzx" in noted.note
    with pytest.raises(UsageError, match="knows no word"):
        text_target(encoder, "zzyzx")
