"""Text from a stream or a model, made harmless: it is data and never steers anything.

What is said, shown or answered may hold commands, control characters, marks of chat templates
(`<|im_end|>`, `[INST]`), image placeholders or ids. Everything below works on single characters,
so that no clever spelling survives it.
"""

import unicodedata

# Brackets open tags of chat templates, image placeholders and citations; a backtick opens code.
_HARMLESS = str.maketrans({"<": "\u2039", ">": "\u203a", "[": "(", "]": ")", "`": "'"})
_CUT = "\u2026"


def plain_line(text: str) -> str:
    """The text in one line: compatible forms joined, control and invisible characters gone."""
    letters = (
        " " if letter.isspace() else letter
        for letter in unicodedata.normalize("NFKC", text)
        if letter.isspace() or not unicodedata.category(letter).startswith("C")
    )
    return " ".join("".join(letters).split())


def as_data(text: str, limit_chars: int) -> str:
    """The text for a prompt: one line without anything that a template or a citation is made of.

    Longer ones are cut, and end with an ellipsis.
    """
    line = plain_line(text).translate(_HARMLESS)
    return line if len(line) <= limit_chars else line[: max(0, limit_chars - 1)].rstrip() + _CUT
