"""Workers on a Ray cluster, reached through a process of their own."""

import contextlib
import importlib.util
import json
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from streammem.core.errors import MissingError
from streammem.runtime.batch.crew import Reply
from streammem.runtime.batch.early import child_environment
from streammem.runtime.batch.engines import Engine
from streammem.runtime.batch.wire import WorkerOrders

_BRIDGE = "from streammem.runtime.batch._ray import main; main()"
_LEAVE_S = 20.0
_TOLD_LINES = 3
# No report to Ray's makers, and with the second line no port that other machines could reach.
_ALONE = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DISABLE_IMPORT_WARNING": "1"}
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


class RayCrew:
    """Hires actors of one cluster; a cluster of its own is begun again when it dies."""

    def __init__(self, orders: WorkerOrders, engine: Engine, threads: int) -> None:
        """Nothing is started yet; `threads` is how many each actor may use for numbers.

        Raises:
            MissingError: Ray is not installed.
        """
        if importlib.util.find_spec("ray") is None:
            raise MissingError(
                "the engine ray needs the package ray, which is not installed",
                hint='pip install "streammem[ray]"',
                code="missing_package",
            )
        self._orders = orders.to_json()
        self._cluster = {
            "address": engine.ray_address, "jobs": engine.jobs, "gpus": engine.gpus,
            "threads": threads,
        }  # fmt: skip
        self._environment = {
            **child_environment(threads), **_ALONE, **({} if engine.ray_address else _LOOPBACK),
        }  # fmt: skip
        self._bridge: _Bridge | None = None
        self._hired = 0

    def hire(self, inbox: "queue.Queue[Reply]") -> "RayWorker":
        """A new actor."""
        if self._bridge is None or self._bridge.ended:
            self.close()
            self._bridge = _Bridge(self._orders, self._cluster, self._environment, inbox)
        self._hired += 1
        return RayWorker(self._bridge, self._hired)

    def close(self) -> None:
        """End the connection, and the cluster where it is our own."""
        if self._bridge is not None:
            self._bridge.close()
            self._bridge = None


class RayWorker:
    """One actor, by its number."""

    def __init__(self, bridge: "_Bridge", number: int) -> None:
        self._bridge = bridge
        self._number = number
        bridge.hire(self, number)

    def send(self, message: dict[str, Any]) -> None:
        """One message to the actor; an actor that is gone reports its own end."""
        self._bridge.say({"to": self._number, "message": message})

    def kill(self) -> None:
        """End the actor at once."""
        self._bridge.say({"kill": self._number})

    def close(self) -> None:
        """End the actor."""
        self.kill()


class _Bridge:
    """The process that speaks to Ray, and the thread that reads its replies."""

    def __init__(
        self,
        orders: str,
        cluster: dict[str, Any],
        environment: dict[str, str],
        inbox: "queue.Queue[Reply]",
    ) -> None:
        self.ended = False
        self._workers: dict[int, RayWorker] = {}
        self._inbox = inbox
        # A short path: Ray keeps sockets in it, whose names may not be long.
        self._folder = tempfile.TemporaryDirectory(prefix="smray-", ignore_cleanup_errors=True)
        self._log = Path(self._folder.name) / "bridge.log"
        told = json.dumps({**cluster, "folder": self._folder.name})
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BRIDGE, orders, told],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def hire(self, worker: RayWorker, number: int) -> None:
        """Ask for an actor whose replies are `worker`'s."""
        self._workers[number] = worker
        self.say({"hire": number})

    def say(self, order: dict[str, Any]) -> None:
        """One line to the process; if it is gone, its workers report their end."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._process.stdin.write((json.dumps(order) + "\n").encode())
            self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as replies:
            for line in replies:
                with contextlib.suppress(ValueError):
                    reply = json.loads(line)
                    of = reply["from"]
                    for worker in self._workers.values() if of is None else [self._workers[of]]:
                        self._inbox.put((worker, reply["kind"], reply["content"]))
        self._process.wait()
        self.ended = True
        how = f"went with its Ray cluster{self._told()}"
        for worker in self._workers.values():
            self._inbox.put((worker, "lost", how))

    def _told(self) -> str:
        """The last lines that Ray wrote, to say why it ended."""
        try:
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        said = [line.strip() for line in lines if line.strip()][-_TOLD_LINES:]
        return f": {' '.join(said)}" if said else ""

    def close(self) -> None:
        """Close the input, which ends the process and what it began."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=_LEAVE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join(timeout=_LEAVE_S)
        self._folder.cleanup()
