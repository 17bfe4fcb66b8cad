"""Workers that go together: one loss, no file's fault, and an end where nothing else comes."""

import json
import queue
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from streammem.core.batches import BatchEvent, BatchOptions
from streammem.core.config import AnswerConfig, load_config
from streammem.core.errors import StreamMemError
from streammem.core.requests import AskOptions, request_from_config
from streammem.core.results import IngestEvent, IngestResult
from streammem.runtime.batch.crew import Reply
from streammem.runtime.batch.desk import Desk
from streammem.runtime.batch.schedule import Schedule
from streammem.runtime.batch.servant import Servant
from streammem.runtime.batch.wire import WorkerOrders, result_to_wire
from streammem.storage.library import LibraryFolder
from tests.cli._batches import render

JOBS = 6


class Crew:
    """Workers that serve at once, in this process; the first of them are lost once they begin."""

    def __init__(self, orders: WorkerOrders, lose: int) -> None:
        self.orders, self.lose, self.hired = orders, lose, 0

    def hire(self, inbox: "queue.Queue[Reply]") -> "Hand":
        """One more worker."""
        self.hired += 1
        return Hand(self, inbox, lost=self.hired <= self.lose)

    def close(self) -> None:
        """Nothing is held."""


class Hand:
    """One worker of the crew."""

    def __init__(self, crew: Crew, inbox: "queue.Queue[Reply]", *, lost: bool) -> None:
        self._inbox, self._lost = inbox, lost
        self._servant = Servant(crew.orders, self._tell, lambda: False, lambda: True)

    def send(self, message: dict[str, Any]) -> None:
        """Serve it, or be lost with all others over it."""
        if self._lost:
            self._tell("taken", None)
            self._tell("lost", "went with its Ray cluster")
        else:
            self._servant.serve(json.loads(json.dumps(message)))

    def kill(self) -> None:
        """Nothing to end."""

    def close(self) -> None:
        """Nothing to end."""

    def _tell(self, kind: str, content: Any) -> None:
        self._inbox.put((self, kind, json.loads(json.dumps(content))))


def run(tmp_path: Path, lose: int) -> tuple[list[IngestResult], list[str], Crew]:
    """A batch over six videos with six workers, so many of which are lost; its events' kinds."""
    flags = {"ingest.encoder": "descriptor", "ingest.audio": False, "ingest.screen_text": False}
    config = load_config(flags=flags).config
    request, options = request_from_config(config), BatchOptions(jobs=JOBS)
    library = LibraryFolder(tmp_path / "library")
    videos = [tmp_path / f"clip{number}.mp4" for number in range(JOBS)]
    for number, video in enumerate(videos):
        if not video.exists():
            render(video, number, 1.0)
    crew = Crew(WorkerOrders(str(library.folder), request, AskOptions(), AnswerConfig()), lose)
    seen: list[IngestEvent | BatchEvent] = []
    schedule = Schedule(crew, Desk(library, request, options), options, seen.append)
    results = schedule.run([str(video) for video in videos], lambda: False)
    return results, [event.kind for event in seen], crew


def test_all_workers_of_a_lost_cluster_are_one_loss(tmp_path: Path) -> None:
    """Three clusters in a row may go with all their workers; no file is blamed or tried less."""
    results, kinds, crew = run(tmp_path, 3 * JOBS)

    assert [result.status for result in results] == ["done"] * JOBS
    assert not {"retried", "quarantined", "item_failed"} & set(kinds)
    assert crew.hired == 4 * JOBS


def test_clusters_that_go_again_and_again_end_the_batch(tmp_path: Path) -> None:
    """With an error that says how; the same batch with workers that stay finishes."""
    with pytest.raises(StreamMemError, match="went with its Ray cluster") as lost:
        run(tmp_path, 10**6)
    assert lost.value.code == "no_workers"

    results, _, _ = run(tmp_path, 0)
    assert [result.status for result in results] == ["done"] * JOBS


class Slow:
    """A crew of one whose worker ends what it reads whenever the batch has nothing else to do.

    `log` says what was `sent` to which worker and what was `done`; a worker dies over the names
    in `deadly`, and its word on those in `unheard` is lost, once each.
    """

    def __init__(self, deadly: set[str], unheard: Collection[str] = ()) -> None:
        self.log: list[tuple[int, str, str]] = []
        self.deadly, self.unheard, self.hired = deadly, set(unheard), 0

    def hire(self, inbox: "queue.Queue[Reply]") -> "SlowHand":
        """One more worker."""
        self.hired += 1
        hand = SlowHand(self, self.hired, inbox)
        get = queue.Queue.get

        def get_after_work(block: bool = True, timeout: float | None = None) -> Reply:
            if inbox.empty():
                hand.work()
            return get(inbox, block, timeout)

        inbox.get = get_after_work  # type: ignore[method-assign]
        return hand

    def close(self) -> None:
        """Nothing is held."""


