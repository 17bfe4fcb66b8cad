"""Numbers and ordinals as people write them: digits, words, `half an`, `a couple of`."""

import re

_UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_VALUES = {
    **{word: float(value) for value, word in enumerate(_UNITS)},
    **{word: 10.0 * value for value, word in enumerate(_TENS, start=2)},
    "fourty": 40.0,
    "a": 1.0,
    "an": 1.0,
    "half a": 0.5,
    "half an": 0.5,
    "a couple of": 2.0,
    "couple of": 2.0,
    "once": 1.0,
    "twice": 2.0,
    "thrice": 3.0,
}
_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
    "tenth", "eleventh", "twelfth",
)  # fmt: skip
_ONES = "|".join(_UNITS[1:10])
_TENS_PATTERN = "|".join([*_TENS, "fourty"])
# Longest alternatives first, because the pattern is used inside longer ones.
NUMBER = (
    rf"(?:\d+(?:\.\d+)?|(?:{_TENS_PATTERN})(?:[- ](?:{_ONES}))?|(?:(?:{_ONES}|a) hundred)"
    rf"|half an?|a couple of|couple of|{'|'.join(sorted(_UNITS, key=len, reverse=True))}|an?)"
)
ORDINAL = rf"(?:{'|'.join(_ORDINALS)}|\d{{1,4}}(?:st|nd|rd|th))"
_ANY_NUMBER = re.compile(rf"(?<![\w.]){NUMBER}(?![\w]|\.\d)", re.IGNORECASE)


def number_value(text: str) -> float | None:
    """The value of one written number, None where the text is none."""
    cleaned = " ".join(text.lower().replace("-", " ").split())
    if re.fullmatch(r"\d+(?:\.\d+)?", cleaned, re.ASCII):
        return float(cleaned)
    if cleaned in _VALUES:
        return _VALUES[cleaned]
    head, _, tail = cleaned.partition(" ")
    if tail == "hundred" and head in _VALUES:
        return _VALUES[head] * 100.0
    if head in _VALUES and tail in _UNITS[1:10] and _VALUES[head] >= 20:
        return _VALUES[head] + _VALUES[tail]
    return None


def ordinal_value(text: str) -> int | None:
    """The n of `third` or `3rd`, None where the text is no ordinal."""
    cleaned = text.lower().strip()
    if cleaned in _ORDINALS:
        return _ORDINALS.index(cleaned) + 1
    digits = re.fullmatch(r"(\d{1,4})(?:st|nd|rd|th)", cleaned, re.ASCII)
    return int(digits.group(1)) if digits and int(digits.group(1)) > 0 else None


def first_number(text: str) -> float | None:
    """The first number in an option such as `3.`, `Three times` or `none`, None without one."""
    if re.search(r"\b(?:none|never|no times|not at all)\b", text, re.IGNORECASE):
        return 0.0
    for match in _ANY_NUMBER.finditer(text):
        if match.group(0).lower() not in {"a", "an"}:
            return number_value(match.group(0))
    counted = re.search(r"\b(once|twice|thrice)\b", text, re.IGNORECASE)
    return number_value(counted.group(1)) if counted else None
