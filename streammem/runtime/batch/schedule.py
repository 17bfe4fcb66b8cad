"""Hands sources to workers, gathers results, and replaces workers that are lost."""

import queue
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from streammem.core.batches import BatchEvent, BatchOptions, OnBatchEvent
from streammem.core.budget import format_bytes
from streammem.core.errors import BudgetError, Interrupted, SourceError, StreamMemError
from streammem.core.results import IngestEvent, IngestResult
from streammem.runtime.batch.crew import Crew, Reply, Worker
from streammem.runtime.batch.desk import MAX_STRIKES, Desk, quarantine_error
from streammem.runtime.batch.remote import mark_of
from streammem.runtime.batch.wire import error_from_wire, result_from_wire
from streammem.runtime.many import InterruptedRun, failed_result
from streammem.storage.batch_journal import FileMark
from streammem.video.identity import fingerprint

_POLL_S = 0.2
_MORE_EVERY_S = 0.5
# Workers that are lost before they take anything up, or with their machine, are no source's fault;
# so many such losses without a result in between end the batch.
_MAX_LOST_STARTS = 4
_MAX_LOCKED = 8
# Behind a file of at most this size the next one may wait at the worker, so that it goes from one
# to the other without a word from here. Behind a larger one it could wait while others are idle.
_SMALL_BYTES = 1024 * 1024

More = Callable[[], Sequence[str]]


@dataclass(slots=True)
class _Task:
    """One source on its way; `result` is set once it is ingested and only questions are left."""

    position: int
    source: str
    mark: FileMark | None = None
    settings: str | None = None
    result: IngestResult | None = None
    questions: list[str] | None = None
    locked: int = 0
    identity: str | None = None


@dataclass(slots=True)
class _Seat:
    """A worker, what it does, since when, and why it was ended, where the batch ended it.

    `losses` is how many losses had been counted when it was hired, `ahead` what waits at the
    worker behind `task`.
    """

    worker: Worker
    losses: int = 0
    task: _Task | None = None
    ahead: _Task | None = None
    taken_at: float | None = None
    verdict: StreamMemError | None = None


