"""Local files read through decord, the only module that imports it.

Decord counts times from the first frame and rounds them to float32; where the container's own
times matter, use the default reader.
"""

import math
from collections.abc import Generator
from typing import Any

import numpy as np

from streammem.core.errors import MissingError, SourceError, UsageError
from streammem.core.types import Pixels, StreamInfo, Times
from streammem.video.discover import SourceKind, kind_of, local_path
from streammem.video.identity import redact
from streammem.video.protocols import HLS, plan_open
from streammem.video.reader import FrameReader, Picture, PictureError, ReaderOptions, scaled_size
from streammem.video.sampling import StreamEnd

_FALLBACK_RATE_HZ = 25.0


def _load() -> Any:
    try:
        import decord
    except ImportError as error:
        raise MissingError(
            "the decord reader needs the package decord, which is not installed",
            hint="pip install 'streammem[decord]'",
            code="missing_decord",
        ) from error
    decord.logging.set_level(decord.logging.QUIET)
    return decord


class DecordReader(FrameReader):
    """Reads a local file; frames that decord cannot give become gaps."""

    def __init__(self, source: str, options: ReaderOptions) -> None:
        super().__init__(options)
        decord = _load()
        if kind_of(source) is not SourceKind.FILE or plan_open(source).kind == HLS:
            raise UsageError(
                f"the decord reader cannot read {redact(source)}: it opens only local video files",
                hint="leave out --reader, so that the one that fits is chosen",
            )
        self._errors = (decord.DECORDError, RuntimeError, StopIteration)
        self._shown = source
        path = str(local_path(source).absolute())
        whole = self._opened(decord, path)
        self._times = self._frame_times(whole)
        height, width = self._first(whole)
        size = scaled_size(width, height, options.short_side_px)
        self._video = whole
        if size != (width, height):
            self._video = self._opened(decord, path, width=size[0], height=size[1])
        self._next = -1
        rate_hz = float(whole.get_avg_fps())
        self.info = StreamInfo(
            source=source,
            width=width,
            height=height,
            frame_rate_hz=rate_hz if math.isfinite(rate_hz) and rate_hz > 0 else None,
            duration_s=float(self._times[-1, 1] - self._times[0, 0]),
            start_s=float(self._times[0, 0]),
            rotation_deg=0,
            codec="unknown",
        )

    @property
    def declared_duration_s(self) -> float | None:
        """None: decord tells only the times of the frames it has found."""
        return None

    def close(self) -> None:
        """Release the file."""
        self._video = None

    def _opened(self, decord: Any, path: str, **size: int) -> Any:
        try:
            return decord.VideoReader(
                path, ctx=decord.cpu(0), num_threads=self.options.threads, **size
            )
        except self._errors as error:
            raise SourceError(
                f"decord cannot open {self._shown}: it is damaged, has no video track or is no "
                "media file",
                hint="the default reader says more: leave out --reader",
                code="undecodable",
            ) from error

    def _first(self, video: Any) -> tuple[int, int]:
        try:
            height, width, _ = video[0].shape
        except self._errors as error:
            raise SourceError(
                f"{self._shown} has no frame that can be decoded",
                hint="copy or download it again",
                code="undecodable",
            ) from error
        return int(height), int(width)

    def _frame_times(self, video: Any) -> Times:
        """(start, end) of every frame in seconds, float64 `[N 2]`."""
        count = max(1, len(video))
        rate_hz = float(video.get_avg_fps())
        if not (math.isfinite(rate_hz) and rate_hz > 0):
            rate_hz = _FALLBACK_RATE_HZ
        try:
            told = np.asarray(video.get_frame_timestamp(range(count)), np.float64)
        except self._errors:
            told = np.zeros((0, 2))
        times = exact_times(told, count, rate_hz)
        if times is None:
            self._facts.append("decord gives no usable times; frames are counted instead")
            starts_s = np.arange(count) / rate_hz
            times = np.stack([starts_s, starts_s + 1.0 / rate_hz], axis=1)
        return times

    def _pictures(self, from_s: float | None) -> Generator[Picture, None, None]:
        first = 0
        if from_s is not None:
            first = max(0, int(np.searchsorted(self._times[:, 0], from_s, side="right")) - 1)
        for number in range(first, len(self._times)):
            start_s, end_s = self._times[number]
            yield Picture(float(start_s), float(end_s - start_s), number)

    def _pixels(self, content: Any) -> Pixels:
        try:
            self._go_to(content)
            rows = self._video.next().asnumpy()
        except self._errors as error:
            self._next = -1
            raise PictureError("decord cannot decode the picture") from error
        self._next = content + 1
        return np.array(rows, np.uint8, order="C").transpose(2, 0, 1)

    def _go_to(self, number: int) -> None:
        if self._next < 0 or number < self._next:
            self._video.seek_accurate(number)
        elif number > self._next:
            self._video.skip_frames(number - self._next)

    def _end(self) -> StreamEnd:
        return StreamEnd()


def exact_times(told: Times, count: int, rate_hz: float) -> Times | None:
    """Frame times `[N 2]` without the rounding to float32; None where they cannot be used.

    Where they are those of a constant rate within that rounding, the rate gives them exactly.
    """
    if told.shape != (count, 2) or not np.isfinite(told).all():
        return None
    if (np.diff(told[:, 0]) <= 0).any() or (told[:, 1] <= told[:, 0]).any():
        return None
    steps = np.arange(count)[:, None] + np.array([[0.0, 1.0]])
    even = told[0, 0] + steps / rate_hz
    rounding = 1e-6 + np.abs(told) * float(np.finfo(np.float32).eps)
    return np.asarray(even if (np.abs(even - told) <= rounding).all() else np.round(told, 6))
