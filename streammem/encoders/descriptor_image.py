"""What the descriptor measures in a picture: colours, their places, light, texture and motion.

Every picture is measured on the same grid of points by code that sees one picture at a time, so
that its values do not depend on the batch it is in; only motion looks at the neighbours.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats, Pixels
from streammem.encoders.descriptor_colour import FULL, colour_code, colour_table
from streammem.encoders.descriptor_space import (
    BLOCKS,
    CELL_COLUMNS,
    CELL_ROWS,
    CELLS,
    COLOURS,
    DIM,
    SHAPE_COLUMNS,
    SHAPE_ROWS,
    complete,
    pair_products,
)

GRID_ROWS: Final = 48
GRID_COLUMNS: Final = 72
TOKEN_ROWS: Final = 6
TOKEN_COLUMNS: Final = 6
_TOKENS: Final = TOKEN_ROWS * TOKEN_COLUMNS
_TOKEN_POINTS: Final = (GRID_ROWS // TOKEN_ROWS) * (GRID_COLUMNS // TOKEN_COLUMNS)
# A point counts as changed beyond the usual noise of cameras and codecs.
_CHANGED_LEVELS: Final = 14

# Black, white and grey come first among the colour terms.
_DULL_COLOURS: Final = 3

Luma = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Points:
    """A picture on the grid: `colours` uint8 shares `[48 72 12]`, `luma` int16 `[48 72]`."""

    colours: Pixels
    luma: Luma


@dataclass(frozen=True, slots=True)
class Change:
    """How much of a picture differs from its calmer neighbour, in [0, 1]; tokens `[36]`."""

    whole: float
    tokens: Floats


def sample_points(picture: Pixels) -> Points:
    """One picture uint8 `[3 H W]` on the grid, by its pixels nearest to the grid's points."""
    rows, columns = _picks(picture.shape[1], GRID_ROWS), _picks(picture.shape[2], GRID_COLUMNS)
    red, green, blue = picture[:, rows[:, np.newaxis], columns]
    luma = (
        red.astype(np.uint16) * np.uint16(77)
        + green.astype(np.uint16) * np.uint16(150)
        + blue.astype(np.uint16) * np.uint16(29)
    ) >> np.uint16(8)
    return Points(colour_table()[colour_code(red, green, blue)], luma.astype(np.int16))


def _picks(length: int, count: int) -> NDArray[np.int64]:
    return (np.arange(count, dtype=np.int64) * 2 + 1) * length // (2 * count)


def changes(points: list[Points]) -> list[Change | None]:
    """How much each picture moves: the smaller of its changes to the previous and the next.

    The smaller one, because a cut is not a movement. Pictures at the end of a batch that repeat
    their predecessor exactly are padding or a freeze; they do not calm the picture before them.
    """
    steps = [
        np.abs(after.luma - before.luma) > _CHANGED_LEVELS for before, after in pairwise(points)
    ]
    last = len(points) - 1
    while last > 0 and np.array_equal(points[last].luma, points[last - 1].luma):
        last -= 1
    found: list[Change | None] = []
    for index in range(len(points)):
        before = [_change(steps[index - 1])] if index > 0 else []
        after = [_change(steps[index])] if index < len(points) - 1 and index != last else []
        sides = before + after
        found.append(min(sides, key=lambda side: side.whole) if sides else None)
    return found


def _change(changed: NDArray[np.bool_]) -> Change:
    per_token = _by_token(changed.astype(np.uint8)).sum(axis=(1, 3), dtype=np.uint16)
    tokens = per_token.reshape(_TOKENS).astype(np.float32) / np.float32(_TOKEN_POINTS)
    return Change(float(per_token.sum()) / (_TOKENS * _TOKEN_POINTS), tokens)


