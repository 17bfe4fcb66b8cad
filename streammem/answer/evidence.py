"""The built-in answerer: fixed sentences around measured times, without any language model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from streammem.answer.base import Answerer
from streammem.answer.quotes import also_told, is_told, quote
from streammem.core.timebase import format_time
from streammem.core.types import Evidence, Findings, Question

# Spans that one sentence lists; more are counted, not listed.
MAX_LISTED = 5


class EvidenceAnswerer(Answerer):
    """Answers with what was measured, in one or two sentences."""

    @property
    def name(self) -> str:
        """`evidence`."""
        return "evidence"

    def answer(self, question: Question, findings: Findings) -> str:
        """One or two sentences with times, or an abstention with its reason."""
        return put_into_words(question, findings)


def put_into_words(question: Question, findings: Findings) -> str:
    """Findings as one or two plain sentences with times as `HH:MM:SS.mmm`."""
    if findings.abstained:
        return _abstention(question, findings)
    told = [item for item in findings.evidence if is_told(item)]
    if told and len(told) == len(findings.evidence):
        return quote(findings, question)
    if told:
        seen = tuple(item for item in findings.evidence if not is_told(item))
        return put_into_words(question, replace(findings, evidence=seen)) + also_told(told)
    sentence = _SENTENCES.get(question.intent, _when)(question, findings)
    return f"{sentence}{_caveat(findings)}"


def _abstention(question: Question, findings: Findings) -> str:
    reason = _reason(question, findings)
    text = f"Not enough evidence: {reason}"
    if findings.candidates:
        nearest = findings.candidates[0]
        text += (
            f"; the nearest candidate is {_span(nearest)}{_place(nearest, findings.candidates)}"
            f" (confidence {nearest.score:.2f})"
        )
    return f"{text}."


def _reason(question: Question, findings: Findings) -> str:
    if findings.notes:
        return "; ".join(note.rstrip(".") for note in findings.notes[:2])
    if question.intent == "choose":
        return "the options cannot be told apart by what is seen"
    if question.phrase:
        how = {"said": "told", "read": "written anywhere"}.get(question.asked or "", "seen")
        return f"'{question.phrase}' is not clearly {how}"
    return "nothing in the memory answers this"


def _when(question: Question, findings: Findings) -> str:
    if question.asked == "end":
        last = max(findings.evidence, key=lambda item: item.end_s)
        span = f"{_span(last)}{_place(last, findings.evidence)}"
        return f"{_subject(question)} is last seen at {format_time(last.end_s)} ({span})."
    return f"{_subject(question)} is seen {_spans(findings.evidence, mark_best=True)}."


def _exists(question: Question, findings: Findings) -> str:
    if findings.value is False:
        return f"No: {_subject(question)} is not seen{_range_words(question)}."
    return f"Yes: {_subject(question)} is seen {_spans(findings.evidence)}."


def _count(question: Question, findings: Findings) -> str:
    number = int(findings.value or 0)
    subject = _subject(question)
    times = "once" if number == 1 else f"{number} times"
    if number == 0:
        return f"0 times: {subject} is not seen{_relation_words(question)}{_range_words(question)}."
    listed = _spans(findings.evidence)
    shown = min(number, len(findings.evidence), MAX_LISTED)
    lead = "" if shown == number else f"the strongest {shown} of them "
    if not question.phrase:
        scenes = "1 scene" if number == 1 else f"{number} scenes"
        return f"{scenes} can be told apart by their look: {lead}{listed}."
    return f"{subject} is seen {times}{_relation_words(question)}: {lead}{listed}."


def _duration(question: Question, findings: Findings) -> str:
    seconds = f"{float(findings.value or 0.0):.3f} s"
    if question.asked == "interval":
        return _interval(question, findings, seconds)
    if not question.phrase:
        return f"{seconds} are covered{_listed(findings.evidence)}."
    if not findings.evidence:
        return f"0.000 s: {_subject(question)} is not seen{_relation_words(question)}."
    return f"{_subject(question)} is seen for {seconds} in all{_relation_words(question)}" + (
        f", {_spans(findings.evidence)}."
    )


def _interval(question: Question, findings: Findings, seconds: str) -> str:
    if question.anchor_end is None:
        where = "before" if question.relation == "before" else "after"
        seen = _spans(findings.evidence)
        return f"{seconds} pass {where} '{question.anchor}', which is seen {seen}."
    ends = {item.text: item for item in findings.evidence}
    first, second = ends.get(question.anchor), ends.get(question.anchor_end)
    if first is None or second is None:
        return f"{seconds} pass between '{question.anchor}' and '{question.anchor_end}'."
    early, late = sorted((first, second), key=lambda item: item.start_s)
    return (
        f"{seconds} pass from the end of '{early.text}' ({_span(early)}"
        f"{_place(early, findings.evidence)}) to the start of "
        f"'{late.text}' ({_span(late)}{_place(late, findings.evidence)})."
    )


def _what(question: Question, findings: Findings) -> str:
    names = _names(findings)
    best = findings.evidence[0]
    if question.intent == "now":
        return f"Now ({_span(best)}{_place(best, findings.evidence)}): {names}."
    if question.start_s is not None and question.start_s == question.end_s:
        where = f"At {format_time(best.time_s)}{_place(best, findings.evidence)}"
        return f"{where}: {names} ({_span(best)})."
    if len(findings.evidence) > 1 and all(item.text for item in findings.evidence):
        return _sentence_start(_told(findings.evidence))
    if question.phrase and question.start_s is None and question.relative is None:
        return f"Where {_subject(question)} is seen, {_spans(findings.evidence)}: {names}."
    return f"{_sentence_start(names)}, {_spans(findings.evidence)}."


def _now(question: Question, findings: Findings) -> str:
    if isinstance(findings.value, bool):
        return _exists(question, findings)
    return _what(question, findings)


def _order(question: Question, findings: Findings) -> str:
    if isinstance(findings.value, bool):
        return _ordered_yes_no(question, findings)
    if question.relation == "arrange":
        ordered = sorted(findings.evidence, key=lambda item: item.start_s)
        parts = [
            f"{_named(item)} {_span(item)}{_place(item, findings.evidence)}" for item in ordered
        ]
        return f"In order: {'; '.join(parts)}."
    if len(findings.evidence) > 1 and all(item.text for item in findings.evidence):
        return f"{_sentence_start(_relation_words(question).strip())}: {_told(findings.evidence)}"
    where = _spans(findings.evidence)
    names = f": {_names(findings)}" if findings.labels else ""
    if question.anchor is not None:
        lead = _sentence_start(_relation_words(question).strip())
        seen = f"{_subject(question)} is seen " if question.phrase else ""
        return f"{lead}, {seen}{where}{names}."
    rank = {"first": "first", "last": "last", "next": "next"}.get(
        question.relation or "", _rank_words(question.ordinal)
    )
    if question.phrase:
        return f"The {rank} time {_subject(question)} is seen: {where}{names}."
    return f"The {rank} scene is seen {where}{names}."


def _ordered_yes_no(question: Question, findings: Findings) -> str:
    word = "Yes" if findings.value else "No"
    ends = {item.text: item for item in findings.evidence}
    first, anchor = ends.get(question.phrase), ends.get(question.anchor)
    if first is None or anchor is None:
        seen = "is" if findings.value else "is not"
        return f"{word}: {_subject(question)} {seen} seen{_relation_words(question)}."
    return (
        f"{word}: '{question.phrase}' is seen {_span(first)}{_place(first, findings.evidence)} and "
        f"'{question.anchor}' {_span(anchor)}{_place(anchor, findings.evidence)}."
    )


def _choose(question: Question, findings: Findings) -> str:
    if not findings.evidence:
        return f"'{findings.choice}' (confidence {findings.confidence:.2f})."
    if isinstance(findings.value, int | float):
        return f"'{findings.choice}': {_spans(findings.evidence)}."
    best = findings.evidence[0]
    return f"'{findings.choice}': {_span(best)}{_place(best, findings.evidence)}."


def _describe(_question: Question, findings: Findings) -> str:
    return f"The longest stretches: {_told(findings.evidence)}"


_SENTENCES: Mapping[str, Callable[[Question, Findings], str]] = MappingProxyType(
    {
        "when": _when,
        "exists": _exists,
        "count": _count,
        "duration": _duration,
        "what_at": _what,
        "now": _now,
        "order": _order,
        "choose": _choose,
        "describe": _describe,
    }
)


def _caveat(findings: Findings) -> str:
    if not findings.unknown_words:
        return ""
    words = ", ".join(f"'{word}'" for word in findings.unknown_words)
    verb = "is" if len(findings.unknown_words) == 1 else "are"
    return f" {words} {verb} unknown to the encoder and played no part in this."


def _told(evidence: Sequence[Evidence]) -> str:
    """What is seen span by span, in time order."""
    ordered = sorted(evidence[:MAX_LISTED], key=lambda item: (item.memory_id, item.start_s))
    parts = [f"{_span(item)}{_place(item, evidence)} {_named(item)}" for item in ordered]
    return f"{'; '.join(parts)}."


def _rank_words(ordinal: int | None) -> str:
    """`3rd`, or `2nd to last` for -2."""
    number = abs(ordinal or 1)
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number % 100 not in {11, 12, 13} else 0)
    return f"{number}{ending or 'th'}{' to last' if (ordinal or 1) < 0 else ''}"


def _sentence_start(text: str) -> str:
    return text[:1].upper() + text[1:]


def _subject(question: Question) -> str:
    return f"'{question.phrase}'" if question.phrase else "it"


def _names(findings: Findings) -> str:
    if not findings.labels:
        return "nothing that can be named"
    return ", ".join(word for word, _ in findings.labels)


def _named(item: Evidence) -> str:
    return item.text or "something that cannot be named"


def _span(item: Evidence) -> str:
    return f"from {format_time(item.start_s)} to {format_time(item.end_s)}"


def _spans(evidence: Sequence[Evidence], *, mark_best: bool = False) -> str:
    """Spans in time order; the best one is named where there are several."""
    listed = sorted(evidence[:MAX_LISTED], key=lambda item: (item.memory_id, item.start_s))
    best = evidence[0]
    parts = [
        f"{_span(item)}{_place(item, evidence)}"
        + (" (best match)" if mark_best and item is best and len(listed) > 1 else "")
        for item in listed
    ]
    more = f" and {len(evidence) - MAX_LISTED} more" if len(evidence) > MAX_LISTED else ""
    return _and(parts) + more


def _listed(evidence: Sequence[Evidence]) -> str:
    return f", {_spans(evidence)}" if evidence else ""


def _place(item: Evidence, evidence: Sequence[Evidence]) -> str:
    """The memory's name where the evidence comes from several."""
    several = len({other.memory_id for other in evidence}) > 1
    return f" in {item.memory_id}" if several else ""


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _relation_words(question: Question) -> str:
    if question.anchor is None:
        return ""
    if question.relation == "between":
        return f" between '{question.anchor}' and '{question.anchor_end}'"
    word = {"next": "right after"}.get(question.relation or "", question.relation or "")
    offset = f" {question.offset_s:g} s" if question.offset_s is not None else ""
    return f"{offset} {word} '{question.anchor}'"


def _range_words(question: Question) -> str:
    start_s, end_s = question.start_s, question.end_s
    if question.intent == "now":
        return " now"
    if start_s is not None and start_s == end_s:
        return f" at {format_time(start_s)}"
    if start_s is not None and end_s is not None:
        return f" between {format_time(start_s)} and {format_time(end_s)}"
    if start_s is not None:
        return f" after {format_time(start_s)}"
    if end_s is not None:
        return f" before {format_time(end_s)}"
    return " in the range asked" if question.relative is not None else ""
