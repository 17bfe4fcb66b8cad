"""Runs trials in child processes: a crash costs one policy on one stream, never the rest."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from streammem.bench.trials import Key, Row, Trial, row_from_json

_POLL_S = 0.2
# Products of a memory are small: shared between the threads of OpenBLAS they take several times the
# processor time, on a busy machine up to thirty times.
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}


class _Child:
    """One worker process, started when it is first needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process at work, None where there is none."""
        process = self._process
        return process.pid if process is not None else None

    def measure(self, trial: Trial, on_row: Callable[[Row], None]) -> str | None:
        """Hand over a trial and pass on its rows; what went wrong, or None."""
        with self._lock:
            if self._closed:
                return "stopped"
            process = self._process = self._process or self._start()
        if process.stdin is None or process.stdout is None:
            raise ValueError("the worker has no pipes")
        try:
            process.stdin.write(json.dumps(trial.to_json()) + "\n")
            process.stdin.flush()
        except OSError:
            return self._ended(process)
        for line in process.stdout:
            reply = json.loads(line)
            if reply["kind"] == "row":
                on_row(row_from_json(reply["content"]))
            elif reply["kind"] == "done":
                return None
            else:
                return str(reply["content"])
        return self._ended(process)

    def _ended(self, process: subprocess.Popen[str]) -> str:
        self.renew()
        return f"the worker process ended with status {process.returncode}"

    def _start(self) -> "subprocess.Popen[str]":
        # The package may run from a checkout; the child must find the same one.
        package_root = str(Path(__file__).resolve().parents[2])
        inherited = os.environ.get("PYTHONPATH")
        path = os.pathsep.join(filter(None, (package_root, inherited)))
        return subprocess.Popen(
            [sys.executable, "-m", "streammem.bench.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**_ONE_THREAD, **os.environ, "PYTHONPATH": path},
            # A signal of the terminal goes to the parent, which ends its children itself.
            start_new_session=True,
        )

    def renew(self) -> None:
        """End the process and close its pipes; the next trial gets a new one."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def close(self) -> None:
        """Kill the process, for good; may be called while another thread waits for its reply."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()


class Pool:
    """Runs trials with `jobs` processes and yields rows as they come.

    `fresh` starts a new process for every trial, so that one does not see another's memory.
    """

    def __init__(self, jobs: int, *, fresh: bool = False) -> None:
        self._fresh = fresh
        self._children = [_Child() for _ in range(max(1, jobs))]
        self._todo: deque[Trial] = deque()
        self._replies: queue.Queue[Row | BaseException | None] = queue.Queue()
        self._lock = threading.Lock()
        self._stopped = False

    def rows(self, trials: Sequence[Trial], should_stop: Callable[[], bool]) -> Iterator[Row]:
        """Every row of the trials, in the order they are finished; fewer when told to stop.

        A trial of several policies that fails is repeated for each of them alone, so that only
        the one at fault has no figures.
        """
        self._todo.extend(trials)
        threads = [
            threading.Thread(target=self._serve, args=(child,), daemon=True)
            for child in self._children
        ]
        for thread in threads:
            thread.start()
        serving = len(threads)
        try:
            while serving and not should_stop():
                try:
                    reply = self._replies.get(timeout=_POLL_S)
                except queue.Empty:
                    continue
                if isinstance(reply, BaseException):
                    raise reply
                if reply is None:
                    serving -= 1
                else:
                    yield reply
        finally:
            self._stopped = True
            for child in self._children:
                child.close()
            for thread in threads:
                thread.join()

    def pids(self) -> list[int]:
        """The processes at work."""
        return [pid for child in self._children if (pid := child.pid) is not None]

    def _serve(self, child: _Child) -> None:
        try:
            while (trial := self._next()) is not None:
                self._measure(child, trial)
                if self._fresh:
                    child.renew()
        except BaseException as error:  # noqa: BLE001  (it is raised by the thread that waits)
            self._replies.put(error)
        finally:
            child.renew()
        self._replies.put(None)

    def _next(self) -> Trial | None:
        with self._lock:
            return self._todo.popleft() if self._todo and not self._stopped else None

    def _measure(self, child: _Child, trial: Trial) -> None:
        done: set[Key] = set()

        def on_row(row: Row) -> None:
            done.add(row.key)
            self._replies.put(row)

        problem = child.measure(trial, on_row)
        missing = [name for name in trial.policies if trial.key(name) not in done]
        if not missing or self._stopped:
            return
        if len(trial.policies) == 1:
            reason = problem or "the protocol gave no figures"
            self._replies.put(Row(trial.key(missing[0]), {}, failed=reason))
            return
        for name in missing:
            self._measure(child, replace(trial, policies=(name,)))
