"""Things cut out along the detector's boxes, to be laid over views.

The pictures are mostly of one thing on plain ground, and of the everyday things that the detector
knows some are in 61 pictures (cups), others in 2,674 (people). A frame of video holds several of
them, small, before anything: so they are laid over views of other pictures, rare ones more often.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from picture_words import COCO_NAMES
from pictures import COMPOSED, PictureStore
from PIL import Image
from teachers import CLASSIFIER_SIZE_PX, MAP_CHANNELS, MAP_CODE, Classifier

# Pixels of a side as kept: a thing is half as wide as a view at most.
SIDE_PX = 96
# Boxes that are unsure or tiny teach nothing.
_MIN_SCORE, _MIN_SIDE_PX = 0.5, 16
# Detections above this are taken for certain.
CERTAIN = 0.75
# So much of a box's side is kept around it.
_MARGIN = 0.1
_MOST_OF_A_CLASS = 300

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Thing:
    """Its pixels `[96 96 3]`, what the classifier's head sees `[1280]`, and its class `[80]`."""

    pixels: Pixels
    features: Floats
    boxes: Pixels


class Things:
    """All of them; a class is drawn by the root of how many it has, so that rare ones are seen."""

    def __init__(self, work: Path) -> None:
        held = np.load(work / "things.npz")
        self._pixels, self._features = held["pixels"], held["features"]
        self._sure, self._kinds = held["sure"], held["kinds"]
        self._until = until_of_kinds(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)

    def drawn(self, rng: np.random.Generator) -> Thing:
        """One thing, mirrored or not."""
        row = min(int(np.searchsorted(self._until, rng.random())), len(self) - 1)
        boxes = np.zeros(len(COCO_NAMES), np.uint8)
        boxes[self._kinds[row]] = round(255 * float(self._sure[row]))
        pixels = self._pixels[row]
        mirrored = pixels[:, ::-1] if rng.random() < 0.5 else pixels
        return Thing(mirrored, self._features[row].astype(np.float32), boxes)


def until_of_kinds(kinds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where each one's part of [0, 1] ends if a class is drawn by the root of its number."""
    counts = np.bincount(kinds, minlength=len(COCO_NAMES))
    weights = 1 / np.sqrt(counts[kinds])
    until: NDArray[np.float64] = np.cumsum(weights / weights.sum())
    return until


def cut_out(work: Path, weights: Path, seed: int = 7) -> Path:
    """Write `things.npz` from the training pictures and their boxes, once."""
    path = work / "things.npz"
    if path.is_file():
        return path
    store, teacher = PictureStore(work), Classifier(weights)
    chosen = boxes_of_things(store, work, "train", np.random.default_rng(seed))
    pixels = np.zeros((len(chosen), SIDE_PX, SIDE_PX, 3), np.uint8)
    features = np.zeros((len(chosen), MAP_CHANNELS), np.float16)
    scale, zero = MAP_CODE
    for place, (row, box) in enumerate(chosen):
        picture = Image.fromarray(store.pixels(row)).crop(around(box, store, row))
        pixels[place] = picture.resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR)
        seen = picture.resize((CLASSIFIER_SIZE_PX, CLASSIFIER_SIZE_PX), Image.Resampling.BILINEAR)
        codes, _ = teacher(np.asarray(seen))
        features[place] = (codes.astype(np.float32).mean((0, 1)) - zero) * scale
    boxes = np.array([box for _, box in chosen], np.float32)
    np.savez(
        path,
        pixels=pixels,
        features=features,
        sure=np.minimum(1, boxes[:, 4] / CERTAIN),
        kinds=boxes[:, 5].astype(np.int64),
    )
    return path


def boxes_of_things(
    store: PictureStore, work: Path, split: str, rng: np.random.Generator
) -> list[tuple[int, tuple[float, ...]]]:
    """Rows of pictures with one box each, at most so many of a class."""
    held = np.load(work / "boxes.npz")
    boxes, starts = held["boxes"], held["starts"]
    by_kind: dict[int, list[tuple[int, tuple[float, ...]]]] = {}
    for row in store.of_split(split):
        picture = store.pictures[row]
        if picture.set == COMPOSED:
            continue
        for box in boxes[starts[row] : starts[row + 1]]:
            wide, high = (box[2] - box[0]) * picture.width, (box[3] - box[1]) * picture.height
            if box[4] >= _MIN_SCORE and min(wide, high) >= _MIN_SIDE_PX:
                by_kind.setdefault(int(box[5]), []).append((row, tuple(box.tolist())))
    return [
        each[place]
        for _, each in sorted(by_kind.items())
        for place in np.sort(rng.permutation(len(each))[:_MOST_OF_A_CLASS])
    ]


def around(box: tuple[float, ...], store: PictureStore, row: int) -> tuple[int, int, int, int]:
    """The box in pixels with a margin, inside of the picture."""
    picture = store.pictures[row]
    left, top, right, bottom = box[:4]
    across, down = _MARGIN * (right - left), _MARGIN * (bottom - top)
    return (
        int(max(0.0, left - across) * picture.width),
        int(max(0.0, top - down) * picture.height),
        round(min(1.0, right + across) * picture.width),
        round(min(1.0, bottom + down) * picture.height),
    )
