"""What of a model's words may reach the user: claims that cite evidence, with its times.

A claim is a sentence with the ids in brackets in it or behind it. It is kept as a whole or
removed as a whole; ids that do not exist are removed in any case, and times are put in from the
evidence. Pure functions.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from streammem.answer.base import Material, Reply
from streammem.answer.stated_times import NUMBER_WORDS, Measured, measured_times, spelled_number
from streammem.answer.untrusted import plain_line
from streammem.core.timebase import format_time
from streammem.core.types import Channel, Evidence

MAX_READ_CHARS = 20_000
MAX_CLAIMS = 8
MAX_CLAIM_CHARS = 400
# A claim that repeats so many words of a cue in a row is a quotation.
QUOTED_WORDS = 5

_ID = re.compile(r"(?<!\w)([a-z]{1,2}\d{1,6})(?!\w)", re.IGNORECASE)
_OURS = re.compile(r"(?<!\w)[erc]\d+(?!\w)", re.IGNORECASE)
_SQUARE = re.compile("[\\[\u3010\u27e6]([^\\[\\]\u3010\u3011\u27e6\u27e7]*)[\\]\u3011\u27e7]")
_ROUND = re.compile(r"\(\s*((?:[a-z]{1,2}\d{1,6}\s*(?:[,;&+-]|and|\s)?\s*)+)\)", re.IGNORECASE)
_CITED = re.compile("\ue000(\\d+)\ue001")
_LINK = re.compile(
    r"\w+://|\bwww\.|\]\s*\(|\bdata:\w|\b[\w-]+\.(?:com|net|org|io)\b", re.IGNORECASE
)
_MARKUP = re.compile(r"[*_#`|<>{}\[\]\\~=]+|^\s*(?:[-+\u2022]|\d+[.)])\s+")
# Chinese and Japanese sentences follow each other without a blank.
_SENTENCE_END = re.compile(
    r"(?<=[.!?\u3002\u061f\u0964])[\"'\u201d)]*\s+|(?<=\u3002)(?=\S)"
    r"|(?<=[!?])(?=[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])"
)
_SHORT_FORM = re.compile(r"(?:\b(?:mr|mrs|ms|dr|st|no|vs|approx|etc|e\.g|i\.e)|\b[a-z])\.$", re.I)
_TIMES_OVER = re.compile(
    r"\b([\w-]+)\s+(?:separate\s+|different\s+|more\s+)?"
    r"(?:times|occasions|occurrences|appearances|instances|visits)\b",
    re.IGNORECASE,
)
_ONCE = re.compile(r"\b(once|twice|thrice)\b", re.IGNORECASE)
_CLOCKS = re.compile(r"\d+(?::\d+)+(?:[.,]\d+)?")
_COUNTED = re.compile(
    rf"(?<![\w.])(\d+(?:[.,]\d+)?|{'|'.join(sorted(NUMBER_WORDS.keys() - {'a', 'an'}))})(?!\w)",
    re.IGNORECASE,
)
_OVER = {"once": 1.0, "twice": 2.0, "thrice": 3.0}
_LETTER = re.compile(r"^\W*([A-H])\s*[.):]|\b(?:option|answer|choice)\s+(?:is\s+)?\W?([A-H])\b")
_QUOTED = re.compile('["\u201c\u201e\u00ab]([^"\u201c\u201d\u201e\u00bb]+)["\u201d\u00bb]')


@dataclass(frozen=True, slots=True)
class _Claim:
    """A sentence without its brackets, and what it cites, as written."""

    text: str
    ids: tuple[str, ...]


def check_reply(written: str, material: Material) -> Reply:
    """The claims that cite evidence, each with the evidence's times; order as written."""
    citable = {key.lower(): item for key, item in material.citable.items()}
    claims = _claims(written)
    kept: list[str] = []
    cited: list[str] = []
    for claim in claims:
        items = [citable[name] for name in dict.fromkeys(claim.ids) if name in citable]
        text = _kept(claim, items, material)
        if text is None or len(kept) == MAX_CLAIMS:
            continue
        kept.append(_with_times(text, items))
        cited += [item.id for item in items if item.id not in cited]
    return Reply(" ".join(kept), tuple(cited), dropped=len(claims) - len(kept))


def _claims(written: str) -> list[_Claim]:
    """The sentences with letters in them; ids in brackets belong to the sentence before them."""
    claims: list[_Claim] = []
    for line in written[:MAX_READ_CHARS].splitlines():
        groups: list[tuple[str, ...]] = []

        def keep(match: re.Match[str], groups: list[tuple[str, ...]] = groups) -> str:
            groups.append(tuple(name.lower() for name in _ID.findall(match.group(1))))
            return f" \ue000{len(groups) - 1}\ue001 "

        # A mark of our own in the model's words would stand for another's ids.
        plain = plain_line(line)
        marked = _ROUND.sub(keep, _SQUARE.sub(keep, plain))
        claims += [_claim(sentence, groups) for sentence in _sentences(marked)]
    return [claim for claim in claims if re.search(r"[^\W\d_]", _OURS.sub(" ", claim.text))]


