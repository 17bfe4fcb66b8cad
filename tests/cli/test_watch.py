"""`streammem watch` in a process of its own: asked while it runs, stopped, killed, gone on with."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from streammem.api import AskOptions, Library
from streammem.core.types import FrameCounts
from streammem.storage.memory_file import read_memory
from streammem.upkeep import activities
from tests.cli.conftest import Ran, command, environment, still_running
from tests.media._live_senders import Camera, CameraServer, send_paced

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and pipes")
Streammem = Callable[..., Ran]
RATE = 20
LIMIT_S = 90.0


@pytest.fixture
def server() -> Iterator[CameraServer]:
    """A camera that anybody may look at."""
    with closing(CameraServer(Camera(RATE))) as running:
        yield running


class Watch:
    """A running watch whose event lines are read as they come."""

    def __init__(self, library: Path, *arguments: str, stdin: int | None = None) -> None:
        self.process = subprocess.Popen(
            command("watch", *arguments, "--jsonl", "--stall", "1.5", "--library", str(library)),
            env=environment(), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        self.events: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def until(self, so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first event that is so."""
        deadline_s, place = time.monotonic() + LIMIT_S, 0
        while True:
            while place < len(self.events):
                if so(self.events[place]):
                    return self.events[place]
                place += 1
            assert time.monotonic() < deadline_s, self.events
            assert self.process.poll() is None, self.events
            time.sleep(0.02)

    def encoded(self, count: int) -> dict[str, Any]:
        """Wait until so many frames are in the memory."""
        return self.until(lambda event: event.get("encoded", 0) >= count)

    def end(self, number: int | None = None) -> int:
        """Wait for its end, after a signal if one is given; its status."""
        if number is not None:
            self.process.send_signal(number)
        status = self.process.wait(LIMIT_S)
        self._thread.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return status


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., Watch]]:
    """Start watches that end with the test."""
    started: list[Watch] = []

    def start(*arguments: str, stdin: int | None = None) -> Watch:
        started.append(Watch(tmp_path / "library", *arguments, stdin=stdin))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.end(signal.SIGKILL)


def test_it_is_asked_while_it_runs_and_stops_cleanly(
    server: CameraServer, watch: Callable[..., Watch], tmp_path: Path, streammem: Streammem
) -> None:
    """Another process gets answers that are at most a commit old; nobody waits for a frame."""
    running = watch(server.address, "--name", "door")
    seen_s = running.encoded(12)["position_s"]
    library = Library(tmp_path / "library")
    deadline_s = time.monotonic() + LIMIT_S
    while True:
        began_s = time.monotonic()
        evidence = library.ask("what is shown now?", AskOptions(memories=("door",))).evidence
        asked_s = time.monotonic() - began_s
        if evidence and max(item.end_s for item in evidence) >= seen_s:
            break
        assert time.monotonic() < deadline_s
    assert asked_s < 30.0
    assert library.show("door").summary.status == "running"

    # So does whoever asks who is writing.
    (doing,) = streammem("status", "--json").document()["results"]
    assert (doing["memory_id"], doing["state"]) == ("door", "watching")
    assert doing["writer"]["pid"] == running.process.pid
    assert doing["position_s"] >= seen_s
    assert 0.0 <= doing["behind_s"] < LIMIT_S
    assert doing["last_commit_at"] == pytest.approx(time.time(), abs=LIMIT_S)
    assert doing["commits"] >= 1
    assert doing["gaps"] == []
    assert doing["bytes"]["file"] > 0

    # A source that has fallen silent makes no question wait, and the answer says what is missing.
    server.silent = True
    blind = running.until(lambda event: event["event"] == "gap")
    assert blind["message"] == "stalled"
    deadline_s = time.monotonic() + LIMIT_S
    while not activities(library)[0].blind_s:
        assert running.process.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    at = AskOptions(memories=("door",), at_s=blind["start_s"] + 0.5)
    deadline_s = time.monotonic() + LIMIT_S
    while not any("nothing was seen" in note for note in library.ask("what is shown?", at).notes):
        assert time.monotonic() < deadline_s
    assert running.end(signal.SIGTERM) == 143
    assert activities(library) == []
    idle = streammem("status")
    assert (idle.status, idle.out) == (0, "")
    assert "nothing is being written" in idle.err
    done = library.show("door")
    assert done.summary.status == "partial"
    assert done.gaps[-1].start_s == pytest.approx(blind["start_s"], abs=0.2)
    assert all(check.ok for check in library.verify())


