"""The question engine: a parsed question and the memories asked become findings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from streammem.core.errors import UsageError
from streammem.core.types import Evidence, Findings, Floats, Question
from streammem.query import operators
from streammem.query.anchors import anchored_windows, measured_within
from streammem.query.calibrate import (
    Phrase,
    Strengths,
    scale_of,
    strengths,
)
from streammem.query.choose import choose
from streammem.query.elsewhere import NOWHERE, Elsewhere, Pool, spread_out
from streammem.query.explain import explained
from streammem.query.inquiry import Inquiry, View
from streammem.query.memories import QueryMemory, QueryOptions
from streammem.query.moments import Moment, covered_s, pick, rank_spans
from streammem.query.order import order
from streammem.query.outcome import Outcome, best_of, to_findings
from streammem.query.ranges import resolve_window
from streammem.query.ranking import superlative
from streammem.query.speech import telling
from streammem.query.states import present_colour, state_changes, still
from streammem.query.summary import describe
from streammem.query.told import told
from streammem.query.words import content_words

__all__ = ["QueryMemory", "QueryOptions", "find", "search_text", "search_vectors"]

Operator = Callable[[Inquiry, View], Outcome]

_WORDS = frozenset({"said", "read"})
_RELATIVE = frozenset({"before", "after", "while", "between"})


def find(
    question: Question,
    memories: Sequence[QueryMemory],
    options: QueryOptions,
    elsewhere: Elsewhere = NOWHERE,
) -> Findings:
    """What the memories hold about a question. Asked twice it finds twice the same.

    Evidence is sorted best first; where nothing reaches `min_confidence` there is none, and the
    nearest moments are candidates. Times of evidence are inside the range asked for. `elsewhere`
    stands for memories of the library that were not opened.
    """
    inquiry = Inquiry.open(question, memories, options, elsewhere)
    return decide(inquiry, [said_by(inquiry, view) for view in inquiry.views])


@dataclass(frozen=True, slots=True)
class Said:
    """What one memory has to say: notes on its window; no outcome where nothing of it is asked."""

    notes: tuple[str, ...]
    outcome: Outcome | None


def said_by(inquiry: Inquiry, view: View) -> Said:
    """What one of the memories asked has to say; of the others it needs their pools alone."""
    inside = view.window.inside
    return Said(view.window.notes, _operator(inquiry.question)(inquiry, view) if inside else None)


def decide(inquiry: Inquiry, said: Sequence[Said]) -> Findings:
    """What all memories asked have to say together; `inquiry` may have no views of its own."""
    question, options, elsewhere = inquiry.question, inquiry.options, inquiry.elsewhere
    notes = [note for one in said for note in one.notes]
    if not said:
        return Findings(notes=("there is no memory that holds anything",))
    outcomes = [one.outcome for one in said if one.outcome is not None]
    if not outcomes:
        findings = Findings(notes=tuple(dict.fromkeys((*question.notes, *notes))))
        return _with_explanation(inquiry, findings)
    outcome = _weighed(_combine(question, outcomes, elsewhere), options)
    unknown = _unknown_notes(outcome)
    findings = to_findings(inquiry, outcome, (*unknown, *question.notes, *notes))
    return _with_explanation(inquiry, findings)


def _with_explanation(inquiry: Inquiry, findings: Findings) -> Findings:
    if not inquiry.options.explain:
        return findings
    return replace(findings, explain=explained(inquiry, findings))


def search_text(
    text: str, memories: Sequence[QueryMemory], options: QueryOptions
) -> tuple[Evidence, ...]:
    """The moments nearest to a text, best first; never abstains."""
    vectors = [memory.encoder.encode_text(text).embedding for memory in memories]
    return search_vectors(vectors, memories, options, text=text)


def search_vectors(
    vectors: Sequence[Floats],
    memories: Sequence[QueryMemory],
    options: QueryOptions,
    *,
    kind: str = "text",
    text: str | None = None,
    elsewhere: Elsewhere = NOWHERE,
) -> tuple[Evidence, ...]:
    """The moments nearest to one query vector `[D]` per memory, best first; never abstains.

    Where a `text` is given, what was said and written is searched for its words as well.

    With `kind` `image` the score is the cosine to the moment: a background tells how well
    pictures fit texts, and says nothing about pictures and pictures.

    Raises:
        UsageError: not one vector per memory, or one of a width that is not its encoder's.
    """
    if len(vectors) != len(memories):
        raise UsageError(f"{len(vectors)} query vectors for {len(memories)} memories")
    asked = [
        (memory, vector)
        for memory, vector in zip(memories, vectors, strict=True)
        if len(memory.snapshot.ids) or memory.cues is not None
    ]
    own = [_search_strengths(memory, vector, kind) for memory, vector in asked]
    plain = Question(text="", intent="when", phrase="")
    digests = {memory.encoder.spec.digest for memory, _vector in asked}
    unopened = [part for one in digests for part in elsewhere.strengths_of(one, text or "")]
    pool = Pool([*map(spread_out, own), *unopened])
    moments: list[Moment] = []
    for index, (memory, _vector) in enumerate(asked):
        window = resolve_window(plain, memory, options)
        if not window.inside:
            continue
        values = own[index]
        if kind != "image":
            values = values - pool.shift(spread_out(values))
        scale = scale_of(memory.encoder)
        found = rank_spans(memory, values, window, scale)
        moments += [_as_cosine(moment) for moment in found] if kind == "image" else found
        if text is not None:
            moments += told(memory, text, window, scale, min_confidence=0.0).nearest
    chosen = pick(moments, options.top_k)
    return tuple(moment.to_evidence(number) for number, moment in enumerate(chosen, start=1))


def _search_strengths(memory: QueryMemory, vector: Floats, kind: str) -> Strengths:
    width = memory.encoder.spec.dim
    if vector.shape != (width,):
        raise UsageError(
            f"the query vector is {list(vector.shape)}; {memory.memory_id} needs [{width}]"
        )
    if kind == "image":
        return memory.snapshot.span_scores(vector).astype(np.float64)
    return strengths(memory, Phrase("", vector, (), 1.0))


def _as_cosine(moment: Moment) -> Moment:
    return replace(moment, confidence=float(np.clip(moment.strength, 0.0, 1.0)))


def _operator(question: Question) -> Operator:
    if question.intent == "choose":
        return choose
    if question.intent in _WORDS or question.asked in _WORDS:
        return _telling
    if question.negated and question.intent == "when":
        return operators.when_not
    special = _special(question)
    if special is not None:
        return _composed(special) if question.relation in _RELATIVE else special
    if question.intent in {"count", "duration"} and question.relation in _RELATIVE:
        measure = len if question.intent == "count" else covered_s
        return lambda inquiry, view: measured_within(inquiry, view, measure)
    return _OPERATORS.get(question.intent, operators.when)


def _telling(inquiry: Inquiry, view: View) -> Outcome:
    """What was said or written, with its step for `--explain`."""
    question = inquiry.question
    found = telling(inquiry, view)
    how = question.asked if question.asked in _WORDS else question.intent
    inquiry.step(view, how or "said", repr(question.phrase), found.moments, found.value)
    return found


def _special(question: Question) -> Operator | None:
    """The operator of superlatives and states, None for all other questions."""
    if question.superlative is not None and question.intent != "count":
        return superlative
    if question.state == "changes" and question.intent in {"when", "count", "exists", "order"}:
        return state_changes
    if question.state == "still" and question.intent in {"exists", "now"} and question.phrase:
        return still
    coloured = question.asked == "colour" and bool(content_words(question.phrase))
    return _colour_now if question.intent == "now" and coloured else None


def _colour_now(inquiry: Inquiry, view: View) -> Outcome:
    """The newest colour of a named thing; what the last seconds show where it has none."""
    return present_colour(inquiry, view) or operators.now(inquiry, view)


def _composed(operator: Operator) -> Operator:
    """An operator within the time that another event leaves."""

    def within(inquiry: Inquiry, view: View) -> Outcome:
        windows = anchored_windows(inquiry, view)
        if isinstance(windows, Outcome):
            return windows
        anchor, parts = windows
        found = operator(inquiry, replace(view, window=parts[0]))
        return replace(found, confidence=min(anchor.confidence, found.confidence))

    return within


_OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        "when": operators.when,
        "exists": operators.exists,
        "count": operators.count,
        "duration": operators.duration,
        "what_at": operators.what_at,
        "now": operators.now,
        "describe": describe,
        "order": order,
    }
)


def _combine(question: Question, outcomes: Sequence[Outcome], elsewhere: Elsewhere) -> Outcome:
    """Several memories: times pool, numbers add up, yes beats no, order stays in one memory."""
    answered = [item for item in outcomes if item.answered]
    asked = len(outcomes) + elsewhere.memories
    if asked == 1 or not answered:
        return best_of(outcomes)
    if question.superlative is not None:
        return best_of(outcomes)
    if question.intent in {"count", "duration"} and question.asked != "interval":
        return _summed(answered, asked)
    if question.intent == "exists":
        return _any_of(outcomes, elsewhere)
    if question.intent in {"when", "describe", *_WORDS}:
        return _pooled(answered)
    best = best_of(outcomes)
    if question.intent in {"what_at", "now"} and len(answered) > 1:
        # Each of them shows something then, and their names of it do not rank them.
        note = f"{len(answered)} memories show something then; --in MEMORY asks another one"
        return replace(best, notes=(*best.notes, note))
    return best


def _summed(answered: Sequence[Outcome], asked: int) -> Outcome:
    best = max(answered, key=lambda item: item.confidence)
    seen = [item for item in answered if item.moments] or [best]
    total = sum(item.value for item in seen if item.value is not None)
    return replace(
        best,
        moments=tuple(moment for item in seen for moment in item.moments),
        confidence=max(item.confidence for item in seen),
        value=total,
        notes=(*best.notes, f"over {asked} memories together"),
    )


def _any_of(outcomes: Sequence[Outcome], elsewhere: Elsewhere) -> Outcome:
    """Yes where one memory says yes; no only where every memory says no."""
    yes = [item for item in outcomes if item.value is True]
    if yes:
        return _pooled(yes)
    if elsewhere.silent and all(item.value is False for item in outcomes):
        return min(outcomes, key=lambda item: item.confidence)
    unsure = [item for item in outcomes if item.value is None]
    return best_of(unsure or [replace(item, value=None) for item in outcomes])


def _pooled(outcomes: Sequence[Outcome]) -> Outcome:
    best = max(outcomes, key=lambda item: item.confidence)
    return replace(best, moments=tuple(moment for item in outcomes for moment in item.moments))


def _weighed(outcome: Outcome, options: QueryOptions) -> Outcome:
    """An answer weaker than asked for becomes an abstention with its moments as candidates."""
    if outcome.answered and outcome.confidence >= options.min_confidence:
        return outcome
    nearest = outcome.nearest or outcome.moments
    return replace(outcome, moments=(), nearest=nearest, value=None, choice=None, labels=())


def _unknown_notes(outcome: Outcome) -> tuple[str, ...]:
    words = [f"'{word}'" for word in outcome.unknown_words]
    if not words:
        return ()
    one = len(words) == 1
    listed = words[0] if one else f"{', '.join(words[:-1])} and {words[-1]}"
    return (
        f"{listed} {'is not a word' if one else 'are not words'} this encoder knows; "
        "`streammem models pull` gets one that knows more",
    )
