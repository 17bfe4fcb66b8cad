"""Composition: ordinals of other events, superlatives, comparisons and states, on known streams."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streammem.answer.evidence import put_into_words
from streammem.query.engine import QueryOptions, find
from streammem.query.parse import parse_question
from tests.unit._query_world import WORDS, Cell, memory_of

# red 0-10, dog 10-15, green 15-25, red 25-30, cat 30-34, dog 34-36, blue 36-50, dog 50-53
CLIP = memory_of(
    [
        Cell("red", [(0, 10), (25, 30)]),
        Cell("dog", [(10, 15), (34, 36), (50, 53)]),
        Cell("green", [(15, 25)]),
        Cell("cat", [(30, 34)]),
        Cell("blue", [(36, 50)]),
    ]
)
# A door is red 0-10, nothing 10-20, green 20-30, red 30-35, a dog 35-60
LIGHT = memory_of(
    [
        Cell("red door", [(0, 10), (30, 35)]),
        Cell("room", [(10, 20)]),
        Cell("green door", [(20, 30)]),
        Cell("dog", [(35, 60)]),
    ]
)


def asked(text: str, memory=CLIP, choices=(), **options):
    return find(parse_question(text, choices=choices), [memory], QueryOptions(**options))


def spans(findings) -> list[tuple[float, float]]:
    return sorted((item.start_s, item.end_s) for item in findings.evidence)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is shown between the green one and the second dog?", [(25, 30), (30, 34)]),
        ("What is shown between the cat and the last dog?", [(34, 36), (36, 50)]),
        ("What comes after the second red one?", [(30, 34)]),
        ("What comes before the last dog?", [(36, 50)]),
        ("What is shown after the third dog?", []),
        ("What is shown after the fourth dog?", []),
        ("When is it red between the first and the second dog?", [(25, 30)]),
        ("What is the longest scene?", [(36, 50)]),
        ("Which scene is the shortest?", [(34, 36)]),
        ("When is the longest time the dog is there?", [(10, 15)]),
        ("What is the longest scene after the cat?", [(36, 50)]),
        ("What appears most often?", [(10, 15), (34, 36), (50, 53)]),
        ("What is seen most of the time?", [(0, 10), (25, 30)]),
    ],
)
def test_times_are_found_where_the_words_put_them(text: str, expected: list) -> None:
    """The spans of the evidence are those of the stream; none where there is nothing."""
    assert spans(asked(text)) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("How many times does the dog appear after the green one?", 2),
        ("How many times does the dog appear before the cat?", 1),
        ("How many times does the dog appear between the green one and the last dog?", 1),
        ("How often is it red between the first and the second dog?", 1),
        ("How many times does the cat appear after the blue one?", 0),
        ("How many times does the dog appear while it is blue?", 0),
        ("How long is the dog visible after the cat?", 5.0),
        ("How long is it red after the first dog?", 5.0),
        ("How long is the longest visit of the dog?", 5.0),
        ("How long is it between the first dog and the second dog?", 19.0),
        ("How much time passes between the cat and the last dog?", 16.0),
        ("Does the dog appear before the cat?", True),
        ("Does the cat appear after the second dog?", False),
        ("Is the dog seen more often than the cat?", True),
        ("Does the cat appear more often than the dog?", False),
        ("Is the dog seen longer than the blue one?", False),
        ("Is the cat seen longer than the moon?", True),
    ],
)
def test_values_are_those_of_the_stream(text: str, value: object) -> None:
    """Numbers, lengths and yes or no within the time that other events leave."""
    findings = asked(text)

    assert findings.value == pytest.approx(value)
    assert put_into_words(parse_question(text), findings)


def test_before_and_after_add_up_to_the_whole() -> None:
    """What is counted in parts is what is counted in all."""
    for measure in ("How many times does the dog appear", "How long is the dog visible"):
        parts = [asked(f"{measure} {word} the cat?").value for word in ("before", "after")]
        assert sum(parts) == asked(f"{measure}?").value


@pytest.mark.parametrize(
    ("text", "value", "label"),
    [
        ("What colour is the door now?", None, "red"),
        ("Is the door still red?", True, None),
        ("Is the door still green?", False, None),
        ("Is the dog still there?", True, None),
        ("Is the room still there?", False, None),
        ("Is the moon still there?", False, None),
        ("How many times does the door change colour?", 2, None),
        ("Does the door change colour?", True, None),
    ],
)
def test_the_newest_state_wins(text: str, value: object, label: str | None) -> None:
    """What a thing was like before does not count any more."""
    findings = asked(text, LIGHT)

    assert findings.value == value
    assert (findings.labels[0][0] if label else None) == label


def test_a_state_asked_for_earlier_is_the_state_of_that_time() -> None:
    """With `--at` the same question has the answer of then."""
    assert asked("What colour is the door now?", LIGHT, at_s=25.0).labels[0][0] == "green"
    assert asked("What colour is the door now?", LIGHT, at_s=15.0).labels[0][0] == "red"
    assert asked("Is the door still red?", LIGHT, at_s=28.0).value is False


@pytest.mark.parametrize(
    ("text", "expected", "words"),
    [
        ("When does the door change from red to green?", [(20, 30)], "red to green"),
        ("When did the door turn red?", [(30, 35)], "green to red"),
        ("When did the door turn green?", [(20, 30)], "red to green"),
    ],
)
def test_a_change_is_where_the_new_state_begins(text: str, expected: list, words: str) -> None:
    """The evidence is the new state, with what it came from."""
    findings = asked(text, LIGHT)

    assert spans(findings) == expected
    assert findings.evidence[0].text == words
    assert findings.evidence[0].time_s == expected[0][0]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("What comes after the fourth dog?", "'the dog' is seen 3 times only"),
        ("What is shown between the dog and the second cat?", "'the cat' is seen 1 time only"),
        ("Which is seen most often, the moon or the snow?", "no option is seen"),
        ("When does the door turn purple?", "no such change is seen"),
    ],
)
def test_what_is_not_there_is_an_abstention_with_its_reason(text: str, note: str) -> None:
    """The missing visit is named, and what comes nearest is offered."""
    findings = asked(text)

    assert findings.abstained
    assert note in findings.notes


CHOICES = [
    ("Which appears most often?", ["the cat", "the dog", "the red one"], "the dog"),
    ("Which is seen longest?", ["the cat", "the dog", "the red one"], "the red one"),
    ("Which appears least often?", ["the dog", "the cat", "the red one"], "the cat"),
    ("Which is seen most often after the green one?", ["red", "dog", "cat"], "dog"),
    ("How many times does the dog appear after the green one?", ["1", "2", "3"], "2"),
]


@pytest.mark.parametrize(("text", "choices", "expected"), CHOICES)
def test_options_are_compared_by_amount(text: str, choices: list[str], expected: str) -> None:
    """By visits or by seconds, wherever the option stands."""
    for turn in range(len(choices)):
        turned = choices[turn:] + choices[:turn]
        assert asked(text, choices=turned).choice == expected


@st.composite
def streams(draw):
    """A stream of events from a few words; some cells hold several visits."""
    shows = draw(st.lists(st.sampled_from(WORDS[:6]), min_size=2, max_size=8))
    spans: dict[str, list[tuple[float, float]]] = {}
    at_s = 0.0
    for word in shows:
        length = draw(st.integers(1, 8)) / 2
        spans.setdefault(word, []).append((at_s, at_s + length))
        at_s += length
    return memory_of([Cell(word, visits) for word, visits in spans.items()])


STEMS = [
    "Which comes first?", "Which comes last?", "Which appears most often?", "Which is shown?",
    "Which is seen longest?", "What is shown after the red one?", "Which one does not appear?",
    "How many times is it red?", "What is shown at 0:02?", "In what order do they appear?",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    streams(),
    st.sampled_from(STEMS),
    st.lists(st.sampled_from([*WORDS[:8], "1", "2", "0"]), min_size=2, max_size=5, unique=True),
    st.randoms(use_true_random=False),
)
def test_a_choice_does_not_depend_on_the_order_of_options(memory, stem, choices, random) -> None:
    """Any order of the same options gives the same choice, confidence and evidence."""
    shuffled = choices.copy()
    random.shuffle(shuffled)

    one, two = asked(stem, memory, choices), asked(stem, memory, shuffled)

    assert one.choice == two.choice
    assert one.confidence == pytest.approx(two.confidence)
    assert spans(one) == spans(two)


@pytest.mark.parametrize(
    ("text", "memory", "sentence"),
    [
        ("What is the longest scene?", CLIP,
         "The longest scene lasts 14.000 s, from 00:00:36.000 to 00:00:50.000: blue."),
        ("How long is the longest visit of the dog?", CLIP,
         "The longest visit of 'the dog' lasts 5.000 s, from 00:00:10.000 to 00:00:15.000."),
        ("Is the dog seen more often than the cat?", CLIP,
         "Yes: 'the dog' is seen 3 times and 'the cat' is seen once."),
        ("Is the cat seen longer than the dog?", CLIP,
         "No: 'the dog' is seen for 10.000 s and 'the cat' is seen for 4.000 s."),
        ("What comes after the second red one?", CLIP,
         "After 'the red one' (2nd visit), from 00:00:30.000 to 00:00:34.000: cat."),
        ("How long is it between the first dog and the second dog?", CLIP,
         "19.000 s pass from the end of 'the dog' (from 00:00:10.000 to 00:00:15.000) to the start "
         "of 'the dog' (from 00:00:34.000 to 00:00:36.000)."),
        ("Is the door still red?", LIGHT,
         "Yes: 'the door red' is seen up to the end, from 00:00:30.000 to 00:00:35.000."),
        ("Is the door still green?", LIGHT,
         "No: the newest is 'the door red', from 00:00:30.000 to 00:00:35.000."),
        ("Is the room still there?", LIGHT,
         "No: 'the room' is last seen from 00:00:10.000 to 00:00:20.000."),
        ("Is the moon still there?", LIGHT, "No: 'the moon' is not seen."),
        ("How many times does the door change colour?", LIGHT,
         "'the door' changes 2 times: from red to green at 00:00:20.000 and from green to red at "
         "00:00:30.000."),
        ("When does the door turn green?", LIGHT,
         "'the door' changes from red to green at 00:00:20.000."),
    ],
)  # fmt: skip
def test_sentences_say_what_was_compared(text: str, memory, sentence: str) -> None:
    """Amounts, ordinals and states stand in the words with their times."""
    assert put_into_words(parse_question(text), asked(text, memory)) == sentence
