"""What a standing question looks for, as vectors, and how strongly frames and cells answer it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streammem.core.alerts import MIN_MEASURED_STRENGTH, AlertRule
from streammem.core.errors import UsageError
from streammem.core.types import Floats
from streammem.encoders.base import Encoder
from streammem.query.calibrate import MAX_PHRASES, MIN_STD, Phrase, read_phrase, zero_of
from streammem.query.coding import code_variance
from streammem.query.memories import QueryMemory
from streammem.query.parse import parse_question

Strengths = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Target:
    """What one rule looks for: a text or a picture as a vector `[D]`, and words without meaning."""

    phrase: Phrase

    @property
    def note(self) -> str | None:
        """What of a text is overlooked, None where nothing is."""
        unknown = self.phrase.unknown_words
        if not unknown:
            return None
        named = ", ".join(f"'{word}'" for word in unknown)
        return f"this encoder does not know {named}; the alert looks for the other words"


def text_target(encoder: Encoder, text: str) -> Target:
    """The target of a description, or of a wish to be told ("let me know when ...").

    Raises:
        UsageError: the encoder knows none of its words.
    """
    wish = parse_question(text)
    phrase = read_phrase(encoder, wish.phrase or text)
    if phrase.known_share <= 0:
        raise UsageError(
            f"the encoder {encoder.spec.id} knows no word of the alert {text!r}",
            hint="say it in other words, show a picture with --alert-image, or pull an encoder "
            "that knows more: streammem models list",
            code="unknown_words",
        )
    return Target(phrase)


def image_target(vector: Floats) -> Target:
    """The target of a picture whose unit embedding `[D]` is given."""
    return Target(Phrase("", vector, (), 1.0))


def suited(rule: AlertRule, target: Target) -> AlertRule:
    """A rule that states no least strength, with the one for what the encoder was measured on."""
    if rule.min_strength is None and target.phrase.found_share < 1.0:
        return replace(rule, min_strength=MIN_MEASURED_STRENGTH)
    return rule


class Gate:
    """The strengths of all rules for one encoder. Pure: equal frames give equal bits.

    A frame is compared on its own, so that results do not depend on how frames are batched.
    """

    def __init__(self, encoder: Encoder, targets: Sequence[Target]) -> None:
        """The gate of some rules, in their order."""
        self._queries = np.stack([target.phrase.vector for target in targets]).astype(np.float64)
        zeros = [zero_of(encoder, target.phrase) for target in targets]
        self._absent: Strengths | None = None
        if any(zero is None for zero in zeros):
            background = encoder.background()
            vectors = background.vectors if background is not None else self._queries[:0]
            step = max(1, len(vectors) // MAX_PHRASES)
            self._absent = vectors[::step].astype(np.float64)
        else:
            self._means = np.array([zero[0] for zero in zeros if zero is not None])
            self._deviations = np.array([zero[1] for zero in zeros if zero is not None])

    def strengths(self, embeddings: Floats) -> Strengths:
        """Strength z of every rule for every frame, `[B A]`, of unit embeddings `[B D]`."""
        found = np.empty((len(embeddings), len(self._queries)))
        for row, embedding in enumerate(embeddings.astype(np.float64)):
            found[row] = self._of_frame(embedding)
        return found

    def _of_frame(self, embedding: Strengths) -> Strengths:
        scores: Strengths = self._queries @ embedding
        if self._absent is None:
            found: Strengths = (scores - self._means) / self._deviations
            return found
        absent = self._absent @ embedding
        own: Strengths = (scores - absent.mean()) / max(MIN_STD, float(absent.std()))
        return own


def cell_strengths(memory: QueryMemory, target: Target) -> Strengths:
    """The same for every span of a memory, `[S]`, on the scale of frames.

    Where narrow codes blur a span, its strength is drawn to its zero by so much, since a camera's
    own calibration could not tell a blur from a change.
    """
    scores = memory.snapshot.span_scores(target.phrase.vector).astype(np.float64)
    zero = zero_of(memory.encoder, target.phrase)
    if zero is None:
        background = memory.encoder.background()
        vectors = background.vectors if background is not None else target.phrase.vector[None]
        step = max(1, len(vectors) // MAX_PHRASES)
        absent = np.stack([memory.snapshot.span_scores(vector) for vector in vectors[::step]])
        means, deviations = absent.mean(axis=0), np.maximum(MIN_STD, absent.std(axis=0))
        found: Strengths = (scores - means) / deviations
        return found
    mean, deviation = zero
    blur = np.sqrt(1.0 + code_variance(memory) / deviation**2)
    sharpened: Strengths = (scores - mean) / deviation / blur
    return sharpened
