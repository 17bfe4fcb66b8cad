"""How a visit looks, as signs: one bit a coordinate after seeded rotations, and how far it lies.

Embeddings of one encoder share a direction, which tells nothing and hides the rest; so signs are
taken of what is left of a unit vector without the memory's centre. A vector of D coordinates
gives D signs for each rotation; narrow vectors are rotated several times, so that a look has
about 512 signs, and may later be cut to its first ones.

The share of signs in which two looks differ is the angle of their vectors over pi (Charikar,
"Similarity estimation techniques from rounding algorithms", 2002). The product of signs with an
unquantised query estimates the product of the vectors. What the query has with its own signs,
and the vector with its own, its fit, is known (the latter is stored, as in RaBitQ, Gao and Long
2024, arXiv:2405.12497; the centre, too, is theirs). Both vary with the rotation as the product
does, so how far they are off tells most of how far the product is off, and nearly all of it
where query and vector are near each other: at a cosine of 0.95 half of RaBitQ's error is left, at
0.997 a third.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats
from streammem.memory.codes import FIXED_ONE, RowCode, Wide, rotated_by_each

Limbs = NDArray[np.uint64]
Fits = NDArray[np.uint8]
Reaches = NDArray[np.uint16]

LIMB_BITS = 64
FLAT = 0xFFFF
"""The reach of a zero vector, whose signs say nothing."""

_WANTED_SIGNS = 512
_MOST_ROTATIONS = 16
# The mean size of a normal coordinate in standard deviations.
_MEAN_SIZE = math.sqrt(2 / math.pi)
# The square of that, and the cosine from which on two nearly equal things are not told apart.
_SHARE, _NEAREST = 2 / math.pi, 0.99
_COSINES = 1 << 10
# A fit is stored in steps of a two hundredth from one half on.
_FIT_STEPS, _LEAST_FIT = 200, 0.5
# Looks compared at once; their columns stay in a core's second-level cache.
_LOOKS_AT_ONCE = 1 << 12
_PLANES = 6


@dataclass(frozen=True, slots=True)
class Looks:
    """Looks of vectors, `[N]`.

    `reach` is the distance of the unit vector from the centre in fixed point, `FLAT` for a zero
    vector; `signs` `[N W]` are those of the difference; `fits` `[N L]` belong to the first
    limbs that each step of a ladder keeps.
    """

    reach: Reaches
    fits: Fits
    signs: Limbs


def ladder(widest: int, narrowest: int = 1) -> tuple[int, ...]:
    """Limbs that looks are cut to, one step after the other: halves, rounded down."""
    steps = [widest]
    while steps[-1] // 2 >= narrowest:
        steps.append(steps[-1] // 2)
    return tuple(steps)


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
    def limbs(self) -> int:
        """64-bit limbs of a whole look; the bits behind the last sign are 0."""
        return -(-self.dim * self.rotations // LIMB_BITS)

    def signs(self, limbs: int) -> int:
        """Signs in so many limbs."""
        return min(self.dim * self.rotations, limbs * LIMB_BITS)

    def encode(self, rows: Wide, centre: Wide, steps: tuple[int, ...]) -> Looks:
        """Looks of rows `[N D]` of integers, of any length, around a fixed-point centre `[D]`.

        Differences are rounded to fixed point, so that a row's look depends on nothing else.
        """
        lengths = np.sqrt(np.square(rows).sum(axis=1))
        factor = np.divide(FIXED_ONE, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        apart = np.rint(rows * factor[:, None]) - centre
        rotated = self._rotated(apart)
        packed = np.packbits(rotated >= 0, axis=1, bitorder="little")
        padded = np.zeros((rows.shape[0], self.limbs * 8), np.uint8)
        padded[:, : packed.shape[1]] = packed
        distances = np.sqrt(np.square(apart).sum(axis=1))
        reach = np.where(lengths > 0, np.rint(distances), FLAT)
        sizes = np.abs(rotated)
        fits = [self._fits(sizes[:, : self.signs(limbs)], distances) for limbs in steps]
        return Looks(
            reach.astype(np.uint16),
            np.stack(fits, axis=1),
            padded.view("<u8")[:, : steps[0]].astype(np.uint64, copy=False),
        )

    def products(self, looks: Looks, unit_query: Floats, centre: Wide) -> Floats:
        """Estimated products float32 `[N]` of vectors with a unit query `[D]`.

        The fits used are the first of each look. The standard error is at most the reach times
        `sqrt(1.57 / signs)` times the sine of the angle around the centre. The query's
        coordinates are rounded to `2 ** _PLANES` steps, so that the sum over positive ones is
        counted plane by plane; the query's own product is that of the steps, which takes most
        of that error away again. A flat vector's is 0.
        """
        middle = centre / FIXED_ONE
        apart = np.rint((unit_query.astype(np.float64) - middle) * FIXED_ONE)
        signs = self.signs(looks.signs.shape[1])
        query = _in_steps(self._rotated(apart[None])[0, :signs] / FIXED_ONE)
        reach = looks.reach / FIXED_ONE
        length = float(np.sqrt(np.square(apart).sum())) / FIXED_ONE
        usual = self._usual_sum(signs) * length or 1.0
        fits = looks.fits[:, 0] / _FIT_STEPS + _LEAST_FIT
        own = float(np.abs(query).sum()) / usual
        sums = _signed_sums(looks.signs, query) / usual
        around = _corrected(sums, own, fits) * length * reach
        # A unit vector's product with the centre follows from its distance to it.
        square = float(middle @ middle)
        products = around + (1 - square - np.square(reach)) / 2 + unit_query @ middle
        products[looks.reach == FLAT] = 0
        result: Floats = products.astype(np.float32)
        return result

    def unit_rows(self, looks: Looks, centre: Wide) -> Floats:
        """Unit rows float32 `[N D]` near the vectors; a flat one is zero."""
        signs = self.signs(looks.signs.shape[1])
        full = np.zeros((looks.signs.shape[0], self.dim * self.rotations), np.float32)
        full[:, :signs] = _bits(looks.signs, signs).astype(np.float32) * 2 - 1
        total = np.zeros((full.shape[0], self.dim), np.float32)
        for turn, code in enumerate(self._turns()):
            total += code.rotate_back(full[:, turn * self.dim : (turn + 1) * self.dim])
        around = _unit(total) * (looks.reach / FIXED_ONE).astype(np.float32)[:, None]
        rows = _unit(around + (centre / FIXED_ONE).astype(np.float32))
        rows[looks.reach == FLAT] = 0
        return rows

    def _rotated(self, rows: Wide) -> Wide:
        if rows.shape[0] == 1 and self.rotations > 1:
            seeds = range(self.seed, self.seed + self.rotations)
            return rotated_by_each(rows[0], self.dim, seeds)[None]
        return np.concatenate([code.rotate(rows) for code in self._turns()], axis=1)

    def _turns(self) -> list[RowCode]:
        return [RowCode(self.dim, 1, self.seed + turn) for turn in range(self.rotations)]

    def _fits(self, sizes: Wide, distances: Wide) -> Fits:
        """The product of each vector with its own signs, over the usual one, in steps.

        `sizes` `[N signs]` are the rotated coordinates without their signs.
        """
        usual = self._usual_sum(sizes.shape[1]) * distances
        shares = np.divide(sizes.sum(axis=1), usual, out=np.ones_like(usual), where=usual > 0)
        steps: Fits = np.clip(np.rint((shares - _LEAST_FIT) * _FIT_STEPS), 0, 255).astype(np.uint8)
        return steps

    def _usual_sum(self, signs: int) -> float:
        """The product of a unit vector with its signs where its coordinates are normal."""
        return signs * _MEAN_SIZE / math.sqrt(self.dim)


def differing(columns: Limbs, code: Limbs) -> NDArray[np.uint16]:
    """In how many signs each look of `columns` `[W N]` differs from one look or its own `[W N]`.

    Limbs of one place lie side by side, which lets the processor count many looks at once.
    """
    others = code[:, None] if code.ndim == 1 else code
    return _counts(columns ^ others)


def cosine_by_difference(signs: int) -> Floats:
    """The cosine float32 `[signs + 1]` around the centre by the count of unlike signs."""
    return np.cos(np.pi * np.arange(signs + 1) / signs).astype(np.float32)


def spread_by_difference(signs: int) -> Floats:
    """Squared distance float32 `[signs + 1]` of unit differences by the count of unlike signs."""
    return np.float32(2) - np.float32(2) * cosine_by_difference(signs)


def distances(reach: Reaches, others: Reaches, spread: Floats) -> Floats:
    """Squared distances float32 `[N]` of unit vectors by reaches and the spread around the centre.

    A flat vector counts as the origin. Arguments are broadcast against each other.
    """
    left = reach.astype(np.float32) / np.float32(FIXED_ONE)
    right = others.astype(np.float32) / np.float32(FIXED_ONE)
    distance = left - right
    distance *= distance
    distance += left * right * spread
    flat, other_flat = reach == FLAT, others == FLAT
    if flat.any() or other_flat.any():
        distance[np.logical_xor(flat, other_flat)] = 1
        distance[np.logical_and(flat, other_flat)] = 0
    result: Floats = distance
    return result


def _signed_sums(codes: Limbs, query: Wide) -> Wide:
    """The sum of a query's coordinates `[signs]` with the signs of each look, `[N]`."""
    low, step, planes = _in_planes(query, codes.shape[1])
    sums = np.empty(codes.shape[0])
    for first in range(0, codes.shape[0], _LOOKS_AT_ONCE):
        part = slice(first, first + _LOOKS_AT_ONCE)
        columns = np.ascontiguousarray(codes[part].T)
        sums[part] = low * _counts(columns)
        for weight, plane in enumerate(planes):
            sums[part] += step * (1 << weight) * _counts(columns & plane[:, None])
    result: Wide = 2 * sums - query.sum()
    return result


