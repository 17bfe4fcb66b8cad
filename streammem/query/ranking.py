"""Most and least often, most and least time, longest and shortest: things compared by spans."""

from collections.abc import Sequence
from dataclasses import replace

from streammem.query.inquiry import Inquiry, View, Visits
from streammem.query.intervals import least, longest, most, shortest
from streammem.query.moments import Moment, best_first, covered_s, with_text
from streammem.query.naming import stretch_moment, timeline
from streammem.query.operators import NOTHING_NAMED, is_absent
from streammem.query.outcome import Outcome, missing

_SMALLEST = frozenset({"least_often", "least_time", "shortest"})
_BY_VISITS = frozenset({"most_often", "least_often"})
_BY_VISIT = frozenset({"longest", "shortest"})


def superlative(inquiry: Inquiry, view: View) -> Outcome:
    """What a superlative or a comparison asks for: a thing, a visit, or yes or no."""
    question = inquiry.question
    if question.items:
        return _compared(inquiry, view)
    if question.phrase and question.asked != "colour":
        return _extreme_visit(inquiry, view)
    return _extreme_scene(inquiry, view)


Amounts = tuple[tuple[str, float], ...]


def best_amount(
    inquiry: Inquiry, view: View, kinds: dict[str, tuple[Moment, ...]]
) -> tuple[tuple[str, ...], Amounts]:
    """The kinds that the superlative names, and the amounts compared, the largest first.

    Several where they are equal; those that are not seen at all take no part.
    """
    question = inquiry.question
    seen = {name: moments for name, moments in kinds.items() if moments}
    amounts = {name: amount_of(question.superlative, moments) for name, moments in seen.items()}
    for name, moments in seen.items():
        unit = "visits" if question.superlative in _BY_VISITS else "s"
        inquiry.step(view, question.superlative or "", f"{name!r} ({unit})", moments, amounts[name])
    winners = least(amounts) if question.superlative in _SMALLEST else most(amounts)
    return winners, _sorted_amounts(amounts)


def _sorted_amounts(amounts: dict[str, float]) -> Amounts:
    return tuple(sorted(amounts.items(), key=lambda item: (-item[1], item[0])))


def amount_of(superlative: str | None, moments: Sequence[Moment]) -> float:
    """The number that a superlative compares: visits, seconds in all, or those of one visit."""
    if superlative in _BY_VISITS:
        return float(len(moments))
    if superlative in _BY_VISIT:
        pick = shortest if superlative == "shortest" else longest
        one = pick(moments)
        return 0.0 if one is None else round(one.span.duration_s, 6)
    return round(covered_s(moments), 6)


def _compared(inquiry: Inquiry, view: View) -> Outcome:
    """Yes or no: the phrase against another, both of which have to be known to the encoder."""
    question = inquiry.question
    names = (question.phrase, *question.items)
    searches = {name: inquiry.visits(view, name) for name in names}
    lost = [name for name, visits in searches.items() if not _told_apart(inquiry, visits)]
    if lost or not question.phrase:
        return missing(searches[names[0]], NOTHING_NAMED if not question.phrase else "")
    amounts = {
        name: amount_of(question.superlative, visits.found) for name, visits in searches.items()
    }
    for name, visits in searches.items():
        inquiry.step(view, question.superlative or "", repr(name), visits.found, amounts[name])
    winners = least(amounts) if question.superlative in _SMALLEST else most(amounts)
    moments = tuple(
        with_text(moment, name) for name, visits in searches.items() for moment in visits.found
    )
    return Outcome(
        moments=moments,
        confidence=min(_certainty(visits) for visits in searches.values()),
        value=winners == (question.phrase,),
        amounts=_sorted_amounts(amounts),
    )


def _told_apart(inquiry: Inquiry, visits: Visits) -> bool:
    return bool(visits.found) or is_absent(inquiry, visits)


def _certainty(visits: Visits) -> float:
    return visits.confidence if visits.found else visits.certainty_of_absence


def _extreme_visit(inquiry: Inquiry, view: View) -> Outcome:
    """The longest or shortest visit of a phrase; for "most often" there is nothing to compare."""
    question = inquiry.question
    visits = inquiry.visits(view, question.phrase)
    if not visits.found:
        return missing(visits)
    if question.superlative not in _BY_VISIT and question.intent != "duration":
        return Outcome(visits.found, (), visits.confidence, unknown_words=visits.unknown_words)
    pick = shortest if question.superlative in _SMALLEST else longest
    chosen = pick(visits.found) or visits.found[0]
    seconds = round(chosen.span.duration_s, 6)
    inquiry.step(
        view, question.superlative or "", f"of {len(visits.found)} visits", (chosen,), seconds
    )
    return Outcome(
        moments=(chosen,),
        confidence=chosen.confidence,
        value=seconds if question.intent == "duration" else None,
        unknown_words=visits.unknown_words,
    )


def _extreme_scene(inquiry: Inquiry, view: View) -> Outcome:
    """The scene, or what is named in it, that is there most often or longest."""
    question = inquiry.question
    minimum = inquiry.options.min_confidence
    stretches = timeline(view.memory, view.window, min_confidence=minimum)
    if not stretches:
        return Outcome()
    if question.superlative in _BY_VISIT and question.asked != "colour":
        extreme = min if question.superlative == "shortest" else max
        stretch = extreme(stretches, key=lambda item: round(item.duration_s, 6))
        chosen = stretch_moment(view.memory, stretch, view.scale)
        seconds = round(chosen.span.duration_s, 6)
        inquiry.step(
            view, question.superlative or "", f"of {len(stretches)} scenes", (chosen,), seconds
        )
        # Where it lies is sure, whether or not it can be named.
        sure = replace(chosen, confidence=chosen.confidence or 1.0)
        return Outcome((sure,), (), sure.confidence, labels=stretch.names)
    grouped: dict[str, list[Moment]] = {}
    for stretch in stretches:
        for name, _ in stretch.names[:1]:
            moment = stretch_moment(view.memory, stretch, view.scale)
            grouped.setdefault(name, []).append(replace(moment, text=name))
    kinds = {name: tuple(moments) for name, moments in grouped.items()}
    winners, amounts = best_amount(inquiry, view, kinds)
    if len(winners) != 1:
        note = f"{', '.join(winners)} are equal in this" if winners else "nothing can be named"
        every = best_first(moment for moments in kinds.values() for moment in moments)
        return Outcome(nearest=tuple(every[: inquiry.options.top_k]), notes=(note,))
    won = kinds[winners[0]]
    confidence = best_first(won)[0].confidence
    labels = ((winners[0], confidence),)
    return Outcome(won, (), confidence, labels=labels, amounts=amounts)
