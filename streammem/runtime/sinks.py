"""Where alerts go: commands and webhooks. A sink never blocks, and a dead one stops nothing."""

import json
import os
import signal
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from streammem.core.alerts import Alert
from streammem.core.errors import UsageError
from streammem.runtime.errands import Errands

OnNote = Callable[[str], None]

WAITING = 64
COMMANDS_AT_ONCE = 2
COMMAND_TIMEOUT_S = 30.0
CLOSE_S = 10.0
_MAX_SAID_CHARS = 200


class DeliveryError(Exception):
    """An alert could not be delivered; the message says why, without anything secret."""


@dataclass(frozen=True, slots=True)
class SinkCounts:
    """What became of the alerts that a sink was given: `dropped` ones found no room or no time."""

    name: str
    delivered: int
    failed: int
    dropped: int
    problem: str | None

    def to_json(self) -> dict[str, Any]:
        """The entry of `sinks`."""
        return {
            "sink": self.name,
            "delivered": self.delivered,
            "failed": self.failed,
            "dropped": self.dropped,
            "problem": self.problem,
        }


def alert_body(alert: Alert, source: str) -> bytes:
    """What sinks send: the alert and its source as one line of JSON, `sent_at` in Unix seconds."""
    sent_at = round(time.time(), 3)
    document = {"event": "alert", "source": source, "sent_at": sent_at, **alert.to_json()}
    return json.dumps(document, sort_keys=True, ensure_ascii=False).encode()


class Sink(ABC):
    """A bounded queue before one place. Its first failure is told once, all are counted."""

    def __init__(self, name: str, on_note: OnNote, *, at_once: int) -> None:
        self.name = name
        self._on_note = on_note
        self._lock = threading.Lock()
        self._delivered = self._failed = self._dropped = 0
        self._problem: str | None = None
        self._closed = False
        self._errands = Errands(name, at_once=at_once, waiting=WAITING)

    @abstractmethod
    def deliver(self, body: bytes) -> None:
        """Bring one alert to its place, within a time of its own.

        Raises:
            DeliveryError: it could not be delivered.
        """

    def offer(self, body: bytes) -> None:
        """Take an alert; returns at once."""
        if not self._errands.offer(lambda: self._attempt(body)):
            with self._lock:
                self._dropped += 1
            self._tell(f"more than {WAITING} alerts wait for it; the newest are dropped")

    def close(self, wait_s: float = CLOSE_S) -> SinkCounts:
        """Wait so long for what is under way, then end. Safe to call twice."""
        left = self._errands.close(wait_s)
        with self._lock:
            if not self._closed:
                self._dropped += left
            self._closed = True
        return self.counts()

    def counts(self) -> SinkCounts:
        """What became of the alerts so far."""
        with self._lock:
            return SinkCounts(
                self.name, self._delivered, self._failed, self._dropped, self._problem
            )

    def _attempt(self, body: bytes) -> None:
        try:
            self.deliver(body)
        except DeliveryError as error:
            with self._lock:
                self._failed += 1
            self._tell(str(error))
        else:
            with self._lock:
                self._delivered += 1

    def _tell(self, problem: str) -> None:
        with self._lock:
            first, self._problem = self._problem is None, problem
        if first:
            self._on_note(f"{self.name}: {problem}; further failures are only counted")


class CommandSink(Sink):
    """Runs a command for each alert: no shell, the alert as JSON on its standard input."""

    def __init__(
        self,
        arguments: Sequence[str],
        on_note: OnNote,
        *,
        timeout_s: float = COMMAND_TIMEOUT_S,
        at_once: int = COMMANDS_AT_ONCE,
    ) -> None:
        """Prepare for a command.

        Raises:
            UsageError: there is no command.
        """
        if not arguments or not arguments[0]:
            raise UsageError("--on-alert without a command", hint="--on-alert notify-me.sh")
        self._arguments = list(arguments)
        self._timeout_s = timeout_s
        self._running: set[subprocess.Popen[bytes]] = set()
        super().__init__(f"command {arguments[0]}", on_note, at_once=at_once)

    def deliver(self, body: bytes) -> None:
        """Run it once; it and all it started are ended after the time limit.

        Raises:
            DeliveryError: it cannot be started, fails or takes too long.
        """
        try:
            process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise DeliveryError(f"cannot be started: {error.strerror}") from error
        with self._lock:
            self._running.add(process)
        try:
            _, said = process.communicate(body + b"\n", timeout=self._timeout_s)
        except subprocess.TimeoutExpired:
            _end_group(process)
            raise DeliveryError(f"took longer than {self._timeout_s:g} s and was ended") from None
        finally:
            with self._lock:
                self._running.discard(process)
        if process.returncode != 0:
            last = said.decode("utf-8", "replace").strip().splitlines()[-1:]
            why = f": {last[0][:_MAX_SAID_CHARS]}" if last else ""
            raise DeliveryError(f"ended with status {process.returncode}{why}")

    def close(self, wait_s: float = CLOSE_S) -> SinkCounts:
        """Wait so long for what is under way; what still runs then is ended."""
        counts = super().close(wait_s)
        with self._lock:
            left = list(self._running)
        for process in left:
            _kill_group(process)
        return counts


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    _kill_group(process)
    for stream in (process.stdin, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()
    process.wait()
