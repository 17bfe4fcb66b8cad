"""Tells apart the visits that were merged into one cell, by the sketch of each."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats
from streammem.memory.signs import LIMB_BITS, Limbs, SignCode, differing

Integers = NDArray[np.int64]

# The share of a query that is expected along the part of a visit that its cell's key lacks, as a
# variance of their cosine; measured, see decision record 0004.
_EXPECTED_SQUARE = 0.25


@dataclass(frozen=True, slots=True)
class VisitSketches:
    """The first signs of the keys of visits, and how far each is from its cell's key.

    `sketches` `[S w]`; `agreement` float32 `[S]` is the cosine of the visit with the key of its
    cell, by the signs of both.
    """

    code: SignCode
    sketches: Limbs
    agreement: Floats

    @classmethod
    def of(cls, code: SignCode, sketches: Limbs, cell_signs: Limbs) -> "VisitSketches":
        """Sketches `[S w]` beside the signs of each one's cell `[S W]`."""
        limbs = sketches.shape[1]
        signs = min(code.signs, limbs * LIMB_BITS)
        angles = np.pi / signs * differing(sketches.T, cell_signs[:, :limbs].T)
        return cls(code, sketches, np.cos(angles).astype(np.float32))

    def scores(self, spans: Integers, of_keys: Floats, unit_query: Floats) -> Floats:
        """Estimated cosines float32 of the visits `spans` with a unit query `[D]`, in [-1, 1].

        `of_keys` are the cosines of their cells' keys. A visit at cosine c to its cell's key k
        is c k and a part that k lacks. The key tells the first part of the cosine with a query
        well; the sketch tells both with an error of variance pi / (2 signs). So the estimate is
        the key's part, corrected by what the sketch says differently, in the proportion of what
        the lacking part may hold to that error. A visit that is its cell's key keeps the key's
        score.
        """
        signs = min(self.code.signs, self.sketches.shape[1] * LIMB_BITS)
        error = math.pi / (2 * signs)
        agreement = self.agreement[spans]
        lacking = (1 - np.square(agreement)) * _EXPECTED_SQUARE
        weight = lacking / (lacking + error)
        expected = agreement * of_keys
        sketched = self.code.cosines(self.sketches[spans], unit_query)
        scores: Floats = np.clip(expected + weight * (sketched - expected), -1, 1)
        return scores.astype(np.float32)
