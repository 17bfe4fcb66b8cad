"""The built-in answerer: sentences with measured times, and abstentions with reasons."""

import pytest

from streammem.answer.base import Answerer, Material
from streammem.answer.evidence import EvidenceAnswerer, put_into_words
from streammem.core.types import Channel, Evidence, Findings, Tier
from streammem.query.engine import QueryOptions, find
from streammem.query.parse import parse_question
from tests.unit._query_world import Cell, memory_of

# red 0-10, green 10-20, red 20-25, blue 25-40
CLIP = memory_of(
    [Cell("red", [(0, 10), (20, 25)]), Cell("green", [(10, 20)]), Cell("blue", [(25, 40)])]
)

ANSWERS = [
    ("When is it blue?", "'blue' is seen from 00:00:25.000 to 00:00:40.000."),
    ("When is the red one seen?",
     "'the red one' is seen from 00:00:00.000 to 00:00:10.000 (best match) and from 00:00:20.000 "
     "to 00:00:25.000."),
    ("When does the green one end?",
     "'the green one' is last seen at 00:00:20.000 (from 00:00:10.000 to 00:00:20.000)."),
    ("Is there a green one?", "Yes: 'a green one' is seen from 00:00:10.000 to 00:00:20.000."),
    ("Is there a moon?", "No: 'a moon' is not seen."),
    ("Is there a moon at 0:12?", "No: 'a moon' is not seen at 00:00:12.000."),
    ("Is there a moon after 0:12?", "No: 'a moon' is not seen after 00:00:12.000."),
    ("Is there a moon before 0:12?", "No: 'a moon' is not seen before 00:00:12.000."),
    ("Is there a moon between 0:10 and 0:12?",
     "No: 'a moon' is not seen between 00:00:10.000 and 00:00:12.000."),
    ("Is there a moon right now?", "No: 'a moon' is not seen now."),
    ("Is there a moon in the last 5 seconds?", "No: 'a moon' is not seen in the range asked."),
    ("How many times is the red one seen?",
     "'the red one' is seen 2 times: from 00:00:00.000 to 00:00:10.000 and from 00:00:20.000 to "
     "00:00:25.000."),
    ("How many times is the green one seen?",
     "'the green one' is seen once: from 00:00:10.000 to 00:00:20.000."),
    ("How many times is the moon seen?", "0 times: 'the moon' is not seen."),
    ("How many times is the red one seen after the green one?",
     "'the red one' is seen once after 'the green one': from 00:00:20.000 to 00:00:25.000."),
    ("How long is the red one seen?",
     "'the red one' is seen for 15.000 s in all, from 00:00:00.000 to 00:00:10.000 and from "
     "00:00:20.000 to 00:00:25.000."),
    ("How long is the moon seen?", "0.000 s: 'the moon' is not seen."),
    ("How long is the video?", "40.000 s are covered, from 00:00:00.000 to 00:00:40.000."),
    ("How long until the green one appears?",
     "10.000 s pass before 'the green one', which is seen from 00:00:10.000 to 00:00:20.000."),
    ("How long after the green one does the blue one appear?",
     "5.000 s pass from the end of 'the green one' (from 00:00:10.000 to 00:00:20.000) to the "
     "start of 'the blue one' (from 00:00:25.000 to 00:00:40.000)."),
    ("What is shown at 0:12?", "At 00:00:12.000: green (from 00:00:10.000 to 00:00:20.000)."),
    ("What is shown between 0:05 and 0:15?",
     "From 00:00:05.000 to 00:00:10.000 red; from 00:00:10.000 to 00:00:15.000 green."),
    ("What's on screen now?", "Now (from 00:00:35.000 to 00:00:40.000): blue."),
    ("What happens right after the green one?",
     "After 'the green one', from 00:00:20.000 to 00:00:25.000: red."),
    ("When is the red one seen after the green one?",
     "After 'the green one', 'the red one' is seen from 00:00:20.000 to 00:00:25.000."),
    ("When is the red one first seen?",
     "The first time 'the red one' is seen: from 00:00:00.000 to 00:00:10.000."),
    ("When is the red one seen for the second time?",
     "The 2nd time 'the red one' is seen: from 00:00:20.000 to 00:00:25.000."),
    ("What is the last scene?", "The last scene is seen from 00:00:25.000 to 00:00:40.000: blue."),
    ("Does the green one come before the blue one?",
     "Yes: 'the green one' is seen from 00:00:10.000 to 00:00:20.000 and 'the blue one' from "
     "00:00:25.000 to 00:00:40.000."),
    ("Does a moon come after the blue one?", "No: 'a moon' is not seen after 'the blue one'."),
    ("In what order do the blue one and the green one appear?",
     "In order: the green one from 00:00:10.000 to 00:00:20.000; the blue one from 00:00:25.000 to "
     "00:00:40.000."),
    ("Which comes first, the blue one or the green one?",
     "'the green one': from 00:00:10.000 to 00:00:20.000."),
    ("Is the screen red or green at 0:12?", "'green': from 00:00:10.000 to 00:00:20.000."),
    ("How many scenes are there?",
     "4 scenes can be told apart by their look: from 00:00:00.000 to 00:00:10.000, from "
     "00:00:10.000 to 00:00:20.000, from 00:00:20.000 to 00:00:25.000 and from "
     "00:00:25.000 to 00:00:40.000."),
    ("Describe the first 20 seconds",
     "The longest stretches: from 00:00:00.000 to 00:00:10.000 (10.0 s) red; from 00:00:10.000 to "
     "00:00:20.000 (10.0 s) green."),
    ("When is the red oscilloscope seen?",
     "'the red oscilloscope' is seen from 00:00:00.000 to 00:00:10.000 (best match) and from "
     "00:00:20.000 to 00:00:25.000. 'oscilloscope' is unknown to the encoder and played no part in "
     "this."),
    ("When does the oscilloscope appear?",
     "Not enough evidence: 'oscilloscope' is not a word this encoder knows; `streammem models "
     "pull` gets one that knows more."),
    ("When does the red one appear for the third time?",
     "Not enough evidence: 'the red one' is seen 2 times only; the nearest candidate is from "
     "00:00:00.000 to 00:00:10.000 (confidence 1.00)."),
    ("What did she say about dogs?",
     "Not enough evidence: this memory holds no speech or subtitles."),
    ("What is shown at 5:00?",
     "Not enough evidence: clip covers 00:00:00.000 to 00:00:40.000."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "answer"), ANSWERS, ids=[text for text, _ in ANSWERS])
