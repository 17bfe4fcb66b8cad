"""Workers that go together: one loss, no file's fault, and an end where nothing else comes."""

import json
import queue
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
from streammem.runtime.batch.wire import WorkerOrders
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
        self._servant = Servant(crew.orders, self._tell, lambda: False)

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
