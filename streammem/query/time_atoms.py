"""Single times as people write them: clocks, wall clocks, lengths, `minute 3`."""

import re
from dataclasses import dataclass

from streammem.query.number_words import NUMBER, number_value

UNIT = r"(?:hours?|hrs?|minutes?|mins?|seconds?|secs?)(?![a-z])"
_SHORT = r"\d+(?:\.\d+)?\s?(?:h|m|s|ms)(?![a-z])"
_COMPACT = r"(?:\d+h)?(?:\d+m)?\d+(?:\.\d+)?s(?![a-z\d])|\d+h\d+m(?:in)?(?![a-z\d])"
_COUNTED = rf"{NUMBER}(?:[\s-]and\sa\shalf)?[\s-]?{UNIT}"
DURATION = (
    rf"(?:{_COMPACT}|{_COUNTED}(?:(?:\s+and|,)?\s+(?:{_COUNTED}|a\shalf))*|{_SHORT}(?:\s{_SHORT})*)"
)
CLOCK = r"(?<![\d:.])(?:\d{1,3}:[0-5]\d:[0-5]\d|\d{1,3}:[0-5]\d)(?:[.,]\d+)?(?![\d:])"
_WALL = (
    r"(?:(?<![\d:])(?:[01]?\d|2[0-3])(?::[0-5]\d){0,2}\s?[ap]\.?\s?m\b\.?"
    rf"|(?:\d{{1,2}}|{NUMBER})\so'?clock(?:\s[ap]\.?m\b\.?)?|noon\b|midnight\b)"
)
_POINT = rf"(?:minute|second|hour)\s(?:number\s)?(?:\d+(?:\.\d+)?|{NUMBER})(?![\w:])"
ATOM = rf"(?:{_WALL}|{CLOCK}|{DURATION}|{_POINT})"
UNIT_S = {"h": 3600.0, "m": 60.0, "s": 1.0}


@dataclass(frozen=True, slots=True)
class Atom:
    """One time as it is written: seconds, on a `wall` clock those since midnight."""

    value_s: float
    wall: bool = False


def duration_value(text: str) -> float | None:
    """Seconds of `ten minutes`, `1h30m` or `1 minute and 30 seconds`, None where it is none."""
    text = text.lower().strip()
    parts = re.findall(
        rf"({NUMBER})(\sand\sa\shalf|-and-a-half)?[\s-]?"
        rf"(hours?|hrs?|minutes?|mins?|seconds?|secs?|ms|h|m|s)(?![a-z])",
        text,
    )
    total_s, smallest_s = 0.0, 0.0
    for number, half, unit in parts:
        value = number_value(number)
        if value is None:
            return None
        smallest_s = 0.001 if unit == "ms" else UNIT_S[unit[0]]
        total_s += (value + (0.5 if half else 0.0)) * smallest_s
    if not parts:
        return None
    return total_s + (0.5 * smallest_s if re.search(r"s? and a half$", text) else 0.0)


def read_atom(text: str) -> Atom | None:
    """The instant or the length that a text names, None where it names none."""
    text = " ".join(text.lower().split())
    if text in {"noon", "midnight"}:
        return Atom(43_200.0 if text == "noon" else 0.0, wall=True)
    wall = re.fullmatch(r"(.+?)\s?([ap])\.?\s?m\.?|(.+?)\so'?clock", text)
    if wall is not None:
        return _wall_atom(wall.group(1) or wall.group(3), wall.group(2))
    if re.fullmatch(CLOCK, text):
        parts = [float(part) for part in text.replace(",", ".").split(":")]
        seconds = 0.0
        for part in parts:
            seconds = seconds * 60.0 + part
        return Atom(seconds)
    point = re.fullmatch(r"(minute|second|hour) (?:number )?(.+)", text)
    if point is not None:
        value = number_value(point.group(2))
        return None if value is None else Atom(value * UNIT_S[point.group(1)[0]])
    value_s = duration_value(text)
    return None if value_s is None else Atom(value_s)


def _wall_atom(text: str, half_day: str | None) -> Atom | None:
    clock = re.fullmatch(r"(\d{1,2})(?::(\d\d))?(?::(\d\d))?", text.strip())
    if clock is not None:
        hours, minutes, seconds = (float(part or 0) for part in clock.groups())
    else:
        hours, minutes, seconds = (
            number_value(text.replace("o'clock", "").strip()) or -1.0,
            0.0,
            0.0,
        )
    if not 0 <= hours < 24:
        return None
    if half_day is not None and hours <= 12:
        hours = hours % 12 + (12 if half_day == "p" else 0)
    return Atom(hours * 3600.0 + minutes * 60.0 + seconds, wall=True)
