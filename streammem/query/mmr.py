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
    alike = _repetition(keys, places)
    repeats = np.zeros(len(relevance))
    chosen: list[int] = []
    while len(chosen) < min(count, len(relevance)):
        gain = STRENGTH_WEIGHT * worth - (1 - STRENGTH_WEIGHT) * repeats
        gain[chosen] = -np.inf
        chosen.append(int(np.argmax(gain)))
        repeats = np.maximum(repeats, alike[chosen[-1]])
    return chosen


def _repetition(keys: Sequence[Floats], places: Sequence[tuple[str, float]]) -> NDArray[np.float64]:
    """How far two items say the same, `[N N]` in [0, 1]; 0 between memories."""
    repetition = np.zeros((len(keys), len(keys)))
    times_s = np.array([time_s for _, time_s in places])
    for memory_id in {name for name, _ in places}:
        mine = np.flatnonzero([name == memory_id for name, _ in places])
        own = np.stack([keys[index] for index in mine.tolist()])
        near = np.exp(-np.abs(times_s[mine, None] - times_s[mine]) / NEAR_S)
        repetition[np.ix_(mine, mine)] = near * np.maximum(0.0, own @ own.T)
    return repetition
