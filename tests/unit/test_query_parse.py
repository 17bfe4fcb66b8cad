"""Parsing: what people type becomes intent, phrase, times and relations."""

from typing import Any

import pytest

from streammem.core.types import RelativeRange
from streammem.query.parse import MAX_READ_CHARS, parse_question

END = "from_end"


def _relative(kind: str, start: float | None, end: float | None) -> RelativeRange:
    return RelativeRange(kind, start, end)


# Question, intent, phrase, and the other fields that are not at their defaults.
CASES: list[tuple[str, str, str, dict[str, Any]]] = [
    # when
    ("When does the red screen appear?", "when", "the red screen", {}),
    ("when is there a green meadow?", "when", "a green meadow", {}),
    ("When is the cat visible?", "when", "the cat", {}),
    ("When do we see a dog?", "when", "a dog", {}),
    ("When do you see the dog in the video?", "when", "the dog", {}),
    ("At what time does the cat show up?", "when", "the cat", {}),
    ("At which point does the man fall?", "when", "the man fall", {}),
    ("when does the person in the grey cardigan leave?", "when",
     "the person in the grey cardigan leave", {}),
    ("Can you tell me when the bus arrives?", "when", "the bus arrives", {}),
    ("Please show me the moments with a bicycle", "when", "a bicycle", {}),
    ("When in the video does the dog bark?", "when", "the dog bark", {}),
    ("Find the red car", "when", "the red car", {}),
    ("Show me when the door opens", "when", "the door opens", {}),
    ("Where in the video is the lighthouse?", "when", "the lighthouse", {}),
    ("During which part of the video is a photo shown?", "when", "a photo", {}),
    ("How many seconds into the video does the dog appear?", "when", "the dog", {}),
    ("red car", "when", "red car", {}),
    ("the", "describe", "", {}),
    ("what is the", "what_at", "", {}),
    ("hammer throw", "when", "hammer throw", {}),
    ("when does the red screen end?", "when", "the red screen", {"asked": "end"}),
    ("When does the Eiffel Tower appear?", "when", "the Eiffel Tower", {}),
    ("when was the kettle on after 1:30", "when", "the kettle on", {"start_s": 90.0}),
    ("In the video, when does the man wave?", "when", "the man wave", {}),
    # exists
    ("Is there a green field?", "exists", "a green field", {"asked": "yes_no"}),
    ("Are there any sheep?", "exists", "sheep", {"asked": "yes_no"}),
    ("Do you see a dog?", "exists", "a dog", {"asked": "yes_no"}),
    ("Does the video show a cat?", "exists", "a cat", {"asked": "yes_no"}),
    ("Does a giraffe appear?", "exists", "a giraffe", {"asked": "yes_no"}),
    ("Has the man left?", "exists", "the man left", {"asked": "yes_no"}),
    ("Is a dog visible?", "exists", "a dog", {"asked": "yes_no"}),
    ("is the dog still there?", "exists", "the dog", {"asked": "yes_no", "state": "still"}),
    ("What happened between the man and the second dog?", "order", "",
     {"relation": "between", "anchor": "the man", "anchor_end": "the dog",
      "anchor_end_ordinal": 2, "asked": "content"}),
    ("How often does the dog appear between the first and the last cat?", "count", "the dog",
     {"relation": "between", "anchor": "the cat", "anchor_ordinal": 1, "anchor_end": "the cat",
      "anchor_end_ordinal": -1}),
    ("Who appears after the last time the dog is seen?", "order", "",
     {"relation": "after", "anchor": "the dog", "anchor_ordinal": -1, "asked": "content"}),
    ("What appears most often?", "what_at", "", {"superlative": "most_often"}),
    ("What is seen most of the time?", "what_at", "", {"superlative": "most_time"}),
    ("Which scene is the longest?", "what_at", "", {"superlative": "longest"}),
    ("When was the shortest time the man was sitting?", "when", "the man was sitting",
     {"superlative": "shortest"}),
    ("How long is the longest visit of the dog?", "duration", "the dog",
     {"superlative": "longest"}),
    ("Is the dog seen longer than the cat?", "exists", "the dog",
     {"superlative": "most_time", "items": ("the cat",), "asked": "yes_no"}),
    ("Does the dog appear less often than the cat?", "exists", "the dog",
     {"superlative": "least_often", "items": ("the cat",), "asked": "yes_no"}),
    ("Is the light still red?", "exists", "the light red", {"state": "still", "asked": "yes_no"}),
    ("How many times did the light change colour?", "count", "the light", {"state": "changes"}),
    ("When did the light change from red to green?", "when", "the light",
     {"state": "changes", "items": ("red", "green")}),
    ("When did the light turn green?", "when", "the light",
     {"state": "changes", "items": ("green",)}),
    ("When does the man go inside?", "when", "the man go inside", {}),
    ("Was there ever a dog between 0:10 and 0:40?", "exists", "a dog",
     {"asked": "yes_no", "start_s": 10.0, "end_s": 40.0}),
    ("Is a red screen shown at 0:12?", "exists", "a red screen",
     {"asked": "yes_no", "start_s": 12.0, "end_s": 12.0}),
    ("Did the man sit down before 1:30?", "exists", "the man sit down",
     {"asked": "yes_no", "end_s": 90.0}),
    ("Is there a cat in the first ten minutes?", "exists", "a cat",
     {"asked": "yes_no", "start_s": 0.0, "end_s": 600.0}),
    # count
    ("how many times did the man sit down after 1:30?", "count", "the man sit down",
     {"start_s": 90.0}),
    ("How often does the blue room show up?", "count", "the blue room", {}),
    ("How many times is the red room seen?", "count", "the red room", {}),
    ("how often is the screen blue", "count", "the screen blue", {}),
    ("Count the red scenes", "count", "the red scenes", {}),
    ("What is the number of times the ball bounces?", "count", "the ball bounces", {}),
    ("does the dog appear more than once?", "count", "the dog", {"asked": "yes_no"}),
    ("How many scenes are there?", "count", "", {}),
    ("How many times after the man sat down did the dog bark?", "count", "the dog bark",
     {"relation": "after", "anchor": "the man sat down"}),
    ("How many times was the green field seen before the purple curtain?", "count",
     "the green field", {"relation": "before", "anchor": "the purple curtain"}),
    # duration
    ("How long is the screen yellow?", "duration", "the screen yellow", {}),
    ("How long does the red scene last?", "duration", "the red scene", {}),
    ("For how long is there a dog?", "duration", "a dog", {}),
    ("How much time is the blue room visible?", "duration", "the blue room", {}),
    ("How many seconds is the screen red?", "duration", "the screen red", {}),
    ("What is the total duration of the red scenes?", "duration", "the red scenes", {}),
    ("How long is the video?", "duration", "", {}),
    ("How long after the red screen does the dog appear?", "duration", "",
     {"relation": "between", "anchor": "the red screen", "anchor_end": "the dog",
      "asked": "interval"}),
    ("How long before the red screen does the dog appear?", "duration", "",
     {"relation": "between", "anchor": "the dog", "anchor_end": "the red screen",
      "asked": "interval"}),
    ("How long until the dog appears?", "duration", "",
     {"relation": "before", "anchor": "the dog", "asked": "interval"}),
    ("how long between the red screen and the blue room", "duration", "",
     {"relation": "between", "anchor": "the red screen", "anchor_end": "the blue room",
      "asked": "interval"}),
    # order
    ("What happens right after the red scene?", "order", "",
     {"relation": "after", "anchor": "the red scene", "asked": "content"}),
    ("What comes after the yellow screen?", "order", "",
     {"relation": "after", "anchor": "the yellow screen", "asked": "content"}),
    ("What is shown just before the blue room appears?", "order", "",
     {"relation": "before", "anchor": "the blue room", "asked": "content"}),
    ("After the red scene, what appears?", "order", "",
     {"relation": "after", "anchor": "the red scene", "asked": "content"}),
    ("What was the man doing while the dog barked?", "order", "the man doing",
     {"relation": "while", "anchor": "the dog barked", "asked": "content"}),
    ("What does the horse do as the man is washing it?", "order", "the horse",
     {"relation": "while", "anchor": "the man is washing it", "asked": "content"}),
    ("When the girl claps what does the boy do?", "order", "the boy",
     {"relation": "while", "anchor": "the girl claps", "asked": "content"}),
    ("What happens when the red screen appears?", "order", "",
     {"relation": "while", "anchor": "the red screen", "asked": "content"}),
    ("During the red scene, is there a dog?", "order", "a dog",
     {"relation": "while", "anchor": "the red scene", "asked": "yes_no"}),
    ("What is shown between the red scene and the blue scene?", "order", "",
     {"relation": "between", "anchor": "the red scene", "anchor_end": "the blue scene",
      "asked": "content"}),
    ("What happened after the start of the show and before the first break?", "order", "",
     {"relation": "between", "anchor": "the show", "anchor_end": "the break",
      "anchor_end_ordinal": 1, "asked": "content"}),
    ("Does the dog come before the cat?", "order", "the dog",
     {"relation": "before", "anchor": "the cat", "asked": "yes_no"}),
    ("Is the red screen before or after the blue room?", "order", "the red screen",
     {"relation": "before", "anchor": "the blue room", "asked": "yes_no"}),
    ("Is the red screen followed by the blue room?", "order", "the red screen",
     {"relation": "before", "anchor": "the blue room", "asked": "yes_no"}),
    ("What follows the red screen?", "order", "",
     {"relation": "after", "anchor": "the red screen", "asked": "content"}),
    ("When does the dog appear after the red scene?", "order", "the dog",
     {"relation": "after", "anchor": "the red scene"}),
    ("When did the person leave for the second time after the red scene?", "order",
     "the person leave", {"relation": "after", "anchor": "the red scene", "ordinal": 2}),
    ("When is the first time the red screen appears?", "order", "the red screen",
     {"relation": "first"}),
    ("When is the green meadow first seen?", "order", "the green meadow", {"relation": "first"}),
    ("When did the dog last appear?", "order", "the dog", {"relation": "last"}),
    ("At what time does the dog appear last?", "order", "the dog", {"relation": "last"}),
    ("When was the last time we saw the red car?", "order", "the red car", {"relation": "last"}),
    ("When does the red screen appear for the second time?", "order", "the red screen",
     {"relation": "nth", "ordinal": 2}),
    ("What is the third time the dog appears?", "order", "the dog",
     {"relation": "nth", "ordinal": 3, "asked": "content"}),
    ("What is the second scene?", "order", "",
     {"relation": "nth", "ordinal": 2, "asked": "content"}),
    ("What is the second to last scene?", "order", "",
     {"relation": "nth", "ordinal": -2, "asked": "content"}),
    ("What is shown first?", "order", "", {"relation": "first", "asked": "content"}),
    ("What is the last thing shown?", "order", "", {"relation": "last", "asked": "content"}),
    ("What happens next?", "order", "", {"relation": "next", "asked": "content"}),
    ("What colour was the car 10 seconds before the red screen?", "order", "the car",
     {"relation": "before", "anchor": "the red screen", "asked": "colour", "offset_s": 10.0}),
    ("What did he say after the red scene?", "order", "he say",
     {"relation": "after", "anchor": "the red scene", "asked": "said"}),
    ("In what order do the red screen, the blue room and the green field appear?", "order", "",
     {"relation": "arrange", "items": ("the red screen", "the blue room", "the green field")}),
    ("Arrange the following events in the correct order: (1)The man waves; (2)The dog barks;"
     " (3)The cat sleeps", "order", "",
     {"relation": "arrange", "items": ("The man waves", "The dog barks", "The cat sleeps")}),
    # said, read
    ("what did she say about pendulums?", "said", "pendulums", {"asked": "said"}),
    ("Who said 'after 1:30 we go'?", "said", "after 1:30 we go", {"asked": "said"}),
    ("Is gravity mentioned?", "said", "gravity", {"asked": "said"}),
    ("When do they talk about the weather?", "said", "the weather", {"asked": "said"}),
    ("what does the sign say?", "read", "the sign", {"asked": "read"}),
    ("What is written on the door?", "read", "the door", {"asked": "read"}),
    ("What text is on the screen?", "read", "the screen", {"asked": "read"}),
    # now
    ("What's on screen now?", "now", "", {"relative": _relative(END, 5.0, 0.0)}),
    ("Is there a dog right now?", "now", "a dog",
     {"relative": _relative(END, 5.0, 0.0), "asked": "yes_no"}),
    ("What did the person do just now?", "now", "the person",
     {"relative": _relative(END, 10.0, 0.0)}),
    ("What is currently shown?", "now", "", {"relative": _relative(END, 5.0, 0.0)}),
    # what_at
    ("What is shown at 0:12?", "what_at", "", {"start_s": 12.0, "end_s": 12.0}),
    ("What can be seen at 14 seconds?", "what_at", "", {"start_s": 14.0, "end_s": 14.0}),
    ("what colour is the wall at 0:10?", "what_at", "the wall",
     {"start_s": 10.0, "end_s": 10.0, "asked": "colour"}),
    ("What happens from 04:49-06:20?", "what_at", "", {"start_s": 289.0, "end_s": 380.0}),
    ("What happens after 1:30?", "what_at", "", {"start_s": 90.0}),
    ("What happened in the last 30 seconds?", "what_at", "",
     {"relative": _relative(END, 30.0, 0.0)}),
    ("What was shown 20 seconds ago?", "what_at", "", {"relative": _relative(END, 20.0, 20.0)}),
    ("What do you see at the beginning?", "what_at", "",
     {"relative": _relative("fraction", 0.0, 0.2)}),
    ("who is in the room at 1:00", "what_at", "in the room", {"start_s": 60.0, "end_s": 60.0}),
    ("Where is the cat?", "what_at", "the cat", {}),
    ("What is the man holding?", "what_at", "the man holding", {}),
    ("Describe the scene at 0:12", "what_at", "", {"start_s": 12.0, "end_s": 12.0}),
    # describe
    ("Describe the video", "describe", "", {}),
    ("Summarize the first ten minutes", "describe", "", {"start_s": 0.0, "end_s": 600.0}),
    ("What happens in the video?", "describe", "", {}),
    ("What is this video about?", "describe", "", {}),
    ("Give me a summary of the clip", "describe", "", {}),
    ("", "describe", "", {}),
    # choose
    ("Which comes first, the red screen or the blue room?", "choose", "",
     {"relation": "first", "choices": ("the red screen", "the blue room")}),
    ("Is the wall red or blue?", "choose", "the wall", {"choices": ("red", "blue")}),
    ("Is the screen red or blue at 0:10?", "choose", "the screen",
     {"choices": ("red", "blue"), "start_s": 10.0, "end_s": 10.0}),
    ("What is the man holding? A. a cup B. a phone", "choose", "the man holding",
     {"choices": ("a cup", "a phone")}),
    ("What is shown? (a) a dog (b) a cat (c) a car", "choose", "",
     {"choices": ("a dog", "a cat", "a car")}),
    # other languages and nonsense: plain search
    ("¿Dónde está el gato?", "when", "¿Dónde está el gato", {}),
    ("什么时候出现红色屏幕", "when", "什么时候出现红色屏幕", {}),
    ("asdf qwer", "when", "asdf qwer", {}),
]  # fmt: skip

