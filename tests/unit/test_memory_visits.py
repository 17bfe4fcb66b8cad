"""Visits of one cell told apart by their sketches."""

import numpy as np
import pytest

from streammem.core.types import Floats
from streammem.memory.codes import to_fixed_point
from streammem.memory.signs import Limbs, SignCode
from streammem.memory.visits import VisitSketches

CODE = SignCode(512)


def unit(rows: np.ndarray) -> Floats:
    result: Floats = (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)
    return result


def signs_of(rows: Floats) -> Limbs:
    return CODE.encode(to_fixed_point(rows))


def merged(views: float, seed: int = 0) -> tuple[Floats, Floats]:
    """The key of a cell and twelve visits at a distance of `views` from it."""
    rng = np.random.default_rng(seed)
    key = unit(rng.standard_normal(512))
    return key, unit(key + views * unit(rng.standard_normal((12, 512))))


def test_agreement_is_the_cosine_with_the_key() -> None:
    """Estimated from as many signs as a sketch has."""
    key, visits = merged(views=1.0)

    sketches = VisitSketches.of(
        CODE, signs_of(visits)[:, :2], np.repeat(signs_of(key[None]), 12, axis=0)
    )

    assert sketches.agreement == pytest.approx(visits @ key, abs=0.25)


def test_a_visit_that_is_its_key_keeps_the_score_of_the_key() -> None:
    """Nothing is added to what the key says better."""
    key, _ = merged(views=0.0)
    limbs = signs_of(key[None])
    sketches = VisitSketches.of(CODE, limbs[:, :2], limbs)

    scores = sketches.scores(np.array([0]), np.array([0.31], np.float32), key)

    assert scores == pytest.approx([0.31])


@pytest.mark.parametrize("seed", range(5))
def test_the_visit_that_was_asked_for_scores_best(seed: int) -> None:
    """Where the key tells no visit from another, the sketches do."""
    key, visits = merged(views=3.0, seed=seed)
    sketches = VisitSketches.of(
        CODE, signs_of(visits)[:, :2], np.repeat(signs_of(key[None]), 12, axis=0)
    )

    for place, query in enumerate(visits):
        of_key = np.full(12, query @ key, np.float32)
        scores = sketches.scores(np.arange(12), of_key, query)
        assert scores.argmax() == place
        assert scores[place] > 0.7
