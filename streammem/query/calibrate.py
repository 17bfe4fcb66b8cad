"""Scores become strengths over a background, so that absence can be told from presence.

A strength z counts standard deviations above what a query scores where it is absent. The shipped
background of the encoder sets its zero; the other memories asked may raise it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Background, Floats
from streammem.encoders.base import Encoder, Labels
from streammem.query.coding import code_variance
from streammem.query.memories import QueryMemory
from streammem.query.words import content_words

Strengths = NDArray[np.float64]

# Below this a background says nothing about its spread (a query that no background picture
# answers to at all); the smallest spreads of real encoders are several times larger.
MIN_STD = 0.005
# How far, in standard deviations, the other memories asked may raise the zero.
MAX_SHIFT = 1.0
# Fewer spans than this in the other memories are too few to judge a query by.
MIN_OTHER_SPANS = 16
# How many spans of each other memory are looked at, evenly spaced.
SPANS_PER_OTHER = 256
# The best of some thousand unrelated scores lies so many deviations out. Where codes widen the
# deviation, strengths give way by so much of it, so that the best of them stays where it was.
FAR_OUT = 3.5
# Phrases of a text background that spans are compared with, evenly spaced.
MAX_PHRASES = 128
# For no more cells than this the strengths of labels are not kept.
FEW_ROWS = 512
# A colour of an unknown thing keeps 0.59 of its confidence, two words of three 0.74, one 0.44.
UNKNOWN_EXPONENT = 0.75

_LABEL_STATISTICS: WeakKeyDictionary[Encoder, tuple[Strengths, Strengths]] = WeakKeyDictionary()
# The zeros of the texts asked last: of a library, each memory asks for the same one.
_ZEROS: WeakKeyDictionary[Encoder, dict[bytes, tuple[float, float]]] = WeakKeyDictionary()
_KEPT_ZEROS = 16


@dataclass(frozen=True, slots=True)
class Phrase:
    """A text in one encoder's space.

    `vector` is float32 `[D]`; `known_share` is the part of its content words that the encoder
    knows, 0 where it knows none; `found_share` is how often what is asked for is found where it
    is shown.
    """

    text: str
    vector: Floats
    unknown_words: tuple[str, ...]
    known_share: float
    found_share: float = 1.0


@dataclass(frozen=True, slots=True)
class Scale:
    """How a strength becomes a confidence."""

    midpoint: float
    scale: float

    def confidence(self, strength: float) -> float:
        """1 / (1 + exp(-(z - midpoint) / scale))."""
        return float(self.confidences(np.array([strength]))[0])

    def confidences(self, strengths: Strengths) -> Strengths:
        """The same for `[N]`."""
        exponents = np.clip((self.midpoint - strengths) / self.scale, -60.0, 60.0)
        result: Strengths = 1.0 / (1.0 + np.exp(exponents))
        return result

    def strength(self, confidence: float) -> float:
        """The strength that has this confidence."""
        share = min(max(confidence, 1e-9), 1.0 - 1e-9)
        return self.midpoint + self.scale * float(np.log(share / (1.0 - share)))


def read_phrase(encoder: Encoder, text: str) -> Phrase:
    """A text embedded, with the share of its content words that the encoder knows."""
    features = encoder.encode_text(text)
    content = content_words(text)
    unknown = tuple(word for word in features.unknown_words if word.lower() in content)
    if not np.any(features.embedding):
        share = 0.0
    elif content:
        share = 1.0 - len({word.lower() for word in unknown}) / len(content)
    else:
        share = 1.0
    return Phrase(text, features.embedding, unknown, share, features.found_share)


def trust(phrase: Phrase) -> float:
    """The factor on a confidence for words the encoder does not know.

    An unknown word beside a colour is mostly the thing that has it. Beside a noun it is another
    thing, or what is done, of which the noun says nothing: then half of the words are too few.
    """
    if phrase.known_share <= 0:
        return 0.0
    if phrase.found_share < 1.0:
        return phrase.known_share
    return math.pow(phrase.known_share, UNKNOWN_EXPONENT)


def scale_of(encoder: Encoder) -> Scale:
    """The encoder's own scale; the usual one where it ships no background."""
    background = encoder.background() or Background(vectors=np.zeros((0, 0), np.float32))
    return Scale(background.midpoint, background.scale)


