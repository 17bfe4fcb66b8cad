"""The keys of a snapshot: the signs of every cell, the fine key of those that have one."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats
from streammem.memory.codes import Bytes, RowCode
from streammem.memory.signs import Limbs, SignCode

Integers = NDArray[np.int64]


class KeySet(Protocol):
    """Keys in some code; never changed after it was made."""

    @property
    def dim(self) -> int:
        """Width of a key."""
        ...

    def cosines(self, unit_query: Floats) -> Floats:
        """Cosines float32 `[N]` with a unit query `[D]`, in [-1, 1]; 0 for a key of length 0."""
        ...

    def unit_rows(self) -> Floats:
        """Unit keys float32 `[N D]`; a key of length 0 is zero."""
        ...


@dataclass(frozen=True, slots=True)
class CodedKeys:
    """Keys that are all in one row code."""

    code: RowCode
    codes: Bytes
    square_sum: NDArray[np.uint32]

    @property
    def dim(self) -> int:
        """Width of a key."""
        return self.code.dim

    def cosines(self, unit_query: Floats) -> Floats:
        """Cosines float32 `[N]` with a unit query `[D]`."""
        return self.code.cosines(self.codes, self.square_sum, unit_query)

    def unit_rows(self) -> Floats:
        """Unit keys float32 `[N D]`."""
        return self.code.unit_rows(self.codes, self.square_sum)


@dataclass(frozen=True, slots=True)
class TwoLevelKeys:
    """Signs for every key, and fine codes for some.

    `signs` `[N W]`, `flat` `[N]` marks keys of length 0; `fine_row` int64 `[F]` is the key that
    each fine code belongs to.
    """

    sign_code: SignCode
    signs: Limbs
    flat: NDArray[np.bool_]
    fine_row: Integers
    fine: CodedKeys

    @property
    def dim(self) -> int:
        """Width of a key."""
        return self.sign_code.dim

    def cosines(self, unit_query: Floats) -> Floats:
        """Cosines float32 `[N]` with a unit query `[D]`: estimated where there are only signs."""
        coarse = self._coarse
        cosines = np.zeros(self.flat.size, np.float32)
        cosines[coarse] = self.sign_code.cosines(self.signs[coarse], unit_query)
        cosines[self.fine_row] = self.fine.cosines(unit_query)
        cosines[self.flat] = 0
        return np.clip(cosines, -1, 1, out=cosines)

    def unit_rows(self) -> Floats:
        """Unit keys float32 `[N D]`."""
        coarse = self._coarse
        rows = np.zeros((self.flat.size, self.dim), np.float32)
        rows[coarse] = self.sign_code.unit_rows(self.signs[coarse])
        rows[self.fine_row] = self.fine.unit_rows()
        rows[self.flat] = 0
        return rows

    @property
    def _coarse(self) -> Integers:
        has_fine = np.zeros(self.flat.size, np.bool_)
        has_fine[self.fine_row] = True
        return np.flatnonzero(~has_fine)
