"""The published policies one part at a time: keys, ranks, boundaries, cells, their catalogue."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from streammem.core.errors import MemoryFileError
from streammem.memory import POLICIES, MemoryStore
from streammem.memory.codes import to_fixed_point
from streammem.memory.engine import BOUNDED, CELLULAR, MERGING
from streammem.memory.published import state
from streammem.memory.published.boundaries import DepthRule, SimilarityRule, SurpriseRule
from streammem.memory.published.catalogue import MOVIECHAT, PUBLISHED
from streammem.memory.published.events import FragmentKeeper
from streammem.memory.published.keys import HalfCode, row_code
from streammem.memory.published.retention import drawn, evenly_spaced, newest, stretched
from streammem.memory.published.stretches import Arrival

NAMES = (
    "xmem", "moviechat", "flash-vstream", "ixc", "infinite-video", "videollamb", "longvlm",
    "em-llm", "hcam", "recent", "fifo", "uniform", "reservoir", "dstream", "unbounded",
)  # fmt: skip


def rows(count: int, dim: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)


@pytest.mark.parametrize("dim", [1, 7, 512])
def test_half_precision_keys_are_as_near_as_half_precision_is(dim: int) -> None:
    """Keys lie within a half-precision step of the frames; cosines follow; zero stays zero."""
    frames = to_fixed_point(np.vstack([rows(20, dim), np.zeros((1, dim), np.float32)]))
    code = row_code(dim, 16, seed=3)

    encoded = code.encode(code.rotate(frames))
    query = rows(1, dim, seed=1)[0]
    query /= np.linalg.norm(query)
    cosines = code.cosines(encoded.codes, encoded.square_sum, query)

    assert isinstance(code, HalfCode)
    assert encoded.codes.shape == (21, 2 * dim)
    assert np.abs(code.values(encoded.codes) - frames).max() <= 8
    assert np.allclose(cosines[:20], frames[:20] @ query / 2**14, atol=1e-3)
    assert cosines[20] == 0
    assert np.array_equal(code.encode(frames[5:6]).codes[0], encoded.codes[5])


def kept(rank: NDArray[np.int64], cells: int) -> NDArray[np.int64]:
    """Numbers of the frames with the highest ranks, increasing."""
    assert np.unique(rank).size == rank.size
    return np.sort(np.argsort(rank)[-cells:])


@pytest.mark.parametrize("frames", [100, 1000, 4097, 65_536])
def test_even_ranks_leave_no_gap_over_twice_the_fair_one(frames: int) -> None:
    """Fifty of any number of frames are spread evenly, the first among them."""
    gaps = np.diff(kept(evenly_spaced(np.arange(frames), 0), 50), append=frames)

    assert gaps.max() <= max(2, 4 * frames / 50)
    assert set(gaps[:-1].tolist()) <= {2**k for k in range(20)}
    assert kept(evenly_spaced(np.arange(frames), 0), 50)[0] == 0


def test_stretched_ranks_keep_the_beginning_densely() -> None:
    """Gaps grow with the time since the start, at most in proportion to it."""
    numbers = kept(stretched(np.arange(100_000), 0), 120)

    assert numbers[:8].tolist() == list(range(8))
    assert (np.diff(numbers) <= np.maximum(1, numbers[1:] * 0.5)).all()
    assert numbers[-1] > 60_000


def test_drawn_ranks_are_a_fair_sample_that_the_seed_decides() -> None:
    """Every part of the stream has its share."""
    shares = [
        np.histogram(kept(drawn(np.arange(10_000), seed), 1000), 5, (0, 10_000))[0]
        for seed in range(5)
    ]

    assert all((np.abs(share - 200) < 60).all() for share in shares)
    assert not np.array_equal(drawn(np.arange(50), 1), drawn(np.arange(50), 2))
    assert np.array_equal(drawn(np.arange(90), -1)[40:], drawn(np.arange(40, 90), -1))


def test_newest_ranks_are_the_numbers() -> None:
    """A window."""
    assert kept(newest(np.arange(30), 0), 4).tolist() == [26, 27, 28, 29]


def cuts(rule: SimilarityRule | DepthRule | SurpriseRule, cosines: list[float]) -> list[int]:
    """The frames, from 1, that begin a stretch if each has this cosine with what was before."""
    state: tuple[float, ...] = ()
    found, frames = [], 1
    for number, cosine in enumerate(cosines, 1):
        cut, state = rule.step(state, Arrival(frames, cosine, cosine))
        frames = 1 if cut else frames + 1
        found += [number] if cut else []
    return found


def test_similarity_cuts_at_the_threshold_within_lengths() -> None:
    """Exactly 0.9 cuts, but not before the third frame; after sixteen anything does."""
    assert cuts(SimilarityRule(), [0.5, 0.5, 0.5, 0.95, 0.5, 0.9, 0.91]) == [3, 6]
    assert cuts(SimilarityRule(), [1.0] * 33) == [16, 32]


def test_depth_cuts_valleys_that_are_deeper_than_usual() -> None:
    """A valley is measured from the last peak, so a slope deepens; a rise is none."""
    flat, usual = [0.9] * 8, [0.9, 0.93] * 20

    assert cuts(DepthRule(), [*flat, 0.3, *flat]) == [9]
    assert cuts(DepthRule(), [*flat, 0.95, 0.99, 1.0]) == []
    assert cuts(DepthRule(), [*usual, 0.91, 0.89, 0.87])[-1] == 43
    assert 42 not in cuts(DepthRule(), [*usual, 0.91, 0.89, 0.87])
    assert cuts(DepthRule(longest=4), [1.0] * 9) == [4, 8]


def test_surprise_cuts_above_the_recent_mean() -> None:
    """Not within a shortest event, and at once after a longest."""
    usual = [0.9, 0.91, 0.89, 0.9, 0.91, 0.9, 0.89]

    assert cuts(SurpriseRule(gamma=3.0), [*usual, 0.2, *usual]) == [8]
    assert cuts(SurpriseRule(gamma=3.0, shortest=8), [*usual[:3], 0.2, *usual[:3]]) == []
    assert cuts(SurpriseRule(longest=5), [1.0] * 11) == [5, 10]


def test_every_policy_is_there_in_both_forms() -> None:
    """Names, traits, and 64 KiB at D = 512; codes hold more cells than half-precision keys."""
    for name in NAMES:
        plain, coded = POLICIES[name], POLICIES[name + "+codes"]
        assert plain.traits == coded.traits <= {BOUNDED, CELLULAR, MERGING}
        assert len(coded.name) <= 24
        cells = []
        for policy in (plain, coded):
            store = MemoryStore(512, 65_536, policy.name)
            store.write(rows(40, 512), np.arange(40.0))
            cells.append(store.engine.plan.cells)
            assert store.policy is policy
        assert cells[1] > 2 * cells[0] or name in ("recent", "unbounded")
    assert len(PUBLISHED) == 2 * len(NAMES)


def test_unbounded_finds_everything_whatever_the_budget() -> None:
    """Needles of two frames and scenes, under noise, from a stream of 4,000 frames."""
    rng = np.random.default_rng(5)

    def directions(count: int) -> NDArray[np.float64]:
        drawn_rows = rng.standard_normal((count, 512))
        return drawn_rows / np.linalg.norm(drawn_rows, axis=1, keepdims=True)

    centres, common = directions(160), 0.7 * directions(1)
    centres[1::4] = directions(40)
    lengths = np.where(np.arange(160) % 4 == 1, 2, 33)
    frames = common + np.repeat(centres, lengths, axis=0) + 0.4 * directions(int(lengths.sum()))
    ends = np.cumsum(lengths)
    for name in ("unbounded", "unbounded+codes"):
        store = MemoryStore(512, 65_536, name)
        store.write(frames, np.arange(frames.shape[0]) * 0.5)
        snapshot = store.snapshot()
        right = 0
        for scene, query in enumerate(common + centres + 0.5 * directions(160)):
            hit = snapshot.search(query, 1)[0]
            right += (
                2 * hit.start_s >= ends[scene] - lengths[scene] and 2 * hit.end_s <= ends[scene]
            )

        assert right >= 0.98 * 160
        assert int(snapshot.mass.sum()) == frames.shape[0]
        assert store.nbytes > store.budget_bytes
        assert MemoryStore.from_bytes(store.to_bytes()).to_bytes() == store.to_bytes()


def test_a_memory_goes_on_with_the_numbers_it_was_made_with() -> None:
    """What a policy's name stands for may change; a stored memory keeps its own numbers."""
    policy = replace(MOVIECHAT, keeper=FragmentKeeper(fragment=5, units=3, faithful=True))
    frames = rows(300, 16)
    whole, first = (MemoryStore(16, 8_192, policy) for _ in range(2))
    whole.write(frames, np.arange(300.0))
    first.write(frames[:170], np.arange(170.0))

    again = MemoryStore.from_bytes(first.to_bytes())
    again.write(frames[170:], np.arange(170.0, 300.0))

    assert again.policy == policy
    assert again.to_bytes() == whole.to_bytes()


