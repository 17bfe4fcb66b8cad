"""Whatever stretch is forgotten: nothing of it is in the state, and what adds up still does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streammem.core.errors import UsageError
from streammem.memory.forgetting import Stretch, forget_stretch, touched
from streammem.memory.store import MemoryStore

DIM = 32
STEP_S = 0.5


def _stream(seed: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames of places that come again, with noise, and their times."""
    rng = np.random.default_rng(seed)
    places = rng.standard_normal((6, DIM))
    rows = []
    while len(rows) < frames:
        place = places[rng.integers(6)]
        rows += [place + 0.1 * rng.standard_normal(DIM) for _ in range(rng.integers(1, 9))]
    return np.array(rows[:frames], np.float32), np.arange(frames) * STEP_S


def _store(seed: int, frames: int, budget: int = 24 * 1024) -> tuple[MemoryStore, np.ndarray]:
    vectors, pts_s = _stream(seed, frames)
    store = MemoryStore(DIM, budget, seed=seed)
    store.write(vectors, pts_s)
    store.close()
    return store, vectors


def _again(store: MemoryStore, vectors: np.ndarray, start_s: float, end_s: float):
    """The frames outside of a stretch for every cell that it touches."""
    again = {}
    for cell in touched(store, start_s, end_s):
        parts = []
        for span in cell.kept:
            first, last = np.ceil(span[0] / STEP_S), np.ceil(span[1] / STEP_S)
            places = np.arange(int(first), min(int(last), len(vectors)))
            parts.append(Stretch(span, vectors[places], places * STEP_S))
        again[cell.id] = parts
    return again


def _live(store: MemoryStore) -> int:
    return int(store.snapshot().mass.sum())


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    frames=st.integers(2, 400),
    start=st.floats(0, 1),
    share=st.floats(0.001, 1),
    rebuild=st.booleans(),
)
def test_nothing_of_the_stretch_stays(
    seed: int, frames: int, start: float, share: float, rebuild: bool
) -> None:
    """No span reaches into it, frames add up with the ledger, and the bytes hold and come back."""
    store, vectors = _store(seed, frames)
    length_s = frames * STEP_S
    start_s = start * length_s * 0.999
    end_s = min(length_s, start_s + share * length_s) + 1e-3
    untouched = set(store.snapshot().ids.tolist()) - {
        cell.id for cell in touched(store, start_s, end_s)
    }
    again = _again(store, vectors, start_s, end_s) if rebuild else {}
    report = forget_stretch(store, start_s, end_s, again)
    snapshot = store.snapshot()
    assert not np.any((snapshot.span_start_s < end_s) & (snapshot.span_end_s > start_s))
    assert _live(store) + store.ledger.evicted.mass == store.frames
    assert report.rebuilt + report.dropped == report.cells
    assert store.nbytes == len(store.to_bytes()) <= store.budget_bytes
    assert MemoryStore.from_bytes(store.to_bytes()).to_bytes() == store.to_bytes()
    # Copies of frames aside, what was not touched is as it was, unless room had to be made.
    if not rebuild:
        lasting = {number for number in untouched if number > 0}
        assert lasting <= set(snapshot.ids.tolist())
    entry = next(e for e in store.ledger.entries if e.reason in {"forgotten", "several reasons"})
    assert (entry.start_s, entry.end_s) == (start_s, end_s)


def test_a_cell_rebuilt_from_its_other_visits_looks_like_them() -> None:
    """A place seen twice: without the first visit the cell is the second one's, and found by it."""
    rng = np.random.default_rng(3)
    place, other = rng.standard_normal((2, DIM))
    first = np.tile(place, (8, 1)) + 0.05 * rng.standard_normal((8, DIM))
    second = np.tile(place, (8, 1)) + 0.05 * rng.standard_normal((8, DIM))
    vectors = np.concatenate((first, np.tile(other, (8, 1)), second)).astype(np.float32)
    store = MemoryStore(DIM, 24 * 1024)
    store.write(vectors, np.arange(24) * STEP_S)
    store.close()
    again = _again(store, vectors, 0.0, 4.0)
    report = forget_stretch(store, 0.0, 4.0, again)
    hit = store.snapshot().search(place, top_k=1)[0]
    assert hit.start_s >= 8.0
    assert hit.score > 0.9
    assert report.frames == 8


def test_without_the_frames_a_touched_cell_is_dropped_whole() -> None:
    """A half of an event cannot be told from the other half: all of it goes."""
    store = MemoryStore(DIM, 24 * 1024)
    store.write(np.ones((20, DIM), np.float32), np.arange(20) * STEP_S)
    store.close()
    report = forget_stretch(store, 4.0, 6.0, {})
    assert (report.cells, report.rebuilt, report.dropped, report.frames) == (1, 0, 1, 20)
    assert not np.any(store.snapshot().mass > 0)


def test_what_cannot_be_forgotten_in_part_is_refused() -> None:
    """An unfinished memory, and a policy whose state is not cells in tiers."""
    store = MemoryStore(DIM, 24 * 1024)
    store.write(np.ones((4, DIM), np.float32), np.arange(4.0))
    with pytest.raises(UsageError, match="unfinished"):
        touched(store, 0.0, 1.0)
    other = MemoryStore(DIM, 256 * 1024, policy="infinite-video")
    other.close()
    with pytest.raises(UsageError, match="cannot forget a part"):
        touched(other, 0.0, 1.0)
