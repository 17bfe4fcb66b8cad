"""The descriptor on texts: what it understands, what it ignores, what it says it does not know."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streammem.encoders.descriptor_colour import FULL, colour_shares, colour_table
from streammem.encoders.descriptor_space import BLOCKS, COLOURS, DIM
from streammem.encoders.descriptor_text import embed_text
from streammem.encoders.descriptor_words import ASPECTS, COLOUR_WORDS, IGNORED, LABELS, PLACES


def asked_cells(text: str, colour: str) -> set[int]:
    """The layout cells in which a text asks for a colour."""
    layout = embed_text(text)[0][BLOCKS["layout"].span].reshape(9, len(COLOURS))
    return set(np.flatnonzero(layout[:, COLOURS.index(colour)] > 0).tolist())


def asked_colours(text: str) -> set[str]:
    """The colours that a text asks for, wherever."""
    block = embed_text(text)[0][BLOCKS["colour"].span]
    return {COLOURS[index] for index in np.flatnonzero(block > 0)}


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("red ball", ("ball",)),
        ("the red thing in this scene", ()),
        ("a man in a grey cardigan", ("man", "cardigan")),
        ("Red, RED and red.", ()),
        ("zzz blue zzz yyy", ("zzz", "yyy")),
        ("no red", ("no",)),
        ("красный мяч", ("красный", "мяч")),
        ("a snow-white horse", ("horse",)),
        ("something dark-blue", ()),
        ("", ()),
        ("?!…", ()),
    ],
)
def test_unknown_words_are_listed_once_in_order(text, unknown):
    """Every word outside the stated vocabulary is reported, function words are not."""
    assert embed_text(text)[1] == unknown


@pytest.mark.parametrize("text", ["", "  ", "person with a dog", "the scene", "on the left"])
def test_a_text_without_a_known_appearance_is_zeros(text):
    """Nothing to look for gives no direction at all."""
    assert not embed_text(text)[0].any()


@pytest.mark.parametrize("text", [*COLOUR_WORDS, *ASPECTS, *LABELS, "striped", "sky", "fire"])
def test_every_word_of_the_vocabulary_gives_a_unit_vector(text):
    """A known word is never reported, and its vector has norm 1."""
    vector, unknown = embed_text(text)

    assert unknown == ()
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("gray", "grey"),
        ("navy car", "blue car"),
        ("crimson", "red"),
        ("teal", "turquoise"),
        ("colorful", "colourful"),
        ("monochrome", "black and white"),
        ("center red", "red in the centre"),
        ("a red ball on the left", "on the left a red ball"),
        ("THE RED THING", "red"),
        ("left-hand red ball", "red ball left"),
    ],
)
def test_synonyms_and_word_order_do_not_matter(one, other):
    """Two ways to say the same give the same bits."""
    np.testing.assert_array_equal(embed_text(one)[0], embed_text(other)[0])


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("red ball", {"red": set()}),
        ("red ball on the left", {"red": {0, 3, 6}}),
        ("red ball at the bottom right", {"red": {8}}),
        ("red ball in the corner", {"red": {0, 2, 6, 8}}),
        ("red ball in the top left corner", {"red": {0}}),
        ("red on the left and blue on the right", {"red": {0, 3, 6}, "blue": {2, 5, 8}}),
        ("on the left a red and on the right a blue ball", {"red": {0, 3, 6}, "blue": {2, 5, 8}}),
        ("a blue thing with a yellow square at the top", {"blue": set(), "yellow": {0, 1, 2}}),
        ("mostly green", {"green": set(range(9))}),
        ("black screen", {"black": set(range(9))}),
        ("a blue screen with a yellow square", {"blue": set(), "yellow": set()}),
        ("grass", {"green": {6, 7, 8}}),
        ("grey sky", {"grey": {0, 1, 2}, "blue": set()}),
        ("sky in the middle", {"blue": {4}}),
    ],
)
def test_places_bind_to_the_colour_they_belong_to(text, cells):
    """A place belongs to the colour before it in its clause, else to the one after it."""
    assert {colour: asked_cells(text, colour) for colour in cells} == cells


@pytest.mark.parametrize(
    ("text", "colours"),
    [
        ("dark red car", {"red", "black"}),
        ("a dark red-brick house", {"red", "black"}),
        ("pale blue", {"blue", "white"}),
        ("grey sky", {"grey"}),
        ("green grass", {"green"}),
        ("sunset", {"orange", "red"}),
    ],
)
def test_shades_and_nouns_ask_for_the_right_colours(text, colours):
    """The shade in "dark red" asks for some black; a noun gives way to a stated colour."""
    assert asked_colours(text) == colours


def test_dark_is_a_light_unless_it_shades_a_colour():
    """The word "dark" alone asks for a dark picture, before a colour it does not."""
    light = BLOCKS["light"].span

    assert embed_text("a dark picture")[0][light].any()
    assert not embed_text("a dark red picture")[0][light].any()


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_gives_a_finite_vector(text):
    """No text raises; the vector has norm 1 or 0."""
    vector, unknown = embed_text(text)

    assert vector.shape == (DIM,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1.0 if vector.any() else 0.0, abs=1e-5)
    assert len(set(unknown)) == len(unknown)


def test_the_vocabulary_does_not_contradict_itself():
    """A word is either ignored, a colour, a place or an aspect."""
    kinds = [set(IGNORED), set(COLOUR_WORDS), set(PLACES), set(ASPECTS) - {"dark", "bright"}]

    for index, kind in enumerate(kinds):
        for other in kinds[index + 1 :]:
            assert not kind & other


def test_colour_shares_sum_to_one_everywhere():
    """Every RGB value has shares in [0, 1] that sum to 1; table rows sum to 255 exactly."""
    rgb = np.random.default_rng(0).random((5000, 3))

    shares = colour_shares(rgb)

    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-12)
    assert shares.min() >= 0.0
    assert (colour_table().sum(axis=1, dtype=np.int64) == FULL).all()


@pytest.mark.parametrize(
    ("rgb", "colour"),
    [
        ((0, 0, 0), "black"),
        ((255, 255, 255), "white"),
        ((128, 128, 128), "grey"),
        ((255, 0, 0), "red"),
        ((128, 0, 0), "red"),
        ((255, 165, 0), "orange"),
        ((255, 255, 0), "yellow"),
        ((0, 128, 0), "green"),
        ((0, 255, 255), "cyan"),
        ((0, 0, 128), "blue"),
        ((135, 206, 235), "blue"),
        ((128, 0, 128), "purple"),
        ((255, 192, 203), "pink"),
        ((139, 69, 19), "brown"),
        ((210, 180, 140), "brown"),
    ],
)
def test_named_web_colours_get_the_expected_term(rgb, colour):
    """CSS colours as people name them."""
    shares = colour_shares(np.array([rgb]) / 255.0)[0]

    assert COLOURS[int(shares.argmax())] == colour
