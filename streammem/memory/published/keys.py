"""Keys as half-precision floats, in the interface of the codes that the snapshot reads."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats
from streammem.memory.codes import Bytes, EncodedRows, RowCode, Wide

HALF_BITS = 16
# The largest finite half-precision number; fixed-point rows lie far below it.
_LARGEST = 65504.0


@dataclass(frozen=True, slots=True)
class HalfCode(RowCode):
    """Two bytes a coordinate: the half-precision number nearest to a fixed-point coordinate.

    A half-precision number of that size is a whole number, so products of code values are exact
    in float64, as those of the narrow codes are in float32.
    """

    @property
    def code_bytes(self) -> int:
        """Bytes of a row."""
        return 2 * self.dim

    def rotate(self, rows: Wide) -> Wide:
        """Rows in the space of the codes, which is their own."""
        return rows

    def rotate_back(self, rows: Floats) -> Floats:
        """The inverse of `rotate`."""
        return rows

    def encode(self, rotated: Wide) -> EncodedRows:
        """Codes of fixed-point rows `[N D]`; each row depends on itself alone."""
        halves = np.rint(np.clip(rotated, -_LARGEST, _LARGEST)).astype(np.float16)
        squares = np.square(halves.astype(np.float64)).sum(axis=1)
        return EncodedRows(
            codes=np.ascontiguousarray(halves).view(np.uint8),
            scale=np.ones(rotated.shape[0], np.float32),
            square_sum=squares.astype(np.uint32),
        )

    def values(self, codes: Bytes) -> Floats:
        """Code values as float32 `[N D]`; they are whole numbers."""
        floats: Floats = _floats()[np.ascontiguousarray(codes).view(np.uint16)]
        return floats


@lru_cache(maxsize=1)
def _floats() -> Floats:
    """The value of every half-precision bit pattern: looked up four times as fast as converted."""
    halves: NDArray[np.float16] = np.arange(1 << HALF_BITS, dtype=np.uint16).view(np.float16)
    return halves.astype(np.float32)


def row_code(dim: int, bits: int, seed: int) -> RowCode:
    """The code of keys with so many bits a coordinate."""
    return HalfCode(dim, bits, seed) if bits == HALF_BITS else RowCode(dim, bits, seed)
