"""The invariants of the default policy on streams made to break them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streammem.core.types import Tier
from streammem.memory import POLICIES, MemorySnapshot, MemoryStore, PolicySet
from streammem.memory.tokens import encode_tokens

DEFAULT = POLICIES["streammem"]
# Short events, few spans and early eviction reach every branch within a few hundred frames.
HARSH = replace(
    DEFAULT,
    settings=replace(
        DEFAULT.settings, max_event_frames=5, spans_per_cell=3, max_merge_distance=0.7
    ),
)
# Anything alike is one, so that cells with tokens merge long before their slots are full.
EAGER = replace(DEFAULT, settings=replace(DEFAULT.settings, max_event_frames=9, same_distance=0.8))
QUICK = settings(max_examples=25, deadline=None)


@dataclass(frozen=True)
class Written:
    """What one test writes: frames `[B D]`, times, durations or None, tokens or None."""

    frames: NDArray[np.float32]
    pts_s: NDArray[np.float64]
    durations_s: NDArray[np.float64] | None
    tokens: NDArray[np.float32] | None
    budget_bytes: int
    policy: PolicySet
    cuts: list[int]

    def store(self) -> MemoryStore:
        per_frame = 0 if self.tokens is None else self.tokens.shape[1]
        return MemoryStore(
            self.frames.shape[1], self.budget_bytes, self.policy, tokens_per_frame=per_frame
        )

    def write(self, store: MemoryStore, first: int, last: int) -> None:
        part = slice(first, last)
        store.write(
            self.frames[part],
            self.pts_s[part],
            durations_s=None if self.durations_s is None else self.durations_s[part],
            tokens=None if self.tokens is None else self.tokens[part],
        )


@st.composite
def streams(draw: st.DrawFn) -> Written:
    """Segments of scenes, still, zero, strobe and noise, at uneven times, cut into batches."""
    dim = draw(st.sampled_from([3, 16, 40]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    places = rng.standard_normal((12, dim))
    rows: list[NDArray[np.float64]] = []
    kinds = st.sampled_from(["scene", "still", "zero", "strobe", "noise", "drift"])
    for kind in draw(st.lists(kinds, min_size=1, max_size=14)):
        length, place = int(rng.integers(1, 30)), places[rng.integers(12)]
        noise = rng.standard_normal((length, dim))
        rows += list({
            "scene": place + 0.3 * noise,
            "still": np.tile(place, (length, 1)),
            "zero": np.zeros((length, dim)),
            "strobe": places[np.arange(length) % 2],
            "noise": noise,
            "drift": place + np.linspace(0, 2, length)[:, None] * places[0],
        }[kind] * rng.choice([1e-6, 1.0, 1e6]))  # fmt: skip
    frames = np.asarray(rows, np.float32)
    steps_s = rng.choice([0.5, 0.5, 0.5, 0.25, 0.0, 30.0], frames.shape[0])
    start_s = float(rng.choice([0.0, -4.25, 1.7e9]))
    durations_s = rng.choice([0.0, 0.04, 0.5, 2.0], frames.shape[0])
    # Few slots: the smallest budget, or a little more than it.
    budget_bytes = draw(st.sampled_from([8_192, 13_312, 20_480]))
    with_tokens = draw(st.booleans())
    count = frames.shape[0]
    cuts = draw(st.lists(st.integers(0, count), max_size=6))
    return Written(
        frames=frames,
        pts_s=start_s + np.cumsum(steps_s),
        durations_s=durations_s if draw(st.booleans()) else None,
        tokens=rng.standard_normal((count, 2, dim)).astype(np.float32) if with_tokens else None,
        budget_bytes=600_000 if with_tokens else budget_bytes,
        policy=draw(st.sampled_from([DEFAULT, HARSH, EAGER])),
        cuts=sorted({0, count, *cuts}),
    )


def time_sum_us(store: MemoryStore) -> int:
    """The exact sum of frame times over all live cells."""
    rows, event = store._engine.tiers.table.rows, store._engine.intake.event
    slots = store._engine.tiers.table.slots
    pairs = zip(rows["time_high"][slots].tolist(), rows["time_low"][slots].tolist(), strict=True)
    return event.time_sum_us + sum((high << 64) + low for high, low in pairs)


def assert_sane(store: MemoryStore, written: Written, count: int) -> None:
    """Everything that must hold after any call, with `count` frames written."""
    data = store.to_bytes()
    assert store.nbytes == len(data) <= written.budget_bytes
    tiers = store.bytes_by_tier()
    assert 0 <= sum(tiers.values()) <= store.nbytes
    snapshot = store.snapshot()
    evicted = store.ledger.evicted
    assert int(snapshot.mass.sum()) + evicted.mass == count == store.frames
    assert int(snapshot.visits.sum()) + evicted.visits == store._engine.tiers.tally.events + (
        1 if store._engine.intake.event.frames else 0
    )
    exact_us = sum(round(now_s * 1e6) for now_s in written.pts_s[:count].tolist())
    assert time_sum_us(store) + evicted.time_sum_us == exact_us
    assert sum(entry.count for entry in store.ledger if entry.kind == "evicted") == evicted.mass
    assert_ordered(snapshot)
    lasting = snapshot.mass > 0
    covered = np.zeros(count, np.bool_)
    for start_s, end_s, cell in zip(
        snapshot.span_start_s, snapshot.span_end_s, snapshot.span_cell, strict=True
    ):
        assert start_s <= end_s
        if cell > 0:
            covered |= (written.pts_s[:count] >= start_s) & (written.pts_s[:count] <= end_s)
    for entry in store.ledger:
        covered |= (written.pts_s[:count] >= entry.start_s) & (written.pts_s[:count] <= entry.end_s)
    assert covered.all()
    assert np.isin(snapshot.exemplar_s, written.pts_s[:count]).all()
    assert np.array_equal(np.sort(snapshot.exemplar_s[lasting]), store.exemplars())
    assert_tokens_of_exemplars(snapshot, written)


def assert_tokens_of_exemplars(snapshot: MemorySnapshot, written: Written) -> None:
    """Every cell with a detail keeps tokens of its exemplar frame, where tokens come."""
    if written.tokens is None:
        assert snapshot.token_cell.size == 0
        return
    detailed = set(snapshot.ids[snapshot.key_set.parts[0][0]].tolist())
    for cell, exemplar_s in zip(snapshot.ids.tolist(), snapshot.exemplar_s, strict=True):
        codes = snapshot.token_codes[snapshot.token_cell == cell]
        frames = np.flatnonzero(written.pts_s == exemplar_s).tolist()
        kept = [encode_tokens(written.tokens[frame], codes.shape[0]) for frame in frames]
        assert (codes.size > 0) == (cell > 0 and cell in detailed)
        assert codes.size == 0 or any(np.array_equal(codes, expected) for expected in kept)


def assert_ordered(snapshot: MemorySnapshot) -> None:
    """Time order, extents, unique ids."""
    assert np.unique(snapshot.ids).size == len(snapshot)
    assert (np.diff(snapshot.start_s) >= 0).all()
    for row, cell in enumerate(snapshot.ids.tolist()):
        mine = snapshot.span_cell == cell
        starts_s, ends_s = snapshot.span_start_s[mine], snapshot.span_end_s[mine]
        assert starts_s.size >= 1
        assert snapshot.start_s[row] == starts_s[0]
        assert snapshot.end_s[row] == ends_s.max()
        assert (starts_s[1:] >= ends_s[:-1]).all()
        assert snapshot.start_s[row] <= snapshot.exemplar_s[row] <= snapshot.end_s[row]


@QUICK
@given(streams())
def test_budget_conservation_and_order_hold_after_every_call(written: Written) -> None:
    """Bytes, mass, visits, sums of times, coverage and order, after each batch and the end."""
    store = written.store()
    for first, last in zip(written.cuts, written.cuts[1:], strict=False):
        written.write(store, first, last)
        assert_sane(store, written, last)

    store.close()

    assert_sane(store, written, written.frames.shape[0])
    assert store._engine.intake.event.frames == 0


@QUICK
@given(streams())
def test_batches_and_interruptions_change_no_bit(written: Written) -> None:
    """One frame a call, one call, odd batches, and a stop and start at each cut: equal bytes."""
    count = written.frames.shape[0]
    single, whole, resumed = written.store(), written.store(), written.store()

    for i in range(count):
        written.write(single, i, i + 1)
    written.write(whole, 0, count)
    for first, last in zip(written.cuts, written.cuts[1:], strict=False):
        again = MemoryStore.from_bytes(resumed.to_bytes())
        assert again.to_bytes() == resumed.to_bytes()
        resumed = MemoryStore.from_sections(again.sections())
        written.write(resumed, first, last)

    assert single.to_bytes() == whole.to_bytes() == resumed.to_bytes()


@QUICK
@given(streams())
def test_a_snapshot_is_the_memory_of_the_stream_so_far(written: Written) -> None:
    """A snapshot holds what a stream cut there leaves, open event included, and stays so."""
    middle = written.cuts[len(written.cuts) // 2]
    store, cut = written.store(), written.store()
    written.write(store, 0, middle)
    snapshot = store.snapshot()
    before = {name: np.array(value) for name, value in arrays(snapshot).items()}

    written.write(store, middle, written.frames.shape[0])
    written.write(cut, 0, middle)

    for name, value in arrays(cut.snapshot()).items():
        assert np.array_equal(value, before[name])
        assert np.array_equal(value, arrays(snapshot)[name])
    assert snapshot.tiers == cut.snapshot().tiers
    if middle:
        assert written.pts_s[middle - 1] <= snapshot.end_s[snapshot.mass > 0].max()


def arrays(snapshot: MemorySnapshot) -> dict[str, NDArray[Any]]:
    """Every array of a snapshot, decoded ones included."""
    found = {name: v for name, v in vars(snapshot).items() if isinstance(v, np.ndarray)}
    return {**found, "keys": snapshot.keys, "tokens": snapshot.tokens}


@QUICK
@given(streams(), st.integers(-2, 400), st.data())
def test_reading_changes_nothing_and_scores_are_finite(
    written: Written, top_k: int, data: st.DataObject
) -> None:
    """Queries, also zero ones, give finite scores, best first, as many as there are at most."""
    store = written.store()
    written.write(store, 0, written.frames.shape[0])
    before = store.to_bytes()
    snapshot = store.snapshot()
    dim = written.frames.shape[1]
    frame = data.draw(st.integers(0, written.frames.shape[0] - 1))

    for query in (np.zeros(dim), written.frames[frame], 1e30 * np.ones(dim)):
        scores = snapshot.score(query)
        hits = snapshot.search(query, top_k)

        assert scores.shape == (len(snapshot),)
        assert np.isfinite(scores).all()
        assert np.abs(scores).max() <= 1.0001
        assert len(hits) == min(max(top_k, 0), snapshot.span_cell.size)
        assert [hit.score for hit in hits] == sorted((h.score for h in hits), reverse=True)
        assert hits == snapshot.search(query, top_k)
        assert all(hit.start_s <= hit.time_s <= hit.end_s for hit in hits)
        if hits:
            assert hits[0].score == scores.max()
    assert store.to_bytes() == before


@QUICK
@given(streams(), st.lists(st.tuples(st.integers(-3, 60), st.integers(0, 5)), max_size=6))
def test_usage_changes_usage_only(written: Written, uses: list[tuple[int, int]]) -> None:
    """Absorbing usage moves `use` and `reads`, and nothing else that a snapshot shows."""
    store = written.store()
    written.write(store, 0, written.frames.shape[0])
    before, size = store.snapshot(), store.nbytes

    store.absorb_usage(dict(uses), reads=7)

    after = store.snapshot()
    for name, value in arrays(before).items():
        if name not in ("use", "reads"):
            assert np.array_equal(value, arrays(after)[name])
    times = dict(uses)
    wanted = [
        times.get(cell, 0) if mass else 0
        for cell, mass in zip(before.ids.tolist(), before.mass.tolist(), strict=True)
    ]
    assert (after.use - before.use).tolist() == wanted
    assert set((after.reads - before.reads)[after.mass > 0].tolist()) == {7}
    assert store.nbytes == size <= written.budget_bytes


@pytest.mark.parametrize("frame", [np.zeros(32), np.ones(32), np.eye(32)[3]])
@pytest.mark.parametrize("policy", [DEFAULT, HARSH])
def test_equal_frames_end_in_a_few_cells(frame: NDArray[np.float64], policy: PolicySet) -> None:
    """The cells of a still stream do not grow with it; their mass does."""
    store = MemoryStore(32, 65_536, policy)
    for i in range(40):
        store.write(np.tile(frame, (100, 1)), np.arange(100 * i, 100 * i + 100) * 0.5)

    counts = store.counts_by_tier()

    assert counts[Tier.WORKING] + counts[Tier.LONG_TERM] <= 3
    assert int(store.snapshot().mass.sum()) == 4000


def test_alternating_places_end_in_a_few_cells() -> None:
    """Two places in turn, each exactly equal every time, stay O(1) long-term cells."""
    store = MemoryStore(64, 65_536)
    places = np.repeat(np.random.default_rng(0).standard_normal((2, 64)), 20, axis=0)
    for i in range(60):
        store.write(places, np.arange(40 * i, 40 * i + 40) * 0.5)

    assert store.counts_by_tier()[Tier.LONG_TERM] <= 3
    assert int(store.snapshot().mass.sum()) == 2400


@QUICK
@given(streams(), st.sampled_from([np.nan, np.inf, -np.inf]), st.data())
def test_values_that_are_not_finite_are_refused_and_change_nothing(
    written: Written, value: float, data: st.DataObject
) -> None:
    """One bad frame refuses its whole batch."""
    store = written.store()
    middle = written.cuts[len(written.cuts) // 2]
    written.write(store, 0, middle)
    before = store.to_bytes()
    frames, pts_s = written.frames[middle:].copy(), written.pts_s[middle:].copy()
    if not frames.shape[0]:
        return
    bad = data.draw(st.integers(0, frames.shape[0] - 1))
    where = data.draw(st.sampled_from(["frame", "time"]))
    if where == "frame":
        frames[bad, -1] = value
    else:
        pts_s[bad] = value

    with pytest.raises(ValueError, match=r"NaN or infinity|not finite"):
        store.write(frames, pts_s)
    assert store.to_bytes() == before
