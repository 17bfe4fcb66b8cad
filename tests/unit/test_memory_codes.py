"""Codes of keys: exact arithmetic, stated error, independence of rows."""

import numpy as np
import pytest

from streammem.memory.codes import (
    BIT_WIDTHS,
    FIT_ONE,
    FIXED_ONE,
    RowCode,
    rotated_by_each,
    to_fixed_point,
)
from streammem.memory.keys import CodedKeys

# Root mean square error of a unit row: Max's distortion of a normal coordinate, and of the
# 8-bit grid with the largest of 512 coordinates at 127.
STATED_ERROR = {8: 0.012, 4: 0.12, 2: 0.36, 1: 0.62}


def rows(count: int, dim: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)


def test_to_fixed_point_gives_whole_unit_rows() -> None:
    """Rows are integers of length FIXED_ONE; a zero row stays zero."""
    frames = to_fixed_point(np.vstack([rows(3, 64) * 1e-20, np.zeros((1, 64), np.float32)]))

    assert np.array_equal(frames, np.rint(frames))
    assert np.allclose(np.linalg.norm(frames[:3], axis=1), FIXED_ONE, rtol=1e-3)
    assert not frames[3].any()


@pytest.mark.parametrize("dim", [1, 7, 128, 512, 1152])
def test_to_fixed_point_does_not_depend_on_the_batch(dim: int) -> None:
    """A row alone gives the bits that it gives among others."""
    frames = rows(65, dim)

    together = to_fixed_point(frames)

    assert all(np.array_equal(together[i], to_fixed_point(frames[i : i + 1])[0]) for i in range(65))
    assert np.array_equal(together[3:], to_fixed_point(frames[3:]))


@pytest.mark.parametrize("dim", [1, 7, 128, 416, 1152])
def test_one_row_under_several_seeds_has_the_bits_of_each(dim: int) -> None:
    """Together they are only faster."""
    row = to_fixed_point(rows(1, dim))

    together = rotated_by_each(row[0], dim, (3, 4, 9))

    apart = [RowCode(dim, 1, seed).rotate(row)[0] for seed in (3, 4, 9)]
    assert together.tobytes() == np.concatenate(apart).tobytes()


