"""Means over streams with bootstrap intervals, and paired differences between policies."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
LEVEL = 0.95
_SEED = 20_240_501


@dataclass(frozen=True, slots=True)
class Estimate:
    """The mean of one figure over `count` streams, with its 95 % interval."""

    mean: float
    low: float
    high: float
    count: int

    def to_json(self) -> dict[str, Any]:
        """The entry of a document."""
        return asdict(self)


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and percentile bootstrap interval over streams (Efron and Tibshirani 1993, 13.3).

    The resamples are the same for equally many values, so that equal values give equal
    intervals; a single value is its own interval.

    Raises:
        ValueError: there is no value.
    """
    if not values:
        raise ValueError("no values to estimate from")
    sample = np.asarray(values, np.float64)
    means = sample[_resamples(sample.size)].mean(axis=1)
    low, high = np.quantile(means, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Estimate(float(sample.mean()), float(low), float(high), int(sample.size))


@lru_cache(maxsize=64)
def _resamples(count: int) -> NDArray[np.int64]:
    return np.random.default_rng((_SEED, count)).integers(0, count, (RESAMPLES, count))


def paired_difference(first: Mapping[int, float], second: Mapping[int, float]) -> Estimate | None:
    """First minus second over the seeds that both have; None where there is none."""
    seeds = sorted(first.keys() & second.keys())
    if not seeds:
        return None
    return estimate([first[seed] - second[seed] for seed in seeds])