_DEFAULTS: dict[str, Any] = {
    "start_s": None,
    "end_s": None,
    "relation": None,
    "anchor": None,
    "anchor_end": None,
    "ordinal": None,
    "anchor_ordinal": None,
    "anchor_end_ordinal": None,
    "superlative": None,
    "state": None,
    "choices": (),
    "relative": None,
    "asked": None,
    "items": (),
    "offset_s": None,
}


@pytest.mark.parametrize(("text", "intent", "phrase", "fields"), CASES, ids=[c[0] for c in CASES])
def test_parse_question_reads(text: str, intent: str, phrase: str, fields: dict[str, Any]) -> None:
    """Every question of the table gets exactly its fields, the others their defaults."""
    question = parse_question(text)

    found = {name: getattr(question, name) for name in _DEFAULTS}
    assert (question.intent, question.phrase) == (intent, phrase)
    assert found == {**_DEFAULTS, **fields}
    assert question.text == text


def test_the_table_is_large_enough() -> None:
    """The table covers all eleven intents with at least 120 questions."""
    assert len(CASES) >= 120
    assert {intent for _, intent, _, _ in CASES} == {
        "when", "what_at", "exists", "count", "duration", "order", "now", "said", "read",
        "choose", "describe",
    }  # fmt: skip


def test_given_choices_make_any_question_a_choice() -> None:
    """Options given apart win over every intent, and keep their text."""
    question = parse_question("How many dogs are there?", choices=["A. 1", " B. 2 ", ""])

    assert question.intent == "choose"
    assert question.choices == ("A. 1", "B. 2")


