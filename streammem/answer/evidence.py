"""The built-in answerer: fixed sentences around measured times, without any language model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from streammem.answer.base import Answerer, Material, OnProgress, Reply, no_progress
from streammem.answer.measured import compared, state_sentence
from streammem.answer.quotes import also_told, is_told, quote
from streammem.answer.wording import (
    MAX_LISTED,
    place_words,
    rank_words,
    relation_words,
    sentence_start,
    span_words,
    spans_words,
    subject,
    times_words,
)
from streammem.core.timebase import format_time
from streammem.core.types import Evidence, Findings, Question


class EvidenceAnswerer(Answerer):
    """Answers with what was measured, in one or two sentences."""

    @property
    def name(self) -> str:
        """`evidence`."""
        return "evidence"

    def answer(self, material: Material, on_progress: OnProgress = no_progress) -> Reply:
        """One or two sentences with times, or an abstention with its reason."""
        return Reply(material.sentence, tuple(item.id for item in material.findings.evidence))


def put_into_words(question: Question, findings: Findings) -> str:
    """Findings as one or two plain sentences with times as `HH:MM:SS.mmm`."""
    if findings.abstained:
        return _abstention(question, findings)
    told = [item for item in findings.evidence if is_told(item)]
    if findings.found_for and told:
        return _of_several(question, findings, told)
    if told and len(told) == len(findings.evidence):
        return quote(findings, question)
    if told:
        seen = tuple(item for item in findings.evidence if not is_told(item))
        return put_into_words(question, replace(findings, evidence=seen)) + also_told(
            told, findings.evidence
        )
    special = compared(question, findings) or state_sentence(question, findings)
    sentence = special or _SENTENCES.get(question.intent, _when)(question, findings)
    return f"{sentence}{_caveat(findings)}"


def _of_several(question: Question, findings: Findings, told: Sequence[Evidence]) -> str:
    """An answer about several things, some of them told in words, which are quoted after it."""
    sentence = _SENTENCES.get(question.intent, _when)(question, findings)
    return f"{sentence}{also_told(told, findings.evidence)}{_caveat(findings)}"


def _abstention(question: Question, findings: Findings) -> str:
    reason = _reason(question, findings)
    text = f"Not enough evidence: {reason}"
    if findings.candidates:
        nearest = findings.candidates[0]
        place = place_words(nearest, findings.candidates)
        text += (
            f"; the nearest candidate is {span_words(nearest)}{place}"
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
        span = f"{span_words(last)}{place_words(last, findings.evidence)}"
        return f"{subject(question)} is last seen at {format_time(last.end_s)} ({span})."
    if question.negated:
        return f"{subject(question)} is not seen {spans_words(findings.evidence)}."
    return f"{subject(question)} is seen {spans_words(findings.evidence, mark_best=True)}."


def _exists(question: Question, findings: Findings) -> str:
    if question.negated:
        # "Is there no dog? Yes" would be understood either way.
        seen = f"is seen {spans_words(findings.evidence)}" if findings.value else "is not seen"
        where = "" if findings.value else _range_words(question)
        return f"{subject(question)} {seen}{where}."
    if findings.value is False:
        return f"No: {subject(question)} is not seen{_range_words(question)}."
    return f"Yes: {subject(question)} is seen {spans_words(findings.evidence)}."


def _count(question: Question, findings: Findings) -> str:
    number = int(findings.value or 0)
    thing, times = subject(question), times_words(number)
    if number == 0:
        return f"0 times: {thing} is not seen{relation_words(question)}{_range_words(question)}."
    listed = spans_words(findings.evidence)
    shown = min(number, len(findings.evidence), MAX_LISTED)
    lead = "" if shown == number else f"the strongest {shown} of them "
    if not question.phrase:
        scenes = "1 scene" if number == 1 else f"{number} scenes"
        return f"{scenes} can be told apart by their look: {lead}{listed}."
    return f"{thing} is seen {times}{relation_words(question)}: {lead}{listed}."


def _duration(question: Question, findings: Findings) -> str:
    seconds = f"{float(findings.value or 0.0):.3f} s"
    if question.asked == "interval":
        return _interval(question, findings, seconds)
    if not question.phrase:
        return f"{seconds} are covered{_listed(findings.evidence)}."
    if not findings.evidence:
        return f"0.000 s: {subject(question)} is not seen{relation_words(question)}."
    return f"{subject(question)} is seen for {seconds} in all{relation_words(question)}" + (
        f", {spans_words(findings.evidence)}."
    )


def _interval(question: Question, findings: Findings, seconds: str) -> str:
    if question.anchor_end is None:
        where = "before" if question.relation == "before" else "after"
        seen = spans_words(findings.evidence)
        return f"{seconds} pass {where} '{question.anchor}', which is seen {seen}."
    if len(findings.evidence) != 2:
        return f"{seconds} pass between '{question.anchor}' and '{question.anchor_end}'."
    early, late = sorted(findings.evidence, key=lambda item: item.start_s)
    names = dict(findings.found_for)
    return (
        f"{seconds} pass from the end of '{names.get(early.id)}' ({span_words(early)}"
        f"{place_words(early, findings.evidence)}) to the start of "
        f"'{names.get(late.id)}' ({span_words(late)}{place_words(late, findings.evidence)})."
    )


def _what(question: Question, findings: Findings) -> str:
    names = _names(findings)
    best = findings.evidence[0]
    if question.intent == "now":
        return f"Now ({span_words(best)}{place_words(best, findings.evidence)}): {names}."
    if question.start_s is not None and question.start_s == question.end_s:
        where = f"At {format_time(best.time_s)}{place_words(best, findings.evidence)}"
        return f"{where}: {names} ({span_words(best)})."
    if len(findings.evidence) > 1 and all(item.text for item in findings.evidence):
        return sentence_start(_told(findings.evidence))
    if question.phrase and question.start_s is None and question.relative is None:
        return f"Where {subject(question)} is seen, {spans_words(findings.evidence)}: {names}."
    return f"{sentence_start(names)}, {spans_words(findings.evidence)}."


def _now(question: Question, findings: Findings) -> str:
    if isinstance(findings.value, bool):
        return _exists(question, findings)
    return _what(question, findings)


def _order(question: Question, findings: Findings) -> str:
    if isinstance(findings.value, bool):
        return _ordered_yes_no(question, findings)
    if question.relation == "arrange":
        return _arranged(findings)
    if len(findings.evidence) > 1 and all(item.text for item in findings.evidence):
        return f"{sentence_start(relation_words(question).strip())}: {_told(findings.evidence)}"
    where = spans_words(findings.evidence)
    names = f": {_names(findings)}" if findings.labels else ""
    if question.anchor is not None:
        lead = sentence_start(relation_words(question).strip())
        seen = f"{subject(question)} is seen " if question.phrase else ""
        return f"{lead}, {seen}{where}{names}."
    rank = {"first": "first", "last": "last", "next": "next"}.get(
        question.relation or "", rank_words(question.ordinal)
    )
    if question.phrase:
        return f"The {rank} time {subject(question)} is seen: {where}{names}."
    return f"The {rank} scene is seen {where}{names}."


def _arranged(findings: Findings) -> str:
    names = dict(findings.found_for)
    parts = [
        f"{names.get(item.id, _named(item))} {span_words(item)}"
        f"{place_words(item, findings.evidence)}"
        for item in sorted(findings.evidence, key=lambda item: item.start_s)
    ]
    return f"In order: {'; '.join(parts)}."


def _ordered_yes_no(question: Question, findings: Findings) -> str:
    word = "Yes" if findings.value else "No"
    names = dict(findings.found_for)
    ends = {names.get(item.id): item for item in findings.evidence}
    first, anchor = ends.get(question.phrase), ends.get(question.anchor)
    if first is None or anchor is None:
        seen = "is" if findings.value else "is not"
        return f"{word}: {subject(question)} {seen} seen{relation_words(question)}."
    first_where = f"{span_words(first)}{place_words(first, findings.evidence)}"
    anchor_where = f"{span_words(anchor)}{place_words(anchor, findings.evidence)}"
    return (
        f"{word}: '{question.phrase}' is seen {first_where} and '{question.anchor}' {anchor_where}."
    )


def _choose(question: Question, findings: Findings) -> str:
    if not findings.evidence:
        return f"'{findings.choice}' (confidence {findings.confidence:.2f})."
    if isinstance(findings.value, int | float):
        return f"'{findings.choice}': {spans_words(findings.evidence)}."
    best = findings.evidence[0]
    return f"'{findings.choice}': {span_words(best)}{place_words(best, findings.evidence)}."


def _describe(_question: Question, findings: Findings) -> str:
    return f"The longest stretches: {_told(findings.evidence, lengths=True)}"


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


def _told(evidence: Sequence[Evidence], *, lengths: bool = False) -> str:
    """What is seen span by span, in time order."""
    ordered = sorted(evidence[:MAX_LISTED], key=lambda item: (item.memory_id, item.start_s))
    parts = []
    for item in ordered:
        lasts = f" ({item.end_s - item.start_s:.1f} s)" if lengths else ""
        span = f"{span_words(item)}{place_words(item, evidence)}{lasts}"
        parts.append(f"{span} {_named(item)}")
    return f"{'; '.join(parts)}."


def _names(findings: Findings) -> str:
    if not findings.labels:
        return "nothing that can be named"
    return ", ".join(word for word, _ in findings.labels)


def _named(item: Evidence) -> str:
    return item.text or "something that cannot be named"


def _listed(evidence: Sequence[Evidence]) -> str:
    return f", {spans_words(evidence)}" if evidence else ""


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
