"""Keys as few bytes: fixed-point frames, and row codes of 8, 4, 2 or 1 bit per coordinate.

Frames enter as fixed-point integers, so that every sum and product made of them is exact in
float64 whatever the order of additions: the size of a batch, the number of threads and the
kernel that multiplies cannot change a decision.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats

Bytes = NDArray[np.uint8]
Wide = NDArray[np.float64]
Fits = NDArray[np.uint16]
_Real = TypeVar("_Real", np.float32, np.float64)

FIT_ONE = (1 << 16) - 1
"""Steps of a fit of 1."""

FIXED_ONE = 1 << 14
"""Fixed-point units of a coordinate of 1.0."""

BIT_WIDTHS = (8, 4, 2, 1)
"""Bits per coordinate, widest first."""

# Integers up to here are exact in float32, so row products of codes are too.
_EXACT_FLOAT32 = 1 << 24
# Step of a uniform quantiser in standard deviations, for the least squared error on a normal
# coordinate (Max, "Quantizing for minimum distortion", 1960). One bit keeps signs: any step.
_STEP = {4: 0.3352, 2: 0.9957, 1: 1.0}
# Two rounds of signs, permutation and blocks: after one, a row that lies in few coordinates
# would fill few blocks.
_ROUNDS = 2
_PART_SEEDS = (np.uint64(0x5851F42D4C957F2D), np.uint64(0x2545F4914F6CDD1D))
# Rows decoded at once stay in a core's second-level cache.
_BLOCK_FLOATS = 1 << 17


def rows_per_block(dim: int) -> int:
    """Rows of `dim` floats that one block of scratch holds."""
    return max(1, _BLOCK_FLOATS // dim)


def inverse_lengths(square_sum: NDArray[np.uint32]) -> Floats:
    """One over the length of rows with these squared lengths; 0 for rows of length 0."""
    lengths = np.sqrt(square_sum.astype(np.float32))
    return np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)


def to_fixed_point(embeddings: Floats) -> Wide:
    """Unit rows in fixed point: float64 `[B D]` that holds integers; zero rows stay zero."""
    wide = embeddings.astype(np.float64)
    norms = np.sqrt(np.square(wide).sum(axis=1))
    factor = np.divide(FIXED_ONE, norms, out=np.zeros_like(norms), where=norms > 0)
    wide *= factor[:, None]
    return np.rint(wide, out=wide)


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """Rows as codes: `codes` uint8 `[N C]`; a row is about `scale` times its code values.

    `square_sum` is the exact squared length of the code values, 0 for a zero row.
    """

    codes: Bytes
    scale: Floats
    square_sum: NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class RowCode:
    """How `dim` coordinates become `bits` each; a pure function of its three fields.

    8 bits round to a grid scaled by the row's largest coordinate. Fewer bits first rotate the
    row by a seeded random rotation, so that every coordinate is near normal and one step fits.
    """

    dim: int
    bits: int
    seed: int = 0

    @property
    def per_byte(self) -> int:
        """Coordinates in a byte."""
        return 8 // self.bits

    @property
    def code_bytes(self) -> int:
        """Bytes of a row."""
        return -(-self.dim // self.per_byte)

    @property
    def peak(self) -> int:
        """Largest code value."""
        if self.bits == 8:
            return min(127, math.isqrt((_EXACT_FLOAT32 - 1) // self.dim))
        return int((1 << self.bits) - 1)

    def rotate(self, rows: Wide) -> Wide:
        """Rows in the space of the codes; exact for integer rows."""
        if self.bits == 8:
            return rows
        for part in range(_ROUNDS):
            order, signs = _shuffle(self.dim, self.seed, part)
            rows = _hadamard(rows[:, order] * signs, self.dim)
        return rows

    def rotate_back(self, rows: Floats) -> Floats:
        """The inverse of `rotate`."""
        if self.bits == 8:
            return rows
        for part in reversed(range(_ROUNDS)):
            order, signs = _shuffle(self.dim, self.seed, part)
            mixed = _hadamard(rows, self.dim)
            rows = np.empty_like(mixed)
            rows[:, order] = mixed * signs.astype(rows.dtype)
        return rows

    def encode(self, rotated: Wide) -> EncodedRows:
        """Codes of rows that `rotate` made, `[N D]`; each row depends on itself alone."""
        if self.bits == 8:
            return self._encode_wide(rotated)
        count = rotated.shape[0]
        energy = np.square(rotated).sum(axis=1)
        step = np.sqrt(energy / self.dim) * _STEP[self.bits]
        step[step == 0] = 1.0
        levels = 1 << (self.bits - 1)
        indices = np.floor(rotated / step[:, None]) + levels
        np.minimum(np.maximum(indices, 0, out=indices), 2 * levels - 1, out=indices)
        indices[energy == 0] = 0
        width = self.code_bytes
        codes = np.zeros((count, width), np.uint8)
        for plane in range(self.per_byte):
            part = indices[:, plane * width : (plane + 1) * width].astype(np.uint8)
            codes[:, : part.shape[1]] |= part << (plane * self.bits)
        values = 2 * indices - (2 * levels - 1)
        squares = np.square(values).sum(axis=1)
        scale = np.multiply(rotated, values).sum(axis=1) / squares
        squares[energy == 0] = 0
        return EncodedRows(codes, scale.astype(np.float32), squares.astype(np.uint32))

    def _encode_wide(self, rows: Wide) -> EncodedRows:
        largest = np.abs(rows).max(axis=1, initial=0.0)
        factor = np.divide(self.peak, largest, out=np.zeros_like(largest), where=largest > 0)
        values = np.rint(rows * factor[:, None])
        squares = np.square(values).sum(axis=1).astype(np.uint32)
        scale = (largest / self.peak).astype(np.float32)
        return EncodedRows(values.astype(np.int8).view(np.uint8), scale, squares)

    def fits(self, rotated: Wide, encoded: EncodedRows) -> Fits:
        """The cosine of each row with its code values `[N]`, in steps; 1 for a zero row.

        A query near the row has about so much less of a cosine with the code than with the row.
        """
        products = np.multiply(rotated, self.values(encoded.codes)).sum(axis=1)
        lengths = np.sqrt(np.square(rotated).sum(axis=1) * encoded.square_sum)
        shares = np.divide(products, lengths, out=np.ones_like(lengths), where=lengths > 0)
        steps: Fits = np.clip(np.rint(shares * FIT_ONE), 1, FIT_ONE).astype(np.uint16)
        return steps

    def values(self, codes: Bytes) -> Floats:
        """Code values as float32 `[N D]`, in the rotated space; they are integers."""
        if self.bits == 8:
            return codes.view(np.int8).astype(np.float32)
        count, width = codes.shape
        values = np.empty((count, width * self.per_byte), np.float32)
        mask = (1 << self.bits) - 1
        for plane in range(self.per_byte):
            values[:, plane * width : (plane + 1) * width] = (codes >> (plane * self.bits)) & mask
        values *= 2
        values -= self.peak
        return values[:, : self.dim]

    def cosines(self, codes: Bytes, square_sum: NDArray[np.uint32], unit_query: Floats) -> Floats:
        """Cosines float32 `[N]` of rows with a unit query `[D]`; rows of length 0 have 0.

        Codes are decoded in blocks that stay in cache, which is faster than reading rows that
        were decoded before and needs no room for them.
        """
        rotated = self.rotate(unit_query[None].astype(np.float64))[0].astype(np.float32)
        products = np.empty(codes.shape[0], np.float32)
        step = rows_per_block(self.dim)
        for first in range(0, codes.shape[0], step):
            block = self.values(codes[first : first + step])
            np.matmul(block, rotated, out=products[first : first + step])
        products *= inverse_lengths(square_sum)
        return products

    def unit_rows(self, codes: Bytes, square_sum: NDArray[np.uint32]) -> Floats:
        """Unit rows `[N D]` in the space of the frames; rows of length 0 are zero."""
        values = self.values(codes)
        values *= inverse_lengths(square_sum)[:, None]
        return self.rotate_back(values)


def rotated_by_each(row: Wide, dim: int, seeds: Sequence[int]) -> Wide:
    """One row `[D]` of integers as codes of few bits rotate it under each seed, `[S * D]`.

    The same bits as one call of `RowCode.rotate` for each seed give, in one transform a round.
    """
    rows: Wide = np.broadcast_to(row, (len(seeds), dim))
    for part in range(_ROUNDS):
        shuffles = [_shuffle(dim, seed, part) for seed in seeds]
        shuffled = [one[order] * signs for one, (order, signs) in zip(rows, shuffles, strict=True)]
        rows = _hadamard(np.stack(shuffled), dim)
    return rows.reshape(-1)


@lru_cache(maxsize=64 * _ROUNDS)
def _shuffle(dim: int, seed: int, part: int) -> tuple[NDArray[np.int64], Wide]:
    """A permutation and signs that are the same in every NumPy release (SplitMix64)."""
    with np.errstate(over="ignore"):
        start = np.uint64(seed & 0xFFFFFFFFFFFFFFFF) + _PART_SEEDS[part]
        state = np.arange(1, 2 * dim + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + start
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    order = np.argsort(state[:dim], kind="stable")
    signs = np.where(state[dim:] >> np.uint64(63), 1.0, -1.0)
    return order, signs


def _hadamard(rows: NDArray[_Real], dim: int) -> NDArray[_Real]:
    """Orthonormal block Hadamard transform of rows; its own inverse.

    Block sizes are powers of four, so that the normalising factor is a power of two and the
    transform of integers stays exact. A block as a square has one transform along each side.
    """
    result = np.empty_like(rows)
    start = 0
    while start < dim:
        side = 1
        while 4 * side * side <= min(dim - start, 1024):
            side *= 2
        end = start + side * side
        matrix = _sylvester(side).astype(rows.dtype)
        squares = rows[:, start:end].reshape(-1, side, side)
        result[:, start:end] = (matrix @ squares @ matrix).reshape(-1, side * side) * (1 / side)
        start = end
    return result


@lru_cache(maxsize=16)
def _sylvester(side: int) -> Wide:
    """The Hadamard matrix of a power of two, of ones and minus ones."""
    matrix = np.ones((1, 1))
    while matrix.shape[0] < side:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix
