"""Seeded streams of any length, made block by block, with stretches planted at known frames.

Every part of a stream is drawn from a generator seeded with (seed, role, index), so any block
can be made without those before it and no more than a block is ever in memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats, Times

STEP_S = 0.5
BLOCK_FRAMES = 1024
TOLERANCE_FRAMES = 5

# What a random part is for; each has draws of its own, so that adding one changes no other.
LAYOUT, CONE, PLACE, VIEW, NOISE, QUERY, PLANTED, CHOICE = range(8)

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LongKind:
    """The ground of a stream: `frames` frames in visits of about `visit_frames`.

    Each visit is at one of `places`, drawn evenly, or with 0 at a place of its own. A frame is
    cone + place + view of this visit + noise, of lengths as in `planted.StreamKind`. `empty`
    is a ground of one place without views.
    """

    frames: int
    places: int = 0
    dim: int = 512
    visit_frames: int = 25
    cone: float = 0.7
    view: float = 0.3
    noise: float = 0.4
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Plant:
    """A stretch of `frames` frames from `start` that shows `vector` `[D]` (or one row a frame)."""

    start: int
    frames: int
    vector: Floats

    @property
    def span_s(self) -> tuple[float, float]:
        """When it is seen, half-open."""
        return self.start * STEP_S, (self.start + self.frames) * STEP_S


def generator(seed: int, *path: int) -> np.random.Generator:
    """The generator of one part of a stream."""
    return np.random.default_rng((seed, *path))


def direction(dim: int, seed: int, *path: int) -> Floats:
    """A random unit vector float32 `[D]` that only its arguments decide."""
    row = generator(seed, *path).standard_normal(dim, dtype=np.float32)
    unit: Floats = row / np.linalg.norm(row)
    return unit


@dataclass(frozen=True)
class LongStream:
    """A ground with plants on it; later plants cover earlier ones."""

    kind: LongKind
    seed: int
    plants: Sequence[Plant] = ()

    @cached_property
    def _starts(self) -> Indices:
        """The first frame of every visit."""
        jitter = min(7, (self.kind.visit_frames - 1) // 2)
        low, high = self.kind.visit_frames - jitter, self.kind.visit_frames + jitter
        most = self.kind.frames // low + 1
        lengths = generator(self.seed, LAYOUT).integers(low, high + 1, most)
        starts = np.concatenate(([0], np.cumsum(lengths)))
        return starts[starts < self.kind.frames]

    @cached_property
    def _place_of_visit(self) -> Indices:
        count = self._starts.size
        if not self.kind.places:
            return np.arange(count)
        return generator(self.seed, LAYOUT, 1).integers(0, self.kind.places, count)

    @property
    def visits(self) -> int:
        """Stretches of the ground."""
        return int(self._starts.size)

    @cached_property
    def cone(self) -> Floats:
        """The part that all frames and queries share."""
        return self.kind.cone * direction(self.kind.dim, self.seed, CONE)

    def blocks(self, most: int = BLOCK_FRAMES) -> Iterator[tuple[Floats, Times]]:
        """Frames float32 `[B D]` and their times, in order, at most `most` at a time."""
        for number in range(-(-self.kind.frames // BLOCK_FRAMES)):
            rows = self._block(number)
            pts_s = (number * BLOCK_FRAMES + np.arange(rows.shape[0], dtype=np.float64)) * STEP_S
            for first in range(0, rows.shape[0], most):
                yield rows[first : first + most], pts_s[first : first + most]

    def _block(self, number: int) -> Floats:
        first = number * BLOCK_FRAMES
        last = min(first + BLOCK_FRAMES, self.kind.frames)
        rows = self._ground(first, last)
        for plant in self.plants:
            start, end = max(first, plant.start), min(last, plant.start + plant.frames)
            if start < end:
                shown = np.broadcast_to(plant.vector, (plant.frames, self.kind.dim))
                rows[start - first : end - first] = shown[start - plant.start : end - plant.start]
        rows += self.cone
        noise = generator(self.seed, NOISE, number).standard_normal(rows.shape, dtype=np.float32)
        noise *= (self.kind.noise / np.sqrt(np.einsum("ij,ij->i", noise, noise)))[:, None]
        rows += noise
        return rows

    def _ground(self, first: int, last: int) -> Floats:
        dim = self.kind.dim
        rows = np.empty((last - first, dim), np.float32)
        if self.kind.empty:
            rows[:] = direction(dim, self.seed, PLACE, 0)
            return rows
        visit = int(np.searchsorted(self._starts, first, side="right")) - 1
        while visit < self.visits and self._starts[visit] < last:
            start = max(first, int(self._starts[visit]))
            place = direction(dim, self.seed, PLACE, int(self._place_of_visit[visit]))
            view = self.kind.view * direction(dim, self.seed, VIEW, visit)
            rows[start - first :] = place + view
            visit += 1
        return rows

    def query(self, vector: Floats, cosine: float, *path: int) -> Floats:
        """The vector as a question shows it: with noise, `cosine` from itself, plus the cone."""
        unit = vector / np.linalg.norm(vector)
        drawn = direction(self.kind.dim, self.seed, QUERY, *path)
        noise = drawn - float(drawn @ unit) * unit
        sine = float(np.sqrt(1 - cosine * cosine))
        asked = cosine * unit + sine * noise / np.linalg.norm(noise) + self.cone
        return asked.astype(np.float32)
