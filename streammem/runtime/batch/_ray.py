"""The process that speaks to Ray for a batch; the only module that imports Ray.

It stands between the batch and the cluster so that whatever happens to Ray happens here: one JSON
object a line comes in (`hire`, `to` with a message, `kill`, each with a worker's number) and goes
out (`from`, `kind`, `content`). When the input closes it ends, and with it its workers and the
cluster it began.
"""

import json
import os
import queue
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, RayError

from streammem.runtime.batch.family import descendants
from streammem.runtime.batch.taken import Heard, TakenMark

# The least that Ray takes: what goes through it here is a few lines of text.
_OBJECT_STORE_BYTES = 80 * 1024 * 1024
_LISTEN_S = 1.0
# Events wait so long at most for what else is to be told, the end of one source for the beginning
# of the next, which may be here already: each telling is a way through the cluster.
_EVENTS_WAIT_S, _NEXT_BEGINS_S = 0.05, 0.002
_HEALTH_S = 0.5
_KNOCK_S = 10.0
_CLUSTER_DIED = 70
_BROKEN = 70
_OVER_LIMIT = 137
_PARENT_GONE = 143
# Taking up messages, handing out replies, being told to stop.
_CONCURRENCY = 3
# Set once this process ends the cluster itself.
_ENDING = threading.Event()


@dataclass(frozen=True, slots=True)
class ClusterOrders:
    """Where the workers are to run: `address` empty for a cluster of its own in `folder`."""

    address: str
    folder: str
    jobs: int
    gpus: float
    threads: int


class _Servant:
    """A worker inside an actor; replies wait here until the bridge fetches them.

    Messages wait here, too: whatever the actor may do at once, sources are read one by one.
    """

    def __init__(self, orders: str, mark: str) -> None:
        # Only here: what reads videos would take the bridge half a second to load.
        from streammem.runtime.batch.servant import Servant, watch_memory
        from streammem.runtime.batch.wire import WorkerOrders

        read = WorkerOrders.from_json(orders)
        self._mark = TakenMark(Path(mark)) if mark else None
        self._replies: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._messages: queue.Queue[str] = queue.Queue()
        self._stop = threading.Event()
        look = watch_memory(read.memory_limit_bytes, self._over_limit)
        self._servant = Servant(read, self._tell, self._stop.is_set, look)
        threading.Thread(target=self._work, name="work", daemon=True).start()

    def serve(self, message: str) -> None:
        """Carry out one message after those before it."""
        self._messages.put(message)

    def _work(self) -> None:
        try:
            while True:
                self._servant.serve(json.loads(self._messages.get()))
        finally:
            # The batch replaces a worker that is gone, not one that says nothing any more.
            os._exit(_BROKEN)

    def stop(self) -> None:
        """Let the running ingest commit and end."""
        self._stop.set()

    def replies(self) -> str:
        """The replies since the last call as JSON; waits a moment for the first."""
        found: list[tuple[str, Any]] = []
        waits_s = {"event": _EVENTS_WAIT_S, "result": _NEXT_BEGINS_S}
        try:
            found.append(self._replies.get(timeout=_LISTEN_S))
            while True:
                wait_s = waits_s.get(found[-1][0], 0.0)
                found.append(self._replies.get(timeout=wait_s))
        except queue.Empty:
            return json.dumps(found)

    def _tell(self, kind: str, content: Any) -> None:
        if kind == "taken" and self._mark is not None:
            self._mark.add()
        self._replies.put((kind, content))

    def _over_limit(self, peak_bytes: int) -> None:
        self._tell("over_limit", peak_bytes)
        time.sleep(2 * _LISTEN_S)
        os._exit(_OVER_LIMIT)


class _Bridge:
    """The actors of one batch, by the numbers that the batch gave them."""

    def __init__(self, orders: str, cluster: ClusterOrders, answers: Any) -> None:
        self._orders = orders
        self._cluster = cluster
        self._out = answers
        self._writing = threading.Lock()
        self._actors: dict[int, Any] = {}

    def take(self, order: dict[str, Any]) -> None:
        """Carry out one line of the batch."""
        if "hire" in order:
            self._hire(order["hire"])
            return
        actor = self._actors.get(int(order.get("to", order.get("kill", 0))))
        if actor is None:
            return
        if "kill" in order:
            ray.kill(actor)
        elif order["message"].get("stop"):
            actor.stop.remote()
        else:
            actor.serve.remote(json.dumps(order["message"]))

    def _hire(self, number: int) -> None:
        kind = ray.remote(_Servant).options(
            num_cpus=1, num_gpus=self._cluster.gpus, max_concurrency=_CONCURRENCY, max_restarts=0
        )
        mark = "" if self._cluster.address else str(self._mark_of(number))
        self._actors[number] = kind.remote(self._orders, mark)
        threading.Thread(target=self._listen, args=(number,), daemon=True).start()

    def _mark_of(self, number: int) -> Path:
        """Where an actor of our own cluster, which is on this machine, counts what it takes up."""
        return Path(self._cluster.folder) / f"taken-{number}"

    def _listen(self, number: int) -> None:
        actor, heard = self._actors[number], Heard()
        while True:
            try:
                replies = json.loads(ray.get(actor.replies.remote()))
            except RayError as error:
                if not self._cluster.address:
                    _end_with_cluster()
                gone = _went_with_node(error)
                if gone:
                    # Where only the connection broke it still runs.
                    ray.kill(actor)
                for kind in heard.missing(self._mark_of(number)):
                    self._say(number, kind, None)
                how = f"ended: {str(error).strip().splitlines()[0]}"
                self._say(number, "lost" if gone else "died", how)
                return
            for kind, content in replies:
                heard.hear(kind)
                self._say(number, kind, content)

    def _say(self, number: int, kind: str, content: Any) -> None:
        with self._writing:
            line = json.dumps({"from": number, "kind": kind, "content": content})
            self._out.write(line + "\n")
            self._out.flush()


