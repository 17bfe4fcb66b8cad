"""Streams with planted events and needles, and how many of them a search finds again."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streammem.memory import MemorySnapshot

STEP_S = 0.5


@dataclass(frozen=True)
class PlantedStream:
    """Frames `[B D]`, half a second apart, and what to ask: a vector and the spans it is in."""

    frames: NDArray[np.float32]
    events: list[tuple[NDArray[np.float64], list[tuple[float, float]]]]
    needles: list[tuple[NDArray[np.float64], tuple[float, float]]]

    @property
    def pts_s(self) -> NDArray[np.float64]:
        """Times of the frames."""
        return np.arange(self.frames.shape[0]) * STEP_S


@dataclass(frozen=True)
class StreamKind:
    """How a stream is made.

    `visits` stretches of about `visit_frames` frames, each at one of `places`; `needles` of two
    frames, each somewhere inside a stretch. A frame is cone + place + view of this visit +
    noise, each part of the stated length (place and needle have length 1).
    """

    visits: int
    places: int
    needles: int
    dim: int = 512
    visit_frames: int = 25
    cone: float = 0.7
    view: float = 0.3
    noise: float = 0.4
    query_noise: float = 0.5


TABLE = {
    "72 visits to 20 places, 20 needles": StreamKind(72, 20, 20),
    "250 visits to 50 places, 30 needles": StreamKind(250, 50, 30),
    "66 different events, 20 needles": StreamKind(66, 66, 20),
    "239 different events, 20 needles": StreamKind(239, 239, 20),
}


def _directions(rng: np.random.Generator, count: int, dim: int) -> NDArray[np.float64]:
    rows = rng.standard_normal((count, dim))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def plant(kind: StreamKind, seed: int) -> PlantedStream:
    """A stream of that kind; equal seeds give equal streams."""
    rng = np.random.default_rng(seed)
    cone = kind.cone * _directions(rng, 1, kind.dim)[0]
    places = _directions(rng, kind.places, kind.dim)
    needles = _directions(rng, kind.needles, kind.dim)
    order = np.concatenate(
        [np.arange(kind.places), rng.integers(0, kind.places, kind.visits - kind.places)]
    )
    rng.shuffle(order)
    at_visit = set(rng.choice(kind.visits, kind.needles, replace=False).tolist())
    centres: list[NDArray[np.float64]] = []
    spans: dict[int, list[tuple[float, float]]] = {place: [] for place in range(kind.places)}
    needle_spans: list[tuple[float, float]] = []
    for visit, place in enumerate(order.tolist()):
        length = int(rng.integers(kind.visit_frames - 7, kind.visit_frames + 8))
        view = places[place] + kind.view * _directions(rng, 1, kind.dim)[0]
        first = len(centres)
        centres += [view] * length
        if visit in at_visit:
            where = first + int(rng.integers(5, length - 6))
            needle = needles[len(needle_spans)]
            centres[where : where + 2] = [needle, needle]
            needle_spans.append((where * STEP_S, (where + 2) * STEP_S))
        spans[place].append((first * STEP_S, len(centres) * STEP_S))
    frames = np.stack(centres) + cone
    frames += kind.noise * _directions(rng, frames.shape[0], kind.dim)

    def ask(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return rows + cone + kind.query_noise * _directions(rng, rows.shape[0], kind.dim)

    return PlantedStream(
        frames.astype(np.float32),
        list(zip(ask(places), spans.values(), strict=True)),
        list(zip(ask(needles), needle_spans, strict=True)),
    )


def recall_at_1(snapshot: MemorySnapshot, stream: PlantedStream) -> tuple[float, float]:
    """Share of needles and of events whose best hit is right.

    An event is found when the middle of the hit lies in one of its visits; a needle when the
    hit's both ends are within five frames of the needle's.
    """
    needles = 0
    for query, (start_s, end_s) in stream.needles:
        hit = snapshot.search(query, 1)[0]
        limit_s = 5 * STEP_S
        needles += abs(hit.start_s - start_s) <= limit_s and abs(hit.end_s - end_s) <= limit_s
    events = 0
    for query, spans in stream.events:
        hit = snapshot.search(query, 1)[0]
        middle_s = (hit.start_s + hit.end_s) / 2
        events += any(start_s <= middle_s < end_s for start_s, end_s in spans)
    return needles / len(stream.needles), events / len(stream.events)
