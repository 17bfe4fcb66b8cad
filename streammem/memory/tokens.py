"""Keeps of a frame's tokens the few that differ most, as one signed byte per coordinate."""

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats
from streammem.memory.codes import RowCode, rows_per_block

TokenCodes = NDArray[np.uint8]


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


def token_code(dim: int) -> RowCode:
    """The code of tokens: one signed byte a coordinate, without a rotation."""
    return RowCode(dim, bits=8)


def encode_tokens(tokens: Floats, count: int) -> TokenCodes:
    """Codes uint8 `[M D]` of the `count` most distinct of a frame's tokens, those first."""
    unit = unit_rows(tokens)
    unit = unit[most_distinct(unit, count)]
    return token_code(unit.shape[1]).encode(unit.astype(np.float64)).codes


def square_sums(codes: TokenCodes) -> NDArray[np.uint32]:
    """The squared length of each row of code values."""
    sums = np.empty(codes.shape[0], np.uint32)
    step = rows_per_block(codes.shape[1])
    for first in range(0, codes.shape[0], step):
        values = codes[first : first + step].view(np.int8).astype(np.float32)
        sums[first : first + step] = np.square(values).sum(axis=1)
    return sums
