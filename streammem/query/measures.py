"""What a question measures beside seconds: most often, longest, still so, changes of state."""

import re
from dataclasses import dataclass

from streammem.query.phrase import clean_anchor
from streammem.query.words import COLOUR_WORDS

_SHOWN = (
    r"(?:seen|shown|visible|there|displayed|present|on\s+(?:the\s+)?screen|in\s+(?:view|sight|frame|shot)"
    r"|appear(?:s|ed|ing)?|last(?:s|ed)?|stay(?:s|ed)?|remain(?:s|ed)?)"
)
_STRETCH = (
    r"(?:time|visits?|stretch|scene|shot|segment|event|appearance|part|period|clip|occurrence"
    r"|moment|instance)"
)
_OF = r"(?:\s+(?:that|when|of|in\s+which|for\s+which)\b)?"
_OFTEN = r"(?:often|frequently|times|frequent|common)"
# The first that fits counts. A scene is the longest by one visit, a thing by all of them.
_SUPERLATIVES = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        ("most_often", rf"\b(?:the\s+)?most\s+{_OFTEN}\b"),
        ("least_often", rf"\b(?:the\s+)?least\s+{_OFTEN}\b|\bmost\s+rarely\b"),
        ("most_time", r"\bmost\s+of\s+the\s+(?:time|video|clip|recording)\b"),
        ("longest", rf"\b(?:the\s+)?longest\s+{_STRETCH}\b{_OF}"),
        ("shortest", rf"\b(?:the\s+)?shortest\s+{_STRETCH}\b{_OF}"),
        ("longest", rf"(?P<keep>\b{_STRETCH}\s+(?:is|was)\s+)the\s+longest\b"),
        ("shortest", rf"(?P<keep>\b{_STRETCH}\s+(?:is|was)\s+)the\s+shortest\b"),
        ("most_time", rf"(?P<keep>\b{_SHOWN}\s+)(?:for\s+)?(?:the\s+)?longest\b(?:\s+time\b)?"),
        ("least_time", rf"(?P<keep>\b{_SHOWN}\s+)(?:for\s+)?(?:the\s+)?shortest\b(?:\s+time\b)?"),
    )
)
_MORE = re.compile(
    rf"\b(?P<w>more|less)\s+{_OFTEN}\b(?:\s+than\s+(?P<other>[^?.,]+))?", re.IGNORECASE
)
_LONGER = re.compile(
    rf"(?P<keep>\b{_SHOWN}\s+)(?:for\s+)?(?:a\s+)?(?P<w>longer|shorter)(?:\s+time\b)?"
    r"(?:\s+than\s+(?P<other>[^?.,]+))?",
    re.IGNORECASE,
)
_STILL = re.compile(
    r"^\W*(?:is|are|was|were|has|have|does|do)\b.*?(?P<still>\s+still\b)(?!\s+life)", re.IGNORECASE
)
# What rules out each other when it is said of one thing.
OPPOSITES = (
    ("open", "closed"), ("open", "shut"), ("on", "off"), ("empty", "full"), ("dark", "bright"),
    ("day", "night"), ("standing", "sitting"), ("up", "down"), ("inside", "outside"),
    ("awake", "asleep"),
)  # fmt: skip
# The colours that a thing is asked to have one of; finer names would only split them.
STATE_COLOURS = (
    "red", "green", "blue", "yellow", "orange", "purple", "pink", "brown", "black", "white", "grey",
)  # fmt: skip
_VALUE = rf"(?:{'|'.join(sorted(COLOUR_WORDS | {w for pair in OPPOSITES for w in pair[:2]}))})"
_CHANGE = r"(?:change|changes|changed|switch|switches|switched|turn|turns|turned|go|goes|went)"
_FROM_TO = re.compile(
    rf"\s+{_CHANGE}\s+(?:colou?rs?\s+)?from\s+(?P<a>{_VALUE})\s+(?:in)?to\s+(?P<b>{_VALUE})\b",
    re.IGNORECASE,
)
# "He goes inside" and "the lift goes up" are movements, so only what a thing looks like counts.
_TURNS = re.compile(
    r"\s+(?:(?:change[sd]?|switch(?:es|ed)?)\s+(?:in)?to|turn(?:s|ed)?|becomes?|became|goes|go|went)"
    rf"\s+(?P<b>{'|'.join(sorted(COLOUR_WORDS))}|dark|bright|open|closed)(?=\s*(?:$|[?.!,]))",
    re.IGNORECASE,
)
_CHANGES = re.compile(r"\s+(?:change[sd]?|switch(?:es|ed)?)\s+(?:its\s+)?colou?rs?\b", re.I)


@dataclass(frozen=True, slots=True)
class Measure:
    """A text without the words that measure, and what they ask.

    `superlative` and `state` as in `Question`; `items` are two things that are compared, or the
    states of a change.
    """

    rest: str
    superlative: str | None = None
    state: str | None = None
    items: tuple[str, ...] = ()


def find_measure(text: str) -> Measure:
    """What the main clause of a question measures, if it is more than times and lengths."""
    return _changes(text) or _compared(text) or _superlative(text) or _still(text) or Measure(text)


def rivals(text: str) -> tuple[str, tuple[str, ...]] | None:
    """The state that a phrase ends with, and all that could stand in its place; None without.

    "The light red" says what the light is like, "the red car" and "the cat on the mat" do not.
    """
    last = text.lower().split()[-1:]
    if last and last[0] in STATE_COLOURS:
        return last[0], STATE_COLOURS
    for pair in OPPOSITES:
        if last and last[0] in pair:
            return last[0], pair
    return None


def _superlative(text: str) -> Measure | None:
    for name, pattern in _SUPERLATIVES:
        match = pattern.search(text)
        if match is not None:
            return Measure(_without(text, match), name)
    return None


def _compared(text: str) -> Measure | None:
    """Two things by how often or how long: "is the dog seen longer than the cat?"."""
    often, longer = _MORE.search(text), _LONGER.search(text)
    match = often or longer
    if match is None:
        return None
    if often is not None:
        superlative = "most_often" if match["w"].lower() == "more" else "least_often"
    else:
        superlative = "most_time" if match["w"].lower() == "longer" else "least_time"
    rest = _without(text, match)
    if match["other"] is None:
        return Measure(rest, superlative)
    return Measure(rest, superlative, items=(clean_anchor(match["other"]),))


def _still(text: str) -> Measure | None:
    match = _STILL.search(text)
    if match is None:
        return None
    return Measure(text[: match.start("still")] + text[match.end("still") :], state="still")


def _changes(text: str) -> Measure | None:
    for pattern in (_FROM_TO, _TURNS, _CHANGES):
        match = pattern.search(text)
        if match is None:
            continue
        groups = match.groupdict()
        items = tuple(groups[name].lower() for name in ("a", "b") if groups.get(name))
        return Measure(_without(text, match), state="changes", items=items)
    return None


def _without(text: str, match: re.Match[str]) -> str:
    kept = match.groupdict().get("keep") or ""
    return " ".join(f"{text[: match.start()]} {kept} {text[match.end() :]}".split())
