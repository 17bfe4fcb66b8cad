"""Visits of one cell told apart by their looks."""

import numpy as np
import pytest

from streammem.core.types import Floats
from streammem.memory.codes import FIXED_ONE, to_fixed_point
from streammem.memory.keys import LookKeys
from streammem.memory.signs import Looks, SignCode, cosine_by_difference, differing
from streammem.memory.visits import VisitLooks

CODE = SignCode(512)
LIMBS = 2


def unit(rows: np.ndarray) -> Floats:
    result: Floats = (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)
    return result


def looks_of(rows: Floats, centre: np.ndarray) -> Looks:
    return CODE.encode(to_fixed_point(rows), centre, (LIMBS,))


def merged(views: float, cone: float, seed: int = 0) -> tuple[Floats, Floats, np.ndarray]:
    """The key of a cell, twelve visits at a distance of `views` from it, and the centre."""
    rng = np.random.default_rng(seed)
    shared = cone * unit(rng.standard_normal(512))
    key = unit(rng.standard_normal(512))
    visits = key + views * unit(rng.standard_normal((12, 512)))
    centre = np.rint(shared / np.sqrt(1 + cone**2) * FIXED_ONE).astype(np.float64)
    return unit(shared + key), unit(shared + unit(visits)), centre


def visit_looks(key: Floats, visits: Floats, centre: np.ndarray) -> VisitLooks:
    looks, of_key = looks_of(visits, centre), looks_of(key[None], centre)
    unlike = differing(looks.signs.T, of_key.signs[0])
    return VisitLooks(
        LookKeys(CODE, centre, looks),
        agreement=cosine_by_difference(64 * LIMBS)[unlike],
        key_reach=np.repeat(of_key.reach, len(visits)),
        place=np.arange(len(visits)),
    )


def test_a_visit_that_looks_as_its_key_keeps_the_score_of_the_key() -> None:
    """Nothing is added to what the key says better."""
    key, _, centre = merged(views=0.0, cone=1.0)

    scores = visit_looks(key, key[None], centre).scores(
        np.array([0]), np.array([0.31], np.float32), key
    )

    assert scores == pytest.approx([0.31])


@pytest.mark.parametrize("cone", [0.0, 2.0])
@pytest.mark.parametrize("seed", range(5))
def test_the_visit_that_was_asked_for_scores_best(seed: int, cone: float) -> None:
    """Where the key tells no visit from another, the looks do."""
    key, visits, centre = merged(views=3.0, cone=cone, seed=seed)
    looks = visit_looks(key, visits, centre)

    for place, query in enumerate(visits):
        of_key = np.full(12, query @ key, np.float32)
        scores = looks.scores(np.arange(12), of_key, query)
        assert scores.argmax() == place
        assert scores[place] == pytest.approx(1, abs=0.25)
