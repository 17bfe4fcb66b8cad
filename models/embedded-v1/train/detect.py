"""What the detector finds in every training picture, once, in one file."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pictures import PictureStore
from teachers import Detector

_BLOCK = 256


def detect(work: Path, weights: Path, processes: int = 2) -> Path:
    """Write `boxes.npz`: all boxes, and where each picture's begin."""
    path = work / "boxes.npz"
    if path.is_file():
        return path
    count = len(PictureStore(work))
    blocks = [range(at, min(count, at + _BLOCK)) for at in range(0, count, _BLOCK)]
    with ProcessPoolExecutor(processes) as pool:
        found = [each for part in pool.map(partial(_found, work, weights), blocks) for each in part]
    starts = np.concatenate([[0], np.cumsum([len(each) for each in found])])
    np.savez(path, boxes=np.concatenate(found), starts=starts)
    return path


def _found(work: Path, weights: Path, rows: range) -> list[NDArray[np.float32]]:
    store, detector = PictureStore(work), Detector(weights)
    return [detector(store.pixels(row)) for row in rows]