def _corrected(sums: Wide, own: float, fits: Wide) -> Wide:
    """Cosines `[N]` from products with signs, all in units of what is usual.

    `own` is the product of the query with its own signs, `fits` those of the vectors; usual for
    both is 1. What is taken off is what the cosine that the product over `own` suggests lets
    expect of both.
    """
    by_own, by_fits = _regression()
    cosine = np.clip(sums / (own or 1.0), -_NEAREST, _NEAREST)
    place = np.rint((cosine + _NEAREST) * (_COSINES / (2 * _NEAREST))).astype(np.int16)
    corrected: Wide = sums - (by_own * (own - 1))[place] - by_fits[place] * (fits - 1)
    return corrected


@lru_cache(maxsize=1)
def _regression() -> tuple[Wide, Wide]:
    """Coefficients of the error of a product on those of the query and of the vector, by cosine.

    They are those of the linear regression for normal coordinates, at `_COSINES + 1` cosines.
    """
    cosine = np.linspace(-_NEAREST, _NEAREST, _COSINES + 1)
    angle, sine = np.arcsin(cosine), np.sqrt(1 - np.square(cosine))
    spread = 1 - _SHARE
    of_own = _SHARE * (angle + cosine * sine - cosine)
    of_fits = cosine * spread
    joint = _SHARE * (cosine * angle + sine - 1)
    scale = spread * spread - np.square(joint)
    by_own = (of_own * spread - of_fits * joint) / scale
    by_fits = (of_fits * spread - of_own * joint) / scale
    return by_own, by_fits


