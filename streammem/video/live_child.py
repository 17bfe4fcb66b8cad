"""The process that reads one live source for `video.live`, so that one that hangs can be killed.

A line of its standard input says what to read, or at which rate from now on. It reads one thing
after the other, so that a source that is tried again need not wait for a decoder to be loaded. When
the input closes the parent is gone or done, and it ends at once. Frames go to standard output.
"""

import json
import math
import os
import queue
import sys
import threading
import time
import zlib
from typing import IO, Any

import numpy as np

from streammem.core.errors import StreamMemError
from streammem.video import _pyav
from streammem.video.container_facts import clockwise, frame_rate
from streammem.video.identity import redact
from streammem.video.live_clock import Sighting
from streammem.video.live_source import is_recording, live_plan
from streammem.video.live_wire import send_frame, send_words
from streammem.video.reader import Picture, PictureError, ReaderOptions, scaled_size
from streammem.video.sampling import slot_of

_PARENT_GONE = 143
# One row in so many is enough to know a picture again.
_DIGEST_ROWS = 16
# A step of the source's clock by more than this begins a new count of sampling intervals.
_NEW_COUNT_S = 10.0


class Sampler:
    """Chooses which frames are taken, at a rate that may be lowered while it runs."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._origin_s = 0.0
        self._last_s = -math.inf
        self._slot = -1

    def set_rate(self, rate_hz: float) -> None:
        """From the next frame on, take so many a second."""
        self._rate_hz = rate_hz
        self._last_s = -math.inf

    def takes(self, pts_s: float) -> bool:
        """Whether the next frame, at `pts_s`, is taken."""
        if not 0.0 <= pts_s - self._last_s < _NEW_COUNT_S:
            self._origin_s, self._slot = pts_s, -1
        self._last_s = pts_s
        slot = slot_of(pts_s, self._origin_s, self._rate_hz)
        if slot <= self._slot:
            return False
        self._slot = slot
        return True


class _Reading:
    """One opened source whose frames are sent until it ends."""

    def __init__(self, job: dict[str, Any], out: IO[bytes], sampler: Sampler) -> None:
        self._job = job
        self._out = out
        self._sampler = sampler
        self._scaler = _pyav.Scaler()
        self._short_side_px: int | None = job["short_side_px"]

    def run(self) -> None:
        """Open, say what it is, and send frames; at last why there are no more."""
        plan = live_plan(
            self._job["source"],
            transport=self._job["transport"],
            again=self._job["again"],
            descriptor=self._job["descriptor"],
        )
        options = ReaderOptions(self._job["rate_hz"], threads=self._job["threads"])
        opened = _pyav.Pass(plan, redact(self._job["source"]), options)
        length_us = opened.container.duration
        finite = is_recording(self._job["source"], length_us)
        rate_hz = frame_rate(opened.track)
        send_words(
            self._out, {"opened": {"codec": opened.codec, "rate_hz": rate_hz, "finite": finite}}
        )
        trouble = ""
        for picture in opened.pictures():
            if picture.content is None:
                trouble = picture.reason
                continue
            trouble = ""
            self._send(picture)
        send_words(self._out, {"ended": {"trouble": trouble}})
        # Only now: a server that is gone may keep the line from closing.
        opened.close()

    def _send(self, picture: Picture) -> None:
        frame, at_s = picture.content, time.monotonic()
        pixels = None
        if self._sampler.takes(picture.pts_s):
            size = scaled_size(*_upright(frame), self._short_side_px)
            try:
                pixels = self._scaler.pixels(frame, size)
            except PictureError as error:
                send_words(self._out, {"damaged": str(error)})
        size = frame.width, frame.height
        send_frame(
            self._out,
            Sighting(picture.pts_s, picture.duration_s, at_s, _digest(frame), size, pixels),
        )


def _upright(frame: Any) -> tuple[int, int]:
    """Width and height of a frame as it is to be looked at."""
    turned = clockwise(frame.rotation) in (90, 270)
    return (frame.height, frame.width) if turned else (frame.width, frame.height)


def _digest(frame: Any) -> int:
    """A number by which a picture is known again; never 0."""
    plane = frame.planes[0]
    lines = np.frombuffer(memoryview(plane), np.uint8)
    rows = lines[: len(lines) // plane.line_size * plane.line_size].reshape(-1, plane.line_size)
    step = max(1, min(_DIGEST_ROWS, len(rows) // _DIGEST_ROWS))
    return zlib.crc32(rows[::step, : plane.width].tobytes()) or 1


def _listen(sampler: Sampler, jobs: "queue.SimpleQueue[dict[str, Any]]") -> None:
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "source" in message:
            jobs.put(message)
        else:
            sampler.set_rate(float(message["rate_hz"]))
    # A clean exit could wait for a decoder; nothing here is worth keeping.
    os._exit(_PARENT_GONE)


def main() -> None:
    """Read the sources that the lines of standard input describe, one after the other."""
    # Native libraries may write to file descriptor 1; frames get a copy of it, they get stderr.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sampler, jobs = Sampler(1.0), queue.SimpleQueue[dict[str, Any]]()
    threading.Thread(target=_listen, args=(sampler, jobs), name="parent", daemon=True).start()
    while True:
        job = jobs.get()
        sampler.set_rate(job["rate_hz"])
        if not _read(job, out, sampler):
            return
        send_words(out, {"free": True})


def _read(job: dict[str, Any], out: IO[bytes], sampler: Sampler) -> bool:
    """Read one source; whether this process is good for another one."""
    try:
        _Reading(job, out, sampler).run()
    except StreamMemError as error:
        send_words(out, {"failed": {**error.to_json(), "exit_code": error.exit_code}})
    except BrokenPipeError:
        os._exit(_PARENT_GONE)
    except Exception as error:  # noqa: BLE001  (the parent says it, and opens the source again)
        message = f"unexpected {type(error).__name__}: {error}"
        unexpected = StreamMemError(message).to_json()
        send_words(out, {"failed": {**unexpected, "exit_code": StreamMemError.exit_code}})
        return False
    return True


if __name__ == "__main__":
    main()