def measure(points: Points, change: Change | None) -> tuple[Floats, Floats]:
    """The vectors of one picture: embedding `[D]` and tokens `[36 D]`, all of norm 1."""
    shares = _token_shares(points.colours)
    vectors = np.zeros((1 + _TOKENS, DIM), np.float32)
    _fill_colours(vectors, shares)
    whole = vectors[0]
    luma = points.luma.astype(np.float32)
    _put(whole, "light", _light(luma))
    _put(whole, "saturation", _saturation(shares))
    _put(whole, "texture", _texture(luma))
    _put(whole, "shape", _shape(luma))
    if change is not None:
        everywhere = np.concatenate([[np.float32(change.whole)], change.tokens])
        low = np.full(1 + _TOKENS, 0.10, np.float32)
        high = np.full(1 + _TOKENS, 0.35, np.float32)
        low[0], high[0] = 0.01, 0.08
        moving = _step(low, high, everywhere)
        block = BLOCKS["motion"]
        vectors[:, block.span] = np.stack([1 - moving, moving], axis=1) * np.float32(block.weight)
    unit = complete(vectors)
    return unit[0], unit[1:]


def _put(vector: Floats, name: str, values: Floats) -> None:
    block = BLOCKS[name]
    vector[block.span] = values * np.float32(block.weight)


