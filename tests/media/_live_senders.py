"""Live sources on this machine for tests and benchmarks: real bytes, sent when they are due.

Every picture shows its own number, so that what was remembered can be told from its pixels.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 128, 96
_BITS = 16
_ENCODER = {"preset": "ultrafast", "tune": "zerolatency", "crf": "20"}
_MUXER = {"flush_packets": "1", "pat_period": "0.1"}


def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """Frame `number` (under 65536), uint8 `[H W 3]`: sixteen cells hold its bits, below a scene."""
    rows = np.empty((height, width, 3), np.uint8)
    rows[:] = (40 + 5 * (number % 30), 90, 200 - 4 * (number % 35))
    cell, line = width // 8, height // 6
    left = (3 * number) % (width - cell)
    rows[height // 2 : height // 2 + line, left : left + cell] = (250, 240, 30)
    for bit in range(_BITS):
        top, at = bit // 8 * line, bit % 8 * cell
        rows[top : top + line, at : at + cell] = 235 if number >> bit & 1 else 20
    return rows


def number_in(pixels: NDArray[np.uint8]) -> int:
    """The number that a decoded frame, uint8 `[3 H W]`, shows."""
    height, width = pixels.shape[1:]
    grey, cell, line = pixels.mean(axis=0), width // 8, height // 6
    number = 0
    for bit in range(_BITS):
        top, at = bit // 8 * line, bit % 8 * cell
        inner = grey[top + line // 4 : top + 3 * line // 4, at + cell // 4 : at + 3 * cell // 4]
        number |= int(inner.mean() > 128) << bit
    return number


class TransportStream:
    """Pictures as an MPEG transport stream, piece by piece, under a clock that may jump."""

    def __init__(self, rate_hz: int, *, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
        """A stream that begins with a key frame and has one each second."""
        self._sink = _Sink()
        self._container = av.open(self._sink, "w", format="mpegts", options=dict(_MUXER))
        self._stream: Any = self._container.add_stream(
            "libx264", rate=rate_hz, options=dict(_ENCODER)
        )
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.gop_size = rate_hz
        self._stream.codec_context.time_base = Fraction(1, 90_000)
        self._stream.codec_context.thread_count = 1
        self._size = size

    def piece(self, number: int, pts_s: float) -> bytes:
        """The bytes of one picture that is shown at `pts_s`."""
        frame = av.VideoFrame.from_ndarray(picture(number, *self._size), format="rgb24")
        frame.pts, frame.time_base = round(pts_s * 90_000), Fraction(1, 90_000)
        self._container.mux(self._stream.encode(frame))
        return self._sink.take()

    def rest(self) -> bytes:
        """The bytes of the end."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._sink.take()


class _Sink:
    """A file that only grows, for the muxer."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def take(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        return data


@dataclass
class Camera:
    """Counts pictures by the wall clock, whether or not anybody looks: one each 1 / rate.

    `pts_s` of picture n is n / rate + `shift_s`, which a script may change while it runs.
    """

    rate_hz: int
    size: tuple[int, int] = (WIDTH, HEIGHT)
    shift_s: float = 10.0
    speed: float = 1.0
    began_s: float = field(default_factory=time.monotonic)

    def number_at(self, at_s: float) -> int:
        """The newest picture at a moment."""
        return int((at_s - self.began_s) * self.speed * self.rate_hz)

    def due_s(self, number: int) -> float:
        """The moment of a picture."""
        return self.began_s + number / (self.speed * self.rate_hz)

    def pts_s(self, number: int) -> float:
        """Its time by the clock of the camera."""
        return number / self.rate_hz + self.shift_s


class CameraServer:
    """MPEG-TS over TCP: whoever connects is sent what the camera sees, from now on.

    `refusing` closes connections at once, `silent` keeps them open without a byte; a change of the
    camera's size or clock takes effect with `restart`, which begins a new stream on the line.
    """

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.refusing = False
        self.silent = False
        self._generation = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._closed = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """Where it is."""
        return f"tcp://127.0.0.1:{self.port}"

    def restart(self) -> None:
        """Begin a new stream on every line."""
        self._generation += 1

    def drop(self) -> None:
        """Close every line."""
        for line in list(self._open):
            _shut(line)

    def close(self) -> None:
        """End everything."""
        self._closed.set()
        _shut(self._listener)
        self._listener.close()
        self.drop()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            if self.refusing:
                line.close()
                continue
            self._open.add(line)
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        try:
            for data in self._pieces():
                line.sendall(data)
        except OSError:
            return
        finally:
            self._open.discard(line)
            line.close()

    def _pieces(self) -> Iterator[bytes]:
        camera, number = self.camera, -1
        while not self._closed.is_set():
            generation = self._generation
            stream = TransportStream(camera.rate_hz, size=camera.size)
            shift_s = camera.shift_s
            while generation == self._generation and not self._closed.is_set():
                number = max(number + 1, camera.number_at(time.monotonic()))
                self._closed.wait(max(0.0, camera.due_s(number) - time.monotonic()))
                if self.silent:
                    continue
                yield stream.piece(number, camera.pts_s(number) - camera.shift_s + shift_s)


def _shut(line: socket.socket) -> None:
    try:
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


class SegmentWriter:
    """An HLS playlist with a window of segments, written while it runs. Use as a context."""

    def __init__(self, folder: Path, camera: Camera, *, segment_s: float = 1.0) -> None:
        self.playlist = folder / "live.m3u8"
        self.written: list[int] = []
        self._camera = camera
        self._segment_s = segment_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> "SegmentWriter":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _write(self) -> None:
        camera = self._camera
        options = {
            "hls_time": str(self._segment_s),
            "hls_list_size": "20",
            "hls_flags": "delete_segments+omit_endlist",
        }
        with av.open(str(self.playlist), "w", format="hls", options=options) as container:
            stream = container.add_stream("libx264", rate=camera.rate_hz, options=dict(_ENCODER))
            stream.width, stream.height = camera.size
            stream.pix_fmt = "yuv420p"
            stream.codec_context.gop_size = round(camera.rate_hz * self._segment_s)
            number = -1
            while not self._ended.is_set():
                number = max(number + 1, camera.number_at(time.monotonic()))
                self._ended.wait(max(0.0, camera.due_s(number) - time.monotonic()))
                frame = av.VideoFrame.from_ndarray(picture(number, *camera.size), format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, camera.rate_hz)
                container.mux(stream.encode(frame))
                self.written.append(number)
            container.mux(stream.encode(None))


def send_paced(camera: Camera, write: Callable[[bytes], object], count: int) -> None:
    """`count` pictures of a camera as one transport stream, each when it is due."""
    stream = TransportStream(camera.rate_hz, size=camera.size)
    for number in range(count):
        time.sleep(max(0.0, camera.due_s(number) - time.monotonic()))
        write(stream.piece(number, camera.pts_s(number)))
    write(stream.rest())
