"""Words of transcripts and their times in the stream."""

import pytest

from streammem.audio.transcript import (
    SpeechPart,
    SpokenLine,
    SpokenWord,
    Transcript,
    stream_times,
    whole_words,
)

PARTS = [SpeechPart(0.0, 10.0, 12.0), SpeechPart(2.0, 15.0, 16.0)]


def test_whole_words_join_pieces_without_a_leading_blank():
    """A piece belongs to the word before unless it begins with a blank."""
    pieces = [
        SpokenWord(" pen", 0.0, 0.2, 0.9),
        SpokenWord("dul", 0.2, 0.4, 0.5),
        SpokenWord("um,", 0.4, 0.5, 0.8),
        SpokenWord(" swings", 0.6, 0.9, 0.7),
    ]

    words = whole_words(pieces)

    assert words == (
        SpokenWord("pendulum,", 0.0, 0.5, 0.5),
        SpokenWord("swings", 0.6, 0.9, 0.7),
    )


def test_whole_words_have_no_blanks_inside():
    """There are as many words as the text has parts, whatever a recogniser puts into a piece."""
    words = whole_words([SpokenWord("one two", 0, 1, 1), SpokenWord("", 1, 2, 1)])
    line = SpokenLine(words)

    assert [word.text for word in words] == line.text.split() == ["one", "two"]


def test_whole_words_of_a_script_without_blanks_are_one_word():
    """Chinese comes in pieces without blanks."""
    assert [
        w.text for w in whole_words([SpokenWord("你", 0, 1, 1), SpokenWord("好", 1, 2, 1)])
    ] == ["你好"]


@pytest.mark.parametrize(
    ("word_s", "stream_s"),
    [((0.5, 1.0), (10.5, 11.0)), ((1.5, 2.5), (11.5, 12.0)), ((2.0, 9.0), (15.0, 16.0))],
)
def test_stream_times_stay_in_the_part_where_a_word_begins(
    word_s: tuple[float, float], stream_s: tuple[float, float]
):
    """What was put together is taken apart again, and no word spans the pause between."""
    assert stream_times(PARTS, SpokenWord("x", *word_s, 1.0)) == stream_s


def test_transcript_text_is_one_line():
    """Lines are joined with blanks."""
    lines = tuple(SpokenLine((SpokenWord(word, 0, 1, p),)) for word, p in (("a", 1.0), ("b", 0.5)))

    assert Transcript(lines, "en", 1.0).text == "a b"
    assert lines[1].confidence == 0.5
