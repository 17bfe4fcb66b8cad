"""The descriptor on pictures: it finds colours, places, light, texture and motion, and absence."""

import numpy as np
import pytest

from streammem.encoders._descriptor import DescriptorEncoder
from streammem.encoders.descriptor_space import BLOCKS, REST

ENCODER = DescriptorEncoder()
RGB = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "red": (220, 20, 30),
    "orange": (255, 140, 0),
    "yellow": (250, 220, 20),
    "green": (30, 150, 40),
    "cyan": (0, 200, 200),
    "blue": (30, 60, 210),
    "purple": (130, 30, 170),
    "pink": (255, 130, 190),
    "brown": (120, 70, 30),
}


def plain(colour: str, height: int = 90, width: int = 160) -> np.ndarray:
    return np.tile(np.array(RGB[colour], np.uint8)[:, None, None], (1, height, width))


def with_box(ground: str, colour: str, top: int, left: int, side: int = 30) -> np.ndarray:
    drawn = plain(ground)
    drawn[:, top : top + side, left : left + side] = np.array(RGB[colour])[:, None, None]
    return drawn


def checks(period: int = 10, first: str = "black", second: str = "white") -> np.ndarray:
    rows, columns = np.mgrid[:90, :160]
    return np.where((rows // period + columns // period) % 2 == 0, plain(first), plain(second))


def stripes(axis: int, first: str = "black", second: str = "white") -> np.ndarray:
    return np.where(np.mgrid[:90, :160][axis] // 10 % 2 == 0, plain(first), plain(second))


def score(text: str, *pictures: np.ndarray) -> list[float]:
    """The best score of the text over embedding and tokens of each picture, seen alone."""
    query = ENCODER.encode_text(text).embedding
    scores = []
    for picture in pictures:
        features = ENCODER.encode_images(picture[np.newaxis])
        assert features.tokens is not None
        whole, parts = features.embeddings @ query, features.tokens @ query
        scores.append(float(max(whole.max(), parts.max())))
    return scores


def confidence(text: str, *pictures: np.ndarray) -> float:
    """The confidence of `Background` that the text is in one of the pictures."""
    background = ENCODER.background()
    assert background is not None
    usual = background.vectors @ ENCODER.encode_text(text).embedding
    strength = (max(score(text, *pictures)) - usual.mean()) / usual.std()
    return float(1 / (1 + np.exp(-(strength - background.midpoint) / background.scale)))


@pytest.mark.parametrize("colour", RGB)
def test_a_plain_picture_is_found_by_its_colour_only(colour):
    """Of twelve plain pictures each colour word ranks its own first, by far."""
    scores = dict(zip(RGB, score(f"a {colour} screen", *map(plain, RGB)), strict=True))

    own = scores.pop(colour)
    assert own > 2 * max(scores.values())


@pytest.mark.parametrize("colour", [name for name in RGB if name != "grey"])
def test_a_small_thing_in_a_corner_is_found_and_its_absence_told(colour):
    """A box over one thirtieth of the picture: over 0.5 where it is, under 0.5 where it is not."""
    ground = "grey"
    with_it = with_box(ground, colour, 55, 120)
    other = "green" if colour != "green" else "purple"
    without = with_box(ground, other, 55, 120)

    assert confidence(f"a {colour} ball", without, with_it) > 0.5
    assert confidence(f"a {colour} ball", without, plain(ground)) < 0.5


@pytest.mark.parametrize(
    ("place", "there", "elsewhere"),
    [
        ("on the left", (30, 5), (30, 125)),
        ("on the right", (30, 125), (30, 5)),
        ("at the top", (0, 65), (60, 65)),
        ("at the bottom", (60, 65), (0, 65)),
        ("in the middle", (30, 65), (60, 5)),
        ("in the top left corner", (0, 0), (60, 130)),
        ("in the bottom right corner", (60, 130), (0, 0)),
    ],
)
def test_a_place_prefers_the_thing_that_is_there(place, there, elsewhere):
    """The same box elsewhere scores lower, and is under 0.5."""
    text = f"a red ball {place}"

    right, wrong = (with_box("grey", "red", *spot) for spot in (there, elsewhere))

    assert score(text, right)[0] > score(text, wrong)[0]
    assert confidence(text, right) > 0.5
    assert confidence(text, wrong) < 0.5


def test_two_colours_are_found_together_only():
    """A blue picture with a yellow box beats plain blue, plain yellow and other couples."""
    text = "a blue screen with a yellow square"
    right = with_box("blue", "yellow", 30, 60)
    wrong = [plain("blue"), plain("yellow"), with_box("red", "yellow", 30, 60)]

    scores = score(text, right, *wrong)

    assert scores[0] == max(scores)
    assert confidence(text, right) > 0.5
    assert confidence(text, *wrong) < 0.5


@pytest.mark.parametrize(
    ("word", "fits", "does_not"),
    [
        ("dark", (plain("grey") * 0.1).astype(np.uint8), plain("grey")),
        ("night", (plain("blue") * 0.3).astype(np.uint8), plain("cyan")),
        ("bright", plain("white"), plain("grey")),
        ("high contrast", stripes(0), plain("grey")),
        ("checkered", checks(), stripes(1)),
        ("horizontal stripes", stripes(0), stripes(1)),
        ("vertical stripes", stripes(1), checks()),
        ("striped", stripes(1, "red", "white"), plain("red")),
        ("plain", plain("red"), checks()),
        ("black and white", checks(), checks(10, "red", "white")),
        ("colourful", checks(10, "red", "yellow"), checks()),
    ],
)
def test_a_word_for_the_whole_picture_fits_the_picture_it_names(word, fits, does_not):
    """Light, saturation and texture words: over 0.5 for the picture, under 0.5 for the other."""
    assert confidence(word, fits) > 0.5
    assert confidence(word, does_not) < 0.5


def test_noise_is_busy_and_neither_striped_nor_checkered():
    """White noise has no pattern."""
    noise = np.random.default_rng(0).integers(0, 256, (3, 90, 160), dtype=np.uint8)

    assert confidence("noisy", noise) > 0.5
    assert confidence("striped", noise) < 0.5
    assert confidence("checkered", noise) < 0.5


def motion(features, row: int) -> tuple[float, float]:
    """Scores of one picture of a batch for still and for moving."""
    words = (ENCODER.encode_text(word).embedding for word in ("still", "moving"))
    return tuple(float(features.embeddings[row] @ word) for word in words)


def test_motion_tells_a_moving_thing_from_a_still_picture():
    """A box that travels makes every picture of the batch a moving one."""
    travelling = np.stack([with_box("grey", "red", 30, left) for left in range(0, 120, 20)])
    still = np.stack([with_box("grey", "red", 30, 60)] * 5 + [plain("blue")])

    moving, resting = (ENCODER.encode_images(batch) for batch in (travelling, still))

    for row in range(len(travelling)):
        quiet, busy = motion(moving, row)
        assert busy > quiet
    quiet, busy = motion(resting, 2)
    assert quiet > busy


def test_a_cut_is_not_a_movement():
    """Two still shots: both pictures beside the cut are calm, thanks to their other neighbour."""
    shots = np.stack([plain("red")] * 3 + [plain("blue")] * 2 + [plain("green")])

    features = ENCODER.encode_images(shots)

    for row in (2, 3):
        quiet, busy = motion(features, row)
        assert quiet > busy


def test_all_but_motion_is_bit_for_bit_independent_of_the_batch():
    """Alone, in a batch, at another place of it: every other coordinate keeps its bits."""
    frames = np.random.default_rng(2).integers(0, 256, (6, 3, 60, 80), dtype=np.uint8)
    kept = np.ones(ENCODER.spec.dim, bool)
    kept[BLOCKS["motion"].span] = kept[REST] = False

    together = ENCODER.encode_images(frames)
    turned = ENCODER.encode_images(frames[::-1])

    for row in range(len(frames)):
        alone = ENCODER.encode_images(frames[row : row + 1])
        for other, place in ((together, row), (turned, len(frames) - 1 - row)):
            np.testing.assert_array_equal(other.embeddings[place][kept], alone.embeddings[0][kept])
            np.testing.assert_array_equal(other.tokens[place][:, kept], alone.tokens[0][:, kept])


def test_padding_changes_nothing():
    """Repeats of the last picture at the end of a batch leave the others' vectors bit for bit."""
    frames = np.stack([with_box("grey", "red", 30, left) for left in range(0, 120, 20)])
    padded = np.concatenate([frames, np.repeat(frames[-1:], 10, axis=0)])

    alone, with_padding = ENCODER.encode_images(frames), ENCODER.encode_images(padded)

    np.testing.assert_array_equal(with_padding.embeddings[: len(frames)], alone.embeddings)
    np.testing.assert_array_equal(with_padding.tokens[: len(frames)], alone.tokens)


def test_one_picture_has_no_motion():
    """Alone it is neither still nor moving."""
    features = ENCODER.encode_images(plain("red")[np.newaxis])

    assert motion(features, 0) == (0.0, 0.0)


def test_memory_layout_of_the_pictures_does_not_matter():
    """A strided view of rows of RGB triples gives the bits of a contiguous copy."""
    rows = np.random.default_rng(1).integers(0, 256, (2, 60, 80, 3), dtype=np.uint8)
    view = rows.transpose(0, 3, 1, 2)

    strided, copied = (ENCODER.encode_images(p) for p in (view, np.ascontiguousarray(view)))

    np.testing.assert_array_equal(strided.embeddings, copied.embeddings)
    np.testing.assert_array_equal(strided.tokens, copied.tokens)


def test_a_larger_copy_of_a_picture_is_nearly_the_same():
    """The vectors do not depend on the size that the reader delivers."""
    small = with_box("blue", "yellow", 20, 40)
    large = small.repeat(3, axis=1).repeat(3, axis=2)

    one, other = (ENCODER.encode_images(p[np.newaxis]).embeddings[0] for p in (small, large))

    assert float(one @ other) > 0.99


def test_labels_name_what_is_seen():
    """Of all labels, calibrated alike, the right one is the strongest for plain pictures."""
    labels, background = ENCODER.labels(), ENCODER.background()
    usual = background.vectors @ labels.vectors.T
    for colour in RGB:
        seen = ENCODER.encode_images(plain(colour)[np.newaxis]).embeddings[0]

        strengths = (labels.vectors @ seen - usual.mean(axis=0)) / usual.std(axis=0)
        colours = [i for i, word in enumerate(labels.words) if word.startswith("mostly")]
        best = max(colours, key=lambda index: strengths[index])

        assert labels.words[best] == f"mostly {colour}"


def test_background_is_balanced_over_the_labels():
    """Each label can reach a confidence over 0.5, and none is so rare that little suffices."""
    labels, background = ENCODER.labels(), ENCODER.background()

    scores = background.vectors @ labels.vectors.T
    ratio = (scores.max(axis=0) - scores.mean(axis=0)) / scores.std(axis=0)

    assert background.vectors.shape == (256, ENCODER.spec.dim)
    np.testing.assert_allclose(np.linalg.norm(background.vectors, axis=1), 1.0, atol=2e-3)
    assert ratio.min() > background.midpoint
    assert ratio.max() < 6.5