class SlowHand:
    """A worker with its messages."""

    def __init__(self, crew: Slow, number: int, inbox: "queue.Queue[Reply]") -> None:
        self._crew, self._number, self._inbox = crew, number, inbox
        self._waiting: list[str] = []

    def send(self, message: dict[str, Any]) -> None:
        """Take it up, or let it wait."""
        name = Path(message["source"]).stem
        self._crew.log.append((self._number, "sent", name))
        self._waiting.append(name)
        if len(self._waiting) == 1:
            self._inbox.put((self, "taken", None))

    def work(self) -> None:
        """End the first, one way or the other, and take up the next."""
        name = self._waiting.pop(0)
        if name in self._crew.deadly:
            self._crew.deadly.remove(name)
            self._inbox.put((self, "died", "was killed by signal 9"))
            return
        self._crew.log.append((self._number, "done", name))
        if name in self._crew.unheard:
            self._crew.unheard.remove(name)
            self._inbox.put((self, "unheard", None))
        else:
            result = IngestResult(source=f"{name}.mp4", status="done", memory_id=name)
            self._inbox.put((self, "result", result_to_wire(result)))
        if self._waiting:
            self._inbox.put((self, "taken", None))

    def kill(self) -> None:
        """Nothing to end."""

    def close(self) -> None:
        """Nothing to end."""


def slow_run(
    tmp_path: Path, crew: Slow, sizes: list[int]
) -> tuple[list[IngestResult], list[BatchEvent | IngestEvent]]:
    """A batch of one worker over files of so many bytes, which nobody reads."""
    config = load_config(flags={"ingest.encoder": "descriptor"}).config
    files = [tmp_path / f"clip{number}.mp4" for number in range(len(sizes))]
    for number, (file, size) in enumerate(zip(files, sizes, strict=True)):
        file.write_bytes(bytes([number]) * size)
    seen: list[IngestEvent | BatchEvent] = []
    desk = Desk(LibraryFolder(tmp_path / "library"), request_from_config(config), BatchOptions())
    schedule = Schedule(crew, desk, BatchOptions(jobs=1), seen.append)
    return schedule.run([str(file) for file in files], lambda: False), seen


def test_the_next_file_waits_behind_a_small_one_and_not_behind_a_large_one(tmp_path: Path) -> None:
    """And not the last one, so that no worker is idle while a file waits at another."""
    crew = Slow(set())
    results, _ = slow_run(tmp_path, crew, [10, 2**20 + 1, 2**20, 7, 8])

    assert [result.status for result in results] == ["done"] * 5
    assert crew.log == [
        (1, what, f"clip{number}")
        for what, number in [
            ("sent", 0), ("sent", 1), ("done", 0), ("done", 1), ("sent", 2), ("sent", 3),
            ("done", 2), ("done", 3), ("sent", 4), ("done", 4),
        ]
    ]  # fmt: skip


def test_a_file_that_waited_at_a_lost_worker_is_not_blamed(tmp_path: Path) -> None:
    """It goes to the next worker first; the one that was being read is tried again at the end."""
    crew = Slow({"clip0"})
    results, seen = slow_run(tmp_path, crew, [10, 11, 12, 13])

    assert [result.status for result in results] == ["done"] * 4
    assert [name for seat, what, name in crew.log if (seat, what) == (1, "sent")] == [
        "clip0", "clip1",
    ]  # fmt: skip
    assert [name for seat, what, name in crew.log if (seat, what) == (2, "done")] == [
        "clip1", "clip2", "clip3", "clip0",
    ]  # fmt: skip
    retried = [event.source for event in seen if event.kind == "retried"]
    assert retried == [str(tmp_path / "clip0.mp4")]


def test_a_file_whose_end_was_not_heard_of_is_looked_at_again(tmp_path: Path) -> None:
    """And the one behind it, which the worker died over, is the one that is blamed."""
    crew = Slow({"clip1"}, unheard={"clip0"})
    results, seen = slow_run(tmp_path, crew, [10, 11, 12, 13])

    assert [result.status for result in results] == ["done"] * 4
    retried = [event.source for event in seen if event.kind == "retried"]
    assert retried == [str(tmp_path / "clip1.mp4")]
    assert crew.log[:3] == [(1, "sent", "clip0"), (1, "sent", "clip1"), (1, "done", "clip0")]
    assert [name for seat, what, name in crew.log if (seat, what) == (2, "done")] == [
        "clip0", "clip2", "clip3", "clip1",
    ]  # fmt: skip


def test_a_file_that_waits_when_all_is_stopped_is_not_begun(tmp_path: Path) -> None:
    """By the batch it is taken back; a worker that comes to it says so."""
    told: list[tuple[str, Any]] = []
    config = load_config(flags={"ingest.encoder": "descriptor"}).config
    orders = WorkerOrders(
        str(tmp_path / "library"), request_from_config(config), AskOptions(), AnswerConfig()
    )
    video = tmp_path / "clip.mp4"
    render(video, 1, 1.0)
    Servant(orders, lambda kind, content: told.append((kind, content)), lambda: True, bool).serve(
        {"source": str(video)}
    )

    assert [kind for kind, _ in told] == ["taken", "interrupted"]
    assert not (tmp_path / "library").exists()
