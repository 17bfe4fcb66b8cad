"""What the detector finds in every training picture, each once, in one file."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pictures import PictureStore
from teachers import Detector

_BLOCK = 256


def detect(work: Path, weights: Path, processes: int = 2) -> Path:
    """Write `boxes.npz`: all boxes, and where each picture's begin; those it has are kept."""
    path = work / "boxes.npz"
    boxes, starts = np.zeros((0, 6), np.float32), np.zeros(1, np.int64)
    if path.is_file():
        held = np.load(path)
        boxes, starts = held["boxes"], held["starts"]
    first, count = len(starts) - 1, len(PictureStore(work))
    if first == count:
        return path
    blocks = [range(at, min(count, at + _BLOCK)) for at in range(first, count, _BLOCK)]
    with ProcessPoolExecutor(processes) as pool:
        found = [each for part in pool.map(partial(_found, work, weights), blocks) for each in part]
    ends = starts[-1] + np.cumsum([len(each) for each in found])
    unfinished = work / "boxes.part.npz"
    np.savez(
        unfinished,
        boxes=np.concatenate([boxes, *found]),
        starts=np.concatenate([starts, ends]),
    )
    unfinished.replace(path)
    return path


def _found(work: Path, weights: Path, rows: range) -> list[NDArray[np.float32]]:
    store, detector = PictureStore(work), Detector(weights)
    return [detector(store.pixels(row)) for row in rows]
