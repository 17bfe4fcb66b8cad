"""The shared pool of spans."""

import numpy as np
import pytest

from streammem.core.errors import MemoryFileError
from streammem.memory.signs import Limbs
from streammem.memory.spans import SpanPool, join_spans, span_dtype

A, B = 0, (1 << 64) - 1
"""Sketches as unlike as can be."""


def looks(sketch: int) -> Limbs:
    return np.array([sketch], np.uint64)


def spans(*rows: tuple[float, float, int]) -> np.ndarray:
    """Spans of one cell as (start, end, sketch)."""
    entries = np.zeros(len(rows), span_dtype(1))
    for entry, (start_s, end_s, sketch) in zip(entries, rows, strict=True):
        entry["start_s"], entry["end_s"], entry["sketch"] = start_s, end_s, looks(sketch)
    return entries


def plain(entries: np.ndarray) -> list[tuple[float, float, int]]:
    columns = entries["start_s"], entries["end_s"], entries["sketch"][:, 0]
    return list(zip(*(column.tolist() for column in columns), strict=True))


def spans_of(pool: SpanPool, owner: int) -> list[tuple[float, float]]:
    starts_s, ends_s = pool.of(owner)
    return list(zip(starts_s.tolist(), ends_s.tolist(), strict=True))


def test_what_touches_is_joined_where_it_looks_alike() -> None:
    """A picture that goes on is one visit; two that follow each other are two."""
    touching = spans((0.0, 1.0, A), (1.0, 2.0, A), (2.0, 5.0, B), (7.0, 8.0, B))

    assert plain(join_spans(touching, 9)) == [(0.0, 2.0, A), (2.0, 5.0, B), (7.0, 8.0, B)]


def test_alike_means_unlike_in_no_more_than_a_sixteenth() -> None:
    """Four signs of 64 may differ."""
    four, five = spans((0.0, 1.0, 0), (1.0, 2.0, 0b1111)), spans((0.0, 1.0, 0), (1.0, 2.0, 0b11111))

    assert len(join_spans(four, 9)) == 1
    assert len(join_spans(five, 9)) == 2


def test_beyond_the_limit_the_closest_gaps_are_joined() -> None:
    """The longest part gives the sketch, the first of equal ones."""
    apart = spans((0.0, 1.0, A), (1.5, 4.0, B), (7.0, 8.0, A), (20.0, 21.0, A))

    assert plain(join_spans(apart, 3)) == [(0.0, 4.0, B), (7.0, 8.0, A), (20.0, 21.0, A)]
    assert plain(join_spans(apart, 2)) == [(0.0, 8.0, B), (20.0, 21.0, A)]


def test_a_span_inside_another_does_not_shorten_it() -> None:
    """Overlapping spans are one, whatever they look like."""
    assert plain(join_spans(spans((0.0, 9.0, A), (1.0, 2.0, B)), 4)) == [(0.0, 9.0, A)]


def test_merge_limits_the_spans_of_a_cell() -> None:
    """The limit holds and the extent stays."""
    pool = SpanPool(10, spans_per_cell=2, sketch_limbs=1)
    pool.add(0, 0.0, 1.0, looks(A))
    for i, owner in enumerate([1, 2], start=1):
        pool.add(owner, i * 10.0, i * 10.0 + 1, looks(A))
        pool.merge(0, owner)

    assert spans_of(pool, 0) == [(0.0, 11.0), (20.0, 21.0)]
    assert pool.live == 2


def test_a_full_pool_joins_the_closest_gap_of_all_cells() -> None:
    """The span that is given up is the one whose loss claims the least unseen time."""
    pool = SpanPool(5, spans_per_cell=32, sketch_limbs=1)
    for owner, start_s in ((0, 0.0), (1, 3.0), (2, 100.0), (3, 101.5), (4, 200.0)):
        pool.add(owner, start_s, start_s + 1, looks(A))
    pool.merge(0, 1)
    pool.merge(2, 3)

    pool.add(5, 300.0, 301.0, looks(A))

    assert spans_of(pool, 2) == [(100.0, 102.5)]
    assert spans_of(pool, 0) == [(0.0, 1.0), (3.0, 4.0)]
    assert spans_of(pool, 5) == [(300.0, 301.0)]


def test_a_full_pool_joins_what_looks_alike_before_what_is_close() -> None:
    """Two visits of one look lose nothing by being one; two different ones lose one."""
    pool = SpanPool(4, spans_per_cell=32, sketch_limbs=1)
    for owner, start_s, sketch in ((0, 0.0, A), (1, 1.5, B), (2, 50.0, A), (3, 90.0, A)):
        pool.add(owner, start_s, start_s + 1, looks(sketch))
    pool.merge(0, 1)
    pool.merge(2, 3)

    pool.add(5, 300.0, 301.0, looks(A))

    assert spans_of(pool, 0) == [(0.0, 1.0), (1.5, 2.5)]
    assert spans_of(pool, 2) == [(50.0, 91.0)]


def test_a_full_pool_joins_chains_of_gaps() -> None:
    """Three spans that become one leave two entries free."""
    pool = SpanPool(96, spans_per_cell=64, sketch_limbs=1)
    for i in range(96):
        start_s = float(i * (2 if i < 40 else 5))
        pool.add(i, start_s, start_s + 1, looks(A))
    for i in range(1, 40):
        pool.merge(0, i)

    pool.add(200, 1000.0, 1001.0, looks(A))

    assert spans_of(pool, 0)[:2] == [(0.0, 7.0), (8.0, 9.0)]
    assert pool.live == 94


def test_released_entries_are_used_again_and_the_state_survives() -> None:
    """Free entries form a chain that is part of the bytes."""
    pool = SpanPool(4, 4, 1)
    for owner in range(3):
        pool.add(owner, float(owner), owner + 0.5, looks(A))
    assert pool.grows
    pool.release(1)
    assert not pool.grows

    again = SpanPool(4, 4, 1)
    again.load(pool.to_bytes(), pool.first_free)
    for copy in (pool, again):
        copy.add(7, 9.0, 9.5, looks(B))

    assert pool.to_bytes() == again.to_bytes()
    assert pool.size == 3


def test_load_refuses_what_does_not_fit() -> None:
    """Bytes of another plan are not taken."""
    with pytest.raises(MemoryFileError, match="spans do not fit"):
        SpanPool(1, 4, 1).load(bytes(57), -1)
