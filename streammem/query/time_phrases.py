"""Time phrases of a question become ranges before any similarity is computed."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from streammem.core.types import RelativeRange
from streammem.query.number_words import NUMBER, ORDINAL, number_value, ordinal_value
from streammem.query.question_words import VIDEO
from streammem.query.time_atoms import (
    ATOM,
    CLOCK,
    DURATION,
    UNIT,
    UNIT_S,
    Atom,
    duration_value,
    read_atom,
)

# What "around 0:45" allows on both sides, in seconds; wall clocks are spoken more coarsely.
AROUND_S = 5.0
AROUND_WALL_S = 300.0
# How far back "now" and "just now" reach, in seconds before the end.
NOW_S = 5.0
JUST_NOW_S = 10.0
# The shares of the covered time that "at the beginning" and "at the end" stand for.
EDGE_SHARE = 0.2

_MARK = rf"(?:\s+(?:mark|point))?(?:\s+(?:(?:in|into|of|through)\s+{VIDEO}|in(?=\s*[?.!,]|\s*$)))?"
_OF_VIDEO = rf"(?:\s+(?:of|in|from)\s+{VIDEO})?"
_DURING_THIS = (
    r"(?:\b(?:in|during|at)\s+(?:the|this)\s+(?:time|period|interval|span|section|part)\s+)?"
)
# How many "a few" are.
A_FEW = "3"
_FEW = re.compile(r"^(?:a\s+)?few\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A range found in words: in stream seconds, or relative to what only a memory knows."""

    start_s: float | None = None
    end_s: float | None = None
    relative: RelativeRange | None = None
    now: bool = False


@dataclass(frozen=True, slots=True)
class TimePhrases:
    """The range of all time phrases of a text together, and the text without them."""

    range: TimeRange
    rest: str


Handler = Callable[[re.Match[str]], TimeRange | None]


def extract_time_phrases(text: str) -> TimePhrases:
    """The time range that a text names, and what remains of it."""
    found = TimeRange()
    for pattern, handler in _compiled(timed=_A_TIME.search(text) is not None):
        match = pattern.search(text)
        while match is not None:
            piece = handler(match)
            if piece is None:
                match = pattern.search(text, match.end())
                continue
            found = _combine(found, piece)
            text = f"{text[: match.start()].rstrip()} {text[match.end() :].lstrip()}"
            match = pattern.search(text)
    return TimePhrases(range=found, rest=_tidy(text))


def _span(start: Atom | None, end: Atom | None) -> TimeRange | None:
    known = [atom for atom in (start, end) if atom is not None]
    if not known or len({atom.wall for atom in known}) > 1:
        return None
    first = None if start is None else start.value_s
    last = None if end is None else end.value_s
    if first is not None and last is not None and last < first and not known[0].wall:
        first, last = last, first
    if known[0].wall:
        return TimeRange(relative=RelativeRange("wall_clock", first, last))
    return TimeRange(first, last)


def _between(match: re.Match[str]) -> TimeRange | None:
    first, last = match["a"], match["b"]
    end = read_atom(last)
    start = read_atom(first)
    if end is not None and (start is None or start.wall != end.wall):
        # "between 10 and 40 seconds", "from 3 to 5 pm": the unit is said once.
        unit = re.search(r"(?:[a-z]\.?)+$", last.strip().lower())
        start = read_atom(f"{first} {unit.group(0)}") if unit else None
    return _span(start, end) if start and end else None


def _bare_between(match: re.Match[str]) -> TimeRange:
    first, last = sorted((float(match["a"]), float(match["b"])))
    return TimeRange(first, last)


def _edge(match: re.Match[str]) -> TimeRange | None:
    text = _FEW.sub(A_FEW, re.sub(r"^half[\s-]", "half a ", match["d"].lower()))
    length_s = duration_value(text if re.match(NUMBER, text) else f"1 {text}")
    if length_s is None:
        return None
    if match["which"].lower() in {"first", "initial", "opening"}:
        return TimeRange(0.0, length_s)
    return TimeRange(relative=RelativeRange("from_end", length_s, 0.0))


