"""Renders long streams of dull places with a few distinctive scenes planted at known times."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # [H W 3] RGB

VISIT_S = 6.0
PLACES = 24


@dataclass(frozen=True, slots=True)
class Planted:
    """A scene that occurs once: when, what it looks like, and the question that finds it."""

    start_s: float
    end_s: float
    look: str
    question: str


def standard_plan(duration_s: float) -> tuple[Planted, ...]:
    """Three scenes in the first minutes and three far into the stream."""
    late = [round(duration_s * share) for share in (0.4, 0.7, 0.93)]
    return (
        Planted(60.0, 72.0, "red", "when is the screen red?"),
        Planted(130.0, 140.0, "yellow", "when is the screen yellow?"),
        Planted(205.0, 217.0, "green", "when is the screen green?"),
        Planted(late[0], late[0] + 10.0, "purple", "when is the screen purple?"),
        Planted(late[1], late[1] + 10.0, "stripes", "when are there black and white stripes?"),
        Planted(late[2], late[2] + 10.0, "orange", "when is the screen orange?"),
    )


_COLORS = {
    "red": (200, 20, 25), "yellow": (245, 215, 20), "green": (30, 170, 45),
    "purple": (125, 30, 160), "orange": (250, 140, 10),
}  # fmt: skip


def _planted_picture(look: str, height: int, width: int) -> Picture:
    picture = np.empty((height, width, 3), dtype=np.uint8)
    if look == "stripes":
        picture[:] = np.where((np.arange(width) // (width // 16)) % 2 == 0, 235, 20)[None, :, None]
    else:
        picture[:] = _COLORS[look]
    return picture


def _place_picture(place: int, height: int, width: int) -> Picture:
    """One of `PLACES` dull rooms: bluish greys, a horizon, a block, a grain of its own."""
    rng = np.random.default_rng(9000 + place)
    picture = np.empty((height, width, 3), dtype=np.float32)
    picture[:] = rng.uniform(55, 120) + np.array([-8.0, 0.0, 14.0])
    horizon = int(height * rng.uniform(0.35, 0.8))
    picture[horizon:] *= rng.uniform(0.5, 0.8)
    top, left = int(rng.uniform(0, height * 0.6)), int(rng.uniform(0, width * 0.7))
    picture[top : top + height // 3, left : left + width // 4] *= rng.uniform(1.2, 1.7)
    picture += rng.normal(0, rng.uniform(0, 10), (height, width, 1))
    return np.clip(picture, 0, 255).astype(np.uint8)


def render(
    path: Path,
    *,
    duration_s: float,
    plan: tuple[Planted, ...],
    rate_hz: int = 4,
    size: tuple[int, int] = (128, 72),
    seed: int = 0,
) -> None:
    """Write an H.264 file of `duration_s` that fills a memory with events.

    Every 6 s another place is visited, in another light and from another side, and a walker
    crosses it; so no two visits look the same.
    """
    width, height = size
    rng = np.random.default_rng(seed)
    visits = int(duration_s / VISIT_S) + 1
    order = rng.integers(0, PLACES, visits)
    lights = rng.uniform(0.6, 1.4, visits)
    sides = rng.integers(0, width, visits)
    places = [_place_picture(place, height, width) for place in range(PLACES)]
    planted = {scene.look: _planted_picture(scene.look, height, width) for scene in plan}
    step = max(1, width // 48)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate_hz)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "26", "bf": "2", "g": str(rate_hz * 10)}
        for index in range(round(duration_s * rate_hz)):
            at_s = index / rate_hz
            scene = next((p for p in plan if p.start_s <= at_s < p.end_s), None)
            if scene is None:
                visit = int(at_s / VISIT_S)
                lit = np.minimum(places[order[visit]] * lights[visit], 255).astype(np.uint8)
                picture = np.roll(lit, sides[visit], axis=1)
                left = (index * step) % (width - step * 4)
                picture[height // 2 : height - 4, left : left + step * 4] = (40, 42, 48)
            else:
                picture = planted[scene.look]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, rate_hz)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
