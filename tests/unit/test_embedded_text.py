"""The text side of the trained encoder: which words it finds, and how they share a vector."""

import subprocess
import sys

import numpy as np
import pytest

from streammem.encoders.descriptor_space import DIM as MEASURED
from streammem.encoders.descriptor_text import embed_text
from streammem.encoders.embedded_text import Nouns, TextTower
from streammem.encoders.load import load_encoder

LEARNED = 8
WORDS = {"dog": 0, "cat": 1, "polar bear": 2, "bear": 3, "bus": 4, "berry": 5, "knife": 6}
WORDS |= {"room": 7}


@pytest.fixture(scope="module")
def tower() -> TextTower:
    rng = np.random.default_rng(0)
    vectors = np.eye(LEARNED, dtype=np.float32)[: len(WORDS)]
    background = rng.normal(size=(64, LEARNED + MEASURED)).astype(np.float32)
    precision = np.ones(len(WORDS), np.float32)
    precision[[WORDS["knife"], WORDS["room"]]] = 0
    found = np.float32([0.9, 0.4, 1, 1, 1, 1, 0, 0])
    return TextTower(Nouns(WORDS, vectors, precision, found), background)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("dog", [0]),
        ("A dog and a cat", [0, 1]),
        ("the Dogs", [0]),
        ("the dog's bear", [0, 3]),
        ("polar bear", [2]),
        ("two polar bears near a bus", [2, 4]),
        ("buses, berries and knives", [4, 5, 6]),
        ("dog dog dog", [0]),
        ("oscilloscope", []),
        ("", []),
    ],
)
def test_nouns_are_found_longest_first_in_singular_and_plural(tower, text, rows):
    assert tower.rows(text) == rows


def test_a_noun_alone_is_its_own_vector(tower):
    vector, unknown = tower.embed("a dog")

    assert unknown == ()
    assert vector[0] == pytest.approx(1.0)
    assert np.count_nonzero(vector) == 1


def test_colour_words_ask_as_in_the_descriptor(tower):
    """Colour questions must not change their answer because nouns were learned."""
    for text in ("something red", "blue on the left", "dark", "red and green"):
        expected, _ = embed_text(text)
        vector, _ = tower.embed(text)

        assert not vector[:LEARNED].any()
        np.testing.assert_allclose(vector[LEARNED:], expected, atol=1e-6)


def test_a_colour_keeps_its_place_beside_a_noun(tower):
    """The noun must not cut "red ... on the left" into two thoughts."""
    vector, unknown = tower.embed("red dog on the left")
    expected, _ = embed_text("red thing on the left")
    measured = vector[LEARNED:]

    assert unknown == ()
    assert vector[0] > 0.1
    np.testing.assert_allclose(measured / np.linalg.norm(measured), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("red room", "red background"),
        ("the red rooms", "red background"),
        ("a red dog", "red thing"),
        ("a red dog in a room", "red thing"),
        ("a room with a red dog", "red thing"),
        ("a red dog in a white room", "red thing in a white background"),
    ],
)
def test_a_coloured_place_is_of_that_colour_all_over(tower, text, meant):
    """A red room is red around one; a red ball rolling by must not count as a visit to it."""
    expected, _ = embed_text(meant)
    measured = tower.embed(text)[0][LEARNED:]

    np.testing.assert_allclose(measured / np.linalg.norm(measured), expected, atol=1e-5)


def test_parts_weigh_by_how_little_their_scores_vary():
    """Over the background each part of a phrase varies alike, so that none drowns the other."""
    rng = np.random.default_rng(1)
    background = rng.normal(size=(400, LEARNED + MEASURED)).astype(np.float32)
    background[:, :LEARNED] *= 10
    every = np.ones(LEARNED, np.float32)
    nouns = Nouns({"dog": 0}, np.eye(LEARNED, dtype=np.float32), every, every)
    tower = TextTower(nouns, background)
    vector, _ = tower.embed("red dog")
    learned = background[:, :LEARNED] @ vector[:LEARNED]
    measured = background[:, LEARNED:] @ vector[LEARNED:]

    assert learned.std() == pytest.approx(measured.std(), rel=1e-3)


def test_unknown_words_are_listed_and_known_ones_still_count(tower):
    vector, unknown = tower.embed("a dog with an oscilloscope")

    assert unknown == ("oscilloscope",)
    assert vector[0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("text", "share"),
    [("a dog", 0.9), ("a dog with a cat", 0.4), ("red", 1.0), ("red dog", 0.9), ("a knife", 1.0)],
)
def test_what_a_text_asks_for_is_found_as_often_as_its_rarest_found_noun(tower, text, share):
    """Colours are measured; a guess is an unknown word, of which nothing is denied anyway."""
    assert tower.found_share(text) == pytest.approx(share)


def test_a_noun_that_was_not_measured_is_a_guess_and_said_to_be_unknown(tower):
    """Alone it points somewhere; beside a colour it plays no part."""
    alone, unknown = tower.embed("two knives")
    beside, both = tower.embed("red knives")

    assert alone[WORDS["knife"]] == pytest.approx(1.0)
    assert "knives" in unknown
    assert both == ("knives",)
    assert not beside[:LEARNED].any()


def test_a_guess_has_half_a_vote_beside_a_known_noun():
    """In shares of how much the scores of each vary over the background."""
    background = np.random.default_rng(2).normal(size=(4000, LEARNED + MEASURED))
    vectors = np.eye(LEARNED, dtype=np.float32)[: len(WORDS)]
    precision = np.ones(len(WORDS), np.float32)
    precision[WORDS["knife"]] = 0
    tower = TextTower(Nouns(WORDS, vectors, precision, precision), background.astype(np.float32))

    vector, unknown = tower.embed("a dog with red knives")
    scores = vector[:LEARNED] * background[:, :LEARNED].std(axis=0)

    assert unknown == ("knives",)
    assert scores[WORDS["knife"]] == pytest.approx(0.5 * scores[WORDS["dog"]], rel=1e-3)
    assert vector[LEARNED:].any()


def test_nothing_known_is_zeros(tower):
    vector, unknown = tower.embed("oscilloscope juggles")

    assert not vector.any()
    assert unknown == ("oscilloscope", "juggles")


@pytest.mark.parametrize("text", ["🐕 dog", "dog\n\x00", "DOG" * 500, "’s '", "犬 dog", "-,.;"])
def test_any_text_gives_a_unit_vector_or_zeros(tower, text):
    vector, _ = tower.embed(text)
    length = float(np.linalg.norm(vector))

    assert np.isfinite(vector).all()
    assert length == pytest.approx(1.0, abs=1e-5) or length == 0.0


def test_a_more_general_word_lies_near_and_an_unlike_one_does_not():
    """The shipped table: "animal" was learned together with the animals."""
    encoder = load_encoder("embedded-v1")
    dog, animal, puppy, car, vehicle = (
        encoder.encode_text(word).embedding for word in ("dog", "animal", "puppy", "car", "vehicle")
    )

    assert dog @ animal > dog @ vehicle
    assert car @ vehicle > car @ animal
    assert dog @ puppy > dog @ car


def test_asking_imports_no_torch():
    """A question costs NumPy and the word table only."""
    code = (
        "import sys\n"
        "from streammem.encoders.load import load_encoder\n"
        "encoder = load_encoder('embedded-v1')\n"
        "assert encoder.encode_text('red dog').embedding.any()\n"
        "assert encoder.background() is not None and encoder.labels().words\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
