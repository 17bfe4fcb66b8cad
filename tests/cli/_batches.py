"""Folders of small videos that are rendered here, and what of a library must not change."""

import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from streammem.storage.memory_file import read_memory
from streammem.video._pyav_writer import write_h264
from tests.cli.conftest import command, environment

# Nothing that small videos have: it would only be looked for.
PLAIN = ("--no-audio", "--no-ocr")
_LONG_AGO = 1.6e9
_RATE_HZ = 8


def render(path: Path, number: int, duration_s: float = 3.0, size_px: tuple[int, int] = (64, 64)):
    """One video of two colours that no other number has, and that has lain there for long."""
    colours = np.random.default_rng(number).integers(0, 255, (2, 3, 1, 1), dtype=np.uint8)
    count = max(2, round(duration_s * _RATE_HZ))
    pictures = (
        np.ascontiguousarray(np.broadcast_to(colours[at * 2 // count], (3, *size_px)))
        for at in range(count)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_h264(path, pictures, _RATE_HZ)
    os.utime(path, (_LONG_AGO, _LONG_AGO))


def render_folder(folder: Path, count: int, duration_s: float = 3.0) -> Path:
    """A folder of `count` videos, half of them in a folder inside it."""
    for number in range(count):
        place = folder / "inside" if number % 2 else folder
        render(place / f"clip{number:03}.mp4", number, duration_s)
    return folder


def contents(library: Path) -> dict[str, tuple[Any, ...]]:
    """Everything of each memory that must be equal, whoever made it and however often killed."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in sorted(library.glob("*.smem")):
        stored = read_memory(path)
        progress = stored.progress
        found[path.stem] = (
            stored.sections, stored.thumbnail_keys, progress.status, progress.frames,
            progress.gaps, progress.covered_s, stored.cue_counts, stored.meta.fingerprint,
        )  # fmt: skip
    return found


def leftovers(library: Path) -> list[str]:
    """Files of memories that were begun and are not there."""
    return sorted(path.name for path in library.glob(".*.smem.new"))


class Running:
    """`streammem batch --jsonl` in a process of its own; `events` holds those that were taken."""

    def __init__(self, *arguments: str) -> None:
        self.events: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            command("batch", *arguments, "--jsonl"),
            env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self._came: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def until(self, wanted: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The first event from here on that is wanted."""
        while (event := self._next()) is not None:
            if wanted(event):
                return event
        raise AssertionError("the batch ended before it happened")

    def _listen(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                # A process that is killed may leave half a line.
                if line.endswith("\n"):
                    self._came.put(json.loads(line))
        self._came.put(None)

    def _next(self, *, waits: bool = True) -> dict[str, Any] | None:
        """The next event; None after the last one, and where none is there and nobody waits."""
        try:
            event = self._came.get(block=waits)
        except queue.Empty:
            return None
        if event is None:
            # So that whoever asks later is told, too.
            self._came.put(None)
        else:
            self.events.append(event)
        return event

    def workers(self, sign: str = "streammem.runtime.worker") -> list[psutil.Process]:
        """Its worker processes that are alive."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [one for one in found if is_called(one, sign)]

    def kill_a_reader(self, spared: set[str], sign: str = "streammem.runtime.worker") -> str:
        """Kill a worker that reads a video which is not spared, and say which video that was.

        One between two videos would lose nothing. Nor is a reader killed whose video is not known
        to be begun: through a cluster, word of that may come after the end of the reader.
        """
        while True:
            while self._next(waits=False) is not None:
                continue
            begun = {one["source"] for one in self.events if one["event"] == "started"}
            for worker in self.workers(sign):
                with suppress(psutil.NoSuchProcess):
                    # Then it cannot finish between the look and the kill; it may have before.
                    _hold_still(worker)
                    videos = {one.path for one in worker.open_files() if one.path.endswith(".mp4")}
                    if wanted := (videos & begun) - spared:
                        worker.kill()
                        return wanted.pop()
                    worker.resume()
            assert self.process.poll() is None, "the batch ended before a reader was met"
            time.sleep(0.02)

    def rest(self) -> list[dict[str, Any]]:
        """All its events from the first on; waits for its end."""
        while self._next() is not None:
            continue
        self.process.wait(timeout=60)
        return self.events

    def end(self) -> None:
        """End it if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._listener.join()


def is_called(process: psutil.Process, sign: str) -> bool:
    """Whether a process runs and has a text in its command line; it may end at any moment."""
    try:
        return sign in " ".join(process.cmdline())
    except psutil.Error:
        return False


def _hold_still(process: psutil.Process) -> None:
    """Stop a process; on a busy machine it goes on for a while after it was told to."""
    process.suspend()
    while process.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE):
        time.sleep(0.001)
