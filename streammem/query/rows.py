"""Exact search for the largest products of many rows with a query: NumPy, or faiss for very many.

Both give the same rows in the same order up to rounding; a congruence test holds them to it.
"""

import importlib.util
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats

# From so many rows on a faiss index is built, where faiss is installed.
FAISS_ROWS = 1_000_000

Places = NDArray[np.int64]
Mask = NDArray[np.bool_]


class RowSearch(Protocol):
    """Rows float32 `[R D]` that do not change, and exact search among them."""

    @property
    def size(self) -> int: ...  # noqa: D102

    def top(self, query: Floats, count: int, allowed: Mask | None = None) -> tuple[Floats, Places]:
        """Products and places of the `count` rows with the largest products, largest first.

        `allowed` `[R]` leaves out rows; fewer come back where fewer are allowed. Ties go to the
        earlier row.
        """
        ...


class ExactRows:
    """One product with every row."""

    def __init__(self, rows: Floats) -> None:
        """Search in `rows` `[R D]`, which must not change."""
        self._rows = rows

    @property
    def size(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def top(self, query: Floats, count: int, allowed: Mask | None = None) -> tuple[Floats, Places]:
        """The rows with the largest products, largest first."""
        scores = self._rows @ query
        places = np.arange(len(scores)) if allowed is None else np.flatnonzero(allowed)
        if count < len(places):
            cut = np.partition(scores[places], len(places) - count)[len(places) - count]
            places = places[scores[places] >= cut]
        order = places[np.lexsort((places, -scores[places]))][:count]
        return scores[order], order


def search_rows(rows: Floats, *, faiss_rows: int = FAISS_ROWS) -> RowSearch:
    """The search for so many rows: faiss from `faiss_rows` on where it is installed."""
    if len(rows) >= faiss_rows and importlib.util.find_spec("faiss") is not None:
        from streammem.query._faiss import FaissRows

        return FaissRows(rows)
    return ExactRows(rows)