def _by_token(grid: NDArray[np.uint8]) -> NDArray[np.uint8]:
    shape = (TOKEN_ROWS, GRID_ROWS // TOKEN_ROWS, TOKEN_COLUMNS, GRID_COLUMNS // TOKEN_COLUMNS)
    return grid.reshape(shape + grid.shape[2:])


def _token_shares(colours: Pixels) -> Floats:
    """Colour shares of each token `[36 12]`; exact integer sums, then one division."""
    sums = _by_token(colours).sum(axis=(1, 3), dtype=np.uint16)
    shares: Floats = sums.reshape(_TOKENS, len(COLOURS)) / np.float32(FULL * _TOKEN_POINTS)
    return shares


def _cell_of_token() -> NDArray[np.int64]:
    rows = np.arange(TOKEN_ROWS) * CELL_ROWS // TOKEN_ROWS
    columns = np.arange(TOKEN_COLUMNS) * CELL_COLUMNS // TOKEN_COLUMNS
    return (rows[:, np.newaxis] * CELL_COLUMNS + columns).reshape(_TOKENS)


_CELL_OF_TOKEN: Final = _cell_of_token()


def _fill_colours(vectors: Floats, shares: Floats) -> None:
    """Colour, layout and pair blocks of the picture (row 0) and of its tokens (the others)."""
    side = TOKEN_ROWS // CELL_ROWS, TOKEN_COLUMNS // CELL_COLUMNS
    cells = shares.reshape(CELL_ROWS, side[0], CELL_COLUMNS, side[1], len(COLOURS)).mean(
        axis=(1, 3), dtype=np.float32
    )
    whole = shares.mean(axis=0, dtype=np.float32, keepdims=True)
    amplitudes = np.sqrt(np.concatenate([whole, shares]))
    vectors[:, BLOCKS["colour"].span] = amplitudes * np.float32(BLOCKS["colour"].weight)
    vectors[:, BLOCKS["pairs"].span] = pair_products(amplitudes) * np.float32(
        BLOCKS["pairs"].weight
    )
    layout = np.zeros((1 + _TOKENS, CELLS, len(COLOURS)), np.float32)
    layout[0] = np.sqrt(cells.reshape(CELLS, len(COLOURS)) / np.float32(CELLS))
    layout[np.arange(1, 1 + _TOKENS), _CELL_OF_TOKEN] = amplitudes[1:]
    vectors[:, BLOCKS["layout"].span] = layout.reshape(1 + _TOKENS, -1) * np.float32(
        BLOCKS["layout"].weight
    )


def _step(low: float | Floats, high: float | Floats, value: float | Floats) -> Floats:
    ramp = np.clip((value - low) / (high - low), 0.0, 1.0)
    eased: Floats = np.asarray(ramp * ramp * (3.0 - 2.0 * ramp), np.float32)
    return eased


def _light(luma: Floats) -> Floats:
    """Dark, bright, high and low contrast; at most one of each couple, so norm at most 1."""
    mean, spread = float(luma.mean()), float(luma.std())
    values = [
        1 - _step(28.0, 80.0, mean),
        _step(150.0, 205.0, mean),
        _step(60.0, 95.0, spread),
        1 - _step(8.0, 28.0, spread),
    ]
    return np.array(values, np.float32) * np.float32(np.sqrt(0.5))


def _saturation(shares: Floats) -> Floats:
    """Colourful, colourless: by the share of pixels that have a hue."""
    hued = 1.0 - float(shares[:, :_DULL_COLOURS].sum()) / _TOKENS
    return np.array([_step(0.30, 0.70, hued), 1 - _step(0.03, 0.12, hued)], np.float32)


def _texture(luma: Floats) -> Floats:
    """Smooth, busy, horizontal stripes, vertical stripes, checkered; norm at most 1.

    Stripes: the row (column) means carry the variance and alternate. A checkerboard is the outer
    product of two alternating profiles: row and column means carry nothing, one rank everything.
    """
    across, down = np.abs(np.diff(luma, axis=1)), np.abs(np.diff(luma, axis=0))
    roughness = (float(across.mean()) + float(down.mean())) / 2
    centred = luma - luma.mean()
    energy = float((centred * centred).mean()) + 1.0
    row_means, column_means = centred.mean(axis=1), centred.mean(axis=0)
    by_rows = float((row_means * row_means).mean()) / energy
    by_columns = float((column_means * column_means).mean()) / energy
    contrast = _step(30.0, 200.0, energy)
    horizontal = contrast * _step(0.55, 0.85, by_rows) * _alternates(row_means)
    vertical = contrast * _step(0.55, 0.85, by_columns) * _alternates(column_means)
    checkered = np.float32(0.0)
    if energy > 30.0 and by_rows < 0.2 and by_columns < 0.2:
        left, right, share = _strongest_product(centred, energy)
        regular = _alternates(left) * _alternates(right)
        checkered = np.float32(contrast * _step(0.45, 0.75, share) * regular)
    patterned = max(float(horizontal), float(vertical), float(checkered))
    values = np.array(
        [
            1 - _step(2.0, 7.0, roughness),
            _step(12.0, 24.0, roughness) * (1 - patterned),
            horizontal,
            vertical,
            checkered,
        ],
        np.float32,
    )
    length = float(np.sqrt((values * values).sum()))
    return values / np.float32(max(1.0, length))


def _strongest_product(centred: Floats, energy: float) -> tuple[Floats, Floats, float]:
    """The outer product nearest to `centred`: both profiles and the share of energy it carries.

    Power iteration from the row that holds most, without a random start.
    """
    strongest = int((centred * centred).sum(axis=1).argmax())
    right = centred[strongest]
    left = centred[:, 0]
    for _ in range(3):
        left = (centred * right).sum(axis=1)
        left = left / np.float32(np.sqrt(float((left * left).sum())) + 1e-6)
        right = (centred * left[:, np.newaxis]).sum(axis=0)
    share = float((right * right).sum()) / (energy * centred.size)
    return left, right, share


def _alternates(profile: Floats) -> Floats:
    """0 for a profile that changes side at most twice, 1 from six times on."""
    swing = np.float32(0.35) * np.sqrt((profile * profile).mean())
    sides = np.where(profile > swing, 1, np.where(profile < -swing, -1, 0))
    sides = sides[sides != 0]
    return _step(2.0, 6.0, float(np.count_nonzero(np.diff(sides))))


def _shape(luma: Floats) -> Floats:
    """Where the picture is lighter and darker than its mean; norm under 1, small when flat."""
    blocks = luma.reshape(
        SHAPE_ROWS, GRID_ROWS // SHAPE_ROWS, SHAPE_COLUMNS, GRID_COLUMNS // SHAPE_COLUMNS
    ).mean(axis=(1, 3), dtype=np.float32)
    centred = (blocks - blocks.mean()).reshape(-1)
    length = np.sqrt((centred * centred).sum())
    shape: Floats = centred / (length + np.float32(40.0))
    return shape
