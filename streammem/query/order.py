"""Operators for a time that another event, an ordinal or a list fixes.

The other event is located first; then the phrase is looked for in the time it leaves. Where the
question names no phrase ("what comes after the red scene?") the next event itself is the answer.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from streammem.query.inquiry import Inquiry, View, Visits
from streammem.query.moments import Moment, best_first, with_text
from streammem.query.naming import Stretch, edge_stretch, stretch_moment, timeline
from streammem.query.operators import (
    absent,
    first_in_time,
    look,
    name_moments,
)
from streammem.query.outcome import Outcome, missing
from streammem.query.ranges import Window

T = TypeVar("T")


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
    return missing(visits, f"{question.phrase!r} is not seen {_told(inquiry)}")


def anchored_windows(inquiry: Inquiry, view: View) -> Outcome | tuple[Moment, tuple[Window, ...]]:
    """The anchor that was found and the windows it leaves, or the abstention without it."""
    question = inquiry.question
    anchors = inquiry.visits(view, question.anchor or "")
    if not anchors.found:
        return missing(anchors, f"{question.anchor!r} is not seen")
    anchor = first_in_time(anchors.found)
    window = view.window
    if question.relation == "while":
        return anchor, tuple(window.at(item.start_s, item.end_s) for item in anchors.found)
    if question.relation == "before":
        return anchor, (window.before(anchor.start_s),)
    if question.relation == "between":
        ends = inquiry.visits(view, question.anchor_end or "")
        if not ends.found:
            return missing(ends, f"{question.anchor_end!r} is not seen")
        anchor, end = _between(anchors.found, ends.found)
        return anchor, (window.at(anchor.end_s, max(anchor.end_s, end.start_s)),)
    return anchor, (window.after(anchor.end_s),)


def restricted(
    inquiry: Inquiry, view: View, measure: Callable[[tuple[Moment, ...]], float]
) -> Outcome:
    """A count or a duration of the phrase within the time that another event leaves."""
    question = inquiry.question
    if question.asked == "interval":
        return _interval(inquiry, view)
    windows = anchored_windows(inquiry, view)
    if isinstance(windows, Outcome):
        return windows
    anchor, parts = windows
    if not question.phrase:
        found = _stretches(inquiry, view, parts)
        moments = tuple(stretch_moment(view.memory, item, view.scale) for item in found)
        return Outcome(moments=moments, confidence=anchor.confidence, value=measure(moments))
    searches = [inquiry.visits(view, question.phrase, part) for part in parts]
    moments = tuple(moment for visits in searches for moment in visits.found)
    if moments:
        return Outcome(
            moments=moments,
            confidence=min(anchor.confidence, best_first(moments)[0].confidence),
            value=measure(moments),
            unknown_words=searches[0].unknown_words,
        )
    strongest = max(searches, key=lambda item: item.confidence)
    absence = absent(inquiry, view, strongest)
    if absence is None:
        return missing(strongest)
    return replace(absence, value=0, confidence=min(anchor.confidence, absence.confidence))


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
    found: list[Moment] = []
    lost: list[Visits] = []
    for item in items:
        visits = inquiry.visits(view, item)
        if visits.found:
            found.append(with_text(first_in_time(visits.found), item))
        else:
            lost.append(visits)
    if len(found) < 2:
        lost_items = [item for item in items if item not in {moment.text for moment in found}]
        return missing(lost[0], f"not seen: {', '.join(lost_items)}")
    notes: tuple[str, ...] = ()
    if lost:
        seen = {moment.text for moment in found}
        notes = (f"not seen: {', '.join(item for item in items if item not in seen)}",)
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
    chosen = _ranked(visits.found, question.relation, question.ordinal)
    if chosen is None:
        seen = len(visits.found)
        note = f"{question.phrase!r} is seen {seen} time{'s' if seen != 1 else ''} only"
        return Outcome(nearest=visits.found, confidence=visits.confidence, notes=(note,))
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
    chosen = _ranked(tuple(stretches), question.relation, question.ordinal)
    if chosen is None:
        return Outcome(notes=(f"only {len(stretches)} scenes can be told apart",))
    return _named_stretch(inquiry, view, chosen)


def _ranked(items: Sequence[T], relation: str | None, ordinal: int | None) -> T | None:
    """One of some items in time order; None where there are too few."""
    rank = {"first": 1, "next": 1, "last": -1}.get(relation or "", ordinal or 1)
    index = rank - 1 if rank > 0 else len(items) + rank
    return items[index] if 0 <= index < len(items) else None


def _phrase_in(
    inquiry: Inquiry, view: View, anchor: Moment, parts: tuple[Window, ...]
) -> Outcome | None:
    """The visit of the phrase that the relation means: the nearest one to the anchor."""
    question = inquiry.question
    searches = [inquiry.visits(view, question.phrase, part) for part in parts]
    found = sorted(
        (moment for visits in searches for moment in visits.found), key=lambda m: m.start_s
    )
    if not found:
        return None
    if question.ordinal is not None:
        chosen = _ranked(found, None, question.ordinal)
        if chosen is None:
            note = f"{question.phrase!r} is seen {len(found)} times only {_told(inquiry)}"
            return Outcome(nearest=tuple(found), confidence=anchor.confidence, notes=(note,))
    elif question.relation == "before":
        chosen = found[-1]
    elif question.relation == "while":
        chosen = best_first(found)[0]
    else:
        chosen = found[0]
    confidence = min(anchor.confidence, chosen.confidence)
    outcome = Outcome((chosen,), (), confidence, unknown_words=searches[0].unknown_words)
    if question.asked in {"content", "colour"}:
        named = name_moments(inquiry, view, (chosen,), confidence)
        return replace(named, unknown_words=searches[0].unknown_words)
    return outcome


def _neighbour(inquiry: Inquiry, view: View, anchor: Moment, parts: tuple[Window, ...]) -> Outcome:
    """What is seen right after, right before or during the anchor, named."""
    relation = inquiry.question.relation
    if relation == "while":
        outcome = look(inquiry, view, parts[0])
        return replace(outcome, confidence=min(anchor.confidence, outcome.confidence))
    stretches = (
        _stretches(inquiry, view, parts)
        if relation == "between"
        else _edge(inquiry, view, parts[0], last=relation == "before")
    )
    if not stretches:
        return Outcome(
            nearest=(anchor,),
            confidence=anchor.confidence,
            notes=(f"the memory holds nothing {_told(inquiry)}",),
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


def _stretches(inquiry: Inquiry, view: View, parts: tuple[Window, ...]) -> list[Stretch]:
    return [
        stretch
        for part in parts
        if part.end_s > part.start_s
        for stretch in timeline(view.memory, part, min_confidence=inquiry.options.min_confidence)
    ]


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
        elsewhere = with_text(first_in_time(visits.found), question.phrase)
        return Outcome(
            moments=(elsewhere, _supporting(anchor, elsewhere, question.anchor)),
            confidence=min(anchor.confidence, visits.confidence),
            value=False,
            unknown_words=visits.unknown_words,
        )
    absence = absent(inquiry, view, visits)
    return missing(visits) if absence is None else replace(absence, value=False)


def _supporting(anchor: Moment, moment: Moment, text: str | None) -> Moment:
    """The anchor as second piece of evidence: it bears the answer no more than the moment does."""
    return replace(
        anchor,
        text=text,
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
            nearest=(anchor,), notes=(f"the memory does not reach {offset_s:g} s {_told(inquiry)}",)
        )
    outcome = look(inquiry, view, view.window.at(instant_s, instant_s))
    return replace(outcome, confidence=min(anchor.confidence, outcome.confidence))


def _interval(inquiry: Inquiry, view: View) -> Outcome:
    """Seconds from one event to another, or from the start of the range to an event."""
    question = inquiry.question
    first = inquiry.visits(view, question.anchor or "")
    if not first.found:
        return missing(first, f"{question.anchor!r} is not seen")
    start = first_in_time(first.found)
    if question.anchor_end is None:
        seconds = (
            start.start_s - view.window.start_s
            if question.relation == "before"
            else view.window.end_s - start.end_s
        )
        return Outcome((start,), (), start.confidence, value=round(seconds, 6))
    second = inquiry.visits(view, question.anchor_end)
    if not second.found:
        return missing(second, f"{question.anchor_end!r} is not seen")
    start, end = _between(first.found, second.found)
    moments = (with_text(start, question.anchor), with_text(end, question.anchor_end))
    seconds = max(0.0, end.start_s - start.end_s)
    return Outcome(moments, (), min(start.confidence, end.confidence), value=round(seconds, 6))


def _between(first: tuple[Moment, ...], second: tuple[Moment, ...]) -> tuple[Moment, Moment]:
    """The first visit of one event and the next of the other; in the order seen if reversed."""
    start = first_in_time(first)
    later = [moment for moment in second if moment.start_s >= start.start_s and moment != start]
    if later:
        return start, first_in_time(tuple(later))
    end = first_in_time(second)
    return end, start


def _told(inquiry: Inquiry) -> str:
    question = inquiry.question
    if question.relation == "between":
        return f"between {question.anchor!r} and {question.anchor_end!r}"
    word = {"next": "after"}.get(question.relation or "", question.relation)
    return f"{word} {question.anchor!r}"
