"""Keeps of a frame's tokens the few that differ most, as one signed byte per coordinate."""

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats

TokenCodes = NDArray[np.int8]
_PEAK = 127


def most_distinct(tokens: Floats, count: int) -> NDArray[np.int64]:
    """Rows of `tokens` `[P D]`, unit or zero, chosen farthest first; at most `count`.

    The first is the one least like the mean of all: it holds what the frame's embedding, which
    is near that mean, shows worst. Each next one is least like those already chosen; ties go to
    the earlier row.
    """
    mean = tokens.mean(axis=0)
    chosen = [int(np.argmin(tokens @ mean))]
    nearest = tokens @ tokens[chosen[0]]
    while len(chosen) < min(count, tokens.shape[0]):
        nearest[chosen] = np.inf
        chosen.append(int(np.argmin(nearest)))
        nearest = np.maximum(nearest, tokens @ tokens[chosen[-1]])
    return np.asarray(chosen, np.int64)


def unit_rows(rows: Floats) -> Floats:
    """Rows scaled to length 1; zero rows stay zero."""
    lengths = np.sqrt(np.square(rows, dtype=np.float64).sum(axis=1))
    factor = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    unit: Floats = np.multiply(rows, factor[:, None]).astype(np.float32)
    return unit


def encode_tokens(tokens: Floats, count: int) -> TokenCodes:
    """Codes of the `count` most distinct of a frame's tokens, most distinct first."""
    unit = unit_rows(tokens)
    unit = unit[most_distinct(unit, count)]
    largest = np.abs(unit).max(axis=1, initial=0.0)
    factor = np.divide(_PEAK, largest, out=np.zeros_like(largest), where=largest > 0)
    codes: TokenCodes = np.rint(unit * factor[:, None]).astype(np.int8)
    return codes


def decode_tokens(codes: TokenCodes) -> Floats:
    """Unit tokens float32 `[N D]`."""
    return unit_rows(codes.astype(np.float32))
