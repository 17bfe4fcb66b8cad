"""Tells apart the visits that were merged into one cell, by the look of each."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats
from streammem.memory.codes import FIXED_ONE, Wide
from streammem.memory.keys import LookKeys
from streammem.memory.signs import FLAT, Looks, Reaches

Integers = NDArray[np.int64]

# The share of a query that is expected along the part of a visit that its cell's key lacks, as a
# variance of their cosine; measured, see decision record 0004.
_EXPECTED_SQUARE = 0.25
# Keys nearer to the centre than this, as a distance of unit vectors, tell nothing of others.
_LEAST_REACH = 0.05


@dataclass(frozen=True, slots=True)
class VisitLooks:
    """The looks of visits, `[V]`, and how each lies to the look that stands for its cell.

    `agreement` float32 is the cosine of both around the centre; `key_reach` the reach of the
    latter; `place` int64 `[S]` is the look of each span of a snapshot, -1 where it has none.
    """

    keys: LookKeys
    agreement: Floats
    key_reach: Reaches
    place: Integers

    def scores(self, spans: Integers, of_keys: Floats, unit_query: Floats) -> Floats:
        """Estimated cosines float32 of the visits `spans` with a unit query `[D]`.

        `of_keys` are the cosines of their cells' keys. Around the centre a visit is some share
        of its cell's key and a part that the key lacks. The key tells the first part of the
        product with a query well; the look tells both with an error. So the estimate is the
        key's part, corrected by what the look says differently, in the proportion of what the
        lacking part may hold to that error. A visit that looks as its key keeps the key's score.
        """
        looks, centre = self.keys.looks, self.keys.centre / FIXED_ONE
        visits = self.place[spans]
        looks = Looks(looks.reach[visits], looks.fits[visits], looks.signs[visits])
        agreement = self.agreement[visits]
        reach = looks.reach / FIXED_ONE
        key_reach = np.maximum(self.key_reach[visits] / FIXED_ONE, _LEAST_REACH)
        # Products with the difference from the centre, of the key and of the visit's own place.
        square, along_centre = float(centre @ centre), float(unit_query @ centre)
        around = of_keys - along_centre - (1 - square - np.square(key_reach)) / 2
        own_place = along_centre + (1 - square - np.square(reach)) / 2
        expected = own_place + agreement * (reach / key_reach) * around
        looked = self.keys.code.products(looks, unit_query, self.keys.centre)
        # The error of a look vanishes as the query nears it.
        lengths = np.maximum(reach, _LEAST_REACH) * max(_LEAST_REACH, _distance(unit_query, centre))
        cosine = np.clip((looked - own_place) / lengths, -1, 1)
        error = _error_share(cosine) * math.pi / (2 * self.keys.code.signs(looks.signs.shape[1]))
        lacking = (1 - np.square(agreement)) * _EXPECTED_SQUARE
        weight = np.divide(lacking, lacking + error, out=np.zeros_like(error), where=lacking > 0)
        scores = np.where(weight == 0, of_keys, expected + weight * (looked - expected))
        scores[looks.reach == FLAT] = 0
        result: Floats = scores.astype(np.float32)
        return result


def _error_share(cosine: Wide) -> Wide:
    """The variance of a product of signs over the query's own, where that at cosine 0 is 1."""
    sine = np.sqrt(1 - np.square(cosine))
    met = cosine * (np.arcsin(cosine) + cosine * sine)
    share: Wide = np.maximum(1 + np.square(cosine) - 4 / math.pi * met, 0)
    return share


def _distance(unit_query: Floats, centre: Wide) -> float:
    return float(np.sqrt(np.square(unit_query - centre).sum()))
