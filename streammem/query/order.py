"""Operators for a time that another event, an ordinal or a list fixes.

The other event is located first; then the phrase is looked for in the time it leaves. Where the
question names no phrase ("what comes after the red scene?") the next event itself is the answer.
"""

from dataclasses import replace

from streammem.query.anchors import (
    anchored_windows,
    stretches_in,
    told_relation,
    too_few,
    visits_in,
)
from streammem.query.inquiry import Inquiry, View
from streammem.query.intervals import first_seen, nth
from streammem.query.moments import Moment, best_first, with_text
from streammem.query.naming import Stretch, edge_stretch, stretch_moment, timeline
from streammem.query.operators import denied, look, name_moments
from streammem.query.outcome import Outcome, missing
from streammem.query.ranges import Window

# What a rank in words counts as; the n of the others stands in the question.
_RANKS = {"first": 1, "next": 1, "last": -1}


def order(inquiry: Inquiry, view: View) -> Outcome:
    """The one moment that the relation fixes; true or false where yes or no answers."""
    question = inquiry.question
    if question.relation == "arrange":
        return arrange(inquiry, view)
    if question.relation in {"first", "last", "nth"} or question.anchor is None:
        return _by_rank(inquiry, view)
    windows = anchored_windows(inquiry, view)
    if isinstance(windows, Outcome):
        return windows
    anchor, parts = windows
    if question.offset_s is not None:
        return _at_offset(inquiry, view, anchor)
    if question.asked == "yes_no" and question.phrase:
        return _yes_no(inquiry, view, anchor, parts)
    if question.phrase:
        found = _phrase_in(inquiry, view, anchor, parts)
        if found is not None:
            return found
    if not question.phrase or question.asked in {"content", "colour"}:
        return _neighbour(inquiry, view, anchor, parts)
    visits = inquiry.visits(view, question.phrase)
    return missing(visits, f"{question.phrase!r} is not seen {told_relation(inquiry)}")


def arrange(inquiry: Inquiry, view: View) -> Outcome:
    """The listed events by their first appearance, or the events of the memory themselves."""
    items = inquiry.question.items
    if not items:
        stretches = timeline(
            view.memory, view.window, min_confidence=inquiry.options.min_confidence
        )
        moments = [stretch_moment(view.memory, item, view.scale) for item in stretches]
        kept = tuple(moment for moment in moments if moment.text)[: inquiry.options.top_k]
        best = max((moment.confidence for moment in kept), default=0.0)
        return Outcome(moments=kept, confidence=best)
    searches = {item: inquiry.visits(view, item) for item in items}
    ordered = first_seen({item: visits.found for item, visits in searches.items()})
    found = [with_text(moment, item) for item, moment in ordered]
    for item, moment in ordered:
        inquiry.step(view, "first", f"the first visit of {item!r}", (moment,))
    seen = {item for item, _ in ordered}
    lost = [item for item in items if item not in seen]
    notes = (f"not seen: {', '.join(lost)}",) if lost else ()
    if len(found) < 2:
        nearest = max(lost, key=lambda item: (searches[item].confidence, item), default=None)
        return missing(searches[nearest], *notes) if nearest else Outcome(nearest=tuple(found))
    inquiry.step(view, "arrange", " -> ".join(item for item, _ in ordered), found)
    return Outcome(
        moments=tuple(found),
        confidence=min(moment.confidence for moment in found),
        notes=notes,
    )


def _by_rank(inquiry: Inquiry, view: View) -> Outcome:
    """First, last, n-th and, after a time, next."""
    question = inquiry.question
    if question.relation == "next" and not view.window.limited:
        return Outcome(
            notes=("a memory holds what was seen; it does not tell what will come next",)
        )
    if not question.phrase:
        return _ranked_stretch(inquiry, view)
    visits = inquiry.visits(view, question.phrase)
    if not visits.found:
        return missing(visits)
    rank = _RANKS.get(question.relation or "", question.ordinal or 1)
    chosen = nth(visits.found, rank)
    if chosen is None:
        return too_few(visits, question.phrase)
    inquiry.step(
        view, question.relation or "nth", f"visit {rank} of {len(visits.found)}", (chosen,)
    )
    outcome = Outcome((chosen,), (), chosen.confidence, unknown_words=visits.unknown_words)
    if question.asked not in {"content", "colour"}:
        return outcome
    return replace(
        name_moments(inquiry, view, (chosen,), chosen.confidence),
        unknown_words=visits.unknown_words,
    )


def _ranked_stretch(inquiry: Inquiry, view: View) -> Outcome:
    """The first, last or n-th event of the window, named."""
    question = inquiry.question
    if question.relation in {"first", "last", "next"}:
        edge = _edge(inquiry, view, view.window, last=question.relation == "last")
        return _named_stretch(inquiry, view, edge[0]) if edge else Outcome()
    stretches = timeline(view.memory, view.window, min_confidence=inquiry.options.min_confidence)
    rank = question.ordinal or 1
    index = rank - 1 if rank > 0 else len(stretches) + rank
    if not 0 <= index < len(stretches):
        return Outcome(notes=(f"only {len(stretches)} scenes can be told apart",))
    return _named_stretch(inquiry, view, stretches[index])


