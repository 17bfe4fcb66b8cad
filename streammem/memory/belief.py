"""How far an estimated cosine is believed, given how cosines scatter among vectors.

A look of few signs is off by more than most vectors differ by, so the best of many looks is
mostly the luckiest one. What a query asks for is rarer and nearer than that. The posterior mean
under a mixture of both leaves a clear likeness as it is and takes the rest for what is usual;
then scores of looks stand beside those of keys that hardly vary. Decision record 0016.
"""

import math

import numpy as np

from streammem.memory.codes import Wide

RARE_SQUARE = 0.25
"""The variance of a cosine with what a query asks for (measured, decision record 0004)."""

LEAST_REACH = 0.05
"""What is nearer to the centre, as a distance of unit vectors, tells nothing of others."""

# Among so many looks and more, what is usual is taken from them.
_FEWEST_TO_LEARN_FROM = 32
# The deviation of normal values over the median of their sizes.
_DEVIATION_BY_MEDIAN = 1.4826
# Keeps variances above zero where a visit looks as its key.
_TINY = 1e-12


def belief(
    cosine: Wide, error: Wide, usual: Wide | float, rare: Wide | float, rare_chance: float
) -> Wide:
    """The share of each estimated cosine `[N]` that is believed, in [0, 1].

    `error` is the variance of each estimate. True cosines have the variance `rare` with the
    chance `rare_chance`, else `usual`.
    """
    of_usual, of_rare = usual + error + _TINY, rare + error + _TINY
    log_odds = math.log(rare_chance / (1 - rare_chance)) - np.log(of_rare / of_usual) / 2
    log_odds = log_odds + np.square(cosine) * (1 / of_usual - 1 / of_rare) / 2
    chance = 1 / (1 + np.exp(-np.clip(log_odds, -50, 50)))
    share: Wide = chance * rare / of_rare + (1 - chance) * usual / of_usual
    return share


def look_error(cosine: Wide, signs: int) -> Wide:
    """The variance of a cosine `[N]` that so many signs estimate; it vanishes at 1 and -1."""
    sine = np.sqrt(1 - np.square(cosine))
    met = cosine * (np.arcsin(cosine) + cosine * sine)
    share: Wide = np.maximum(1 + np.square(cosine) - 4 / math.pi * met, 0)
    return share * _widest_look_error(signs)


def usual_square(cosine: Wide, signs: int, dim: int) -> float:
    """The usual variance of true cosines, from estimated ones `[N]` of looks of so many signs.

    Taken from their median size, so that what is asked for may be up to half of them; at least
    that of directions drawn at random, `1 / dim`.
    """
    if cosine.size < _FEWEST_TO_LEARN_FROM:
        return 1 / dim
    deviation = _DEVIATION_BY_MEDIAN * float(np.median(np.abs(cosine)))
    return max(1 / dim, deviation * deviation - _widest_look_error(signs))


def _widest_look_error(signs: int) -> float:
    return math.pi / (2 * signs)
