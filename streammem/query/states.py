"""States that give way to each other: which one holds last, whether it still holds, when it turns.

The states of a thing (its colour, open or closed) are searched apart; at every span the strongest
one counts, and of all the one that began last is the present state.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from streammem.query.calibrate import trust
from streammem.query.inquiry import Inquiry, View
from streammem.query.intervals import Run, changes, newest, runs, still_holds
from streammem.query.measures import STATE_COLOURS, rivals
from streammem.query.moments import Moment, find_moments, with_text
from streammem.query.operators import NOW_S, denied, exists
from streammem.query.outcome import Outcome
from streammem.query.ranges import Window

# A state that nothing speaks for is none, however little confidence is asked for.
LEAST_CONFIDENCE = 0.05
# The strength of a state where another one is stronger.
_NEVER = -1e3
_CHANGED = "where one state gives way to another"


def present_colour(inquiry: Inquiry, view: View) -> Outcome | None:
    """The colour that a named thing had last; None where no colour of it is seen."""
    whole = replace(view, window=whole_window(view))
    found = _runs_of(inquiry, whole, inquiry.question.phrase, STATE_COLOURS)
    last = newest(found)
    if last is None:
        return None
    moment = last.spans[-1]
    inquiry.step(view, "newest", f"of {len(found)} states", last.spans, last.state)
    ago_s = whole.window.limit_s - moment.end_s
    notes = (f"it is last seen {ago_s:.1f} s before the end",) if ago_s > NOW_S else ()
    labels = ((last.state, moment.confidence),)
    return Outcome((moment,), (), moment.confidence, labels=labels, notes=notes)


def whole_window(view: View) -> Window:
    """All of the memory up to the moment of asking: "now" is what is newest in it."""
    return view.window.at(view.memory.start_s, min(view.memory.end_s, view.window.limit_s))


def still(inquiry: Inquiry, view: View) -> Outcome:
    """Whether what the phrase names is so at the end; the newest of rival states wins."""
    question = inquiry.question
    rival = rivals(question.phrase)
    if rival is not None:
        state, values = rival
        thing = " ".join(question.phrase.split()[:-1])
        last = newest(_runs_of(inquiry, view, thing, values))
        if last is not None:
            value = last.state == state
            inquiry.step(view, "newest", f"state of {thing!r}", last.spans, last.state)
            moment = with_text(last.spans[-1], f"{thing} {last.state}")
            return Outcome((moment,), (), moment.confidence, value=value)
    visits = inquiry.visits(view, question.phrase)
    if not visits.found:
        return denied(inquiry, view, visits, value=False)
    if visits.unknown_words:
        return exists(inquiry, view)
    end_s = view.window.end_s
    holds = still_holds(visits.found, end_s, max(NOW_S, 2 * view.memory.interval_s))
    last_seen = max(visits.found, key=lambda moment: moment.end_s)
    inquiry.step(view, "still", f"last seen, asked at {end_s:.3f} s", (last_seen,), holds)
    return Outcome(
        moments=(last_seen,),
        confidence=visits.confidence,
        value=holds,
        unknown_words=visits.unknown_words,
    )


def state_changes(inquiry: Inquiry, view: View) -> Outcome:
    """The times at which a state gives way to another, their number, or whether there are any."""
    question = inquiry.question
    values: tuple[str, ...] = STATE_COLOURS
    named = rivals(question.items[-1]) if question.items else None
    if named is not None:
        values = tuple(dict.fromkeys((*named[1], *question.items)))
    found = _runs_of(inquiry, view, question.phrase, values)
    if not found:
        return Outcome(notes=("no state of it can be told apart",))
    new = question.items[-1] if question.items else None
    old = question.items[0] if len(question.items) > 1 else None
    pairs = changes(found, old=old, new=new)
    for before, after in pairs:
        inquiry.step(view, "change", f"{before.state} -> {after.state}", (before, after))
    sure = min(run.spans[0].confidence for run in found)
    moments = tuple(_turn(before, after) for before, after in pairs)
    if question.intent == "count":
        inquiry.step(view, "count", _CHANGED, moments, len(pairs))
        return Outcome(moments, (), sure, value=len(pairs))
    if question.asked == "yes_no":
        return Outcome(moments, (), sure, value=bool(pairs))
    if not moments:
        shown = tuple(run.spans[0] for run in found)
        return Outcome(nearest=shown, confidence=sure, notes=("no such change is seen",))
    return Outcome(moments, (), sure)


def _turn(before: Run[Moment], after: Run[Moment]) -> Moment:
    """The new state from when it is first seen on, with what it came from."""
    first = after.spans[0]
    return replace(first, time_s=first.start_s, text=f"{before.state} to {after.state}")


def _runs_of(inquiry: Inquiry, view: View, thing: str, values: Sequence[str]) -> list[Run[Moment]]:
    """Stretches of one state each: at every span the strongest of the states that is sure."""
    if not view.window.inside:
        return []
    texts = {value: _with_state(thing, value) for value in values}
    known = {
        value: trust(inquiry.phrase(view, text))
        for value, text in texts.items()
        if inquiry.phrase(view, text).known_share > 0
    }
    if not known:
        return []
    strengths = np.stack([inquiry.strengths(view, texts[value]) for value in known])
    winner = np.argmax(strengths, axis=0)
    named: list[tuple[str, Moment]] = []
    for index, (value, factor) in enumerate(known.items()):
        alone = np.where(winner == index, strengths[index], _NEVER)
        moments = find_moments(
            view.memory,
            alone,
            view.window,
            view.scale,
            min_confidence=max(LEAST_CONFIDENCE, inquiry.options.min_confidence),
            trust=factor,
        )
        named += [(value, moment) for moment in moments]
    found = runs(named)
    for run in found:
        inquiry.step(view, "state", texts[run.state], run.spans)
    return found


def _with_state(thing: str, value: str) -> str:
    """A thing said to be in a state: "red light", "the door open"."""
    if value not in STATE_COLOURS:
        return f"{thing} {value}".strip()
    words = thing.split()
    bare = words[1:] if words and words[0].lower() in {"the", "a", "an"} else words
    return " ".join((value, *bare))