def _phrase_in(
    inquiry: Inquiry, view: View, anchor: Moment, parts: tuple[Window, ...]
) -> Outcome | None:
    """The visit of the phrase that the relation means: the nearest one to the anchor."""
    question = inquiry.question
    visits = inquiry.visits(view, question.phrase)
    found = visits_in(inquiry, view, visits, parts)
    if not found:
        return None
    if question.relation == "while" and question.ordinal is None:
        chosen = best_first(found)[0]
    else:
        nearest_rank = -1 if question.relation == "before" else 1
        ranked = nth(found, question.ordinal or nearest_rank)
        if ranked is None:
            note = f"{question.phrase!r} is seen {len(found)} times only {told_relation(inquiry)}"
            return Outcome(nearest=found, confidence=anchor.confidence, notes=(note,))
        chosen = ranked
    inquiry.step(view, "choose", f"the visit that is meant of {len(found)}", (chosen,))
    confidence = min(anchor.confidence, chosen.confidence)
    outcome = Outcome((chosen,), (), confidence, unknown_words=visits.unknown_words)
    if question.asked in {"content", "colour"}:
        named = name_moments(inquiry, view, (chosen,), confidence)
        return replace(named, unknown_words=visits.unknown_words)
    return outcome


def _neighbour(inquiry: Inquiry, view: View, anchor: Moment, parts: tuple[Window, ...]) -> Outcome:
    """What is seen right after, right before or during the anchor, named."""
    relation = inquiry.question.relation
    if relation == "while":
        outcome = look(inquiry, view, parts[0])
        return replace(outcome, confidence=min(anchor.confidence, outcome.confidence))
    stretches = (
        stretches_in(inquiry, view, parts)
        if relation == "between"
        else _edge(inquiry, view, parts[0], last=relation == "before")
    )
    if not stretches:
        return Outcome(
            nearest=(anchor,),
            confidence=anchor.confidence,
            notes=(f"the memory holds nothing {told_relation(inquiry)}",),
        )
    if relation == "between":
        moments = tuple(
            replace(stretch_moment(view.memory, item, view.scale), confidence=anchor.confidence)
            for item in stretches
        )
        names = tuple(dict.fromkeys(name for item in stretches for name in item.names[:1]))
        return Outcome(moments=moments, confidence=anchor.confidence, labels=names)
    outcome = _named_stretch(inquiry, view, stretches[0])
    confidence = anchor.confidence
    moments = tuple(replace(moment, confidence=confidence) for moment in outcome.moments)
    return replace(outcome, moments=moments, confidence=confidence)


def _named_stretch(inquiry: Inquiry, view: View, stretch: Stretch) -> Outcome:
    """One stretch as the answer: where it lies is sure, its names are as sure as they are."""
    inquiry.step(view, "scene", inquiry.question.relation or "", (stretch,))
    moment = stretch_moment(view.memory, stretch, view.scale)
    names = stretch.names
    if inquiry.question.asked == "colour":
        window = view.window.at(stretch.start_s, stretch.end_s)
        names = look(inquiry, view, window).labels
    confidence = moment.confidence or 1.0
    return Outcome(
        moments=(replace(moment, confidence=confidence),), confidence=confidence, labels=names
    )


def _edge(inquiry: Inquiry, view: View, window: Window, *, last: bool) -> list[Stretch]:
    if window.end_s <= window.start_s:
        return []
    confidence = inquiry.options.min_confidence
    found = edge_stretch(view.memory, window, last=last, min_confidence=confidence)
    return [] if found is None else [found]


def _yes_no(inquiry: Inquiry, view: View, anchor: Moment, parts: tuple[Window, ...]) -> Outcome:
    """Whether the phrase is seen in the time that the anchor leaves."""
    question = inquiry.question
    found = _phrase_in(inquiry, view, anchor, parts)
    if found is not None and found.moments:
        moment = with_text(found.moments[0], question.phrase)
        both = (moment, _supporting(anchor, moment, question.anchor))
        return replace(found, moments=both, value=True, labels=())
    visits = inquiry.visits(view, question.phrase)
    if visits.found:
        elsewhere = with_text(visits.found[0], question.phrase)
        return Outcome(
            moments=(elsewhere, _supporting(anchor, elsewhere, question.anchor)),
            confidence=min(anchor.confidence, visits.confidence),
            value=False,
            unknown_words=visits.unknown_words,
        )
    return denied(inquiry, view, visits, value=False)


def _supporting(anchor: Moment, moment: Moment, text: str | None) -> Moment:
    """The anchor as second piece of evidence: it bears the answer no more than the moment does."""
    return replace(
        with_text(anchor, text),
        confidence=min(anchor.confidence, moment.confidence),
        strength=min(anchor.strength, moment.strength - 1e-3),
    )


def _at_offset(inquiry: Inquiry, view: View, anchor: Moment) -> Outcome:
    """What is seen a stated time before or after the anchor."""
    question = inquiry.question
    offset_s = question.offset_s or 0.0
    before = question.relation == "before"
    instant_s = anchor.start_s - offset_s if before else anchor.end_s + offset_s
    inside = view.window.start_s <= instant_s < view.window.end_s
    if not inside:
        return Outcome(
            nearest=(anchor,),
            notes=(f"the memory does not reach {offset_s:g} s {told_relation(inquiry)}",),
        )
    outcome = look(inquiry, view, view.window.at(instant_s, instant_s))
    return replace(outcome, confidence=min(anchor.confidence, outcome.confidence))
