"""Keeps what only some cells can afford: a fine key and the exemplar's tokens.

Details take whatever cells and spans have not taken yet; when those grow, details go first,
those of the least used and oldest cells before the others. A cell without one is still found,
by its look.
"""

import numpy as np
from numpy.typing import NDArray

from streammem.core.errors import MemoryFileError
from streammem.memory.cells import NONE


def detail_dtype(code_bytes: int, tokens_per_cell: int, dim: int) -> np.dtype[np.void]:
    """A detail: the slot of its cell, the fine key as `scale` times its code, the tokens.

    `fit` is the cosine of the key with its code, in steps of `1 / FIT_ONE`.
    """
    columns: list[tuple[str, str] | tuple[str, str, tuple[int, ...]]] = [
        ("owner", "<i4"), ("scale", "<f4"), ("square_sum", "<u4"), ("token_count", "u1"),
        ("spare", "u1"), ("fit", "<u2"), ("code", "u1", (code_bytes,)),
    ]  # fmt: skip
    if tokens_per_cell:
        columns.append(("tokens", "u1", (tokens_per_cell, dim)))
    return np.dtype(columns)


class DetailPool:
    """Details side by side, in no order; the last one fills the place of one that goes."""

    def __init__(self, capacity: int, dtype: np.dtype[np.void]) -> None:
        self.records: NDArray[np.void] = np.zeros(capacity, dtype)
        self.size = 0

    @property
    def bytes_per_detail(self) -> int:
        """Bytes of a detail."""
        return int(self.records.dtype.itemsize)

    @property
    def nbytes(self) -> int:
        """Length of `to_bytes`."""
        return self.size * self.bytes_per_detail

    def add(self, owner: int) -> int:
        """The place of a new, empty detail of the cell in slot `owner`."""
        place = self.size
        self.records[place]["owner"] = owner
        self.size += 1
        return place

    def remove(self, place: int) -> int:
        """Drop a detail; the slot whose detail lies in `place` now, or `NONE`."""
        self.size -= 1
        moved = NONE
        if place != self.size:
            self.records[place] = self.records[self.size]
            moved = int(self.records[place]["owner"])
        self.records[self.size : self.size + 1].view(np.uint8)[:] = 0
        return moved

    def to_bytes(self) -> bytes:
        """Details as bytes."""
        return self.records[: self.size].tobytes()

    def load(self, data: bytes) -> None:
        """Take over what `to_bytes` gave.

        Raises:
            MemoryFileError: the bytes do not fit this pool.
        """
        size, rest = divmod(len(data), self.bytes_per_detail)
        if rest or size > self.records.shape[0]:
            raise MemoryFileError("the details do not fit the memory's plan")
        self.records[:size] = np.frombuffer(data, self.records.dtype)
        self.size = size
