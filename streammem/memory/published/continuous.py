"""Keeps one signal over a contracting axis of time, resampled where it is attended to."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streammem.memory.codes import Wide, rows_per_block
from streammem.memory.published.table import (
    LONG_TERM,
    MOST_COUNTED,
    WORKING,
    CellTable,
    Closed,
    Slots,
)

_BINS_AT_ONCE = 128
_FRAMES_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class ContinuousKeeper:
    """The stream so far is a signal on [0, 1], constant in each of N equal bins.

    Frames wait as working cells. When as many wait as 1 - `tau` of the bins (a fifth of the
    memory at 0.75), the old signal is squeezed into [0, tau] and the chunk becomes the rest, one
    frame a bin. Squeezing is sticky: the more
    the frames of the chunk attend to a bin, the more of the new bins it gets; a new bin is the
    mean of the old signal over its part.

    Source: infinity-Video (Santos and others, 2025, arXiv:2501.19098, section 3): a memory of
    rectangular basis functions fitted by ridge regression, tau 0.75, sticky sampling. Deviations:
    the mean over a part in place of the regression on 512 sampled positions, of which it is the
    limit (the penalty only shortens rows, and cosines ignore length); attention is a softmax of
    `sharpness` times the cosine of frames with bins in place of learned queries; each bin also
    keeps from when to when its frames were seen, so that it can be found. A bin is no cell: one
    frame may be in several and its mass is a share, so mass is not conserved.
    """

    tau: float = 0.75
    sharpness: float = 4.0
    most_cells: int = 0

    @property
    def merging(self) -> bool:
        """A bin stands for many frames."""
        return True

    @property
    def spans(self) -> int:
        """From the first to the last frame of a bin."""
        return 1

    def keep(self, table: CellTable, closed: Closed, seed: int) -> None:
        """Take frames, and contract the signal by each full chunk."""
        size = max(1, int(table.capacity * (1 - self.tau) / (2 - self.tau)))
        waiting = table.in_tier(WORKING).tolist()
        for item in range(len(closed)):
            waiting.append(table.add(closed, item, WORKING))
            if len(waiting) == size:
                chunk = np.array(waiting)
                if table.live + size > table.capacity:
                    self._contract(table, chunk)
                table.rows["tier"][chunk] = LONG_TERM
                waiting = []

    def _contract(self, table: CellTable, chunk: Slots) -> None:
        """Rewrite the old bins as `tau` of as many as there is room for beside the chunks."""
        old = _by_time(table, table.in_tier(LONG_TERM))
        count = table.capacity - 2 * chunk.size
        edges = np.concatenate(([0.0], np.cumsum(self._attention(table, old, chunk))))
        edges /= edges[-1]
        rows = _squeezed(table, old, edges, min(count, old.size))
        for slot in old.tolist():
            table.release(slot)
        table.put(rows)

    def _attention(self, table: CellTable, old: Slots, chunk: Slots) -> Wide:
        """How much the frames of the chunk attend to each old bin; sums to 1."""
        density: Wide = np.zeros(old.size)
        for first in range(0, chunk.size, _FRAMES_AT_ONCE):
            cosines = table.cosines(old, chunk[first : first + _FRAMES_AT_ONCE])
            affinity = np.exp(self.sharpness * (cosines - cosines.max(axis=0)))
            density += (affinity / affinity.sum(axis=0)).sum(axis=1)
        total: Wide = density / chunk.size
        return total


def _by_time(table: CellTable, slots: Slots) -> Slots:
    """Slots by start; those that share one by id."""
    return slots[np.lexsort((table.rows["id"][slots], table.rows["start_s"][slots]))]


def _squeezed(table: CellTable, old: Slots, edges: Wide, count: int) -> NDArray[Any]:
    """`count` rows, each the mean of the old bins over an equal part of [0, 1].

    Old bin i lies between `edges[i]` and `edges[i + 1]`.
    """
    rows = np.zeros(count, table.rows.dtype)
    source = table.rows
    for first in range(0, count, _BINS_AT_ONCE):
        parts = np.arange(first, min(first + _BINS_AT_ONCE, count))
        left, right = parts / count, (parts + 1) / count
        begin = max(0, int(np.searchsorted(edges, left[0], side="right")) - 1)
        end = min(old.size, int(np.searchsorted(edges, right[-1], side="left")))
        inside = old[begin:end]
        low, high = edges[begin:end], edges[begin + 1 : end + 1]
        shared = np.minimum(right[:, None], high) - np.maximum(left[:, None], low)
        np.maximum(shared, 0, out=shared)
        means = _weighted(table, inside, shared)
        encoded = table.code.encode(np.rint(means))
        block = rows[first : first + parts.size]
        block["key"], block["scale"] = encoded.codes, encoded.scale
        block["square_sum"] = encoded.square_sum
        touched = shared > 0
        heaviest = inside[shared.argmax(axis=1)]
        block["start_s"] = source["start_s"][inside[touched.argmax(axis=1)]]
        last = touched.shape[1] - 1 - touched[:, ::-1].argmax(axis=1)
        block["end_s"] = source["end_s"][inside[last]]
        block["exemplar_s"] = source["exemplar_s"][heaviest]
        portion = shared / np.maximum(high - low, 1e-300)
        block["mass"] = np.maximum(1, np.rint(portion @ source["mass"][inside]))
        block["use"] = np.minimum(np.rint(portion @ source["use"][inside]), MOST_COUNTED)
        block["born_reads"], block["visits"] = source["born_reads"][heaviest], 1
        block["tier"] = LONG_TERM
    return rows


def _weighted(table: CellTable, slots: Slots, weights: Wide) -> Wide:
    """Weighted means `[K D]` of cells `[N]`, with weights `[K N]`, in blocks of cells."""
    total = np.zeros((weights.shape[0], table.code.dim))
    step = rows_per_block(table.code.dim)
    for first in range(0, slots.size, step):
        part = slice(first, first + step)
        scale = table.rows["scale"][slots[part]].astype(np.float64)
        total += (weights[:, part] * scale) @ table.values(slots[part])
    total /= weights.sum(axis=1, keepdims=True)
    return total
