"""`streammem batch`: limits, quarantine, questions, lists, folders that are watched."""

import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli._batches import PLAIN, Running, contents, render, render_folder
from tests.cli.conftest import Ran
from tests.cli.test_terminal import on_terminal

Streammem = Callable[..., Ran]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


def by_name(ran: Ran) -> dict[str, dict[str, Any]]:
    """The results by the names of their files."""
    return {Path(result["source"]).name: result for result in ran.document()["results"]}


def test_what_files_hold_counts_and_lists_name_more(streammem: Streammem, tmp_path: Path) -> None:
    """A video without a name, one in a list beside a list; texts and pictures are left out."""
    render(tmp_path / "in" / "one.mp4", 1)
    (tmp_path / "in" / "one.mp4").rename(tmp_path / "in" / "no-suffix")
    (tmp_path / "in" / "code.ts").write_text("export const one = 1;\n" * 40)
    (tmp_path / "in" / "notes").write_text("nothing to see")
    (tmp_path / "in" / "noise.bin").write_bytes(os.urandom(90_000))
    render(tmp_path / "far" / "two.mp4", 2)
    (tmp_path / "far" / "list.txt").write_text("# more\n\ntwo.mp4\n")

    ran = streammem("batch", "in", "@far/list.txt", *PLAIN, "--json")
    missing = streammem("batch", "@none.txt", "--json")

    assert ran.status == 0, ran.err
    assert {name: result["status"] for name, result in by_name(ran).items()} == {
        "no-suffix": "done", "two.mp4": "done",
    }  # fmt: skip
    assert (missing.status, missing.document()["error"]["code"]) == (8, "not_found")


def test_done_files_are_known_without_a_worker(streammem: Streammem, tmp_path: Path) -> None:
    """The second run says the same of each memory; a changed file and other settings count."""
    render_folder(tmp_path / "in", 3)
    arguments = ("batch", "in", *PLAIN, "--json")
    first = streammem(*arguments, PYTHONPROFILEIMPORTTIME="1")
    second = streammem(*arguments, PYTHONPROFILEIMPORTTIME="1")
    render(tmp_path / "in" / "clip000.mp4", 77)
    os.utime(tmp_path / "in" / "clip000.mp4", (1.5e9, 1.5e9))
    third = streammem(*arguments)
    other = streammem(*arguments, "--fps", "4")

    assert [first.status, second.status, third.status] == [0, 0, 0]
    assert "all 3 files are memories already" in second.err
    # Only workers import it.
    assert "streammem.runtime.batch.servant" in first.err
    assert "streammem.runtime.batch.servant" not in second.err
    changing = {"status", "elapsed_s"}
    for name, result in by_name(first).items():
        again = by_name(second)[name]
        assert again["status"] == "unchanged"
        assert {k: v for k, v in again.items() if k not in changing} == {
            k: v for k, v in result.items() if k not in changing
        }
    assert {n: r["status"] for n, r in by_name(third).items()} == {
        "clip000.mp4": "done", "clip001.mp4": "unchanged", "clip002.mp4": "unchanged",
    }  # fmt: skip
    refused = [r["error"]["code"] for r in other.document()["results"]]
    assert (other.status, refused) == (2, ["settings_differ"] * 3)


def test_too_long_and_too_large_fail_alone(streammem: Streammem, tmp_path: Path) -> None:
    """Each with its own code; the worker is replaced and the others are remembered."""
    render_folder(tmp_path / "in", 4)
    render(tmp_path / "in" / "clip001-large.mp4", 9, 0.4, (2880, 5120))
    endless = "synthetic:1?duration=360000&fps=8&size=64x48"
    (tmp_path / "list.txt").write_text(f"{endless}\nin\n")

    ran = streammem(
        "batch", "@list.txt", *PLAIN, "--json", "--timeout", "20", "--memory-limit", "190MiB"
    )

    results = by_name(ran)
    assert ran.status == 3, ran.err
    failed = {name: r["error"]["code"] for name, r in results.items() if r["error"]}
    assert failed == {Path(endless).name: "timeout", "clip001-large.mp4": "memory_limit"}
    assert sum(r["status"] == "done" for r in results.values()) == 4


