"""Pictures with known content, drawn for the descriptor's background and its calibration."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

HEIGHT, WIDTH = 144, 256
PLACES = ("left", "right", "top", "bottom", "")
PATTERNS = ("solid", "gradient", "noise", "rows", "columns", "checks")

# Typical RGB values of each basic colour term, as a viewer would name them.
TYPICAL = {
    "black": ((8, 8, 10), (25, 24, 26), (0, 0, 0)),
    "white": ((250, 250, 250), (238, 240, 240), (255, 252, 246)),
    "grey": ((128, 128, 128), (95, 97, 100), (165, 163, 160)),
    "red": ((205, 25, 30), (170, 20, 25), (235, 40, 45)),
    "orange": ((245, 135, 20), (235, 115, 10), (255, 160, 50)),
    "yellow": ((250, 220, 30), (235, 200, 20), (255, 240, 90)),
    "green": ((40, 150, 50), (20, 100, 35), (110, 190, 70)),
    "cyan": ((30, 200, 205), (10, 150, 155), (110, 225, 230)),
    "blue": ((30, 70, 200), (20, 40, 120), (80, 140, 225)),
    "purple": ((130, 40, 170), (90, 30, 120), (165, 95, 205)),
    "pink": ((245, 120, 180), (250, 170, 200), (235, 70, 140)),
    "brown": ((120, 70, 35), (90, 55, 30), (150, 100, 60)),
}
COLOURS = tuple(TYPICAL)


@dataclass(frozen=True, slots=True)
class Thing:
    """A coloured disc or box; `place` is a layout word or empty, `size` a share of the height."""

    colour: str
    place: str
    size: float
    box: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """A pattern of one or two colours with things on it."""

    ground: tuple[str, ...]
    pattern: str
    things: tuple[Thing, ...]

    @property
    def colours(self) -> frozenset[str]:
        """Every colour term that is in the picture."""
        return frozenset(self.ground) | {thing.colour for thing in self.things}


def random_scene(rng: np.random.Generator, palette: Sequence[str]) -> Scene:
    """A scene with up to three things, all colours from `palette`."""
    pattern = str(rng.choice(PATTERNS, p=(0.4, 0.2, 0.1, 0.1, 0.1, 0.1)))
    count = 2 if pattern in ("rows", "columns", "checks") else 1
    ground = tuple(str(name) for name in rng.choice(palette, count, replace=False))
    others = [name for name in palette if name not in ground]
    things = tuple(
        Thing(
            colour=str(rng.choice(others)),
            place=str(rng.choice(PLACES)),
            size=float(rng.uniform(0.2, 0.5)),
            box=bool(rng.integers(2)),
        )
        for _ in range(int(rng.integers(0, 4)) if others else 0)
    )
    return Scene(ground, pattern, things)


def draw(scene: Scene, rng: np.random.Generator) -> Picture:
    """A picture of a scene, uint8 `[3 H W]`, with a little noise of a camera."""
    picture = _ground(scene, rng)
    for thing in scene.things:
        plant(picture, thing, rng)
    noisy = picture + rng.normal(0.0, rng.uniform(0.0, 5.0), picture.shape)
    lit = noisy * rng.uniform(0.9, 1.05)
    return np.clip(lit, 0, 255).astype(np.uint8).transpose(2, 0, 1)


def plant(picture: NDArray[np.float64], thing: Thing, rng: np.random.Generator) -> None:
    """Draw a thing into a picture `[H W 3]` of any size, wholly inside it."""
    height, width = picture.shape[:2]
    radius = thing.size * height / 2
    row, column = _position(thing.place, rng)
    top = radius + row * (height - 2 * radius)
    left = radius + column * (width - 2 * radius)
    rows, columns = np.ogrid[:height, :width]
    if thing.box:
        mask = (np.abs(rows - top) <= radius) & (np.abs(columns - left) <= radius)
    else:
        mask = (rows - top) ** 2 + (columns - left) ** 2 <= radius**2
    picture[mask] = _shade(thing.colour, rng)


def _position(place: str, rng: np.random.Generator) -> tuple[float, float]:
    row, column = rng.uniform(0, 1, 2)
    near = float(rng.uniform(0.0, 0.12))
    return {
        "left": (row, near),
        "right": (row, 1 - near),
        "top": (near, column),
        "bottom": (1 - near, column),
    }.get(place, (row, column))


def _shade(colour: str, rng: np.random.Generator) -> NDArray[np.float64]:
    typical = TYPICAL[colour]
    return np.clip(np.array(typical[rng.integers(len(typical))]) + rng.normal(0, 4, 3), 0, 255)


def _ground(scene: Scene, rng: np.random.Generator) -> NDArray[np.float64]:
    first = _shade(scene.ground[0], rng)
    second = _shade(scene.ground[-1], rng)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    period = int(rng.integers(16, 40))
    if scene.pattern == "noise":
        return first + rng.normal(0, 25, (HEIGHT, WIDTH, 1))
    if scene.pattern == "gradient":
        return first * np.linspace(0.85, 1.1, HEIGHT)[:, np.newaxis, np.newaxis] + np.zeros(
            (HEIGHT, WIDTH, 1)
        )
    phase = {
        "rows": rows // (period // 2),
        "columns": columns // (period // 2),
        "checks": rows // (period // 2) + columns // (period // 2),
    }.get(scene.pattern, np.zeros((HEIGHT, WIDTH), int))
    return np.where((phase % 2)[..., np.newaxis] == 0, first, second)