def _ago(match: re.Match[str]) -> TimeRange | None:
    length_s = duration_value(_FEW.sub(A_FEW, match["d"]))
    if length_s is None:
        return TimeRange(relative=RelativeRange("from_end", JUST_NOW_S, 0.0), now=True)
    return TimeRange(relative=RelativeRange("from_end", length_s, length_s))


def _ordinal_unit(match: re.Match[str]) -> TimeRange | None:
    rank, unit_s = ordinal_value(match["n"]), UNIT_S[match["unit"][0].lower()]
    return None if rank is None else TimeRange((rank - 1) * unit_s, rank * unit_s)


def _numbered_unit(match: re.Match[str]) -> TimeRange | None:
    rank, unit_s = number_value(match["n"]), UNIT_S[match["unit"][0].lower()]
    return None if not rank else TimeRange((rank - 1) * unit_s, rank * unit_s)


def _around(match: re.Match[str]) -> TimeRange | None:
    atom = read_atom(match["a"])
    if atom is None:
        return None
    slack_s = AROUND_WALL_S if atom.wall else AROUND_S
    low = Atom(max(0.0, atom.value_s - slack_s), atom.wall)
    return _span(low, Atom(atom.value_s + slack_s, atom.wall))


def _instant(match: re.Match[str]) -> TimeRange | None:
    atom = read_atom(match["a"])
    return _span(atom, atom)


def _bare_instant(match: re.Match[str]) -> TimeRange:
    return TimeRange(float(match["a"]), float(match["a"]))


def _after(match: re.Match[str]) -> TimeRange | None:
    return _span(read_atom(match["a"]), None)


def _before(match: re.Match[str]) -> TimeRange | None:
    return _span(None, read_atom(match["a"]))


def _fraction(start: float, end: float) -> Handler:
    def handler(_match: re.Match[str]) -> TimeRange:
        return TimeRange(relative=RelativeRange("fraction", start, end))

    return handler


def _percent(match: re.Match[str]) -> TimeRange | None:
    share = float(match["n"]) / 100.0
    return TimeRange(relative=RelativeRange("fraction", share, share)) if share <= 1 else None


def _part(match: re.Match[str]) -> TimeRange | None:
    parts = {"half": 2, "third": 3, "quarter": 4}[match["part"].lower()]
    which = match["which"].lower()
    rank = parts if which in {"last", "final", "latter"} else ordinal_value(which) or 1
    if rank > parts:
        return None
    return TimeRange(relative=RelativeRange("fraction", (rank - 1) / parts, rank / parts))


def _now(length_s: float) -> Handler:
    def handler(_match: re.Match[str]) -> TimeRange:
        return TimeRange(relative=RelativeRange("from_end", length_s, 0.0), now=True)

    return handler


def _whole(_match: re.Match[str]) -> TimeRange:
    return TimeRange()


def _combine(first: TimeRange, second: TimeRange) -> TimeRange:
    """Both ranges at once: the later start and the earlier end; the first relative one stays."""
    starts = [value for value in (first.start_s, second.start_s) if value is not None]
    ends = [value for value in (first.end_s, second.end_s) if value is not None]
    placed = first.relative is not None and first.relative.kind == "fraction"
    return TimeRange(
        start_s=max(starts) if starts else None,
        end_s=min(ends) if ends else None,
        # "The current mood of the man in the middle of the video": a place in the picture.
        relative=second.relative if placed and second.now else first.relative or second.relative,
        now=first.now or second.now,
    )


def _tidy(text: str) -> str:
    text = re.sub(r"\s+([?.!,;:])", r"\1", " ".join(text.split()))
    text = re.sub(r"([,;:])(?:\s*[,;:])+", r"\1", text)
    # "After 0:10 and before 0:40" leaves its "and" behind.
    text = re.sub(r"\s+(?:and|but)(?=\s*[?.!]*$)", "", text, flags=re.IGNORECASE)
    return text.strip(" ,;:")


# What every text has that holds a single time or a length of time.
_A_TIME = re.compile(r"\d|hour|hr|min|sec|clock|noon|midnight", re.IGNORECASE)
_TIMES = (ATOM, CLOCK, DURATION, UNIT)


