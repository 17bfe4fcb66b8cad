"""Reads a live source for as long as wanted: kills what hangs, opens again, keeps the books.

Frames come out in the order of memory time, none twice; between them gaps and segments. What
reads is a process of its own (`live_process`); what turns its times into times of the memory is
`live_clock`; what is kept while nobody takes it is bounded here.
"""

import os
import random
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from streammem.core.errors import SourceError
from streammem.core.types import Gap
from streammem.video.identity import redact
from streammem.video.live_clock import (
    NOT_WATCHING,
    ClockState,
    Placed,
    Segment,
    Sighting,
    SourceClock,
    Step,
)
from streammem.video.live_process import ReadingProcess, ReadingTurns
from streammem.video.live_queue import BLOCK, DROP_OLDEST, LiveFrame, LiveItem, LiveQueue
from streammem.video.live_source import STDIN, head_of, is_growing_file, is_playlist

AUTO = "auto"
STALLED = "stalled"
UNREACHABLE = "unreachable"
DISCONNECTED = "disconnected"
READER_DIED = "the reading process died"
RESOLUTION = "resolution"
_TICK_S = 0.05
_FIRST_WAIT_S = 0.25
# What will not be otherwise the next time.
_HOPELESS = frozenset({"protocol_not_allowed", "not_found", "permission_denied", "no_video_track"})


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """How a source is watched. Times in seconds.

    A reading that gives no frame for `stall_s` (at first `open_s`) is killed and begun again after
    a wait that doubles up to `longest_wait_s`; without any frame within `give_up_s` of the start
    the source counts as unreachable. `when_behind` is `auto`, `drop-oldest`, `lower-rate` or
    `block`: what happens to frames that come faster than they are taken.
    """

    rate_hz: float
    short_side_px: int | None = None
    transport: str = "tcp"
    when_behind: str = AUTO
    stall_s: float = 10.0
    open_s: float = 20.0
    give_up_s: float = 30.0
    longest_wait_s: float = 30.0
    threads: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with a live source at one moment.

    `blind` is the gap that is still open, `decoded` the frames seen so far, `seen_end_s` how far
    the memory's time has been seen, `waiting` the frames nobody has taken yet. `came_at_s` is when
    the newest frame came (monotonic), also one that an earlier run had seen; None before the first.
    """

    decoded: int
    seen_end_s: float
    waiting: int
    blind: Gap | None
    connections: int
    rate_hz: float
    came_at_s: float | None


class LiveReader:
    """A live source that is opened again and again. `start` it, `take` from it, `close` it.

    One thread takes; the reading goes on in others. `at_s` of frames and all moments are those of
    `time.monotonic`.
    """

    def __init__(
        self,
        source: str,
        options: LiveOptions,
        state: ClockState | None = None,
        *,
        zero_s: float | None = None,
    ) -> None:
        """A reader that is not started; `state` and `zero_s` are those of an earlier one."""
        self._source = source
        self._options = options
        self._lock = threading.Lock()
        self._clock = SourceClock(state, zero_s=zero_s)
        self._clock.own_pace = source == STDIN or is_growing_file(source)
        self._clock.patient = is_playlist(source)
        self._head = head_of(source)
        self._file = is_growing_file(source)
        self._queue = LiveQueue(options.rate_hz)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watching", daemon=True)
        self._size: tuple[int, int] | None = None
        # What is timed by itself goes on where it was, whenever that is.
        goes_on = state is None or self._clock.own_pace
        self._blind_reason: str | None = None if goes_on else NOT_WATCHING
        self._decoded = 0
        self._connections = 0
        self._seen_any = False
        self._came_at_s: float | None = None
        self._descriptor = os.dup(0) if source == STDIN else None

    @property
    def zero_s(self) -> float | None:
        """When memory time 0 was, on the monotonic clock; None before the first frame."""
        return self._clock.zero_s

    def trust(self, *, same_file: bool) -> None:
        """Say, before the start, that times mean what they meant in an earlier run."""
        self._clock.trusted = same_file

    @property
    def head(self) -> str | None:
        """What tells whether a growing file is still the same one."""
        return self._head

    def state(self) -> ClockState | None:
        """What a later reader needs to go on behind everything seen so far."""
        with self._lock:
            return self._clock.state

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def take(self, timeout_s: float, limit: int) -> list[LiveItem]:
        """What has come, at most `limit` things, at least one unless the time runs out.

        Raises:
            SourceError: the source cannot be watched at all.
        """
        return self._queue.take(timeout_s, limit)

    def rest(self) -> list[LiveItem]:
        """Stop reading, and give everything that was not taken."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join()
        return self._queue.rest()

    @property
    def ended(self) -> bool:
        """Whether the source came to its end and everything of it was taken."""
        return self._queue.ended

    def dropped(self) -> list[tuple[float, float, int]]:
        """The stretches (start, end, frames) that were dropped since the last call."""
        return self._queue.dropped()

    def standing(self) -> Standing:
        """How it stands now."""
        now_s = time.monotonic()
        with self._lock:
            blind = None
            if self._blind_reason is not None and self._clock.zero_s is not None:
                end_s = self._clock.now_s(now_s)
                if end_s - self._clock.end_s > self._clock.gap_s:
                    blind = Gap(self._clock.end_s, end_s, self._blind_reason)
            return Standing(
                self._decoded,
                self._clock.end_s,
                self._queue.waiting,
                blind,
                self._connections,
                self._queue.rate_hz,
                self._came_at_s,
            )

    def close(self) -> None:
        """Stop reading; safe to call twice."""
        self._closed.set()
        self._queue.end(None)
        if self._thread.is_alive():
            self._thread.join()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _run(self) -> None:
        """Read until it is over; whoever takes is told of what cannot be helped."""
        try:
            self._read_on()
        except OSError as error:
            self._queue.end(
                SourceError(
                    f"a reading process cannot be started: {error}",
                    hint="close other programs, then run the same command again",
                    code="no_process",
                )
            )

    def _read_on(self) -> None:
        began_s, wait_s = time.monotonic(), _FIRST_WAIT_S
        problem: SourceError | None = None
        with closing(ReadingTurns(self._descriptor, self._receive)) as turns:
            while not self._closed.is_set():
                process = turns.next()
                process.begin(self._job())
                reason = self._attend(process, turns)
                turns.over(process)
                problem = _error_of(process) or problem
                with self._lock:
                    self._put(self._clock.broke(reason))
                    if not (self._clock.own_pace or self._closed.is_set()):
                        seen_any = self._seen_any
                        self._blind_reason = self._blind_reason or (reason if seen_any else None)
                if self._is_over(process, problem, began_s):
                    return
                wait_s = _FIRST_WAIT_S if process.frames else wait_s
                self._closed.wait(wait_s * random.uniform(0.5, 1.0))
                wait_s = min(2.0 * wait_s, self._options.longest_wait_s)

    def _job(self) -> dict[str, Any]:
        """What the next process is to read, and how."""
        if self._file and self._connections:
            head = head_of(self._source)
            self._clock.trusted = head is not None and head == self._head
            self._head = head
        self._connections += 1
        return {
            "source": self._source,
            "transport": self._options.transport,
            "rate_hz": self._queue.rate_hz,
            "short_side_px": self._options.short_side_px,
            "threads": self._options.threads,
            "again": self._connections > 1,
            "descriptor": self._descriptor,
        }

    def _attend(self, process: ReadingProcess, turns: ReadingTurns) -> str:
        """Watch over a reading until it is over; why it is."""
        while not process.gone.wait(_TICK_S):
            now_s = time.monotonic()
            with self._lock:
                self._put(self._clock.settle_due(now_s))
            if self._closed.is_set():
                return DISCONNECTED
            limit_s = self._options.stall_s if process.frames else self._options.open_s
            quiet_s = 0.0 if self._clock.own_pace else process.quiet_s(now_s)
            if quiet_s > limit_s:
                return STALLED
            turns.keep_one_ready(wanted=quiet_s > limit_s / 2)
            if self._came_at_s is None and self._gave_up(now_s, process.started_s):
                return UNREACHABLE
            rate_hz = self._queue.new_rate(self._policy)
            if rate_hz is not None:
                process.tell({"rate_hz": rate_hz})
        if process.failed is not None:
            return UNREACHABLE
        if process.ended is None:
            return READER_DIED
        return STALLED if "stopped answering" in process.ended["trouble"] else DISCONNECTED

    def _gave_up(self, now_s: float, since_s: float) -> bool:
        return self._source != STDIN and now_s - since_s > self._options.give_up_s

    def _is_over(
        self, process: ReadingProcess, problem: SourceError | None, began_s: float
    ) -> bool:
        """Whether there is no use in opening the source again; the queue then knows why."""
        if self._closed.is_set():
            return True
        finite = self._source == STDIN or bool((process.opened or {}).get("finite"))
        came_any = self._came_at_s is not None
        if process.ended is not None and finite and not process.ended["trouble"]:
            if came_any:
                self._queue.end(None)
                return True
            problem = problem or _nothing_came(self._source)
        hopeless = problem is not None and problem.code in _HOPELESS
        stdin_failed = self._source == STDIN and process.failed is not None
        late = self._gave_up(time.monotonic(), began_s)
        if not came_any and (hopeless or stdin_failed or late or finite):
            self._queue.end(problem or _nothing_came(self._source))
            return True
        return False

    @property
    def _policy(self) -> str:
        if self._options.when_behind != AUTO:
            return self._options.when_behind
        return BLOCK if self._clock.own_pace else DROP_OLDEST

    def _receive(self, process: ReadingProcess, frame: Sighting) -> None:
        """Take in one frame, in the thread that listens to the process that sent it."""
        with self._lock:
            self._came_at_s = frame.at_s
            if process.opened is not None and process.frames == 1:
                self._note_opened(bool(process.opened["finite"]))
            came = self._put(self._clock.see(frame))
        if came and self._policy == BLOCK:
            self._queue.wait_for_room(self._closed)

    def _note_opened(self, finite: bool) -> None:
        """A recording behind an address is read at its own pace and starts the same each time."""
        if finite:
            self._clock.own_pace = self._clock.trusted = True

    def _put(self, steps: Sequence[Step]) -> bool:
        """Hand on what the clock has settled; whether there was anything. The lock is held."""
        for step in steps:
            if isinstance(step, Placed):
                self._put_frame(step)
            else:
                self._queue.put(step, self._policy)
        return bool(steps)

    def _put_frame(self, placed: Placed) -> None:
        self._decoded += 1
        self._seen_any = True
        self._blind_reason = None
        seen = placed.sighting
        if seen.pixels is None:
            return
        if self._size is not None and seen.size != self._size:
            self._queue.put(Segment(placed.time_s, RESOLUTION), self._policy)
        self._size = seen.size
        frame = LiveFrame(
            seen.pixels,
            placed.time_s,
            seen.lasts_s,
            seen.at_s,
            seen.pts_s,
            self._decoded,
            seen.size,
        )
        self._queue.put(frame, self._policy)


def _error_of(process: ReadingProcess) -> SourceError | None:
    failed = process.failed
    if failed is None:
        return None
    error = SourceError(failed["message"], hint=failed["hint"], code=failed["code"])
    error.exit_code = failed["exit_code"]
    return error


def _nothing_came(source: str) -> SourceError:
    return SourceError(
        f"no frame came from {redact(source)}",
        hint="check the address and that it is sending",
        code="unreachable",
    )
