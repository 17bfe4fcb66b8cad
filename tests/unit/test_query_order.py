"""Order: other events, ordinals and lists fix the time, on a stream whose order is known."""

import pytest

from streammem.query.engine import QueryOptions, find
from streammem.query.parse import parse_question
from tests.unit._query_world import Cell, memory_of

# red 0-10, dog 10-15, green 15-25, red 25-30, cat 30-34, blue 34-50, dog 50-53
CLIP = memory_of(
    [
        Cell("red", [(0, 10), (25, 30)]),
        Cell("dog", [(10, 15), (50, 53)]),
        Cell("green", [(15, 25)]),
        Cell("cat", [(30, 34)]),
        Cell("blue", [(34, 50)]),
    ]
)


def asked(text: str, choices=()):
    return find(parse_question(text, choices=choices), [CLIP], QueryOptions())


def spans(findings) -> list[tuple[float, float]]:
    return [(item.start_s, item.end_s) for item in findings.evidence]


@pytest.mark.parametrize(
    ("text", "span", "name"),
    [
        ("What comes after the green one?", (25.0, 30.0), "red"),
        ("What happens right after the red one?", (10.0, 15.0), "dog"),
        ("What is shown before the cat?", (25.0, 30.0), "red"),
        ("After the cat, what appears?", (34.0, 50.0), "blue"),
        ("What is shown first?", (0.0, 10.0), "red"),
        ("What is the last thing shown?", (50.0, 53.0), "dog"),
        ("What is the second scene?", (10.0, 15.0), "dog"),
        ("What is the second to last scene?", (34.0, 50.0), "blue"),
        ("What is shown 3 seconds after the green one?", (25.0, 30.0), "red"),
        ("What is shown 2 seconds before the cat?", (25.0, 30.0), "red"),
        ("What happens next after 0:30?", (30.0, 34.0), "cat"),
        ("What happens while the cat is there?", (30.0, 34.0), "cat"),
    ],
)
def test_what_is_there_is_found_by_its_neighbour(
    text: str, span: tuple[float, float], name: str
) -> None:
    """Without a phrase the neighbouring event is the answer, with its name."""
    findings = asked(text)

    assert spans(findings) == [span]
    assert findings.labels[0][0] == name


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("When does the dog appear after the green one?", (50.0, 53.0)),
        ("When was it red before the cat?", (25.0, 30.0)),
        ("When does the dog first appear?", (10.0, 15.0)),
        ("When did the dog last appear?", (50.0, 53.0)),
        ("When does the dog appear for the second time?", (50.0, 53.0)),
        ("When is the first time it is red after the dog?", (25.0, 30.0)),
        ("When is the last time it is red before the cat?", (25.0, 30.0)),
        ("When is it red between the dog and the cat?", (25.0, 30.0)),
    ],
)
def test_a_phrase_is_found_where_the_relation_leaves_it(
    text: str, span: tuple[float, float]
) -> None:
    """The visit that the relation means is the only evidence."""
    assert spans(asked(text)) == [span]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Does the cat come before the blue one?", True),
        ("Does the blue one come before the cat?", False),
        ("Is there a dog after the blue one?", True),
        ("Is there a cat after the blue one?", False),
        ("Is the cat before or after the blue one?", True),
        ("Is there a yellow one after the cat?", False),
        ("Is the green one followed by a cat?", True),
    ],
)
def test_yes_or_no_about_order(text: str, value: bool) -> None:
    """True and false come from times; both events are cited, the one asked about first."""
    findings = asked(text)

    assert findings.value is value
    if "yellow" not in text:
        assert len(findings.evidence) == 2
        assert findings.evidence[0].text == parse_question(text).phrase


def test_what_lies_between_is_told_stretch_by_stretch() -> None:
    """Every event between two others is cited with its name."""
    findings = asked("What is shown between the green one and the blue one?")

    assert sorted((e.start_s, e.text) for e in findings.evidence) == [(25.0, "red"), (30.0, "cat")]


