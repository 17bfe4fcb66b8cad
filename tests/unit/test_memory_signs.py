"""Keys as signs."""

import numpy as np
import pytest

from streammem.memory.codes import to_fixed_point
from streammem.memory.signs import SignCode, differing, distance_by_difference


def pairs(dim: int, cosine: float, count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows and others at that cosine to them."""
    rng = np.random.default_rng(dim)
    left, other = rng.standard_normal((2, count, dim))
    left /= np.linalg.norm(left, axis=1, keepdims=True)
    other -= (other * left).sum(axis=1, keepdims=True) * left
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    right = cosine * left + np.sqrt(1 - cosine**2) * other
    return left.astype(np.float32), right.astype(np.float32)


@pytest.mark.parametrize(("dim", "signs", "limbs"), [
    (8, 128, 2), (64, 512, 8), (200, 600, 10), (512, 512, 8), (1152, 1152, 18),
])  # fmt: skip
def test_narrow_vectors_are_rotated_several_times(dim: int, signs: int, limbs: int) -> None:
    """A key has 512 signs or more, but at most 16 for each coordinate."""
    code = SignCode(dim)

    assert (code.signs, code.limbs) == (signs, limbs)
    assert code.encode(np.ones((3, dim))).shape == (3, limbs)


@pytest.mark.parametrize("cosine", [-0.5, 0.0, 0.3, 0.8, 0.99])
@pytest.mark.parametrize("dim", [64, 200, 512])
def test_cosines_are_estimated_without_bias(dim: int, cosine: float) -> None:
    """Over many pairs the mean is right, and the spread is what the module says."""
    code = SignCode(dim, seed=3)
    keys, queries = pairs(dim, cosine)
    limbs = code.encode(to_fixed_point(keys))

    found = np.array([code.cosines(limbs[i : i + 1], queries[i])[0] for i in range(len(keys))])

    assert abs(found.mean() - cosine) < 0.02
    assert found.std() < 1.2 * np.sqrt(1.57 / code.signs) + (0.05 if dim < 200 else 0)


@pytest.mark.parametrize("cosine", [0.0, 0.5, 0.9])
def test_the_first_words_are_a_shorter_code(cosine: float) -> None:
    """A sketch estimates the same cosine with a larger spread."""
    code = SignCode(512)
    keys, queries = pairs(512, cosine)
    limbs = code.encode(to_fixed_point(keys))[:, :2]

    found = np.array([code.cosines(limbs[i : i + 1], queries[i])[0] for i in range(len(keys))])

    assert abs(found.mean() - cosine) < 0.04
    assert found.std() < 1.2 * np.sqrt(1.57 / 128)


@pytest.mark.parametrize("cosine", [0.0, 0.5, 0.95])
def test_differing_signs_tell_the_distance(cosine: float) -> None:
    """The table gives the squared distance on average."""
    code = SignCode(512)
    left, right = (code.encode(to_fixed_point(rows)) for rows in pairs(512, cosine))

    unlike = differing(left.T, right.T)
    one = differing(left.T, right[0])

    assert distance_by_difference(512)[unlike].mean() == pytest.approx(2 - 2 * cosine, abs=0.02)
    assert one[0] == unlike[0]
    naive = [bin(int(a) ^ int(b)).count("1") for a, b in zip(left[0], right[0], strict=True)]
    assert one[0] == sum(naive)


def test_unit_rows_point_where_the_signs_do() -> None:
    """Decoded keys are near the vectors that they were made of; more signs, nearer."""
    rows = pairs(64, 0.5)[0]

    decoded = SignCode(64).unit_rows(SignCode(64).encode(to_fixed_point(rows)))

    assert np.allclose(np.linalg.norm(decoded, axis=1), 1, atol=1e-5)
    assert (decoded * rows).sum(axis=1).min() > 0.9


def test_seeds_turn_the_signs() -> None:
    """Equal seeds give equal signs, others other ones."""
    rows = to_fixed_point(pairs(64, 0.5)[0][:1])

    assert (SignCode(64, 1).encode(rows) == SignCode(64, 1).encode(rows)).all()
    assert (SignCode(64, 1).encode(rows) != SignCode(64, 2).encode(rows)).any()
