"""The store's border: what it takes, refuses, counts and gives back."""

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from streammem.core.errors import MemoryFileError, UsageError
from streammem.core.types import Tier
from streammem.memory import POLICIES, MemoryStore, WriteReport
from streammem.memory.state import SECTIONS

MIB = 1 << 20


def scenes(count: int, length: int, dim: int, seed: int = 0) -> np.ndarray:
    """Frames of scenes that have little to do with each other."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.standard_normal((count, dim)), length, axis=0)
    frames = centres + 0.3 * rng.standard_normal(centres.shape)
    return frames.astype(np.float32)


def filled(dim: int = 64, budget_bytes: int = 32_768, count: int = 40) -> MemoryStore:
    store = MemoryStore(dim, budget_bytes)
    store.write(scenes(count, 10, dim), np.arange(count * 10) * 0.5)
    return store


def test_write_reports_what_it_did() -> None:
    """Frames, closed events, merges and evictions of this call."""
    store = MemoryStore(64, 65_536)

    report = store.write(scenes(3, 10, 64), np.arange(30) * 0.5)

    assert report == WriteReport(frames=30, events_closed=2, merged=0, evicted=0)
    assert store.write(np.zeros((0, 64)), []) == WriteReport(0, 0, 0, 0)
    assert store.frames == 30


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embeddings": np.ones((4, 8))}, r"embeddings has shape \[4, 8\]; expected \[4, 16\]"),
        ({"embeddings": np.ones(16)}, r"embeddings has shape \[16\]"),
        ({"embeddings": np.full((4, 16), "x")}, "embeddings holds <U1; expected real numbers"),
        ({"embeddings": np.full((4, 16), 1e300)}, "embeddings of frame 0 .* NaN or infinity"),
        ({"pts_seconds": [[0.0]]}, r"pts_seconds has shape \[1, 1\]; expected \[B\]"),
        ({"pts_seconds": [0.0, 1.0, 0.5, 2.0]}, "frame 2 of the batch is at 0.5 s, after one at 1"),
        ({"pts_seconds": [0.0, 1.0, 2.0, 1e13]}, "beyond 1e12 s"),
        (
            {"pts_seconds": [-6.0, 1.0, 2.0, 3.0]},
            "frame 0 .* is at -6.0 s, after one at -5",
        ),
        ({"durations_s": [0.5, 0.5, -1.0, 0.5]}, "durations_s holds a value that is negative"),
        ({"durations_s": [0.5]}, r"durations_s has shape \[1\]; expected \[4\]"),
        ({"tokens": np.ones((4, 2, 16))}, r"tokens has shape \[4, 2, 16\]; expected \[4, 3, 16\]"),
        ({"tokens": np.full((4, 3, 16), np.nan)}, "tokens of frame 0 of the batch hold NaN"),
    ],
)
def test_write_refuses_and_changes_nothing(change: dict[str, Any], message: str) -> None:
    """A batch that is not right is refused as a whole, with the reason."""
    store = MemoryStore(16, 65_536, tokens_per_frame=3)
    store.write(np.ones((1, 16)), [-5.0])
    before = store.to_bytes()
    batch: dict[str, Any] = {"embeddings": np.ones((4, 16)), "pts_seconds": np.arange(4.0)}

    with pytest.raises(ValueError, match=message):
        store.write(**{**batch, **change})

    assert store.to_bytes() == before
    store.write(**batch)


def test_close_refuses_writing_only() -> None:
    """A closed memory is read, stored, annotated and closed again; it is not written."""
    store = filled()

    store.close()
    store.close()

    with pytest.raises(ValueError, match="the memory is closed"):
        store.write(np.ones((1, 64)), [1e6])
    store.record(0.0, 1.0, "gap", reason="late")
    store.absorb_usage({1: 1}, reads=1)
    again = MemoryStore.from_bytes(store.to_bytes())
    assert again.closed
    assert again.to_bytes() == store.to_bytes()
    assert store.counts_by_tier()[Tier.WORKING] == len(store._engine.tiers.working)


def test_closing_an_empty_memory_leaves_it_empty() -> None:
    """No frame, no cell, no hit."""
    store = MemoryStore(8, 16_384)

    store.close()

    snapshot = store.snapshot()
    assert len(snapshot) == 0
    assert snapshot.search(np.ones(8)) == []
    assert snapshot.score(np.ones(8)).shape == (0,)
    assert store.exemplars().size == 0


def test_an_unknown_policy_is_refused_with_the_known_ones() -> None:
    """The hint names what there is."""
    with pytest.raises(UsageError, match="no policy 'best'") as caught:
        MemoryStore(8, 16_384, policy="best")
    assert "streammem" in (caught.value.hint or "")


@pytest.mark.parametrize("arguments", [{"dim": 0}, {"tokens_per_frame": -1}, {"seed": 1 << 63}])
def test_numbers_out_of_range_are_refused(arguments: dict[str, int]) -> None:
    """Widths, counts and seeds that cannot be stored are refused at once."""
    with pytest.raises(ValueError, match="out of range"):
        MemoryStore(**{"dim": 8, "budget_bytes": 16_384, **arguments})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: b"", "not a memory"),
        (lambda data: b"x" + data[1:], "not a memory"),
        (lambda data: data[:-1], "the memory is cut"),
        (lambda data: data[:2000] + bytes([data[2000] ^ 1]) + data[2001:], "checksum"),
        (lambda data: data[:8] + b"\x63" + data[9:], "format 99; this version reads up to 6"),
    ],
)
def test_damaged_bytes_are_refused(damage: Any, message: str) -> None:
    """What is not a whole memory of a known format never becomes one."""
    with pytest.raises(MemoryFileError, match=message):
        MemoryStore.from_bytes(damage(filled().to_bytes()))


@pytest.mark.parametrize("name", SECTIONS)
def test_sections_that_do_not_fit_are_refused(name: str) -> None:
    """Every section is checked against the plan; an absent one is named."""
    sections = filled().sections()
    shorter = {**sections, name: (sections[name] or b"xx")[:-1]}
    absent = {key: value for key, value in sections.items() if key != name}

    with pytest.raises(MemoryFileError, match=r"fit|length"):
        MemoryStore.from_sections(shorter)
    with pytest.raises(MemoryFileError, match=f"lacks the section '{name}'"):
        MemoryStore.from_sections(absent)


def test_settings_travel_with_the_memory() -> None:
    """A memory goes on with the settings that it was made with, whatever the defaults are."""
    default = POLICIES["streammem"]
    policy = replace(default, settings=replace(default.settings, max_event_frames=7, gamma=2.5))

    again = MemoryStore.from_bytes(MemoryStore(16, 16_384, policy, seed=-3).to_bytes())

    assert again.policy == policy
    assert again.engine.plan == MemoryStore(16, 16_384).engine.plan


def test_bytes_by_tier_add_up_to_all_but_the_overhead() -> None:
    """Header, counters, queue and ledger are what the tiers leave."""
    store = filled()
    store.record(0.0, 1.0, "gap")

    overhead = store.nbytes - sum(store.bytes_by_tier().values())

    sections = store.sections()
    assert overhead == store.nbytes - sum(
        len(sections[name]) for name in ("open", "sensory", "cells", "links", "spans", "details")
    )
    assert all(count > 0 for count in store.bytes_by_tier().values())
    assert len(store.to_bytes()) == store.nbytes


def test_an_event_changes_few_bytes_of_the_sections() -> None:
    """With full slots, 100 frames change less than a tenth of the memory outside the ring."""
    store = MemoryStore(128, 128 * 1024)
    frames = scenes(1000, 4, 128)
    store.write(frames, np.arange(4000) * 0.5)
    assert store._engine.tiers.table.full
    before = store.sections()

    store.write(frames[:100], 2_000 + np.arange(100) * 0.5)

    after = store.sections()
    changed = 0
    for name in ("cells", "links", "spans", "details"):
        shared = min(len(after[name]), len(before[name]))
        left, right = (np.frombuffer(part[name][:shared], np.uint8) for part in (before, after))
        changed += int(np.count_nonzero(left != right))
        changed += len(after[name]) + len(before[name]) - 2 * shared
    assert 0 < changed < 128 * 1024 // 10


def test_the_first_cell_stays_and_ids_are_never_used_again() -> None:
    """The stream's first event is pinned; every closed event got the next id."""
    store = filled(count=400)

    snapshot = store.snapshot()

    assert store._engine.tiers.tally.merges > 100
    assert snapshot.ids.max() == store._engine.tiers.next_id == store._engine.tiers.tally.events + 1
    first = int(np.flatnonzero(snapshot.ids == 1)[0])
    assert (snapshot.start_s[first], snapshot.end_s[first]) == (0.0, 5.0)
    assert (snapshot.visits[first], snapshot.mass[first]) == (1, 10)


