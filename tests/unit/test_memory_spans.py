"""The shared pool of spans."""

import numpy as np
import pytest

from streammem.core.errors import MemoryFileError
from streammem.memory.spans import SpanPool, join_closest


def spans_of(pool: SpanPool, owner: int) -> list[tuple[float, float]]:
    starts_s, ends_s = pool.of(owner)
    return list(zip(starts_s.tolist(), ends_s.tolist(), strict=True))


def test_join_closest_joins_what_touches_and_then_the_closest_gaps() -> None:
    """Touching spans are one; of the rest the closest go first."""
    starts_s = np.array([0.0, 1.0, 5.0, 7.0, 20.0])
    ends_s = np.array([1.0, 2.0, 6.0, 8.0, 21.0])

    assert [part.tolist() for part in join_closest(starts_s, ends_s, 9)] == [
        [0.0, 5.0, 7.0, 20.0], [2.0, 6.0, 8.0, 21.0],
    ]  # fmt: skip
    assert [part.tolist() for part in join_closest(starts_s, ends_s, 2)] == [
        [0.0, 20.0], [8.0, 21.0],
    ]  # fmt: skip


def test_join_closest_keeps_the_end_of_a_span_that_holds_another() -> None:
    """A span inside another does not shorten it."""
    starts_s, ends_s = join_closest(np.array([0.0, 1.0]), np.array([9.0, 2.0]), 4)

    assert (starts_s.tolist(), ends_s.tolist()) == ([0.0], [9.0])


def test_merge_limits_the_spans_of_a_cell() -> None:
    """The limit holds and the extent stays."""
    pool = SpanPool(10, spans_per_cell=2)
    pool.add(0, 0.0, 1.0)
    for i, owner in enumerate([1, 2], start=1):
        pool.add(owner, i * 10.0, i * 10.0 + 1)
        pool.merge(0, owner)

    assert spans_of(pool, 0) == [(0.0, 11.0), (20.0, 21.0)]
    assert pool.live == 2


def test_a_full_pool_joins_the_closest_gap_of_all_cells() -> None:
    """The span that is given up is the one whose loss claims the least unseen time."""
    pool = SpanPool(5, spans_per_cell=32)
    for owner, start_s in ((0, 0.0), (1, 3.0), (2, 100.0), (3, 101.5), (4, 200.0)):
        pool.add(owner, start_s, start_s + 1)
    pool.merge(0, 1)
    pool.merge(2, 3)

    pool.add(5, 300.0, 301.0)

    assert spans_of(pool, 2) == [(100.0, 102.5)]
    assert spans_of(pool, 0) == [(0.0, 1.0), (3.0, 4.0)]
    assert spans_of(pool, 5) == [(300.0, 301.0)]


def test_a_full_pool_joins_chains_of_gaps() -> None:
    """Three spans that become one leave two entries free."""
    pool = SpanPool(96, spans_per_cell=64)
    for i in range(96):
        pool.add(i, float(i * (2 if i < 40 else 5)), float(i * (2 if i < 40 else 5)) + 1)
    for i in range(1, 40):
        pool.merge(0, i)

    pool.add(200, 1000.0, 1001.0)

    assert spans_of(pool, 0)[:2] == [(0.0, 7.0), (8.0, 9.0)]
    assert pool.live == 94


def test_released_entries_are_used_again_and_the_state_survives() -> None:
    """Free entries form a chain that is part of the bytes."""
    pool = SpanPool(4, 4)
    for owner in range(3):
        pool.add(owner, float(owner), owner + 0.5)
    pool.release(1)

    again = SpanPool(4, 4)
    again.load(pool.to_bytes(), pool.first_free)
    for copy in (pool, again):
        copy.add(7, 9.0, 9.5)

    assert pool.to_bytes() == again.to_bytes()
    assert pool.size == 3


def test_load_refuses_what_does_not_fit() -> None:
    """Bytes of another plan are not taken."""
    with pytest.raises(MemoryFileError, match="spans do not fit"):
        SpanPool(1, 4).load(bytes(41), -1)
