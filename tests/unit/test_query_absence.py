"""What may be said of a thing that is not seen: as much as would have been seen, were it there."""

import pytest

from streammem.answer.evidence import put_into_words
from streammem.core.types import Findings
from streammem.query.engine import QueryOptions, find
from streammem.query.first_stage import needed
from streammem.query.parse import parse_question
from tests.unit._query_world import Cell, WordEncoder, memory_of

CELLS = (
    Cell("red room", [(0, 10), (40, 60)]),
    Cell("green dog", [(10, 25)]),
    Cell("blue room", [(25, 40)]),
)
DENIALS = (
    ("is there a cat?", False),
    ("how many times is the cat shown?", 0),
    ("for how long is the cat seen?", 0.0),
    ("is the cat still there?", False),
    ("does the cat appear after the dog?", False),
    ("how often is the cat shown after the dog?", 0),
    ("is the cat shown longer than the dog?", False),
)


def _asked(text: str, found_share: float, min_confidence: float = 0.5) -> Findings:
    memory = memory_of(CELLS, encoder=WordEncoder(found_share=found_share))
    return find(parse_question(text), [memory], QueryOptions(min_confidence=min_confidence))


@pytest.mark.parametrize(("text", "value"), DENIALS)
def test_what_would_have_been_found_is_denied_as_surely(text: str, value: float) -> None:
    """The confidence of a "no" is no more than the share of clips in which the thing is found."""
    sure, less_sure = _asked(text, 1.0), _asked(text, 0.7)

    assert (sure.value, less_sure.value) == (value, value)
    assert 0.5 <= less_sure.confidence <= 0.7
    assert less_sure.confidence < sure.confidence


@pytest.mark.parametrize(("text", "value"), DENIALS)
def test_what_is_mostly_overlooked_is_not_denied(text: str, value: float) -> None:
    """Absence then says little, unless little confidence is asked for."""
    assert _asked(text, 0.4).abstained
    assert _asked(text, 0.4, min_confidence=0.3).value == value


def test_an_abstention_says_how_often_the_thing_is_found() -> None:
    """So that nobody takes it for a no."""
    question = parse_question("is there a cat?")
    told = put_into_words(question, _asked(question.text, 0.4))

    assert told.startswith("Not enough evidence: 'a cat' is not seen, but the encoder finds it in")
    assert "40% of the test clips that show it" in told


def test_the_time_without_a_thing_is_as_sure_as_its_being_found() -> None:
    """What is found in most clips may still be there at other times."""
    question = "when is there no dog?"

    assert _asked(question, 0.8).confidence == pytest.approx(0.8)
    assert _asked(question, 0.4).abstained
    assert "in 40% of the test clips" in _asked(question, 0.4).notes[0]


def test_presence_does_not_depend_on_what_is_overlooked() -> None:
    """Something that is seen is seen."""
    assert _asked("is there a dog?", 0.4).value is True
    assert _asked("is there a dog?", 0.4).confidence == _asked("is there a dog?", 1.0).confidence


@pytest.mark.parametrize("found_share", [1.0, 0.8, 0.6, 0.5])
@pytest.mark.parametrize("min_confidence", [0.3, 0.5])
def test_a_memory_that_could_forbid_a_no_is_opened(
    found_share: float, min_confidence: float
) -> None:
    """Of a large library the others stay closed, as they bear the "no" out."""
    question = parse_question("is there a cat?")
    bound = needed(question, min_confidence, found_share)

    for confidence in (0.0, 0.1, 0.2, 0.35, 0.45, 0.55, 0.75):
        forbids = (1 - confidence) * found_share < min_confidence - 1e-9
        assert not forbids or confidence >= bound
        assert confidence < min_confidence or confidence >= bound
    assert bound <= min_confidence


def test_where_nothing_is_ever_denied_no_memory_is_opened_for_it() -> None:
    """No weak match can change an abstention."""
    assert needed(parse_question("is there a cat?"), 0.5, 0.4) == 0.5
    assert needed(parse_question("when is there a cat?"), 0.5, 1.0) == 0.5