@pytest.mark.parametrize("section", ["head", "open", "cells", "ledger"])
def test_a_damaged_section_is_named_as_damage(section: str) -> None:
    """Bytes of a wrong length are refused, not guessed at."""
    store = MemoryStore(16, 8_192, "xmem")
    store.write(rows(50, 16), np.arange(50.0))
    sections = store.sections()

    with pytest.raises(MemoryFileError):
        MemoryStore.from_sections({**sections, section: sections[section] + b"\0"})


@pytest.mark.parametrize(
    ("field", "value"), [("bits", 3), ("cells", 1 << 31), ("cells", 0), ("ledger", 1 << 31)]
)
def test_a_plan_that_cannot_be_is_refused(field: str, value: int) -> None:
    """A damaged plan is not built, however many cells it asks for."""
    store = MemoryStore(16, 8_192, "fifo")
    sections = store.sections()
    head = np.frombuffer(sections["head"], state.HEAD).copy()
    head[field] = value

    with pytest.raises(MemoryFileError):
        MemoryStore.from_sections({**sections, "head": head.tobytes()})


@pytest.mark.parametrize("name", ["fifo", "flash-vstream", "infinite-video"])
def test_counts_of_use_stop_at_what_a_cell_can_count(name: str) -> None:
    """Absurd counts are taken, and merged, without an error."""
    store = MemoryStore(16, 8_192, name)
    store.write(rows(3, 16), np.arange(3.0))

    for _ in range(2):
        every = dict.fromkeys(store.snapshot().ids.tolist(), 1 << 40)
        store.absorb_usage(every, reads=1 << 40)
    assert set(store.snapshot().use.tolist()) == {(1 << 32) - 1}
    store.write(rows(400, 16), np.arange(3.0, 403.0))

    assert int(store.snapshot().use.max()) < 1 << 32
    assert MemoryStore.from_bytes(store.to_bytes()).to_bytes() == store.to_bytes()


def test_a_pause_of_the_recording_is_not_claimed_as_seen() -> None:
    """The frame before a pause is seen for one step, and an event ends there."""
    store = MemoryStore(16, 65_536, "em-llm")
    store.write(np.ones((20, 16)), [*np.arange(10) * 0.5, *(1000 + np.arange(10) * 0.5)])

    snapshot = store.snapshot()

    assert snapshot.start_s.tolist() == [0.0, 1000.0]
    assert snapshot.end_s.tolist() == [5.0, 1005.0]
    assert sqrt(float(np.square(snapshot.keys[0]).sum())) == pytest.approx(1)
