"""Multiple choice: every option is measured on the same evidence, whatever its place."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from streammem.core.timebase import TimeSpan
from streammem.core.types import Question
from streammem.query import intents
from streammem.query.anchors import anchored_windows, measured_within
from streammem.query.calibrate import trust
from streammem.query.inquiry import Inquiry, View
from streammem.query.intervals import most, nth, restricted
from streammem.query.moments import Moment, best_first, covered_s, find_moments, with_text
from streammem.query.number_words import first_number
from streammem.query.operators import count, duration, exists
from streammem.query.options import option_text, split_list
from streammem.query.order import arrange, order
from streammem.query.outcome import Outcome
from streammem.query.ranges import Window, resolve_window
from streammem.query.ranking import best_amount
from streammem.query.time_atoms import duration_value
from streammem.query.time_phrases import extract_time_phrases
from streammem.query.told import told

# An option of so many words says everything itself and needs no words of the question.
SENTENCE_WORDS = 4
# Options closer than this in strength are not told apart.
TIE = 1e-6
_YES_NO = {"yes": True, "no": False, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class _Scored:
    """An option as measured: its strength, the trust in its words, where it is seen best."""

    option: str
    strength: float
    trust: float
    moments: tuple[Moment, ...]


def choose(inquiry: Inquiry, view: View) -> Outcome:
    """The option that fits best, by number, time, order or look, as the question asks."""
    question = inquiry.question
    texts = [option_text(option).lower() for option in question.choices]
    if intents.is_count(question.text) or intents.is_duration(question.text):
        if all(_number(text) is not None for text in texts):
            return _by_number(inquiry, view)
    elif {True, False} <= {_yes_or_no(text) for text in texts}:
        return _by_yes_no(inquiry, view)
    if question.superlative is not None:
        return _by_amount(inquiry, view)
    if question.relation == "arrange":
        return _by_sequence(inquiry, view)
    if question.relation in {"first", "last", "nth"}:
        return _by_rank(inquiry, view)
    if question.phrase and all(_names_time(text) for text in texts):
        return _by_time(inquiry, view)
    return _by_look(inquiry, view)


def _by_number(inquiry: Inquiry, view: View) -> Outcome:
    question = inquiry.question
    counts = intents.is_count(question.text)
    if question.relation in {"before", "after", "while", "between"}:
        measured = measured_within(inquiry, view, len if counts else covered_s)
    else:
        measured = count(inquiry, view) if counts else duration(inquiry, view)
    if measured.value is None:
        return measured
    value = float(measured.value)
    distances = [abs((_number(option_text(option)) or 0.0) - value) for option in question.choices]
    nearest = min(distances)
    for option, distance in zip(question.choices, distances, strict=True):
        inquiry.step(view, "option", f"{option!r}: distance to {value:g}", (), distance)
    if distances.count(nearest) > 1:
        return replace(measured, moments=(), value=None, nearest=measured.moments)
    share = 1.0 / (1.0 + nearest / max(1.0, value))
    return replace(
        measured,
        value=measured.value,
        choice=question.choices[distances.index(nearest)],
        confidence=measured.confidence * share,
    )


def _by_yes_no(inquiry: Inquiry, view: View) -> Outcome:
    question = inquiry.question
    asked = replace(question, asked="yes_no")
    inner = replace(inquiry, question=asked)
    found = order(inner, view) if question.relation else exists(inner, view)
    if not isinstance(found.value, bool):
        return found
    for option in question.choices:
        if _yes_or_no(option_text(option).lower()) is found.value:
            return replace(found, choice=option)
    return replace(found, moments=(), value=None, nearest=found.moments)


def _by_sequence(inquiry: Inquiry, view: View) -> Outcome:
    """The option whose order agrees best with the order in which its events are first seen."""
    question = inquiry.question
    sequences = {option: _sequence(option, question) for option in question.choices}
    items = tuple(dict.fromkeys(item for parts in sequences.values() for item in parts))
    if len(items) < 2:
        return _by_look(inquiry, view)
    found = arrange(replace(inquiry, question=replace(question, items=items)), view)
    starts = {moment.found_for: moment.start_s for moment in found.moments}
    if len(starts) < 2:
        return replace(found, moments=(), nearest=found.moments or found.nearest)
    agreements = {
        option: _agreement([starts[item] for item in parts if item in starts])
        for option, parts in sequences.items()
    }
    best = max(agreements.values())
    winners = [option for option in question.choices if agreements[option] == best]
    if len(winners) > 1 or best <= 0:
        return replace(found, moments=(), nearest=found.moments)
    return replace(found, choice=winners[0], confidence=found.confidence * (0.5 + 0.5 * best))


def _by_rank(inquiry: Inquiry, view: View) -> Outcome:
    """The option that is seen first, last or n-th."""
    question = inquiry.question
    texts = {option_text(option): option for option in question.choices}
    found: list[Moment] = []
    for text in texts:
        visits = inquiry.visits(view, _query_text(text, question))
        edge = nth(visits.found, -1 if question.relation == "last" else 1)
        if edge is not None:
            found.append(with_text(edge, text))
            inquiry.step(view, "option", f"{text!r}", (edge,))
    rank = {"first": 1, "last": -1}.get(question.relation or "", question.ordinal or 1)
    index = rank - 1 if rank > 0 else len(found) + rank
    if not 0 <= index < len(found) or len(found) < min(2, len(texts)):
        return Outcome(nearest=tuple(found), notes=("too few of the options are seen",))
    ordered = sorted(found, key=lambda moment: (moment.start_s, moment.found_for or ""))
    chosen = ordered[index]
    return Outcome(
        moments=(chosen,),
        confidence=min(moment.confidence for moment in found),
        choice=texts[chosen.found_for or ""],
    )


def _by_amount(inquiry: Inquiry, view: View) -> Outcome:
    """The option that is there most or least often, or most or least of the time."""
    question = inquiry.question
    options = {option_text(option): option for option in question.choices}
    found = {text: inquiry.visits(view, _query_text(text, question)).found for text in options}
    if question.relation in {"before", "after", "while", "between"}:
        anchored = anchored_windows(inquiry, view)
        if isinstance(anchored, Outcome):
            return anchored
        found = {text: _inside(moments, anchored[1]) for text, moments in found.items()}
    winners, amounts = best_amount(inquiry, view, found)
    every = tuple(best_first(moment for moments in found.values() for moment in moments))
    if len(winners) != 1:
        equal = f"{', '.join(sorted(winners))} are equal in this"
        return Outcome(nearest=every, notes=(equal if winners else "no option is seen",))
    won = found[winners[0]]
    confidence = min(best_first(moments)[0].confidence for moments in found.values() if moments)
    return Outcome(won, (), confidence, choice=options[winners[0]], amounts=amounts)


def _inside(moments: Sequence[Moment], parts: Sequence[Window]) -> tuple[Moment, ...]:
    return tuple(
        moment for part in parts for moment in restricted(moments, part.start_s, part.end_s)
    )


def _by_time(inquiry: Inquiry, view: View) -> Outcome:
    """The option whose time range holds most of what the phrase is seen for."""
    question = inquiry.question
    visits = inquiry.visits(view, question.phrase)
    if not visits.found:
        return Outcome(nearest=visits.nearest, confidence=visits.confidence)
    shares = [_overlap_share(option, inquiry, view, visits.found) for option in question.choices]
    best = max(shares)
    if best <= 0 or shares.count(best) > 1:
        return Outcome(nearest=visits.found, confidence=visits.confidence)
    return Outcome(
        moments=visits.found,
        confidence=visits.confidence * best,
        choice=question.choices[shares.index(best)],
        unknown_words=visits.unknown_words,
    )


def _by_look(inquiry: Inquiry, view: View) -> Outcome:
    """The option most strongly seen in the time the question leaves, else most clearly told."""
    question = inquiry.question
    windows: tuple[Window, ...] = (view.window,)
    if question.anchor is not None and question.relation in {"before", "after", "while", "between"}:
        anchored = anchored_windows(inquiry, view)
        if isinstance(anchored, Outcome):
            return anchored
        windows = anchored[1]
    if not view.window.inside:
        return Outcome()
    seen = _most_seen(inquiry, view, windows)
    if seen.choice is not None or question.negated:
        return seen
    return _most_told(inquiry, view, windows) or seen


def _most_told(inquiry: Inquiry, view: View, windows: Sequence[Window]) -> Outcome | None:
    """The option whose words are said or written there more clearly than those of any other."""
    minimum = inquiry.options.min_confidence
    found: dict[str, tuple[Moment, ...]] = {}
    for option in inquiry.question.choices:
        parts = [
            told(view.memory, option_text(option), window, view.scale, min_confidence=minimum)
            for window in windows
        ]
        found[option] = tuple(best_first(moment for part in parts for moment in part.found))
    sure = {option: moments[0].confidence for option, moments in found.items() if moments}
    for option, confidence in sure.items():
        inquiry.step(view, "option", f"{option!r} in words", found[option][:1], confidence)
    winners = most(sure)
    if len(winners) != 1:
        return None
    return Outcome(found[winners[0]], (), sure[winners[0]], choice=winners[0])


def _most_seen(inquiry: Inquiry, view: View, windows: Sequence[Window]) -> Outcome:
    question = inquiry.question
    scored = [_score(inquiry, view, option, windows) for option in question.choices]
    known = [item for item in scored if item.trust > 0]
    if not known or len(known) < min(2, len(scored)):
        unknown = tuple(
            word
            for option in question.choices
            for word in inquiry.phrase(view, option_text(option)).unknown_words
        )
        return Outcome(unknown_words=tuple(dict.fromkeys(unknown)))
    sign = -1.0 if question.negated else 1.0
    values = np.array([sign * item.strength for item in known])
    shares = _softmax(values / view.scale.scale)
    for item, share in zip(known, shares, strict=True):
        text = f"{item.option!r}: z {item.strength:.2f}, trust {item.trust:.2f}"
        inquiry.step(view, "option", text, item.moments[:1], round(float(share), 4))
    ranked = sorted(range(len(known)), key=lambda i: (-values[i], known[i].option))
    best = known[ranked[0]]
    tied = len(ranked) > 1 and values[ranked[0]] - values[ranked[1]] < TIE
    confidence = float(shares[ranked[0]]) * best.trust
    if tied or confidence < inquiry.options.min_confidence or (best.strength <= 0 < sign):
        return Outcome(
            nearest=tuple(best_first(moment for item in known for moment in item.moments)),
            confidence=confidence,
            notes=("the options cannot be told apart by what is seen",),
        )
    return _chosen(inquiry, view, best, confidence)


def _chosen(inquiry: Inquiry, view: View, best: _Scored, confidence: float) -> Outcome:
    notes: tuple[str, ...] = ()
    if view.scale.confidence(best.strength) < inquiry.options.min_confidence:
        notes = ("no option is clearly seen; this one is the likeliest",)
    return Outcome(
        moments=best.moments if not inquiry.question.negated else (),
        confidence=confidence,
        choice=best.option,
        notes=notes,
    )


def _score(inquiry: Inquiry, view: View, option: str, windows: Sequence[Window]) -> _Scored:
    text = option_text(option)
    trusted = trust(inquiry.phrase(view, text))
    query = _query_text(text, inquiry.question)
    values = inquiry.strengths(view, query)
    moments = [
        moment
        for window in windows
        for moment in find_moments(view.memory, values, window, view.scale, min_confidence=0.0)
    ]
    strength = max((moment.strength for moment in moments), default=-np.inf)
    return _Scored(option, float(strength), trusted if moments else 0.0, tuple(moments))


def _query_text(text: str, question: Question) -> str:
    """An option in the words of the question: "yellow" asked of "the screen" is a yellow screen."""
    phrase = question.phrase
    if not phrase or len(text.split()) >= SENTENCE_WORDS:
        return text
    if question.asked == "colour" or len(text.split()) == 1:
        return f"{text} {re.sub('^(?:the|a|an) ', '', phrase, flags=re.IGNORECASE)}"
    return f"{phrase} {text}"


def _sequence(option: str, question: Question) -> tuple[str, ...]:
    """The events of an option in its order: by number of the listed events, or by name."""
    text = option_text(option) if not re.match(r"\s*\(?\w\)?\s*(?:\(|-+>|→)", option) else option
    digits = re.findall(r"\(?\b([1-9])\b\)?", text)
    letters = re.findall(r"\(([a-h])\)", text.lower())
    if question.items and digits and len(digits) == len(question.items):
        places = [int(digit) - 1 for digit in digits]
    elif question.items and len(letters) == len(question.items):
        places = [ord(letter) - ord("a") for letter in letters]
    else:
        return split_list(re.sub(r"^from\s+|\s+to\s+(?=the\b)", ", ", text).strip(", "))
    return tuple(question.items[place] for place in places if place < len(question.items))


def _agreement(starts: Sequence[float]) -> float:
    """Kendall's tau of times against the order given, in [-1, 1]."""
    pairs = list(itertools.combinations(starts, 2))
    if not pairs:
        return 0.0
    return float(sum(np.sign(later - earlier) for earlier, later in pairs)) / len(pairs)


