"""The pool of details."""

import pytest

from streammem.core.errors import MemoryFileError
from streammem.memory.cells import NONE
from streammem.memory.details import DetailPool, detail_dtype

DTYPE = detail_dtype(code_bytes=4, tokens_per_cell=0, dim=8)


def test_details_are_20_bytes_their_code_and_tokens() -> None:
    """Owner, scale, two products, squared length and the count of tokens take 20 bytes."""
    assert DTYPE.itemsize == 24
    assert detail_dtype(512, 2, 512).itemsize == 20 + 3 * 512


def test_the_last_detail_fills_the_place_of_one_that_goes() -> None:
    """Whoever moved is told, so that its cell can find it."""
    pool = DetailPool(80, (DTYPE,))
    places = [pool.add(owner) for owner in (7, 8, 9)]

    assert places == [0, 1, 2]
    assert pool.remove(0) == 9
    assert pool.records["owner"][:2].tolist() == [9, 8]
    assert pool.remove(1) == NONE
    assert pool.nbytes == len(pool.to_bytes()) == 24
    assert not any(pool.records[1:].tobytes())


def test_details_survive() -> None:
    """Bytes go in as they came out; those of another plan are refused."""
    pool, again = DetailPool(48, (DTYPE,)), DetailPool(48, (DTYPE,))
    pool.records[pool.add(5)]["code"] = [1, 2, 3, 4]

    again.load(pool.to_bytes(), 0)

    assert again.to_bytes() == pool.to_bytes()
    with pytest.raises(MemoryFileError, match="details do not fit"):
        again.load(bytes(72), 0)
    with pytest.raises(MemoryFileError, match="details do not fit"):
        again.load(bytes(25), 0)
    with pytest.raises(MemoryFileError, match="details do not fit"):
        again.load(bytes(24), 1)


def test_narrowed_details_keep_their_places() -> None:
    """Whatever is no key stays; what keys left is zero, and room for others."""
    narrow = detail_dtype(code_bytes=2, tokens_per_cell=1, dim=8)
    pool = DetailPool(120, (detail_dtype(code_bytes=4, tokens_per_cell=1, dim=8), narrow))
    for owner in (7, 8, 9):
        record = pool.records[pool.add(owner)]
        record["code"], record["tokens"], record["token_count"] = owner, owner + 1, 1

    pool.narrow(lambda block, target: target.__setitem__("code", block["code"][:, :2]))

    assert not pool.can_be_narrowed
    assert pool.bytes_per_detail == 30
    assert pool.records["owner"][: pool.size].tolist() == [7, 8, 9]
    assert pool.records["code"][: pool.size].tolist() == [[7, 7], [8, 8], [9, 9]]
    assert pool.records["tokens"][: pool.size, 0, 0].tolist() == [8, 9, 10]
    assert not any(pool.records[3:].tobytes())
    assert pool.records.size == 4
