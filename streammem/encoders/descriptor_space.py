"""Which coordinate of the descriptor's space means what; picture and text side meet only here.

The space is cut into blocks. A block is filled with values of norm at most 1, scaled by the
block's weight; the squared weights sum to less than 1 and the last coordinate takes what is
missing, so that every picture vector has norm 1 without a scaling that depends on its content.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from streammem.core.types import Floats

# A change here makes vectors of older memories incomparable: raise it with any edit of this
# file, of the colour table or of the measures of a picture.
VERSION: Final = 1

COLOURS: Final = (
    "black", "white", "grey", "red", "orange", "yellow",
    "green", "cyan", "blue", "purple", "pink", "brown",
)  # fmt: skip
COLOUR_PAIRS: Final = tuple(combinations(range(len(COLOURS)), 2))
CELL_ROWS: Final = 3
CELL_COLUMNS: Final = 3
CELLS: Final = CELL_ROWS * CELL_COLUMNS
LIGHTS: Final = ("dark", "bright", "high contrast", "low contrast")
SATURATIONS: Final = ("colourful", "colourless")
TEXTURES: Final = ("smooth", "busy", "horizontal stripes", "vertical stripes", "checkered")
MOTIONS: Final = ("still", "moving")
SHAPE_ROWS: Final = 4
SHAPE_COLUMNS: Final = 6


@dataclass(frozen=True, slots=True)
class Block:
    """A run of coordinates `[start, stop)` and the norm it may take."""

    start: int
    stop: int
    weight: float

    @property
    def span(self) -> slice:
        """The coordinates, for indexing."""
        return slice(self.start, self.stop)


def _blocks() -> dict[str, Block]:
    sizes = {
        "colour": (len(COLOURS), 0.42),
        "layout": (CELLS * len(COLOURS), 0.46),
        "pairs": (len(COLOUR_PAIRS), 0.28),
        "light": (len(LIGHTS), 0.25),
        "saturation": (len(SATURATIONS), 0.12),
        "texture": (len(TEXTURES), 0.28),
        "motion": (len(MOTIONS), 0.12),
        "shape": (SHAPE_ROWS * SHAPE_COLUMNS, 0.59),
    }
    blocks, start = {}, 0
    for name, (size, weight) in sizes.items():
        blocks[name] = Block(start, start + size, weight)
        start += size
    return blocks


BLOCKS: Final = _blocks()
REST: Final = max(block.stop for block in BLOCKS.values())
DIM: Final = REST + 1

_FIRST: Final = np.array([first for first, _ in COLOUR_PAIRS])
_SECOND: Final = np.array([second for _, second in COLOUR_PAIRS])


def pair_products(amplitudes: Floats) -> Floats:
    """How far two colours are there together: `[... 12]` square-root shares to `[... 66]`.

    The values are the upper triangle of the outer product, so their norm is at most 1.
    """
    products: Floats = amplitudes[..., _FIRST] * amplitudes[..., _SECOND] * np.float32(np.sqrt(2.0))
    return products


def complete(vectors: Floats) -> Floats:
    """Weighted blocks `[N D]` with the last coordinate set so that every row has norm 1.

    The other coordinates keep their bits, so motion never shows in them.
    """
    vectors[:, REST] = 0.0
    filled = (vectors * vectors).sum(axis=1)
    vectors[:, REST] = np.sqrt(np.maximum(np.float32(1.0) - filled, np.float32(0.0)))
    return vectors


def cell_index(row: int, column: int) -> int:
    """The number of a layout cell, rows from the top."""
    return row * CELL_COLUMNS + column


def facts() -> dict[str, object]:
    """What the digest of the descriptor covers besides its colour table."""
    return {
        "version": VERSION,
        "colours": COLOURS,
        "blocks": {name: (b.start, b.stop, b.weight) for name, b in BLOCKS.items()},
        "words": (LIGHTS, SATURATIONS, TEXTURES, MOTIONS),
    }
