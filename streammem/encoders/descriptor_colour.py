"""Which basic colour terms a person would use for an RGB value, as a table.

Rules in OKLCh (Ottosson 2020): lightness and chroma decide between black, white, grey and a hue;
hue decides between seven terms; pink and brown are light red and dark or dull orange. Borders are
soft, so that a little noise moves little weight. Borders were set by eye on the CSS named colours.
"""

from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Pixels
from streammem.encoders.descriptor_space import COLOURS

LEVELS_BITS: Final = 5
LEVELS: Final = 1 << LEVELS_BITS
# Shares of a table row sum to this, so that sums over pixels are exact integers.
FULL: Final = 255

Reals = NDArray[np.float64]

# Hue borders in degrees, each with half its width: below it the former, above it the latter term.
_PINK_RED = (10.0, 8.0)
_RED_ORANGE = (42.0, 6.0)
_ORANGE_YELLOW = (84.0, 7.0)
_GREEN_CYAN = (172.0, 8.0)
_CYAN_BLUE = (216.0, 9.0)
_BLUE_PURPLE = (283.0, 7.0)
_PURPLE_PINK = (334.0, 9.0)


@lru_cache(maxsize=1)
def colour_table() -> Pixels:
    """Shares of the colour terms, uint8 `[32768 12]`, for `colour_code` of a pixel.

    Row r, g, b with five bits each; every row sums to `FULL`.
    """
    steps = (np.arange(LEVELS, dtype=np.float64) + 0.5) * (256 / LEVELS) - 0.5
    # The outermost bins stand for their ends, so that pure black and white are just that.
    steps[0], steps[-1] = 0.0, 255.0
    red, green, blue = np.meshgrid(steps, steps, steps, indexing="ij")
    rgb = np.stack([red, green, blue], axis=-1).reshape(-1, 3) / 255.0
    shares = colour_shares(rgb)
    table = np.floor(shares * FULL).astype(np.int64)
    rows = np.arange(len(table))
    table[rows, shares.argmax(axis=1)] += FULL - table.sum(axis=1)
    return table.astype(np.uint8)


def colour_code(red: Pixels, green: Pixels, blue: Pixels) -> NDArray[np.uint16]:
    """The row of the colour table for each pixel."""
    drop = 8 - LEVELS_BITS
    code: NDArray[np.uint16] = np.left_shift(red >> drop, 2 * LEVELS_BITS, dtype=np.uint16)
    code |= np.left_shift(green >> drop, LEVELS_BITS, dtype=np.uint16)
    code |= blue >> drop
    return code


def colour_shares(rgb: Reals) -> Reals:
    """Shares of the colour terms `[N 12]` for sRGB values in [0, 1] `[N 3]`; rows sum to 1."""
    lightness, chroma, hue = _oklch(rgb)
    shares = {name: np.zeros(len(rgb)) for name in COLOURS}
    black = 1.0 - smoothstep(0.20, 0.34, lightness + 0.8 * chroma)
    dull = (1.0 - smoothstep(0.030, 0.062, chroma)) * (1.0 - black)
    white = smoothstep(0.80, 0.90, lightness)
    shares["black"] = black
    shares["white"] = dull * white
    shares["grey"] = dull * (1.0 - white)
    hued = 1.0 - black - dull
    for name, share in _hue_shares(lightness, chroma, hue).items():
        shares[name] += share * hued
    stacked = np.stack([shares[name] for name in COLOURS], axis=1).clip(min=0.0)
    normalised: Reals = stacked / stacked.sum(axis=1, keepdims=True)
    return normalised


def _hue_shares(lightness: Reals, chroma: Reals, hue: Reals) -> dict[str, Reals]:
    """Shares of the terms for pixels that have a hue (cream counts as white); they sum to 1."""
    # Dark yellowish greens (grass, leaves) are called green earlier than light ones.
    yellow_green = 104.0 + 15.0 * smoothstep(0.55, 0.80, lightness)
    past = {
        "red": _past(hue, *_PINK_RED),
        "orange": _past(hue, *_RED_ORANGE),
        "yellow": _past(hue, *_ORANGE_YELLOW),
        "green": smoothstep(-6.0, 6.0, hue - yellow_green),
        "cyan": _past(hue, *_GREEN_CYAN),
        "blue": _past(hue, *_CYAN_BLUE),
        "purple": _past(hue, *_BLUE_PURPLE),
        "pink": _past(hue, *_PURPLE_PINK),
    }
    order = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink")
    shares = {name: past[name] * (1.0 - past[following]) for name, following in pairwise(order)}
    shares["pink"] = past["pink"] + (1.0 - past["red"])
    # A dark pink is called red (maroon) or, on the side of purple, purple.
    dark_pink = shares["pink"] * (1 - smoothstep(0.48, 0.62, lightness))
    past_purple = np.where(hue < 180.0, 1.0, smoothstep(338.0, 352.0, hue))
    shares["pink"] = shares["pink"] - dark_pink
    shares["purple"] = shares["purple"] + dark_pink * (1 - past_purple)
    shares["red"] = shares["red"] + dark_pink * past_purple
    dull_red = shares["red"] * (1 - smoothstep(0.06, 0.10, chroma))
    dull_red = dull_red * (1 - smoothstep(0.72, 0.80, lightness))
    light_red = shares["red"] * smoothstep(0.66, 0.76, lightness)
    light_red = np.minimum(
        light_red * (1 - smoothstep(0.16, 0.19, chroma)), shares["red"] - dull_red
    )
    vivid_orange = smoothstep(0.58, 0.68, lightness) * smoothstep(0.08, 0.12, chroma)
    vivid_yellow = smoothstep(0.52, 0.66, lightness) * smoothstep(0.06, 0.09, chroma)
    brown = shares["orange"] * (1 - vivid_orange) + shares["yellow"] * (1 - vivid_yellow)
    cream = brown * smoothstep(0.84, 0.92, lightness)
    shares["white"] = cream
    shares["brown"] = brown - cream + dull_red
    shares["red"] = shares["red"] - light_red - dull_red
    shares["orange"] = shares["orange"] * vivid_orange
    shares["yellow"] = shares["yellow"] * vivid_yellow
    shares["pink"] = shares["pink"] + light_red
    return shares


def _past(hue: Reals, border: float, half_width: float) -> Reals:
    return smoothstep(border - half_width, border + half_width, hue)


def smoothstep(low: float, high: float, values: Reals) -> Reals:
    """0 below `low`, 1 above `high`, a smooth cubic between."""
    ramp = np.clip((values - low) / (high - low), 0.0, 1.0)
    eased: Reals = ramp * ramp * (3.0 - 2.0 * ramp)
    return eased


def _oklch(rgb: Reals) -> tuple[Reals, Reals, Reals]:
    """Lightness in [0, 1], chroma and hue in degrees [0, 360) of sRGB values."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    cones = np.cbrt(
        linear
        @ np.array(
            [
                [0.4122214708, 0.2119034982, 0.0883024619],
                [0.5363325363, 0.6806995451, 0.2817188376],
                [0.0514459929, 0.1073969566, 0.6299787005],
            ]
        )
    )
    lab = cones @ np.array(
        [
            [0.2104542553, 1.9779984951, 0.0259040371],
            [0.7936177850, -2.4285922050, 0.7827717662],
            [-0.0040720468, 0.4505937099, -0.8086757660],
        ]
    )
    hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1])) % 360.0
    return lab[:, 0], np.hypot(lab[:, 1], lab[:, 2]), hue