def _sentences(marked: str) -> list[str]:
    """Sentences of a line; marks of citations at the start of one go to the sentence before."""
    parts: list[str] = []
    for part in _SENTENCE_END.split(marked):
        lead = re.match("(?:\\s*\ue000\\d+\ue001)+\\s*[.,;]?", part)
        rest = part
        if parts and lead is not None:
            parts[-1] += f" {lead.group(0)}"
            rest = part[lead.end() :]
        if not rest.strip():
            continue
        if parts and _SHORT_FORM.search(parts[-1]):
            parts[-1] += f" {rest}"
        else:
            parts.append(rest)
    return parts


def _claim(sentence: str, groups: Sequence[tuple[str, ...]]) -> _Claim:
    ids = [name for match in _CITED.finditer(sentence) for name in groups[int(match.group(1))]]
    text = " ".join(_CITED.sub(" ", sentence).split())
    text = re.sub(r"\s+([.,;:!?\u3002])", r"\1", text)
    ids += [name.lower() for name in _OURS.findall(text)]
    return _Claim(text, tuple(ids))


def _kept(claim: _Claim, items: Sequence[Evidence], material: Material) -> str | None:
    """The claim's text as it may be shown, None where it must not be."""
    # Marks go first: between two of them a time could hide.
    text = " ".join(_MARKUP.sub(" ", claim.text).split()).strip(" ,;:")
    known = {item.id.lower() for item in items}
    strange = any(name.lower() not in known for name in _OURS.findall(text))
    if not items or strange or len(text) > MAX_CLAIM_CHARS or _LINK.search(claim.text):
        return None
    if _contradicts(text, items, material) or _borrows(text, claim.ids, material):
        return None
    return measured_times(text, _measured(items, material)) or None


def _measured(items: Sequence[Evidence], material: Material) -> Measured:
    value = material.findings.value
    length = material.question.intent == "duration" and value is not None
    return Measured(
        instants_s=tuple(
            time_s for item in items for time_s in (item.start_s, item.end_s, item.time_s)
        ),
        lengths_s=(
            *(item.end_s - item.start_s for item in items),
            *((float(value or 0.0),) if length else ()),
        ),
    )


def _contradicts(text: str, items: Sequence[Evidence], material: Material) -> bool:
    """Whether a claim says another number, another yes or no, or another option than measured."""
    value, choice = material.findings.value, material.findings.choice
    if isinstance(value, bool):
        said = re.match(r"\W*(yes|no)\b", text, re.IGNORECASE)
        if said is not None and (said.group(1).lower() == "yes") is not value:
            return True
    counts = material.question.intent == "count" and value is not None
    allowed = {float(value or 0)} if counts else {float(len(items))}
    numbers = [spelled_number(match.group(1)) for match in _TIMES_OVER.finditer(text)]
    if counts:
        numbers += [spelled_number(word) for word in _COUNTED.findall(_CLOCKS.sub(" ", text))]
        numbers += [_OVER[word.lower()] for word in _ONCE.findall(text)]
    if any(number is not None and number not in allowed for number in numbers):
        return True
    return choice is not None and _names_another(text, choice, material.question.choices)


def _names_another(text: str, choice: str, options: Sequence[str]) -> bool:
    letter = _LETTER.search(text)
    if letter is not None:
        place = ord(letter.group(1) or letter.group(2)) - ord("A")
        if place >= len(options) or options[place] != choice:
            return True
    named = [
        option
        for option in options
        if re.search(rf"(?<!\w){re.escape(option.lower())}(?!\w)", text.lower())
    ]
    return bool(named) and choice not in named


def _borrows(text: str, ids: Sequence[str], material: Material) -> bool:
    """Whether a claim repeats what was said or written without quoting and citing it.

    So words of the stream can be shown as such, and never as words of the answer.
    """
    spoken = " ".join(_words(_QUOTED.sub(" ", text)))
    whole = " ".join(_words(text))
    for item in (*material.cues, *material.shown, *material.recent):
        if item.channel is Channel.VISION or not item.text:
            continue
        searched = whole if item.id.lower() not in ids else spoken
        words = _words(item.text)
        runs = range(len(words) - QUOTED_WORDS + 1)
        if any(f" {' '.join(words[at : at + QUOTED_WORDS])} " in f" {searched} " for at in runs):
            return True
    return False


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", plain_line(text).lower())


def _with_times(text: str, items: Sequence[Evidence]) -> str:
    """The claim and what it cites, with times: `... [e1 00:00:01.000 - 00:00:02.000]`."""
    spans = "; ".join(
        f"{item.id} {format_time(item.start_s)} - {format_time(item.end_s)}" for item in items
    )
    end = text[-1] if text[-1] in ".!?\u3002" else "."
    return f"{text.rstrip('.!?' + chr(0x3002))} [{spans}]{end}"
