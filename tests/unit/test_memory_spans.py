"""The shared pool of spans."""

import numpy as np
import pytest

from streammem.core.errors import MemoryFileError
from streammem.memory.codes import FIXED_ONE
from streammem.memory.signs import Looks, SignCode
from streammem.memory.spans import Likeness, SpanPool, join_spans, span_dtype

CODE = SignCode(512)
STEPS = (2, 1)
LIKENESS = Likeness(128)
A, B = 0, (1 << 64) - 1
"""Signs of looks as unlike as can be."""


def look(signs: int, limbs: int = 2) -> Looks:
    """A look a unit away from the centre."""
    return Looks(
        np.array([FIXED_ONE], np.uint16),
        np.array([[100, 101]], np.uint8)[:, 2 - limbs :],
        np.array([[signs] * limbs], np.uint64),
    )


def spans(*rows: tuple[float, float, int]) -> np.ndarray:
    """Spans of one cell as (start, end, signs)."""
    entries = np.zeros(len(rows), span_dtype(2, 2))
    for entry, (start_s, end_s, signs) in zip(entries, rows, strict=True):
        entry["start_s"], entry["end_s"] = start_s, end_s
        entry["signs"], entry["reach"] = look(signs).signs[0], FIXED_ONE
    return entries


def pool_of(room: int, steps: tuple[int, ...] = STEPS, spans_per_cell: int = 32) -> SpanPool:
    """A pool with room for so many spans of the widest looks."""
    size = span_dtype(steps[0], len(steps)).itemsize
    return SpanPool(room * size, spans_per_cell, CODE, steps)


def plain(entries: np.ndarray) -> list[tuple[float, float, int]]:
    columns = entries["start_s"], entries["end_s"], entries["signs"][:, 0]
    return list(zip(*(column.tolist() for column in columns), strict=True))


def spans_of(pool: SpanPool, owner: int) -> list[tuple[float, float]]:
    starts_s, ends_s = pool.of(owner)
    return list(zip(starts_s.tolist(), ends_s.tolist(), strict=True))


def test_what_touches_is_joined_where_it_looks_alike() -> None:
    """A picture that goes on is one visit; two that follow each other are two."""
    touching = spans((0.0, 1.0, A), (1.0, 2.0, A), (2.0, 5.0, B), (7.0, 8.0, B))

    joined = join_spans(touching, 9, LIKENESS)

    assert plain(joined) == [(0.0, 2.0, A), (2.0, 5.0, B), (7.0, 8.0, B)]


def test_alike_means_a_squared_distance_of_a_twenty_fifth() -> None:
    """A unit from the centre eight signs of 128 may differ."""
    eight = spans((0.0, 1.0, 0), (1.0, 2.0, 0b1111))
    ten = spans((0.0, 1.0, 0), (1.0, 2.0, 0b11111))

    assert len(join_spans(eight, 9, LIKENESS)) == 1
    assert len(join_spans(ten, 9, LIKENESS)) == 2


def test_beyond_the_limit_the_closest_gaps_are_joined() -> None:
    """The longest part gives the look, the first of equal ones."""
    apart = spans((0.0, 1.0, A), (1.5, 4.0, B), (7.0, 8.0, A), (20.0, 21.0, A))

    three, two = join_spans(apart, 3, LIKENESS), join_spans(apart, 2, LIKENESS)

    assert plain(three) == [(0.0, 4.0, B), (7.0, 8.0, A), (20.0, 21.0, A)]
    assert plain(two) == [(0.0, 8.0, B), (20.0, 21.0, A)]


def test_a_span_inside_another_does_not_shorten_it() -> None:
    """Overlapping spans are one, whatever they look like."""
    within = spans((0.0, 9.0, A), (1.0, 2.0, B))

    assert plain(join_spans(within, 4, LIKENESS)) == [(0.0, 9.0, A)]


def test_merge_limits_the_spans_of_a_cell() -> None:
    """The limit holds and the extent stays."""
    pool = pool_of(10, spans_per_cell=2)
    pool.add(0, 0.0, 1.0, look(A))
    for i, owner in enumerate([1, 2], start=1):
        pool.add(owner, i * 10.0, i * 10.0 + 1, look(A))
        entries = pool.merge(0, owner)

    assert spans_of(pool, 0) == [(0.0, 11.0), (20.0, 21.0)]
    assert pool.entries["start_s"][entries].tolist() == [0.0, 20.0]
    assert pool.live == 2