def test_a_file_that_kills_its_worker_twice_is_quarantined(
    streammem: Streammem, tmp_path: Path
) -> None:
    """It is tried again once, then left out with the reason until it is asked for again."""
    folder = render_folder(tmp_path / "in", 3)
    # Long enough for its reader to be met at work, also by a test that gets its turns late.
    render(folder / "poison.mp4", 50, 240.0)
    arguments = (str(folder), *PLAIN, "--library", str(tmp_path / "library"))
    batch = Running(*arguments)
    try:
        for _ in range(2):
            batch.until(lambda e: e["event"] == "started" and "poison" in e["source"])
            (worker,) = batch.workers()
            worker.send_signal(signal.SIGKILL)
        events = batch.rest()
    finally:
        batch.end()
    again = streammem("batch", *arguments, "--json")
    retried = streammem("batch", *arguments, "--json", "--retry-quarantined")

    assert batch.process.returncode == 3
    failed = [e for e in events if e["event"] == "item_failed"]
    assert [e["result"]["error"]["code"] for e in failed] == ["quarantined"]
    assert "killed by signal 9" in failed[0]["result"]["error"]["message"]
    assert again.status == 3
    error = by_name(again)["poison.mp4"]["error"]
    assert error["code"] == "quarantined"
    assert "killed by signal 9" in error["message"]
    assert "--retry-quarantined" in error["hint"]
    assert {n: r["status"] for n, r in by_name(again).items() if n != "poison.mp4"} == {
        f"clip00{n}.mp4": "unchanged" for n in range(3)
    }
    assert retried.status == 0
    assert by_name(retried)["poison.mp4"]["status"] in ("done", "resumed")


def test_questions_are_asked_once_of_each_memory(streammem: Streammem, tmp_path: Path) -> None:
    """Half a line and missing lines are answered again, and nothing else."""
    render_folder(tmp_path / "in", 3)
    (tmp_path / "ask.txt").write_text("# colours\nwhen is the screen red?\n\nis there a dog?\n")
    arguments = (
        "batch", "in", *PLAIN, "--json", "--questions", "ask.txt", "--answers", "out/a.jsonl",
    )  # fmt: skip
    first = streammem(*arguments)
    answers = tmp_path / "out" / "a.jsonl"
    whole = answers.read_bytes()
    second = streammem(*arguments)
    unchanged = answers.read_bytes()
    answers.write_bytes(whole[: whole.rindex(b'{"memory_id"') + 20])
    third = streammem(*arguments)
    (tmp_path / "ask.txt").write_text("is there a dog?\nhow long is it?\n")
    fourth = streammem(*arguments)

    assert [ran.status for ran in (first, second, third, fourth)] == [0, 0, 0, 0], first.err
    lines = [json.loads(line) for line in whole.splitlines()]
    assert sorted((line["memory_id"], line["question"]) for line in lines) == sorted(
        (f"clip00{n}", text) for n in range(3) for text in ("when is the screen red?",
        "is there a dog?")
    )  # fmt: skip
    assert all({"answer", "evidence", "confidence", "state"} <= line.keys() for line in lines)
    assert unchanged == whole
    added = answers.read_bytes().splitlines()
    assert sorted(added[:6]) == sorted(whole.splitlines())
    assert [json.loads(line)["question"] for line in added[6:]] == ["how long is it?"] * 3