def test_the_sensory_ring_holds_the_last_frames() -> None:
    """Copies of the last frames, mass 0, negative ids, spans up to the next frame."""
    store = filled()
    snapshot = store.snapshot()

    rows = [row for row, tier in enumerate(snapshot.tiers) if tier == Tier.SENSORY]

    assert len(rows) == store.engine.plan.sensory == store.counts_by_tier()[Tier.SENSORY]
    assert snapshot.ids[rows].tolist() == list(range(-401 + len(rows), -401, -1))[::1]
    assert snapshot.start_s[rows].tolist() == [0.5 * i for i in range(400 - len(rows), 400)]
    assert snapshot.end_s[rows].tolist() == [0.5 * i for i in range(401 - len(rows), 401)]
    assert not snapshot.mass[rows].any()
    assert snapshot.now_s == 200.0


def test_a_pause_ends_an_event_and_is_in_no_span() -> None:
    """The same picture before and after a pause is two visits."""
    frame = np.ones((10, 32))
    store = MemoryStore(32, 16_384)
    store.write(frame, np.arange(10) * 0.5)
    store.write(frame, 600 + np.arange(10) * 0.5)
    store.close()

    hits = [hit for hit in store.snapshot().search(frame[0], 50) if hit.tier != Tier.SENSORY]

    assert sorted((hit.start_s, hit.end_s) for hit in hits) == [(0.0, 5.0), (600.0, 605.0)]