def _counts(columns: Limbs) -> NDArray[np.uint16]:
    counts: NDArray[np.uint16] = np.bitwise_count(columns).sum(axis=0, dtype=np.uint16)
    return counts


def _in_steps(query: Wide) -> Wide:
    """Coordinates rounded to as many steps as there are planes for."""
    low = float(query.min())
    step = (float(query.max()) - low) / ((1 << _PLANES) - 1) or 1.0
    return low + step * np.rint((query - low) / step)


def _in_planes(query: Wide, limbs: int) -> tuple[float, float, Limbs]:
    """Coordinates as `low + step * u`, and the bits of each `u` as planes `[_PLANES w]`."""
    low = float(query.min())
    step = (float(query.max()) - low) / ((1 << _PLANES) - 1) or 1.0
    units = np.rint((query - low) / step).astype(np.uint8)
    bits = (units >> np.arange(_PLANES, dtype=np.uint8)[:, None]) & 1
    packed = np.zeros((_PLANES, limbs * 8), np.uint8)
    packed[:, : -(-query.size // 8)] = np.packbits(bits, axis=1, bitorder="little")
    return low, step, packed.view("<u8").astype(np.uint64, copy=False)


def _unit(rows: Floats) -> Floats:
    lengths = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
    unit: Floats = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return unit


def _bits(codes: Limbs, signs: int) -> NDArray[np.uint8]:
    data = np.ascontiguousarray(codes, "<u8").view(np.uint8)
    return np.unpackbits(data, axis=1, count=signs, bitorder="little")
