"""The invariants that each published policy declares, on streams made to break them."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streammem.core.errors import BudgetError
from streammem.memory import MemorySnapshot, MemoryStore
from streammem.memory.engine import BOUNDED, CELLULAR, MERGING
from streammem.memory.published.catalogue import PUBLISHED
from streammem.memory.published.engine import PublishedPolicy

QUICK = settings(max_examples=2, deadline=None)
DIM = 12
EVERY = pytest.mark.parametrize("policy", PUBLISHED, ids=lambda policy: policy.name)
BUDGET_BYTES = 5_120
"""A dozen cells to sixty, by policy: full after a few scenes."""


@dataclass(frozen=True, repr=False)
class Stream:
    """Frames `[B D]`, their times, durations or None, and where batches end."""

    frames: NDArray[np.float32]
    pts_s: NDArray[np.float64]
    durations_s: NDArray[np.float64] | None
    cuts: list[int]

    def __repr__(self) -> str:
        return f"{len(self.frames)} frames, cuts {self.cuts}"

    def write(self, store: MemoryStore, first: int, last: int) -> None:
        durations_s = None if self.durations_s is None else self.durations_s[first:last]
        store.write(self.frames[first:last], self.pts_s[first:last], durations_s=durations_s)

    def in_batches(self, store: MemoryStore, size: int) -> bytes:
        for first in range(0, len(self.frames), size):
            self.write(store, first, min(first + size, len(self.frames)))
        return store.to_bytes()


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    """Scenes, stills, zeros, strobe and noise in random order, with pauses and standing clocks."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    places = rng.standard_normal((6, DIM))
    rows: list[NDArray[np.float64]] = []
    kinds = ["scene", "still", "zero", "strobe", "noise", "drift"]
    for kind in draw(st.permutations(kinds * 2)):
        length, place = int(rng.integers(1, 30)), places[rng.integers(6)]
        noise = rng.standard_normal((length, DIM))
        rows += list({
            "scene": place + 0.3 * noise,
            "still": np.tile(place, (length, 1)),
            "zero": np.zeros((length, DIM)),
            "strobe": places[np.arange(length) % 2],
            "noise": noise,
            "drift": place + np.linspace(0, 2, length)[:, None] * places[0],
        }[kind] * rng.choice([1e-6, 1.0, 1e6]))  # fmt: skip
    count = len(rows)
    steps_s = rng.choice([0.5, 0.5, 0.5, 0.25, 0.0, 30.0], count)
    cuts = draw(st.lists(st.integers(0, count), max_size=3))
    return Stream(
        frames=np.asarray(rows, np.float32),
        pts_s=float(rng.choice([0.0, -4.25, 1.7e9])) + np.cumsum(steps_s),
        durations_s=rng.choice([0.0, 0.04, 0.5, 2.0], count) if draw(st.booleans()) else None,
        cuts=sorted({0, count, *cuts}),
    )


def time_sum_us(store: MemoryStore) -> int:
    """The exact sum of frame times over all cells."""
    engine = store.engine
    sums = [engine.table.time_sum_us(slot) for slot in engine.table.slots.tolist()]
    return sum(sums) + engine.intake.open.time_sum_us


def assert_sane(store: MemoryStore, stream: Stream, count: int) -> None:
    """Everything that must hold after any call, with `count` frames written."""
    policy = store.policy
    assert store.nbytes == len(store.to_bytes())
    assert 0 <= sum(store.bytes_by_tier().values()) <= store.nbytes
    assert BOUNDED not in policy.traits or store.nbytes <= store.budget_bytes
    snapshot = store.snapshot()
    assert len(snapshot) == sum(store.counts_by_tier().values())
    assert np.array_equal(np.sort(snapshot.exemplar_s), store.exemplars())
    assert np.isin(snapshot.exemplar_s, stream.pts_s[:count]).all()
    assert_ordered(snapshot)
    if CELLULAR not in policy.traits:
        return
    evicted = store.ledger.evicted
    opened = 1 if store.engine.intake.open.frames else 0
    assert int(snapshot.mass.sum()) + evicted.mass == count == store.frames
    assert int(snapshot.visits.sum()) + evicted.visits == store.engine.tally.events + opened
    exact_us = sum(round(now_s * 1e6) for now_s in stream.pts_s[:count].tolist())
    assert time_sum_us(store) + evicted.time_sum_us == exact_us
    assert sum(one.count for one in store.ledger if one.kind == "evicted") == evicted.mass
    times_s = stream.pts_s[:count]
    covered = np.zeros(count, np.bool_)
    spans = list(zip(snapshot.span_start_s, snapshot.span_end_s, strict=True))
    spans += [(one.start_s, one.end_s) for one in store.ledger]
    for start_s, end_s in spans:
        covered |= (times_s >= start_s) & (times_s <= end_s)
    assert covered.all()


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
        assert (ends_s >= starts_s).all()
        assert (starts_s[1:] > ends_s[:-1]).all()
        assert snapshot.start_s[row] <= snapshot.exemplar_s[row] <= snapshot.end_s[row]


