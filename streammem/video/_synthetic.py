"""Streams that are computed, of any length and with known events, for tests and benchmarks.

`synthetic:SEED?duration=S&fps=F&size=WxH&events=N&places=P`: coloured places that come back, a
small square that moves all the time, noise, and `N` coloured discs that cross the picture.
"""

import math
from bisect import bisect_right
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
from PIL import Image

from streammem.core.errors import UsageError
from streammem.core.types import Pixels, StreamInfo
from streammem.video.reader import FrameReader, Picture, ReaderOptions, scaled_size
from streammem.video.sampling import StreamEnd

COLOURS = {
    "red": (200, 40, 40),
    "green": (40, 160, 60),
    "blue": (40, 70, 200),
    "yellow": (220, 200, 50),
    "purple": (130, 50, 160),
    "orange": (230, 130, 40),
    "cyan": (60, 190, 200),
    "grey": (120, 120, 120),
}
PATTERNS = ("stripes", "checker", "bars", "plain")
VISIT_S = (4.0, 12.0)
DISC_S = (1.5, 3.0)
NOISE_LEVEL = 6
_NOISE_TILES = 8
_MAX_FRAMES = 1 << 40


@dataclass(frozen=True, slots=True)
class SyntheticEvent:
    """Something that is in view in [start_s, end_s): a place or a disc, `label` in words."""

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True, slots=True)
class SyntheticSpec:
    """The parameters of a synthetic stream."""

    seed: int
    duration_s: float = 60.0
    fps: float = 10.0
    width: int = 160
    height: int = 120
    discs: int = 1
    places: int = 6

    @property
    def frames(self) -> int:
        """Frames that start before the end."""
        return max(1, math.ceil(self.duration_s * self.fps - 1e-9))


