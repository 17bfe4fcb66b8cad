"""The temporal operators that need no second event: when, exists, count, duration, what, now."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from streammem.core.timebase import TimeSpan
from streammem.query.inquiry import Inquiry, View, Visits
from streammem.query.intents import asks_share
from streammem.query.intervals import Spanned, remaining
from streammem.query.moments import Moment, best_first, covered_s
from streammem.query.naming import (
    name_rows,
    rows_in,
    stretch_moment,
    strongest_names,
    timeline,
)
from streammem.query.outcome import Outcome, missing
from streammem.query.ranges import Window
from streammem.query.summary import describe

# How far back "now" reaches where the question does not say, in seconds.
NOW_S = 5.0
# Lengths that the sum of a duration is written out with.
MAX_SUMMED = 8
# What a memory is asked for where the question names nothing to look for.
NOTHING_NAMED = "the question names nothing that could be seen"


def when(inquiry: Inquiry, view: View) -> Outcome:
    """The visits of the phrase."""
    text = inquiry.question.phrase
    if not text:
        return Outcome(notes=(NOTHING_NAMED,))
    visits = inquiry.visits(view, text)
    inquiry.step(view, "when", f"visits of {text!r}", visits.found, len(visits.found))
    if not visits.found:
        return missing(visits)
    return Outcome(
        moments=visits.found,
        confidence=visits.confidence,
        unknown_words=visits.unknown_words,
    )


def when_not(inquiry: Inquiry, view: View) -> Outcome:
    """The time in which the phrase is not seen; only where every word of it is known."""
    text, window = inquiry.question.phrase, view.window
    visits = inquiry.visits(view, text)
    if visits.unknown_words:
        return replace(missing(visits), nearest=visits.found or visits.nearest)
    if not visits.found:
        return denied(inquiry, view, visits, moments=_whole(view))
    if visits.found_share < inquiry.options.min_confidence:
        return missing(visits, f"times without {text!r} are unsure: {_overlooked(visits)}")
    seen: list[Spanned] = [*visits.found, *view.memory.gaps]
    free = remaining(window.start_s, window.end_s, seen, sliver_s=view.memory.interval_s)
    # All are equally sure; the longest are shown where there are many.
    sure = min(visits.confidence, visits.found_share)
    moments = tuple(
        Moment(
            memory=view.memory,
            start_s=span.start_s,
            end_s=span.end_s,
            time_s=0.5 * (span.start_s + span.end_s),
            strength=span.duration_s,
            confidence=sure,
            row=view.memory.row_at(0.5 * (span.start_s + span.end_s)),
        )
        for span in free
    )
    inquiry.step(view, "when_not", f"the time without {text!r}", moments, len(moments))
    if not moments:
        return missing(visits, f"{text!r} is seen all the time")
    return Outcome(moments=moments, confidence=sure)


def exists(inquiry: Inquiry, view: View, window: Window | None = None) -> Outcome:
    """Yes and no only where every word is known; no only where all of the range was seen."""
    text = inquiry.question.phrase
    if not text:
        return Outcome(notes=(NOTHING_NAMED,))
    visits = inquiry.visits(view, text, window)
    inquiry.step(view, "exists", f"visits of {text!r}", visits.found, bool(visits.found))
    if visits.found and visits.unknown_words:
        # Something purple is no ground to say yes to a purple elephant.
        return replace(missing(visits), nearest=visits.found)
    if visits.found:
        return Outcome(
            moments=visits.found,
            confidence=visits.confidence,
            value=True,
            unknown_words=visits.unknown_words,
        )
    return denied(inquiry, view, visits, value=False)


def denied(inquiry: Inquiry, view: View, visits: Visits, **established: Any) -> Outcome:
    """What follows where nothing is found: `established` if absence is sure, else an abstention."""
    if not view.window.covered or not is_absent(inquiry, visits):
        doubted = view.window.covered and visits.established_absence
        overlooked = doubted and visits.found_share < inquiry.options.min_confidence
        thing = repr(inquiry.question.phrase)
        notes = (f"{thing} is not seen, but {_overlooked(visits)}",) if overlooked else ()
        return missing(visits, *notes)
    sure = Outcome(nearest=visits.nearest, confidence=visits.certainty_of_absence)
    return replace(sure, **established)


def is_absent(inquiry: Inquiry, visits: Visits) -> bool:
    """The ground of a "no": whether absence is as sure as an answer has to be."""
    sure = visits.certainty_of_absence >= inquiry.options.min_confidence
    return visits.established_absence and sure


def _overlooked(visits: Visits) -> str:
    return f"the encoder finds it in {visits.found_share:.0%} of the test clips that show it"


def count(inquiry: Inquiry, view: View) -> Outcome:
    """The number of separate visits; of scenes where the question names nothing."""
    return _measured(inquiry, view, len)


def duration(inquiry: Inquiry, view: View) -> Outcome:
    """Seconds covered by the visits together; of the memory where the question names nothing."""
    if not inquiry.question.phrase:
        window = view.window
        if not window.inside:
            return Outcome()
        seconds = window.end_s - window.start_s - _missed_s(view)
        whole = _whole(view)
        return Outcome(moments=whole, confidence=1.0, value=round(seconds, 6))
    return _measured(inquiry, view, covered_s)


def _measured(
    inquiry: Inquiry, view: View, measure: Callable[[tuple[Moment, ...]], float]
) -> Outcome:
    text = inquiry.question.phrase
    if not text:
        stretches = timeline(
            view.memory, view.window, min_confidence=inquiry.options.min_confidence
        )
        moments = tuple(stretch_moment(view.memory, item, view.scale) for item in stretches)
        return Outcome(
            moments=moments,
            confidence=_best_confidence(moments),
            value=measure(moments) if moments else None,
            notes=("scenes are told apart by how they look",),
        )
    visits = inquiry.visits(view, text)
    if visits.found:
        value = measure(visits.found)
        inquiry.step(view, inquiry.question.intent, _sum_of(visits.found), visits.found, value)
        return Outcome(
            moments=visits.found,
            confidence=visits.confidence,
            value=value,
            unknown_words=visits.unknown_words,
            notes=_share_of(inquiry, view, value),
        )
    return denied(inquiry, view, visits, value=0.0)


def _share_of(inquiry: Inquiry, view: View, seconds: float) -> tuple[str, ...]:
    """How much of the covered time a length is, where the question asks for that."""
    covered = view.window.end_s - view.window.start_s - _missed_s(view)
    if covered <= 0 or not asks_share(inquiry.question.text):
        return ()
    return (f"that is {seconds / covered:.1%} of the {covered:.1f} s asked about",)


def _sum_of(moments: tuple[Moment, ...]) -> str:
    """The lengths that a measure adds up, as far as a line holds them."""
    parts = [f"{moment.span.duration_s:.3f}" for moment in moments[:MAX_SUMMED]]
    more = " + ..." if len(moments) > MAX_SUMMED else ""
    return f"{len(moments)} visits: {' + '.join(parts)}{more} s"


def what_at(inquiry: Inquiry, view: View) -> Outcome:
    """Names of what is seen in the window, or where the phrase is seen if there is no window."""
    if not inquiry.question.phrase and not view.window.limited:
        return describe(inquiry, view) if inquiry.options.at_s is None else now(inquiry, view)
    if not view.window.limited:
        visits = inquiry.visits(view, inquiry.question.phrase)
        if not visits.found:
            return missing(visits)
        named = name_moments(inquiry, view, visits.found, visits.confidence)
        return replace(named, unknown_words=visits.unknown_words)
    return look(inquiry, view, view.window)


def now(inquiry: Inquiry, view: View) -> Outcome:
    """What the last seconds show, or whether the phrase is among it."""
    window = _recent(view)
    question = inquiry.question
    if question.phrase and question.asked == "yes_no":
        return exists(inquiry, view, window)
    stretches = timeline(view.memory, window, min_confidence=inquiry.options.min_confidence)
    if len(stretches) > 1 and not question.phrase:
        # A cut inside the last seconds: what came before it is not there any more.
        window = window.after(stretches[-1].start_s)
    return look(inquiry, view, window)


def look(inquiry: Inquiry, view: View, window: Window) -> Outcome:
    """Names of what a window shows, with the stretches it is made of as evidence."""
    if not window.inside:
        return Outcome()
    colours_only = inquiry.question.asked == "colour"
    rows, weights = rows_in(view.memory, window)
    names = name_rows(
        view.memory,
        rows,
        weights,
        min_confidence=inquiry.options.min_confidence,
        colours_only=colours_only,
    )
    stretches = timeline(view.memory, window, min_confidence=inquiry.options.min_confidence)
    if window.instant and stretches:
        stretches = stretches[:1]
    named_here = ", ".join(f"{word} {confidence:.2f}" for word, confidence in names)
    inquiry.step(view, "look", named_here or "nothing that can be named", stretches)
    moments = tuple(stretch_moment(view.memory, item, view.scale) for item in stretches)
    if window.instant:
        moments = tuple(replace(item, time_s=window.start_s) for item in moments)
    if not names:
        return (
            Outcome(nearest=moments, notes=("nothing in it can be named with this encoder",))
            if moments
            else Outcome()
        )
    named = tuple(item for item in moments if item.text)
    if len(named) > 1 and not colours_only:
        names = strongest_names(stretches)
    return Outcome(
        moments=named or tuple(replace(item, confidence=names[0][1]) for item in moments),
        confidence=names[0][1],
        labels=names,
    )


def name_moments(
    inquiry: Inquiry, view: View, moments: tuple[Moment, ...], confidence: float
) -> Outcome:
    """Moments already found, with names for what they show."""
    seen = [moment for moment in moments if moment.row >= 0]
    if not seen:
        return Outcome(moments=moments, confidence=confidence)
    rows = np.array([moment.row for moment in seen], np.int64)
    weights = np.array([max(moment.span.duration_s, 1e-6) for moment in seen])
    names = name_rows(
        view.memory,
        rows,
        weights,
        min_confidence=inquiry.options.min_confidence,
        colours_only=inquiry.question.asked == "colour",
    )
    return Outcome(moments=moments, confidence=confidence, labels=names)


def _recent(view: View) -> Window:
    """The window of "now": as the question says, else the last seconds; never empty."""
    window = view.window
    if not window.limited:
        window = window.at(max(window.start_s, window.end_s - NOW_S), window.end_s)
    if not window.inside:
        return window
    rows, _ = rows_in(view.memory, window)
    if len(rows):
        return window
    before = view.memory.snapshot.span_end_s
    before = before[before <= window.end_s]
    if not len(before):
        return window
    return window.at(float(before.max()) - view.memory.interval_s, float(before.max()))


def _whole(view: View) -> tuple[Moment, ...]:
    rows, weights = rows_in(view.memory, view.window)
    if not len(rows):
        return ()
    row = int(rows[int(np.argmax(weights))])
    window = view.window
    return (
        Moment(
            memory=view.memory,
            start_s=window.start_s,
            end_s=window.end_s,
            time_s=0.5 * (window.start_s + window.end_s),
            strength=0.0,
            confidence=1.0,
            row=row,
        ),
    )


def _missed_s(view: View) -> float:
    window = TimeSpan(view.window.start_s, view.window.end_s)
    return sum(window.overlap_s(TimeSpan(gap.start_s, gap.end_s)) for gap in view.memory.gaps)


def _best_confidence(moments: tuple[Moment, ...]) -> float:
    return best_first(moments)[0].confidence if moments else 0.0
