"""Keeps what only some cells can afford: a fine key and the exemplar's tokens.

Details take whatever cells and spans have not taken yet; when those grow, fine keys are narrowed
first, then details go, those of the least used and oldest cells before the others. A cell
without one is still found, by its look.
"""

from collections.abc import Callable

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
        ("spare", "u1"), ("fit", "<u2"), ("along", "<f4"), ("code", "u1", (code_bytes,)),
    ]  # fmt: skip
    if tokens_per_cell:
        columns.append(("tokens", "u1", (tokens_per_cell, dim)))
    return np.dtype(columns)


Details = NDArray[np.void]
Recode = Callable[[Details, Details], None]
"""Writes the fine keys of some details, the first, into the same ones of the next layout."""

# Details whose keys are narrowed in one pass: a few wide copies of them stay within the scratch
# that one call may have.
_NARROWED_AT_ONCE = 32


class DetailPool:
    """Details side by side, in no order; the last one fills the place of one that goes.

    `dtypes` are the layouts as keys are narrowed; all details have the same one, and together
    they take at most `capacity_bytes`.
    """

    def __init__(self, capacity_bytes: int, dtypes: tuple[np.dtype[np.void], ...]) -> None:
        self._buffer = np.zeros(capacity_bytes, np.uint8)
        self._dtypes = dtypes
        self.size = 0
        self._set_step(0)

    def _set_step(self, step: int) -> None:
        self.step = step
        dtype = self._dtypes[step]
        room = self._buffer.size // dtype.itemsize
        self.records: Details = self._buffer[: room * dtype.itemsize].view(dtype)

    @property
    def can_be_narrowed(self) -> bool:
        """Whether keys may become narrower."""
        return self.step + 1 < len(self._dtypes)

    def narrow(self, recode: Recode) -> None:
        """Go on to the next layout; details keep their places.

        Records move towards the front of the same buffer, block by block, so that the scratch
        does not grow with the pool.
        """
        before, size, used = self.records, self.size, self.nbytes
        self._set_step(self.step + 1)
        for first in range(0, size, _NARROWED_AT_ONCE):
            block = before[first : min(first + _NARROWED_AT_ONCE, size)].copy()
            target = self.records[first : first + block.size]
            for name in block.dtype.names or ():
                if name != "code":
                    target[name] = block[name]
            recode(block, target)
        # No further: what was never used costs the process no memory yet.
        self._buffer[self.nbytes : used] = 0

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

    def load(self, data: bytes, step: int) -> None:
        """Take over what `to_bytes` gave.

        Raises:
            MemoryFileError: the bytes do not fit this pool.
        """
        if not 0 <= step < len(self._dtypes):
            raise MemoryFileError("the details do not fit the memory's plan")
        self._set_step(step)
        size, rest = divmod(len(data), self.bytes_per_detail)
        if rest or size > self.records.shape[0]:
            raise MemoryFileError("the details do not fit the memory's plan")
        self.records[:size] = np.frombuffer(data, self.records.dtype)
        self.size = size