def test_answers_state_what_was_measured(text: str, answer: str) -> None:
    """Every intent has its sentence, with times as HH:MM:SS.mmm."""
    question = parse_question(text)

    assert put_into_words(question, find(question, [CLIP], QueryOptions())) == answer


def test_memories_are_named_where_there_are_several() -> None:
    """Times of two streams are not mixed up."""
    other = memory_of([Cell("green", [(0, 5)])], name="other")
    question = parse_question("when is the green one seen?")

    answer = put_into_words(question, find(question, [CLIP, other], QueryOptions()))

    assert "to 00:00:20.000 in clip" in answer
    assert "to 00:00:05.000 in other" in answer


def test_a_bare_abstention_names_the_phrase_and_the_nearest_candidate() -> None:
    """Without notes the reason is that the phrase is not clearly seen."""
    candidate = Evidence(
        "e1", "clip", "clip.mp4", 1.0, 2.0, 1.5, 0.31, Channel.VISION, Tier.WORKING
    )
    question = parse_question("when does the moon rise?")

    assert put_into_words(question, Findings(candidates=(candidate,), confidence=0.31)) == (
        "Not enough evidence: 'the moon rise' is not clearly seen; the nearest candidate is "
        "from 00:00:01.000 to 00:00:02.000 (confidence 0.31)."
    )
    assert put_into_words(parse_question(""), Findings()) == (
        "Not enough evidence: nothing in the memory answers this."
    )


def test_long_lists_are_counted_not_listed() -> None:
    """More visits than a sentence holds are told as a number."""
    items = tuple(
        Evidence(f"e{n}", "clip", "clip.mp4", n, n + 0.5, n, 0.9, Channel.VISION, Tier.WORKING)
        for n in range(8)
    )
    question = parse_question("when is it red?")

    answer = put_into_words(question, Findings(evidence=items, confidence=0.9))

    assert answer.count("from ") == 5
    assert answer.endswith(" and 3 more.")


def test_the_evidence_answerer_is_an_answerer() -> None:
    """It stands behind the contract that language models will stand behind."""
    answerer = EvidenceAnswerer()
    question = parse_question("when is it blue?")
    findings = find(question, [CLIP], QueryOptions())

    assert isinstance(answerer, Answerer)
    assert answerer.name == "evidence"
    reply = answerer.answer(Material(question, findings, put_into_words(question, findings)))
    assert reply.text == put_into_words(question, findings)
    assert reply.cited == ("e1",)
