"""What a batch would have to do: files, hours, and from a short trial the time and the bytes."""

import os
import queue
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from streammem.core.batches import BatchPlan
from streammem.core.results import IngestRequest, IngestResult
from streammem.runtime.batch.crew import Reply, Worker
from streammem.runtime.batch.desk import Desk
from streammem.runtime.batch.early import threads_each
from streammem.runtime.batch.local import LocalCrew
from streammem.runtime.batch.remote import mark_of
from streammem.runtime.batch.run import BatchJob, find_sources
from streammem.runtime.batch.wire import result_from_wire
from streammem.storage.library import LibraryFolder

_TRIAL_FILES = 3
_WARM_UP_S = 1.0
# Two lengths tell what a file costs from what a second costs.
_TRIAL_LENGTHS_S = (2.0, 10.0)
_TRIAL_LIMIT_S = 120.0
# A quick plan looks into no more files than this, and tries only for a batch of some length.
_LOOKED_INTO = 64
_WORTH_A_TRIAL_S = 3600.0


@dataclass(frozen=True, slots=True)
class _File:
    source: str
    size_bytes: int
    length_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    """A cost that grows with length: so much for each file, so much for each second of video."""

    per_file: float
    per_video_s: float

    def over(self, files: int, video_s: float) -> float:
        """The cost of that many files of that length in all."""
        return files * self.per_file + video_s * self.per_video_s


def plan_batch(named: Sequence[str], job: BatchJob, *, quick: bool) -> BatchPlan:
    """What the batch would have to do; `quick` looks into few files and tries only long batches.

    Raises:
        SourceError: there is no source.
    """
    desk = Desk(LibraryFolder(job.folder), job.request, job.options)
    found = [(source, mark_of(source)) for source in find_sources(named)]
    with desk:
        waiting = [
            _File(source, mark.size if mark else 0)
            for source, mark in found
            if mark is None or not desk.is_done(source, mark)
        ]
    looked = _looked_into(waiting, job.request, _LOOKED_INTO if quick else len(waiting))
    known = [file for file in looked if file.length_s is not None]
    video_s = _extrapolated(known, looked, waiting)
    costs = _costs(desk, job, known, video_s, quick=quick)
    jobs = max(1, min(job.options.jobs, len(waiting)))
    plan = BatchPlan(
        files=len(found),
        unchanged=len(found) - len(waiting),
        unreadable=len(looked) - len(known),
        source_bytes=sum(file.size_bytes for file in waiting),
        video_s=video_s,
        jobs=jobs,
        elapsed_s=None,
        memory_bytes=None,
        bytes_at_most=len(waiting) * job.request.budget_bytes,
    )
    return costs.applied(plan, len(waiting)) if costs is not None else plan


@dataclass(frozen=True, slots=True)
class _Costs:
    """What was measured: seconds, bytes where known, and how long a worker takes to be ready."""

    seconds: _Line
    bytes: _Line | None = None
    start_s: float = 0.0

    def applied(self, plan: BatchPlan, files: int) -> BatchPlan:
        """The plan with its estimates."""
        side_by_side = min(plan.jobs, os.cpu_count() or 1)
        elapsed_s = self.seconds.over(files, plan.video_s) / side_by_side
        measured = {
            "start_s": self.start_s,
            "file_s": self.seconds.per_file,
            "video_second_s": self.seconds.per_video_s,
        }
        memory_bytes = None
        if self.bytes is not None:
            memory_bytes = min(int(self.bytes.over(files, plan.video_s)), plan.bytes_at_most)
            measured["file_bytes"] = self.bytes.per_file
            measured["video_second_bytes"] = self.bytes.per_video_s
        elapsed_s += self.start_s if files else 0.0
        return replace(plan, elapsed_s=elapsed_s, memory_bytes=memory_bytes, measured=measured)


def _looked_into(files: Sequence[_File], request: IngestRequest, limit: int) -> list[_File]:
    """The files, or evenly chosen ones, with the seconds of them that would be read."""
    from streammem.video._pyav_probe import declared_length_s

    chosen = _evenly(files, limit)
    lengths = (_within(declared_length_s(Path(file.source)), request) for file in chosen)
    return [
        replace(file, length_s=length_s) for file, length_s in zip(chosen, lengths, strict=True)
    ]


