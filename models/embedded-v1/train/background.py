"""The background of scores that tells presence from absence, designed noun by noun.

The descriptor's part of a background vector is the descriptor's own shipped background, so that a
question about colours is answered as the descriptor answers it. The learned part is no sample of
pictures: in any sample people, animals and vehicles are so common that their own presence sets the
zero that they are measured from. Its vectors are made so that every noun has that mean and
deviation over them which it has over pictures that do not show it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from measure import Measured
from numpy.typing import NDArray
from pictures import DRAWS, PictureStore
from PIL import Image
from student import IMAGE_SIZE_PX

from streammem.encoders.embedded_tower import ImageTower

Floats = NDArray[np.float32]
Truths = NDArray[np.bool_]
POOL_PICTURES, POOL_TOKENS = 2000, 6000
# Presence by the teachers that counts as surely shown, and as not shown.
SURE, ABSENT = 0.7, 0.05
# A deviation is told from the highest scores among pictures without a noun, because it is their
# best that a question meets: the mean of the highest hundredth lies so many of them out.
HIGHEST, THEIR_MEAN = 0.01, 2.665
MIN_ABSENT = 200
# How much a noun counts that is not known, beside one that is.
WEIGHT_OF_GUESS = 0.1
# How strongly the design stays with what pictures are like where nouns leave it free.
NEARNESS, SHAPE_NEARNESS = 1e-3, 3e-3
DESIGN_STEPS, DESIGN_RATE = 800, 2e-4
# Made-up clips: many pictures, because the best of many scores is what a question meets.
CLIP_PICTURES = 24
CLIPS_PER_NOUN = 20
# The share of such clips without a noun that may still be taken for showing it.
FALSE_FINDS = 0.1
# Clips that a noun's share of finds begins with, found as often as those of all nouns.
BEFORE_ANY = 5


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and deviation per noun, both `[C]`; NaN where too few pictures are without it."""

    means: Floats
    deviations: Floats


@dataclass(frozen=True, slots=True)
class Clips:
    """Made-up clips: the best strength for a noun, whether it is shown, and which noun it is."""

    strengths: Floats
    shown: Truths
    nouns: NDArray[np.int64]


def pools(tower: ImageTower, work: Path) -> Floats:
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
    return np.concatenate([*whole, flat[rng.permutation(len(flat))[:POOL_TOKENS]]])