def test_a_choice_of_what_is_not_so_is_negated() -> None:
    """A stem with "not" asks for the option that does not fit."""
    question = parse_question("Which animal does not appear?", choices=["dog", "cat"])

    assert question.negated
    assert not parse_question("Which animal appears?", choices=["dog", "cat"]).negated


def test_counting_things_is_noted() -> None:
    """A count of things says that appearances are counted."""
    things = parse_question("How many people are in the room?")
    times = parse_question("How many times does the dog bark?")

    assert things.notes == ("counts separate appearances in time, not things within one picture",)
    assert times.notes == ()


def test_a_pronoun_as_anchor_is_noted() -> None:
    """What "that" refers to is outside the question."""
    assert parse_question("What happens after that?").notes == (
        "'that' refers to something outside this question",
    )


def test_quoted_words_are_not_read_as_times_or_order() -> None:
    """Times and order words inside quotes belong to the quote."""
    question = parse_question('When does she say "before 1:30 or after 2:00"?')

    assert question.intent == "said"
    assert (question.start_s, question.end_s, question.relation) == (None, None, None)
    assert question.phrase == "before 1:30 or after 2:00"


def test_a_text_without_end_is_cut_and_noted() -> None:
    """A megabyte of text is read only in its beginning, and says so."""
    question = parse_question(f"when does the {'small ' * 200_000} dog bark")

    assert question.intent == "when"
    assert f"only the first {MAX_READ_CHARS} characters of the question were read" in question.notes


@pytest.mark.parametrize(
    "text", ["\x00\x00", "?!?", "before", "after?", "when", "(a) (b)", "at 1:30"]
)
def test_fragments_are_understood_as_something(text: str) -> None:
    """Texts that are no questions still become one of the intents."""
    assert parse_question(text).intent in {"when", "describe", "what_at", "order"}