def _overlap_share(option: str, inquiry: Inquiry, view: View, moments: tuple[Moment, ...]) -> float:
    found = extract_time_phrases(_timed_text(option)).range
    if re.search(r"\b(?:throughout|entire|whole|all)\b", option, re.IGNORECASE):
        window = TimeSpan(view.window.start_s, view.window.end_s)
        seen_s = sum(window.overlap_s(moment.span) for moment in moments)
        return 1.0 if seen_s > 0.7 * window.duration_s else 0.0
    asked = replace(
        inquiry.question, start_s=found.start_s, end_s=found.end_s, relative=found.relative
    )
    part = resolve_window(asked, view.memory, inquiry.options)
    span = TimeSpan(part.start_s, part.end_s)
    if part.instant:
        return float(any(m.start_s <= part.start_s < m.end_s for m in moments))
    total_s = sum(moment.span.duration_s for moment in moments)
    return sum(span.overlap_s(moment.span) for moment in moments) / max(total_s, 1e-9)


def _timed_text(option: str) -> str:
    """An option such as "Beginning." as the time phrase that it stands for."""
    text = option_text(option)
    if re.fullmatch(r"(?:the\s+)?(?:beginning|start|end|middle)", text, re.IGNORECASE):
        return f"at the {text.split()[-1].lower()} of the video"
    return text


def _names_time(text: str) -> bool:
    found = extract_time_phrases(_timed_text(text)).range
    named = found.start_s is not None or found.end_s is not None or found.relative is not None
    return named or bool(re.search(r"\bthroughout\b|\bentire video\b|\bwhole video\b", text))


def _yes_or_no(text: str) -> bool | None:
    return _YES_NO.get(re.split(r"[\s,.]", text.strip())[0]) if text.strip() else None


def _number(text: str) -> float | None:
    seconds = duration_value(text)
    return seconds if seconds is not None else first_number(text)


def _softmax(
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    weights = np.exp(values - values.max())
    return np.asarray(weights / weights.sum(), np.float64)
