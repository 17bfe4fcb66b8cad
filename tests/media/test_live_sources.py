"""Live sources from real servers on this machine: each kind is read, and heals itself."""

import functools
import http.server
import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import av
import psutil
import pytest

from streammem.core.errors import SourceError
from streammem.core.types import Gap
from streammem.video.live import READER_DIED, LiveOptions, LiveReader
from streammem.video.live_clock import Segment
from streammem.video.live_queue import LiveFrame
from streammem.video.live_source import check_watchable
from tests.media._live_senders import (
    HEIGHT,
    WIDTH,
    Camera,
    CameraServer,
    SegmentWriter,
    TransportStream,
    number_in,
    picture,
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX processes and pipes")
RATE = 20
LIMIT_S = 60.0
SYSTEM_PYTHON = Path("/usr/bin/python3")
RTMP_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")


class Seen:
    """What came from a reader so far, in order."""

    def __init__(self, reader: LiveReader) -> None:
        self.reader = reader
        self.frames: list[LiveFrame] = []
        self.gaps: list[Gap] = []
        self.segments: list[Segment] = []

    @property
    def numbers(self) -> list[int]:
        return [number_in(frame.pixels) for frame in self.frames]

    def until(self, so: Callable[[], bool]) -> None:
        """Take what comes until something is so."""
        deadline_s = time.monotonic() + LIMIT_S
        while not so():
            assert time.monotonic() < deadline_s, f"{len(self.frames)} frames, {self.gaps}"
            for item in self.reader.take(0.05, 64):
                if isinstance(item, LiveFrame):
                    self.frames.append(item)
                elif isinstance(item, Gap):
                    self.gaps.append(item)
                else:
                    self.segments.append(item)

    def more(self, count: int) -> None:
        """Take so many more frames."""
        wanted = len(self.frames) + count
        self.until(lambda: len(self.frames) >= wanted or self.reader.ended)

    def check(self) -> None:
        """No picture twice, none out of order, time never back."""
        assert self.numbers == sorted(set(self.numbers))
        times = [frame.time_s for frame in self.frames]
        assert times == sorted(times)


@contextmanager
def watching(source: str, **settings: object) -> Iterator[Seen]:
    """A reader that takes every frame and reconnects after seconds without one.

    After less, a machine that is busy with other things would look like a source that is silent.
    """
    chosen: dict[str, object] = {"rate_hz": RATE, "stall_s": 4.0, "longest_wait_s": 1.0}
    reader = LiveReader(source, LiveOptions(**{**chosen, **settings}))  # type: ignore[arg-type]
    reader.start()
    with closing(reader):
        yield Seen(reader)


@pytest.fixture
def port() -> Iterator[int]:
    """A port at which servers may come and go; no other program gets it meanwhile."""
    with socket.socket() as keeper:
        # Both sides have to say this, and servers do; only one of them may listen.
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", 0))
        yield int(keeper.getsockname()[1])


def free_udp_port() -> int:
    """A port that nobody has, below those that the system gives to whoever asks for any."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port


def answers(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


def test_a_transport_stream_over_tcp_heals_itself(tmp_path: Path) -> None:
    """A dropped line, a reader that is killed, silence, another size and another clock."""
    camera, others = Camera(RATE), set(psutil.Process().children())
    with closing(CameraServer(camera)) as server, watching(server.address) as seen:
        seen.more(20)
        server.refusing = True
        server.drop()
        down_s = time.monotonic()
        seen.until(lambda: time.monotonic() - down_s > 1.2)
        server.refusing = False
        seen.more(20)
        longest_s = time.monotonic() - down_s
        # One that was made ready during the silence goes a moment after it.
        seen.until(lambda: len(set(psutil.Process().children()) - others) == 1)
        reading = set(psutil.Process().children()) - others
        for process in reading:
            process.kill()
        seen.more(20)
        server.silent = True
        before = seen.reader.standing().connections
        seen.until(lambda: seen.reader.standing().connections > before)
        server.silent = False
        seen.more(20)
        camera.size = 2 * WIDTH, 2 * HEIGHT
        camera.shift_s -= 5.0
        server.restart()
        seen.more(30)
        seen.check()
        camera_s = [camera.due_s(number) for number in seen.numbers]
        zero_s = seen.reader.zero_s
    assert zero_s is not None
    reasons = [gap.reason for gap in seen.gaps if gap.reason != READER_DIED]
    assert len(reading) == 1
    assert reasons[:2] == ["disconnected", "stalled"]
    assert 0.9 < seen.gaps[0].end_s - seen.gaps[0].start_s < longest_s + 1.0
    assert "resolution" in [segment.reason for segment in seen.segments]
    assert seen.frames[-1].size == (2 * WIDTH, 2 * HEIGHT)
    # Memory time is wall time: what the camera showed when is known exactly.
    off_s = [frame.time_s - (at - zero_s) for frame, at in zip(seen.frames, camera_s, strict=True)]
    assert max(off_s) - min(off_s) < 1.0


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Nothing on the terminal."""


@contextmanager
def web_server(folder: Path, port: int = 0) -> Iterator[int]:
    """A server of a folder's files; its port."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield int(running.server_address[1])
        running.shutdown()
        thread.join()


def test_a_playlist_that_was_out_of_reach_gives_what_it_still_has(
    tmp_path: Path, port: int
) -> None:
    """The server is gone for a second; the window of segments bridges it, nothing twice."""
    with SegmentWriter(tmp_path, Camera(RATE), segment_s=0.5) as writer:
        deadline_s = time.monotonic() + LIMIT_S
        while not writer.playlist.exists() or writer.playlist.read_text().count("EXTINF") < 3:
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        address = f"http://127.0.0.1:{port}/live.m3u8"
        reader = LiveReader(address, LiveOptions(RATE, stall_s=4.0, longest_wait_s=0.5))
        with closing(reader):
            seen = Seen(reader)
            with web_server(tmp_path, port):
                reader.start()
                seen.more(20)
            gone_s = time.monotonic()
            seen.until(lambda: time.monotonic() - gone_s > 1.0)
            with web_server(tmp_path, port):
                seen.more(40)
    seen.check()
    first = writer.written.index(seen.numbers[0])
    assert seen.numbers == writer.written[first : first + len(seen.numbers)]
    assert seen.gaps == []


def test_a_file_is_followed_while_it_grows_and_gone_on_with_later(tmp_path: Path) -> None:
    """A second reader begins behind the first one, with what was written in between."""
    path, camera = tmp_path / "growing.ts", Camera(RATE)
    stream = TransportStream(RATE)
    with path.open("ab", buffering=0) as file:
        for number in range(30):
            file.write(stream.piece(number, camera.pts_s(number)))
        with watching(str(path)) as seen:
            seen.more(15)
            for number in range(30, 60):
                file.write(stream.piece(number, camera.pts_s(number)))
            seen.until(lambda: len(seen.frames) > 45)
            state, head = seen.reader.state(), seen.reader.head
            assert not seen.reader.ended
        for number in range(60, 90):
            file.write(stream.piece(number, camera.pts_s(number)))
    later = LiveReader(str(path), LiveOptions(RATE), state, zero_s=0.0)
    assert later.head == head
    later.trust(same_file=True)
    later.start()
    with closing(later):
        again = Seen(later)
        again.until(lambda: bool(again.frames) and again.numbers[-1] > 80)
    assert seen.numbers == list(range(len(seen.numbers)))
    assert again.numbers == list(range(len(seen.numbers), len(seen.numbers) + len(again.numbers)))
    assert seen.gaps == again.gaps == []


def test_a_transport_stream_over_udp_is_read() -> None:
    """From the first key frame on."""
    port, camera, enough = free_udp_port(), Camera(RATE), threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:

        def send(data: bytes) -> None:
            for at in range(0, len(data), 1316):
                line.sendto(data[at : at + 1316], ("127.0.0.1", port))

        def send_on() -> None:
            stream, number = TransportStream(RATE), 0
            while not enough.wait(max(0.0, camera.due_s(number) - time.monotonic())):
                send(stream.piece(number, camera.pts_s(number)))
                number += 1

        sender = threading.Thread(target=send_on, daemon=True)
        with watching(f"udp://127.0.0.1:{port}", stall_s=5.0) as seen:
            sender.start()
            seen.more(20)
        enough.set()
        sender.join()
    seen.check()


@pytest.fixture
def numbered_mp4(tmp_path: Path) -> Path:
    """Twenty seconds of numbered pictures."""
    path = tmp_path / "numbers.mp4"
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=RATE, options={"tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = RATE
        for number in range(20 * RATE):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@contextmanager
def rtsp_server(path: Path, port: int) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of a GStreamer server that plays a file from its beginning to whoever asks."""
    script = Path(__file__).with_name("_rtsp_server.py")
    process = subprocess.Popen(
        [str(SYSTEM_PYTHON), str(script), str(port), str(path)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout:
        bound = process.stdout.readline().strip()
        if not bound:
            process.wait()
            pytest.skip("GStreamer's RTSP server is not installed for the system's Python")
        yield f"rtsp://127.0.0.1:{bound}/numbers", process
        process.kill()
        process.wait()


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_rtsp_is_read_and_what_it_repeats_is_left_out(
    numbered_mp4: Path, port: int, transport: str
) -> None:
    """The server dies and plays its recording from the beginning again; old pictures stay out."""
    if not SYSTEM_PYTHON.exists():
        pytest.skip("there is no system Python that could run GStreamer's RTSP server")
    with rtsp_server(numbered_mp4, port) as (address, process):
        reader = LiveReader(
            address,
            LiveOptions(RATE, stall_s=4.0, longest_wait_s=0.5, transport=transport),
        )
        reader.start()
        with closing(reader):
            seen = Seen(reader)
            seen.more(20)
            process.kill()
            process.wait()
            # Back at once, it would be read again before that is a gap.
            down_s = time.monotonic()
            seen.until(lambda: time.monotonic() - down_s > 1.2)
            with rtsp_server(numbered_mp4, port):
                seen.more(15)
    seen.check()
    assert len(seen.gaps) == 1


def test_rtmp_is_read_from_a_real_server(tmp_path: Path, port: int) -> None:
    """Nginx with its RTMP module takes a publisher's stream and gives it to us."""
    nginx = shutil.which("nginx")
    if nginx is None or not RTMP_MODULE.exists():
        pytest.skip("nginx with its RTMP module is not installed")
    (tmp_path / "nginx.conf").write_text(
        f"load_module {RTMP_MODULE}; daemon off; master_process off; pid {tmp_path}/pid;\n"
        f"error_log {tmp_path}/errors; events {{}}\n"
        f"rtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; }} }} }}\n"
    )
    address, camera = f"rtmp://127.0.0.1:{port}/live/numbers", Camera(RATE)
    server = subprocess.Popen(
        [nginx, "-c", str(tmp_path / "nginx.conf")], stderr=subprocess.DEVNULL
    )
    done = threading.Event()

    def publish() -> None:
        with av.open(address, "w", format="flv") as container:
            stream = container.add_stream("libx264", rate=RATE, options={"tune": "zerolatency"})
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            stream.codec_context.gop_size = RATE
            number = -1
            while not done.is_set():
                number = max(number + 1, camera.number_at(time.monotonic()))
                done.wait(max(0.0, camera.due_s(number) - time.monotonic()))
                frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, RATE)
                container.mux(stream.encode(frame))

    deadline_s = time.monotonic() + LIMIT_S
    while not answers(port):
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    publisher = threading.Thread(target=publish, daemon=True)
    publisher.start()
    try:
        with watching(address, stall_s=5.0) as seen:
            seen.more(20)
    finally:
        done.set()
        publisher.join()
        server.kill()
        server.wait()
    seen.check()


def test_a_recording_behind_an_address_is_read_to_its_end(
    numbered_mp4: Path, tmp_path: Path
) -> None:
    """As fast as it is taken, nothing dropped; then the watch is over."""
    address = "http://127.0.0.1:{}/" + numbered_mp4.name
    with web_server(tmp_path) as port, watching(address.format(port)) as seen:
        seen.until(lambda: seen.reader.ended)
        dropped = seen.reader.dropped()
    assert seen.numbers == list(range(20 * RATE))
    assert dropped == []


def test_frames_that_nobody_takes_are_dropped_the_oldest_first() -> None:
    """And counted; those that are left follow each other."""
    camera = Camera(25, speed=8.0)
    slow = {"rate_hz": 2.0, "when_behind": "drop-oldest"}
    with closing(CameraServer(camera)) as server, watching(server.address, **slow) as seen:
        seen.more(1)
        seen.reader.dropped()
        stop_s = time.monotonic() + LIMIT_S
        counted = 0
        while not counted and time.monotonic() < stop_s:
            time.sleep(0.2)
            counted = sum(count for _, _, count in seen.reader.dropped())
        assert seen.reader.standing().waiting == 32
        seen.more(32)
    assert counted > 0
    seen.check()


def test_the_reading_process_is_told_to_take_fewer_frames() -> None:
    """Where nobody takes them and the policy says so."""
    fast = {"rate_hz": 20.0, "when_behind": "lower-rate"}
    camera = Camera(25, speed=8.0)
    with closing(CameraServer(camera)) as server, watching(server.address, **fast) as seen:
        seen.more(1)
        deadline_s = time.monotonic() + LIMIT_S
        while seen.reader.standing().rate_hz > 5.0:
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        # What waits was taken at both rates; what comes now only at the lower one.
        seen.more(seen.reader.standing().waiting + 30)
    lately = seen.frames[-20:]
    assert (lately[-1].time_s - lately[0].time_s) / 19 > 0.15
    seen.check()


def test_a_source_that_never_answers_is_given_up(port: int) -> None:
    """With the reason of the last attempt."""
    nobody = f"tcp://127.0.0.1:{port}"
    with watching(nobody, give_up_s=1.5) as seen, pytest.raises(SourceError) as error:
        seen.until(lambda: False)
    assert error.value.code == "unreachable"
    assert error.value.exit_code == 8


def test_a_camera_that_is_not_there_is_told_at_once() -> None:
    """By name, before anything is begun."""
    with pytest.raises(SourceError, match="there is no camera /dev/video93") as error:
        check_watchable("/dev/video93", "tcp")
    assert error.value.code == "not_found"


def test_the_reading_process_ends_with_its_reader() -> None:
    """Closing kills what hangs on a server that never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
        me = psutil.Process()
        before = set(me.children())
        with watching(address) as seen:
            seen.until(lambda: bool(set(me.children()) - before))
            children = set(me.children()) - before
            began_s = time.monotonic()
    # The decoder itself would wait for ten seconds.
    assert time.monotonic() - began_s < 8.0
    assert not any(child.is_running() for child in children)


def test_pyav_is_not_needed_here() -> None:
    """The parent of a reading never loads the decoder; a crash in it costs one process."""
    code = "import sys, streammem.video.live; sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
