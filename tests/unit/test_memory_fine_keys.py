"""Fine keys: what narrowed codes still tell, and that their errors vanish where they should."""

import numpy as np
import pytest

from streammem.core.types import Floats
from streammem.memory.codes import FIXED_ONE, RowCode, to_fixed_point
from streammem.memory.details import Details, detail_dtype
from streammem.memory.fine_keys import FineCode, FineRows, narrow_rows, write_rows

DIM = 512


def _rows(count: int, seed: int, cone: float = 1.0) -> Floats:
    """Unit rows that share a direction, as the embeddings of one encoder do."""
    rng = np.random.default_rng(seed)
    shared = np.zeros(DIM)
    shared[:8] = cone / np.sqrt(8)
    rows = rng.standard_normal((count, DIM)) / np.sqrt(DIM) + shared
    unit: Floats = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _details(code: FineCode, rows: Floats) -> Details:
    fixed = to_fixed_point(rows)
    details: Details = np.zeros(len(rows), detail_dtype(code.row.code_bytes, 0, DIM))
    units = np.full(len(rows), float(FIXED_ONE))
    write_rows(details, code.encode(code.row.rotate(fixed), units))
    return details


def _narrowed(rows: Floats, centre: Floats, widths: tuple[int, ...]) -> tuple[FineCode, Details]:
    fixed_centre = np.rint(centre.astype(np.float64) * FIXED_ONE)
    code = FineCode(RowCode(DIM, widths[0]))
    details = _details(code, rows)
    for bits in widths[1:]:
        narrow = FineCode(RowCode(DIM, bits), fixed_centre)
        target: Details = np.zeros(len(rows), detail_dtype(narrow.row.code_bytes, 0, DIM))
        narrow_rows(code, narrow, details, target)
        code, details = narrow, target
    return code, details


def _cosines(code: FineCode, details: Details, query: Floats) -> Floats:
    names = ("code", "square_sum", "scale", "along", "fit")
    return code.key_set(FineRows(*(details[name] for name in names))).cosines(query)


@pytest.mark.parametrize("widths", [(8,), (4,), (8, 4), (8, 4, 2), (4, 2)])
def test_products_are_right_on_average(widths: tuple[int, ...]) -> None:
    """A query that is near no key: no bias, and the error that so many bits leave."""
    rows = _rows(2000, 1)
    code, details = _narrowed(rows, rows[:16].mean(axis=0), widths)
    query = _rows(1, 2, cone=0.3)[0]

    errors = _cosines(code, details, query) - rows @ query

    most = {8: 0.001, 4: 0.006, 2: 0.016}[widths[-1]]
    assert abs(errors.mean()) < most / 4
    assert errors.std() < most


@pytest.mark.parametrize("widths", [(8, 4, 2), (4, 2)])
def test_the_error_vanishes_where_the_query_is_the_key(widths: tuple[int, ...]) -> None:
    """What tells near vectors apart: the key itself scores 1, its neighbours what they should."""
    rows = _rows(400, 3)
    code, details = _narrowed(rows, rows[:16].mean(axis=0), widths)
    rng = np.random.default_rng(4)
    near = rows + 0.15 * rng.standard_normal(rows.shape) / np.sqrt(DIM)
    near /= np.linalg.norm(near, axis=1, keepdims=True)

    own = np.array([_cosines(code, details[[n]], rows[n])[0] for n in range(len(rows))])
    queries = near.astype(np.float32)
    of_near = np.array([_cosines(code, details[[n]], queries[n])[0] for n in range(len(rows))])

    assert np.abs(own - 1).max() < 0.01
    assert np.std(of_near - (rows * near).sum(axis=1)) < 0.005


def test_what_vectors_share_costs_no_precision() -> None:
    """Keys across a strong common direction are told apart better than whole ones of two bits."""
    rows, query = _rows(1000, 5, cone=2.0), _rows(1, 6, cone=2.0)[0]
    code, details = _narrowed(rows, rows[:16].mean(axis=0), (8, 4, 2))
    whole = FineCode(RowCode(DIM, 2))

    across = np.std(_cosines(code, details, query) - rows @ query)
    plain = np.std(_cosines(whole, _details(whole, rows), query) - rows @ query)

    assert across < 0.6 * plain


def test_a_zero_key_scores_nothing_and_the_centre_itself_everything() -> None:
    """The code of both is empty; they are still told apart."""
    rows = _rows(2, 7)
    rows[0] = 0
    centre = np.rint(rows[1].astype(np.float64) * FIXED_ONE).astype(np.float32) / FIXED_ONE
    code, details = _narrowed(rows, centre, (8, 4, 2))

    cosines = _cosines(code, details, rows[1])

    assert cosines[0] == 0
    assert cosines[1] == pytest.approx(1, abs=0.01)


def test_a_mean_of_narrowed_keys_has_the_mean_of_their_products() -> None:
    """Merging decodes, averages and codes again; done over and over, nothing drifts."""
    rows = _rows(2, 8)
    code, details = _narrowed(rows, _rows(16, 9).mean(axis=0), (8, 4, 2))
    merged = np.zeros(1, details.dtype)
    write_rows(merged, code.key_at(np.rint(code.rows(details).mean(axis=0))))
    for _ in range(20):
        write_rows(merged, code.key_at(np.rint(code.rows(merged)[0])))
    query = _rows(1, 10)[0]

    assert _cosines(code, merged, query)[0] == pytest.approx((rows @ query).mean(), abs=0.04)
