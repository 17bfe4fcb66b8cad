"""Texts that ask several questions, for the absence of a thing, or for a part of the whole."""

import pytest

from streammem.answer.evidence import put_into_words
from streammem.core.timebase import TimeSpan
from streammem.core.types import Gap
from streammem.query.engine import QueryOptions, find
from streammem.query.intervals import remaining
from streammem.query.parse import parse_question
from streammem.query.several import first_of_several
from tests.unit._query_world import Cell, memory_of

# red 0-10, green with a dog 10-25, blue 25-40, red 40-60
CLIP = memory_of(
    [
        Cell("red room", [(0, 10), (40, 60)]),
        Cell("green dog", [(10, 25)]),
        Cell("blue room", [(25, 40)]),
    ]
)


def _told(text: str) -> str:
    question = parse_question(text)
    return put_into_words(question, find(question, [CLIP], QueryOptions()))


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("when is the dog seen? and how long is it red?", "when is the dog seen?"),
        ("When does the dog appear and when does the cat appear?", "When does the dog appear"),
        ("is there a dog? is there a cat?", "is there a dog?"),
        ("how long is the dog seen and how often?", "how long is the dog seen"),
        ("what is the mood of the man, and what has caused it?", "what is the mood of the man"),
    ],
)
def test_the_first_of_several_questions_is_answered(text: str, first: str) -> None:
    """And a note says so, because the others are not."""
    question, alone = parse_question(text), parse_question(first)

    assert first_of_several(text) == first
    assert (question.intent, question.phrase) == (alone.intent, alone.phrase)
    (note,) = set(question.notes) - set(alone.notes)
    assert first.rstrip("?") in note


@pytest.mark.parametrize(
    "text",
    [
        "A man sits down. What does he do next?",
        "How many cards and how many suits are on the table now?",
        "what happens between when the dog appears and when the cat appears?",
        "when is the dog seen?",
        "who is there and why?",
        "the dog and the cat",
        "",
    ],
)
def test_one_question_stays_one(text: str) -> None:
    """Sentences that lead up to a question, and things that are joined, are parts of it."""
    assert first_of_several(text) is None
    assert not any("several" in note for note in parse_question(text).notes)


@pytest.mark.parametrize(
    "text",
    [
        "when is there no dog?",
        "when is the dog not visible?",
        "when isn't the dog shown?",
        "When is no dog in view?",
        "when does the dog not appear?",
        "at what time is the dog out of sight?",
        "when is there not a dog?",
    ],
)
def test_the_time_without_a_thing_is_what_its_visits_leave(text: str) -> None:
    """Not the time with it, which was answered before."""
    question = parse_question(text)

    assert (question.intent, question.negated) == ("when", True)
    assert question.phrase.removeprefix("the ").removeprefix("a ") == "dog"
    assert "is not seen from 00:00:00.000 to 00:00:10.000 and from 00:00:25.000" in _told(text)


@pytest.mark.parametrize("text", ["when is nobody there?", "isn't there a dog?", "when is it red?"])
def test_other_questions_are_not_turned_round(text: str) -> None:
    """Whoever asks whether there isn't one asks for it, and nobody is a word of its own."""
    assert not parse_question(text).negated


@pytest.mark.parametrize(
    ("text", "answer", "value"),
    [
        ("is there no dog?", "'a dog' is seen from 00:00:10.000 to 00:00:25.000.", True),
        ("is the dog not visible?", "'the dog' is seen from 00:00:10.000 to 00:00:25.000.", True),
        ("is there no cat?", "'a cat' is not seen.", False),
    ],
)
def test_yes_or_no_about_absence_says_what_is_seen(text: str, answer: str, value: bool) -> None:
    """A yes to "is there no dog?" would be understood either way."""
    assert _told(text) == answer
    assert find(parse_question(text), [CLIP], QueryOptions()).value is value


def test_the_time_without_what_is_unknown_or_always_there_is_no_answer() -> None:
    """An encoder that does not know a word cannot tell when it is absent."""
    assert _told("when is there no giraffe?").startswith("Not enough evidence: 'giraffe'")
    always = memory_of([Cell("red room", [(0, 30)])])
    findings = find(parse_question("when is there no room?"), [always], QueryOptions())
    assert findings.abstained
    assert "is seen all the time" in findings.notes[0]


def test_the_time_without_what_is_never_there_is_all_of_it() -> None:
    """Where every word is known, nothing that fits is an answer."""
    assert "is not seen from 00:00:00.000 to 00:01:00.000." in _told("when is there no cat?")


def test_gaps_are_no_time_without() -> None:
    """What was not recorded cannot be said to be without a dog."""
    holed = memory_of([Cell("green dog", [(0, 10)]), Cell("red", [(10, 20), (30, 40)])],
                      gaps=(Gap(20.0, 30.0, "not recorded"),))  # fmt: skip
    found = find(parse_question("when is there no dog?"), [holed], QueryOptions()).evidence

    assert sorted((item.start_s, item.end_s) for item in found) == [(10.0, 20.0), (30.0, 40.0)]


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("how much of the video shows the dog?", "25.0%"),
        ("what percentage of the time is it red?", "50.0%"),
        ("what share of the recording is blue?", "25.0%"),
    ],
)
def test_a_part_of_the_whole_is_a_length_and_its_share(text: str, share: str) -> None:
    """`value` stays seconds, as for every duration; a note says how much of all that is."""
    question = parse_question(text)
    findings = find(question, [CLIP], QueryOptions())

    assert question.intent == "duration"
    assert findings.value == pytest.approx(60 * float(share.rstrip("%")) / 100)
    assert f"that is {share} of the 60.0 s" in findings.notes[0]


def test_what_the_weather_is_needs_no_it() -> None:
    """The sentence names the dark and not an it."""
    for text in ("when is it dark?", "show me when its dark", "when is it not dark?"):
        assert parse_question(text).phrase == "dark"
    assert parse_question("when is it very dark?").phrase == "very dark"
    assert parse_question("when is it not dark?").negated


@pytest.mark.parametrize(
    "text", ["list all the times the dog is visible", "list the moments when the dog is seen"]
)
def test_a_list_of_times_is_no_summary(text: str) -> None:
    """Only a list of nothing in particular describes the whole."""
    question = parse_question(text)

    assert (question.intent, question.phrase) == ("when", "the dog")
    assert parse_question("list what happens").intent == "describe"


def test_what_is_seen_at_a_thing_says_which_words_played_no_part() -> None:
    """As every other answer does."""
    question = parse_question("where is the red giraffe?")
    findings = find(question, [CLIP], QueryOptions())

    assert findings.unknown_words == ("giraffe",)
    assert "'giraffe' is unknown" in put_into_words(question, findings)


def test_remaining_drops_slivers_and_merges_overlaps() -> None:
    """The rest of a stretch, without what is shorter than a sampling interval."""
    taken = [TimeSpan(2.0, 5.0), TimeSpan(4.0, 6.0), TimeSpan(6.2, 8.0), TimeSpan(9.5, 20.0)]

    assert remaining(0.0, 10.0, taken, sliver_s=0.5) == [TimeSpan(0.0, 2.0), TimeSpan(8.0, 9.5)]
    assert remaining(0.0, 10.0, []) == [TimeSpan(0.0, 10.0)]
    assert remaining(3.0, 4.0, taken) == []
