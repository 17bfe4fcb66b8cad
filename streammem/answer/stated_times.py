"""Times in sentences that a model wrote: where they are, and whether evidence bears them out.

Every way to state an instant or a length that is known here is found, rather one too many: a
time that is not understood counts as stated and borne out by nothing.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from streammem.core.timebase import format_time

_ONES = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
    fifteen sixteen seventeen eighteen nineteen
    """.split()  # noqa: SIM905  (a list of twenty quoted words reads worse)
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
NUMBER_WORDS = {
    **{word: float(number) for number, word in enumerate(_ONES)},
    **{word: 10.0 * number for number, word in enumerate(_TENS, start=2)},
    "a": 1.0,
    "an": 1.0,
    "half": 0.5,
    "dozen": 12.0,
    "hundred": 100.0,
    "thousand": 1000.0,
}
_UNITS = {
    0.001: "ms|msecs?|milliseconds?|millisekunden?",
    1.0: "s|secs?|seconds|sekunden?|secondes?|segundos?|secondi|секунд\\w*|сек|ثانية|ثوان\\w*",
    60.0: "m|mins?|minutes?|minuten|minutos?|minuti?|минут\\w*|мин|دقيقة|دقائق",
    3600.0: "h|hrs?|hours?|stunden?|heures?|horas?|ore|час\\w*|ساعة|ساعات",
}
_ALL_UNITS = "|".join(_UNITS.values())
_NUMBER = "\\d+(?:[.,]\\d+)?"
_WORD = "|".join(NUMBER_WORDS)
_SPELLED = f"(?:{_WORD})(?:[\\s-]+(?:and\\s+)?(?:{_WORD}))*"
# "A second man" is no length, "one second" is.
_PLAIN = "|".join(word for word in NUMBER_WORDS if word not in {"a", "an", "half"})
_ONE_LENGTH = (
    f"(?:(?:(?<![\\d.:])(?<!\\b[erc]){_NUMBER}[\\s-]*|\\b{_SPELLED}[\\s-]+)(?:{_ALL_UNITS})"
    f"|(?:(?<![\\d.:])(?<!\\b[erc]){_NUMBER}[\\s-]*|\\b(?:{_PLAIN})[\\s-]+)second)(?![^\\W\\d])"
)
_LENGTH = re.compile(
    f"{_ONE_LENGTH}(?:(?:\\s*,\\s*|\\s+and\\s+|\\s*){_ONE_LENGTH})*", re.IGNORECASE
)
_PIECE = re.compile(
    f"(?P<number>{_NUMBER}|\\b{_SPELLED})[\\s-]*(?P<unit>{_ALL_UNITS}|second)(?![^\\W\\d])",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"(?<![\d:])(?:(\d{1,4}):)?(\d{1,4}):(\d{1,2})(?:[.,](\d{1,9}))?(?![\d:])")