def test_a_watched_folder_goes_on_as_files_appear(tmp_path: Path) -> None:
    """A file that still grows is waited for; the stop says what was done."""
    folder = render_folder(tmp_path / "in", 1)
    render(tmp_path / "late.mp4", 5)
    data = (tmp_path / "late.mp4").read_bytes()
    batch = Running(str(folder), *PLAIN, "--watch-folder", "--library", str(tmp_path / "library"))
    try:
        batch.until(lambda e: e["event"] == "item_done" and "clip000" in e["source"])
        growing = folder / "late.mp4"
        for part in range(1, 7):
            growing.write_bytes(data[: len(data) * part // 6])
            time.sleep(0.2)
        done = batch.until(lambda e: e["event"].startswith("item_") and "late" in e["source"])
        batch.process.send_signal(signal.SIGTERM)
        batch.rest()
    finally:
        batch.end()

    assert done["event"] == "item_done"
    assert done["result"]["covered_s"] == pytest.approx(3.0)
    assert batch.process.returncode == 143


def test_the_same_content_twice_is_remembered_once(streammem: Streammem, tmp_path: Path) -> None:
    """Two workers that meet over it: one remembers, the other finds it unchanged."""
    folder = tmp_path / "in"
    render(folder / "a.mp4", 3, 20.0)
    (folder / "b.mp4").write_bytes((folder / "a.mp4").read_bytes())

    ran = streammem("batch", "in", *PLAIN, "--jobs", "2", "--json")

    assert ran.status == 0, ran.err
    assert sorted(r["status"] for r in by_name(ran).values()) == ["done", "unchanged"]
    assert len(list((tmp_path / "library").glob("*.smem"))) == 1


def test_sources_in_a_store_are_copied_read_and_removed(
    streammem: Streammem, tmp_path: Path
) -> None:
    """The memories are those of the files themselves, under the store's addresses."""
    folder = render_folder(tmp_path / "in", 3)
    (folder / "notes.txt").write_text("nothing")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    store = f"local://{folder}"
    arguments = ("batch", store, f"{store}/none.mp4", *PLAIN, "--jobs", "2", "--json")

    first = streammem(*arguments, TMPDIR=str(scratch))
    second = streammem(*arguments, TMPDIR=str(scratch))
    near = streammem("batch", "in", *PLAIN, "--json", "--library", "near")
    missing = streammem("batch", "oss://bucket/videos", "--json")

    results = by_name(first)
    assert results.pop("none.mp4")["error"]["code"] == "not_found"
    assert {name: result["status"] for name, result in results.items()} == {
        f"clip00{n}.mp4": "done" for n in range(3)
    }
    assert {result["source"] for result in results.values()} == {
        f"local:{folder}/{place}" for place in ("clip000.mp4", "inside/clip001.mp4", "clip002.mp4")
    }
    assert {r["status"] for r in second.document()["results"]} == {"unchanged", "failed"}
    assert list(scratch.iterdir()) == []
    assert near.status == 0
    assert contents(tmp_path / "library") == contents(tmp_path / "near")
    assert (missing.status, missing.document()["error"]["code"]) == (5, "missing_package")
    assert "streammem[remote]" in missing.document()["error"]["hint"]


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (("--engine", "cloud"), 2, "engine"),
        (("--questions", "none.txt"), 2, "none.txt"),
        (("--memory-limit", "much"), 2, "size"),
        (("--timeout", "soon"), 2, "--timeout"),
        (("--timeout", "0"), 2, "no time"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    streammem: Streammem, tmp_path: Path, arguments: tuple[str, ...], status: int, word: str
) -> None:
    """With a message that names it, before anything is read."""
    render_folder(tmp_path / "in", 1)
    ran = streammem("batch", "in", *arguments, "--json")

    assert ran.status == status
    assert word in ran.document()["error"]["message"]
    assert "Errno" not in ran.document()["error"]["message"]
    assert not list((tmp_path / "library").glob("*.smem"))


def test_a_terminal_shows_how_far_the_whole_batch_is(tmp_path: Path) -> None:
    """One bar for all files, failures counted, above those of the files at work."""
    render_folder(tmp_path / "in", 2, 20.0)
    (tmp_path / "in" / "a-bad.mp4").write_bytes(os.urandom(300))

    shown = on_terminal(tmp_path, "batch", "in", *PLAIN)

    assert "3 of 3 files, 1 failed" in shown
    assert re.search(r"of 3 files, 1 failed .*\n.*clip00\d\.mp4", shown)