def test_events_are_arranged_by_first_appearance() -> None:
    """The listed events come with their names; their times give the order."""
    findings = asked("In what order do the blue, the dog and the green one appear?")

    ordered = [e.text for e in sorted(findings.evidence, key=lambda e: e.start_s)]
    assert ordered == ["the dog", "the green one", "the blue"]


def test_an_event_that_is_not_seen_is_left_out_of_the_order_and_named() -> None:
    """What cannot be placed is told."""
    findings = asked("Arrange: the cat; the moon; the green one")

    assert {e.text for e in findings.evidence} == {"the cat", "the green one"}
    assert findings.notes == ("not seen: the moon",)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("What comes after the moon?", "'the moon' is not seen"),
        ("What comes between the dog and the moon?", "'the moon' is not seen"),
        ("When does the cat appear before the dog?", "'the cat' is not seen before 'the dog'"),
        ("When does the dog appear for the third time?", "'the dog' is seen 2 times only"),
        ("What is the ninth scene?", "only 7 scenes can be told apart"),
        ("What will he do next?",
         "a memory holds what was seen; it does not tell what will come next"),
        ("What is shown 20 seconds after the blue one?",
         "the memory does not reach 20 s after 'the blue one'"),
    ],
)  # fmt: skip
def test_what_cannot_be_placed_is_an_abstention_with_its_reason(text: str, note: str) -> None:
    """The missing link is named."""
    findings = asked(text)

    assert findings.abstained
    assert note in findings.notes


CHOICES = [
    ("Which comes first?", ["the cat", "the green one", "the blue one"], "the green one"),
    ("Which comes last?", ["the cat", "the green one", "the blue one"], "the blue one"),
    ("How many times does the dog appear?", ["A. 1.", "B. 2.", "C. 3."], "B. 2."),
    ("How many times does the dog appear?", ["once", "twice", "never"], "twice"),
    ("How long is the cat visible?", ["4 seconds", "10 seconds", "a minute"], "4 seconds"),
    ("Is there a cat?", ["no", "yes", "not sure"], "yes"),
    ("Is there a cat?", ["No.", "Yes."], "Yes."),
    ("Is there a moon?", ["No.", "Yes."], "No."),
    ("Does the cat come before the dog?", ["yes", "no"], "no"),
    ("When does the cat appear?", ["at the beginning", "between 0:25 and 0:40", "at the end"],
     "between 0:25 and 0:40"),
    ("What is shown at 0:32?", ["a dog", "a cat", "a moon"], "a cat"),
    ("What is shown after the green one?", ["red", "blue", "yellow"], "red"),
    ("Which one does not appear?", ["dog", "moon", "cat"], "moon"),
    ("What is the correct order of the scenes?",
     ["green -> cat -> blue", "blue -> cat -> green", "cat -> green -> blue"],
     "green -> cat -> blue"),
    ("Arrange these in the correct order: (1)the blue one; (2)the green one; (3)the cat",
     ["1->2->3", "2->3->1", "3->2->1"], "2->3->1"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "choices", "expected"), CHOICES)
def test_choose_takes_the_option_that_fits(text: str, choices: list[str], expected: str) -> None:
    """The option is chosen by number, time, order or look, wherever it stands in the list."""
    for turn in range(len(choices)):
        turned = choices[turn:] + choices[:turn]
        assert asked(text, turned).choice == expected


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("What is the man thinking?", ["metaphysics", "dinner"]),
        ("What is shown at 0:32?", ["a cat", "cat"]),
        ("When does the moon appear?", ["at the beginning", "at the end"]),
        ("How many times does the dog appear?", ["1", "3"]),
        ("What is shown at 9:00?", ["a cat", "a dog"]),
    ],
)
def test_choose_abstains_where_options_cannot_be_told_apart(text: str, choices: list[str]) -> None:
    """Unknown words, equal options and ties are no ground for a choice."""
    findings = asked(text, choices)

    assert findings.choice is None
    assert findings.abstained
