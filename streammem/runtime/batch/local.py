"""Workers as child processes of this machine."""

import contextlib
import json
import queue
import subprocess
import threading
from typing import Any

from streammem.runtime.batch.crew import Reply
from streammem.runtime.batch.early import child_environment, worker_process
from streammem.runtime.batch.wire import WorkerOrders

# A worker that a native library holds fast does not notice that its input has closed.
_LEAVE_S = 5.0


class LocalCrew:
    """Hires child processes."""

    def __init__(self, orders: WorkerOrders, threads: int) -> None:
        """Nothing is started yet; `threads` is how many each process may use for numbers."""
        self._orders = orders.to_json()
        self._environment = child_environment(threads)

    def hire(self, inbox: "queue.Queue[Reply]") -> "LocalWorker":
        """A new process."""
        return LocalWorker(self._orders, self._environment, inbox)

    def close(self) -> None:
        """Nothing is held but the workers."""


class LocalWorker:
    """One child process and the thread that reads its replies."""

    def __init__(
        self, orders: str, environment: dict[str, str], inbox: "queue.Queue[Reply]"
    ) -> None:
        self._process = worker_process(environment)
        self._inbox = inbox
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._write(orders)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as replies:
            for line in replies:
                # A process that is killed may leave half a line.
                with contextlib.suppress(ValueError):
                    message = json.loads(line)
                    self._inbox.put((self, message["kind"], message["content"]))
        status = self._process.wait()
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        self._inbox.put((self, "died", how))

    def send(self, message: dict[str, Any]) -> None:
        """One line to the child; a child that is gone reports its own end."""
        self._write(json.dumps(message))

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()

    def kill(self) -> None:
        """End the child at once."""
        self._process.kill()

    def close(self) -> None:
        """Close the child's input, which ends it at once, and reap it."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=_LEAVE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join(timeout=_LEAVE_S)
