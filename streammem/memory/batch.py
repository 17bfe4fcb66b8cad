"""Refuses frames that no memory can hold, before any of a batch has changed it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streammem.core.types import Times

# Sums of times stay exact integers of microseconds up to here.
LATEST_S = 1e12
_CHECKED_FLOATS = 1 << 17


@dataclass(frozen=True, slots=True)
class Batch:
    """Frames as handed over: `embeddings` `[B D]`, times `[B]`, `tokens` `[B P D]` or None."""

    embeddings: NDArray[Any]
    pts_s: Times
    durations_s: Times | None
    tokens: NDArray[Any] | None

    @classmethod
    def of(
        cls,
        embeddings: ArrayLike,
        pts_s: ArrayLike,
        durations_s: ArrayLike | None,
        tokens: ArrayLike | None,
    ) -> Self:
        """Whatever was given, as arrays; large ones are not copied."""
        return cls(
            np.asarray(embeddings),
            np.asarray(pts_s, np.float64),
            None if durations_s is None else np.asarray(durations_s, np.float64),
            None if tokens is None else np.asarray(tokens),
        )

    def __len__(self) -> int:
        return int(self.pts_s.shape[0])

    def blocks(self, rows: int) -> Iterator["Batch"]:
        """The same frames in batches of at most `rows`."""
        for first in range(0, len(self), rows):
            part = slice(first, first + rows)
            yield Batch(
                self.embeddings[part],
                self.pts_s[part],
                None if self.durations_s is None else self.durations_s[part],
                None if self.tokens is None else self.tokens[part],
            )


def check_batch(batch: Batch, dim: int, tokens_per_frame: int, last_s: float | None) -> Batch:
    """The batch, if every frame of it can be taken.

    Raises:
        ValueError: a shape does not fit, a value is not finite, or time runs backwards.
    """
    if batch.pts_s.ndim != 1:
        raise ValueError(f"pts_seconds has shape {list(batch.pts_s.shape)}; expected [B]")
    count = len(batch)
    _check_shape("embeddings", batch.embeddings, (count, dim))
    _check_finite("embeddings", batch.embeddings)
    _check_times(batch.pts_s, last_s)
    if batch.durations_s is not None:
        _check_shape("durations_s", batch.durations_s, (count,))
        if not np.all((batch.durations_s >= 0) & (batch.durations_s <= LATEST_S)):
            raise ValueError("durations_s holds a value that is negative or not finite")
    if batch.tokens is not None:
        _check_shape("tokens", batch.tokens, (count, tokens_per_frame, dim))
        _check_finite("tokens", batch.tokens)
    return batch


def _check_shape(name: str, values: NDArray[Any], expected: tuple[int, ...]) -> None:
    if values.shape != expected:
        raise ValueError(f"{name} has shape {list(values.shape)}; expected {list(expected)}")
    if values.dtype.kind not in "fiu":
        raise ValueError(f"{name} holds {values.dtype}; expected real numbers")


def _check_finite(name: str, rows: NDArray[Any]) -> None:
    """Refuse rows that are not finite in float32, a block at a time."""
    per_row = max(1, rows[:1].size)
    step = max(1, _CHECKED_FLOATS // per_row)
    for first in range(0, rows.shape[0], step):
        with np.errstate(over="ignore"):
            block = rows[first : first + step].astype(np.float32, copy=False)
        bad = ~np.isfinite(block).reshape(block.shape[0], -1).all(axis=1)
        if bad.any():
            raise ValueError(
                f"{name} of frame {first + int(bad.argmax())} of the batch hold NaN or infinity"
            )


def _check_times(pts_s: Times, last_s: float | None) -> None:
    if not np.all(np.abs(pts_s) <= LATEST_S):
        raise ValueError("pts_seconds holds a time that is not finite or beyond 1e12 s")
    before = np.concatenate((pts_s[:1] if last_s is None else [last_s], pts_s[:-1]))[: pts_s.size]
    back = pts_s < before
    if back.any():
        frame = int(back.argmax())
        raise ValueError(
            f"time runs backwards: frame {frame} of the batch is at {pts_s[frame]} s, "
            f"after one at {before[frame]} s"
        )
