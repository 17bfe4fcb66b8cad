"""Parsing of phrasings that public benchmarks use, and of texts that nobody would ask."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streammem.core.types import RelativeRange
from streammem.query.parse import parse_question

INTENTS = {
    "when", "what_at", "exists", "count", "duration", "order", "now", "said", "read", "choose",
    "describe",
}  # fmt: skip
# Question, and the fields that matter in it.
CASES: list[tuple[str, dict[str, Any]]] = [
    # to be told when something happens
    ('When the player pots the red ball, output "Potted".',
     {"intent": "when", "phrase": "the player pots the red ball", "relation": None}),
    ("Notify me when the light turns green",
     {"intent": "when", "phrase": "the light turns green"}),
    ("When the cat jumps, tell me", {"intent": "when", "phrase": "the cat jumps"}),
    ("When the cat jumps, what does the dog do?",
     {"intent": "order", "relation": "while", "anchor": "the cat jumps"}),
    # what somebody is about to do
    ("What is the cook preparing to do?",
     {"intent": "order", "relation": "next", "phrase": "the cook"}),
    ("What is the man going to do with the axe?",
     {"intent": "order", "relation": "next", "phrase": "the man with the axe"}),
    ("What is the man about to do at 1:30?",
     {"intent": "what_at", "relation": None, "start_s": 90.0}),
    ("The children sit down, who do they meet then?", {"intent": "order", "relation": "next"}),
    ("Which words were on the wall then?", {"relation": None}),
    ("What happens now and then?", {"relation": None}),
    # ordinals
    ("What is seen at the first stop?",
     {"intent": "order", "relation": "first", "phrase": "at the stop"}),
    ("What does the woman do at first?",
     {"intent": "order", "relation": "first", "phrase": "the woman"}),
    ("What does the creature do at last?",
     {"intent": "order", "relation": "last", "phrase": "the creature"}),
    ("Who was the first to arrive?",
     {"intent": "order", "relation": "first", "phrase": "to arrive"}),
    ("How long does the song last?", {"intent": "duration", "relation": None}),
    ("What is the order of the cards on the table?", {"intent": "order", "relation": "arrange"}),
    ("What is the order of the cards after the shuffle?",
     {"intent": "order", "relation": "after", "anchor": "the shuffle"}),
    ("What letters did the child write in order?", {"intent": "order", "relation": "arrange"}),
    # times
    ("What happens in the last few minutes of the video?",
     {"intent": "what_at", "relative": RelativeRange("from_end", 180.0, 0.0)}),
    ("What does the man do in the first few seconds?", {"start_s": 0.0, "end_s": 3.0}),
    ("What did he do a few seconds ago?", {"relative": RelativeRange("from_end", 3.0, 3.0)}),
    ("What is the current mood of the man in the middle of the video?",
     {"intent": "now", "relative": RelativeRange("from_end", 5.0, 0.0)}),
    ("Now on the left side, what is written?", {"relative": RelativeRange("from_end", 5.0, 0.0)}),
    ("From now on, what is shown?", {"relative": None}),
    ("In the middle part of the video, why does she wave?",
     {"intent": "what_at", "relative": RelativeRange("fraction", 1 / 3, 2 / 3)}),
    ("How is her face in the close-up?", {"relative": None, "phrase": "her face in the close-up"}),
    ("In which period does the home team lead?",
     {"intent": "when", "phrase": "the home team lead"}),
    # places and pairs, which are no times
    ("What is the angle between the jar and the wall?", {"intent": "what_at", "relation": None}),
    ("How does she bridge the gap between the poor and the rich?", {"relation": None}),
    # speech
    ("Who just asked 'What are you doing?'?",
     {"intent": "said", "phrase": "What are you doing"}),
    ("What can you say about the temperature?", {"intent": "what_at"}),
    ("How does the boy respond to the lady?", {"intent": "what_at"}),
    # requests for a text
    ("In your own words, summarize the work done", {"intent": "describe"}),
    ("Compare the two dogs", {"intent": "describe", "phrase": "the two dogs"}),
    ("Discuss the strengths of the design", {"intent": "describe"}),
    # a second question is no option
    ("Do apes have a leader, or is it each for himself?", {"intent": "exists", "choices": ()}),
    ("The man touches a lamp. Is the lamp on?", {"intent": "exists"}),
]  # fmt: skip
_WORDS = st.sampled_from(
    """when what which how many long often before after between while first last next second of
    the a is are was did in at to now just ago 1:30 0:10-0:40 10 seconds 3 pm half few middle order
    arrange (1) (a) A. B) or and , ; ? " ' | : -> output notify me if preparing to do said written
    "stop" video count total 99:99:99 1e9 ½ ٣ 零""".split()  # noqa: SIM905  (a list of seventy quoted words reads worse)
)
_OTHER_LANGUAGES = [
    "¿Cuándo aparece el gato después de la escena roja?",
    "Wann erscheint die Katze zum ersten Mal?",
    "猫什么时候第一次出现？",
    "고양이는 언제 나타나나요?",
    "Когда появляется кошка?", "متى تظهر القطة؟",
    "Quand est-ce que le chat apparaît ?", "बिल्ली कब दिखाई देती है?",
]  # fmt: skip


@pytest.mark.parametrize(("text", "fields"), CASES, ids=[text for text, _ in CASES])
def test_real_phrasing_is_understood(text: str, fields: dict[str, Any]) -> None:
    """Each question has exactly these values in the fields that it is about."""
    question = parse_question(text)

    assert {name: getattr(question, name) for name in fields} == fields


@pytest.mark.parametrize("text", _OTHER_LANGUAGES)
def test_another_language_is_a_plain_search(text: str) -> None:
    """What no rule reads is looked for as it stands, at any time."""
    question = parse_question(text)

    assert question.intent == "when"
    assert question.phrase in text
    assert len(question.phrase) >= 0.8 * len(text)
    assert (question.relation, question.start_s, question.end_s) == (None, None, None)


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(), max_size=300), st.lists(st.text(max_size=20), max_size=4))
def test_no_text_is_refused(text: str, choices: list[str]) -> None:
    """Any characters, also controls and halves of pairs, become one of the intents."""
    question = parse_question(text, choices=choices)

    assert question.intent in INTENTS
    assert question.text == text


@settings(max_examples=500, deadline=None)
@given(st.lists(_WORDS, max_size=25))
def test_no_order_of_question_words_is_refused(words: list[str]) -> None:
    """The parser's own words in any order, which reach every rule, become one of the intents."""
    question = parse_question(" ".join(words))

    assert question.intent in INTENTS
    assert question.ordinal != 0


@pytest.mark.parametrize(
    "unit", ["when a, ", "what is going to ", "between a and ", "the first ", "0:10 ", "in order ",
             "a, or is ", '"', "(1) a ", "before after ", "few seconds "],
)  # fmt: skip
def test_long_texts_take_no_long_time(unit: str) -> None:
    """Repetition that invites backtracking is parsed within a second."""
    started = time.process_time()

    parse_question(unit * 1000)

    assert time.process_time() - started < 1.0
