"""Readings of a live source in a process of its own, which can be killed at any time."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streammem.video.live_clock import Sighting
from streammem.video.live_wire import receive

_MODULE = "streammem.video.live_child"

OnFrame = Callable[["ReadingProcess", Sighting], None]


class ReadingProcess:
    """The process and the thread that receives what it sends.

    `opened`, `ended` and `failed` hold what it said of the reading at hand, `gone` is set once
    nothing more of it will come, `free` says that another one may begin. `last_frame_s` is when the
    last frame came on the monotonic clock. Every frame is handed to `on_frame` in the receiving
    thread; while that is `busy` the process has to wait.
    """

    def __init__(self, descriptor: int | None, on_frame: OnFrame) -> None:
        """Start it; it loads its decoder and waits for `begin`. It inherits `descriptor`."""
        self.opened: dict[str, Any] | None = None
        self.ended: dict[str, Any] | None = None
        self.failed: dict[str, Any] | None = None
        self.gone = threading.Event()
        self.free = True
        self.frames = 0
        self.busy = False
        self.started_s = self.last_frame_s = time.monotonic()
        self._on_frame = on_frame
        self._dead = False
        environment = dict(os.environ)
        # The package may run from a checkout; the child must find the same one.
        package_root = str(Path(__file__).resolve().parents[2])
        inherited = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (package_root, inherited)))
        self._process = subprocess.Popen(
            [sys.executable, "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            pass_fds=() if descriptor is None else (descriptor,),
            start_new_session=True,  # Ctrl-C is for the parent
        )
        self._thread = threading.Thread(target=self._receive, name="live", daemon=True)
        self._thread.start()

    def begin(self, job: dict[str, Any]) -> None:
        """Let it read what the job says; only while it is `free`."""
        self.started_s = self.last_frame_s = time.monotonic()
        self.opened = self.ended = self.failed = None
        self.frames, self.free = 0, False
        self.gone.clear()
        if self._dead:
            self.gone.set()
        self.tell(job)

    def tell(self, message: dict[str, Any]) -> None:
        """One line to the process; one that is gone has no use for it."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write((json.dumps(message) + "\n").encode())
            self._process.stdin.flush()

    def quiet_s(self, now_s: float) -> float:
        """For how long no frame came that could have come."""
        return 0.0 if self.busy else now_s - self.last_frame_s

    def kill(self) -> None:
        """End it at once, whatever it is doing; `on_frame` is not called afterwards."""
        self._process.kill()
        self._process.wait()
        self._thread.join()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    def _receive(self) -> None:
        assert self._process.stdout is not None
        try:
            while (message := receive(self._process.stdout)) is not None:
                if isinstance(message, Sighting):
                    self.frames += 1
                    self.busy = True
                    self._on_frame(self, message)
                    self.last_frame_s = time.monotonic()
                    self.busy = False
                else:
                    self._note(message)
        finally:
            self.free, self._dead = False, True
            self.gone.set()

    def _note(self, message: dict[str, Any]) -> None:
        self.opened = message.get("opened", self.opened)
        self.ended = message.get("ended", self.ended)
        self.failed = message.get("failed", self.failed)
        if "free" in message:
            self.free = True
        if self.ended is not None or self.failed is not None:
            self.gone.set()


class ReadingTurns:
    """The processes that read one source in turn: one at work, at most one that is ready for it."""

    def __init__(self, descriptor: int | None, on_frame: OnFrame) -> None:
        """Start the first one; see `ReadingProcess`."""
        self._descriptor = descriptor
        self._on_frame = on_frame
        self._ready: ReadingProcess | None = self._new()
        self._at_work: ReadingProcess | None = None

    def next(self) -> ReadingProcess:
        """The process for the next reading."""
        if self._ready is None or not self._ready.free:
            self.keep_one_ready(wanted=False)
            self._ready = self._new()
        self._at_work, self._ready = self._ready, None
        return self._at_work

    def keep_one_ready(self, *, wanted: bool) -> None:
        """Have a process beside the one at work that has its decoder loaded, or have none."""
        if wanted and self._ready is None:
            self._ready = self._new()
        elif not wanted and self._ready is not None:
            self._ready.kill()
            self._ready = None

    def over(self, process: ReadingProcess) -> None:
        """A reading is over: what said why is good for the next one, what did not is killed."""
        self._at_work = None
        if process.ended is not None or process.failed is not None:
            self.keep_one_ready(wanted=False)
            self._ready = process
        else:
            process.kill()
            # It loads its decoder while the source is left alone.
            self.keep_one_ready(wanted=True)

    def close(self) -> None:
        """End them all."""
        self.keep_one_ready(wanted=False)
        if self._at_work is not None:
            self._at_work.kill()
            self._at_work = None

    def _new(self) -> ReadingProcess:
        return ReadingProcess(self._descriptor, self._on_frame)