def _fitted(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    side = (IMAGE_SIZE_PX, IMAGE_SIZE_PX)
    scaled = Image.fromarray(pixels).resize(side, Image.Resampling.BILINEAR)
    return np.asarray(scaled).transpose(2, 0, 1)


def absent_scores(measured: Sequence[Measured], concepts: Sequence[int], asked: Floats) -> Spread:
    """How nouns with vectors `asked` `[C D]` score over pictures that do not show them."""
    scores, presence, known = _together(measured, concepts, asked)
    means, deviations = np.full((2, len(asked)), np.nan, np.float32)
    for place, of_noun in enumerate(scores.T):
        absent = np.sort(of_noun[known[:, place] & (presence[:, place] <= ABSENT)])
        if len(absent) >= MIN_ABSENT:
            highest = absent[-int(len(absent) * HIGHEST) :]
            means[place] = absent.mean()
            deviations[place] = (highest.mean() - absent.mean()) / THEIR_MEAN
    return Spread(means, deviations)


def design(natural: Floats, asked: Floats, wanted: Spread, weights: Floats, count: int) -> Floats:
    """`count` vectors `[count D]`, over which nouns have the spread wanted; else as in `natural`.

    `natural` `[N D]` are vectors of pictures, `asked` `[C D]` those of nouns, `weights` `[C]` say
    how much each noun counts.

    Means are linear in the mean of the vectors, squared deviations in their covariance: both are
    fitted with what is natural as a prior, then vectors are made that have exactly these moments.
    """
    used = np.isfinite(wanted.means) & (weights > 0)
    nouns, weight = asked[used].astype(np.float64), weights[used].astype(np.float64)
    natural = natural.astype(np.float64)
    root = np.linalg.cholesky(np.cov(natural.T) + 1e-6 * natural.var() * np.eye(natural.shape[1]))
    seen = nouns @ root
    missing = wanted.means[used] - nouns @ natural.mean(axis=0)
    normal = seen.T @ (weight[:, None] * seen)
    normal += NEARNESS * np.trace(normal) / len(normal) * np.eye(len(normal))
    centre = natural.mean(axis=0) + root @ np.linalg.solve(normal, seen.T @ (weight * missing))
    # Nouns are more than dimensions. Where a mean is missed, the highest scores stay in place.
    missed = (wanted.means[used] - nouns @ centre) / THEIR_MEAN
    shape = _shaped(root, nouns, wanted.deviations[used] + missed, weight)
    rng = np.random.default_rng(22)
    free = rng.standard_normal((count, len(centre)))
    directions, _ = np.linalg.qr(free - free.mean(axis=0))
    vectors: Floats = (centre + np.sqrt(count) * directions @ shape.T).astype(np.float32)
    return vectors


def _shaped(
    root: NDArray[np.float64], nouns: NDArray[np.float64], deviations: Floats, weight: Floats
) -> NDArray[np.float64]:
    """A root of a covariance near `root` that gives `nouns` their deviations."""
    natural, asked = torch.from_numpy(root), torch.from_numpy(nouns)
    logs = torch.from_numpy(np.log(deviations.astype(np.float64)))
    share = torch.from_numpy(weight / weight.sum())
    shape = natural.clone().requires_grad_()
    size = natural.square().sum()
    adam = torch.optim.Adam([shape], lr=DESIGN_RATE)
    for _ in range(DESIGN_STEPS):
        found = 0.5 * (asked @ shape).square().sum(1).log()
        away = (shape - natural).square().sum() / size
        loss = (share * (found - logs).square()).sum() + SHAPE_NEARNESS * away
        adam.zero_grad()
        loss.backward()
        adam.step()
    return shape.detach().numpy()


def clips_of(
    measured: Sequence[Measured], concepts: Sequence[int], asked: Floats, background: Floats
) -> Clips:
    """Strengths of nouns over made-up clips, half of which show a noun in two pictures."""
    rng = np.random.default_rng(23)
    usual = background @ asked.T
    scores, presence, known = _together(measured, concepts, asked)
    scores = (scores - usual.mean(axis=0)) / usual.std(axis=0)
    strengths: list[float] = []
    truths: list[bool] = []
    nouns: list[int] = []
    for place in range(len(asked)):
        sure = np.flatnonzero(known[:, place] & (presence[:, place] >= SURE))
        absent = np.flatnonzero(known[:, place] & (presence[:, place] <= ABSENT))
        if len(sure) < 2 or len(absent) < 4 * CLIP_PICTURES:
            continue
        for number in range(2 * CLIPS_PER_NOUN):
            shown = number % 2 == 0
            clip = rng.choice(absent, CLIP_PICTURES, replace=False)
            if shown:
                clip[:2] = rng.choice(sure, 2, replace=False)
            strengths.append(float(scores[clip, place].max()))
            truths.append(shown)
            nouns.append(place)
    return Clips(np.array(strengths, np.float32), np.array(truths), np.array(nouns))


def fit_spread(clips: Clips, midpoint: float) -> float:
    """The factor by which strengths must shrink, so that few clips pass that do not show a noun."""
    allowed = np.quantile(clips.strengths[~clips.shown], 1 - FALSE_FINDS)
    return float(allowed) / midpoint


def found_shares(clips: Clips, needed: float, count: int) -> Floats:
    """Per noun, of `count`, the share of clips that it is found in of those that show it."""
    passed = clips.strengths[clips.shown] >= needed
    nouns = clips.nouns[clips.shown]
    usual = passed.mean()
    finds = np.bincount(nouns, passed, count) + BEFORE_ANY * usual
    shares: Floats = (finds / (np.bincount(nouns, minlength=count) + BEFORE_ANY)).astype(np.float32)
    return shares


def _together(
    measured: Sequence[Measured], concepts: Sequence[int], asked: Floats
) -> tuple[Floats, Floats, Truths]:
    """Scores of nouns, their presence and whether that is known, over all pictures, `[N C]`."""
    return (
        np.concatenate([each.best(asked) for each in measured]),
        np.concatenate([each.presence[:, concepts] for each in measured]),
        np.concatenate([each.known[:, concepts] for each in measured]),
    )