def parse_synthetic(source: str) -> SyntheticSpec:
    """The parameters that a `synthetic:` source states.

    Raises:
        UsageError: it cannot be understood.
    """
    seed, _, query = source.partition(":")[2].partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    try:
        duration_s = float(given.pop("duration", "60"))
        width, height = map(int, given.pop("size", "160x120").lower().split("x"))
        discs = given.pop("events", str(max(1, int(duration_s // 60))))
        spec = SyntheticSpec(
            seed=int(seed),
            duration_s=duration_s,
            fps=float(given.pop("fps", "10")),
            width=width,
            height=height,
            discs=int(discs),
            places=int(given.pop("places", "6")),
        )
    except (ValueError, OverflowError) as error:
        raise _unclear(source) from error
    sizes_fit = 1 <= width <= 8192 and 1 <= height <= 8192
    fits = sizes_fit and spec.duration_s > 0 and spec.fps > 0 and spec.seed >= 0
    count = spec.duration_s * spec.fps
    known = 1 <= spec.places <= len(COLOURS) * len(PATTERNS) and 0 <= spec.discs <= 1_000_000
    if given or not fits or not known or not count < _MAX_FRAMES:
        raise _unclear(source)
    return spec


def _unclear(source: str) -> UsageError:
    return UsageError(
        f"{source!r} does not describe a synthetic stream",
        hint="write for example synthetic:7?duration=60&fps=10&size=160x120&events=2&places=6",
    )


def synthetic_truth(source: str) -> list[SyntheticEvent]:
    """Everything that happens in a synthetic stream, by start: visits to places, then discs."""
    spec = parse_synthetic(source)
    visits, discs = _schedule(spec)
    events = [event for event, _ in visits] + [event for event, _ in discs]
    return sorted(events, key=lambda event: event.start_s)


def _schedule(
    spec: SyntheticSpec,
) -> tuple[list[tuple[SyntheticEvent, int]], list[tuple[SyntheticEvent, str]]]:
    """(visits with their place numbers, discs with their colours)."""
    rng = np.random.default_rng(spec.seed)
    names = [f"{colour} {pattern}" for pattern in PATTERNS for colour in COLOURS]
    labels = [names[i] for i in rng.permutation(len(names))[: spec.places]]
    visits: list[tuple[SyntheticEvent, int]] = []
    now_s, place = 0.0, -1
    while now_s < spec.duration_s:
        step = int(rng.integers(1, max(2, spec.places)))
        place = (place + step) % spec.places
        end_s = min(spec.duration_s, now_s + float(rng.uniform(*VISIT_S)))
        visits.append((SyntheticEvent(now_s, end_s, labels[place]), place))
        now_s = end_s
    discs: list[tuple[SyntheticEvent, str]] = []
    share_s = spec.duration_s / spec.discs if spec.discs else 0.0
    for number in range(spec.discs):
        length_s = min(float(rng.uniform(*DISC_S)), share_s)
        start_s = number * share_s + float(rng.uniform(0.0, share_s - length_s))
        colour = list(COLOURS)[int(rng.integers(len(COLOURS)))]
        discs.append((SyntheticEvent(start_s, start_s + length_s, f"{colour} disc"), colour))
    return visits, discs


class SyntheticReader(FrameReader):
    """Computes each frame from its number, so every time can be reached directly."""

    def __init__(self, source: str, options: ReaderOptions) -> None:
        super().__init__(options)
        self._spec = spec = parse_synthetic(source)
        self._visits, self._discs = _schedule(spec)
        self._visit_starts = [event.start_s for event, _ in self._visits]
        self._disc_starts = [event.start_s for event, _ in self._discs]
        labels = {place: event.label for event, place in self._visits}
        self._scenes = {place: _scene(spec, label) for place, label in labels.items()}
        rng = np.random.default_rng(spec.seed + 1)
        shape = (_NOISE_TILES, spec.height, spec.width, 3)
        # Scene values stay NOISE_LEVEL away from 0 and 255, so adding modulo 256 never wraps.
        noise = rng.integers(-NOISE_LEVEL, NOISE_LEVEL + 1, size=shape)
        self._noise = noise.astype(np.int8).view(np.uint8)
        self._size = scaled_size(spec.width, spec.height, options.short_side_px)
        self.info = StreamInfo(
            source=source,
            width=spec.width,
            height=spec.height,
            frame_rate_hz=spec.fps,
            duration_s=spec.frames / spec.fps,
            start_s=0.0,
            rotation_deg=0,
            codec="synthetic",
        )

    def close(self) -> None:
        """Nothing is open."""

    def _pictures(self, from_s: float | None) -> Generator[Picture, None, None]:
        fps = self._spec.fps
        # One earlier than computed, so that rounding never skips the frame wanted.
        first = 0 if from_s is None else max(0, math.floor(from_s * fps) - 1)
        for number in range(first, self._spec.frames):
            yield Picture(number / fps, 1.0 / fps, number)

    def _pixels(self, content: Any) -> Pixels:
        spec, number = self._spec, int(content)
        now_s = number / spec.fps
        _, place = self._visits[bisect_right(self._visit_starts, now_s) - 1]
        rows = self._scenes[place] + self._noise[number % _NOISE_TILES]
        side = max(1, spec.height // 12)
        left = number * max(1, side // 2) % max(1, spec.width - side)
        rows[-side:, left : left + side] = 250
        at = bisect_right(self._disc_starts, now_s) - 1
        if at >= 0 and now_s < self._discs[at][0].end_s:
            event, colour = self._discs[at]
            progress = (now_s - event.start_s) / (event.end_s - event.start_s)
            _draw_disc(rows, progress, COLOURS[colour])
        if self._size != (spec.width, spec.height):
            scaled = Image.fromarray(rows).resize(self._size, Image.Resampling.BICUBIC)
            rows = np.array(scaled)
        return np.asarray(rows, np.uint8).transpose(2, 0, 1)

    def _end(self) -> StreamEnd:
        length_s = self._spec.frames / self._spec.fps
        return StreamEnd(length_s, length_s, 1.0 / self._spec.fps)


def _scene(spec: SyntheticSpec, label: str) -> Pixels:
    """The background of a place, uint8 `[H W 3]` within the noise's margin."""
    colour, pattern = label.split()
    y, x = np.mgrid[: spec.height, : spec.width]
    side = max(2, min(spec.width, spec.height) // 6)
    marked = {
        "stripes": (y // side) % 2 == 1,
        "bars": (x // side) % 2 == 1,
        "checker": (x // side + y // side) % 2 == 1,
        "plain": np.zeros(x.shape, bool),
    }[pattern]
    base = np.array(COLOURS[colour], np.int64)
    rows = np.where(marked[..., None], base // 3, base)
    return np.clip(rows, NOISE_LEVEL, 255 - NOISE_LEVEL).astype(np.uint8)


def _draw_disc(rows: Pixels, progress: float, colour: tuple[int, int, int]) -> None:
    """A disc with a white rim, a third of the way up, crossing from left to right."""
    height, width, _ = rows.shape
    radius = max(1, min(height, width) // 5)
    centre_x, centre_y = round(progress * (width - 1)), height // 3
    top, left = max(0, centre_y - radius), max(0, centre_x - radius)
    part = rows[top : centre_y + radius + 1, left : centre_x + radius + 1]
    y, x = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
    distance2 = (y - centre_y) ** 2 + (x - centre_x) ** 2
    part[distance2 <= radius**2] = 255
    part[distance2 <= (0.8 * radius) ** 2] = colour
