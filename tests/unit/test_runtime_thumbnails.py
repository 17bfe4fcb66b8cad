"""Pictures: a capacity known beforehand, spread over time, never larger than charged."""

import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from streammem.core.budget import MIB, plan_budget
from streammem.runtime.thumbnails import ThumbnailShelf, encode_picture, thin_out


@given(st.sets(st.integers(0, 10**9), max_size=60).map(sorted), st.integers(0, 70))
def test_thin_out_keeps_a_sorted_subset_of_the_capacity(keys: list[int], capacity: int) -> None:
    """Nothing is invented, nothing too many is kept."""
    kept = thin_out(keys, capacity)

    assert kept == sorted(set(kept) & set(keys))
    assert len(kept) == min(len(keys), capacity)


def test_thin_out_drops_the_densest_place_first() -> None:
    """Of 0, 1, 2, 50, 100 the key between close neighbours goes."""
    assert thin_out([0, 1, 2, 50, 100], 4) == [0, 2, 50, 100]


def test_encode_picture_fits_even_for_noise() -> None:
    """Noise compresses badly and still stays under its charge."""
    noise = np.random.default_rng(0).integers(0, 256, (3, 270, 480), dtype=np.uint8)

    data = encode_picture(noise, 192, 2048)

    assert len(data) <= 2048
    assert Image.open(io.BytesIO(data)).format == "WEBP"


def test_shelf_keeps_pictures_of_live_exemplars_only() -> None:
    """A picture is added with its exemplar and dropped when the exemplar is gone."""
    shelf = ThumbnailShelf(plan_budget(MIB))
    pixels = np.zeros((2, 3, 36, 64), np.uint8)

    added, dropped = shelf.update(np.array([0.5]), np.array([0.0, 0.5]), pixels)
    more, gone = shelf.update(np.array([1.0]), np.array([1.0, 1.5]), pixels)

    assert (list(added), dropped) == ([500_000], frozenset())
    assert (list(more), gone) == ([1_000_000], frozenset({500_000}))