def test_after_a_kill_the_next_watch_goes_on_with_the_same_memory(
    server: CameraServer, watch: Callable[..., Watch], tmp_path: Path, streammem: Streammem
) -> None:
    """Nothing committed is lost, the time between is a gap, and no child is left behind."""
    path = tmp_path / "library" / "door.smem"
    first = watch(server.address, "--name", "door")
    first.encoded(8)
    deadline_s = time.monotonic() + LIMIT_S
    while not path.exists() or read_memory(path).progress.commits < 2:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    said = " ".join(streammem("status").out.split())
    assert said.startswith("watching door ")
    assert f"by process {first.process.pid}" in said
    children = psutil.Process(first.process.pid).children(recursive=True)
    assert children
    kept = read_memory(path).progress
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    alive = still_running(children, 20)
    assert alive == []
    (left,) = activities(Library(tmp_path / "library"))
    assert (left.state, left.writer, left.behind_s) == ("interrupted", None, None)
    assert left.position_s == kept.last_end_s

    began_at = time.time()
    second = watch(server.address, "--name", "door")
    second.encoded(kept.written_frames + 6)
    assert second.end(signal.SIGINT) == 130
    ended_at = time.time()
    after = read_memory(path)
    assert after.progress.written_frames >= kept.written_frames + 6
    assert after.progress.frames.decoded > kept.frames.decoded
    (gap,) = [one for one in after.progress.gaps if one.reason == "not watching"]
    assert gap.start_s >= (kept.last_end_s or 0.0) - 1e-6
    assert gap.end_s > gap.start_s
    # Seconds of the memory are seconds of the wall: the camera has shown this much since.
    recorded_at = after.meta.recorded_at
    assert recorded_at is not None
    assert after.progress.last_end_s is not None
    assert began_at - 0.5 < recorded_at + after.progress.last_end_s < ended_at + 1.0
    assert all(check.ok for check in Library(tmp_path / "library").verify())


def test_standard_input_is_remembered_to_its_end(
    watch: Callable[..., Watch], tmp_path: Path
) -> None:
    """Whoever writes waits for us; nothing is dropped."""
    running = watch("-", "--name", "pipe", "--fps", "4", stdin=subprocess.PIPE)
    pipe = running.process.stdin
    assert pipe is not None
    send_paced(Camera(RATE, speed=20.0), pipe.buffer.write, 30 * RATE)  # type: ignore[attr-defined]
    pipe.close()
    assert running.end() == 0
    shown = Library(tmp_path / "library").show("pipe")
    assert shown.frames == FrameCounts(decoded=30 * RATE, encoded=120, dropped=0)
    assert shown.gaps == ()
    assert shown.summary.covered_s == pytest.approx(30.0, abs=0.2)


def test_a_duration_ends_it_with_the_document_of_an_ingest(
    server: CameraServer, streammem: Streammem
) -> None:
    """One entry of the usual shape."""
    ran = streammem("watch", server.address, "--name", "short", "--duration", "2", "--json")
    (result,) = ran.document()["results"]
    assert ran.status == 0
    assert ran.document()["command"] == "watch"
    assert (result["memory_id"], result["status"], result["gaps"]) == ("short", "done", [])
    assert result["frames"]["encoded"] >= 1
    assert result["error"] is None


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("/dev/video93",), 8, "there is no camera /dev/video93"),
        (("tcp://127.0.0.1:9", "--give-up", "0.5"), 8, "tcp://127.0.0.1:9"),
        (("tcp://127.0.0.1:9", "--until", "noon"), 2, "--until 'noon' is not a moment"),
    ],
)
def test_what_cannot_be_watched_is_told(
    streammem: Streammem, tmp_path: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    """With the exit code of its kind, and no memory left behind."""
    ran = streammem("watch", *arguments)
    assert (ran.status, ran.out) == (status, "")
    assert said in " ".join(ran.err.split())
    assert not list(tmp_path.glob("library/*.smem"))
