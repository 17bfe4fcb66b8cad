"""Sentences about what was compared (most often, longest) and about states that change."""

from collections.abc import Sequence

from streammem.answer.wording import (
    joined,
    place_words,
    relation_words,
    sentence_start,
    span_words,
    spans_words,
    subject,
    times_words,
)
from streammem.core.timebase import format_time
from streammem.core.types import Evidence, Findings, Question

_BY_VISITS = frozenset({"most_often", "least_often"})
_WORDS = {
    "most_often": "most often",
    "least_often": "least often",
    "most_time": "longest in all",
    "least_time": "shortest in all",
    "longest": "longest at a time",
    "shortest": "shortest at a time",
}


def compared(question: Question, findings: Findings) -> str | None:
    """The sentence of a superlative or a comparison; None for every other question."""
    if question.superlative is None or not findings.evidence:
        return None
    if question.intent == "choose":
        won = f"'{findings.choice}'" if findings.choice else None
        return None if won is None else _won(question, findings, won)
    if isinstance(findings.value, bool):
        amounts = [_amount(question, name, number) for name, number in findings.amounts]
        return f"{'Yes' if findings.value else 'No'}: {joined(amounts)}."
    if findings.amounts and findings.labels:
        return _won(question, findings, f"'{findings.labels[0][0]}'")
    return _one_visit(question, findings)


def state_sentence(question: Question, findings: Findings) -> str | None:
    """The sentence of a state that holds or gives way; None for every other question."""
    if question.state == "still" and isinstance(findings.value, bool):
        return _still(question, findings)
    if question.state == "changes" and not findings.abstained:
        return _changes(question, findings)
    return None


def _won(question: Question, findings: Findings, name: str) -> str:
    """The winner with its amount, the others with theirs."""
    amounts = dict(findings.amounts)
    own = amounts.pop(name.strip("'"), None)
    lead = f"{name} is seen {_WORDS[question.superlative or '']}{relation_words(question)}"
    figure = "" if own is None else f", {_figure(question, own)}"
    others = [f"'{other}' {_figure(question, number)}" for other, number in amounts.items()]
    rest = f" (then {joined(others[:3])})" if others else ""
    return f"{lead}{figure}{rest}: {spans_words(findings.evidence)}."


def _one_visit(question: Question, findings: Findings) -> str:
    best = findings.evidence[0]
    seconds = f"{best.end_s - best.start_s:.3f} s"
    word = "shortest" if question.superlative == "shortest" else "longest"
    names = ", ".join(name for name, _ in findings.labels)
    what = f"visit of {subject(question)}" if question.phrase else "scene"
    where = f"{span_words(best)}{place_words(best, findings.evidence)}"
    shown = f": {names}" if names else ""
    return f"The {word} {what}{relation_words(question)} lasts {seconds}, {where}{shown}."


def _amount(question: Question, name: str, number: float) -> str:
    verb = "is seen" if question.superlative in _BY_VISITS else "is seen for"
    return f"'{name}' {verb} {_figure(question, number)}"


def _figure(question: Question, number: float) -> str:
    if question.superlative in _BY_VISITS:
        return times_words(int(number))
    return f"{number:.3f} s"


def _still(question: Question, findings: Findings) -> str:
    if not findings.evidence:
        return f"No: {subject(question)} is not seen."
    last = findings.evidence[0]
    where = f"{span_words(last)}{place_words(last, findings.evidence)}"
    if findings.value:
        return f"Yes: {subject(question)} is seen up to the end, {where}."
    if last.text:
        return f"No: the newest is '{last.text}', {where}."
    return f"No: {subject(question)} is last seen {where}."


def _changes(question: Question, findings: Findings) -> str:
    turns = _turns(findings.evidence)
    thing = subject(question)
    if not turns:
        return f"{_count_word(findings)}{thing} is not seen to change{relation_words(question)}."
    if isinstance(findings.value, bool):
        return f"Yes: {thing} changes {joined(turns)}."
    if findings.value is not None:
        times = times_words(int(findings.value))
        return (
            f"{sentence_start(thing)} changes {times}{relation_words(question)}: {joined(turns)}."
        )
    return f"{sentence_start(thing)} changes {joined(turns)}."


def _count_word(findings: Findings) -> str:
    return "No: " if isinstance(findings.value, bool) else "0 times: "


def _turns(evidence: Sequence[Evidence]) -> list[str]:
    ordered = sorted(evidence, key=lambda item: (item.memory_id, item.start_s))
    return [
        f"from {item.text} at {format_time(item.start_s)}{place_words(item, evidence)}"
        for item in ordered
    ]