def test_equal_calls_give_equal_bytes_and_other_seeds_other_codes() -> None:
    """Nothing but the arguments decides; the seed turns narrow codes."""

    def written(seed: int) -> bytes:
        store = MemoryStore(64, 12_288, seed=seed)
        store.write(scenes(60, 5, 64), np.arange(300) * 0.5)
        return store.to_bytes()

    assert written(1) == written(1) != written(2)


def test_details_go_before_cells_do() -> None:
    """As events come, the oldest cells lose their fine keys and tokens; all are still found."""
    store = MemoryStore(64, 256 * 1024, tokens_per_frame=2)
    frames, pts_s = scenes(3000, 3, 64), np.arange(9000) * 0.5
    tokens = np.repeat(frames[:, None], 2, axis=1)
    store.write(frames[:1200], pts_s[:1200], tokens=tokens[:1200])
    few = store.snapshot()
    store.write(frames[1200:], pts_s[1200:], tokens=tokens[1200:])
    many = store.snapshot()

    assert store.engine.plan.tokens_per_cell == 2
    assert set(few.ids[few.mass > 0].tolist()) <= set(few.ids[few.key_set.parts[0][0]].tolist())
    detailed = many.ids[many.key_set.parts[0][0]]
    detailed = np.sort(detailed[detailed > 0])
    assert 0 < detailed.size < store.counts_by_tier()[Tier.LONG_TERM]
    assert set(many.token_cell.tolist()) == set(detailed.tolist())
    found = 0
    for scene in range(0, 3000, 100):
        hit = many.search(frames[3 * scene : 3 * scene + 3].mean(axis=0), 1)[0]
        found += hit.start_s <= 1.5 * scene + 0.75 <= hit.end_s
    assert found >= 29


@pytest.mark.parametrize(("dim", "budget_bytes"), [(512, 12_288), (1152, 16_384), (1152, 20_480)])
def test_small_memories_have_a_centre(dim: int, budget_bytes: int) -> None:
    """It is fixed while every cell still has its detail, however the bytes fall."""
    store = MemoryStore(dim, budget_bytes)
    frames = scenes(100, 6, dim) + 2 * np.random.default_rng(5).standard_normal(dim)

    store.write(frames.astype(np.float32), np.arange(600) * 0.5)

    assert np.abs(store._engine.tiers.centre).max() > 0


def test_a_used_cell_keeps_its_detail_longest() -> None:
    """Of the old cells the one that was returned stays sharp."""
    store = MemoryStore(64, 32_768)
    frames = scenes(400, 4, 64)
    store.write(frames[:160], np.arange(160) * 0.5)
    store.absorb_usage({7: 5}, reads=5)
    dropped: set[int] = set()
    while not dropped:
        store.write(frames[store.frames : store.frames + 4], (store.frames + np.arange(4)) * 0.5)
        snapshot = store.snapshot()
        detailed = set(snapshot.ids[snapshot.key_set.parts[0][0]].tolist())
        dropped = set(snapshot.ids[snapshot.mass > 0].tolist()) - detailed

    assert 7 in detailed
    assert min(dropped) < 7


def test_a_list_and_a_wider_type_mean_the_same() -> None:
    """Frames may come as lists or in double precision."""
    frames = scenes(2, 4, 16)
    single, double, plain = (MemoryStore(16, 16_384) for _ in range(3))
    pts_s = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]

    single.write(frames, np.array(pts_s))
    double.write(frames.astype(np.float64), pts_s)
    plain.write(frames.tolist(), pts_s)

    assert single.to_bytes() == double.to_bytes() == plain.to_bytes()


@pytest.mark.parametrize(
    ("dim", "budget_bytes", "frames", "tokens"),
    [(512, MIB, 2048, 0), (1152, 8 * MIB, 1024, 0), (128, MIB, 2048, 0), (256, 2 * MIB, 64, 196)],
)
def test_scratch_of_a_call_stays_under_4_mib(
    dim: int, budget_bytes: int, frames: int, tokens: int
) -> None:
    """A large batch is worked through in blocks."""
    store = MemoryStore(dim, budget_bytes, tokens_per_frame=tokens)
    batch = scenes(frames // 4, 4, dim)
    patches = np.ones((frames, tokens, dim), np.float32) if tokens else None
    store.write(batch, np.arange(frames) * 0.5, tokens=patches)
    pts_s = (frames + np.arange(frames)) * 0.5

    tracemalloc.start()
    held = tracemalloc.get_traced_memory()[0]
    store.write(batch, pts_s, tokens=patches)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak - held < 4 * MIB
