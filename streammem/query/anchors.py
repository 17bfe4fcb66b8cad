"""The time that another event leaves, and what is counted or measured within it.

The other event is located first, by its ordinal where the question names one. The visits of the
phrase are then restricted to the time it leaves, so that what is counted in parts adds up.
"""

from collections.abc import Callable
from dataclasses import replace

from streammem.query.inquiry import Inquiry, View, Visits
from streammem.query.intervals import between, nth, restricted
from streammem.query.moments import Moment, best_first, with_text
from streammem.query.naming import Stretch, stretch_moment, timeline
from streammem.query.operators import denied
from streammem.query.outcome import Outcome, missing
from streammem.query.ranges import Window


def anchored_windows(inquiry: Inquiry, view: View) -> Outcome | tuple[Moment, tuple[Window, ...]]:
    """The anchor that was found and the windows it leaves, or the abstention without it."""
    question = inquiry.question
    anchors = inquiry.visits(view, question.anchor or "")
    anchor = nth(anchors.found, question.anchor_ordinal or 1)
    if anchor is None:
        return too_few(anchors, question.anchor or "")
    window = view.window
    parts: tuple[Window, ...] = (window.after(anchor.end_s),)
    if question.relation == "while":
        chosen = anchors.found if question.anchor_ordinal is None else (anchor,)
        parts = tuple(window.at(item.start_s, item.end_s) for item in chosen)
    elif question.relation == "before":
        parts = (window.before(anchor.start_s),)
    elif question.relation == "between":
        ends = inquiry.visits(view, question.anchor_end or "")
        pair = _pair(inquiry, anchors, ends)
        if isinstance(pair, Outcome):
            return pair
        anchor, end = pair
        parts = (window.at(anchor.end_s, max(anchor.end_s, end.start_s)),)
    _note_windows(inquiry, view, anchor, parts)
    return anchor, parts


def _note_windows(inquiry: Inquiry, view: View, anchor: Moment, parts: tuple[Window, ...]) -> None:
    question = inquiry.question
    rank = question.anchor_ordinal or 1
    inquiry.step(view, "anchor", f"visit {rank} of {question.anchor!r}", (anchor,))
    inquiry.step(view, question.relation or "after", f"the time {told_relation(inquiry)}", parts)


def _pair(inquiry: Inquiry, starts: Visits, ends: Visits) -> Outcome | tuple[Moment, Moment]:
    """The two events of a "between" by their ordinals, else the first and the next of the other."""
    question = inquiry.question
    start = nth(starts.found, question.anchor_ordinal or 1)
    if start is None:
        return too_few(starts, question.anchor or "")
    if question.anchor_end_ordinal is not None:
        end = nth(ends.found, question.anchor_end_ordinal)
        if end is None or end == start:
            return too_few(ends, question.anchor_end or "")
        return (start, end) if start.start_s <= end.start_s else (end, start)
    if not ends.found:
        return too_few(ends, question.anchor_end or "")
    pair = between((start,), ends.found)
    return pair if pair is not None else too_few(ends, question.anchor_end or "")


def too_few(visits: Visits, text: str) -> Outcome:
    """An abstention because a visit that the question names is not there."""
    if not visits.found:
        return missing(visits, f"{text!r} is not seen")
    seen = len(visits.found)
    note = f"{text!r} is seen {seen} time{'s' if seen != 1 else ''} only"
    return Outcome(nearest=visits.found, confidence=visits.confidence, notes=(note,))


def visits_in(
    inquiry: Inquiry, view: View, visits: Visits, parts: tuple[Window, ...]
) -> tuple[Moment, ...]:
    """The parts of visits that lie in some windows: what is counted in all is counted in parts."""
    sliver_s = 0.5 * view.memory.interval_s
    found = tuple(
        moment
        for part in parts
        for moment in restricted(visits.found, part.start_s, part.end_s, sliver_s=sliver_s)
    )
    inquiry.step(view, "within", f"visits of {inquiry.question.phrase!r} in that time", found)
    return found


def measured_within(
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
        found = stretches_in(inquiry, view, parts)
        moments = tuple(stretch_moment(view.memory, item, view.scale) for item in found)
        return Outcome(moments=moments, confidence=anchor.confidence, value=measure(moments))
    visits = inquiry.visits(view, question.phrase)
    moments = visits_in(inquiry, view, visits, parts)
    value = measure(moments)
    inquiry.step(
        view, question.intent, f"{question.phrase!r} {told_relation(inquiry)}", moments, value
    )
    if moments or visits.found:
        sure = best_first(moments or visits.found)[0].confidence
        return Outcome(
            moments=moments,
            confidence=min(anchor.confidence, sure),
            value=value,
            unknown_words=visits.unknown_words,
        )
    none = denied(inquiry, view, visits, value=0)
    sure = min(anchor.confidence, none.confidence)
    return replace(none, confidence=sure) if none.answered else none


def _interval(inquiry: Inquiry, view: View) -> Outcome:
    """Seconds from one event to another, or from the start of the range to an event."""
    question = inquiry.question
    first = inquiry.visits(view, question.anchor or "")
    start = nth(first.found, question.anchor_ordinal or 1)
    if start is None:
        return too_few(first, question.anchor or "")
    if question.anchor_end is None:
        before = question.relation == "before"
        seconds = start.start_s - view.window.start_s if before else view.window.end_s - start.end_s
        inquiry.step(view, "interval", f"seconds {question.relation}", (start,), round(seconds, 6))
        return Outcome((start,), (), start.confidence, value=round(seconds, 6))
    pair = _pair(inquiry, first, inquiry.visits(view, question.anchor_end))
    if isinstance(pair, Outcome):
        return pair
    start, end = pair
    # The earlier of the two may be the one named second.
    swapped = start not in first.found
    names = (
        (question.anchor_end, question.anchor)
        if swapped
        else (question.anchor, question.anchor_end)
    )
    moments = (with_text(start, names[0]), with_text(end, names[1]))
    seconds = max(0.0, end.start_s - start.end_s)
    inquiry.step(
        view, "interval", f"{end.start_s:.3f} - {start.end_s:.3f} s", moments, round(seconds, 6)
    )
    return Outcome(moments, (), min(start.confidence, end.confidence), value=round(seconds, 6))


def stretches_in(inquiry: Inquiry, view: View, parts: tuple[Window, ...]) -> list[Stretch]:
    """The events of some windows, one after the other."""
    return [
        stretch
        for part in parts
        if part.end_s > part.start_s
        for stretch in timeline(view.memory, part, min_confidence=inquiry.options.min_confidence)
    ]


def told_relation(inquiry: Inquiry) -> str:
    """The relation in words, as notes give it: "after 'the dog'"."""
    question = inquiry.question
    if question.relation == "between":
        return f"between {question.anchor!r} and {question.anchor_end!r}"
    word = {"next": "after"}.get(question.relation or "", question.relation)
    return f"{word} {question.anchor!r}"
