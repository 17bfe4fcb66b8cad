"""Whether the text in a picture can have changed: a few milliseconds before a costly reading.

A picture is cut into a fixed grid of cells. The mean strength of the edges in a cell is its mark;
text is where edges are strong and stand still, so a reading is due where such cells differ from
what they were at the last one.
"""

import base64
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Pixels

ROWS, COLUMNS = 36, 64
# Mean edge strength, of 255, from which on a cell may hold text.
TEXT_EDGES = 6.0
# A cell differs where its mark moved by more than this part, and by more than noise does.
CHANGED_SHARE = 0.15
CHANGED_EDGES = 2.5
# So many still, changed cells make a reading due: a short word is two cells wide.
DUE_CELLS = 2
_LONGEST_SIDE_PX = 640
_STEPS_PER_EDGE = 4.0

Marks = NDArray[np.uint8]
Cells = NDArray[np.bool_]


def marks_of(pixels: Pixels) -> Marks:
    """The mark of every cell of a picture `[3 H W]`, in quarters of an edge step, `[36 64]`."""
    step = max(1, -(-max(pixels.shape[1:]) // (2 * _LONGEST_SIDE_PX)))
    grey = pixels[1, ::step, ::step].astype(np.int16)
    rows, columns = (grey.shape[0] // ROWS) * ROWS, (grey.shape[1] // COLUMNS) * COLUMNS
    if not rows or not columns:
        return np.zeros((ROWS, COLUMNS), np.uint8)
    edges = np.zeros((rows, columns), np.int16)
    edges[:, 1:] = np.abs(np.diff(grey[:rows, :columns], axis=1))
    edges[1:] += np.abs(np.diff(grey[:rows, :columns], axis=0))
    sums = edges.reshape(ROWS, rows // ROWS, COLUMNS, columns // COLUMNS).sum(
        axis=(1, 3), dtype=np.int64
    )
    mean = sums / (rows // ROWS * (columns // COLUMNS))
    marks: Marks = np.minimum(mean * _STEPS_PER_EDGE, 255).astype(np.uint8)
    return marks


def changed(marks: Marks, before: Marks) -> Cells:
    """Which cells hold something else than before, `[36 64]`."""
    one, two = marks.astype(np.float32), before.astype(np.float32)
    limit = np.maximum(CHANGED_SHARE * np.maximum(one, two), CHANGED_EDGES * _STEPS_PER_EDGE)
    return np.asarray(np.abs(one - two) > limit, np.bool_)


def may_hold_text(marks: Marks) -> Cells:
    """Which cells have edges as text has, `[36 64]`."""
    return np.asarray(marks >= TEXT_EDGES * _STEPS_PER_EDGE, np.bool_)


def cells_of(
    box: tuple[float, float, float, float], height: int, width: int
) -> tuple[slice, slice]:
    """The rows and columns of the grid that a box in pixels covers, one at least."""
    left, top = int(box[0] * COLUMNS / width), int(box[1] * ROWS / height)
    right, bottom = int(box[2] * COLUMNS / width), int(box[3] * ROWS / height)
    top, left = min(max(top, 0), ROWS - 1), min(max(left, 0), COLUMNS - 1)
    return slice(top, max(top, bottom) + 1), slice(left, max(left, right) + 1)


def pack(values: NDArray[Any]) -> str:
    """An array of the grid's size as text."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(values).tobytes(), 9)).decode()


def unpack(text: str, kind: type[np.generic]) -> NDArray[Any]:
    """What `pack` made of an array of that kind."""
    data = zlib.decompress(base64.b64decode(text))
    return np.frombuffer(data, kind).reshape(ROWS, COLUMNS).copy()
