"""What the finished encoder knows: measured on the validation pictures against the teachers."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from picture_words import COCO_NAMES
from teachers import Classifier
from train import Targets
from views import Views
from words import Vocabulary

from streammem.encoders.embedded_text import APPEARANCE_WORDS
from streammem.encoders.embedded_tower import ImageTower

Floats = NDArray[np.float32]
# Presence by the teachers that counts as shown, and as not shown.
SHOWN, NOT_SHOWN = 0.5, 0.1
MIN_SHOWN = 5
# A noun is known where it is found this far on the way from chance to always.
MIN_GAIN = 0.2
# General words that are worth a place in the list beside the labels' own.
GENERAL = (
    "animal", "bird", "dog", "cat", "fish", "insect", "reptile", "snake", "monkey", "ape",
    "vehicle", "wheeled vehicle", "boat", "ship", "truck", "aircraft", "furniture", "computer",
    "weapon", "tool", "musical instrument", "flower", "tree", "fruit", "vegetable", "food",
    "building", "clothes", "footwear", "ball", "container", "wild dog", "big cat", "spider",
    "butterfly",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NounFound:
    """How well a noun is found: average precision, what chance would give, and on how many."""

    precision: float
    chance: float
    shown: int

    @property
    def known(self) -> bool:
        """Whether the encoder may say that it knows this noun."""
        return self.precision - self.chance >= MIN_GAIN * (1 - self.chance)


@dataclass(frozen=True, slots=True)
class Measured:
    """Vectors of the validation pictures and what the teachers see in them."""

    whole: Floats
    tokens: Floats
    probabilities: Floats
    boxes: Floats
    presence: Floats
    known: NDArray[np.bool_]

    def best(self, vectors: Floats) -> Floats:
        """Scores `[N C]`: the better of the whole and its best token, as questions see them."""
        scores = self.whole @ vectors.T
        for row, tokens in enumerate(self.tokens):
            scores[row] = np.maximum(scores[row], (tokens @ vectors.T).max(axis=0))
        return scores


def measure(
    tower: ImageTower, work: Path, weights: Path, vocabulary: Vocabulary, *, split: str = "val"
) -> Measured:
    """Encode validation pictures, or those composed of them, and ask the teachers about them."""
    views = Views(work, weights, 0, split=split)
    targets = Targets(vocabulary, Classifier(weights))
    rows: list[list[Floats]] = []
    for first in range(0, len(views), 32):
        batch = torch.utils.data.default_collate(
            [views[row] for row in range(first, min(len(views), first + 32))]
        )
        whole, tokens = tower.encode(batch["pixels"].numpy())
        truth = batch["logits"].softmax(-1)
        presence, known = targets.presence(truth, batch["whole_boxes"], batch["words"])
        parts = (truth, batch["whole_boxes"], presence, known)
        rows.append([whole, tokens, *(part.numpy() for part in parts)])
    joined = [np.concatenate(parts) for parts in zip(*rows, strict=True)]
    return Measured(*joined)


def nouns_to_measure(vocabulary: Vocabulary) -> list[str]:
    """One word per concept: the labels' own words and some general ones."""
    chosen: dict[int, str] = {}
    for word in (*COCO_NAMES, *vocabulary.picture_leaf, *GENERAL, *vocabulary.leaves):
        concept = vocabulary.words.get(word)
        if concept is not None and word not in APPEARANCE_WORDS:
            chosen.setdefault(concept, word)
    return list(chosen.values())


def average_precision(scores: Floats, shown: NDArray[np.bool_]) -> float:
    """Mean of the precision at each picture that shows it."""
    order = np.argsort(-scores, kind="stable")
    hits = shown[order]
    found = np.cumsum(hits)
    return float((found / np.arange(1, len(hits) + 1))[hits].mean())


def noun_precisions(
    measured: Measured, vocabulary: Vocabulary, vectors: Floats, *, min_shown: int = MIN_SHOWN
) -> dict[str, NounFound]:
    """How well every noun that `min_shown` pictures show is found, best first."""
    nouns = nouns_to_measure(vocabulary)
    concepts = [vocabulary.words[noun] for noun in nouns]
    scores = measured.best(vectors[concepts])
    found = {}
    for place, (noun, concept) in enumerate(zip(nouns, concepts, strict=True)):
        presence, known = measured.presence[:, concept], measured.known[:, concept]
        used = known & ((presence >= SHOWN) | (presence <= NOT_SHOWN))
        shown = presence[used] >= SHOWN
        if shown.sum() >= min_shown:
            precision = average_precision(scores[used, place], shown)
            found[noun] = NounFound(precision, float(shown.mean()), int(shown.sum()))
    return dict(sorted(found.items(), key=lambda item: -item[1].precision))


def agreement(measured: Measured, singles: Floats) -> dict[str, float]:
    """How often the teacher's class is first, or among the first five, of the 1,000 labels."""
    order = np.argsort(-(measured.whole @ singles.T), axis=1)
    best = measured.probabilities.argmax(axis=1)
    rank = (order == best[:, None]).argmax(axis=1)
    sure = measured.probabilities.max(axis=1) > 0.5
    return {
        "top1": float((rank < 1).mean()),
        "top5": float((rank < 5).mean()),
        "top1_where_teacher_is_sure": float((rank[sure] < 1).mean()),
        "top5_where_teacher_is_sure": float((rank[sure] < 5).mean()),
        "pictures": len(rank),
        "sure_pictures": int(sure.sum()),
    }


def coco_precision(measured: Measured, vocabulary: Vocabulary, vectors: Floats) -> dict[str, float]:
    """Average precision of COCO classes against the detector's boxes, where there are enough."""
    scores = measured.best(vectors[[vocabulary.words[name] for name in COCO_NAMES]])
    found = {}
    for row, name in enumerate(COCO_NAMES):
        shown = measured.boxes[:, row] >= 0.65
        if shown.sum() >= MIN_SHOWN:
            found[name] = average_precision(scores[:, row], shown)
    return found
