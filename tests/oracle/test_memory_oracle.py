"""The memory against the same policy in clear loops, and against its bars of recall."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from streammem.memory import POLICIES, MemorySnapshot, MemoryStore, PolicySettings


def _beside(name: str) -> ModuleType:
    """A module in this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


naive_memory = _beside("naive_memory")
planted_streams = _beside("planted_streams")

SETTINGS = PolicySettings(max_event_frames=3)


def wandering(seed: int, frames: int, dim: int) -> NDArray[np.float32]:
    """A stream of places that come back, drift, repeat exactly, and now and then are zero."""
    rng = np.random.default_rng(seed)
    places = rng.standard_normal((120, dim))
    rows: list[NDArray[np.float64]] = []
    while len(rows) < frames:
        place, length = places[rng.integers(120)], int(rng.integers(1, 5))
        noise = float(rng.choice([0.0, 0.1, 0.6]))
        rows += list(place + noise * rng.standard_normal((length, dim)))
        if rng.random() < 0.05:
            rows += [np.zeros(dim)] * 2
    return np.asarray(rows[:frames], np.float32)


@pytest.mark.parametrize(
    "settings",
    [
        SETTINGS,
        replace(SETTINGS, mass_exponent=1.0, spans_per_cell=3),
        replace(SETTINGS, mass_exponent=0.0, near_distance=0.0),
        replace(SETTINGS, max_merge_distance=0.6, coverage_fraction=0.02),
        replace(SETTINGS, max_merge_distance=0.05, same_distance=0.0, min_event_frames=2),
    ],
    ids=["default", "ward", "no mass", "some evicted", "mostly evicted"],
)
@pytest.mark.parametrize(("dim", "budget_bytes"), [(8, 11_000), (24, 14_000), (200, 15_000)])
def test_consolidation_equals_the_naive_one(
    settings: PolicySettings, dim: int, budget_bytes: int
) -> None:
    """Incremental links choose the pairs that comparing all pairs for every event chooses."""
    policy = replace(POLICIES["streammem"], settings=settings)
    frames = wandering(dim, 700, dim)
    store = MemoryStore(dim, budget_bytes, policy, seed=dim)
    naive = naive_memory.NaiveMemory(store.engine.plan, settings, seed=dim)

    for first in range(0, 700, 100):
        pts_s = np.arange(first, first + 100) * 0.25
        store.write(frames[first : first + 100], pts_s)
        for frame, now_s in zip(frames[first : first + 100], pts_s.tolist(), strict=True):
            naive.write(frame, now_s)
        _assert_equal(store, naive)

    evicted = store.ledger.evicted
    assert evicted.cells == len(naive.evicted)
    assert evicted.mass == sum(cell.mass for cell in naive.evicted)
    assert store.counts_by_tier()["long_term"] > 20


def _assert_equal(store: MemoryStore, naive: "naive_memory.NaiveMemory") -> None:
    snapshot = store.snapshot()
    cells = {cell.id: cell for cell in naive.working + naive.long_term}
    rows = {
        int(cell_id): row
        for row, cell_id in enumerate(snapshot.ids.tolist())
        if 0 < cell_id < naive.next_id
    }
    assert sorted(rows) == sorted(cells)
    for cell_id, cell in cells.items():
        row = rows[cell_id]
        mine = snapshot.span_cell == cell_id
        spans = zip(
            snapshot.span_start_s[mine].tolist(), snapshot.span_end_s[mine].tolist(), strict=True
        )
        assert int(snapshot.mass[row]) == cell.mass
        assert int(snapshot.visits[row]) == cell.visits
        assert list(spans) == [(span.start_s, span.end_s) for span in cell.spans]
        assert float(snapshot.exemplar_s[row]) == cell.exemplar_s
        fine, codes = _fine_codes(snapshot, row)
        assert fine == (cell.key is not None)
        assert codes == ([cell.key["code"][0].tobytes()] if cell.key is not None else [])
        places = snapshot.visits_of_spans.place[mine]
        looks = snapshot.visits_of_spans.keys.looks
        assert [_text(signs) for signs in looks.signs[places]] == [
            span.signs.ljust(64 * looks.signs.shape[1], "0") for span in cell.spans
        ]
        assert looks.reach[places].tolist() == [span.reach for span in cell.spans]
        assert looks.fits[places].tolist() == [span.fits for span in cell.spans]


def _fine_codes(snapshot: MemorySnapshot, row: int) -> tuple[bool, list[bytes]]:
    """Whether the key in a row is a fine one, and its code."""
    rows, keys = snapshot.key_set.parts[0]
    places = np.flatnonzero(rows == row).tolist()
    return bool(places), [keys.codes[place].tobytes() for place in places]


def _text(limbs: NDArray[np.uint64]) -> str:
    """Signs as the naive memory writes them."""
    return "".join(f"{int(limb):064b}"[::-1] for limb in limbs)


@pytest.mark.parametrize("name", sorted(planted_streams.TABLE))
@pytest.mark.parametrize("seed", [0, 1])
def test_needles_and_events_are_found_again(name: str, seed: int) -> None:
    """Recall at 1 on the streams of the design's table, 64 x 1152 bytes at D = 512."""
    stream = planted_streams.plant(planted_streams.TABLE[name], seed)
    store = MemoryStore(512, 64 * 1152)
    store.write(stream.frames, stream.pts_s)

    needles, events = planted_streams.recall_at_1(store.snapshot(), stream)

    assert store.nbytes <= 64 * 1152
    assert (needles, events) >= (0.95, 0.95)
    assert min(needles, events) >= 0.95


@pytest.mark.parametrize(
    "kind",
    [
        {"cone": 0.0, "view": 0.0, "noise": 0.25},
        {"noise": 0.8, "view": 0.5, "query_noise": 1.0},
        {"dim": 128, "cone": 2.0, "noise": 0.3},
        {"visit_frames": 100},
        {"visits": 956, "places": 956, "needles": 80},
        {"visits": 956, "places": 956, "needles": 80, "cone": 2.0},
    ],
    ids=[
        "clean", "noisy", "cosines near 0.8", "24,000 frames", "956 events",
        "956 events with cosines near 0.8",
    ],
)  # fmt: skip
def test_other_streams_of_different_events_are_found_again(kind: dict[str, float]) -> None:
    """The bar does not hang on one noise, width, number or length of events."""
    base = planted_streams.TABLE["239 different events, 20 needles"]
    stream = planted_streams.plant(replace(base, **kind), seed=5)
    store = MemoryStore(stream.frames.shape[1], 64 * 1152)
    store.write(stream.frames, stream.pts_s)

    needles, events = planted_streams.recall_at_1(store.snapshot(), stream)

    assert min(needles, events) >= 0.9


@pytest.mark.parametrize("seed", [0, 1])
def test_overload_leaves_sketches_that_find_events_again(seed: int) -> None:
    """Sixteen events for each fp16 cell of the budget: 16 x 1152 bytes at D = 512."""
    kind = planted_streams.TABLE["239 different events, 20 needles"]
    stream = planted_streams.plant(kind, seed)
    store = MemoryStore(512, 16 * 1152)
    store.write(stream.frames, stream.pts_s)

    needles, events = planted_streams.recall_at_1(store.snapshot(), stream)

    assert min(needles, events) >= 0.9
