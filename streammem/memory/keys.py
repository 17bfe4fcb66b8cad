"""The keys of a snapshot: the look that stands for every cell, the fine key where there is one."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats
from streammem.memory.codes import FIT_ONE, Bytes, Fits, RowCode, Wide
from streammem.memory.signs import Looks, SignCode

Integers = NDArray[np.int64]


class KeySet(Protocol):
    """Keys in some code; never changed after it was made."""

    @property
    def dim(self) -> int:
        """Width of a key."""
        ...

    def cosines(self, unit_query: Floats) -> Floats:
        """Cosines float32 `[N]` with a unit query `[D]`; 0 for a key of length 0.

        An estimate may lie a little outside [-1, 1].
        """
        ...

    def unit_rows(self) -> Floats:
        """Unit keys float32 `[N D]`; a key of length 0 is zero."""
        ...


@dataclass(frozen=True, slots=True)
class CodedKeys:
    """Keys that are all in one row code.

    `fits` are the cosines of the keys with their codes. Without them a key of few bits scores
    less than one of many that is as near.
    """

    code: RowCode
    codes: Bytes
    square_sum: NDArray[np.uint32]
    fits: Fits | None = None

    @property
    def dim(self) -> int:
        """Width of a key."""
        return self.code.dim

    def cosines(self, unit_query: Floats) -> Floats:
        """Cosines float32 `[N]` with a unit query `[D]`."""
        cosines = self.code.cosines(self.codes, self.square_sum, unit_query)
        if self.fits is not None:
            cosines *= np.float32(FIT_ONE) / self.fits
        return cosines

    def unit_rows(self) -> Floats:
        """Unit keys float32 `[N D]`."""
        return self.code.unit_rows(self.codes, self.square_sum)


@dataclass(frozen=True, slots=True)
class CrossKeys:
    """Unit keys by their product with an axis, `along`, and a row code of what lies across it.

    `axis` is a unit vector `[D]`, or zero. What lies across it is about `scale` times the code's
    values; `fits` are the cosines of the two.
    """

    code: RowCode
    axis: Floats
    codes: Bytes
    square_sum: NDArray[np.uint32]
    scale: Floats
    along: Floats
    fits: Fits

    @property
    def dim(self) -> int:
        """Width of a key."""
        return self.code.dim

    def cosines(self, unit_query: Floats) -> Floats:
        """Estimated cosines float32 `[N]` with a unit query `[D]`; 0 for a key of length 0.

        The error of a code vanishes as query and key near each other across the axis.
        """
        query_along = np.float32(unit_query @ self.axis)
        across = unit_query - query_along * self.axis
        products = self.code.cosines(self.codes, self.square_sum, across)
        # What a vector has in common with another, its code has by the square of the fit.
        products *= self._lengths / np.square(self.fits / np.float32(FIT_ONE))
        products += query_along * self.along
        products[self.square_sum == 0] = 0
        return products

    def unit_rows(self) -> Floats:
        """Unit keys float32 `[N D]`."""
        rows = self.code.unit_rows(self.codes, self.square_sum)
        rows *= self._lengths[:, None]
        rows += self.along[:, None] * self.axis
        lengths = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
        unit: Floats = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
        unit[self.square_sum == 0] = 0
        return unit

    @property
    def _lengths(self) -> Floats:
        """The lengths of what the codes say."""
        lengths: Floats = self.scale * np.sqrt(self.square_sum.astype(np.float32))
        return lengths


@dataclass(frozen=True, slots=True)
class LookKeys:
    """Keys that are looks around one centre, in fixed point `[D]`."""

    code: SignCode
    centre: Wide
    looks: Looks

    @property
    def dim(self) -> int:
        """Width of a key."""
        return self.code.dim

    def cosines(self, unit_query: Floats) -> Floats:
        """Estimated cosines float32 `[N]` with a unit query `[D]`; 0 with a zero one."""
        if not unit_query.any():
            return np.zeros(self.looks.reach.size, np.float32)
        return self.code.products(self.looks, unit_query, self.centre)

    def unit_rows(self) -> Floats:
        """Unit keys float32 `[N D]`."""
        return self.code.unit_rows(self.looks, self.centre)


@dataclass(frozen=True, slots=True)
class MixedKeys:
    """Keys in several codes: `rows` int64 are the places of each part's keys among all."""

    size: int
    parts: tuple[tuple[Integers, KeySet], ...]

    @property
    def dim(self) -> int:
        """Width of a key."""
        return self.parts[0][1].dim

    def cosines(self, unit_query: Floats) -> Floats:
        """Cosines float32 `[N]` with a unit query `[D]`."""
        cosines = np.zeros(self.size, np.float32)
        for rows, keys in self.parts:
            cosines[rows] = keys.cosines(unit_query)
        return cosines

    def unit_rows(self) -> Floats:
        """Unit keys float32 `[N D]`."""
        unit = np.zeros((self.size, self.dim), np.float32)
        for rows, keys in self.parts:
            unit[rows] = keys.unit_rows()
        return unit
