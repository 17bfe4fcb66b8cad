"""What the student sees: crops of pictures, degraded as video is, and what teachers say of them.

The teacher looks at the clean crop, the student at the degraded one. Every view follows from
(seed, number), whatever process makes it, so a run that was killed continues as if it was not.
"""

import io
from dataclasses import dataclass, replace
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import picture_words
import torch
from numpy.typing import NDArray
from picture_words import COCO_NAMES, OBJECT_SETS, PLACE_WORDS, words_of_picture
from pictures import COMPOSED, DRAWS, PictureStore
from PIL import Image, ImageFilter
from student import GRID, IMAGE_SIZE_PX
from teachers import CLASSIFIER_SIZE_PX, MAP_CHANNELS, MAP_CODE, MAP_SIDE, Classifier
from things import CERTAIN, Thing, Things
from words import Vocabulary, build_vocabulary

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
# A box counts as shown when this share of it is inside the crop, and as in a token when this
# share of the smaller of the two is common.
_SHOWN, _IN_TOKEN = 0.4, 0.35
UNKNOWN = 255
SMALL_GRID = 4
# How many crops of a picture there are: laps take them in turn, so that the teacher looks at each
# only once.
CROPS = 6


@dataclass(frozen=True, slots=True)
class Box:
    """A crop as shares of the picture, and whether it is mirrored."""

    left: float
    top: float
    right: float
    bottom: float
    mirrored: bool = False


_WHOLE = Box(0, 0, 1, 1)