def columns(snapshot: MemorySnapshot) -> dict[str, NDArray[np.generic]]:
    """Every array of a snapshot, decoded keys included."""
    found = {name: v for name, v in vars(snapshot).items() if isinstance(v, np.ndarray)}
    return {**found, "keys": snapshot.keys}


@EVERY
@QUICK
@given(stream=streams())
def test_budget_conservation_and_order_hold_after_every_call(
    policy: PublishedPolicy, stream: Stream
) -> None:
    """Bytes, mass, visits, sums of times, coverage and order, after each batch and the end."""
    store = MemoryStore(DIM, BUDGET_BYTES, policy)
    for first, last in zip(stream.cuts, stream.cuts[1:], strict=False):
        stream.write(store, first, last)
        assert_sane(store, stream, last)

    store.close()

    assert_sane(store, stream, len(stream.frames))
    assert store.engine.intake.open.frames == 0


@EVERY
@QUICK
@given(stream=streams(), seed=st.integers(-(1 << 63), (1 << 63) - 1))
def test_batches_and_interruptions_change_no_bit(
    policy: PublishedPolicy, stream: Stream, seed: int
) -> None:
    """Batches of 1, 7 and 64, and a stop and start at each cut: equal bytes."""
    made = [stream.in_batches(MemoryStore(DIM, BUDGET_BYTES, policy, seed), n) for n in (1, 7, 64)]
    resumed = MemoryStore(DIM, BUDGET_BYTES, policy, seed)
    for first, last in zip(stream.cuts, stream.cuts[1:], strict=False):
        again = MemoryStore.from_bytes(resumed.to_bytes())
        assert again.to_bytes() == resumed.to_bytes()
        resumed = MemoryStore.from_sections(again.sections())
        stream.write(resumed, first, last)

    assert made == [resumed.to_bytes()] * 3


