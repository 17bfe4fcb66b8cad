"""What one operator found in one memory, and how outcomes of several memories become findings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from streammem.core.types import Evidence, Findings
from streammem.query.inquiry import Inquiry, Visits
from streammem.query.moments import Moment, best_first, pick


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an operator found in one memory.

    `value` as in `Findings`; an outcome without moments, value and choice is an abstention, and
    `nearest` is then what came closest.
    """

    moments: tuple[Moment, ...] = ()
    nearest: tuple[Moment, ...] = ()
    confidence: float = 0.0
    value: float | bool | None = None
    choice: str | None = None
    labels: tuple[tuple[str, float], ...] = ()
    unknown_words: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    amounts: tuple[tuple[str, float], ...] = ()

    @property
    def answered(self) -> bool:
        """Whether something was established."""
        return bool(self.moments) or self.value is not None or self.choice is not None


def missing(visits: Visits, *notes: str) -> Outcome:
    """An abstention because a phrase was not found."""
    return Outcome(
        nearest=visits.nearest,
        confidence=visits.confidence,
        unknown_words=visits.unknown_words,
        notes=notes,
    )


def best_of(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome of the memory that answers best; memories are not mixed.

    Used where an answer is about the order of things in one stream.
    """
    if not outcomes:
        return Outcome()
    ranked = sorted(outcomes, key=lambda item: (not item.answered, -item.confidence))
    best = ranked[0]
    if not best.answered:
        nearest = best_first(moment for item in outcomes for moment in item.nearest)
        best = replace(best, nearest=tuple(nearest))
    return best


def to_findings(inquiry: Inquiry, outcome: Outcome, notes: Iterable[str] = ()) -> Findings:
    """Findings with numbered evidence, best first; candidates where nothing was established."""
    top_k = inquiry.options.top_k
    chosen = pick(outcome.moments, top_k)
    evidence = _numbered(chosen)
    candidates = (
        () if outcome.answered and outcome.moments else _numbered(pick(outcome.nearest, top_k))
    )
    return Findings(
        evidence=evidence,
        candidates=candidates,
        confidence=float(outcome.confidence),
        value=outcome.value,
        choice=outcome.choice,
        labels=outcome.labels,
        unknown_words=outcome.unknown_words,
        amounts=outcome.amounts,
        found_for=tuple(
            (item.id, moment.found_for)
            for item, moment in zip(evidence, chosen, strict=True)
            if moment.found_for is not None
        ),
        notes=tuple(dict.fromkeys((*outcome.notes, *notes))),
    )


def _numbered(moments: Sequence[Moment]) -> tuple[Evidence, ...]:
    return tuple(moment.to_evidence(number) for number, moment in enumerate(moments, start=1))
