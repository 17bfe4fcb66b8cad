"""The pool of details."""

import pytest

from streammem.core.errors import MemoryFileError
from streammem.memory.cells import NONE
from streammem.memory.details import DetailPool, detail_dtype

DTYPE = detail_dtype(code_bytes=4, tokens_per_cell=0, dim=8)


def test_details_are_16_bytes_their_code_and_tokens() -> None:
    """Owner, scale, squared length and the count of tokens take 16 bytes."""
    assert DTYPE.itemsize == 20
    assert detail_dtype(512, 2, 512).itemsize == 16 + 3 * 512


def test_the_last_detail_fills_the_place_of_one_that_goes() -> None:
    """Whoever moved is told, so that its cell can find it."""
    pool = DetailPool(3, DTYPE)
    places = [pool.add(owner) for owner in (7, 8, 9)]

    assert places == [0, 1, 2]
    assert pool.remove(0) == 9
    assert pool.records["owner"][:2].tolist() == [9, 8]
    assert pool.remove(1) == NONE
    assert pool.nbytes == len(pool.to_bytes()) == 20
    assert not any(pool.records[1:].tobytes())


def test_details_survive() -> None:
    """Bytes go in as they came out; those of another plan are refused."""
    pool, again = DetailPool(2, DTYPE), DetailPool(2, DTYPE)
    pool.records[pool.add(5)]["code"] = [1, 2, 3, 4]

    again.load(pool.to_bytes())

    assert again.to_bytes() == pool.to_bytes()
    with pytest.raises(MemoryFileError, match="details do not fit"):
        again.load(bytes(60))
    with pytest.raises(MemoryFileError, match="details do not fit"):
        again.load(bytes(21))
