"""An immutable copy of the live cells at one instant, and exact search in it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streammem.core.types import Floats, Tier, Times
from streammem.memory.keys import KeySet
from streammem.memory.tokens import TokenCodes, square_sums, token_code, unit_rows
from streammem.memory.visits import VisitLooks

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
    `token_cell` int64 `[T]` of each token's. `visits_of_spans` tells the spans of one cell
    apart, None where nothing does. Any thread may read it.
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
    key_set: KeySet
    token_codes: TokenCodes
    visits_of_spans: VisitLooks | None = None

    def __post_init__(self) -> None:
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    def __len__(self) -> int:
        return len(self.tiers)

    @cached_property
    def keys(self) -> Floats:
        """Unit keys float32 `[N D]`, decoded once; a zero key stays zero."""
        return _frozen(self.key_set.unit_rows())

    @cached_property
    def tokens(self) -> Floats:
        """Unit tokens float32 `[T D]`, decoded once."""
        code = token_code(self.key_set.dim)
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
        copies = self.mass[rows] == 0
        order = np.lexsort((self.ids[rows], self.span_start_s, self._without_exemplar, copies))
        rank = np.empty_like(order)
        rank[order] = np.arange(order.size)
        return rank

    @cached_property
    def _without_exemplar(self) -> NDArray[np.bool_]:
        """Whether the exemplar of a span's cell lies outside the span."""
        exemplar_s = self.exemplar_s[self._span_row]
        outside: NDArray[np.bool_] = exemplar_s < self.span_start_s
        return outside | (exemplar_s >= self.span_end_s)

    @cached_property
    def _exemplar_span(self) -> Integers:
        """For each row the span that holds the exemplar, else the first one."""
        order = np.lexsort((self.span_start_s, self._without_exemplar, self._span_row))
        firsts = np.flatnonzero(np.diff(self._span_row[order], prepend=-1))
        return order[firsts].astype(np.int64)

    @cached_property
    def _merged_spans(self) -> Integers:
        """Spans of cells that have several."""
        spans = np.bincount(self._span_row, minlength=len(self))
        return np.flatnonzero(spans[self._span_row] > 1)

    def span_scores(self, query: ArrayLike) -> Floats:
        """The cosine of a query `[D]` with each visit, float32 `[S]`, in [-1, 1].

        That is the one with its cell's key or, in a cell of several visits, with what its own
        look adds to that. The cell's best token counts for the visit of its exemplar. Zero
        vectors score 0.

        Raises:
            ValueError: the query has another width or is not finite.
        """
        return np.clip(self._estimates(self._unit(query)), -1, 1)

    def _estimates(self, unit: Floats) -> Floats:
        """Scores of visits as they are estimated, which tells also the best ones apart."""
        scores = self.key_set.cosines(unit)[self._span_row]
        merged = self._merged_spans
        if self.visits_of_spans is not None and merged.size and unit.any():
            scores[merged] = self.visits_of_spans.scores(merged, scores[merged], unit)
        if self.token_cell.size:
            code = token_code(self.key_set.dim)
            of_tokens = code.cosines(self.token_codes, self._token_square_sum, unit)
            firsts = np.flatnonzero(np.diff(self._token_row, prepend=-1))
            spans = self._exemplar_span[self._token_row[firsts]]
            scores[spans] = np.maximum(scores[spans], np.maximum.reduceat(of_tokens, firsts))
        return scores

    def score(self, query: ArrayLike) -> Floats:
        """The cosine of a query `[D]` with the best visit of each cell, float32 `[N]`.

        Raises:
            ValueError: the query has another width or is not finite.
        """
        of_spans = self.span_scores(query)
        scores = np.full(len(self), -np.inf, np.float32)
        np.maximum.at(scores, self._span_row, of_spans)
        return scores

    def search(
        self,
        query: ArrayLike,
        top_k: int = 5,
        *,
        start_s: float | None = None,
        end_s: float | None = None,
    ) -> list[Hit]:
        """The visits that fit a query best, best first, at most `top_k`.

        Args:
            query: `[D]`, of any length.
            top_k: As many as there are at most; none where it is below 1.
            start_s: Only spans that reach beyond this time.
            end_s: Only spans that begin before this time.

        Raises:
            ValueError: the query has another width or is not finite.
        """
        scores = self._estimates(self._unit(query))
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
        shown = np.clip(scores, -1, 1)
        return [self._hit(span, float(shown[span])) for span in spans[order].tolist()]

    def _hit(self, span: int, score: float) -> Hit:
        row = int(self._span_row[span])
        start_s, end_s = float(self.span_start_s[span]), float(self.span_end_s[span])
        exemplar_s = float(self.exemplar_s[row])
        inside = start_s <= exemplar_s < end_s
        time_s = exemplar_s if inside else (start_s + end_s) / 2
        return Hit(start_s, end_s, score, self.tiers[row], int(self.ids[row]), time_s)

    def _unit(self, query: ArrayLike) -> Floats:
        vector = np.asarray(query, np.float32)
        dim = self.key_set.dim
        if vector.shape != (dim,):
            raise ValueError(f"the query has shape {list(vector.shape)}; expected [{dim}]")
        if not np.isfinite(vector).all():
            raise ValueError("the query holds NaN or infinity")
        unit: Floats = unit_rows(vector[None, :])[0]
        return unit


def _frozen(rows: Floats) -> Floats:
    rows.setflags(write=False)
    return rows
