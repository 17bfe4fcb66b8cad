"""The same batch on this machine and on Ray: the same results, the same memories, the same ends."""

import importlib.util
import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cli._batches import PLAIN, Running, contents, leftovers, render_folder
from tests.cli.conftest import command, environment, still_running

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
NEEDS_RAY = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="the package ray is not installed"
)
ENGINES = ["local", pytest.param("ray", marks=NEEDS_RAY)]
SIGN = {"local": "streammem.runtime.worker", "ray": "ray::_Servant"}
VIDEOS = 6


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six videos long enough to be killed in, one file that is none, and two questions."""
    folder = render_folder(tmp_path_factory.mktemp("engines") / "in", VIDEOS, 120.0)
    (folder / "bad.mp4").write_bytes(bytes(range(256)) * 8)
    os.utime(folder / "bad.mp4", (1.6e9, 1.6e9))
    (folder.parent / "ask.txt").write_text("when is the screen red?\nis there a dog?\n")
    return folder


@pytest.fixture
def calm(videos: Path, tmp_path: Path) -> Path:
    """The library of one process that reads one video after the other."""
    library = tmp_path / "calm"
    arguments = ("ingest", str(videos), str(videos / "inside"), *PLAIN, "--library", str(library))
    # As many threads as each of two workers has.
    done = run(*arguments, OMP_NUM_THREADS=str(max(1, (os.cpu_count() or 1) // 2)))
    assert done.returncode == 3
    return library


def statuses(events: list[dict[str, Any]]) -> dict[str, tuple[str, str | None]]:
    """What became of each file: the status and the error's code."""
    return {
        Path(event["source"]).name: (
            event["result"]["status"], (event["result"]["error"] or {}).get("code"),
        )
        for event in events if event["event"] in ("item_done", "item_failed")
    }  # fmt: skip


def answers(library: Path) -> list[str]:
    """The lines of all answers, in the order of their text."""
    return sorted((library / "answers.jsonl").read_text().splitlines())


@pytest.mark.parametrize("engine", ENGINES)
def test_each_engine_survives_what_is_killed_and_ends_like_one_process(
    engine: str, videos: Path, calm: Path, tmp_path: Path
) -> None:
    """A worker goes, with Ray the raylet, too: memories and answers equal those of one process."""
    library = tmp_path / "library"
    asked = ("--questions", str(videos.parent / "ask.txt"))
    batch = Running(
        str(videos), *PLAIN, *asked, "--jobs", "2", "--engine", engine, "--library", str(library)
    )
    try:
        batch.until(lambda e: e["event"] == "started")
        struck = batch.kill_a_reader(set(), SIGN[engine])
        # Else the raylet's end may be seen before the worker's.
        batch.until(lambda e: e["event"] == "retried")
        listening = listening_addresses(batch)
        for raylet in batch.workers("/raylet/raylet "):
            raylet.kill()
        events = batch.rest()
    finally:
        batch.end()
    run("batch", str(videos), *PLAIN, *asked, "--library", str(calm))

    found = statuses(events)
    assert batch.process.returncode == 3
    assert listening == (set() if engine == "local" else {"127.0.0.1"})
    assert found.pop("bad.mp4") == ("failed", "not_media")
    assert len(found) == VIDEOS
    assert {error for _, error in found.values()} == {None}
    # The raylet's end is no file's fault.
    assert [e["source"] for e in events if e["event"] == "retried"] == [struck]
    assert contents(library) == contents(calm)
    assert leftovers(library) == []
    assert answers(library) == answers(calm)
    assert len(answers(library)) == 2 * VIDEOS


@NEEDS_RAY
def test_ray_ends_with_a_driver_that_is_killed(videos: Path, tmp_path: Path) -> None:
    """No process of the cluster stays; the other engine finishes what was begun."""
    library = tmp_path / "library"
    arguments = (str(videos), *PLAIN, "--jobs", "2", "--library", str(library))
    batch = Running(*arguments, "--engine", "ray")
    try:
        batch.until(lambda e: e["event"] == "started")
        family = psutil.Process(batch.process.pid).children(recursive=True)
        batch.process.kill()
    finally:
        batch.end()
    alive = still_running(family, 60)
    again = run("batch", *arguments, "--json")

    assert len(family) > 4
    assert alive == []
    results = json.loads(again.stdout)["results"]
    assert sum(result["error"] is None for result in results) == VIDEOS


@NEEDS_RAY
def test_a_cluster_that_is_not_there_is_named_at_once(videos: Path, tmp_path: Path) -> None:
    """The error says which; no file is blamed."""
    where = ("--engine", "ray", "--ray-address", "127.0.0.1:1", "--library", str(tmp_path / "lib"))
    ran = run("batch", str(videos), *PLAIN, *where, "--json")

    error = json.loads(ran.stdout)["error"]
    assert (ran.returncode, error["code"]) == (1, "no_cluster")
    assert "127.0.0.1:1 cannot be used" in error["message"]


def listening_addresses(batch: Running) -> set[str]:
    """Where the processes of a batch accept connections."""
    found: set[str] = set()
    for one in psutil.Process(batch.process.pid).children(recursive=True):
        # One that has ended meanwhile accepts nothing.
        with suppress(psutil.NoSuchProcess):
            found |= {
                connection.laddr.ip.removeprefix("::ffff:")
                for connection in one.net_connections(kind="inet")
                if connection.status == psutil.CONN_LISTEN
            }
    return found


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """A command that has ended."""
    return subprocess.run(
        command(*arguments), env={**environment(), **variables}, capture_output=True, check=False
    )
