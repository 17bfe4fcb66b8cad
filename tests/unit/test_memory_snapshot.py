"""Search in a snapshot: one visit a hit, times, ties, filters, tokens."""

import numpy as np
import pytest

from streammem.core.types import Tier
from streammem.memory import MemoryStore

DIM = 64
RNG = np.random.default_rng(7)
PLACES = RNG.standard_normal((6, DIM))


def visits(order: list[int], length: int = 8) -> MemoryStore:
    """A store that saw the places in that order, `length` equal frames each."""
    store = MemoryStore(DIM, 65_536)
    frames = np.repeat(PLACES[order], length, axis=0)
    # So many visits after them that the first ones are long-term and those of one place merged.
    rest = np.repeat(RNG.standard_normal((40, DIM)), length, axis=0)
    frames = np.vstack([frames, rest])
    store.write(frames, np.arange(len(frames)) * 0.5)
    return store


def test_a_hit_is_one_visit() -> None:
    """A place seen three times gives three hits, not one from the first to the last."""
    store = visits([0, 1, 0, 2, 0])
    snapshot = store.snapshot()

    hits = snapshot.search(PLACES[0], 3)

    assert sorted((hit.start_s, hit.end_s) for hit in hits) == [(0, 4), (8, 12), (16, 20)]
    assert all(hit.score > 0.99 for hit in hits)
    assert all(hit.start_s <= hit.time_s < hit.end_s for hit in hits)


def test_times_restrict_what_is_searched() -> None:
    """Only spans that reach into the range are offered, also where others fit better."""
    snapshot = visits([0, 1, 0, 2, 0]).snapshot()

    late = snapshot.search(PLACES[0], 1, start_s=13.0)
    between = snapshot.search(PLACES[0], 9, start_s=5.0, end_s=8.0)

    assert (late[0].start_s, late[0].end_s) == (16.0, 20.0)
    assert [(hit.start_s, hit.end_s) for hit in between] == [(4.0, 8.0)]
    assert snapshot.search(PLACES[0], 5, start_s=1e6) == []


def test_the_span_of_the_exemplar_comes_first_among_equals() -> None:
    """Spans of one cell tie; the one its picture is from is the best bet."""
    store = visits([3, 0, 1, 0, 2, 0])
    snapshot = store.snapshot()

    hits = snapshot.search(PLACES[0], 3)

    cell = int(np.flatnonzero(snapshot.ids == hits[0].cell_id)[0])
    assert len({hit.cell_id for hit in hits}) == 1
    assert hits[0].start_s <= snapshot.exemplar_s[cell] < hits[0].end_s
    assert hits[0].time_s == snapshot.exemplar_s[cell]
    assert hits[1].start_s < hits[2].start_s


def test_a_cell_comes_before_copies_of_its_frames() -> None:
    """The open event and its sensory copies fit alike; the event is named first."""
    store = MemoryStore(DIM, 65_536)
    store.write(np.tile(PLACES[0], (5, 1)), np.arange(5) * 0.5)

    hits = store.snapshot().search(PLACES[0], 6)

    assert [hit.tier for hit in hits] == [Tier.WORKING, *[Tier.SENSORY] * 5]
    assert (hits[0].start_s, hits[0].end_s) == (0.0, 2.5)


def test_the_best_fit_is_first() -> None:
    """The first hit has the largest score of all cells."""
    snapshot = visits([0, 1, 2, 3, 4, 5]).snapshot()

    for place in PLACES:
        query = place + 0.3 * RNG.standard_normal(DIM)
        assert snapshot.search(query, 1)[0].score == snapshot.score(query).max()


def test_score_is_the_cosine_of_key_or_best_token() -> None:
    """A small thing that only a token shows is found by it; keys and tokens are unit rows."""
    store = MemoryStore(DIM, 1 << 20, tokens_per_frame=4)
    frames = np.repeat(PLACES[:3], 10, axis=0)
    tokens = np.repeat(frames[:, None, :], 4, axis=1)
    small = RNG.standard_normal(DIM)
    tokens[10:20, 2] = small
    store.write(frames, np.arange(30) * 0.5, tokens=tokens)
    snapshot = store.snapshot()

    hit = snapshot.search(small, 1)[0]

    assert (hit.start_s, hit.end_s) == (5.0, 10.0)
    assert hit.score > 0.99
    expected = snapshot.keys @ (small / np.linalg.norm(small))
    for cell, cosine in zip(
        snapshot.token_cell, snapshot.tokens @ (small / np.linalg.norm(small)), strict=True
    ):
        row = int(np.flatnonzero(snapshot.ids == cell)[0])
        expected[row] = max(expected[row], cosine)
    assert np.allclose(snapshot.score(small), expected, atol=1e-5)
    assert np.allclose(np.linalg.norm(snapshot.keys, axis=1), 1, atol=1e-5)


def test_a_zero_query_scores_zero() -> None:
    """Nothing is asked, nothing fits, nothing is NaN."""
    assert not visits([0, 1]).snapshot().score(np.zeros(DIM)).any()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (np.ones(3), r"the query has shape \[3\]; expected \[64\]"),
        (np.full(DIM, np.nan), "NaN or infinity"),
    ],
)
def test_a_query_that_is_none_is_refused(query: np.ndarray, message: str) -> None:
    """Width and values are checked."""
    with pytest.raises(ValueError, match=message):
        visits([0]).snapshot().search(query)


def test_a_snapshot_cannot_be_changed() -> None:
    """Its arrays are read-only, decoded ones too."""
    snapshot = visits([0, 1]).snapshot()

    for array in (snapshot.ids, snapshot.mass, snapshot.keys, snapshot.span_start_s):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