def _connect(cluster: ClusterOrders) -> None:
    if cluster.address:
        _knock(cluster.address)
        variables = {"OMP_NUM_THREADS": str(cluster.threads), "RAY_USAGE_STATS_ENABLED": "0"}
        ray.init(
            address=cluster.address,
            runtime_env={"env_vars": variables},
            log_to_driver=False,
            configure_logging=False,
        )
        return
    ray.init(
        num_cpus=cluster.jobs,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        object_store_memory=_OBJECT_STORE_BYTES,
        _node_ip_address="127.0.0.1",
        _temp_dir=cluster.folder,
    )
    threading.Thread(target=_watch_cluster, daemon=True).start()


def _knock(address: str) -> None:
    """Raise OSError where nobody listens: Ray itself would try for many minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=_KNOCK_S).close()


def _unfit(cluster: ClusterOrders) -> str | None:
    """Why no worker will ever run on a cluster of our own, None where one can."""
    there = ray.cluster_resources().get("GPU", 0.0)
    if cluster.address or cluster.gpus <= there:
        return None
    return f"a worker is to have {cluster.gpus:g} GPUs and this machine has {there:g}"


def _went_with_node(error: RayError) -> bool:
    """Whether an actor is out of reach or its machine is gone, not the actor by itself.

    Ray knows at once of an actor that dies on a machine that lives; it takes some ten seconds
    until it believes that a machine does not.
    """
    return isinstance(error, ActorUnavailableError) or "node has died" in str(error)


def _watch_cluster() -> None:
    """End this process once one of the cluster's own has ended; Ray notices only much later."""
    while True:
        _end_with_cluster()
        time.sleep(_HEALTH_S)


def _end_with_cluster() -> None:
    """End this process if one of the cluster's own has ended: its workers went with it."""
    # While the cluster is being ended here, its processes die one after the other as they should.
    if not _ENDING.is_set() and ray._private.worker._global_node.dead_processes():
        os._exit(_CLUSTER_DIED)


class _Orders:
    """The lines of the batch, read by a thread so that its end is noticed at any time."""

    def __init__(self) -> None:
        self.connected = threading.Event()
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._listen, name="batch", daemon=True).start()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while (line := self._lines.get()) is not None:
            yield json.loads(line)

    def _listen(self) -> None:
        for line in sys.stdin:
            self._lines.put(line)
        if not self.connected.is_set():
            # Ray may try for a long time to reach a cluster that nobody waits for any more.
            os._exit(_PARENT_GONE)
        self._lines.put(None)


def main() -> None:
    """Serve lines until the input closes. Arguments: the orders and the cluster's as JSON."""
    # Ray writes to standard output as it likes; the batch gets a copy of it, Ray standard error.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    cluster = ClusterOrders(**json.loads(sys.argv[2]))
    lines = _Orders()
    try:
        _connect(cluster)
        problem = _unfit(cluster)
    except Exception as error:  # noqa: BLE001  (whatever Ray raises, the batch has to be told)
        place = f"the Ray cluster at {cluster.address}" if cluster.address else "a Ray cluster"
        problem = f"{place} cannot be used: {type(error).__name__}: {error}"
    if problem is not None:
        out.write(json.dumps({"from": None, "kind": "unfit", "content": problem}) + "\n")
        out.flush()
        os._exit(_CLUSTER_DIED)
    lines.connected.set()
    bridge = _Bridge(sys.argv[1], cluster, out)
    for order in lines:
        bridge.take(order)
    _ENDING.set()
    family = [] if cluster.address else descendants(os.getpid())
    if family:
        # Nothing in it is needed any more. Left to itself it takes seconds, and its agents, which
        # are not told, a minute.
        for process in family:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
    else:
        ray.shutdown()
    # The batch may be gone, and with it whoever else would do this.
    shutil.rmtree(cluster.folder, ignore_errors=True)
    os._exit(_PARENT_GONE)
