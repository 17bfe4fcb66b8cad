"""Which memories of a large library a question has to be opened in, by bounds on what each can say.

A bound is the largest confidence that a memory can have for a text: from its event keys, from the
words of its cues, and from the codes of what they mean.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats, Question
from streammem.query.cues import (
    COVERAGE_EXPONENT,
    FEW_CUES,
    MEANING_MIDPOINT,
    MEANING_SCALE,
    MEANING_SPREAD,
    SHORTEST_PREFIX,
    SURE,
    query_words,
)
from streammem.query.forms import SAME, stem
from streammem.query.intents import spoken_words
from streammem.query.speech import names_topic

Bounds = NDArray[np.float64]

# So many memories are opened at most before it is asked whether more could answer, and at least.
OPENED = 24
FEWEST_OPENED = 4
# Memories beyond those that fill the evidence by themselves, since it is not chosen by rank alone.
SPARE = 2
# The cosine of a cue is compared again, exactly; its code may tell this much too little.
RESCORED_MORE = 0.03
_WORDS = frozenset({"said", "read"})
_OPEN_ENDED = frozenset({"describe", "now"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing a memory has to hold: any of `texts`, seen or told, or told only."""

    texts: tuple[str, ...]
    told_only: bool = False


def wanted_of(question: Question) -> tuple[Wanted, ...]:
    """What a memory has to hold to answer; none where every memory has something to say."""
    if question.state is not None or question.intent in _OPEN_ENDED:
        return ()
    if question.intent in _WORDS or question.asked in _WORDS:
        return _told(question)
    named = tuple(filter(None, (question.phrase, *question.items, *question.choices)))
    if question.intent == "choose" or question.items:
        return (Wanted(named),) if named else ()
    if question.intent == "what_at" and (question.start_s is not None or question.relative):
        return ()
    anchors = tuple(filter(None, (question.anchor, question.anchor_end)))
    phrase = (question.phrase,) if question.phrase else ()
    if question.intent in {"when", "exists", "count"} and not phrase:
        return ()
    return tuple(Wanted((text,)) for text in (*phrase, *anchors))


def _told(question: Question) -> tuple[Wanted, ...]:
    if not question.phrase or not names_topic(spoken_words(question.phrase)):
        return ()
    anchors = tuple(filter(None, (question.anchor, question.anchor_end)))
    # Written words may be asked for by the place where they are seen.
    reads = "read" in {question.intent, question.asked}
    about = Wanted((spoken_words(question.phrase),), told_only=not reads)
    return (about, *(Wanted((text,)) for text in anchors))


def adds_up(question: Question) -> bool:
    """Whether every memory that holds anything belongs to the answer."""
    return question.intent in {"count", "duration"} and question.asked != "interval"


def needed(question: Question, min_confidence: float, found_share: float) -> float:
    """The bound from which on a memory may change the answer.

    A "no" and a count of zero say that nothing comes near: a memory bears that out only where its
    certainty of absence, (1 - confidence) * found_share, is as high as an answer's has to be. Where
    it never is, there is no "no".
    """
    if question.intent not in {"exists", "count", "duration"} or found_share < min_confidence:
        return min_confidence
    return min(min_confidence, 1.0 - min_confidence / found_share) if found_share else 0.0


def word_terms(text: str) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """For each word of a text that a cue should hold: the word, words that do, their beginnings."""
    terms = []
    for word in query_words(text):
        others = (SAME[word],) if word in SAME else ()
        begins = tuple(part for part in {word, stem(word)} if len(part) >= SHORTEST_PREFIX)
        terms.append((word, (word, *others), begins))
    return terms


def word_bounds(
    text: str, holders: Callable[[str, tuple[str, ...], tuple[str, ...]], set[str]]
) -> Mapping[str, float]:
    """The largest confidence by its words that a cue of each memory can have, by memory id.

    A word that a memory holds counts at most as much as one that it lacks, so the share of words
    held bounds the share of their weights.
    """
    terms = word_terms(text)
    held: dict[str, int] = {}
    for word, words, begins in terms:
        for memory_id in holders(word, words, begins):
            held[memory_id] = held.get(memory_id, 0) + 1
    return {
        memory_id: SURE * (count / len(terms)) ** COVERAGE_EXPONENT
        for memory_id, count in held.items()
    }


def meaning_bounds(best: Bounds, counts: NDArray[np.int64], margin: float) -> Bounds:
    """About the largest confidence by meaning, from the best cosine `[N]` among `counts` cues."""
    most = np.sqrt(2 * np.log(np.maximum(2, counts))) - np.sqrt(2 * np.log(FEW_CUES))
    midpoints = MEANING_MIDPOINT + MEANING_SPREAD * np.maximum(0.0, most) + margin
    exponents = np.clip((midpoints - best - RESCORED_MORE) / MEANING_SCALE, -60.0, 60.0)
    bounds: Bounds = SURE / (1.0 + np.exp(exponents))
    return bounds


def code_cosines(query: Floats, codes: NDArray[np.uint8]) -> Floats:
    """What `TextEncoder.similarities` gives for signs `[N D/8]`, without unpacking them."""
    dim = 8 * codes.shape[1]
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32) * 2 - 1
    sums = bits @ query.reshape(-1, 8).T
    total = np.zeros(len(codes), np.float32)
    for place in range(codes.shape[1]):
        total += sums[codes[:, place], place]
    return np.asarray(total / np.sqrt(2 * dim / np.pi), np.float32)