@EVERY
@QUICK
@given(stream=streams())
def test_a_snapshot_is_the_memory_of_the_stream_so_far(
    policy: PublishedPolicy, stream: Stream
) -> None:
    """A snapshot holds what a stream cut there leaves, open stretch included, and stays so."""
    middle = stream.cuts[len(stream.cuts) // 2]
    store, cut = (MemoryStore(DIM, BUDGET_BYTES, policy) for _ in range(2))
    stream.write(store, 0, middle)
    snapshot = store.snapshot()
    before = {name: np.array(value) for name, value in columns(snapshot).items()}

    stream.write(store, middle, len(stream.frames))
    stream.write(cut, 0, middle)

    for name, value in columns(cut.snapshot()).items():
        assert np.array_equal(value, before[name])
        assert np.array_equal(value, columns(snapshot)[name])
    assert snapshot.tiers == cut.snapshot().tiers
    if middle:
        assert stream.pts_s[middle - 1] <= snapshot.end_s.max()


@EVERY
@QUICK
@given(stream=streams(), top_k=st.integers(-2, 400))
def test_reading_changes_nothing_and_scores_are_finite(
    policy: PublishedPolicy, stream: Stream, top_k: int
) -> None:
    """Queries, also zero ones, give finite scores, best first, as many as there are at most."""
    store = MemoryStore(DIM, BUDGET_BYTES, policy)
    stream.write(store, 0, len(stream.frames))
    before = store.to_bytes()
    snapshot = store.snapshot()

    for query in (np.zeros(DIM), stream.frames[len(stream.frames) // 2], 1e30 * np.ones(DIM)):
        scores = snapshot.score(query)
        hits = snapshot.search(query, top_k)

        assert np.isfinite(scores).all()
        assert np.abs(scores).max() <= 1.0001
        assert len(hits) == min(max(top_k, 0), snapshot.span_cell.size)
        assert [hit.score for hit in hits] == sorted((h.score for h in hits), reverse=True)
        assert hits == snapshot.search(query, top_k)
        assert not hits or hits[0].score == scores.max()
    assert store.to_bytes() == before


@EVERY
def test_usage_changes_usage_only(policy: PublishedPolicy) -> None:
    """Absorbing usage moves `use` and `reads`, also of the open stretch, and nothing else."""
    store = MemoryStore(DIM, BUDGET_BYTES, policy)
    frames = np.random.default_rng(1).standard_normal((90, DIM))
    store.write(frames, np.arange(90) * 0.5)
    before, size = store.snapshot(), store.nbytes
    youngest = int(before.ids.max())

    store.absorb_usage({int(before.ids[0]): 3, youngest: 2, 10**9: 5}, reads=7)

    after = store.snapshot()
    for name, value in columns(before).items():
        if name not in ("use", "reads"):
            assert np.array_equal(value, columns(after)[name])
    wanted = {int(before.ids[0]): 3} | {youngest: 2}
    assert (after.use - before.use).tolist() == [wanted.get(i, 0) for i in before.ids.tolist()]
    assert set((after.reads - before.reads).tolist()) == {7}
    assert store.nbytes == size
    assert MemoryStore.from_bytes(store.to_bytes()).to_bytes() == store.to_bytes()


@pytest.mark.parametrize("frame", [np.zeros(DIM), np.ones(DIM), np.eye(DIM)[3]])
@pytest.mark.parametrize(
    "policy", [p for p in PUBLISHED if MERGING in p.traits], ids=lambda policy: policy.name
)
def test_equal_frames_end_in_a_few_cells(
    policy: PublishedPolicy, frame: NDArray[np.float64]
) -> None:
    """The long-term cells of a still stream do not grow with it; their mass does."""
    store = MemoryStore(DIM, 16 * BUDGET_BYTES, policy)
    for i in range(20):
        store.write(np.tile(frame, (40, 1)), np.arange(40 * i, 40 * i + 40) * 0.5)

    assert store.counts_by_tier()["long_term"] <= 3
    assert int(store.snapshot().mass.sum()) == 800


@EVERY
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused_and_change_nothing(
    policy: PublishedPolicy, value: float
) -> None:
    """One bad frame refuses its whole batch."""
    store = MemoryStore(DIM, BUDGET_BYTES, policy)
    frames = np.random.default_rng(0).standard_normal((40, DIM))
    store.write(frames, np.arange(40.0))
    before = store.to_bytes()
    frames[20, 3] = value

    with pytest.raises(ValueError, match="NaN or infinity"):
        store.write(frames, np.arange(40.0, 80.0))
    assert store.to_bytes() == before


@EVERY
@pytest.mark.parametrize("dim", [1, 512, 3000])
def test_too_small_a_budget_is_refused_with_the_smallest_that_works(
    policy: PublishedPolicy, dim: int
) -> None:
    """The hint's figure is accepted, works, and one byte less is refused."""
    with pytest.raises(BudgetError) as refusal:
        MemoryStore(dim, 100, policy)
    assert refusal.value.hint is not None
    smallest = int(refusal.value.hint.split()[-2])
    with pytest.raises(BudgetError):
        MemoryStore(dim, smallest - 1, policy)
    store = MemoryStore(dim, smallest, policy)

    store.write(np.random.default_rng(0).standard_normal((60, dim)), np.arange(60.0))

    assert BOUNDED not in policy.traits or store.nbytes <= smallest
    assert dim != 512 or smallest <= 65_536


@EVERY
def test_one_frame_can_be_found(policy: PublishedPolicy) -> None:
    """A memory of one frame answers with it; an empty one answers with nothing."""
    store = MemoryStore(DIM, BUDGET_BYTES, policy)
    assert store.snapshot().search(np.ones(DIM)) == []

    store.write(np.ones((1, DIM)), [4.0])
    hits = store.snapshot().search(np.ones(DIM))

    assert [(hit.start_s, hit.end_s, hit.time_s) for hit in hits] == [(4.0, 4.5, 4.0)]
    assert hits[0].score == pytest.approx(1, abs=0.01)
    store.close()
    again = store.snapshot().search(np.ones(DIM))
    assert [replace(hit, tier=hits[0].tier) for hit in again] == hits