_COUNTING = "|".join(word for word in NUMBER_WORDS if word not in {"a", "an", "half", "one"})
# Stated in a way that no evidence can bear out: "at 12." names no unit.
_OTHER = re.compile(
    r"\d\s*:\s*\d|\d\s*[ap]\.?\s?m\b|o'?\s?clock|\d\s*['\u2032]\s*\d|\d\s*[\"\u2033]"
    r"|\b(?:timestamp|time\s?code|frame|second|minute|hour|t\s*=|position|mark)s?\W{0,3}\d"
    rf"|\b(?:second|minute|hour|frame|mark)\s+(?:{_COUNTING})\b"
    rf"|\b(?:at|from|until|till|to|by|around|about|since|after|before|between)\s+"
    rf"(?:\d+(?:[.,]\d+)?|{_SPELLED})\s*(?=[.,;!?)]|$|(?:and|to|until|till)\b)"
    r"|\ba\s+second\s+(?:later|after|before|ago|long|or)\b"
    r"|\b(?:seconds|minutes|hours|milliseconds|minute|hour|secs|mins|hrs)\b"
    r"|\b(?:half|quarter|five|ten|twenty|twenty-five)\s+(?:past|to)\s+\w|\bat\s+(?:noon|midnight)\b"
    r"|\b(?:per|each|every|half\s+a|split)\s+second\b"
    r"|\b(?:days?|weeks?|months?|years?)\s+(?:later|earlier|ago|before|after)\b"
    r"|\d\s*[\u79d2\u5206\u6642\u65f6\ucd08\ubd84]|\d\s*(?:\uc2dc\uac04|\u5c0f\u65f6|\u65f6\u95f4)"
    rf"|\d[\s-]*(?:{_ALL_UNITS}|second)(?![^\W\d])"
    r"|\bPT\d|[\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d\u5341][\u79d2\u5206]",
    re.IGNORECASE,
)
# What would run into a time that is put in: it is then unclear what was written.
_BEFORE = re.compile(r"(?:[\da-zA-Z]|\d\s*[.,:]\s*)$")
_BEHIND = re.compile(r"[\da-zA-Z]|\s*[.:]\s*\d")
_POSITION = re.compile(r"\b(?:at|from|until|till|to|since|between|near)\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Measured:
    """What evidence bears out: instants of it, and lengths."""

    instants_s: tuple[float, ...]
    lengths_s: tuple[float, ...]


def measured_times(text: str, measured: Measured) -> str | None:
    """The text with every time as measured; None where it states one that was not measured."""
    found: list[tuple[int, int, str]] = []
    for match in _CLOCK.finditer(text):
        written_s, unit_s = _clock_s(match)
        nearest = _nearest(written_s, measured.instants_s, unit_s)
        if nearest is None:
            return None
        found.append((*match.span(), format_time(nearest)))
    for match in _LENGTH.finditer(text):
        exact = _length(text, match, measured)
        if exact is None:
            return None
        found.append((*match.span(), exact))
    rest = _without(text, found)
    stuck = any(_BEFORE.search(text[:start]) or _BEHIND.match(text, end) for start, end, _ in found)
    return None if stuck or _OTHER.search(rest) else _replaced(text, found)


def spelled_number(words: str) -> float | None:
    """The number of digits or of English number words, None where it is neither."""
    text = words.strip().replace(",", ".")
    if re.fullmatch(_NUMBER, text):
        return float(text)
    total = 0.0
    for word in re.findall(r"[a-z]+", text.lower()):
        if word == "and" or (word in {"a", "an"} and total):
            continue
        if word not in NUMBER_WORDS:
            return None
        value = NUMBER_WORDS[word]
        total = total * value if value in {12.0, 100.0, 1000.0} and total else total + value
    return total


def _clock_s(match: re.Match[str]) -> tuple[float, float]:
    """Seconds, and how far they may be from the measured time."""
    hours, minutes, seconds, decimals = match.groups()
    whole = 3600 * int(hours or 0) + 60 * int(minutes) + int(seconds)
    if decimals is None:
        return float(whole), 1.0
    return whole + int(decimals) / 10 ** len(decimals), 0.51 * 10 ** -len(decimals)


def _length(text: str, match: re.Match[str], measured: Measured) -> str | None:
    total_s, unit_s = 0.0, 0.0
    for piece in _PIECE.finditer(match.group(0)):
        number = spelled_number(piece["number"])
        if number is None:
            return None
        size_s = _unit_s(piece["unit"])
        decimals = len(re.split("[.,]", piece["number"])[1]) if "." in piece["number"] else 0
        total_s += number * size_s
        unit_s = 0.51 * size_s * 10.0**-decimals
    unit_s = min(unit_s, 0.5 * total_s)
    if _POSITION.search(text[: match.start()]):
        nearest = _nearest(total_s, measured.instants_s, unit_s)
        return None if nearest is None else format_time(nearest)
    nearest = _nearest(total_s, measured.lengths_s, unit_s)
    return None if nearest is None else f"{nearest:.3f} s"


def _unit_s(unit: str) -> float:
    for size_s, names in _UNITS.items():
        if re.fullmatch(names, unit, re.IGNORECASE):
            return size_s
    return 1.0


def _nearest(value: float, allowed: Iterable[float], within: float) -> float | None:
    near = [known for known in allowed if abs(known - value) <= within]
    return min(near, key=lambda known: abs(known - value)) if near else None


def _without(text: str, found: Sequence[tuple[int, int, str]]) -> str:
    letters = list(text)
    for start, end, _exact in found:
        letters[start:end] = " " * (end - start)
    return "".join(letters)


def _replaced(text: str, found: Sequence[tuple[int, int, str]]) -> str:
    for start, end, exact in sorted(found, reverse=True):
        text = text[:start] + exact + text[end:]
    return text
