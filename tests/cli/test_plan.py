"""`streammem plan`: files, hours, and an estimate that was measured."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from streammem.core.batches import BatchPlan
from streammem_cli.plan_lines import plan_table
from tests.cli._batches import PLAIN, render_folder
from tests.cli.conftest import Ran

Streammem = Callable[..., Ran]


def test_plan_measures_and_keeps_nothing(streammem: Streammem, tmp_path: Path) -> None:
    """Lengths are those of the files; the bytes are near what the batch then takes."""
    render_folder(tmp_path / "in", 6, 20.0)
    (tmp_path / "in" / "bad.mp4").write_bytes(os.urandom(500))

    planned = streammem("plan", "in", *PLAIN, "--jobs", "2", "--json")
    empty = not list((tmp_path / "library").glob("*.smem"))
    batch = streammem("batch", "in", *PLAIN, "--jobs", "2", "--json")
    after = streammem("plan", "in", *PLAIN, "--json")

    assert (planned.status, empty) == (0, True)
    (plan,) = planned.document()["results"]
    assert (plan["files"], plan["unchanged"], plan["unreadable"], plan["jobs"]) == (7, 0, 1, 2)
    assert plan["video_s"] == pytest.approx(120.0)
    assert plan["source_bytes"] == sum(p.stat().st_size for p in (tmp_path / "in").rglob("*.mp4"))
    results = [r for r in batch.document()["results"] if r["error"] is None]
    taken = sum(result["bytes"]["file"] for result in results)
    assert taken / 3 < plan["memory_bytes"] < taken * 3
    assert plan["bytes_at_most"] == 7 * 32 * 2**20
    # Either may come out as 0 where the videos are small and the machine is busy.
    assert plan["measured"]["file_s"] + plan["measured"]["video_second_s"] > 0
    assert 0 < plan["elapsed_s"] < 300
    shown = plan_table(BatchPlan(**plan))
    assert "7, 0 of them memories already" in shown[0]
    assert "2 min in " in shown[1]
    assert shown[2].endswith(" with 2 jobs")
    assert after.document()["results"][0]["unchanged"] == 6


def test_a_batch_tells_its_plan_first_and_learns_from_runs(
    streammem: Streammem, tmp_path: Path
) -> None:
    """One line on standard error; later batches with the same settings know the time."""
    render_folder(tmp_path / "in", 2)
    first = streammem("batch", "in", *PLAIN)
    render_folder(tmp_path / "in", 4)
    second = streammem("batch", "in", *PLAIN)
    quiet = streammem("batch", "in", *PLAIN, "-q")

    assert first.err.splitlines() == ["plan: 2 of 2 files to read, 6 s of video, at most 64 MiB"]
    assert second.err.startswith("plan: 2 of 4 files to read, 6 s of video, about ")
    assert "with 1 job" in second.err
    assert quiet.err == ""


def test_plan_of_a_folder_without_videos_has_nothing_to_measure(
    streammem: Streammem, tmp_path: Path
) -> None:
    """What has no length is counted and not in the sums; there is no estimate."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("nothing")

    ran = streammem("plan", "in", "--json")

    (plan,) = ran.document()["results"]
    assert (ran.status, plan["files"], plan["unreadable"], plan["video_s"]) == (0, 1, 1, 0.0)
    assert plan["elapsed_s"] is None
