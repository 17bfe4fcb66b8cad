"""Word vectors solved in closed form: right where views show the concept, trusted only there."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

TRAIN = Path(__file__).resolve().parents[2] / "models" / "embedded-v1" / "train"
WIDTH = 12
VIEWS = 4_000


@pytest.fixture
def solve(monkeypatch):
    """The module, forgotten again afterwards with those that it imports."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(TRAIN))
    yield importlib.import_module("solve")
    for name in set(sys.modules) - before:
        if (TRAIN / f"{name}.py").is_file():
            del sys.modules[name]


def sums_of(solve, embeddings, presence):
    """Sums as those of views, of what is known throughout."""
    moved = embeddings - embeddings.mean(axis=0)
    products = (presence - presence.mean(axis=0)).T @ moved
    return solve.Sums(moved.T @ moved, products, presence.sum(axis=0), len(embeddings))


def test_a_solved_vector_tells_its_concept_from_what_comes_with_it(solve):
    """Grass lies behind most dogs and many others: the dog's vector must not be the grass's."""
    rng = np.random.default_rng(1)
    grass = rng.random(VIEWS) < 0.5
    dog = rng.random(VIEWS) < np.where(grass, 0.4, 0.05)
    embeddings = 0.3 * rng.normal(size=(VIEWS, WIDTH))
    embeddings[:, 0] += dog
    embeddings[:, 1] += grass

    presence = np.stack([dog, grass], axis=1).astype(float)
    sums = sums_of(solve, embeddings, presence)
    found = sums.vectors(0.03)

    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    leaning_on_grass = sums.products[0, 1] / np.linalg.norm(sums.products[0])
    assert found[0, 0] > 0.95
    assert abs(found[0, 1]) < 0.5 * leaning_on_grass


def test_trust_grows_with_what_was_shown(solve):
    shown = np.array([0.0, 1.0, solve.HALF_TRUSTED, 5_000.0], np.float32)
    sums = solve.Sums(np.eye(2, dtype=np.float32), np.zeros((4, 2), np.float32), shown, 8_000)

    trust = sums.trust[:, 0]

    assert trust[0] == 0
    assert trust[2] == pytest.approx(0.5)
    assert np.all(np.diff(trust) > 0)
    assert trust[3] < 1
