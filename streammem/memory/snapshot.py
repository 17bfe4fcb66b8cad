"""An immutable copy of the live cells at one instant, and exact search in it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streammem.core.types import Floats, Tier, Times
from streammem.memory.codes import Bytes, RowCode
from streammem.memory.tokens import TokenCodes, square_sums, token_code, unit_rows

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Hit:
    """One span of a cell that fits a query: one visit, not the extent of all of them.

    `time_s` is the exemplar where it lies in the span, else the middle of the span.
    """

    start_s: float
    end_s: float
    score: float
    tier: Tier
    cell_id: int
    time_s: float


@dataclass(frozen=True)
class MemorySnapshot:
    """Cells by start, then id; nothing that happens to the store later changes them.

    Sensory frames have mass 0 and negative ids; the open event is the youngest working cell,
    with the id that it gets when it closes. `ids`, `mass`, `visits`, `use` (times
    returned) and `reads` (chances to be) int64 `[N]`; `start_s`,
    `end_s`, `exemplar_s` float64 `[N]`; `span_cell` int64 `[S]` is the id of each span's cell,
    `token_cell` int64 `[T]` of each token's. Any thread may read it.
    """

    ids: Integers
    tiers: tuple[Tier, ...]
    mass: Integers
    visits: Integers
    use: Integers
    reads: Integers
    start_s: Times
    end_s: Times
    exemplar_s: Times
    span_cell: Integers
    span_start_s: Times
    span_end_s: Times
    token_cell: Integers
    now_s: float
    row_code: RowCode
    key_codes: Bytes
    key_square_sum: NDArray[np.uint32]
    token_codes: TokenCodes

    def __post_init__(self) -> None:
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    def __len__(self) -> int:
        return len(self.tiers)

    @cached_property
    def keys(self) -> Floats:
        """Unit keys float32 `[N D]`, decoded once; a zero key stays zero."""
        return _frozen(self.row_code.unit_rows(self.key_codes, self.key_square_sum))

    @cached_property
    def tokens(self) -> Floats:
        """Unit tokens float32 `[T D]`, decoded once."""
        code = token_code(self.row_code.dim)
        return _frozen(code.unit_rows(self.token_codes, self._token_square_sum))

    @cached_property
    def _token_square_sum(self) -> NDArray[np.uint32]:
        """The squared length of each token's code values."""
        return square_sums(self.token_codes)

    @cached_property
    def _span_row(self) -> Integers:
        """The row of each span's cell."""
        order = np.argsort(self.ids)
        return order[np.searchsorted(self.ids, self.span_cell, sorter=order)]

    @cached_property
    def _token_row(self) -> Integers:
        """The row of each token's cell; tokens of one cell lie side by side."""
        order = np.argsort(self.ids)
        return order[np.searchsorted(self.ids, self.token_cell, sorter=order)]

    @cached_property
    def _span_preference(self) -> Integers:
        """Rank of each span among equal scores.

        Cells before copies of frames, the exemplar's span before the others, then by start.
        """
        rows = self._span_row
        exemplar_s = self.exemplar_s[rows]
        outside = (exemplar_s < self.span_start_s) | (exemplar_s >= self.span_end_s)
        order = np.lexsort((self.ids[rows], self.span_start_s, outside, self.mass[rows] == 0))
        rank = np.empty_like(order)
        rank[order] = np.arange(order.size)
        return rank

    def score(self, query: ArrayLike) -> Floats:
        """The cosine of a query `[D]` with each cell, float32 `[N]`: its key's or best token's.

        Zero vectors score 0.

        Raises:
            ValueError: the query has another width or is not finite.
        """
        unit = self._unit(query)
        scores = self.row_code.cosines(self.key_codes, self.key_square_sum, unit)
        if self.token_cell.size:
            code = token_code(self.row_code.dim)
            of_tokens = code.cosines(self.token_codes, self._token_square_sum, unit)
            firsts = np.flatnonzero(np.diff(self._token_row, prepend=-1))
            best = np.maximum.reduceat(of_tokens, firsts)
            rows = self._token_row[firsts]
            scores[rows] = np.maximum(scores[rows], best)
        return scores

    def search(
        self,
        query: ArrayLike,
        top_k: int = 5,
        *,
        start_s: float | None = None,
        end_s: float | None = None,
    ) -> list[Hit]:
        """The spans whose cells fit a query best, best first, at most `top_k`.

        Args:
            query: `[D]`, of any length.
            top_k: As many as there are at most; none where it is below 1.
            start_s: Only spans that reach beyond this time.
            end_s: Only spans that begin before this time.

        Raises:
            ValueError: the query has another width or is not finite.
        """
        scores = self.score(query)[self._span_row]
        wanted = np.ones(scores.size, np.bool_)
        if start_s is not None:
            wanted &= (self.span_end_s > start_s) | (self.span_start_s >= start_s)
        if end_s is not None:
            wanted &= self.span_start_s < end_s
        spans = np.flatnonzero(wanted)
        count = min(max(top_k, 0), spans.size)
        if count == 0:
            return []
        if count < spans.size:
            cut = np.partition(scores[spans], spans.size - count)[spans.size - count]
            spans = spans[scores[spans] >= cut]
        order = np.lexsort((self._span_preference[spans], -scores[spans]))[:count]
        return [self._hit(span, float(scores[span])) for span in spans[order].tolist()]

    def _hit(self, span: int, score: float) -> Hit:
        row = int(self._span_row[span])
        start_s, end_s = float(self.span_start_s[span]), float(self.span_end_s[span])
        exemplar_s = float(self.exemplar_s[row])
        inside = start_s <= exemplar_s < end_s
        time_s = exemplar_s if inside else (start_s + end_s) / 2
        return Hit(start_s, end_s, score, self.tiers[row], int(self.ids[row]), time_s)

    def _unit(self, query: ArrayLike) -> Floats:
        vector = np.asarray(query, np.float32)
        if vector.shape != (self.row_code.dim,):
            raise ValueError(
                f"the query has shape {list(vector.shape)}; expected [{self.row_code.dim}]"
            )
        if not np.isfinite(vector).all():
            raise ValueError("the query holds NaN or infinity")
        unit: Floats = unit_rows(vector[None, :])[0]
        return unit


def _frozen(rows: Floats) -> Floats:
    rows.setflags(write=False)
    return rows
