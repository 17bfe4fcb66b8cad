"""Scripts as pictures: each name a scene that is drawn, a dull ground between the events."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import MappingProxyType

import numpy as np

from streammem.bench.asking.names import Script, Visit
from streammem.bench.long_streams import CHOICE, generator
from streammem.core.types import Pixels

WIDTH, HEIGHT = 160, 96
RATE_HZ = 6
EVENTS = 18
TYPES, ABSENT = 8, 2
_EVENT_S = (4.0, 9.0)
_GROUND_S = (2.0, 4.0)
_DOT_PX = 12


def _filled(red: int, green: int, blue: int) -> Callable[[], Pixels]:
    def paint() -> Pixels:
        picture = np.empty((3, HEIGHT, WIDTH), np.uint8)
        picture[:] = np.array((red, green, blue), np.uint8)[:, None, None]
        return picture

    return paint


def _stripes() -> Pixels:
    bright = (np.arange(WIDTH) // 10) % 2 == 0
    return np.broadcast_to(np.where(bright, 225, 35).astype(np.uint8), (3, HEIGHT, WIDTH)).copy()


def _checkerboard() -> Pixels:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] // 16
    squares = np.where((rows + columns) % 2 == 0, 235, 20).astype(np.uint8)
    return np.broadcast_to(squares, (3, HEIGHT, WIDTH)).copy()


SCENES: Mapping[str, Callable[[], Pixels]] = MappingProxyType(
    {
        "red screen": _filled(200, 30, 32),
        "green screen": _filled(40, 150, 45),
        "blue screen": _filled(25, 45, 190),
        "yellow screen": _filled(240, 214, 25),
        "purple screen": _filled(118, 34, 156),
        "orange screen": _filled(250, 140, 12),
        "pink screen": _filled(250, 150, 190),
        "brown screen": _filled(110, 66, 30),
        "striped screen": _stripes,
        "checkerboard": _checkerboard,
    }
)
"""What the built-in encoder has words for."""


def write_script(seed: int) -> Script:
    """The events of a seed by Zipf's law, each after a stretch of ground."""
    rng = generator(seed, CHOICE)
    names = [list(SCENES)[place] for place in rng.permutation(len(SCENES))]
    weights = 1 / np.arange(1, TYPES + 1)
    drawn = rng.choice(TYPES, EVENTS, p=weights / weights.sum())
    visits, at_s = [], 0.0
    for which in drawn.tolist():
        start_s = at_s + _on_grid(float(rng.uniform(*_GROUND_S)))
        at_s = start_s + _on_grid(float(rng.uniform(*_EVENT_S)))
        visits.append(Visit(names[which], start_s, at_s))
    return Script(visits, names[TYPES:], at_s + _GROUND_S[0])


def _on_grid(seconds: float) -> float:
    """The next time at which a frame may begin."""
    return round(seconds * RATE_HZ) / RATE_HZ


def pictures(script: Script) -> Iterator[Pixels]:
    """Every frame of a script, uint8 `[3 H W]`: its scene with a dot that moves."""
    visits = iter(script.visits)
    visit = next(visits, None)
    for frame in range(round(script.end_s * RATE_HZ)):
        at_s = frame / RATE_HZ
        while visit is not None and at_s >= visit.end_s - 1e-9:
            visit = next(visits, None)
        shown = visit is not None and at_s >= visit.start_s - 1e-9
        picture = (_still(visit.name) if shown and visit is not None else _ground()).copy()
        place = 5 * frame % (WIDTH - _DOT_PX)
        picture[:, HEIGHT // 2 : HEIGHT // 2 + _DOT_PX, place : place + _DOT_PX] = 128
        yield picture


@cache
def _still(name: str) -> Pixels:
    return SCENES[name]()


@cache
def _ground() -> Pixels:
    """Grey, a little brighter below."""
    rows = np.linspace(96, 128, HEIGHT).astype(np.uint8)
    return np.broadcast_to(rows[:, None], (3, HEIGHT, WIDTH)).copy()