class Schedule:
    """One batch from its first source to its last result. Used once, by one thread."""

    def __init__(
        self, crew: Crew, desk: Desk, options: BatchOptions, on_event: OnBatchEvent
    ) -> None:
        self._crew = crew
        self._desk = desk
        self._options = options
        self._on_event = on_event
        self._inbox: queue.Queue[Reply] = queue.Queue()
        self._waiting: deque[_Task] = deque()
        # Their memory is being written by another worker, or was a moment ago.
        self._parked: list[_Task] = []
        self._seats: list[_Seat] = []
        self._results: dict[int, IngestResult] = {}
        self._count = 0
        self._losses = 0
        self._lost_starts = 0
        self._full: StreamMemError | None = None
        self._should_stop: Callable[[], bool] = lambda: False

    def run(
        self, sources: Sequence[str], should_stop: Callable[[], bool], more: More | None = None
    ) -> list[IngestResult]:
        """One result per source, in their order; `more` names further ones and keeps it going.

        Raises:
            InterruptedRun: `should_stop` said so; the running sources were committed first.
            StreamMemError: no worker can be started.
        """
        self._should_stop = should_stop
        self._offer(sources)
        try:
            with self._desk:
                if self._finished(more):
                    return self._sorted()
                self._wind_down()
        finally:
            for seat in self._seats:
                seat.worker.close()
            self._crew.close()
        results = self._sorted()
        stop = Interrupted(
            f"stopped; {len(results)} of {self._count} sources are done, what the "
            "running ones had read is kept",
            hint="run the same command again to go on",
        )
        raise InterruptedRun(stop, results)

    def _finished(self, more: More | None) -> bool:
        """Work until every source has its result; False where it was stopped before."""
        asked_at = 0.0
        while not self._should_stop():
            if more is not None and time.monotonic() - asked_at > _MORE_EVERY_S:
                self._offer(more())
                asked_at = time.monotonic()
            self._fill()
            if not self._busy() and not self._parked and more is None:
                return True
            self._turn()
        return False

    def _offer(self, sources: Sequence[str]) -> None:
        for source in sources:
            self._waiting.append(_Task(self._count, source))
            self._count += 1
        if sources:
            self._on_event(BatchEvent("sources", count=self._count))

    def _sorted(self) -> list[IngestResult]:
        return [self._results[place] for place in sorted(self._results)]

    def _busy(self) -> bool:
        return any(seat.task is not None for seat in self._seats)

    def _wind_down(self) -> None:
        """Let the running sources commit."""
        self._waiting.clear()
        for seat in self._seats:
            seat.ahead = None
            if seat.taken_at is None:
                # It has nothing to commit, and may never take it up.
                seat.task = None
            else:
                seat.worker.send({"stop": True})
        while self._busy():
            self._turn()
            self._waiting.clear()

    def _turn(self) -> None:
        """Take in one reply, if there is one, and look at the clocks."""
        try:
            worker, kind, content = self._inbox.get(timeout=_POLL_S)
        except queue.Empty:
            self._desk.rest()
            self._unpark()
        else:
            seat = next((seat for seat in self._seats if seat.worker is worker), None)
            if seat is not None:
                self._handle(seat, kind, content)
        self._end_overdue()

    def _fill(self) -> None:
        """Give every idle worker a task; hire as long as there are tasks and places."""
        for seat in self._seats:
            if seat.task is None and seat.ahead is not None:
                seat.task, seat.ahead = seat.ahead, None
                seat.taken_at = None
            elif seat.task is None:
                self._give(seat, self._next())
        while len(self._seats) < self._options.jobs:
            task = self._next()
            if task is None:
                return
            seat = _Seat(self._crew.hire(self._inbox), self._losses)
            self._seats.append(seat)
            self._give(seat, task)
        for seat in self._seats:
            # As long as more wait than could be taken up, nobody is idle meanwhile.
            if len(self._waiting) > len(self._seats) and self._may_hold_more(seat):
                seat.ahead = self._next()
                if seat.ahead is not None:
                    _send(seat.worker, seat.ahead)

    def _may_hold_more(self, seat: _Seat) -> bool:
        """Whether a further source may wait at a worker behind the one it reads."""
        if seat.ahead is not None or seat.verdict is not None or self._desk.asks:
            return False
        mark = seat.task.mark if seat.task is not None else None
        return mark is not None and mark.size <= _SMALL_BYTES

    def _give(self, seat: _Seat, task: _Task | None) -> None:
        seat.task, seat.taken_at, seat.verdict = task, None, None
        if task is not None:
            _send(seat.worker, task)

    def _next(self) -> _Task | None:
        """The next task that needs a worker; others get their results here."""
        while self._waiting and not self._should_stop():
            task = self._waiting.popleft()
            if task.result is not None:
                return task
            task.mark = mark_of(task.source)
            if self._twin_at_work(task):
                self._parked.append(task)
                continue
            task.settings = self._desk.settings_of(task.source)
            known = self._desk.known(task.source, task.mark, task.settings)
            if known is not None:
                task.result, task.questions = known, self._desk.questions_left(known)
                if task.questions:
                    return task
                self._finish(task, known)
                continue
            problem = self._full or self._desk.quarantined(task.source, task.mark)
            if problem is None:
                return task
            if problem.code == "quarantined":
                self._on_event(BatchEvent("quarantined", task.source, problem.message))
            self._finish(task, failed_result(task.source, problem))
        return None

    def _twin_at_work(self, task: _Task) -> bool:
        """Whether a worker is reading a file of the same content; it would become two memories."""
        at_work = (one for seat in self._seats for one in (seat.task, seat.ahead))
        twins = [one for one in at_work if one and one.mark and task.mark
                 and one.mark.size == task.mark.size]  # fmt: skip
        return bool(twins) and _identity(task) in map(_identity, twins)

    def _handle(self, seat: _Seat, kind: str, content: Any) -> None:
        task = seat.task
        if kind in ("died", "lost"):
            self._lost(seat, kind, str(content))
        elif kind == "unfit":
            raise StreamMemError(str(content), hint="see docs/batch.md", code="no_cluster")
        elif task is None or seat.verdict is not None:
            # It was ended; what it had still said does not count.
            return
        elif kind == "taken":
            seat.taken_at = time.monotonic()
        elif kind == "event":
            event = dict(content)
            self._on_event(IngestEvent(event.pop("event"), **{**event, "result": None}))
        elif kind == "result":
            seat.task, self._lost_starts = None, 0
            self._ingested(seat, task, content)
        elif kind == "answers":
            seat.task, self._lost_starts = None, 0
            self._answered(task, content)
        elif kind == "refused":
            seat.task = None
            self._finish(task, _unanswered(task, error_from_wire(content)))
        elif kind == "unheard":
            # It is done and what became of it went with the worker: a look at it tells.
            seat.task = None
            self._waiting.appendleft(task)
        elif kind == "interrupted":
            seat.task = None
        elif kind == "over_limit":
            seat.verdict = _over_limit(int(content), self._options.memory_limit_bytes or 0)
            seat.worker.kill()

    def _ingested(self, seat: _Seat, task: _Task, wire: Mapping[str, Any]) -> None:
        result = result_from_wire(wire)
        code = result.error.code if result.error else None
        if code == "memory_locked" and task.locked < _MAX_LOCKED:
            task.locked += not self._busy()
            self._parked.append(task)
            return
        if code == "disk_full":
            self._full = result.error
        self._desk.note_done(task.mark, task.settings, result, wire)
        task.questions = self._desk.questions_left(result)
        if not task.questions:
            self._finish(task, result)
            return
        task.result = result
        self._give(seat, task)

    def _answered(self, task: _Task, lines: list[dict[str, Any]]) -> None:
        assert task.result is not None
        try:
            self._desk.note_answers(lines)
        except StreamMemError as error:
            self._full = error
            self._finish(task, _unanswered(task, error))
            return
        for line in lines:
            self._on_event(BatchEvent("answered", task.source, content=line))
        self._finish(task, task.result)

    def _finish(self, task: _Task, result: IngestResult) -> None:
        self._results[task.position] = result
        self._unpark()
        event = "item_failed" if result.error else "item_done"
        self._on_event(IngestEvent(event, result.source, result.memory_id, result=result))

    def _unpark(self) -> None:
        self._waiting.extend(self._parked)
        self._parked = []

    def _end_overdue(self) -> None:
        limit_s = self._options.timeout_s
        if limit_s is None:
            return
        for seat in self._seats:
            overdue = seat.taken_at is not None and time.monotonic() - seat.taken_at > limit_s
            if overdue and seat.task is not None and seat.verdict is None:
                seat.verdict = SourceError(
                    f"{seat.task.source} was not done after {limit_s:g} s; its worker was ended",
                    hint="what was read is kept: run it again, or give it a longer --timeout",
                    code="timeout",
                )
                seat.worker.kill()

    def _lost(self, seat: _Seat, kind: str, how: str) -> None:
        """A worker is gone: its task fails, or is tried again by another one."""
        self._seats.remove(seat)
        seat.worker.close()
        task = seat.task
        if seat.ahead is not None:
            self._waiting.appendleft(seat.ahead)
        if seat.taken_at is None or kind == "lost":
            # Workers that go together, with their machine or cluster, are one loss.
            if seat.losses == self._losses:
                self._losses += 1
                self._lost_starts += 1
            if self._lost_starts >= _MAX_LOST_STARTS:
                raise StreamMemError(
                    f"workers are lost before they can begin: the last one {how}",
                    hint="see what they say above; `streammem doctor` checks the installation",
                    code="no_workers",
                )
            if task is not None:
                self._waiting.appendleft(task)
            return
        if task is None:
            return
        reason = seat.verdict.message if seat.verdict else f"the worker {how}"
        strikes = self._desk.strike(task.mark, reason)
        if seat.verdict is not None:
            self._finish(task, failed_result(task.source, seat.verdict))
        elif strikes < MAX_STRIKES:
            self._on_event(BatchEvent("retried", task.source, reason))
            self._waiting.append(task)
        else:
            error = _crash(task, how) if task.mark is None else quarantine_error(task.source, how)
            self._on_event(BatchEvent("quarantined", task.source, error.message))
            self._finish(task, failed_result(task.source, error))


def _send(worker: Worker, task: _Task) -> None:
    if task.result is not None:
        worker.send({"ask": task.result.memory_path, "questions": task.questions})
    else:
        worker.send({"source": task.source})


def _identity(task: _Task) -> str:
    """What a file holds, as a digest; one that cannot be read is like no other."""
    if task.identity is None:
        try:
            task.identity = fingerprint(task.source)
        except StreamMemError:
            task.identity = task.source
    return task.identity


def _unanswered(task: _Task, error: StreamMemError) -> IngestResult:
    """The result of a source that was ingested and could not be asked."""
    assert task.result is not None
    return replace(task.result, status="failed", error=error)


def _over_limit(peak_bytes: int, limit_bytes: int) -> StreamMemError:
    return BudgetError(
        f"the worker took {format_bytes(peak_bytes)} of memory, more than the "
        f"{format_bytes(limit_bytes)} of --memory-limit",
        hint="raise --memory-limit, or use a smaller encoder; --retry-quarantined tries the file "
        "again",
        code="memory_limit",
    )


def _crash(task: _Task, how: str) -> StreamMemError:
    return StreamMemError(
        f"the worker process {how}",
        hint=f"run `streammem ingest {task.source}` alone to see why",
        code="worker_died",
    )
