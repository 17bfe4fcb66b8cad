"""Questions about short made-up videos where it is known whether what is asked for is there.

Nothing here shares pictures or random numbers with the background.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from photos import read_photos
from PIL import Image
from rendered_scenes import COLOURS, PLACES, Scene, Thing, draw, plant, random_scene

from streammem.encoders._descriptor import DescriptorEncoder

VIDEOS = 60
SCENES_PER_VIDEO = 8
PHOTO_VIDEOS = 25
PHOTOS_PER_VIDEO = 8
# A planted thing covers at least most of one token: its size as a share of the height.
PLANTED_SIZES = (0.25, 0.45)

Picture = NDArray[np.uint8]
# PIL's hue (0 to 255), saturation and value of pixels that somebody could call by the term: wide
# ranges, and unrelated to the descriptor's own colour rules.
HUES = {
    "red": ((235, 255), (0, 14)),
    "orange": ((8, 34),),
    "yellow": ((26, 55),),
    "green": ((45, 125),),
    "cyan": ((110, 150),),
    "blue": ((130, 185),),
    "purple": ((175, 230),),
    "pink": ((205, 255), (0, 12)),
}


@dataclass(frozen=True, slots=True)
class Case:
    """A question to a video given by the vectors of its pictures `[N D]`, and the truth."""

    kind: str
    pictures: str
    question: str
    present: bool
    vectors: NDArray[np.float32]


def held_out_cases(encoder: DescriptorEncoder, folder: Path) -> list[Case]:
    """All cases, in a fixed order."""
    rng = np.random.default_rng(11)
    cases = [case for _ in range(VIDEOS) for case in _rendered(encoder, rng)]
    photos = list(read_photos(folder, "val", PHOTO_VIDEOS * PHOTOS_PER_VIDEO))
    for start in range(0, len(photos) - PHOTOS_PER_VIDEO + 1, PHOTOS_PER_VIDEO):
        cases.extend(_photographed(encoder, photos[start : start + PHOTOS_PER_VIDEO], rng))
    return cases


def _vectors(encoder: DescriptorEncoder, pictures: list[Picture]) -> NDArray[np.float32]:
    rows = []
    for picture in pictures:
        features = encoder.encode_images(np.ascontiguousarray(picture)[np.newaxis])
        assert features.tokens is not None
        rows.extend([features.embeddings, features.tokens[0]])
    return np.concatenate(rows)


def _rendered(encoder: DescriptorEncoder, rng: np.random.Generator) -> Iterator[Case]:
    palette = [str(name) for name in rng.choice(COLOURS, 6, replace=False)]
    scenes = [random_scene(rng, palette) for _ in range(SCENES_PER_VIDEO)]
    vectors = _vectors(encoder, [draw(scene, rng) for scene in scenes])
    shown = frozenset[str]().union(*(scene.colours for scene in scenes))
    for colour in COLOURS:
        yield Case("one colour", "rendered", f"a {colour} ball", colour in shown, vectors)
    yield from _placed(scenes, palette, vectors)
    yield from _coupled(scenes, vectors)
    for word, pattern in (("checkered", "checks"), ("vertical stripes", "columns")):
        present = any(_is_plainly(scene, pattern) for scene in scenes)
        if present or not any(scene.pattern == pattern for scene in scenes):
            yield Case("pattern", "rendered", word, present, vectors)


def _is_plainly(scene: Scene, pattern: str) -> bool:
    """A pattern that nothing covers, of two colours that differ in lightness."""
    contrasts = {"black", "brown", "blue"}, {"white", "yellow", "pink", "orange"}
    return (
        scene.pattern == pattern
        and not scene.things
        and any(contrasts[0].intersection(scene.ground))
        and any(contrasts[1].intersection(scene.ground))
    )


def _placed(
    scenes: list[Scene], palette: list[str], vectors: NDArray[np.float32]
) -> Iterator[Case]:
    """Colours in a place; absent: the colour is shown, but only on the other side."""
    grounds = {name for scene in scenes for name in scene.ground}
    other = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}
    for colour in sorted(set(palette) - grounds):
        places = {t.place for scene in scenes for t in scene.things if t.colour == colour}
        for place in PLACES[:4]:
            question = f"a {colour} ball at the {place}"
            if place in places:
                yield Case("colour in a place", "rendered", question, True, vectors)
            elif places == {other[place]}:
                yield Case("colour in a place", "rendered", question, False, vectors)


def _coupled(scenes: list[Scene], vectors: NDArray[np.float32]) -> Iterator[Case]:
    """Two colours in one picture; absent: both are shown, but never together."""
    shown = sorted(frozenset[str]().union(*(scene.colours for scene in scenes)))
    for index, first in enumerate(shown):
        for second in shown[index + 1 :]:
            together = any({first, second} <= scene.colours for scene in scenes)
            question = f"a {first} ball and a {second} box"
            yield Case("two colours", "rendered", question, together, vectors)


def _photographed(
    encoder: DescriptorEncoder, photos: list[Picture], rng: np.random.Generator
) -> Iterator[Case]:
    """Photos without a colour by a wide hue rule, asked as they are and with a thing planted."""
    plain = _vectors(encoder, photos)
    for colour in HUES:
        if max(_largest_share(photo, colour) for photo in photos) > 0.15:
            continue
        yield Case("one colour", "photos", f"a {colour} ball", False, plain)
        planted = photos[0].transpose(1, 2, 0).astype(np.float64)
        thing = Thing(colour, "", float(rng.uniform(*PLANTED_SIZES)), bool(rng.integers(2)))
        plant(planted, thing, rng)
        picture = np.clip(planted, 0, 255).astype(np.uint8).transpose(2, 0, 1)
        vectors = np.concatenate([plain, _vectors(encoder, [picture])])
        yield Case("one colour", "photos", f"a {colour} ball", True, vectors)


def _largest_share(picture: Picture, colour: str) -> float:
    """The share of pixels that may be called `colour`, in the block of a 6 x 6 grid with most."""
    image = Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0))).convert("HSV")
    hue, saturation, value = np.asarray(image.resize((96, 72))).transpose(2, 0, 1)
    fits = np.zeros(hue.shape, bool)
    for low, high in HUES[colour]:
        fits |= (hue >= low) & (hue <= high)
    fits &= (saturation > 70) & (value > 50)
    return float(fits.reshape(6, 12, 6, 16).mean(axis=(1, 3)).max())