@pytest.mark.parametrize("bits", BIT_WIDTHS)
@pytest.mark.parametrize("dim", [128, 512, 1152])
def test_a_key_is_within_the_stated_error_of_its_row(bits: int, dim: int) -> None:
    """Decoded unit keys lie as close to the rows as the code states."""
    frames = to_fixed_point(rows(40, dim) + 0.5)
    code = RowCode(dim, bits, seed=3)

    encoded = code.encode(code.rotate(frames))
    keys = code.unit_rows(encoded.codes, encoded.square_sum)

    assert encoded.codes.shape == (40, -(-dim * bits // 8))
    assert np.allclose(np.linalg.norm(keys, axis=1), 1, atol=1e-5)
    cosine = np.sum(keys * frames, axis=1) / np.linalg.norm(frames, axis=1)
    squared_error = np.maximum(0, 1 - cosine**2)
    assert np.sqrt(squared_error.mean()) < STATED_ERROR[bits]
    assert np.sqrt(squared_error.max()) < 2 * STATED_ERROR[bits]


@pytest.mark.parametrize("bits", BIT_WIDTHS)
def test_a_sparse_row_is_kept_as_well_as_a_dense_one(bits: int) -> None:
    """The rotation spreads a few large coordinates, so that narrow codes keep them."""
    sparse = np.zeros((1, 512), np.float32)
    sparse[0, [3, 200]] = 1, 2
    code = RowCode(512, bits)
    frames = to_fixed_point(sparse)

    encoded = code.encode(code.rotate(frames))

    key = code.unit_rows(encoded.codes, encoded.square_sum)[0]
    assert float(key @ frames[0]) / np.linalg.norm(frames[0]) > 0.75


@pytest.mark.parametrize("bits", BIT_WIDTHS)
def test_scale_times_values_is_the_row(bits: int) -> None:
    """The scale restores the length of the row, so that means of keys are means of frames."""
    code = RowCode(256, bits)
    rotated = code.rotate(to_fixed_point(rows(5, 256)))

    encoded = code.encode(rotated)

    decoded = code.values(encoded.codes) * encoded.scale[:, None]
    assert np.allclose(np.sum(decoded * rotated, axis=1), np.sum(decoded**2, axis=1), rtol=1e-2)
    assert np.array_equal(
        np.square(code.values(encoded.codes)).sum(axis=1).astype(np.uint32), encoded.square_sum
    )


@pytest.mark.parametrize("bits", BIT_WIDTHS)
def test_fits_make_up_for_what_a_code_takes_from_cosines(bits: int) -> None:
    """A query near a row scores as with the row itself; alone, few bits would cost a share."""
    code, rng = RowCode(512, bits, seed=2), np.random.default_rng(1)
    frames = to_fixed_point(rows(60, 512) + 0.3)
    rotated = code.rotate(frames)
    encoded = code.encode(rotated)
    fits = code.fits(rotated, encoded)
    units = frames / np.linalg.norm(frames, axis=1, keepdims=True)
    queries = units + 0.1 * rng.standard_normal(units.shape) / np.sqrt(512)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    plain, fitted = (
        np.array([
            CodedKeys(code, encoded.codes, encoded.square_sum, of_keys).cosines(
                query.astype(np.float32)
            )[row]
            for row, query in enumerate(queries)
        ])
        for of_keys in (None, fits)
    )  # fmt: skip
    exact = (units * queries).sum(axis=1)

    assert np.abs(fitted - exact).max() < 0.01
    assert (exact - plain).mean() == pytest.approx(
        {8: 0, 4: 0.006, 2: 0.06, 1: 0.2}[bits], abs=0.02
    )
    assert code.fits(np.zeros((1, 512)), code.encode(np.zeros((1, 512)))).tolist() == [FIT_ONE]


@pytest.mark.parametrize("bits", BIT_WIDTHS)
def test_a_zero_row_has_a_zero_key(bits: int) -> None:
    """A row of zeros decodes to zeros, not to NaN."""
    code = RowCode(24, bits)

    encoded = code.encode(code.rotate(np.zeros((2, 24))))

    assert encoded.square_sum.tolist() == [0, 0]
    assert not code.unit_rows(encoded.codes, encoded.square_sum).any()


@pytest.mark.parametrize("bits", BIT_WIDTHS)
@pytest.mark.parametrize("dim", [5, 130, 512])
def test_encode_does_not_depend_on_the_other_rows(bits: int, dim: int) -> None:
    """A frame alone gives the code that it gives among others."""
    code = RowCode(dim, bits)
    frames = to_fixed_point(rows(33, dim))

    together = code.encode(code.rotate(frames))

    for i in range(33):
        alone = code.encode(code.rotate(frames[i : i + 1]))
        assert np.array_equal(alone.codes[0], together.codes[i])
        assert alone.scale[0] == together.scale[i]


@pytest.mark.parametrize("dim", [1, 3, 64, 130, 768, 1152])
def test_rotate_keeps_lengths_and_comes_back(dim: int) -> None:
    """The rotation is exact on integers and orthonormal."""
    code = RowCode(dim, 2, seed=-5)
    frames = to_fixed_point(rows(4, dim))

    rotated = code.rotate(frames)

    assert np.array_equal(np.square(rotated).sum(axis=1), np.square(frames).sum(axis=1))
    assert np.allclose(code.rotate_back(rotated.astype(np.float32)), frames, atol=0.01)


@pytest.mark.parametrize("dim", [16, 512, 1152, 4096])
def test_products_of_wide_codes_are_exact_in_float32(dim: int) -> None:
    """The largest product of two codes stays where float32 holds every integer."""
    assert RowCode(dim, 8).peak ** 2 * dim < 1 << 24


def test_rotations_of_two_seeds_differ() -> None:
    """The seed chooses the rotation."""
    frames = to_fixed_point(rows(1, 64))

    assert not np.array_equal(RowCode(64, 1, 0).rotate(frames), RowCode(64, 1, 1).rotate(frames))
