"""A pool of worker processes over ingest: a crash costs one source, never the rest."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from streammem.core.errors import Interrupted, StreamMemError
from streammem.core.results import IngestEvent, IngestRequest, IngestResult, OnEvent
from streammem.core.types import FrameCounts, Gap
from streammem.runtime.many import InterruptedRun, failed_result

_POLL_S = 0.2


def ingest_pool(
    sources: Sequence[str],
    folder: Path,
    request: IngestRequest,
    *,
    jobs: int,
    on_event: OnEvent,
    should_stop: Callable[[], bool],
) -> list[IngestResult]:
    """One result per source, in the order of the sources, made by `jobs` processes.

    Raises:
        InterruptedRun: `should_stop` said so; the running sources were committed first.
    """
    pool = _Pool(sources, folder, request, on_event)
    try:
        return pool.run(min(jobs, max(1, len(sources))), should_stop)
    finally:
        pool.close()


class _Worker:
    """One child process and the thread that reads its replies."""

    def __init__(
        self, folder: Path, request: IngestRequest, threads: int, inbox: "queue.Queue[_Reply]"
    ) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        # The package may run from a checkout; the child must find the same one.
        package_root = str(Path(__file__).resolve().parents[2])
        inherited = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (package_root, inherited)))
        self.position: int | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-m", "streammem.runtime.worker", str(folder),
             json.dumps(asdict(request))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the parent, which asks workers to commit
        )  # fmt: skip
        self._inbox = inbox
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            self._inbox.put((self, message["kind"], message["content"]))
        self._inbox.put((self, "died", self._process.wait()))

    def send(self, message: dict[str, Any]) -> None:
        """One line to the child; a child that is gone reports its own end."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write((json.dumps(message) + "\n").encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            return

    def close(self) -> None:
        """Close the child's input, which ends it at once, and reap it."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()


_Reply = tuple[_Worker, str, Any]


class _Pool:
    """Hands sources to workers and gathers their results. Used once."""

    def __init__(
        self, sources: Sequence[str], folder: Path, request: IngestRequest, on_event: OnEvent
    ) -> None:
        self._sources = list(sources)
        self._folder = folder
        self._request = request
        self._on_event = on_event
        self._inbox: queue.Queue[_Reply] = queue.Queue()
        self._waiting = deque(range(len(self._sources)))
        self._results: dict[int, IngestResult] = {}
        self._workers: list[_Worker] = []
        self._threads = 1

    def run(self, jobs: int, should_stop: Callable[[], bool]) -> list[IngestResult]:
        """Serve until every source has a result or the run is stopped."""
        self._threads = max(1, (os.cpu_count() or 1) // jobs)
        for _ in range(jobs if self._sources else 0):
            self._start_worker()
        asked = False
        while any(worker.position is not None for worker in self._workers):
            if should_stop() and not asked:
                asked = True
                self._waiting.clear()
                for worker in self._workers:
                    worker.send({"stop": True})
            try:
                worker, kind, content = self._inbox.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            self._handle(worker, kind, content)
        results = [self._results[place] for place in sorted(self._results)]
        if asked:
            stop = Interrupted(
                f"stopped; {len(results)} of {len(self._sources)} sources are done, what the "
                "running ones had read is kept",
                hint="run the same command again to go on",
            )
            raise InterruptedRun(stop, results)
        return results

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.close()
        self._workers = []

    def _start_worker(self) -> None:
        worker = _Worker(self._folder, self._request, self._threads, self._inbox)
        self._workers.append(worker)
        self._give(worker)

    def _give(self, worker: _Worker) -> None:
        worker.position = self._waiting.popleft() if self._waiting else None
        if worker.position is not None:
            worker.send({"source": self._sources[worker.position]})

    def _handle(self, worker: _Worker, kind: str, content: Any) -> None:
        if kind == "event":
            name = content.pop("event")
            self._on_event(IngestEvent(name, **{**content, "result": None}))
        elif kind == "result":
            self._finish(worker, result_from_wire(content))
            self._give(worker)
        elif kind == "interrupted":
            worker.position = None
        elif worker.position is not None:
            self._workers.remove(worker)
            self._finish(worker, failed_result(self._sources[worker.position], _crash(content)))
            if self._waiting:
                self._start_worker()

    def _finish(self, worker: _Worker, result: IngestResult) -> None:
        assert worker.position is not None
        self._results[worker.position] = result
        worker.position = None
        event = "item_failed" if result.error else "item_done"
        self._on_event(IngestEvent(event, result.source, result.memory_id, result=result))


def _crash(status: int) -> StreamMemError:
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return StreamMemError(
        f"the worker process {how}",
        hint="run `streammem ingest` on this source alone to see why",
        code="worker_died",
    )


def result_from_wire(data: dict[str, Any]) -> IngestResult:
    """The result that a worker sent."""
    wire = data.pop("error")
    error = None
    if wire is not None:
        error = StreamMemError(wire["message"], hint=wire["hint"], code=wire["code"])
        error.exit_code = wire["exit_code"]
    return IngestResult(
        **{
            **data,
            "frames": FrameCounts(**data["frames"]),
            "gaps": tuple(Gap(**gap) for gap in data["gaps"]),
            "notes": tuple(data["notes"]),
            "error": error,
        }
    )
