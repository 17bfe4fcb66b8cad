"""How much narrow codes blur the scores of a memory, so that a blur is not taken for a match.

A memory that is short of bytes keeps few bits of what it saw. The scores of such visits are right
on the average and spread more: among thousands some lie far above zero for a query that nothing
answers to. The spread is measured with directions that mean nothing, once per snapshot.
"""

import numpy as np
from numpy.typing import NDArray

from streammem.query.memories import QueryMemory

Variances = NDArray[np.float64]

# So many directions tell whether codes blur at all, and so many how much each visit's does.
_FEW_PROBES, _PROBES = 8, 32
# Less than this part of the variance of exact scores is not worth more than a few probes.
_LEAST_PART = 0.1
_SEED = 20_240_607


def code_variance(memory: QueryMemory) -> Variances:
    """The variance `[S]` that codes add to each span's score of an unrelated unit query.

    Zeros where visits are scored by their tokens as well: the best of several tokens spreads
    more than one key, and no code is to blame.
    """
    if "code_variance" not in memory.derived:
        memory.derived["code_variance"] = _measured(memory)
    variances: Variances = memory.derived["code_variance"]
    return variances


def _measured(memory: QueryMemory) -> Variances:
    snapshot, dim = memory.snapshot, memory.encoder.spec.dim
    if snapshot.token_cell.size or not snapshot.span_cell.size:
        return np.zeros(snapshot.span_cell.size)
    few = _excess(memory, _FEW_PROBES)
    if dim * float(few.mean()) < _LEAST_PART:
        return np.zeros(few.size)
    excess = _excess(memory, _PROBES)
    mean = float(excess.mean())
    # What the probes leave uncertain is drawn towards the mean of all (Efron and Morris 1973).
    by_chance = 2 * (mean + 1 / dim) ** 2 / _PROBES
    share = max(0.0, 1 - by_chance / max(float(excess.var()), by_chance))
    return np.maximum(0.0, mean + share * (excess - mean))


def _excess(memory: QueryMemory, probes: int) -> Variances:
    """By how much each span's squared scores `[S]` exceed those of its key as it is decoded."""
    snapshot = memory.snapshot
    directions = np.random.default_rng(_SEED).standard_normal((probes, memory.encoder.spec.dim))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    queries = directions.astype(np.float32)
    of_keys = np.square(snapshot.keys @ queries.T).mean(axis=1, dtype=np.float64)
    of_spans = np.zeros(snapshot.span_cell.size)
    for query in queries:
        of_spans += np.square(snapshot.span_scores(query).astype(np.float64))
    excess: Variances = of_spans / probes - of_keys[memory.span_rows]
    return excess