@cache
def _compiled(*, timed: bool) -> tuple[tuple[re.Pattern[str], Handler], ...]:
    """The rules in order; those about times only for texts that have one.

    They are long, and most questions have none: compiling them is a tenth of a first answer.
    """
    return tuple(
        (re.compile(pattern, re.IGNORECASE), handler)
        for pattern, handler in _RULES
        if timed or not any(time in pattern for time in _TIMES)
    )


_AT = (
    r"(?<!\w)(?:at|@|on|in|t\s?=|timestamp|time)\s*(?:exactly\s+|precisely\s+|about\s+the\s+)?"
    r"(?:the\s+)?(?:time\s+)?"
)
_NOT_OFFSET = r"(?!\s+(?:before|after|later|earlier|long|of(?!\s+(?:the|this)\s+(?:video|clip)))\b)"
_EDGE_IN = (
    r"(?:\b(?:right\s+)?(?:at|in|near|around|towards?|during|from|by)\s+)(?:the\s+)?(?:very\s+)?"
)
_RULES: tuple[tuple[str, Handler], ...] = (
    (
        rf"{_DURING_THIS}\b(?:in\s+)?between\s+(?:the\s+)?(?P<a>{ATOM}|{NUMBER}){_MARK}\s*"
        rf"(?:and|to|-|–|—)\s*(?:the\s+)?(?P<b>{ATOM}){_MARK}",
        _between,
    ),
    (
        rf"{_DURING_THIS}(?:\b(?:from|during|in|at|of)\s+)?(?:the\s+)?"
        rf"(?P<a>{ATOM}|(?<=from\s){NUMBER}){_MARK}\s*"
        rf"(?:up\s+to|to|through|until|till|-|–|—)\s*(?:the\s+)?(?P<b>{ATOM}){_MARK}",
        _between,
    ),
    (
        r"\b(?:between|from)\s+(?P<a>\d+(?:\.\d+)?)\s*(?:and|to|-|–)\s*(?P<b>\d+(?:\.\d+)?)"
        r"(?=\s*[?.!]*\s*$)",
        _bare_between,
    ),
    (
        rf"(?:\b(?:with)?in\s+|\b(?:during|over|for|throughout|of|from)\s+)?(?:\bthe\s+)(?:very\s+)?"
        rf"(?P<which>first|initial|opening|last|final|past|previous|closing)\s+"
        rf"(?P<d>{DURATION}|half[\s-](?:hour|minute)|(?:few\s+)?{UNIT}){_OF_VIDEO}(?![\w'-])",
        _edge,
    ),
    (
        rf"\b(?:with)?in\s+(?P<which>first|last)\s+(?P<d>{DURATION}){_OF_VIDEO}(?!\w)",
        _edge,
    ),
    (rf"\b(?P<d>{DURATION}|a\s+few\s+{UNIT})\s+ago\b", _ago),
    (r"\b(?P<d>a\s+moment|a\s+(?:little\s+)?while)\s+ago\b", _ago),
    (
        rf"(?:\b(?:in|during|throughout|at|for|of)\s+)?\bthe\s+(?P<n>{ORDINAL})\s+"
        rf"(?P<unit>minute|hour)\b{_OF_VIDEO}",
        _ordinal_unit,
    ),
    (
        rf"\b(?:in|during|throughout|within)\s+(?P<unit>minute|hour)\s+(?:number\s+)?"
        rf"(?P<n>{NUMBER})(?![\w:]){_OF_VIDEO}",
        _numbered_unit,
    ),
    (
        rf"(?:\bat\s+)?(?:\b(?:around|about|approximately|near|roughly|circa)|~)\s*(?:the\s+)?"
        rf"(?P<a>{ATOM}){_MARK}{_NOT_OFFSET}",
        _around,
    ),
    (
        rf"\b(?:any\s+time\s+)?(?:after|since|past|beyond|starting\s+(?:at|from)|later\s+than|from)\s+"
        rf"(?:the\s+)?(?P<a>{ATOM}){_MARK}(?:\s+(?:on|onwards?))?{_NOT_OFFSET}",
        _after,
    ),
    (
        rf"\b(?:any\s+time\s+)?(?:before|until|till|by|up\s+to|up\s+until|prior\s+to|earlier\s+than)\s+"
        rf"(?:the\s+)?(?P<a>{ATOM}){_MARK}{_NOT_OFFSET}",
        _before,
    ),
    (rf"{_AT}(?P<a>{ATOM}){_MARK}(?:\s+video\s+time)?{_NOT_OFFSET}", _instant),
    (rf"\b(?P<a>{ATOM})\s+(?:into\s+{VIDEO}|in(?=\s*[?.!,]|\s*$))", _instant),
    (r"\b(?:at|t\s?=)\s*(?P<a>\d+(?:\.\d+)?)(?=\s*[?.!]*\s*$)", _bare_instant),
    (rf"(?:\b(?:the\s+)?(?:timestamp|time)\s+)?(?P<a>{CLOCK})(?!\s*(?:am|pm)\b)", _instant),
    (
        rf"(?:\b(?:in|during|throughout|for|of)\s+)?\bthe\s+(?P<which>first|second|third|fourth|"
        rf"last|final|latter)\s+(?P<part>half|third|quarter)\b{_OF_VIDEO}(?!\s+of\b)",
        _part,
    ),
    (
        rf"\b(?:at\s+)?(?:the\s+)?(?:half-?\s?way|mid-?way)(?:\s+(?:point|mark))?"
        rf"(?:\s+(?:through|into|of|in)(?:\s+{VIDEO})?)?\b",
        _fraction(0.5, 0.5),
    ),
    (rf"\b(?:at\s+)?(?P<n>\d{{1,3}})\s?(?:%|percent)\s+(?:into|through|of)\s+{VIDEO}", _percent),
    (
        rf"(?:{_EDGE_IN})middle(?:\s+(?:part|section))?\s+(?:of|in)\s+{VIDEO}|\b(?:near|around|towards)\s+the\s+middle\b"
        rf"(?!\s+of\b)",
        _fraction(1 / 3, 2 / 3),
    ),
    (rf"\b(?:since|from)\s+the\s+(?:beginning|start){_OF_VIDEO}(?!\s+of\b)", _whole),
    (
        rf"{_EDGE_IN}(?:beginning|start|outset|opening){_OF_VIDEO}(?!\s+of\b)"
        rf"|\b(?:when|as|once)\s+{VIDEO}\s+(?:starts|begins|opens|started|began)\b",
        _fraction(0.0, EDGE_SHARE),
    ),
    (
        rf"{_EDGE_IN}(?:end|ending|close)\b(?!-){_OF_VIDEO}(?!\s+of\b)"
        rf"|\b(?:when|as|once)\s+{VIDEO}\s+(?:ends|finishes|stops|ended|is\s+over)\b",
        _fraction(1 - EDGE_SHARE, 1.0),
    ),
    (r"\b(?:so\s+far|thus\s+far|until\s+now|up\s+to\s+now|till\s+now|by\s+now)\b", _whole),
    (r"\bjust\s+now\b|\b(?:most\s+)?recently\b", _now(JUST_NOW_S)),
    (
        r"\b(?:right|even)\s+now\b|\bat\s+(?:the|this)\s+(?:very\s+|current\s+|present\s+)?"
        r"(?:moment|instant)\b(?!\s+(?:when|that|of))|\b(?:currently|presently)\b|\bat\s+present\b"
        r"|\bas\s+of\s+now\b|(?<!\bfrom\s)\bnow\b(?!\s+on\b(?!\s+the\b))|\bcurrent(?=\s+[a-z])",
        _now(NOW_S),
    ),
    (
        r"\bjust(?=\s+(?:said|say|says|asked|taken|performed|made|used|happen(?:ed|s)?|occur(?:red|s)?|did|do|does|done|appear(?:ed|s)?"
        r"|shown|seen|passed?|left|came|entered|took|placed|added|put|finished|started))"
        r"|(?<=\bdone\s)just\b",
        _now(JUST_NOW_S),
    ),
)
