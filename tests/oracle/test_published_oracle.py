"""Each published policy against itself in clear loops, on random streams."""

import importlib.util
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streammem.memory import MemoryStore
from streammem.memory.published.catalogue import PUBLISHED
from streammem.memory.published.engine import PublishedPolicy
from streammem.memory.published.events import FragmentKeeper


def _beside(name: str) -> ModuleType:
    """A module in this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


naive = _beside("naive_published")


@dataclass(frozen=True)
class Twin:
    """The naive form of a policy: a memory, where its stretches end, spans of its cells."""

    memory: Any
    cuts: Any
    spans: int = 1


TWINS = {
    "recent": Twin(naive.Newest, naive.every_frame),
    "fifo": Twin(naive.Newest, naive.every_frame),
    "uniform": Twin(naive.Even, naive.every_frame),
    "reservoir": Twin(naive.Drawn, naive.every_frame),
    "dstream": Twin(naive.Hybrid, naive.every_frame),
    "unbounded": Twin(naive.Everything, naive.every_frame),
    "xmem": Twin(naive.Prototypes, naive.every_frame, spans=4),
    "moviechat": Twin(naive.Fragments, naive.every_frame),
    "flash-vstream": Twin(naive.Centroids, naive.every_frame, spans=4),
    "ixc": Twin(naive.NeighbourMerging, naive.by_similarity),
    "infinite-video": Twin(naive.Signal, naive.every_frame),
    "videollamb": Twin(naive.NeighbourMerging, naive.by_depth),
    "longvlm": Twin(naive.Matching, naive.every_frame, spans=4),
    "em-llm": Twin(naive.LeastUsed, naive.by_surprise),
    "hcam": Twin(naive.Chunks, naive.every_frame),
}


def wandering(seed: int, frames: int, dim: int) -> NDArray[np.float32]:
    """A stream of places that come back, more or less noisy, and now and then zero frames."""
    rng = np.random.default_rng(seed)
    places = rng.standard_normal((15, dim))
    rows: list[NDArray[np.float64]] = []
    while len(rows) < frames:
        place, length = places[rng.integers(15)], int(rng.integers(1, 14))
        rows += list(place + rng.choice([0.1, 0.6]) * rng.standard_normal((length, dim)))
        if rng.random() < 0.05:
            rows.append(np.zeros(dim))
    return np.asarray(rows[:frames], np.float32)


def assert_equal(store: MemoryStore, memory: Any) -> None:
    """Cells, what they stand for, and their keys bit for bit."""
    table = store.engine.table
    cells = sorted(memory.cells + memory.waiting, key=lambda cell: (cell.spans[0][0], cell.id))
    rows = table.rows
    slots = table.slots[np.lexsort((rows["id"][table.slots], rows["start_s"][table.slots]))]
    assert len(cells) == slots.size
    for cell, slot in zip(cells, slots.tolist(), strict=True):
        assert table.spans(slot) == cell.spans
        values = table.code.values(rows["key"][[slot]])[0]
        assert np.array_equal(values, cell.values) or not cell.values.any()
        assert cell.id in (0, int(rows["id"][slot]))
        if table.merging:
            assert float(rows["exemplar_s"][slot]) == cell.exemplar_s
            assert int(rows["mass"][slot]) == cell.mass
            assert int(rows["visits"][slot]) == cell.visits
        if cell.id:
            exact_us = sum(round(i * naive.STEP_S * 1e6) for i in cell.frames)
            assert table.time_sum_us(slot) == exact_us
    assert store.ledger.evicted.cells == len(memory.dropped)
    assert store.ledger.evicted.mass == sum(len(cell.frames) for cell in memory.dropped)


def compare(policy: PublishedPolicy, memory: Any, twin: Twin, seed: int, frames: int) -> None:
    """Write one stream to both."""
    dim = 8
    store = MemoryStore(dim, 4_608, policy, seed=seed)
    made = memory(
        store.engine.plan.cells, naive.Quantiser(store.engine.table.code), spans_per_cell=twin.spans
    )
    made.seed = seed
    stream = wandering(seed, frames, dim)
    store.write(stream, np.arange(frames) * naive.STEP_S)

    naive.remember(made, stream, twin.cuts)

    assert_equal(store, made)
    assert policy.name.startswith("unbounded") or store.engine.tally.events > made.capacity


@pytest.mark.parametrize("policy", PUBLISHED, ids=lambda policy: policy.name)
def test_a_policy_equals_its_naive_form(policy: PublishedPolicy) -> None:
    """Incremental bookkeeping keeps the cells that looking at everything keeps."""
    twin = TWINS[policy.name.removesuffix("+codes")]
    frames = 900 if twin.cuts is not naive.every_frame else 260
    compare(policy, twin.memory, twin, 7, frames)


@pytest.mark.parametrize("name", ["xmem", "flash-vstream", "longvlm", "infinite-video", "dstream"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_intricate_policies_equal_their_naive_form_on_more_streams(name: str, seed: int) -> None:
    """Other streams, with half-precision keys."""
    policy = next(one for one in PUBLISHED if one.name == name)
    compare(policy, TWINS[name].memory, TWINS[name], seed, 200)


def test_the_faithful_moviechat_forgets_masses_and_its_oldest_cells() -> None:
    """The published quirks, on demand only."""
    moviechat = next(one for one in PUBLISHED if one.name == "moviechat")
    policy = replace(moviechat, keeper=FragmentKeeper(faithful=True))

    class Faithful(naive.Fragments):  # type: ignore[name-defined, misc]
        faithful = True

    compare(policy, Faithful, TWINS["moviechat"], 3, 300)
