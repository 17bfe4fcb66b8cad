"""Subtitle events as plain text."""

import pytest

from streammem.video.cue_text import plain_text


@pytest.mark.parametrize(
    ("dialogue", "text"),
    [
        (r"{\i1}Hello{\i0} there", "Hello there"),
        (r"two\Nlines", "two\nlines"),
        (r"a\hb   c", "a b c"),
        ("<b>bold</b> <font color='red'>red</font>", "bold red"),
        (r"{\p1}m 0 0 l 10 10{\p0}", ""),
        (r"{\an8}", ""),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("", ""),
    ],
)
def test_plain_text_keeps_words_and_line_breaks_only(dialogue: str, text: str):
    """Tags, markup and drawings go; the words stay in their lines."""
    assert plain_text(dialogue) == text
