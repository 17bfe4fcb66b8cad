"""The background of scores that is made for nouns: where its zero lies, and what passes over it."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

TRAIN = Path(__file__).resolve().parents[2] / "models" / "embedded-v1" / "train"
DIM, NOUNS, PICTURES = 24, 12, 900
MIDPOINT = 2.26


@pytest.fixture
def training(monkeypatch):
    """`background` and `measure`, forgotten again afterwards with those that they import."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(TRAIN))
    names = ("background", "measure")
    yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    for name in set(sys.modules) - before:
        if (TRAIN / f"{name}.py").is_file():
            del sys.modules[name]


def _unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def _world(training, *, common: float, seed: int = 0):
    """Pictures of noun vectors: the first noun is in a share `common` of them, the others rare."""
    rng = np.random.default_rng(seed)
    nouns = _unit(rng.normal(size=(NOUNS, DIM)))
    chances = np.full(NOUNS, 0.03)
    chances[0] = common
    shown = rng.random((PICTURES, NOUNS)) < chances
    whole = _unit(0.6 * rng.normal(size=(PICTURES, DIM)) / np.sqrt(DIM) + 0.7 * shown @ nouns)
    measured = training.measure.Measured(
        whole, whole[:, None], whole, whole, shown.astype(np.float32), np.ones_like(shown)
    )
    return nouns, measured


def test_vectors_are_made_with_the_spread_that_every_noun_should_have(training):
    """Of far more nouns than a sample of pictures could fit, and without a change elsewhere."""
    rng = np.random.default_rng(1)
    natural = rng.normal(size=(4000, DIM)).astype(np.float32) * np.linspace(0.05, 0.3, DIM)
    nouns = _unit(rng.normal(size=(NOUNS, DIM)))
    wanted = training.background.Spread(
        rng.uniform(-0.2, 0.3, NOUNS).astype(np.float32),
        rng.uniform(0.05, 0.4, NOUNS).astype(np.float32),
    )

    made = training.background.design(natural, nouns, wanted, np.ones(NOUNS, np.float32), 64)

    scores = made @ nouns.T
    np.testing.assert_allclose(scores.mean(axis=0), wanted.means, atol=0.02)
    np.testing.assert_allclose(scores.std(axis=0), wanted.deviations, rtol=0.1)
    assert made.shape == (64, DIM)


def test_nouns_without_a_measure_leave_the_background_natural(training):
    """Too few pictures without a noun say nothing about its zero."""
    rng = np.random.default_rng(2)
    natural = rng.normal(0.1, 0.2, size=(4000, DIM)).astype(np.float32)
    nouns = _unit(rng.normal(size=(2, DIM)))
    wanted = training.background.Spread(np.float32([0.4, np.nan]), np.float32([0.3, np.nan]))

    made = training.background.design(natural, nouns, wanted, np.ones(2, np.float32), 64)

    other = nouns[1] - nouns[0] * (nouns[0] @ nouns[1])
    assert (made @ other).mean() == pytest.approx((natural @ other).mean(), abs=0.02)
    assert (made @ other).std() == pytest.approx((natural @ other).std(), rel=0.1)


def test_a_common_noun_is_measured_from_pictures_without_it(training):
    """However many show it: else its own presence sets the zero, and it is never seen."""
    spreads = []
    for common in (0.03, 0.6):
        nouns, measured = _world(training, common=common)
        spread = training.background.absent_scores([measured], range(NOUNS), nouns)
        spreads.append((spread.means[0], spread.deviations[0]))
        sampled = (measured.whole @ nouns[0]).mean()

    np.testing.assert_allclose(spreads[0], spreads[1], rtol=0.2, atol=0.02)
    assert sampled > 2 * spreads[1][0] + 0.1


def test_few_clips_pass_for_a_noun_that_they_do_not_show(training):
    """And of clips with it most are found, the common noun too; each noun tells its own share."""
    made = training.background
    nouns, measured = _world(training, common=0.6)
    wanted = made.absent_scores([measured], range(NOUNS), nouns)
    background = made.design(measured.whole, nouns, wanted, np.ones(NOUNS, np.float32), 64)

    clips = made.clips_of([measured], range(NOUNS), nouns, background)
    needed = MIDPOINT * made.fit_spread(clips, MIDPOINT)
    shares = made.found_shares(clips, needed, NOUNS)

    wrong = (clips.strengths[~clips.shown] >= needed).mean()
    assert wrong == pytest.approx(made.FALSE_FINDS, abs=0.02)
    assert shares.min() > 0.7
    assert shares[0] > 0.9


def test_the_share_of_finds_begins_with_that_of_all_nouns(training):
    """A noun of which no clip could be made is found as often as others are."""
    clips = training.background.Clips(
        np.float32([3, 3, 3, 1, 9]),
        np.array([True, True, True, True, False]),
        np.array([0, 0, 0, 1, 1]),
    )

    shares = training.background.found_shares(clips, 2.0, 3)

    before = training.background.BEFORE_ANY
    assert shares[2] == pytest.approx(0.75)
    assert shares[0] == pytest.approx((3 + before * 0.75) / (3 + before))
    assert shares[1] == pytest.approx(before * 0.75 / (1 + before))
