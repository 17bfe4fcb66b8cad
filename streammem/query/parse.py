"""A question in plain words becomes an intent, a time range, relations and a visual phrase."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from streammem.core.types import Question
from streammem.query import intents
from streammem.query.measures import Measure, find_measure
from streammem.query.options import Stem, split_alternatives, split_options
from streammem.query.phrase import clean_phrase, strip_polite
from streammem.query.prospect import event_to_report, without_prospect
from streammem.query.relations import Relation, find_relation, ranked_anchor
from streammem.query.several import first_of_several, without_absence
from streammem.query.time_phrases import TimeRange, extract_time_phrases

# Words beyond this are not read: a question is a sentence, and regular expressions cost time.
MAX_READ_CHARS = 2000

_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "’": "'", "‘": "'",
                         "\u2010": "-", "\u2011": "-", "\u00a0": " ", "？": "?"})  # fmt: skip
_QUOTED = re.compile(r"\"([^\"]{1,400})\"|(?<![\w'])'([^\n]{1,400}?)'(?![\w])")
_HELD = re.compile("\ue000(\\d+)\ue001")
_PRONOUN_ANCHOR = re.compile(r"^(?:that|this|it|then|those|these)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A question taken apart: the stem as read, the text without time and relation words."""

    stem: str
    rest: str
    time: TimeRange
    relation: Relation
    options: tuple[str, ...]
    measure: Measure


def parse_question(text: str, *, choices: Sequence[str] = ()) -> Question:
    """The question that a text asks, understood without any model. Never raises on any text.

    Args:
        text: The question as typed or spoken.
        choices: Options given apart from the text; options inside the text are found as well.
    """
    cleaned = _normalise(text)
    held, cleaned = _hold_quotes(cleaned)
    stem = split_options(cleaned, choices)
    spoken = strip_polite(stem.text)
    first = None if stem.options else first_of_several(spoken)
    spoken = first or spoken
    reverse = None if stem.options else without_absence(spoken)
    question = _assemble(text, _read(reverse or spoken, stem.options), held)
    if reverse is not None and question.intent in {"when", "exists"} and question.phrase:
        question = replace(question, negated=True)
    elif reverse is not None:
        question = _assemble(text, _read(spoken, stem.options), held)
    if first is None:
        return question
    note = f"several questions at once: only {_restore(first, held)!r} is answered"
    return replace(question, notes=(*question.notes, note))


def _read(spoken: str, options: tuple[str, ...]) -> _Reading:
    """A question taken apart that options were split from already."""
    event = event_to_report(spoken)
    if event is not None:
        spoken = f"show me the moments when {event}"
    time = extract_time_phrases(spoken)
    rest = strip_polite(time.rest)
    inner = Stem(rest, options) if options else split_alternatives(rest)
    relation = _relation(inner.text, time.range)
    measure = Measure(relation.rest) if event is not None else _measure(relation)
    return _Reading(
        stem=spoken,
        rest=inner.text,
        time=time.range,
        relation=replace(relation, rest=measure.rest),
        options=inner.options,
        measure=measure,
    )


def _normalise(text: str) -> str:
    head = text[:MAX_READ_CHARS].translate(_QUOTES)
    return " ".join(re.sub("[\x00-\x1f\x7f\u200b-\u200f\ue000\ue001]", " ", head).split())


def _hold_quotes(text: str) -> tuple[list[str], str]:
    """Quoted words set aside, so that nothing inside them is read as a time or an order word."""
    held: list[str] = []

    def keep(match: re.Match[str]) -> str:
        held.append(match.group(0))
        return f"\ue000{len(held) - 1}\ue001"

    return held, _QUOTED.sub(keep, text)


def _relation(text: str, time: TimeRange) -> Relation:
    """The relation in words, or `next` for what somebody is about to do at no stated time."""
    found = find_relation(text)
    if found.relation is not None or _is_timed(time):
        return found
    ahead = without_prospect(text)
    return found if ahead is None else Relation(ahead, "next")


def _measure(relation: Relation) -> Measure:
    """Superlatives and states of the main clause; words are neither, and an order has its own."""
    ranked = relation.relation in {"first", "last", "nth", "next", "arrange"}
    if ranked or intents.speech_intent(relation.rest) is not None:
        return Measure(relation.rest)
    return find_measure(relation.rest)


