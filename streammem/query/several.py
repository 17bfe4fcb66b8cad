"""Texts that ask more, or the reverse, of what the operators find: the part that is answered."""

import re

from streammem.query.question_words import AUXILIARY, WH

_ASKS = rf"(?:{WH}|why)(?:'s|\s+(?:many|much|long|often)\b[^?]*?)?\s+{AUXILIARY}"
# A question behind a question mark, or behind an "and" that joins two whole questions.
_SECOND = re.compile(
    rf"(?<=\?)\s+(?:(?:and|also|then|but)\b[\s,]*)*(?=(?:{WH}|why|{AUXILIARY})\b)"
    rf"|[\s,]+and\s+(?:also\s+)?(?={_ASKS}\b|how\s+(?:long|often|many\s+times)\W*$)",
    re.IGNORECASE,
)
# "How many cards and how many suits are there?" is one question: its first part has no verb.
_ASKING = re.compile(
    rf"^\W*(?:\w+[\s,]+){{0,3}}?(?:(?:{WH}|why)(?:'s\b|\b.*\b{AUXILIARY}\b)|{AUXILIARY}\b)",
    re.IGNORECASE,
)
_LONE_WORD = re.compile(r"^\W*[\w']+\W*$")
_WHEN = re.compile(r"^\W*(?:(?:so|and|but|please)\s+)*(?:when|at\s+what\s+time)\b", re.IGNORECASE)
_SHOWN = (
    r"(?:visible|seen|shown|there|present|displayed|appear(?:s|ing)?|on\s+(?:the\s+)?screen"
    r"|in\s+(?:view|sight|frame|shot|the\s+(?:picture|image|frame|video)))"
)
_YES_NO = re.compile(rf"^\W*(?:(?:so|and|but|please)\s+)*{AUXILIARY}\b", re.IGNORECASE)
_CONTRACTED_FORM = (re.compile(r"\b(is|are|was|were|does|do|did)n't\s+", re.IGNORECASE), r"\1 ")
# "When is the screen not yellow?"; "not only" and "whether or not" deny nothing.
_NOT_SO = (re.compile(r"(?<!\bor )\bnot\s+(?!only\b|yet\b|just\b)(?=\w)", re.IGNORECASE), "")
_NEGATIONS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\bthere\s+no\s+(?!one\b|longer\b|more\b)", re.IGNORECASE), "there a "),
    (re.compile(r"\b(is|are|was|were)\s+no\s+(?!one\b|longer\b|more\b)", re.IGNORECASE), r"\1 a "),
    _CONTRACTED_FORM,
    (re.compile(rf"\b(?:not|never|nowhere)\s+(?={_SHOWN}\b)", re.IGNORECASE), ""),
    (re.compile(r"\b(?:absent|out\s+of\s+(?:view|sight|frame|shot))(?=\W*$)", re.I), "seen"),
)


def first_of_several(text: str) -> str | None:
    """The first of several questions in one text; None where there is but one.

    A text that leads up to its question, as in "A man sits down. What does he do next?", is one.
    """
    match = _SECOND.search(text)
    if match is None:
        return None
    first = text[: match.start()].strip(" ,;")
    return first if _ASKING.match(first) and not _LONE_WORD.match(first) else None


def without_absence(text: str) -> str | None:
    """The question for a thing whose absence a text asks for; None for all others.

    "When is the dog not visible?" is the reverse of "When is the dog visible?". "Isn't there a
    dog?" asks for the dog.
    """
    if _WHEN.match(text):
        negations = (*_NEGATIONS, _NOT_SO)
    elif _YES_NO.match(text):
        negations = tuple(pair for pair in _NEGATIONS if pair is not _CONTRACTED_FORM)
    else:
        return None
    for pattern, positive in negations:
        if pattern.search(text):
            return pattern.sub(positive, text, count=1)
    return None
