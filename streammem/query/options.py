"""Options of a multiple choice, given apart or written into the question."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_LETTERED = re.compile(r"(?:(?<=\s)|(?<=^)|(?<=[?.:;,]))\(?([A-Ha-h])[.):]\s*(?=\S)")
_NUMBERED = re.compile(r"(?:(?<=\s)|(?<=^)|(?<=[?.:;,]))\(?([1-9])\)\s*(?=\S)")
_LABEL = re.compile(r"^\s*(?:\(?[A-Ha-h1-9][.):]\s*)+(?=\S)")
_BARS = re.compile(r"^(.*?[?:])\s*([^|]+(?:\|[^|]+)+)$", re.DOTALL)
_WH_OR = re.compile(
    r"^(?P<stem>.*\b(?:which|what|who|where|when|how|whose)\b[^,:?]*)[,:?]\s*"
    r"(?P<list>[^?]+?)\s*\?*\s*$",
    re.IGNORECASE | re.DOTALL,
)
_IS_OR = re.compile(
    r"^(?P<stem>(?:is|are|was|were)\s+(?!there\b)(?P<subject>.+?))\s+"
    r"(?P<a>[\w-]+)\s*(?:,?\s+or)\s+(?P<b>[\w-]+)\s*\?*\s*$",
    re.IGNORECASE,
)
_NO_OPTION = frozenset("not so before after else more less what".split())  # noqa: SIM905
# A second question behind the comma: "..., and how are they used?", "..., or is it a dog?".
_NEW_QUESTION = frozenset("how why or and is are was were does do did".split())  # noqa: SIM905
_MAX_OPTION_WORDS = 12


@dataclass(frozen=True, slots=True)
class Stem:
    """A question without its options, and the options in the order given."""

    text: str
    options: tuple[str, ...] = ()


def split_options(text: str, choices: Sequence[str] = ()) -> Stem:
    """The stem and the options: those given apart if any, else those clearly written inline."""
    given = tuple(str(choice).strip() for choice in choices if str(choice).strip())
    if given:
        return Stem(text, given)
    return _bars(text) or _lettered(text) or _listed(text) or Stem(text)


def split_alternatives(text: str) -> Stem:
    """Two single words at the end of an is-question without times: "Is the wall red or blue?"."""
    match = _IS_OR.match(text.strip())
    if match is None or {match["a"].lower(), match["b"].lower()} & _NO_OPTION:
        return Stem(text)
    if len(match["subject"].split()) < 2 and match["subject"].lower() not in {"it", "this", "that"}:
        return Stem(text)
    return Stem(f"{match['stem'].strip()}?", (match["a"], match["b"]))


def option_text(option: str) -> str:
    """What an option says, without its letter and without its closing dot."""
    return _LABEL.sub("", option).strip().rstrip(".").strip() or option.strip()


def numbered_items(text: str) -> Stem:
    """The events of "Arrange: (1) ...; (2) ..." and the text before them."""
    marks = _run_of(list(_NUMBERED.finditer(text)), "123456789")
    if len(marks) < 2:
        marks = _run_of(list(_LETTERED.finditer(text)), "abcdefgh")
    return _cut(text, marks) if len(marks) >= 2 else Stem(text)


def split_list(text: str) -> tuple[str, ...]:
    """The items of `a, b and c`, `a; b; c` or `a -> b -> c`."""
    text = text.strip().strip("?.!:").strip()
    arrows = re.split(r"\s*(?:-+>|→|=>)\s*", text)
    if len(arrows) > 1:
        return tuple(part for part in arrows if part)
    if ";" in text:
        parts = re.split(r"\s*;\s*(?:and\s+|or\s+)?", text)
    else:
        parts = re.split(r"\s*,\s*(?:and\s+|or\s+|then\s+)?|\s+(?:and|or|then)\s+", text)
    return tuple(part.strip() for part in parts if part and part.strip())


def _run_of(marks: list[re.Match[str]], labels: str) -> list[re.Match[str]]:
    """The marks that count up from the first label without a hole."""
    run: list[re.Match[str]] = []
    for mark in marks:
        if len(run) < len(labels) and mark.group(1).lower() == labels[len(run)]:
            run.append(mark)
    return run


def _cut(text: str, marks: list[re.Match[str]]) -> Stem:
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    parts = [text[mark.end() : end] for mark, end in zip(marks, ends, strict=True)]
    options = tuple(part.strip(" \t\n;,.") for part in parts)
    if any(not option for option in options):
        return Stem(text)
    return Stem(text[: marks[0].start()].strip(), options)


def _lettered(text: str) -> Stem | None:
    if re.search(r"\b(?:arrange|order|sequence|sort)\b", text, re.IGNORECASE):
        return None
    marks = _run_of(list(_LETTERED.finditer(text)), "abcdefgh")
    if len(marks) < 2 or not text[: marks[0].start()].strip():
        return None
    cut = _cut(text, marks)
    return cut if cut.options else None


def _bars(text: str) -> Stem | None:
    match = _BARS.match(text)
    if match is None:
        return None
    return Stem(
        match[1].strip(), tuple(part.strip() for part in match[2].split("|") if part.strip())
    )


def _listed(text: str) -> Stem | None:
    """Options after the comma of a wh-question: "Which comes first, the dog or the cat?"."""
    match = _WH_OR.match(text)
    if match is None or not re.search(r"\bor\b", match["list"], re.IGNORECASE):
        return None
    options = split_list(match["list"])
    if len(options) < 2 or any(len(option.split()) > _MAX_OPTION_WORDS for option in options):
        return None
    if any(option.split()[0].lower() in _NO_OPTION | _NEW_QUESTION for option in options):
        return None
    return Stem(f"{match['stem'].strip()}?", options)
