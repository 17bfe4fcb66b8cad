"""faiss and NumPy find the same rows for any query, selection and count."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streammem.query.rows import ExactRows, search_rows

pytest.importorskip("faiss", reason="the extra faiss is not installed")


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1000),
    rows=st.integers(1, 3000),
    count=st.integers(1, 400),
    share=st.none() | st.floats(0, 1),
)
def test_faiss_gives_what_numpy_gives(
    seed: int, rows: int, count: int, share: float | None
) -> None:
    """Places in the same order, products equal to rounding, with and without a selection."""
    from streammem.query._faiss import FaissRows

    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((rows, 48)).astype(np.float32)
    query = rng.standard_normal(48).astype(np.float32)
    allowed = None if share is None else rng.random(rows) < share
    scores, places = ExactRows(matrix).top(query, count, allowed)
    fast_scores, fast_places = FaissRows(matrix, use_gpu=False).top(query, count, allowed)
    assert len(places) == min(count, rows if allowed is None else int(allowed.sum()))
    np.testing.assert_allclose(fast_scores, scores, rtol=2e-5, atol=2e-5)
    # Products that differ by rounding only may change places.
    differing = places != fast_places
    assert np.abs(scores[differing] - fast_scores[differing]).max(initial=0) < 2e-5
    assert set(places) ^ set(fast_places) <= set(places[differing]) | set(fast_places[differing])


def test_many_rows_are_given_to_faiss_and_few_are_not() -> None:
    matrix = np.eye(8, dtype=np.float32)
    assert isinstance(search_rows(matrix), ExactRows)
    chosen = search_rows(matrix, faiss_rows=8)
    assert not isinstance(chosen, ExactRows)
    assert chosen.size == 8
    assert chosen.top(matrix[3], 1)[1].tolist() == [3]
