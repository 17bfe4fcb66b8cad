"""The operators for words: what was said, what was to be read, when, and how often."""

import re
from dataclasses import replace

from streammem.core.types import Channel
from streammem.query.anchors import anchored_windows
from streammem.query.cues import query_words
from streammem.query.inquiry import Inquiry, View
from streammem.query.intents import carries_words, spoken_words
from streammem.query.moments import Moment, best_first, covered_s
from streammem.query.outcome import Outcome
from streammem.query.ranges import Window
from streammem.query.told import READ, SPOKEN, Told, in_window, join_mentions, told, within
from streammem.query.words import FUNCTION_WORDS

NOT_TRANSCRIBED = "somebody speaks in this memory, but what is said was not transcribed"
# How long "what is said after ..." listens, in seconds.
LISTENED_S = 30.0
# Whoever reads them, subtitles are what was said.
_SUBTITLES = re.compile(r"\b(?:subtitles?|closed\s+captions?)\b", re.IGNORECASE)
_ANCHORED = frozenset({"before", "after", "while", "between", "next"})


def words_asked_for(inquiry: Inquiry) -> str:
    """`read` for written words, `said` for spoken ones."""
    question = inquiry.question
    if _SUBTITLES.search(question.text):
        return "said"
    return "read" if "read" in {question.intent, question.asked} else "said"


def telling(inquiry: Inquiry, view: View) -> Outcome:
    """What a question for words asks for: quotes, or their number or length."""
    channels = READ if words_asked_for(inquiry) == "read" else SPOKEN
    if not _holds(view, channels):
        what = "on-screen text" if channels == READ else "speech or subtitles"
        return Outcome(notes=(f"this memory holds no {what}",))
    question = inquiry.question
    if question.relation in _ANCHORED and question.anchor is not None:
        return _beside(inquiry, view, channels)
    found = _found(inquiry, view, view.window, channels)
    if not found.found and not _has_words(view, channels):
        return Outcome(confidence=found.confidence, notes=(NOT_TRANSCRIBED,))
    if question.relation in {"first", "last", "nth"} and found.found:
        return _ranked(inquiry, found)
    return _measured(inquiry, found)


def _holds(view: View, channels: frozenset[Channel]) -> bool:
    cues = view.memory.cues
    return cues is not None and bool(cues.channels() & channels)


def _has_words(view: View, channels: frozenset[Channel]) -> bool:
    cues = view.memory.cues
    return cues is not None and any(
        row.cue.text for row in cues.rows.values() if row.cue.channel in channels
    )


def _found(inquiry: Inquiry, view: View, window: Window, channels: frozenset[Channel]) -> Told:
    """The cues of a window that the question's phrase fits; all of them where it names none."""
    phrase = spoken_words(inquiry.question.phrase)
    minimum = inquiry.options.min_confidence
    if not phrase or not names_topic(phrase):
        every = in_window(view.memory, window, view.scale, channels=channels)
        return _all(every)
    fits = told(view.memory, phrase, window, view.scale, channels=channels, min_confidence=minimum)
    if fits.found or channels != READ:
        return fits
    # "What is written on the red door?" names where the words are, not the words.
    places = inquiry.seen(view, phrase, window).found
    shown = within(in_window(view.memory, window, view.scale, channels=channels), places)
    return _all(shown) if shown else fits


def names_topic(phrase: str) -> bool:
    """Whether a phrase says what the words are about, and not only who or what carries them."""
    telling_words = set(query_words(phrase)) - FUNCTION_WORDS
    return any(not carries_words(word) for word in telling_words)


def _all(moments: list[Moment]) -> Told:
    quoted = tuple(moment for moment in moments if moment.text) or tuple(moments)
    best = max((moment.confidence for moment in quoted), default=0.0)
    return Told(quoted, tuple(best_first(quoted)), best)


def _beside(inquiry: Inquiry, view: View, channels: frozenset[Channel]) -> Outcome:
    """Words before, after or during another event."""
    windows = anchored_windows(inquiry, view)
    if isinstance(windows, Outcome):
        return windows
    anchor, parts = windows
    relation = inquiry.question.relation
    found: list[Moment] = []
    for part in parts:
        if relation in {"after", "next"}:
            part = part.before(min(part.end_s, anchor.end_s + LISTENED_S))
        elif relation == "before":
            part = part.after(max(part.start_s, anchor.start_s - LISTENED_S))
        found += [
            moment
            for moment in _found(inquiry, view, part, channels).found
            if moment.start_s != anchor.start_s
        ]
    if not found:
        return Outcome(notes=("no words are there",))
    if relation == "next":
        found = found[:1]
    best = max(moment.confidence for moment in found)
    return Outcome(moments=tuple(found), confidence=min(anchor.confidence, best))


def _ranked(inquiry: Inquiry, found: Told) -> Outcome:
    mentions = join_mentions(found.found)
    ordinal = {"first": 1, "last": -1}.get(
        inquiry.question.relation or "", inquiry.question.ordinal or 1
    )
    place = ordinal - 1 if ordinal > 0 else len(mentions) + ordinal
    if not 0 <= place < len(mentions):
        note = f"it is said {len(mentions)} times in all"
        return Outcome(nearest=found.nearest, confidence=found.confidence, notes=(note,))
    return Outcome(moments=(mentions[place],), confidence=mentions[place].confidence)


def _measured(inquiry: Inquiry, found: Told) -> Outcome:
    intent = inquiry.question.intent
    if not found.found:
        return Outcome(nearest=found.nearest, confidence=found.confidence)
    outcome = Outcome(moments=found.found, confidence=found.confidence)
    if intent == "count":
        mentions = tuple(join_mentions(found.found))
        return replace(outcome, moments=mentions, value=len(mentions))
    if intent == "duration":
        return replace(outcome, value=covered_s(found.found))
    return outcome
