"""Alerting over frames: pictures, batches, restarts, and answerers that help or do not."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streammem.core.alerts import MIN_MEASURED_STRENGTH, MIN_TEXT_STRENGTH, Alert, AlertRule
from streammem.core.config import AnswerConfig
from streammem.core.errors import UsageError
from streammem.core.types import Floats
from streammem.query.alerts_gate import suited, text_target
from streammem.runtime.alerting import Alerting, AlertSetup
from streammem.runtime.alerting_replay import load_confirmers
from tests.unit._chat_servers import Behaviour, never_answers, says, sends, serving
from tests.unit._query_world import DIM, WordEncoder

RULE = AlertRule("red", text="red", warm_up_s=10.0)
INTERVAL_S = 0.5


def frames_of(*parts: tuple[str, int]) -> Floats:
    """Unit embeddings: so many frames of each word."""
    encoder = WordEncoder()
    words = [word for word, count in parts for _ in range(count)]
    return np.stack([encoder.encode_text(word).embedding for word in words])


STREAM = frames_of(("sky", 40), ("red", 10), ("sky", 20), ("dog", 10), ("red", 10), ("sky", 20))
PIXELS = np.full((3, 24, 32), 128, np.uint8)


def watch(
    rules: tuple[AlertRule, ...], cuts: tuple[int, ...] = (), **options: object
) -> tuple[list[Alert], Alerting]:
    """The alerts over the stream, in batches that end at the cuts."""
    heard: list[Alert] = []
    alerting = Alerting(
        AlertSetup.prepare(rules, WordEncoder()), heard.append, interval_s=INTERVAL_S, **options
    )
    times = np.arange(len(STREAM)) * INTERVAL_S
    for rows in np.split(np.arange(len(STREAM)), cuts):
        if len(rows):
            pixels = np.broadcast_to(PIXELS, (len(rows), *PIXELS.shape))
            alerting.observe(times[rows], STREAM[rows], pixels)
    alerting.finish()
    alerting.close()
    return heard, alerting


def test_visits_are_reported_with_what_was_looked_for(tmp_path: Path) -> None:
    """Two visits of one word, one of the other, with pictures, scores and counts."""
    rules = (RULE, replace(RULE, name="dog", text="dog"))
    heard, alerting = watch(rules, thumbnails=tmp_path / "pictures")

    assert [(one.name, one.start_s) for one in heard] == [
        ("red", 20.0),
        ("dog", 35.0),
        ("red", 40.0),
    ]
    for one in heard:
        assert one.score >= one.threshold == RULE.threshold
        assert 0.5 < one.confidence <= 1.0
        assert one.confirmed
        assert Path(one.thumbnail or "").stat().st_size > 0
    assert [report.alerts for report in alerting.reports()] == [2, 1]
    assert all(report.site is not None for report in alerting.reports())


@pytest.mark.parametrize("cuts", [(1, 2, 3), (43,), tuple(range(1, len(STREAM)))])
def test_batches_do_not_matter(cuts: tuple[int, ...]) -> None:
    """Frame by frame or all at once: the same alerts to the last bit, the same state."""
    whole, first = watch((RULE,))
    parts, second = watch((RULE,), cuts)

    assert parts == whole
    assert second.to_bytes() == first.to_bytes()


@pytest.mark.parametrize("cut", [0, 7, 42, 48, 90])
def test_a_restart_equals_an_undisturbed_run(cut: int) -> None:
    """The state goes through bytes; frames that come twice are counted once."""
    rules = (RULE, replace(RULE, name="red again", threshold=8.0, release=4.0))
    expected, whole = watch(rules)
    heard: list[Alert] = []
    setup = AlertSetup.prepare(rules, WordEncoder())
    times = np.arange(len(STREAM)) * INTERVAL_S
    first = Alerting(setup, heard.append, interval_s=INTERVAL_S)
    first.observe(times[:cut], STREAM[:cut])
    stored = first.to_bytes()
    second = Alerting(setup, heard.append, interval_s=INTERVAL_S)

    assert second.restore(stored) == ()
    back = max(0, cut - 5)
    second.observe(times[back:], STREAM[back:])
    second.finish()

    assert heard == expected
    assert second.to_bytes() == whole.to_bytes()


def test_a_rule_that_looks_for_something_else_begins_anew() -> None:
    """Thresholds may change under a stored state, what is looked for may not."""
    _, stored = watch((RULE,))
    changed = replace(RULE, threshold=9.0, cool_down_s=60.0)
    other = replace(RULE, name="dog", text="dog")
    alerting = Alerting(
        AlertSetup.prepare((changed, other), WordEncoder()), print, interval_s=INTERVAL_S
    )

    assert alerting.restore(stored.to_bytes()) == ("dog",)
    assert alerting.reports()[0].site == stored.reports()[0].site
    for damaged in (b"nonsense", stored.to_bytes()[:-3]):
        with pytest.raises(UsageError, match="cannot be read"):
            alerting.restore(damaged)


@contextmanager
def confirmed_by(behaviour: Behaviour, **changes: object) -> Iterator[Callable[..., list[Alert]]]:
    """Runs the stream with alerts that a server confirms."""
    with serving(behaviour) as server:

        def run(**options: object) -> list[Alert]:
            rule = replace(RULE, confirm=f"openai:{server.address}#model", confirm_timeout_s=30.0)
            rule = replace(rule, **changes)
            setup = AlertSetup.prepare((rule,), WordEncoder())
            confirmers = load_confirmers(setup, AnswerConfig(), "cpu")
            heard, alerting = watch((rule,), confirmers=confirmers, **options)
            run.reports = alerting.reports()  # type: ignore[attr-defined]
            run.asked = server.asked  # type: ignore[attr-defined]
            return heard

        yield run


def test_an_answerer_sees_the_frame_and_confirms() -> None:
    """A yes is named as the confirmation; the question and a picture were sent."""
    with confirmed_by(says("Yes, that is there [e1].")) as run:
        heard = run(wait_for_verdicts=True)

        assert [one.confirmed for one in heard] == [True, True]
        assert heard[0].confirmed_by.startswith("openai:http://127.0.0.1")
        assert "red" in run.asked[0].text
        assert any(part["type"] == "image_url" for part in run.asked[0].content)


def test_an_answerers_no_keeps_the_alert_back_and_is_counted() -> None:
    """Nothing is reported, the report says why."""
    with confirmed_by(says("No, nothing of it is there [e1].")) as run:
        assert run(wait_for_verdicts=True) == []
        (report,) = run.reports

        assert report.alerts == 0
        assert report.suppressed["refused"] == 2


@pytest.mark.parametrize(
    ("behaviour", "note"),
    [
        (says("Perhaps it is there [e1]."), "neither yes nor no"),
        (says("not enough evidence"), "neither yes nor no"),
        (sends(b"gone", status=404), "HTTP 404"),
    ],
)
def test_where_an_answerer_cannot_say_the_frames_verdict_stands(
    behaviour: Behaviour, note: str
) -> None:
    """The alert goes out and says that it is unconfirmed, and why."""
    with confirmed_by(behaviour) as run:
        heard = run(wait_for_verdicts=True)

        assert [one.confirmed for one in heard] == [None, None]
        assert note in (heard[0].note or "")
        assert heard[0].confirmed_by == "frames"


def test_a_server_that_never_answers_holds_up_nothing() -> None:
    """Frames are taken at full speed; the alerts come unconfirmed when the time is up."""
    with confirmed_by(never_answers, confirm_timeout_s=0.5) as run:
        started_s = time.monotonic()
        heard = run()

        assert [one.confirmed for one in heard] == [None, None]
        assert "within 0.5 s" in (heard[0].note or "") or "in time" in (heard[0].note or "")
        assert time.monotonic() - started_s < 20.0


def test_verdicts_that_come_late_are_taken_up_while_frames_go_on() -> None:
    """Without waiting, the same alerts are there at the end."""
    with confirmed_by(says("Yes [e1].")) as run:
        heard = run()

        assert [one.confirmed for one in heard] == [True, True]


@pytest.mark.parametrize(
    ("found_share", "given", "least"),
    [(0.9, None, MIN_MEASURED_STRENGTH), (0.9, -0.5, -0.5), (1.0, None, MIN_TEXT_STRENGTH)],
)
def test_what_an_encoder_was_measured_on_must_look_like_it(
    found_share: float, given: float | None, least: float
) -> None:
    """A rise alone tells that something changed, not what; where it is not measured it must do."""
    rule = replace(RULE, min_strength=given)
    target = text_target(WordEncoder(found_share=found_share), "red")

    assert suited(rule, target).least_strength == least


def test_a_change_that_looks_like_something_else_is_not_reported() -> None:
    """A little of the thing is in the picture that comes, as a person is a little like a dog."""
    usual = np.eye(1, DIM, DIM - 1, dtype=np.float32)[0]
    came = usual + 0.08 * frames_of(("dog", 1))[0]
    frames = np.stack([usual] * 60 + [came / np.linalg.norm(came)] * 20)
    rule = AlertRule("dog", text="dog", warm_up_s=10.0)
    heard: dict[float, list[Alert]] = {}
    for found_share in (1.0, 0.9):
        heard[found_share] = []
        setup = AlertSetup.prepare((rule,), WordEncoder(found_share=found_share))
        alerting = Alerting(setup, heard[found_share].append, interval_s=INTERVAL_S)
        alerting.observe(np.arange(len(frames)) * INTERVAL_S, frames)
        alerting.finish()

    (doubtful,) = heard[1.0]
    assert doubtful.strength < MIN_MEASURED_STRENGTH
    assert heard[0.9] == []