def _assemble(text: str, reading: _Reading, held: list[str]) -> Question:
    intent = _intent(reading)
    relation, measure = reading.relation, reading.measure
    phrase = clean_phrase(_phrase_source(intent, reading))
    notes = list(_notes(text, intent, reading))
    (anchor, anchor_ordinal), (anchor_end, anchor_end_ordinal) = _anchors(relation, held)
    if anchor is not None and _PRONOUN_ANCHOR.match(anchor):
        notes.append(f"{anchor!r} refers to something outside this question")
    found = "" if relation.interval else _restore(phrase.text, held) or ""
    return Question(
        text=text,
        intent=intent,
        phrase=found,
        start_s=reading.time.start_s,
        end_s=reading.time.end_s,
        relation=relation.relation,
        anchor=anchor or None,
        anchor_end=anchor_end or None,
        ordinal=relation.ordinal,
        choices=tuple(_HELD.sub(_held_text(held), option) for option in reading.options),
        notes=tuple(notes),
        relative=reading.time.relative,
        asked="interval" if relation.interval else _asked(reading, asks_end=phrase.asks_end),
        items=tuple(_restore(item, held) or "" for item in relation.items or measure.items),
        offset_s=relation.offset_s,
        negated=bool(reading.options) and intents.is_negated(reading.rest),
        anchor_ordinal=anchor_ordinal,
        anchor_end_ordinal=anchor_end_ordinal,
        superlative=measure.superlative,
        state=measure.state,
    )


_Anchor = tuple[str | None, int | None]


def _anchors(relation: Relation, held: list[str]) -> tuple[_Anchor, _Anchor]:
    """The other events and which visit of each is meant; "the first" of two is of the same."""
    first, rank = ranked_anchor(relation.anchor)
    second, end_rank = ranked_anchor(relation.anchor_end)
    if rank is not None and not first:
        first = second or relation.anchor
    if end_rank is not None and not second:
        second = first
    return (_restore(first, held), rank), (_restore(second, held), end_rank)


def _intent(reading: _Reading) -> str:
    """The first of the intents that fits, in the order in which they take precedence."""
    rest, full = reading.rest, reading.stem
    if reading.options:
        return "choose"
    if intents.is_count(rest):
        return "count"
    if intents.is_duration(rest):
        return "duration"
    if reading.relation.relation is not None:
        return "order"
    speech = intents.speech_intent(rest)
    if speech is not None:
        return speech
    timed = _is_timed(reading.time)
    if reading.time.now and not intents.orders_description(rest):
        return "now"
    if intents.is_exists(rest):
        return "exists"
    if intents.is_when(rest):
        return "when"
    return _content_intent(rest, full, timed=timed, instant=_is_instant(reading.time))


def _content_intent(rest: str, full: str, *, timed: bool, instant: bool) -> str:
    """What is seen at a time, a summary, or, for a bare phrase, a search for its times."""
    if intents.orders_description(rest) and not instant:
        return "describe"
    if timed:
        return "what_at" if clean_phrase(rest).text == "" or intents.is_what(rest) else "when"
    if intents.is_describe(rest):
        return "describe"
    if intents.is_what(full):
        return "what_at"
    return "when" if clean_phrase(rest).text else "describe"


def _is_timed(time: TimeRange) -> bool:
    return time.start_s is not None or time.end_s is not None or time.relative is not None


def _is_instant(time: TimeRange) -> bool:
    if time.relative is not None:
        return time.relative.start == time.relative.end
    return time.start_s is not None and time.start_s == time.end_s


def _phrase_source(intent: str, reading: _Reading) -> str:
    """The part of the text that names what to look for."""
    source = reading.relation.rest
    if intent in {"said", "read"}:
        topic = intents.written_words(source) or intents.speech_topic(source)
        if topic is not None and clean_phrase(topic).text:
            return topic
        held = _HELD.search(source)
        if held is not None:
            return held.group(0)
        return intents.without_speech_words(source)
    if intent == "describe":
        return re.sub(r"\s+(?:all\s+)?about\W*$", "", source, flags=re.IGNORECASE)
    if intent == "count":
        source = intents.written_words(source) or source
        return re.sub(r"\bmore\s+than\s+once\b", " ", source, flags=re.IGNORECASE)
    return source


def _asked(reading: _Reading, *, asks_end: bool) -> str | None:
    main = reading.relation.rest.strip() or reading.rest
    speech = intents.speech_intent(main)
    if speech is not None:
        return speech
    if intents.asks_colour(main):
        return "colour"
    if asks_end:
        return "end"
    if intents.is_exists(main) and not reading.options:
        return "yes_no"
    related = reading.relation.relation not in {None, "arrange"} and not reading.options
    content = intents.is_what(main) and not intents.is_when(main)
    measures = intents.is_count(main) or intents.is_duration(main)
    return "content" if related and content and not measures else None


def _notes(text: str, intent: str, reading: _Reading) -> tuple[str, ...]:
    notes = []
    if len(text) > MAX_READ_CHARS:
        notes.append(f"only the first {MAX_READ_CHARS} characters of the question were read")
    if intent == "count" and not intents.counts_times(reading.rest):
        notes.append("counts separate appearances in time, not things within one picture")
    return tuple(notes)


def _restore(text: str | None, held: list[str]) -> str | None:
    if text is None:
        return None

    return " ".join(_HELD.sub(_held_text(held), text).split()).strip(" ,;:.?!")


def _held_text(held: list[str]) -> Callable[[re.Match[str]], str]:
    def back(match: re.Match[str]) -> str:
        index = int(match.group(1))
        return held[index].strip("\"'").strip() if index < len(held) else ""

    return back
