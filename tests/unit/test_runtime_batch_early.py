"""Workers that begin before a batch knows what they are to do."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streammem.runtime.batch import early
from streammem.storage.batch_journal import JOURNAL_NAME
from streammem.workers import begin_workers

Processes = list["subprocess.Popen[bytes]"]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Processes]:
    """The processes that were started; none is left at the end."""
    found: Processes = []
    start: Callable[[Any], subprocess.Popen[bytes]] = early._start

    def noted(environment: Any) -> "subprocess.Popen[bytes]":
        found.append(start(environment))
        return found[-1]

    monkeypatch.setattr(early, "_start", noted)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    yield found
    early.end_workers()
    for process in found:
        process.kill()
        process.communicate()


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A folder with two files that can be seen."""
    for name in ("a.mp4", "b.mp4", ".hidden.mp4"):
        (tmp_path / name).write_bytes(b"video")
    return str(tmp_path)


def test_a_worker_that_began_early_is_the_one_that_is_hired(
    folder: str, tmp_path: Path, started: Processes
) -> None:
    """Where its share of the cores is the right one; what nobody hires is ended."""
    begin_workers([folder], 2, str(tmp_path / "library"))
    begin_workers([folder], 2, str(tmp_path / "library"))
    assert len(started) == 2

    first, second = started
    assert early.worker_process(early.child_environment(early.threads_each(1))) is started[2]
    assert early.worker_process(early.child_environment(early.threads_each(2))) is first
    early.end_workers()
    assert second.poll() is not None
    assert first.poll() is None
    assert early.worker_process(early.child_environment(early.threads_each(2))) is started[3]


@pytest.mark.parametrize(
    ("jobs", "library", "journal"), [(3, "library", False), (2, None, False), (2, "library", True)]
)
def test_none_begins_where_it_may_have_nothing_to_do(
    folder: str, tmp_path: Path, started: Processes, jobs: int, library: str | None, journal: bool
) -> None:
    """With fewer files than workers, no library named, or what earlier batches did."""
    (tmp_path / ".library").mkdir()
    if journal:
        (tmp_path / ".library" / JOURNAL_NAME).touch()
    begin_workers([folder], jobs, library and str(tmp_path / f".{library}"))
    assert started == []


def test_a_worker_ends_with_whoever_began_it(started: Processes) -> None:
    """Also where that ends before it has said what is to be done."""
    process = early.worker_process(early.child_environment(1))
    process.communicate()

    assert started == [process]
    assert process.returncode == 143