class Views(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """View number n of a run: a crop of some picture, drawn by the weights of the sets."""

    def __init__(
        self, work: Path, weights: Path, seed: int, *, small_until: int = 0, split: str = "train"
    ) -> None:
        self._store = PictureStore(work)
        self._weights = weights
        self._seed = seed
        self._fixed = split != "train"
        self._vocabulary = load_vocabulary(work, weights)
        rows = self._store.of_split(split)
        pictures = self._store.pictures
        self._order = (
            np.array(rows)
            if self._fixed
            else np.repeat(rows, [DRAWS[pictures[row].set] for row in rows])
        )
        held = np.load(work / "boxes.npz")
        self._boxes, self._box_starts = held["boxes"], held["starts"]
        self._things = None if self._fixed else Things(work)
        self._teacher: Classifier | None = None
        self._scale, self._zero = MAP_CODE
        stem = f"taught-{split}-{seed}"
        self._seen = [
            _Taught(work / (f"{stem}-{crop}" if crop else stem), len(self._order))
            for crop in range(1 if self._fixed else CROPS)
        ]
        # Views before this number are small: most is learnt on them at less than half the cost.
        self._small_until = small_until

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        """A degraded view, its targets (logits, map, boxes by token, label words), and a thing."""
        rng = np.random.default_rng((self._seed, number))
        lap, place = divmod(number, len(self._order))
        if not self._fixed:
            place = _shuffled(place, len(self._order), self._seed + lap)
        row = int(self._order[place])
        picture, pixels = self._store.pictures[row], self._store.pixels(row)
        crop, seen = _WHOLE, lap % len(self._seen)
        if not self._fixed:
            crop = _random_crop(np.random.default_rng((self._seed, place, 2 + seen)))
        features, logits = self._taught(self._seen[seen], place, pixels, crop)
        if not self._fixed and rng.random() < 0.5:
            crop, features = replace(crop, mirrored=True), features[:, ::-1]
        grid = SMALL_GRID if number < self._small_until else GRID
        side = IMAGE_SIZE_PX * grid // GRID
        flat = torch.from_numpy(features.reshape(MAP_SIDE * MAP_SIDE, -1).astype(np.float32))
        # torch multiplies with as many threads as this process was given, NumPy with all there are.
        pooled = (torch.from_numpy(_pooling(grid)) @ flat - self._zero) * self._scale
        boxes = self._boxes[self._box_starts[row] : self._box_starts[row + 1]]
        whole, tokens = _boxes_in(boxes, crop, grid)
        clean = _cut(pixels, crop, side)
        seen = clean if self._fixed else _degraded(clean, rng)
        item = {
            "pixels": torch.from_numpy(np.ascontiguousarray(seen.transpose(2, 0, 1))),
            "logits": torch.from_numpy(logits),
            "map": pooled.to(torch.float16),
            "whole_boxes": torch.from_numpy(whole),
            "token_boxes": torch.from_numpy(tokens),
            "words": torch.from_numpy(self._words(picture.set, picture.label)),
        }
        return item if self._things is None else item | _to_lay(self._things.drawn(rng))

    def _taught(
        self, seen: "_Taught", place: int, pixels: Pixels, crop: Box
    ) -> tuple[NDArray[np.int8], Floats]:
        """The teacher's map and logits of a crop, kept from the first time."""
        if not seen.done[place]:
            if self._teacher is None:
                self._teacher = Classifier(self._weights)
            features, logits = self._teacher(_cut(pixels, crop, CLASSIFIER_SIZE_PX))
            seen.maps[place], seen.logits[place] = features, logits
            seen.done[place] = 1
        return np.asarray(seen.maps[place]), seen.logits[place].astype(np.float32)

    def _words(self, set_name: str, label: str) -> NDArray[np.uint8]:
        """Per label word: 1 shown, 0 not shown, UNKNOWN."""
        if set_name == COMPOSED:
            # Whatever was laid into it may be hidden, or too small to tell.
            return np.full(len(self._vocabulary.picture_leaf), UNKNOWN, np.uint8)
        said = words_of_picture(set_name, label)
        known = np.zeros(len(self._vocabulary.picture_leaf), np.uint8)
        for place, word in enumerate(self._vocabulary.picture_leaf):
            if word in said:
                known[place] = 1
            elif word in PLACE_WORDS and set_name not in OBJECT_SETS:
                known[place] = UNKNOWN
        return known


def _to_lay(thing: Thing) -> dict[str, torch.Tensor]:
    """What `patches` lays over other views of the batch."""
    return {
        "thing_pixels": torch.from_numpy(np.ascontiguousarray(thing.pixels.transpose(2, 0, 1))),
        "thing_map": torch.from_numpy(thing.features).to(torch.float16),
        "thing_boxes": torch.from_numpy(thing.boxes),
    }


class _Taught:
    """What the teacher said of each crop, in files that the workers share."""

    def __init__(self, stem: Path, count: int) -> None:
        self.maps = _shared(
            stem.with_suffix(".maps"), np.int8, (count, MAP_SIDE, MAP_SIDE, MAP_CHANNELS)
        )
        self.logits = _shared(stem.with_suffix(".logits"), np.float16, (count, 1000))
        self.done = _shared(stem.with_suffix(".done"), np.uint8, (count,))


def _shared(path: Path, kind: Any, shape: tuple[int, ...]) -> Any:
    if not path.is_file():
        with path.open("wb") as file:
            file.truncate(int(np.prod(shape)) * np.dtype(kind).itemsize)
    return np.memmap(path, kind, "r+", shape=shape)


def load_vocabulary(work: Path, weights: Path) -> Vocabulary:
    """The words, from the teachers' folder and the labels of the pictures."""
    pictures = PictureStore(work).pictures
    picture_words.learn_caltech({each.label for each in pictures if each.set == "caltech101"})
    return build_vocabulary(weights)


_ORDERS: dict[tuple[int, int], NDArray[np.int64]] = {}


def _shuffled(place: int, count: int, seed: int) -> int:
    if (count, seed) not in _ORDERS:
        _ORDERS.clear()
        _ORDERS[count, seed] = np.random.default_rng((seed, 1)).permutation(count)
    return int(_ORDERS[count, seed][place])


def _random_crop(rng: np.random.Generator) -> Box:
    """A part of 20 % to all of a picture, at an aspect that squashed video frames may have."""
    area = rng.uniform(0.2, 1.0) if rng.random() < 0.8 else 1.0
    aspect = np.exp(rng.uniform(-0.6, 0.6))
    wide = min(1.0, float(np.sqrt(area * aspect)))
    high = min(1.0, float(np.sqrt(area / aspect)))
    left, top = rng.uniform(0, 1 - wide), rng.uniform(0, 1 - high)
    return Box(left, top, left + wide, top + high)


def _cut(pixels: Pixels, crop: Box, side: int) -> Pixels:
    height, width = pixels.shape[:2]
    box = (crop.left * width, crop.top * height, crop.right * width, crop.bottom * height)
    # Only the pixels needed are copied.
    left, top = int(box[0]), int(box[1])
    part = np.ascontiguousarray(pixels[top : ceil(box[3]), left : ceil(box[2])])
    inner = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
    scaled = Image.fromarray(part).resize((side, side), Image.Resampling.BILINEAR, inner)
    found = np.asarray(scaled)
    return found[:, ::-1] if crop.mirrored else found


def _boxes_in(boxes: Floats, crop: Box, grid: int) -> tuple[Floats, Pixels]:
    """Per COCO class: how surely a box is in the crop, `[80]`, and in each token `[P 80]`."""
    whole = np.zeros(len(COCO_NAMES), np.float32)
    tokens = np.zeros((grid * grid, len(COCO_NAMES)), np.uint8)
    size = np.array([crop.right - crop.left, crop.bottom - crop.top], np.float32)
    edges = np.arange(grid, dtype=np.float32) / grid
    for x0, y0, x1, y1, score, kind in boxes:
        low = (np.array([x0, y0]) - (crop.left, crop.top)) / size
        high = (np.array([x1, y1]) - (crop.left, crop.top)) / size
        area = float(np.prod(high - low))
        low, high = np.clip(low, 0, 1), np.clip(high, 0, 1)
        shown = float(np.prod(np.maximum(high - low, 0)))
        if area <= 0 or shown / area < _SHOWN:
            continue
        if crop.mirrored:
            low[0], high[0] = 1 - high[0], 1 - low[0]
        sure = min(1.0, score / CERTAIN)
        whole[int(kind)] = max(whole[int(kind)], sure)
        across = np.clip(np.minimum(edges + 1 / grid, high[0]) - np.maximum(edges, low[0]), 0, 1)
        down = np.clip(np.minimum(edges + 1 / grid, high[1]) - np.maximum(edges, low[1]), 0, 1)
        common = np.outer(down, across).ravel() / max(min(shown, grid**-2), 1e-6)
        hit = (common > _IN_TOKEN) * np.uint8(round(255 * sure))
        tokens[:, int(kind)] = np.maximum(tokens[:, int(kind)], hit)
    return whole, tokens


def _degraded(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Small size, blur and compression, each now and then; light and noise come in batches."""
    kind = rng.random()
    if kind > 0.4:
        return pixels
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    if kind < 0.18:
        side = int(rng.uniform(0.25, 0.75) * len(pixels))
        small = picture.resize((side, side), Image.Resampling.BILINEAR)
        picture = small.resize(picture.size, Image.Resampling.BILINEAR)
    elif kind < 0.26:
        picture = picture.filter(ImageFilter.BoxBlur(float(rng.uniform(0.5, 2.0))))
    if 0.12 < kind < 0.18 or kind > 0.26:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=int(rng.integers(12, 60)))
        picture = Image.open(buffer).convert("RGB")
    return np.asarray(picture)


def relit(pixels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A batch of bytes `[B 3 H W]` as values up to 1, under other light, tint, contrast, noise."""
    count = len(pixels)

    def drawn(low: float, high: float, *shape: int) -> torch.Tensor:
        return torch.rand(count, *shape, 1, 1, generator=generator) * (high - low) + low

    values = pixels.float().div_(255)
    middle = values.mean((1, 2, 3), keepdim=True)
    touched = (drawn(0, 1, 1) < 0.5).float()
    contrast, gain = drawn(-0.4, 0.3, 1) * touched, drawn(-0.5, 0.35, 1) * touched
    tint = drawn(-0.12, 0.12, 3) * touched
    # In place and, where few pictures change, on those alone: the rest is waiting for memory.
    slope, light = contrast.exp(), (gain + tint).exp()
    values.mul_(slope * light).add_(middle * (1 - slope) * light)
    grey = torch.nonzero(drawn(0, 1, 1).flatten() < 0.06).flatten()
    values[grey] = values[grey].mean(1, keepdim=True).expand(-1, 3, -1, -1)
    values.clamp_(0, 1)
    # Powers and noise are dear, and most pictures get neither.
    exponent, spread = drawn(1.3, 2.2, 1), drawn(0.005, 0.05, 1)
    night = torch.nonzero(drawn(0, 1, 1).flatten() < 0.06).flatten()
    values[night] = 0.6 * values[night] ** exponent[night]
    noisy = torch.nonzero(drawn(0, 1, 1).flatten() < 0.15).flatten()
    noise = torch.randn(values[noisy].shape, generator=generator)
    values[noisy] = (values[noisy] + spread[noisy] * noise).clamp_(0, 1)
    return values


@cache
def _pooling(grid: int) -> Floats:
    """Matrix that averages the teacher's 7 x 7 map over the cells of a smaller grid."""
    edges = np.arange(grid + 1) / grid * MAP_SIDE
    line = np.zeros((grid, MAP_SIDE), np.float32)
    for cell in range(grid):
        for part in range(MAP_SIDE):
            line[cell, part] = max(0.0, min(edges[cell + 1], part + 1) - max(edges[cell], part))
    line /= line.sum(axis=1, keepdims=True)
    return np.kron(line, line).astype(np.float32)
