"""Work that may take long or fail and must never hold up perception: bounded, in own threads."""

import queue
import threading
import time
from collections.abc import Callable

Errand = Callable[[], None]
_POLL_S = 0.1


class Errands:
    """A bounded queue and a few threads that empty it. `offer` may be called by any thread.

    An errand handles its own failures; it must end by itself within a time of its own.
    """

    def __init__(self, name: str, *, at_once: int, waiting: int) -> None:
        """Begin with `at_once` threads and room for `waiting` errands besides."""
        self._queue: queue.Queue[Errand] = queue.Queue(waiting)
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._open = 0
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(at_once)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def open(self) -> int:
        """Errands that were taken and are not done."""
        with self._lock:
            return self._open

    def offer(self, errand: Errand) -> bool:
        """Take an errand, or say at once that there is no room."""
        if self._ended.is_set():
            return False
        with self._lock:
            self._open += 1
        try:
            self._queue.put_nowait(errand)
        except queue.Full:
            with self._lock:
                self._open -= 1
            return False
        return True

    def close(self, wait_s: float) -> int:
        """Wait so long for what was taken; how many errands were not done. Safe to call twice."""
        deadline_s = time.monotonic() + wait_s
        while self.open and time.monotonic() < deadline_s:
            time.sleep(0.01)
        self._ended.set()
        return self.open

    def _work(self) -> None:
        while not self._ended.is_set():
            try:
                errand = self._queue.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            try:
                errand()
            finally:
                with self._lock:
                    self._open -= 1
