"""A batch that is killed, loses workers or meets a full disk ends like one that was not."""

import os
import random
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streammem.api import Library
from tests.cli._batches import PLAIN, Running, contents, leftovers, render_folder
from tests.cli.conftest import Ran

Streammem = Callable[..., Ran]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
VIDEOS = 12


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos long enough to be killed in."""
    return render_folder(tmp_path_factory.mktemp("kill") / "in", VIDEOS, 40.0)


@pytest.fixture
def calm(streammem: Streammem, videos: Path, tmp_path: Path) -> dict[str, tuple[Any, ...]]:
    """What an undisturbed run remembers."""
    library = tmp_path / "calm"
    ran = streammem("batch", str(videos), *PLAIN, "--jobs", "2", "--library", str(library))
    assert ran.status == 0, ran.err
    return contents(library)


def test_kills_of_workers_and_of_the_driver_change_nothing(
    videos: Path, calm: dict[str, tuple[Any, ...]], tmp_path: Path
) -> None:
    """Nothing is lost, nothing done twice, no half memory stays; equal to an undisturbed run."""
    library = tmp_path / "broken"
    arguments = (str(videos), *PLAIN, "--jobs", "2", "--library", str(library))
    moments = random.Random(5)
    made: Counter[str] = Counter()
    # A video that costs two workers is quarantined, and that is another test.
    struck: set[str] = set()

    for victims in (("driver",), ("worker", "driver"), ("worker",), ()):
        batch = Running(*arguments)
        try:
            for victim in victims:
                for _ in range(moments.randint(1, 3)):
                    batch.until(lambda event: event["event"] == "started")
                if victim == "worker":
                    struck.add(batch.kill_a_reader(struck))
                else:
                    batch.process.kill()
            events = batch.rest()
        finally:
            batch.end()
        finished = [event for event in events if event["event"] == "item_done"]
        made.update(e["source"] for e in finished if e["result"]["status"] != "unchanged")
        assert all(check.ok for check in Library(library).verify())
        if victims == ("worker",):
            (retried,) = [event for event in events if event["event"] == "retried"]
            assert "killed by signal 9" in retried["message"]

    assert batch.process.returncode == 0
    assert set(made.values()) == {1}
    assert contents(library) == calm
    assert leftovers(library) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of half a megabyte, mounted for the test."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=500k", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False)


def test_a_full_disk_costs_only_what_did_not_fit(
    streammem: Streammem, videos: Path, calm: dict[str, tuple[Any, ...]], small_disk: Path
) -> None:
    """The rest fails with its own code; with more room the same command finishes."""
    library = small_disk / "library"
    arguments = ("batch", str(videos), *PLAIN, "--jobs", "2", "--json", "--library", str(library))

    full = streammem(*arguments)
    checked = Library(library).verify()
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    again = streammem(*arguments)

    codes = [result["error"]["code"] for result in full.document()["results"] if result["error"]]
    assert full.status in (3, 7)
    assert set(codes) == {"disk_full"}
    assert len(codes) > 2
    assert all(check.ok for check in checked)
    assert again.status == 0, again.out
    assert contents(library) == calm
    assert leftovers(library) == []
