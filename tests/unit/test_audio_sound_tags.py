"""Tags with hysteresis from scores alone."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from streammem.audio.sound_tags import TagRules, TagSpan, TagSpans

RULES = TagRules(enter=0.5, leave=0.2, sure=0.8, shortest=2, longest_pause=1, longest=6)


def _spans(scores: list[float], rules: TagRules = RULES) -> list[tuple[int, int, float]]:
    tags = TagSpans(rules)
    found = [span for score in scores for span in tags.add([("Bark", score)])] + tags.close()
    return [(span.start, span.end, span.confidence) for span in found]


def test_tag_spans_begin_high_and_last_low():
    """A score between the thresholds keeps a tag but does not begin one."""
    assert _spans([0.3, 0.6, 0.3, 0.0, 0.0, 0.3]) == [(1, 3, 0.6)]


def test_tag_spans_bridge_one_block():
    """A pause of one block does not end a tag, one of two does."""
    assert _spans([0.6, 0.6, 0.0, 0.6, 0.6]) == [(0, 5, 0.6)]
    assert _spans([0.6, 0.6, 0.0, 0.0, 0.6, 0.6]) == [(0, 2, 0.6), (4, 6, 0.6)]


def test_tag_spans_drop_what_is_short_unless_it_is_sure():
    """One block counts only with a high score."""
    assert _spans([0.7, 0.0, 0.0]) == []
    assert _spans([0.9, 0.0, 0.0]) == [(0, 1, 0.9)]


def test_tag_spans_are_cut_when_they_get_long():
    """A tag that never ends is told in pieces."""
    assert _spans([0.9] * 13) == [(0, 6, 0.9), (6, 12, 0.9), (12, 13, 0.9)]


def test_tags_are_followed_independently():
    """Two tags at once are two spans, in order of their begin and name."""
    tags = TagSpans(RULES)

    for scores in ([("Dog", 0.9)], [("Dog", 0.9), ("Bark", 0.9)]):
        assert tags.add(scores) == []

    assert tags.close() == [TagSpan("Dog", 0, 2, 0.9), TagSpan("Bark", 1, 2, 0.9)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.3, 0.6, 0.9]), max_size=40), st.data())
def test_tag_spans_survive_an_interruption(scores: list[float], data: st.DataObject):
    """Through a state in JSON the same spans come."""
    cut = data.draw(st.integers(0, len(scores)))
    one, two = TagSpans(RULES), TagSpans(RULES)

    found = [span for score in scores[:cut] for span in one.add([("Bark", score)])]
    two.restore(json.loads(json.dumps(one.state())))
    found += [span for score in scores[cut:] for span in two.add([("Bark", score)])]
    found += two.close()

    assert [(s.start, s.end, s.confidence) for s in found] == _spans(scores)
