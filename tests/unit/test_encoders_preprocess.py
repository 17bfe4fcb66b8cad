"""Preparation of pictures: exact cropping, exact arithmetic, refusal of what is unknown."""

import numpy as np
import pytest

from streammem.core.errors import UsageError
from streammem.encoders.base import check_pictures
from streammem.encoders.preprocess import Preprocessing, fit, normalise, prepare_reference

PLAIN = Preprocessing(image_size_px=4, mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 0.25))


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (3, height, width), dtype=np.uint8)


def test_fit_crops_the_centre_of_already_scaled_pictures():
    """A picture whose shorter side has the wanted length loses only its ends."""
    pixels = picture(4, 9)[np.newaxis]

    fitted = fit(pixels, PLAIN)

    np.testing.assert_array_equal(fitted, pixels[:, :, :, 2:6])


def test_fit_returns_ready_pictures_unchanged():
    """Pictures of the wanted size are not copied."""
    pixels = picture(4, 4)[np.newaxis]

    assert fit(pixels, PLAIN) is pixels


def test_fit_scales_any_size_to_a_square():
    """Larger, smaller and very long pictures all come out with the wanted sides."""
    shapes = [(40, 30), (1, 1), (2, 300), (5, 4)]

    fitted = [fit(picture(*shape)[np.newaxis], PLAIN).shape for shape in shapes]

    assert fitted == [(1, 3, 4, 4)] * 4


def test_fit_squash_keeps_the_ends():
    """Squashing a picture of a left and a right half keeps both halves alike wide."""
    pixels = np.zeros((1, 3, 8, 32), np.uint8)
    pixels[..., 16:] = 255
    squash = Preprocessing(4, (0, 0, 0), (1, 1, 1), "nearest", "squash")

    fitted = fit(pixels, squash)

    np.testing.assert_array_equal(fitted[0, 0], [[0, 0, 255, 255]] * 4)


def test_fast_path_equals_the_reference_on_scaled_pictures():
    """Where nothing has to be scaled, both ways give the same bits."""
    pixels = picture(4, 7)

    reference = prepare_reference(pixels, PLAIN)

    np.testing.assert_array_equal(normalise(fit(pixels[np.newaxis], PLAIN), PLAIN)[0], reference)


def test_normalise_is_scaled_less_mean_over_std():
    """Channel by channel (x / 255 - mean) / std."""
    pixels = np.full((1, 3, 4, 4), 255, np.uint8)

    normalised = normalise(pixels, PLAIN)

    assert normalised[0, :, 0, 0].tolist() == [1.0, 1.0, 0.0]
    assert normalised.dtype == np.float32


def test_preprocessing_survives_json():
    """`from_json` gives back what `to_json` wrote."""
    assert Preprocessing.from_json(PLAIN.to_json()) == PLAIN


def test_preprocessing_refuses_an_unknown_interpolation():
    """An interpolation that PIL does not have is named, with what is expected."""
    with pytest.raises(UsageError, match="'lanczos5'"):
        Preprocessing(4, (0, 0, 0), (1, 1, 1), "lanczos5")


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((1, 3, 4, 4), np.float32),
        np.zeros((3, 4, 4), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros((1, 3, 0, 4), np.uint8),
    ],
)
def test_check_pictures_refuses_other_arrays(pixels):
    """Wrong type, wrong axes and pictures without pixels are refused by name."""
    with pytest.raises(UsageError, match="pictures"):
        check_pictures(pixels)
