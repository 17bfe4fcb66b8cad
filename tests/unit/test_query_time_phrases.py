"""Time phrases: every way to say a time becomes the same numbers, and leaves the text."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streammem.core.types import RelativeRange
from streammem.query import time_phrases
from streammem.query.number_words import first_number, number_value, ordinal_value
from streammem.query.time_atoms import duration_value
from streammem.query.time_phrases import extract_time_phrases

ABSOLUTE = [
    ("at 1:30", 90.0, 90.0),
    ("at 90 seconds", 90.0, 90.0),
    ("at 90s", 90.0, 90.0),
    ("at 1m30s", 90.0, 90.0),
    ("at 1 minute and 30 seconds", 90.0, 90.0),
    ("at ninety seconds", 90.0, 90.0),
    ("at one and a half minutes", 90.0, 90.0),
    ("at the 90 second mark", 90.0, 90.0),
    ("at the 2-minute mark", 120.0, 120.0),
    ("90 seconds into the video", 90.0, 90.0),
    ("at 00:01:30.5", 90.5, 90.5),
    ("at 1:02:03", 3723.0, 3723.0),
    ("at minute 3", 180.0, 180.0),
    ("during minute 3", 120.0, 180.0),
    ("in the third minute", 120.0, 180.0),
    ("around 0:45", 40.0, 50.0),
    ("at about 3 seconds", 0.0, 8.0),
    ("between 0:10 and 0:40", 10.0, 40.0),
    ("between 10 and 40 seconds", 10.0, 40.0),
    ("between 0:40 and 0:10", 10.0, 40.0),
    ("from 1:00 to 2:00", 60.0, 120.0),
    ("from five to ten minutes", 300.0, 600.0),
    ("from the 1 minute mark to the 2 minute mark", 60.0, 120.0),
    ("during this time 24:04-27:10", 1444.0, 1630.0),
    ("in the first ten minutes", 0.0, 600.0),
    ("within the first minute of the video", 0.0, 60.0),
    ("before 1:30", None, 90.0),
    ("until 1:30", None, 90.0),
    ("after 1:30", 90.0, None),
    ("since 1:30", 90.0, None),
    ("from 1:30 on", 90.0, None),
    ("after the 2 minute mark", 120.0, None),
    ("after 0:10 and before 0:40", 10.0, 40.0),
]
RELATIVE = [
    ("in the last 5 minutes", RelativeRange("from_end", 300.0, 0.0)),
    ("over the past hour", RelativeRange("from_end", 3600.0, 0.0)),
    ("in the last minute", RelativeRange("from_end", 60.0, 0.0)),
    ("30 seconds ago", RelativeRange("from_end", 30.0, 30.0)),
    ("just now", RelativeRange("from_end", 10.0, 0.0)),
    ("right now", RelativeRange("from_end", 5.0, 0.0)),
    ("since 3 pm", RelativeRange("wall_clock", 54_000.0, None)),
    ("before noon", RelativeRange("wall_clock", None, 43_200.0)),
    ("at 3:15 p.m.", RelativeRange("wall_clock", 54_900.0, 54_900.0)),
    ("between 3 and 5 pm", RelativeRange("wall_clock", 54_000.0, 61_200.0)),
    ("between 11 am and 1 pm", RelativeRange("wall_clock", 39_600.0, 46_800.0)),
    ("around 3 pm", RelativeRange("wall_clock", 53_700.0, 54_300.0)),
    ("halfway through the video", RelativeRange("fraction", 0.5, 0.5)),
    ("in the second half", RelativeRange("fraction", 0.5, 1.0)),
    ("in the last third of the video", RelativeRange("fraction", 2 / 3, 1.0)),
    ("at the end of the video", RelativeRange("fraction", 0.8, 1.0)),
    ("at the very beginning", RelativeRange("fraction", 0.0, 0.2)),
    ("when the video ends", RelativeRange("fraction", 0.8, 1.0)),
]
NOT_TIMES = [
    "at the end of the table",
    "in the middle of the road",
    "a 10 minute walk",
    "10 seconds before the crash",
    "the second man",
    "a screen with the ratio 16:9",
    "three dogs",
    "on the first floor",
]


@pytest.mark.parametrize(("words", "start_s", "end_s"), ABSOLUTE)
def test_absolute_times_become_seconds(
    words: str, start_s: float | None, end_s: float | None
) -> None:
    """A time phrase gives its range in seconds and is gone from the text."""
    found = extract_time_phrases(f"is there a dog {words}?")

    assert (found.range.start_s, found.range.end_s) == (start_s, end_s)
    assert found.range.relative is None
    assert found.rest == "is there a dog?"


@pytest.mark.parametrize(("words", "expected"), RELATIVE)
def test_relative_times_keep_what_they_are_relative_to(words: str, expected: RelativeRange) -> None:
    """What only a memory can resolve is kept as it was said."""
    found = extract_time_phrases(f"is there a dog {words}?")

    assert found.range.relative == expected
    assert (found.range.start_s, found.range.end_s) == (None, None)
    assert found.rest == "is there a dog?"


@pytest.mark.parametrize("words", NOT_TIMES)
def test_other_words_are_no_times(words: str) -> None:
    """Places, lengths and numbers of things restrict nothing and stay in the text."""
    found = extract_time_phrases(f"what about {words}")

    assert found.range.start_s is None
    assert found.range.end_s is None
    assert found.range.relative is None
    assert found.rest == f"what about {words}"


@pytest.mark.parametrize(
    ("text", "value"),
    [("7", 7.0), ("2.5", 2.5), ("seven", 7.0), ("twenty-five", 25.0), ("a hundred", 100.0),
     ("half an", 0.5), ("a couple of", 2.0), ("dog", None), ("", None), ("٣", None)],
)  # fmt: skip
def test_number_value_reads(text: str, value: float | None) -> None:
    """Digits and words give numbers, anything else None."""
    assert number_value(text) == value


@pytest.mark.parametrize(
    ("text", "rank"), [("first", 1), ("Third", 3), ("22nd", 22), ("0th", None), ("next", None)]
)
def test_ordinal_value_reads(text: str, rank: int | None) -> None:
    """Ordinals in words and digits give their n."""
    assert ordinal_value(text) == rank


@pytest.mark.parametrize(
    ("text", "value"),
    [("3.", 3.0), ("Three times", 3.0), ("twice", 2.0), ("never", 0.0), ("a dog", None)],
)
def test_first_number_reads_options(text: str, value: float | None) -> None:
    """Options of a count give their number; an article is none."""
    assert first_number(text) == value


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("ten minutes", 600.0), ("1h30m", 5400.0), ("250 ms", 0.25), ("two minutes and a half", 150.0),
     ("a dog", None)],
)  # fmt: skip
def test_duration_value_reads(text: str, seconds: float | None) -> None:
    """Lengths in words give seconds."""
    assert duration_value(text) == seconds


WORDS = """
    when is the ball red at 1:30 90s 1h2m ten minutes a moment while ago in first last half hour
    hours hrs few seconds after before noon midnight o'clock 5 pm between and from to minute three
    third of the video now just end beginning two sec an until 12 %
"""


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(sorted(WORDS.split())), max_size=9).map(" ".join))
def test_rules_about_times_are_left_out_only_where_they_find_nothing(text: str) -> None:
    """What is not compiled for a text without a time could not have matched in it."""
    found = extract_time_phrases(text)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(time_phrases, "_A_TIME", re.compile(""))

        assert extract_time_phrases(text) == found
