"""Estimated cosines are believed as far as they say more than their error."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streammem.core.types import Floats
from streammem.memory.belief import RARE_SQUARE, belief, look_error, usual_square
from streammem.memory.codes import to_fixed_point
from streammem.memory.keys import LookKeys
from streammem.memory.signs import SignCode

DIM = 512
LOOKS = 1_500


def unit(rows: np.ndarray) -> Floats:
    result: Floats = (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)
    return result


def keys_of(rows: Floats, limbs: int) -> LookKeys:
    code = SignCode(DIM)
    return LookKeys(code, np.zeros(DIM), code.encode(to_fixed_point(rows), np.zeros(DIM), (limbs,)))


@given(
    error=st.floats(1e-6, 0.1), usual=st.floats(1e-4, 0.1), chance=st.floats(0.001, 0.5)
)  # fmt: skip
def test_what_is_believed_grows_with_the_estimate(
    error: float, usual: float, chance: float
) -> None:
    """Of two estimates with the same error the larger one stays the larger one."""
    cosines = np.linspace(0, 1, 201)

    believed = cosines * belief(cosines, np.full(201, error), usual, RARE_SQUARE, chance)

    assert (np.diff(believed) >= 0).all()
    assert (believed <= cosines).all()


@pytest.mark.parametrize("cosine", [0.0, 0.5, 0.9, 1.0])
def test_the_error_of_looks_is_the_one_that_looks_have(cosine: float) -> None:
    """Against looks of vectors that were drawn with that cosine to the query."""
    rng = np.random.default_rng(3)
    query = unit(rng.standard_normal(DIM))
    others = rng.standard_normal((4_000, DIM))
    across = unit(others - (others @ query)[:, None] * query)
    keys = keys_of(unit(cosine * query + np.sqrt(1 - cosine**2) * across), limbs=2)

    estimates = keys.code.products(keys.looks, query, keys.centre)

    expected = look_error(np.array([cosine]), 128)[0]
    assert np.square(estimates - cosine).mean() == pytest.approx(expected, rel=0.35, abs=2e-4)


def test_the_usual_variance_is_seen_through_the_error_of_looks() -> None:
    """Of vectors that share a third of their length, and of ones that share nothing."""
    rng = np.random.default_rng(5)
    query = unit(rng.standard_normal(DIM))
    true = rng.normal(0, 0.3, 4_000).clip(-1, 1)
    estimates = true + rng.normal(0, np.sqrt(np.pi / 256), true.size)

    assert usual_square(estimates, 128, DIM) == pytest.approx(0.09, rel=0.1)
    assert usual_square(estimates[:8], 128, DIM) == 1 / DIM
    assert usual_square(keys_of(query[None], 2).cosines(query), 128, DIM) == 1 / DIM


@pytest.mark.parametrize("seed", range(3))
def test_strangers_with_short_looks_score_as_strangers_do(seed: int) -> None:
    """They scatter by less than half of the error; one that shows the query stays first, and near."""
    rng = np.random.default_rng(seed)
    query = unit(rng.standard_normal(DIM))
    rows = unit(rng.standard_normal((LOOKS, DIM)))
    rows[7] = unit(query + 0.4 * unit(rng.standard_normal(DIM)))
    keys = keys_of(rows, limbs=1)

    raw = keys.code.products(keys.looks, query, keys.centre)
    scores = keys.cosines(query)

    strangers = np.arange(LOOKS) != 7
    assert raw[strangers].std() > 0.14
    assert scores[strangers].std() < raw[strangers].std() / 2
    assert scores.argmax() == raw.argmax() == 7
    assert scores[7] > 0.6


def test_a_look_of_the_very_query_scores_one() -> None:
    """Its error vanishes."""
    query = unit(np.random.default_rng(1).standard_normal(DIM))

    assert keys_of(query[None], limbs=8).cosines(query)[0] == pytest.approx(1, abs=0.02)