def test_a_full_pool_refuses_one_more() -> None:
    """Whoever adds makes room first."""
    pool = pool_of(1)
    pool.add(0, 0.0, 1.0, look(A))

    assert pool.full
    with pytest.raises(IndexError, match="full"):
        pool.add(1, 2.0, 3.0, look(A))


def test_the_closest_gap_of_all_cells_is_joined_first() -> None:
    """The span that is given up is the one whose loss claims the least unseen time."""
    pool = pool_of(5)
    for owner, start_s in ((0, 0.0), (1, 3.0), (2, 100.0), (3, 101.5), (4, 200.0)):
        pool.add(owner, start_s, start_s + 1, look(A))
    pool.merge(0, 1)
    pool.merge(2, 3)

    changed = pool.join_some()

    assert list(changed) == [2]
    assert spans_of(pool, 2) == [(100.0, 102.5)]
    assert spans_of(pool, 0) == [(0.0, 1.0), (3.0, 4.0)]
    assert pool.live == 4


def test_what_looks_alike_is_joined_before_what_is_close() -> None:
    """Two visits of one look lose nothing by being one; two different ones lose one."""
    pool = pool_of(4)
    for owner, start_s, signs in ((0, 0.0, A), (1, 1.5, B), (2, 50.0, A), (3, 90.0, A)):
        pool.add(owner, start_s, start_s + 1, look(signs))
    pool.merge(0, 1)
    pool.merge(2, 3)

    pool.join_some()

    assert spans_of(pool, 0) == [(0.0, 1.0), (1.5, 2.5)]
    assert spans_of(pool, 2) == [(50.0, 91.0)]


def test_chains_of_gaps_are_joined() -> None:
    """Three spans that become one leave two entries free."""
    pool = pool_of(96, spans_per_cell=64)
    for i in range(96):
        start_s = float(i * (2 if i < 40 else 5))
        pool.add(i, start_s, start_s + 1, look(A))
    for i in range(1, 40):
        pool.merge(0, i)

    pool.join_some()

    assert spans_of(pool, 0)[:2] == [(0.0, 7.0), (8.0, 9.0)]
    assert pool.live == 93


def test_cut_looks_leave_room_and_everything_else() -> None:
    """Entries keep their numbers, times and first signs; the fit becomes that of those."""
    pool = pool_of(40_000)
    for owner in range(30_000):
        pool.add(owner, float(owner), owner + 0.5, look(owner))
    pool.release(7)
    before = pool.capacity

    pool.cut_looks()

    assert not pool.can_be_cut
    assert pool.capacity > 1.2 * before
    assert pool.bytes_per_span == span_dtype(1, 1).itemsize
    owners = pool.entries["owner"][:30_000]
    kept = owners >= 0
    assert np.flatnonzero(~kept).tolist() == [7]
    assert (owners[kept] == np.flatnonzero(kept)).all()
    assert (pool.entries["signs"][:30_000, 0][kept] == owners[kept]).all()
    assert set(pool.entries["fits"][:30_000, 0][kept].tolist()) == {101}
    assert pool.add(5, 1.0, 2.0, look(A, limbs=1)) == 7


def test_released_entries_are_used_again_and_the_state_survives() -> None:
    """Free entries form a chain that is part of the bytes, as is the width of looks."""
    pool = pool_of(4)
    for owner in range(3):
        pool.add(owner, float(owner), owner + 0.5, look(A))
    assert pool.grows
    pool.release(1)
    assert not pool.grows
    pool.cut_looks()

    again = pool_of(4)
    again.load(pool.to_bytes(), pool.first_free, pool.step)
    for copy in (pool, again):
        copy.add(7, 9.0, 9.5, look(B, limbs=1))

    assert pool.to_bytes() == again.to_bytes()
    assert pool.size == 3


@pytest.mark.parametrize(("size", "step"), [(41, 0), (0, 2), (200, 0)])
def test_load_refuses_what_does_not_fit(size: int, step: int) -> None:
    """Bytes of another plan are not taken."""
    with pytest.raises(MemoryFileError, match="spans do not fit"):
        pool_of(1).load(bytes(size), -1, step)
