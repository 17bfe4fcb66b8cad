"""The background of scores that tells presence from absence, with its one constant for nouns.

The descriptor's part of a background vector is the descriptor's own shipped background, so that a
question about colours is answered as the descriptor answers it. The learned part is chosen so that
every noun's score has about the same mean and deviation over it, and then spread out by a factor
that puts nouns on the descriptor's scale of confidence.
"""

from pathlib import Path

import numpy as np
from measure import Measured
from numpy.typing import NDArray
from pictures import DRAWS, PictureStore
from PIL import Image
from student import IMAGE_SIZE_PX

from streammem.encoders.embedded_tower import ImageTower

Floats = NDArray[np.float32]
Truths = NDArray[np.bool_]
POOL_PICTURES, POOL_TOKENS = 2000, 6000
TRIES = 300
# What every noun's score should be over the background, as shares of its highest scores.
WANTED_MEAN, WANTED_STD = 0.1, 0.25
# Made-up clips: many pictures, because the best of many scores is what a question meets.
CLIP_PICTURES = 24
CLIPS_PER_NOUN = 10
SURE, ABSENT = 0.7, 0.05
# The share of such clips without a noun that may still be taken for showing it.
FALSE_FINDS = 0.1


def pools(tower: ImageTower, work: Path) -> list[Floats]:
    """Embeddings and tokens of training pictures, drawn by the weights of their sets."""
    store = PictureStore(work)
    rows = np.array(store.of_split("train"))
    weights = np.array([DRAWS[store.pictures[row].set] for row in rows], np.float64)
    rng = np.random.default_rng(21)
    drawn = rng.choice(rows, POOL_PICTURES, replace=False, p=weights / weights.sum())
    whole, tokens = [], []
    for first in range(0, len(drawn), 32):
        fitted = np.stack([_fitted(store.pixels(int(row))) for row in drawn[first : first + 32]])
        found = tower.encode(fitted)
        whole.append(found[0])
        tokens.append(found[1].reshape(-1, found[1].shape[-1]))
    flat = np.concatenate(tokens)
    return [np.concatenate(whole), flat[rng.permutation(len(flat))[:POOL_TOKENS]]]


def _fitted(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    side = (IMAGE_SIZE_PX, IMAGE_SIZE_PX)
    scaled = Image.fromarray(pixels).resize(side, Image.Resampling.BILINEAR)
    return np.asarray(scaled).transpose(2, 0, 1)


def choose_vectors(pools: list[Floats], asked: Floats, count: int) -> Floats:
    """Vectors from the pools in turn that give all asked nouns alike means and deviations."""
    rng = np.random.default_rng(22)
    every = np.concatenate(pools) @ asked.T
    middle, highest = np.median(every, axis=0), np.quantile(every, 0.995, axis=0)
    scores = [(pool @ asked.T - middle) / (highest - middle) for pool in pools]
    sums, squares = np.zeros(len(asked)), np.zeros(len(asked))
    wanted_square = WANTED_MEAN**2 + WANTED_STD**2
    chosen = []
    for number in range(1, count + 1):
        which = number % len(pools)
        rows = rng.choice(len(pools[which]), TRIES, replace=False)
        tried = scores[which][rows]
        means = (sums + tried) / number - WANTED_MEAN
        second = (squares + tried**2) / number - wanted_square
        cost = (means / WANTED_STD) ** 2 + 0.5 * (second / WANTED_STD**2) ** 2
        row = rows[cost.sum(axis=1).argmin()]
        chosen.append(pools[which][row])
        sums += scores[which][row]
        squares += scores[which][row] ** 2
    return np.stack(chosen)


def clip_strengths(
    measured: Measured, concepts: list[int], asked: Floats, background: Floats
) -> tuple[Floats, Truths]:
    """Strengths of nouns over made-up clips of validation pictures, and whether they are shown."""
    rng = np.random.default_rng(23)
    usual = background @ asked.T
    scores = (measured.best(asked) - usual.mean(axis=0)) / usual.std(axis=0)
    found: list[float] = []
    truths: list[bool] = []
    for place, concept in enumerate(concepts):
        presence, known = measured.presence[:, concept], measured.known[:, concept]
        sure = np.flatnonzero(known & (presence >= SURE))
        absent = np.flatnonzero(known & (presence <= ABSENT))
        if len(sure) < 2 or len(absent) < 4 * CLIP_PICTURES:
            continue
        for number in range(2 * CLIPS_PER_NOUN):
            shown = number % 2 == 0
            clip = rng.choice(absent, CLIP_PICTURES, replace=False)
            if shown:
                clip[:2] = rng.choice(sure, 2, replace=False)
            found.append(float(scores[clip, place].max()))
            truths.append(shown)
    return np.array(found, np.float32), np.array(truths)


def fit_spread(strengths: Floats, shown: Truths, midpoint: float) -> float:
    """The factor by which strengths must shrink, so that few clips pass that do not show a noun."""
    allowed = np.quantile(strengths[~shown], 1 - FALSE_FINDS)
    return float(allowed) / midpoint
