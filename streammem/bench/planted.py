"""Streams with planted events and needles: the four of DESIGN 5, and harder ones.

Encoder E0 of `other_systems.md` 4: no pixels, only vectors whose likeness is known.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streammem.bench.questions import Question, Spans
from streammem.core.types import Floats, Times

STEP_S = 0.5
_MORE = 7919

Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StreamKind:
    """How a stream is made.

    `visits` stretches of about `visit_frames` frames, each at one of `places`; `needles` of two
    frames, each somewhere inside a stretch. A frame is cone + place + view of this visit +
    noise, each part a random direction of the stated length (place and needle have length 1).

    Harder streams: `walk` is the length of each step of a random walk that begins anew with
    every visit (a drifting camera); `likeness` is the cosine of places of one group, of which
    there are about as many as places in a group; `lengths` is `even` (within 7 frames) or
    `bursty` (log-normal, 14 to 1000 frames); `strobe`, `snow` and `black` are the shares of
    visits that flicker between two pictures at every frame, that show nothing but noise, and
    of frames that are zero vectors. None of these three is asked about.
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
    walk: float = 0.0
    likeness: float = 0.0
    lengths: str = "even"
    strobe: float = 0.0
    snow: float = 0.0
    black: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.places <= self.visits or not 0 <= self.needles <= self.visits:
            raise ValueError(f"{self} needs 1 <= places <= visits and needles <= visits")
        if self.lengths not in ("even", "bursty"):
            raise ValueError(f"no lengths {self.lengths!r}")
        if self.visit_frames < 20:
            raise ValueError("a visit of less than 20 frames has no room for a needle")


TABLE = {
    "72 visits to 20 places, 20 needles": StreamKind(72, 20, 20),
    "250 visits to 50 places, 30 needles": StreamKind(250, 50, 30),
    "66 different events, 20 needles": StreamKind(66, 66, 20),
    "239 different events, 20 needles": StreamKind(239, 239, 20),
}
"""The streams of DESIGN 5."""

LONG = "239 different events, 20 needles, 24,000 frames"
LONG_KIND = StreamKind(239, 239, 20, visit_frames=100)

HARDER = {
    "drifting cameras": StreamKind(120, 30, 20, walk=0.06),
    "one static scene": StreamKind(100, 1, 20, view=0.0, noise=0.1),
    "strobe": StreamKind(120, 30, 20, strobe=0.3),
    "snow": StreamKind(120, 30, 20, snow=0.3),
    "black frames": StreamKind(120, 30, 20, black=0.2),
    "groups of alike places": StreamKind(120, 60, 20, likeness=0.5),
    "bursty durations": StreamKind(120, 60, 20, lengths="bursty"),
}
"""What the four do not have; never tuned to."""


@dataclass(frozen=True)
class PlantedStream:
    """Frames `[B D]`, half a second apart, and what to ask: a vector and the spans it is in."""

    frames: Floats
    events: list[tuple[Rows, list[tuple[float, float]]]]
    needles: list[tuple[Rows, tuple[float, float]]]

    @property
    def pts_s(self) -> Times:
        """Times of the frames."""
        return np.arange(self.frames.shape[0], dtype=np.float64) * STEP_S

    def questions(self) -> list[Question]:
        """All needles, then all events."""
        asked = [_question("needle", query, (span,)) for query, span in self.needles]
        return asked + [_question("event", query, tuple(spans)) for query, spans in self.events]


def _question(kind: str, query: Rows, spans: Spans) -> Question:
    return Question(kind, query.astype(np.float32), spans)


def _directions(rng: np.random.Generator, count: int, dim: int) -> Rows:
    rows = rng.standard_normal((count, dim))
    unit: Rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def plant(kind: StreamKind, seed: int) -> PlantedStream:
    """A stream of that kind; equal seeds give equal streams.

    What the harder streams add is drawn from a generator of its own, so that the others stay
    what they were.
    """
    rng, more = np.random.default_rng(seed), np.random.default_rng((seed, _MORE))
    cone = kind.cone * _directions(rng, 1, kind.dim)[0]
    places = _grouped(_directions(rng, kind.places, kind.dim), kind, more)
    needles = _directions(rng, kind.needles, kind.dim)
    order = np.concatenate(
        [np.arange(kind.places), rng.integers(0, kind.places, kind.visits - kind.places)]
    )
    rng.shuffle(order)
    at_visit = set(rng.choice(kind.visits, kind.needles, replace=False).tolist())
    centres: list[Rows] = []
    spans: dict[int, list[tuple[float, float]]] = {place: [] for place in range(kind.places)}
    needle_spans: list[tuple[float, float]] = []
    for visit, place in enumerate(order.tolist()):
        length = int(rng.integers(kind.visit_frames - 7, kind.visit_frames + 8))
        if kind.lengths == "bursty":
            length = int(np.clip(more.lognormal(np.log(kind.visit_frames), 1.0), 14, 1000))
        view = places[place] + kind.view * _directions(rng, 1, kind.dim)[0]
        first = len(centres)
        shown, asked = _shown(view, length, kind, more)
        centres += list(shown)
        if visit in at_visit:
            where = first + int(rng.integers(5, length - 6))
            needle = needles[len(needle_spans)]
            centres[where : where + 2] = [needle, needle]
            needle_spans.append((where * STEP_S, (where + 2) * STEP_S))
        if asked:
            spans[place].append((first * STEP_S, len(centres) * STEP_S))
    frames = np.stack(centres) + cone
    frames += kind.noise * _directions(rng, frames.shape[0], kind.dim)

    def ask(rows: Rows) -> Rows:
        asked: Rows = rows + cone + kind.query_noise * _directions(rng, rows.shape[0], kind.dim)
        return asked

    of_events = list(zip(ask(places), spans.values(), strict=True))
    stream = PlantedStream(
        frames.astype(np.float32),
        [(query, found) for query, found in of_events if found and kind.places > 1],
        list(zip(ask(needles), needle_spans, strict=True)),
    )
    _blacken(stream, kind, more)
    return stream


def _grouped(places: Rows, kind: StreamKind, more: np.random.Generator) -> Rows:
    """The places, drawn towards the middles of their groups where the kind says so."""
    if not kind.likeness:
        return places
    groups = max(1, round(kind.places**0.5))
    middles = _directions(more, groups, kind.dim)[np.arange(kind.places) % groups]
    rows = kind.likeness**0.5 * middles + (1 - kind.likeness) ** 0.5 * places
    unit: Rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def _shown(
    view: Rows, length: int, kind: StreamKind, more: np.random.Generator
) -> tuple[Rows, bool]:
    """The centres `[length D]` of one visit, and whether it shows its place."""
    centres = np.repeat(view[None, :], length, axis=0)
    if kind.walk:
        centres += np.cumsum(kind.walk * _directions(more, length, kind.dim), axis=0)
    draw = more.random() if kind.strobe or kind.snow else 1.0
    if draw < kind.strobe:
        centres[0::2], centres[1::2] = _directions(more, 2, kind.dim)
        return centres, False
    if draw < kind.strobe + kind.snow:
        return _directions(more, length, kind.dim), False
    return centres, True


def _blacken(stream: PlantedStream, kind: StreamKind, more: np.random.Generator) -> None:
    """Make the stated share of the frames zero vectors, none of them a needle's."""
    if not kind.black:
        return
    zero = np.asarray(more.random(stream.frames.shape[0]) < kind.black)
    for _, (start_s, end_s) in stream.needles:
        zero[round(start_s / STEP_S) : round(end_s / STEP_S)] = False
    stream.frames[zero] = 0.0
