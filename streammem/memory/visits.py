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

# What a query shares with the part of a visit that its cell's key lacks, as a variance of their
# cosine: rarely this much, because it shows that very visit (measured, decision record 0004), else
# as much as with any vector. How rarely was chosen in record 0011.
_RARE_SQUARE, _RARE_CHANCE = 0.25, 0.02
_RARE_LOG_ODDS = math.log(_RARE_CHANCE / (1 - _RARE_CHANCE))
# Keeps variances above zero where a visit looks as its key.
_TINY = 1e-12
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
        key's part, corrected by what the look says differently, as far as that is more than such
        an error. A visit that looks as its key keeps the key's score.
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
        differs = (looked - expected) / lengths
        weight = _weight(differs, error, 1 - np.square(agreement), self.keys.dim)
        scores = np.where(weight == 0, of_keys, expected + weight * (looked - expected))
        scores[looks.reach == FLAT] = 0
        result: Floats = scores.astype(np.float32)
        return result


def _weight(differs: Wide, error: Wide, lacking: Wide, dim: int) -> Wide:
    """How much of what looks say differently is believed, `[V]` in [0, 1].

    `differs` are cosines by which looks differ from what keys let expect, `error` the variance of
    looks, `lacking` the squared share of each visit that its key lacks. The posterior mean under a
    mixture: a text is usually no nearer to one visit than to another, a picture may be.
    """
    usual, rare = lacking / dim, lacking * _RARE_SQUARE
    of_usual, of_rare = usual + error + _TINY, rare + error + _TINY
    log_odds = _RARE_LOG_ODDS - np.log(of_rare / of_usual) / 2
    log_odds += np.square(differs) * (1 / of_usual - 1 / of_rare) / 2
    chance = 1 / (1 + np.exp(-np.clip(log_odds, -50, 50)))
    weight: Wide = chance * rare / of_rare + (1 - chance) * usual / of_usual
    weight[lacking <= 0] = 0
    return weight


def _error_share(cosine: Wide) -> Wide:
    """The variance of a product of signs over the query's own, where that at cosine 0 is 1."""
    sine = np.sqrt(1 - np.square(cosine))
    met = cosine * (np.arcsin(cosine) + cosine * sine)
    share: Wide = np.maximum(1 + np.square(cosine) - 4 / math.pi * met, 0)
    return share


def _distance(unit_query: Floats, centre: Wide) -> float:
    return float(np.sqrt(np.square(unit_query - centre).sum()))
