"""Pictures put together from others, which the teachers then look at as at any picture.

The pictures are mostly of one thing that fills them; a frame of video is wide and holds several
things, most of them small. `patches` lays things over views and keeps what the teachers said of
each alone; here they are asked what they see in the whole, as they are on real frames.
"""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pictures import COMPOSED, DRAWS, Picture, PictureStore
from PIL import Image, ImageFilter
from things import around, boxes_of_things, until_of_kinds

# By split of the pictures that they are made of; those of validation are never trained on.
COUNTS = {"train": 16_000, "val": 2_000}
HEIGHT_PX = 192
# Width by height: from nearly square to wide film.
_ASPECTS = (1.1, 1.9)
_MOST_LAID = 6
# How much of what is laid are the detector's things; the rest are parts of pictures.
_THINGS = 0.5
# The height of what is laid, as shares of the canvas; small is drawn as often as twice as large.
_SIZES = (0.14, 0.7)
# The share of a picture's area that is laid, and the share of parts whose edge is soft.
_KEPT, _SOFT = (0.5, 1.0), 0.6

Pixels = NDArray[np.uint8]


def compose(folder: Path, seed: int = 11) -> None:
    """Add composed pictures to the store, once; the others need their boxes."""
    store = PictureStore(folder)
    if any(each.set == COMPOSED for each in store.pictures):
        return
    rows = [asdict(each) for each in store.pictures]
    offset = store.pictures[-1].offset + store.pixels(len(store) - 1).size
    with (folder / "pictures.bin").open("r+b") as out:
        # A run that was killed may have left some behind the last picture.
        out.seek(offset)
        for split, count in COUNTS.items():
            sources = _Sources(store, folder, split, seed)
            for number in range(count):
                rng = np.random.default_rng((seed, len(split), number))
                pixels = _composed(sources, rng)
                out.write(pixels.tobytes())
                height, width = pixels.shape[:2]
                goes_to = split if split == "train" else COMPOSED
                name = f"{COMPOSED}-{split}-{number}"
                rows.append(asdict(Picture(name, goes_to, COMPOSED, "", offset, height, width)))
                offset += pixels.size
        out.truncate()
    unfinished = folder / "pictures.part"
    unfinished.write_text(json.dumps(rows), encoding="utf-8")
    unfinished.replace(folder / "pictures.json")


class _Sources:
    """Pictures of a split, drawn as often as views draw them, and the things in them."""

    def __init__(self, store: PictureStore, folder: Path, split: str, seed: int) -> None:
        self._store = store
        self._rows = store.of_split(split)
        draws = np.array([DRAWS[store.pictures[row].set] for row in self._rows], np.float64)
        self._until = np.cumsum(draws / draws.sum())
        self._things = boxes_of_things(store, folder, split, np.random.default_rng(seed))
        self._until_thing = until_of_kinds(
            np.array([box[5] for _, box in self._things]).astype(np.int64)
        )

    def picture(self, rng: np.random.Generator) -> Image.Image:
        """All of a picture."""
        return Image.fromarray(self._store.pixels(self._rows[_place(self._until, rng)]))

    def laid(self, rng: np.random.Generator) -> Image.Image:
        """A thing by its box, or a large part of a picture."""
        if rng.random() >= _THINGS:
            return _part(self.picture(rng), rng)
        row, box = self._things[_place(self._until_thing, rng)]
        return Image.fromarray(self._store.pixels(row)).crop(around(box, self._store, row))


def _place(until: NDArray[np.float64], rng: np.random.Generator) -> int:
    return min(int(np.searchsorted(until, rng.random())), len(until) - 1)


def _composed(sources: _Sources, rng: np.random.Generator) -> Pixels:
    """A ground that fills a wide canvas, and up to six others on it, small ones often."""
    wide = round(HEIGHT_PX * np.exp(rng.uniform(*np.log(_ASPECTS))))
    canvas = _filling(sources.picture(rng), wide, HEIGHT_PX, rng)
    for _ in range(int(rng.integers(1, _MOST_LAID + 1))):
        thing = sources.laid(rng)
        high = HEIGHT_PX * np.exp(rng.uniform(*np.log(_SIZES)))
        size = (
            max(8, min(wide, round(thing.width * high / thing.height))),
            max(8, round(high)),
        )
        thing = thing.resize(size, Image.Resampling.BILINEAR)
        if rng.random() < 0.5:
            thing = thing.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        # A fifth of it may reach beyond the canvas.
        left = rng.uniform(-0.2 * size[0], wide - 0.8 * size[0])
        top = rng.uniform(-0.2 * size[1], HEIGHT_PX - 0.8 * size[1])
        canvas.paste(thing, (round(left), round(top)), _mask(size, soft=rng.random() < _SOFT))
    return np.asarray(canvas)


def _filling(picture: Image.Image, wide: int, high: int, rng: np.random.Generator) -> Image.Image:
    """The largest part of a picture with this shape, somewhere in it."""
    scale = max(wide / picture.width, high / picture.height)
    across, down = min(wide / scale, picture.width), min(high / scale, picture.height)
    left, top = rng.uniform(0, picture.width - across), rng.uniform(0, picture.height - down)
    box = (left, top, left + across, top + down)
    return picture.resize((wide, high), Image.Resampling.BILINEAR, box)


def _part(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    share = float(np.sqrt(rng.uniform(*_KEPT)))
    wide, high = round(picture.width * share), round(picture.height * share)
    left, top = (
        int(rng.integers(0, whole - part + 1))
        for whole, part in ((picture.width, wide), (picture.height, high))
    )
    return picture.crop((left, top, left + wide, top + high))


def _mask(size: tuple[int, int], *, soft: bool) -> Image.Image:
    """All of it, or what fades towards the edge."""
    if not soft:
        return Image.new("L", size, 255)
    edge = max(2, min(size) // 6)
    mask = Image.new("L", size, 0)
    mask.paste(255, (edge // 2, edge // 2, size[0] - edge // 2, size[1] - edge // 2))
    return mask.filter(ImageFilter.GaussianBlur(edge / 3))
