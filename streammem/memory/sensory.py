"""Keeps the last sampled frames as they came: copies of mass 0, never merged."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streammem.core.errors import MemoryFileError
from streammem.core.types import Times
from streammem.memory.codes import Bytes, Fits, Wide


class FrameCode(Protocol):
    """How frames become codes in the ring."""

    def __call__(self, frames: Wide) -> tuple[Bytes, NDArray[np.uint32], Fits]:
        """Codes uint8 `[N C]` of fixed-point frames `[N D]`, their squared lengths and fits."""
        ...


def sensory_dtype(code_bytes: int) -> np.dtype[np.void]:
    """A frame: its span, its number in the stream from 1, and its code with its fit."""
    return np.dtype(
        [("start_s", "<f8"), ("end_s", "<f8"), ("frame", "<u8"), ("square_sum", "<u4"),
         ("fit", "<u2"), ("code", "u1", (code_bytes,))]
    )  # fmt: skip


class SensoryRing:
    """The last `capacity` frames in fixed places; frame n lies at place (n - 1) mod capacity."""

    def __init__(self, capacity: int, dtype: np.dtype[np.void]) -> None:
        self._rows: NDArray[np.void] = np.zeros(capacity, dtype)
        self.size = 0

    @property
    def capacity(self) -> int:
        """Frames that it holds at most."""
        return int(self._rows.shape[0])

    @property
    def rows(self) -> NDArray[np.void]:
        """Frames held, oldest first."""
        used = self._rows[: self.size]
        used = used[used["frame"] > 0]
        return used[np.argsort(used["frame"])]

    @property
    def nbytes(self) -> int:
        """Length of `to_bytes`."""
        return self.size * self._rows.dtype.itemsize

    def append(
        self, frames: Wide, starts_s: Times, ends_s: Times, first_frame: int, code: FrameCode
    ) -> None:
        """Put in the last of the given fixed-point frames `[B D]`, numbered from `first_frame`."""
        skipped = max(0, frames.shape[0] - self.capacity)
        codes, square_sum, fits = code(frames[skipped:])
        numbers = np.arange(first_frame + skipped, first_frame + frames.shape[0])
        places = (numbers - 1) % self.capacity
        self._rows["start_s"][places] = starts_s[skipped:]
        self._rows["end_s"][places] = ends_s[skipped:]
        self._rows["frame"][places] = numbers
        self._rows["square_sum"][places] = square_sum
        self._rows["fit"][places] = fits
        self._rows["code"][places] = codes
        self.size = min(self.capacity, max(self.size, int(numbers[-1])))

    def set_end(self, frame: int, end_s: float) -> None:
        """Correct the end of a frame that is still held; the next frame tells it."""
        if frame > 0 and self._rows["frame"][(frame - 1) % self.capacity] == frame:
            self._rows["end_s"][(frame - 1) % self.capacity] = end_s

    def forget(self, start_s: float, end_s: float) -> int:
        """Clear the places of frames that overlap [start_s, end_s); how many there were."""
        used = self._rows[: self.size]
        gone = (used["frame"] > 0) & (used["start_s"] < end_s)
        gone &= np.maximum(used["end_s"], np.nextafter(used["start_s"], np.inf)) > start_s
        for place in np.flatnonzero(gone).tolist():
            self._rows[place : place + 1].view(np.uint8)[:] = 0
        return int(np.count_nonzero(gone))

    def to_bytes(self) -> bytes:
        """Used places as bytes."""
        return self._rows[: self.size].tobytes()

    def load(self, data: bytes) -> None:
        """Take over what `to_bytes` gave.

        Raises:
            MemoryFileError: the bytes do not fit this ring.
        """
        size, rest = divmod(len(data), self._rows.dtype.itemsize)
        if rest or size > self.capacity:
            raise MemoryFileError("the sensory ring does not fit the memory's plan")
        self._rows[:size] = np.frombuffer(data, self._rows.dtype)
        self.size = size
