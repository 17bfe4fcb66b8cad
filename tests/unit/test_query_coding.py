"""Narrow codes blur scores; what that adds is measured, and strengths give way by it."""

from dataclasses import replace

import numpy as np
import pytest

from streammem.memory.store import MemoryStore
from streammem.query.calibrate import read_phrase, strengths
from streammem.query.coding import code_variance
from streammem.query.memories import QueryMemory
from tests.unit._query_world import Cell, WordEncoder, memory_of

DIM = 128
FRAMES = 6


class _Wide(WordEncoder):
    """The word encoder in a space that is wide enough for codes to be narrow in."""

    @property
    def spec(self):
        return replace(super().spec, dim=DIM)


def _memory(scenes: int, budget_bytes: int) -> QueryMemory:
    """A stream of scenes that have nothing in common, in a store of so many bytes."""
    rng = np.random.default_rng(7)
    store = MemoryStore(DIM, budget_bytes)
    looks = rng.standard_normal((scenes, DIM))
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    frames = np.repeat(looks, FRAMES, axis=0) + rng.normal(0, 0.01, (scenes * FRAMES, DIM))
    store.write(frames, np.arange(len(frames)) * 0.5)
    return QueryMemory("m", "m.mp4", store.snapshot(), _Wide(), 0.0, len(frames) * 0.5)


def test_exact_keys_are_not_blurred() -> None:
    memory = memory_of([Cell("red", [(0, 10)]), Cell("green", [(10, 20)])])

    assert not code_variance(memory).any()


def test_a_memory_with_room_is_not_blurred() -> None:
    assert not code_variance(_memory(40, 1 << 20)).any()


def test_a_memory_short_of_bytes_spreads_as_measured() -> None:
    """Fresh unrelated queries spread by the exact variance and the measured one together."""
    memory = _memory(2000, 1 << 16)
    fresh = np.random.default_rng(99).standard_normal((200, DIM))
    fresh /= np.linalg.norm(fresh, axis=1, keepdims=True)
    scores = np.stack([memory.snapshot.span_scores(q.astype(np.float32)) for q in fresh])
    expected = 1 / DIM + code_variance(memory)

    assert code_variance(memory).mean() > 0.1 / DIM
    assert float(np.square(scores).mean()) == pytest.approx(float(expected.mean()), rel=0.1)


def test_strengths_of_what_is_absent_do_not_grow_with_the_shortage() -> None:
    """The best of all visits for words that nothing shows, with room and without."""
    best = []
    for budget_bytes in (1 << 22, 1 << 16):
        memory = _memory(2000, budget_bytes)
        encoder = _Flat()
        memory = replace(memory, encoder=encoder, derived={})
        words = ["red", "green", "blue", "room", "dog", "cat", "moon", "door"]
        best.append(np.mean([strengths(memory, read_phrase(encoder, w)).max() for w in words]))

    assert best[1] <= best[0] + 0.5


class _Flat(_Wide):
    """Words are random directions, and no background is shipped."""

    def __init__(self) -> None:
        super().__init__(background=False)

    def encode_text(self, text):
        features = super().encode_text(text)
        seed = int(np.argmax(features.embedding))
        row = np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)
        return replace(features, embedding=row / np.linalg.norm(row))
