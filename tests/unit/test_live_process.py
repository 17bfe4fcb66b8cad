"""The processes that read a live source in turn: used again where they can be, else replaced."""

import os
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psutil
import pytest

from streammem.video.live_clock import Sighting
from streammem.video.live_process import ReadingTurns
from tests.media._live_senders import Camera, CameraServer, number_in

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX processes and pipes")
NOBODY = "tcp://127.0.0.1:9"
LIMIT_S = 60.0


def job(source: str) -> dict[str, Any]:
    return {
        "source": source, "transport": "tcp", "rate_hz": 20.0, "short_side_px": None,
        "threads": 1, "again": False, "descriptor": None,
    }  # fmt: skip


def until(so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + LIMIT_S
    while not so():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_a_process_that_said_why_reads_again_and_one_that_died_does_not() -> None:
    """Nothing has to be loaded for the next attempt; what it says is of that attempt alone."""
    seen: list[Sighting] = []
    before = set(psutil.Process().children())
    with (
        closing(CameraServer(Camera(20))) as server,
        closing(ReadingTurns(None, lambda _process, frame: seen.append(frame))) as turns,
    ):
        first = turns.next()
        for _ in range(2):
            first.begin(job(NOBODY))
            assert first.gone.wait(LIMIT_S)
            assert (first.failed or {})["code"] == "unreachable"
            turns.over(first)
            until(lambda: first.free)
            assert turns.next() is first
        first.begin(job(server.address))
        until(lambda: len(seen) > 10)
        assert (first.failed, first.frames) == (None, len(seen))
        assert first.opened is not None

        (child,) = set(psutil.Process().children()) - before
        child.kill()
        assert first.gone.wait(LIMIT_S)
        assert (first.ended, first.failed) == (None, None)
        turns.over(first)
        count = len(seen)
        second = turns.next()
        assert second is not first
        second.begin(job(server.address))
        until(lambda: len(seen) > count + 5)
    numbers = [number_in(one.pixels) for one in seen if one.pixels is not None]
    assert numbers == sorted(set(numbers))
    until(lambda: not set(psutil.Process().children()) - before)


def test_one_is_made_ready_only_while_it_is_wanted() -> None:
    """It has loaded its decoder when its turn comes, and goes when the source is well again."""
    before = set(psutil.Process().children())
    with closing(ReadingTurns(None, lambda _process, _frame: None)) as turns:
        turns.next()
        for wanted, there in ((True, 2), (True, 2), (False, 1)):
            turns.keep_one_ready(wanted=wanted)
            assert len(set(psutil.Process().children()) - before) == there
    assert not set(psutil.Process().children()) - before