def _within(length_s: float | None, request: IngestRequest) -> float | None:
    """A length without what lies outside the range that is asked for."""
    if length_s is None:
        return None
    start_s = request.start_s or 0.0
    end_s = length_s if request.end_s is None else min(length_s, request.end_s)
    return max(0.0, end_s - start_s)


def _evenly(files: Sequence[_File], limit: int) -> list[_File]:
    if len(files) <= limit:
        return list(files)
    return [files[place * len(files) // limit] for place in range(limit)]


def _extrapolated(
    known: Sequence[_File], looked: Sequence[_File], waiting: Sequence[_File]
) -> float:
    """Seconds in all files, from those that were looked into, by their bytes."""
    video_s = sum(file.length_s or 0.0 for file in known)
    looked_bytes = sum(file.size_bytes for file in looked)
    if len(looked) == len(waiting) or not looked_bytes:
        return video_s
    return video_s * sum(file.size_bytes for file in waiting) / looked_bytes


def _costs(
    desk: Desk, job: BatchJob, known: Sequence[_File], video_s: float, *, quick: bool
) -> _Costs | None:
    """What earlier batches took with these settings, else what a trial takes."""
    if quick:
        speeds = desk.speeds()
        if speeds:
            return _Costs(_fitted(speeds))
        if video_s < _WORTH_A_TRIAL_S:
            return None
    return _tried(job, _evenly(known, _TRIAL_FILES)) if known else None


def _tried(job: BatchJob, files: Sequence[_File]) -> _Costs | None:
    """Read the beginnings of some files into a library that is thrown away."""
    request = replace(job.request, force=True, name=None)
    with tempfile.TemporaryDirectory(prefix="streammem-plan-") as folder:
        orders = replace(job, folder=Path(folder), request=request).orders()
        crew = LocalCrew(orders, threads_each(job.options.jobs))
        inbox: queue.Queue[Reply] = queue.Queue()
        worker = crew.hire(inbox)
        try:
            begun_at = time.monotonic()
            results = _trials(worker, inbox, files, request)
            first = next(results, None)
            start_s = time.monotonic() - begun_at
            measured = [(one.covered_s, one.elapsed_s, one.bytes["file"]) for one in results]
        finally:
            worker.close()
            crew.close()
    if first is None or not measured:
        return None
    return _Costs(
        seconds=_fitted([(covered_s, elapsed_s) for covered_s, elapsed_s, _ in measured]),
        bytes=_fitted([(covered_s, size) for covered_s, _, size in measured]),
        start_s=start_s,
    )


def _trials(
    worker: Worker, inbox: "queue.Queue[Reply]", files: Sequence[_File], request: IngestRequest
) -> Iterator[IngestResult]:
    """Results of the trials that succeed; the first warms up and loads the models."""
    deadline = time.monotonic() + _TRIAL_LIMIT_S
    start_s = request.start_s or 0.0
    trials = [(files[0], _WARM_UP_S), *((file, s) for file in files for s in _TRIAL_LENGTHS_S)]
    for file, length_s in trials:
        end_s = start_s + min(length_s, file.length_s or length_s)
        worker.send({"source": file.source, "end_s": end_s})
        while True:
            try:
                _, kind, content = inbox.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return
            if kind in ("died", "lost", "over_limit"):
                return
            if kind == "result":
                break
        result = result_from_wire(content)
        if result.error is None and result.covered_s > 0:
            yield result


def _fitted(points: Sequence[tuple[float, float]]) -> _Line:
    """The line through (length, cost) by least squares, neither of its numbers below zero."""
    count = len(points)
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    together = sum((x - mean_x) * (y - mean_y) for x, y in points)
    if spread < 1e-9 * max(1.0, mean_x * mean_x) * count:
        return _Line(0.0, mean_y / mean_x) if mean_x > 0 else _Line(mean_y, 0.0)
    slope = together / spread
    if slope <= 0:
        return _Line(mean_y, 0.0)
    base = mean_y - slope * mean_x
    if base < 0:
        return _Line(0.0, sum(x * y for x, y in points) / sum(x * x for x, _ in points))
    return _Line(base, slope)
