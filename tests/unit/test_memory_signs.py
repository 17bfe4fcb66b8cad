"""Looks: signs, fits and reaches around a centre."""

import numpy as np
import pytest

from streammem.memory.codes import FIXED_ONE, to_fixed_point
from streammem.memory.signs import (
    FLAT,
    Looks,
    SignCode,
    differing,
    distances,
    ladder,
    spread_by_difference,
)


def pairs(dim: int, cosine: float, count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows and others at that cosine to them."""
    rng = np.random.default_rng(dim)
    left, other = rng.standard_normal((2, count, dim))
    left /= np.linalg.norm(left, axis=1, keepdims=True)
    other -= (other * left).sum(axis=1, keepdims=True) * left
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    right = cosine * left + np.sqrt(1 - cosine**2) * other
    return left.astype(np.float32), right.astype(np.float32)


def in_a_cone(dim: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows with cosines near 0.8, and the fixed-point centre of others of them."""
    rng = np.random.default_rng(dim)
    rows = 2 * rng.standard_normal(dim) + rng.standard_normal((2 * count, dim))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    centre = np.rint(rows[count:].mean(axis=0) * FIXED_ONE)
    return rows[:count].astype(np.float32), centre


def estimate(code: SignCode, keys: np.ndarray, queries: np.ndarray, limbs: int) -> np.ndarray:
    """The estimated cosine of each key with its own query."""
    centre = np.zeros(code.dim)
    found = []
    for key, query in zip(keys, queries, strict=True):
        looks = code.encode(to_fixed_point(key[None]), centre, (limbs,))
        found.append(code.products(looks, query, centre)[0])
    return np.array(found)


@pytest.mark.parametrize(("dim", "signs", "limbs"), [
    (8, 128, 2), (64, 512, 8), (200, 600, 10), (512, 512, 8), (1152, 1152, 18),
])  # fmt: skip
def test_narrow_vectors_are_rotated_several_times(dim: int, signs: int, limbs: int) -> None:
    """A look has 512 signs or more, but at most 16 for each coordinate."""
    code = SignCode(dim)

    assert (code.signs(code.limbs), code.limbs) == (signs, limbs)
    assert code.signs(1) == 64


def test_a_ladder_halves() -> None:
    """Each step keeps half the limbs, down to the narrowest."""
    assert ladder(18) == (18, 9, 4, 2, 1)
    assert ladder(8, 3) == (8, 4)
    assert ladder(4, 4) == (4,)


@pytest.mark.parametrize("cosine", [-0.5, 0.0, 0.3, 0.8, 0.99])
@pytest.mark.parametrize(("dim", "limbs"), [(64, 8), (200, 10), (512, 8), (512, 2)])
def test_cosines_are_estimated_without_bias(dim: int, limbs: int, cosine: float) -> None:
    """Over many pairs the mean is right, and the spread falls as the vectors meet."""
    code = SignCode(dim, seed=3)

    found = estimate(code, *pairs(dim, cosine), limbs)

    assert abs(found.mean() - cosine) < 0.02
    sine = np.sqrt(1 - cosine**2)
    wide = 2 if dim == 64 else 1.2
    assert found.std() < wide * sine * np.sqrt(1.57 / code.signs(limbs)) + 0.005


@pytest.mark.parametrize(
    ("cosine", "share"), [(0.7, 0.85), (0.95, 0.6), (0.99, 0.45), (0.997, 0.4)]
)
def test_near_vectors_are_told_apart_much_better(cosine: float, share: float) -> None:
    """Far less than RaBitQ's error is left, because both own products are made use of."""
    code = SignCode(512, seed=5)

    found = estimate(code, *pairs(512, cosine), 2)

    plain = np.sqrt(1 - cosine**2) * np.sqrt(np.pi / 2 / code.signs(2))
    assert abs(found.mean() - cosine) < 0.005
    assert found.std() < share * plain


def test_a_centre_takes_away_what_all_share() -> None:
    """In a cone the spread is that of the differences, which are much shorter."""
    rows, centre = in_a_cone(512, 200)
    code, zero = SignCode(512), np.zeros(512)
    query = rows[0]
    exact = rows @ query

    around = code.products(code.encode(to_fixed_point(rows), centre, (2,)), query, centre)
    plain = code.products(code.encode(to_fixed_point(rows), zero, (2,)), query, zero)

    assert abs((around - exact).mean()) < 0.01
    assert (around - exact).std() < 0.5 * (plain - exact).std()
    assert around[0] == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("cosine", [0.0, 0.5, 0.95])
def test_differing_signs_tell_the_distance(cosine: float) -> None:
    """Reaches and unlike signs give the squared distance on average; a flat look is the origin."""
    code, zero = SignCode(512), np.zeros(512)
    left, right = (
        code.encode(to_fixed_point(rows), zero, (8,)) for rows in pairs(512, cosine)
    )  # fmt: skip

    unlike = differing(left.signs.T, right.signs.T)
    found = distances(left.reach, right.reach, spread_by_difference(512)[unlike])

    assert found.mean() == pytest.approx(2 - 2 * cosine, abs=0.02)
    assert differing(left.signs.T, right.signs[0])[0] == unlike[0]
    pair = zip(left.signs[0], right.signs[0], strict=True)
    assert unlike[0] == sum(bin(int(a) ^ int(b)).count("1") for a, b in pair)
    flat = np.array([FLAT], np.uint16)
    assert distances(flat, left.reach[:1], np.ones(1, np.float32)).tolist() == [1]
    assert distances(flat, flat, np.ones(1, np.float32)).tolist() == [0]


def test_a_zero_vector_is_flat() -> None:
    """Its product is 0 and its row is zero."""
    code, centre = SignCode(64), np.full(64, 100.0)
    looks = code.encode(np.zeros((1, 64)), centre, (8,))

    assert looks.reach.tolist() == [FLAT]
    assert code.products(looks, pairs(64, 0.0)[0][0], centre).tolist() == [0]
    assert not code.unit_rows(looks, centre).any()


def test_unit_rows_are_near_the_vectors() -> None:
    """Decoded keys point where the vectors do, with a centre more so."""
    rows, centre = in_a_cone(64, 50)
    code = SignCode(64)
    looks = code.encode(to_fixed_point(rows), centre, (8,))

    decoded = code.unit_rows(looks, centre)
    cut = code.unit_rows(Looks(looks.reach, looks.fits, looks.signs[:, :1]), centre)

    assert np.allclose(np.linalg.norm(decoded, axis=1), 1, atol=1e-5)
    assert (decoded * rows).sum(axis=1).min() > 0.95
    assert (cut * rows).sum(axis=1).min() > 0.85


def test_a_look_depends_on_its_row_alone() -> None:
    """Encoded together or one by one, looks are the same; seeds turn the signs."""
    rows, centre = in_a_cone(200, 20)
    fixed = to_fixed_point(rows)
    together = SignCode(200, 1).encode(fixed, centre, (10, 5))

    for i in range(20):
        alone = SignCode(200, 1).encode(fixed[i : i + 1], centre, (10, 5))
        assert (alone.signs[0] == together.signs[i]).all()
        assert (alone.fits[0] == together.fits[i]).all()
        assert alone.reach[0] == together.reach[i]
    assert (SignCode(200, 2).encode(fixed, centre, (10,)).signs != together.signs).any()
