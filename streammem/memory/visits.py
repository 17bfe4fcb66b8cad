"""Tells apart the visits that were merged into one cell, by the look of each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats
from streammem.memory.belief import LEAST_REACH, RARE_SQUARE, belief, look_error
from streammem.memory.codes import FIXED_ONE, Wide
from streammem.memory.keys import LookKeys, places
from streammem.memory.signs import FLAT, Looks, Reaches

Integers = NDArray[np.int64]

# How rarely a query shares more with the part of a visit that its cell's key lacks than with any
# vector (record 0011).
_RARE_CHANCE = 0.02


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
        key's part, corrected by what the look says differently, as far as that is more than such
        an error. A visit that looks as its key keeps the key's score.
        """
        visits = self.place[spans]
        looks = self.keys.looks
        looks = Looks(looks.reach[visits], looks.fits[visits], looks.signs[visits])
        agreement = self.agreement[visits]
        reach = looks.reach / FIXED_ONE
        key_reach = np.maximum(self.key_reach[visits] / FIXED_ONE, LEAST_REACH)
        own_place, lengths = places(reach, unit_query, self.keys.centre)
        around = of_keys - places(key_reach, unit_query, self.keys.centre)[0]
        expected = own_place + agreement * (reach / key_reach) * around
        looked = self.keys.code.products(looks, unit_query, self.keys.centre)
        cosine = np.clip((looked - own_place) / lengths, -1, 1)
        error = look_error(cosine, self.keys.code.signs(looks.signs.shape[1]))
        differs = (looked - expected) / lengths
        weight = _weight(differs, error, 1 - np.square(agreement), self.keys.dim)
        scores = np.where(weight == 0, of_keys, expected + weight * (looked - expected))
        scores[looks.reach == FLAT] = 0
        result: Floats = scores.astype(np.float32)
        return result


def _weight(differs: Wide, error: Wide, lacking: Wide, dim: int) -> Wide:
    """How much of what looks say differently is believed, `[V]` in [0, 1].

    `differs` are cosines by which looks differ from what keys let expect, `error` the variance of
    looks, `lacking` the squared share of each visit that its key lacks. A text is usually no
    nearer to one visit than to another, a picture may be.
    """
    weight = belief(differs, error, lacking / dim, lacking * RARE_SQUARE, _RARE_CHANCE)
    weight[lacking <= 0] = 0
    return weight
