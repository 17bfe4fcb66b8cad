"""Spans of speech from probabilities alone."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streammem.audio.options import HOP_S
from streammem.audio.speech_spans import SpanRules, SpeechSpans

RULES = SpanRules(
    enter=0.5, leave=0.3, shortest_s=3 * HOP_S, longest_pause_s=4 * HOP_S, pad_s=HOP_S
)


def _spans(probabilities: list[float], rules: SpanRules = RULES) -> list[tuple[int, int]]:
    spans = SpeechSpans(rules)
    return [(s.start, s.end) for s in spans.add(probabilities) + spans.close()]


def test_speech_spans_begin_at_enter_and_last_while_leave_is_reached():
    """The lower threshold keeps a span open that the upper one began; both ends are padded."""
    assert _spans([0.4, 0.4, 0.6, 0.35, 0.35, 0.6, 0.1, 0.1, 0.1, 0.1, 0.4]) == [(1, 7)]


def test_speech_spans_bridge_short_pauses_and_end_in_long_ones():
    """Three quiet hops are a pause, four an end."""
    said = [0.9, 0.9, 0.9]

    assert _spans([*said, 0, 0, 0, *said, 0, 0, 0, 0, 0]) == [(0, 10)]
    assert _spans([*said, 0, 0, 0, 0, *said, 0, 0, 0, 0]) == [(0, 4), (6, 11)]


def test_speech_spans_drop_what_is_too_short():
    """Two hops are a click."""
    assert _spans([0, 0.9, 0.9, 0, 0, 0, 0, 0]) == []


def test_speech_spans_end_with_the_stretch():
    """An open span is closed at the last hop, not behind it."""
    assert _spans([0, 0, 0.9, 0.9, 0.9, 0.9]) == [(1, 6)]


def test_speech_spans_are_cut_where_speech_is_least_likely():
    """A span that gets too long ends in its quietest late hop, and the next one begins there."""
    rules = SpanRules(shortest_s=3 * HOP_S, longest_s=12 * HOP_S, pad_s=HOP_S)
    probabilities = [0.9] * 40
    probabilities[10] = 0.5

    spans = _spans(probabilities, rules)

    assert spans[:2] == [(0, 10), (10, 18)]
    assert all(one[1] == after[0] for one, after in itertools.pairwise(spans))
    assert max(end - start for start, end in spans) <= 12


def test_speech_spans_tell_the_mean_probability():
    """Confidence is the mean over the hops of the span without its padding."""
    spans = SpeechSpans(RULES)

    (span,) = spans.add([0.9, 0.6, 0.6, 0, 0, 0, 0])

    assert span.confidence == pytest.approx(0.7)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.25, 0.35, 0.6, 0.95]), max_size=80), st.data())
def test_speech_spans_do_not_depend_on_cuts_or_interruptions(
    probabilities: list[float], data: st.DataObject
):
    """Hops fed in pieces, through a state in JSON, give the spans of one call."""
    cut = data.draw(st.integers(0, len(probabilities)))
    one, two = SpeechSpans(RULES), SpeechSpans(RULES)

    spans = one.add(probabilities[:cut])
    two.restore(json.loads(json.dumps(one.state())))
    spans += two.add(probabilities[cut:]) + two.close()

    assert [(s.start, s.end) for s in spans] == _spans(probabilities)


def test_speech_spans_never_overlap():
    """Padding does not reach into the span before."""
    random = np.random.default_rng(5)
    spans = _spans(random.choice([0.0, 0.9], 4000, p=[0.7, 0.3]).tolist())

    assert len(spans) > 20
    assert all(one[1] <= after[0] for one, after in itertools.pairwise(spans))
    assert all(start < end for start, end in spans)
