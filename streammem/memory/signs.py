"""Keys as signs: one bit a coordinate after seeded rotations, compared by counting bits.

A vector of D coordinates gives D signs for each rotation; narrow vectors are rotated several
times, so that every key has about 512 signs. The share of signs in which two keys differ is
their angle over pi (Charikar, "Similarity estimation techniques from rounding algorithms",
2002), and the product of a key's signs with an unquantised query estimates the cosine without
bias (RaBitQ, Gao and Long 2024, arXiv:2405.12497; our factor is that of normal coordinates
instead of one stored for each row).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats
from streammem.memory.codes import RowCode, Wide

Limbs = NDArray[np.uint64]

LIMB_BITS = 64
_WANTED_SIGNS = 512
_MOST_ROTATIONS = 16
# The mean size of a normal coordinate in standard deviations.
_MEAN_SIZE = math.sqrt(2 / math.pi)
# Keys compared at once; their columns stay in a core's second-level cache.
_KEYS_AT_ONCE = 1 << 12
_PLANES = 6


@dataclass(frozen=True, slots=True)
class SignCode:
    """Signs of `dim` coordinates under seeded rotations; a pure function of both fields."""

    dim: int
    seed: int = 0

    @property
    def rotations(self) -> int:
        """How often a vector is rotated."""
        return min(_MOST_ROTATIONS, -(-_WANTED_SIGNS // self.dim))

    @property
    def signs(self) -> int:
        """Signs of a key."""
        return self.dim * self.rotations

    @property
    def limbs(self) -> int:
        """64-bit limbs of a key; the bits behind the last sign are 0."""
        return -(-self.signs // LIMB_BITS)

    def encode(self, rows: Wide) -> Limbs:
        """Signs uint64 `[N W]` of fixed-point rows `[N D]`; zero counts as positive."""
        packed = np.packbits(self._rotated(rows) >= 0, axis=1, bitorder="little")
        padded = np.zeros((rows.shape[0], self.limbs * 8), np.uint8)
        padded[:, : packed.shape[1]] = packed
        limbs: Limbs = padded.view("<u8").astype(np.uint64, copy=False)
        return limbs

    def cosines(self, codes: Limbs, unit_query: Floats) -> Floats:
        """Estimated cosines float32 `[N]`, in [-1, 1], of keys with a unit query `[D]`.

        `codes` `[N w]` may be the first `w` limbs of keys. The standard error of an estimate is
        about `sqrt(1.57 / signs)`. The query's coordinates are rounded to `2 ** _PLANES` steps,
        so that the sum over a key's positive ones is counted plane by plane, as RaBitQ does;
        that adds less than a hundredth to the error.
        """
        signs = min(self.signs, codes.shape[1] * LIMB_BITS)
        query = self._rotated(unit_query[None].astype(np.float64))[0, :signs]
        low, step, planes = _in_planes(query, codes.shape[1])
        sums = np.empty(codes.shape[0])
        for first in range(0, codes.shape[0], _KEYS_AT_ONCE):
            columns = np.ascontiguousarray(codes[first : first + _KEYS_AT_ONCE].T)
            sums[first : first + _KEYS_AT_ONCE] = low * _counts(columns)
            for weight, plane in enumerate(planes):
                counts = _counts(columns & plane[:, None])
                sums[first : first + _KEYS_AT_ONCE] += step * (1 << weight) * counts
        sums = 2 * sums - query.sum()
        # Over `signs` coordinates of size 1 / sqrt(D) each, so much is the sum of equal vectors.
        sums *= math.sqrt(self.dim) / (signs * _MEAN_SIZE)
        cosines: Floats = np.clip(sums, -1, 1).astype(np.float32)
        return cosines

    def unit_rows(self, codes: Limbs) -> Floats:
        """Unit rows float32 `[N D]` that point where the signs do."""
        signs = _bits(codes, self.signs).astype(np.float32) * 2 - 1
        total = np.zeros((codes.shape[0], self.dim), np.float32)
        for turn, code in enumerate(self._turns()):
            total += code.rotate_back(signs[:, turn * self.dim : (turn + 1) * self.dim])
        lengths = np.sqrt(np.square(total).sum(axis=1, keepdims=True))
        rows: Floats = np.divide(total, lengths, out=np.zeros_like(total), where=lengths > 0)
        return rows

    def _rotated(self, rows: Wide) -> Wide:
        return np.concatenate([code.rotate(rows) for code in self._turns()], axis=1)

    def _turns(self) -> list[RowCode]:
        return [RowCode(self.dim, 1, self.seed + turn) for turn in range(self.rotations)]


def differing(columns: Limbs, code: Limbs) -> NDArray[np.uint16]:
    """In how many signs each key of `columns` `[W N]` differs from one key or its own `[W N]`.

    Limbs of one place lie side by side, which lets the processor count many keys at once.
    """
    others = code[:, None] if code.ndim == 1 else code
    return _counts(columns ^ others)


def distance_by_difference(signs: int) -> Floats:
    """The squared distance of unit vectors float32 `[signs + 1]` by the count of unlike signs."""
    angles = np.pi * np.arange(signs + 1) / signs
    return (2 - 2 * np.cos(angles)).astype(np.float32)


def _counts(columns: Limbs) -> NDArray[np.uint16]:
    counts: NDArray[np.uint16] = np.bitwise_count(columns).sum(axis=0, dtype=np.uint16)
    return counts


def _in_planes(query: Wide, limbs: int) -> tuple[float, float, Limbs]:
    """Coordinates as `low + step * u`, and the bits of each `u` as planes `[_PLANES w]`."""
    low = float(query.min())
    step = (float(query.max()) - low) / ((1 << _PLANES) - 1) or 1.0
    units = np.rint((query - low) / step).astype(np.uint8)
    bits = (units >> np.arange(_PLANES, dtype=np.uint8)[:, None]) & 1
    packed = np.zeros((_PLANES, limbs * 8), np.uint8)
    packed[:, : -(-query.size // 8)] = np.packbits(bits, axis=1, bitorder="little")
    return low, step, packed.view("<u8").astype(np.uint64, copy=False)


def _bits(codes: Limbs, signs: int) -> NDArray[np.uint8]:
    data = np.ascontiguousarray(codes, "<u8").view(np.uint8)
    return np.unpackbits(data, axis=1, count=signs, bitorder="little")
