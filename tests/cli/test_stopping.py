"""Ctrl-C: the first stops cleanly and says what was kept, the second ends the process at once."""

import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.cli._batches import PLAIN
from tests.cli.conftest import REPOSITORY, Ran, command, environment, still_running

Streammem = Callable[..., Ran]
Start = Callable[..., subprocess.Popen[str]]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
LONG = "synthetic:3?duration=3600&fps=4&size=64x48"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `streammem ...` in a process that ends with the test; both outputs are caught."""
    started: list[subprocess.Popen[str]] = []

    def start_one(*arguments: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command(*arguments, "--library", str(tmp_path / "library")),
            env=environment(), stdout=subprocess.PIPE, stderr=stderr, text=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield start_one
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for(happened: Callable[[], object]) -> None:
    """Return once it is so."""
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def has_reached(process: subprocess.Popen[str], number: int) -> bool:
    """Whether a signal that was sent waits no longer to be taken by the process.

    Of two that wait the system hands out the one with the lower number first.
    """
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return True
    waiting = re.findall(r"^(?:SigPnd|ShdPnd):\s*(\w+)", status, re.MULTILINE)
    return not any(int(mask, 16) >> (number - 1) & 1 for mask in waiting)


@pytest.fixture
def silent_server() -> Iterator[tuple[str, threading.Event]]:
    """The address of a server that takes a request and never answers, and whether one came."""
    listener = socket.create_server(("127.0.0.1", 0))
    asked = threading.Event()
    taken: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            taken.append(connection)
            if connection.recv(1):
                asked.set()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/video.mp4", asked
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for connection in taken:
        connection.close()
    thread.join(timeout=10)


def test_the_first_says_what_was_kept_and_how_to_go_on(
    streammem: Streammem, start: Start, tmp_path: Path
) -> None:
    """And the command it names does go on, to the memory of the whole stream."""
    process = start("ingest", LONG, "--name", "long")
    wait_for((tmp_path / "library" / "long.smem").exists)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    kept = streammem("show", "long", "--json").document()["results"][0]
    again = streammem("ingest", LONG, "--name", "long", "--json")

    assert (process.returncode, out) == (130, "")
    stopping, error, hint = err.splitlines()
    assert "Ctrl-C again" in stopping
    assert error.startswith("error: stopped at 00:")
    assert error.endswith("everything up to there is kept")
    assert "same command again" in hint
    assert 0 < kept["covered_s"] < 3600
    result = again.document()["results"][0]
    assert (again.status, result["status"]) == (0, "resumed")
    assert result["covered_s"] == pytest.approx(3600, abs=0.3)


def test_the_second_ends_a_process_that_waits_at_once(
    silent_server: tuple[str, threading.Event], start: Start
) -> None:
    """The decoder waits for a server that has fallen silent and hears nothing."""
    url, asked = silent_server
    process = start("ingest", url)
    assert asked.wait(60)
    process.send_signal(signal.SIGINT)
    # Two signals of one number that come before the first is taken are one to the system.
    assert process.stderr is not None
    remark = process.stderr.readline()
    time.sleep(0.5)
    waiting = process.poll() is None
    process.send_signal(signal.SIGINT)
    sent_at = time.monotonic()
    out, err = process.communicate(timeout=60)

    assert waiting
    # By itself the decoder would give up ten seconds after it asked.
    assert time.monotonic() - sent_at < 5
    assert (process.returncode, out) == (130, "")
    assert "Ctrl-C again ends at once" in remark
    assert "Traceback" not in remark + err


def test_a_full_pipe_cannot_keep_the_second_from_ending_it(
    silent_server: tuple[str, threading.Event], start: Start
) -> None:
    """Nobody reads standard error, so that the remark of the first signal waits for ever."""
    url, asked = silent_server
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    process = start("ingest", url, stderr=writing)
    assert asked.wait(60)
    process.send_signal(signal.SIGTERM)
    wait_for(lambda: has_reached(process, signal.SIGTERM))
    time.sleep(0.5)
    waiting = process.poll() is None
    process.send_signal(signal.SIGINT)

    assert waiting
    assert process.wait(timeout=5) == 143
    os.close(reading)
    os.close(writing)


def test_a_batch_says_how_far_it_came_and_takes_its_workers_along(
    streammem: Streammem, start: Start, tmp_path: Path
) -> None:
    """A stopped batch counts what is done; the same command finishes the rest."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(24):
        clip = (REPOSITORY / "samples" / "scenes.mp4").read_bytes()
        (folder / f"clip{number:02}.mp4").write_bytes(clip + bytes([number]))
    # Without the reading of texts, which would take most of the time.
    arguments = ("batch", str(folder), "--jobs", "2", *PLAIN)
    process = start(*arguments)
    wait_for(lambda: len(list((tmp_path / "library").glob("*.smem"))) > 3)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    alive = still_running(children, 60)
    again = streammem(*arguments, "--json")

    done = [line for line in out.splitlines() if not line.startswith(" ")]
    assert process.returncode == 130
    assert 0 < len(done) < 24
    assert all(line.startswith("done ") for line in done)
    assert f"stopped; {len(done)} of 24 sources are done" in err
    assert len(children) == 2
    assert alive == []
    assert again.status == 0
    statuses = [result["status"] for result in again.document()["results"]]
    assert statuses.count("unchanged") == len(done)
    assert len(statuses) == 24
