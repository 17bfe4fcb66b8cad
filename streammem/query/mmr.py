"""Choosing pieces of evidence that are strong without being the same thing twice."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats

# Weight of strength against novelty.
STRENGTH_WEIGHT = 0.7
# Two alike moments this far apart are two pieces of evidence; closer ones partly repeat.
NEAR_S = 30.0


def choose_diverse(
    relevance: NDArray[np.float64],
    keys: Sequence[Floats],
    places: Sequence[tuple[str, float]],
    count: int,
) -> list[int]:
    """Indices of `count` items by maximal marginal relevance, the most relevant one first.

    Two items repeat each other as far as their keys agree and they lie near in time; items of
    different memories never do.

    Args:
        relevance: One number per item, larger is better.
        keys: Unit vectors `[D]`; D may differ between memories.
        places: Memory and time in seconds of each item.
        count: How many to choose, at most all.

    Source: maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998), with similarity
    discounted by distance in time.
    """
    spread = float(relevance.max() - relevance.min()) if len(relevance) else 0.0
    worth = (relevance - relevance.min()) / spread if spread > 0 else np.ones(len(relevance))
    repeats = np.zeros(len(relevance))
    chosen: list[int] = []
    while len(chosen) < min(count, len(relevance)):
        gain = STRENGTH_WEIGHT * worth - (1 - STRENGTH_WEIGHT) * repeats
        gain[chosen] = -np.inf
        best = int(np.argmax(gain))
        chosen.append(best)
        for index, (memory_id, time_s) in enumerate(places):
            if memory_id == places[best][0]:
                near = float(np.exp(-abs(time_s - places[best][1]) / NEAR_S))
                alike = max(0.0, float(keys[index] @ keys[best]))
                repeats[index] = max(repeats[index], near * alike)
    return chosen
