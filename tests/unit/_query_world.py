"""A world of words for question tests: words are axes of the encoder, memories hand-made."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from streammem.core.types import (
    Background,
    EncoderSpec,
    FrameFeatures,
    Gap,
    Question,
    RuntimeChoice,
    TextFeatures,
    Tier,
)
from streammem.encoders.base import Encoder, Labels
from streammem.memory.store import MemoryStore
from streammem.query.memories import QueryMemory
from streammem.query.words import FUNCTION_WORDS, words_of

WORDS = (
    "red", "green", "blue", "yellow", "purple", "room", "field", "dog", "cat", "car",
    "man", "ball", "moon", "snow", "door", "sit",
)  # fmt: skip
# Axes that no word of the vocabulary names: what pictures hold besides.
OTHER_AXES = 16
DIM = len(WORDS) + OTHER_AXES


class WordEncoder(Encoder):
    """Every word is an axis; a picture is named by its first pixel, which indexes the axes."""

    def __init__(
        self,
        *,
        kind: str = "image",
        background: bool = True,
        name: str = "words",
        found_share: float = 1.0,
    ) -> None:
        self._found_share = found_share
        self._kind = kind
        self._has_background = background
        self._spec = EncoderSpec(
            name, f"digest-{name}-{kind}", 8, (0.0,) * 3, (1.0,) * 3, "nearest", DIM, None
        )

    @property
    def spec(self) -> EncoderSpec:
        return self._spec

    @property
    def runtime(self) -> RuntimeChoice:
        return RuntimeChoice(batch_size=4)

    def encode_images(self, pixels) -> FrameFeatures:
        vectors = np.zeros((len(pixels), DIM), np.float32)
        vectors[np.arange(len(pixels)), pixels[:, 0, 0, 0] % DIM] = 1.0
        return FrameFeatures(vectors, None)

    def encode_text(self, text: str) -> TextFeatures:
        vector = np.zeros(DIM, np.float32)
        unknown = []
        for word in words_of(text):
            if word in WORDS:
                vector[WORDS.index(word)] = 1.0
            elif word not in FUNCTION_WORDS:
                unknown.append(word)
        length = float(np.linalg.norm(vector))
        unit = vector / length if length else vector
        return TextFeatures(unit, tuple(unknown), self._found_share)

    def background(self) -> Background | None:
        if not self._has_background:
            return None
        rng = np.random.default_rng(3)
        vectors = np.abs(rng.normal(0, 0.08, (64, DIM))).astype(np.float32)
        vectors[np.arange(64), len(WORDS) + np.arange(64) % OTHER_AXES] += 1.0
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return Background(vectors, self._kind, midpoint=3.0, scale=0.7)

    def labels(self) -> Labels:
        return Labels(WORDS, np.eye(len(WORDS), DIM, dtype=np.float32))


@dataclass
class HandSnapshot:
    """The part of a snapshot that questions use, with cells written down one by one."""

    ids: np.ndarray
    tiers: tuple[Tier, ...]
    keys: np.ndarray
    mass: np.ndarray
    exemplar_s: np.ndarray
    span_cell: np.ndarray
    span_start_s: np.ndarray
    span_end_s: np.ndarray
    now_s: float = 0.0
    token_cell: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def span_scores(self, query: np.ndarray) -> np.ndarray:
        rows = np.searchsorted(self.ids, self.span_cell)
        return (self.keys[rows] @ query).astype(np.float32)


@dataclass
class Cell:
    """One cell: what it shows, and its visits."""

    shows: str
    spans: Sequence[tuple[float, float]]
    tier: Tier = Tier.WORKING
    exemplar_s: float | None = None
    strength: float = 1.0
    extra: dict[str, float] = field(default_factory=dict)


def picture(shows: str, strength: float = 1.0, extra: dict[str, float] | None = None) -> np.ndarray:
    """A unit picture vector that holds some words and one thing that no word names."""
    vector = np.zeros(DIM, np.float32)
    for word in shows.split():
        vector[WORDS.index(word)] = strength
    for word, weight in (extra or {}).items():
        vector[WORDS.index(word)] = weight
    vector[len(WORDS) + sum(map(ord, shows)) % OTHER_AXES] = 0.5
    return vector / np.linalg.norm(vector)


def memory_of(
    cells: Sequence[Cell],
    *,
    name: str = "clip",
    encoder: Encoder | None = None,
    end_s: float | None = None,
    gaps: tuple[Gap, ...] = (),
    recorded_at: float | None = None,
    frame_s: float = 0.5,
) -> QueryMemory:
    """A memory with exactly these cells, one frame every `frame_s` seconds."""
    spans = [(row, *span) for row, cell in enumerate(cells) for span in cell.spans]
    lengths = [sum(end - start for start, end in cell.spans) for cell in cells]
    snapshot = HandSnapshot(
        ids=np.arange(10, 10 + len(cells), dtype=np.int64),
        tiers=tuple(cell.tier for cell in cells),
        keys=np.stack([picture(c.shows, c.strength, c.extra) for c in cells])
        if cells
        else np.zeros((0, DIM), np.float32),
        mass=np.array(
            [
                0 if cell.tier is Tier.SENSORY else round(length / frame_s)
                for cell, length in zip(cells, lengths, strict=True)
            ],
            np.int64,
        ),
        exemplar_s=np.array(
            [cell.spans[0][0] if cell.exemplar_s is None else cell.exemplar_s for cell in cells]
        ),
        span_cell=np.array([10 + row for row, _, _ in spans], np.int64),
        span_start_s=np.array([start for _, start, _ in spans], np.float64),
        span_end_s=np.array([end for _, _, end in spans], np.float64),
    )
    last_s = max((end for _, _, end in spans), default=0.0)
    return QueryMemory(
        memory_id=name,
        source=f"{name}.mp4",
        snapshot=snapshot,
        encoder=encoder or WordEncoder(),
        start_s=min((start for _, start, _ in spans), default=0.0),
        end_s=last_s if end_s is None else end_s,
        gaps=gaps,
        recorded_at=recorded_at,
    )


def stream_memory(events: Sequence[tuple[str, float]], *, name: str = "stream") -> QueryMemory:
    """A memory that the real store made of a stream of events (what, seconds) at 2 frames/s."""
    encoder = WordEncoder()
    store = MemoryStore(DIM, 1 << 20)
    rng = np.random.default_rng(0)
    at_s = 0.0
    for shows, seconds in events:
        frames = round(seconds * 2)
        vectors = picture(shows) + rng.normal(0, 0.01, (frames, DIM)).astype(np.float32)
        store.write(vectors, at_s + 0.5 * np.arange(frames), durations_s=np.full(frames, 0.5))
        at_s += seconds
    return QueryMemory(name, f"{name}.mp4", store.snapshot(), encoder, 0.0, at_s)


def ask(phrase: str, intent: str = "when", **fields: object) -> Question:
    """A parsed question written down directly."""
    return Question(text=phrase, intent=intent, phrase=phrase, **fields)