def strengths(memory: QueryMemory, phrase: Phrase) -> Strengths:
    """Strength z of every span for a phrase, `[S]`, against the encoder's background alone."""
    if not len(memory.snapshot.ids):
        return np.zeros(0)
    scores = memory.snapshot.span_scores(phrase.vector).astype(np.float64)
    background = memory.encoder.background()
    zero = zero_of(memory.encoder, phrase)
    if zero is not None:
        mean, deviation = zero
        blur = np.sqrt(1 + code_variance(memory) / deviation**2) - 1
        fixed: Strengths = (scores - mean) / deviation - FAR_OUT * blur
        return fixed
    # Only a background of texts leaves the zero to the spans.
    means, stds = _span_statistics(memory, background) if background else (0.0, 1.0)
    z: Strengths = (scores - means) / stds
    return z


def zero_of(encoder: Encoder, phrase: Phrase) -> tuple[float, float] | None:
    """Mean and deviation of a phrase's scores where it is absent; None where each span has its own.

    A score s has the strength (s - mean) / deviation.
    """
    background = encoder.background()
    if background is None or not len(background.vectors):
        # Cosines of unrelated unit vectors spread by 1 / sqrt(D): a rough zero, but a fixed one.
        return 0.0, 1.0 / float(np.sqrt(len(phrase.vector)))
    if background.kind == "text":
        return None
    kept = _ZEROS.setdefault(encoder, {})
    key = phrase.vector.tobytes()
    if key not in kept:
        while len(kept) >= _KEPT_ZEROS:
            del kept[next(iter(kept))]
        absent = background.vectors @ phrase.vector
        kept[key] = float(absent.mean()), max(MIN_STD, float(absent.std()))
    return kept[key]


def shifted(own: Strengths, others: Sequence[Strengths]) -> Strengths:
    """Strengths over a zero raised, by a deviation at most, to what most other memories score.

    A query that scores high everywhere says little; what stands out of the other memories does.
    """
    pooled = [_spread_out(other) for other in others if len(other)]
    if sum(len(part) for part in pooled) < MIN_OTHER_SPANS:
        return own
    shift = float(np.clip(np.median(np.concatenate(pooled)), 0.0, MAX_SHIFT))
    return own - shift


def label_strengths(memory: QueryMemory, labels: Labels, rows: NDArray[np.int64]) -> Strengths:
    """Strength z of every label for some cells, `[R L]`, against the encoder's background.

    Those of all cells are kept from the first question on that needs many of them.
    """
    if len(rows) <= FEW_ROWS:
        return _label_strengths(memory, labels, memory.snapshot.keys[rows]).astype(np.float64)
    kept: tuple[tuple[str, ...], Floats] | None = memory.derived.get("label_strengths")
    if kept is None or kept[0] != labels.words:
        kept = (labels.words, _label_strengths(memory, labels, memory.snapshot.keys))
        memory.derived["label_strengths"] = kept
    return kept[1][rows].astype(np.float64)


def _label_strengths(memory: QueryMemory, labels: Labels, keys: Floats) -> Floats:
    """The same for keys `[R D]`, float32 to keep many of them."""
    scores: Floats = keys @ labels.vectors.T
    background = memory.encoder.background()
    if background is None or not len(background.vectors):
        scores *= np.float32(np.sqrt(keys.shape[1]))
        return scores
    if background.kind == "text":
        absent = keys @ background.vectors.T
        scores -= absent.mean(axis=1, keepdims=True)
        scores /= np.maximum(np.float32(MIN_STD), absent.std(axis=1, keepdims=True))
        return scores
    means, stds = _label_statistics(memory.encoder, labels, background)
    scores -= means.astype(np.float32)
    scores /= stds.astype(np.float32)
    return scores


def _label_statistics(
    encoder: Encoder, labels: Labels, background: Background
) -> tuple[Strengths, Strengths]:
    """What each label scores over the background pictures; computed once per encoder."""
    if encoder not in _LABEL_STATISTICS:
        absent = background.vectors @ labels.vectors.T
        _LABEL_STATISTICS[encoder] = (
            absent.mean(axis=0).astype(np.float64),
            np.maximum(MIN_STD, absent.std(axis=0)).astype(np.float64),
        )
    return _LABEL_STATISTICS[encoder]


def _span_statistics(memory: QueryMemory, background: Background) -> tuple[Strengths, Strengths]:
    """What generic phrases score on each span, keys and tokens alike; once per snapshot."""
    if "span_statistics" not in memory.derived:
        step = max(1, len(background.vectors) // MAX_PHRASES)
        scores = np.stack(
            [memory.snapshot.span_scores(vector) for vector in background.vectors[::step]]
        ).astype(np.float64)
        memory.derived["span_statistics"] = (
            scores.mean(axis=0),
            np.maximum(MIN_STD, scores.std(axis=0)),
        )
    means, stds = memory.derived["span_statistics"]
    return means, stds


def _spread_out(values: Strengths) -> Strengths:
    step = max(1, len(values) // SPANS_PER_OTHER)
    return values[::step]
