"""Columns of looks: what pairs are compared by is what the cells look like, after any change."""

import numpy as np
import pytest
from numpy.typing import NDArray

from streammem.memory import MemoryStore
from streammem.memory.look_columns import LookColumns
from streammem.memory.tiered import TieredEngine

DIM = 64
FRAMES = 4000


def _columns_of(store: MemoryStore) -> tuple[LookColumns, TieredEngine]:
    engine = store._engine
    assert isinstance(engine, TieredEngine)
    return engine.tiers._neighbours._columns, engine


def _flickering(seed: int) -> NDArray[np.float32]:
    """Scenes of 1 to 30 frames, a third of which come back."""
    rng = np.random.default_rng(seed)
    scenes = rng.standard_normal((400, DIM))
    kept = rng.integers(0, 400, 600)
    frames = np.repeat(scenes[kept], rng.integers(1, 31, 600), axis=0)[:FRAMES]
    noisy = frames + 0.05 * rng.standard_normal(frames.shape)
    return noisy.astype(np.float32)


@pytest.mark.parametrize("budget_bytes", [1 << 13, 1 << 14, 1 << 16])
def test_columns_show_every_candidate_as_it_is_while_looks_are_cut(budget_bytes: int) -> None:
    store = MemoryStore(dim=DIM, budget_bytes=budget_bytes)
    columns, engine = _columns_of(store)
    compared = 0
    for first, frames in enumerate(np.array_split(_flickering(seed=3), 40)):
        store.write(frames, np.arange(len(frames)) / 2 + first * 50)
        table, spans = engine.tiers.table, engine.tiers.spans
        slots = np.flatnonzero(np.isfinite(table.links["cost"][: table.size]))
        columns.refresh()
        entries = spans.entries[table.rows["look"][slots]]
        assert np.array_equal(columns._signs[:, slots], entries["signs"].T)
        assert np.array_equal(columns._reach[slots], entries["reach"])
        assert np.array_equal(
            columns.inverse_mass(slots), (1 / table.rows["mass"][slots]).astype(np.float32)
        )
        compared += slots.size
    assert compared > 100
    assert spans.step > 0 or budget_bytes == 1 << 16
    assert engine.tiers.tally.merges > 0


def test_distances_in_columns_are_those_pair_by_pair() -> None:
    store = MemoryStore(dim=DIM, budget_bytes=1 << 14)
    columns, engine = _columns_of(store)
    frames = _flickering(seed=4)
    store.write(frames, np.arange(len(frames)) / 2)
    columns.refresh()
    table, spans = engine.tiers.table, engine.tiers.spans
    slots = np.flatnonzero(np.isfinite(table.links["cost"][: table.size]))
    found = columns.distances(slots[:3], slice(0, table.size))[:, slots]
    entries = spans.entries[table.rows["look"][slots]]
    for row, slot in zip(found, slots[:3].tolist(), strict=True):
        own = np.repeat(spans.entries[table.rows["look"][[slot]]], slots.size)
        assert np.array_equal(row, spans.likeness.distances(own, entries))
