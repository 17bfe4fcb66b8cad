"""Follow-ups become whole questions: by measured times, by the subject, or not at all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streammem.core.types import Channel, Evidence, Tier
from streammem.query.follow_up import (
    FollowUp,
    Turn,
    next_subject,
    resolve_follow_up,
)
from streammem.query.parse import parse_question


def piece(start_s: float, end_s: float, channel: Channel = Channel.VISION) -> Evidence:
    """A piece of evidence of the memory `clip`."""
    return Evidence("e1", "clip", "clip.mp4", start_s, end_s, start_s, 0.9, channel, Tier.WORKING)


def turn(question: str, *evidence: Evidence) -> Turn:
    """A question that was answered with some evidence, in a memory of a minute."""
    read = parse_question(question)
    return Turn(read, read.phrase, evidence, {"clip": (0.0, 60.0)})


SEEN = turn("when does the yellow screen appear?", piece(15.5, 19.5))
TWICE = turn("when does the yellow screen appear?", piece(15.5, 19.5), piece(30.0, 31.0))
COUNTED = turn("how many times is the red ball seen after the snow?", piece(15.5, 19.5))
FIRST = turn("what is seen at 0:00?", piece(0.0, 2.0))
LAST = turn("what is seen at 0:59?", piece(50.0, 60.0))
ABSENT = turn("when does the dog bark?")


@pytest.mark.parametrize(
    ("before", "text", "whole"),
    [
        (SEEN, "and after that?", "what is seen at 00:00:19.500?"),
        (SEEN, "And then?", "what is seen at 00:00:19.500?"),
        (SEEN, "what happens next", "what is seen at 00:00:19.500?"),
        (SEEN, "then what?", "what is seen at 00:00:19.500?"),
        (SEEN, "and before?", "what is seen at 00:00:15.499?"),
        (SEEN, "What was before that?", "what is seen at 00:00:15.499?"),
        (LAST, "and after that?", "what is seen from 00:01:00.000 to 00:01:01.000?"),
        (FIRST, "and before that?", "what is seen before 00:00:00.000?"),
        (ABSENT, "and after that?", "what happens after the dog bark?"),
        (SEEN, "what is said there?", "what is said from 00:00:15.500 to 00:00:19.500?"),
        (SEEN, "what does it say?", "what is written from 00:00:15.500 to 00:00:19.500?"),
        (SEEN, "what is seen there?", "what is seen from 00:00:15.500 to 00:00:19.500?"),
        (
            SEEN,
            "how long was it?",
            "how long is the yellow screen seen from 00:00:15.500 to 00:00:19.500?",
        ),
        (TWICE, "how long did it last?", "how long is the yellow screen seen?"),
        (LAST, "how long?", "how long is it from 00:00:50.000 to 00:01:00.000?"),
        (SEEN, "how often?", "how many times is the yellow screen seen?"),
        (SEEN, "how many times does it appear?", "how many times is the yellow screen seen?"),
        (COUNTED, "when?", "when is the red ball seen?"),
        (COUNTED, "when was that?", "when is the red ball seen?"),
        (COUNTED, "the second time?", "when is the second time the red ball is seen?"),
        (COUNTED, "and the last one?", "when is the last time the red ball is seen?"),
        (COUNTED, "and the next time?", "when is the red ball seen after 00:00:19.500?"),
        (SEEN, "is it still there?", "is the yellow screen still there?"),
        (SEEN, "and the dog?", "when is the dog seen?"),
        (SEEN, "what about a red ball?", "when is a red ball seen?"),
        (COUNTED, "and the dog?", "how many times is the dog seen after the snow?"),
        (COUNTED, "and before the snow?", "how many times is the red ball seen before the snow?"),
        (SEEN, "and in the first minute?", "when is the yellow screen seen in the first minute?"),
        (SEEN, "how about at 0:30?", "when is the yellow screen seen at 0:30?"),
        (SEEN, "when does it move?", "when does the yellow screen move?"),
        (turn("is there a dog?"), "and a cat?", "is a cat there?"),
        (turn("how long is it red from 0:10 to 0:20?"), "and blue?",
         "how long is blue seen from 00:00:10.000 to 00:00:20.000?"),
        (turn("what is said about dogs?"), "and cats?", "what is said about cats?"),
    ],
)  # fmt: skip
def test_follow_ups_become_whole_questions(before: Turn, text: str, whole: str) -> None:
    """What is asked, of which thing and when is all in the words of the new question."""
    assert resolve_follow_up(text, before).text == whole


@pytest.mark.parametrize(
    "text",
    ["and after that?", "and before?", "what is said there?", "how long was it?",
     "and the next time?"],
)  # fmt: skip
def test_questions_by_time_stay_in_the_memory_of_the_evidence(text: str) -> None:
    """The same second of another video is no answer."""
    assert resolve_follow_up(text, SEEN).memory_id == "clip"


@pytest.mark.parametrize(
    "text",
    ["when does the green meadow appear?", "how many people are there?", "what time is it?",
     "is there a man that is red?", "describe the video", "why?", "", "?", "and", "is it raining?",
     "and how many times is the meadow seen?", "\u0438 \u043f\u043e\u0442\u043e\u043c?"],
)  # fmt: skip
def test_whole_questions_stay_as_they_are(text: str) -> None:
    """So does what nobody understands."""
    assert resolve_follow_up(text, SEEN) == FollowUp(text)


@pytest.mark.parametrize("text", ["and after that?", "how long was it?", "and the dog?", "when?"])
def test_without_a_question_before_nothing_is_a_follow_up(text: str) -> None:
    """The first question of a talk is read as it is."""
    assert resolve_follow_up(text, None) == FollowUp(text)


def test_words_that_were_said_have_their_own_length() -> None:
    """A line of subtitles is as long as it is, and is not searched for among pictures."""
    said = turn("what is said about dogs?", piece(5.0, 7.0, Channel.SUBTITLE))

    assert resolve_follow_up("how long was it?", said).text == (
        "how long is it from 00:00:05.000 to 00:00:07.000?"
    )


def test_the_subject_outlives_questions_about_it_and_no_others() -> None:
    """After "how long?" the talk is still about the ball; after "and then?" it is about a scene."""
    counted = resolve_follow_up("how long?", COUNTED)
    after = resolve_follow_up("and then?", COUNTED)

    assert next_subject(parse_question(counted.text), COUNTED, counted) == "the red ball"
    assert next_subject(parse_question(after.text), COUNTED, after) == ""
    described = FollowUp("describe the video")
    assert next_subject(parse_question("describe the video"), COUNTED, described) == "the red ball"


FRAGMENTS = [
    "and", "then", "after", "that", "before", "it", "the", "second", "time", "how long", "was",
    "still", "there", "what", "about", "is", "said", "dog", "at 0:10", "?", ",", "in the last",
    "minute", "when", "one", "{}", "{0}", "%s", "\\", "next", "between",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(
        st.text(max_size=80), st.lists(st.sampled_from(FRAGMENTS), max_size=10).map(" ".join)
    ),
    st.sampled_from([SEEN, TWICE, COUNTED, FIRST, LAST, ABSENT]),
)
def test_any_text_becomes_a_question_twice_the_same(text: str, before: Turn) -> None:
    """No text is an error, and what comes out can be parsed."""
    found = resolve_follow_up(text, before)

    assert found == resolve_follow_up(text, before)
    assert parse_question(found.text).intent
