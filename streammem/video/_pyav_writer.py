"""Writes video files with PyAV: the counterpart of the reader, for clips that are rendered here."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streammem.core.types import Pixels

_TIME_BASE = Fraction(1, 1000)
# Without mbtree=0 the output of x264's SIMD code differs from run to run.
_OPTIONS = {"preset": "veryfast", "crf": "24", "g": "48", "x264-params": "mbtree=0"}


def write_h264(path: Path, pictures: Iterable[Pixels], rate_hz: int) -> None:
    """Write pictures uint8 `[3 H W]` of equal even size as H.264 at a constant rate.

    Equal pictures give equal files.
    """
    # Bit-exact: no version of the library and no date in the file.
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream: VideoStream | None = None
        for index, pixels in enumerate(pictures):
            if stream is None:
                stream = container.add_stream("libx264", rate=rate_hz, options=dict(_OPTIONS))
                stream.height, stream.width = pixels.shape[1:]
                stream.pix_fmt = "yuv420p"
                stream.codec_context.thread_count = 1
                stream.codec_context.time_base = _TIME_BASE
            rows = np.ascontiguousarray(pixels.transpose(1, 2, 0))
            frame = VideoFrame.from_ndarray(rows, format="rgb24")
            frame.pts = round(index * 1000 / rate_hz)
            frame.time_base = _TIME_BASE
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode(None))
