"""`streammem bench memory` as a user runs it."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Ran, command, environment

FAST = ("bench", "memory", "--protocol", "load", "--policy", "streammem", "--seeds", "1", "--quick")


def test_the_table_goes_to_stdout_and_everything_else_to_stderr(
    streammem: Callable[..., Ran], tmp_path: Path
) -> None:
    done = streammem(*FAST, "--out", "results")

    assert done.status == 0
    assert "needle R@1 / event R@1" in done.out
    assert "streammem  1.00/1.00" in done.out
    assert "results.json" in done.err
    assert (tmp_path / "results" / "table.md").exists()


def test_json_is_one_document_with_intervals(streammem: Callable[..., Ran]) -> None:
    document = streammem(*FAST, "--json").document()
    entry = document["results"][0]["cases"][0]["policies"][0]

    assert document["command"] == "bench memory"
    assert document["command_line"].startswith("streammem bench memory --protocol load")
    assert entry["policy"] == "streammem"
    assert {"mean", "low", "high", "count"} == entry["metrics"]["needle_r1"].keys()


def test_an_unknown_policy_is_a_usage_error(streammem: Callable[..., Ran]) -> None:
    done = streammem("bench", "memory", "--policy", "none", "--json")

    assert done.status == 2
    assert done.document()["error"]["code"] == "unknown_policy"


def test_a_stopped_run_keeps_what_it_measured(
    streammem: Callable[..., Ran], tmp_path: Path
) -> None:
    """An interrupt ends it with 130; the same command goes on."""
    arguments = ("bench", "memory", "--protocol", "load", "--policy", "streammem", "--seeds", "12",
                 "--quick", "--out", "results")  # fmt: skip
    journal = tmp_path / "results" / "journal.jsonl"
    with subprocess.Popen(
        command(*arguments), cwd=tmp_path, env=environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as running:  # fmt: skip
        limit = time.monotonic() + 60
        while not journal.exists() or len(journal.read_text().splitlines()) < 4:
            assert time.monotonic() < limit
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    kept = len(journal.read_text().splitlines()) - 1
    resumed = streammem(*arguments, "--json")

    assert running.returncode == 130
    assert "goes on" in err
    assert 3 <= kept < 36
    assert resumed.status == 0
    assert json.loads(resumed.out)["results"][0]["cases"][0]["policies"][0]["streams"] == 12


def test_questions_are_asked_and_judged(streammem: Callable[..., Ran]) -> None:
    done = streammem("bench", "questions", "--quick", "--protocol", "pictures", "--tuning")

    assert done.status == 0
    assert "questions about event scripts that are rendered as video" in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_questions_that_were_asked_are_not_asked_again(
    streammem: Callable[..., Ran], tmp_path: Path
) -> None:
    arguments = ("bench", "questions", "--quick", "--protocol", "pictures", "--out", "results")
    first = streammem(*arguments, "--json").document()
    again = streammem(*arguments, "--json")

    assert first["command"] == "bench questions"
    assert "1 of 1 measurements were there already" in again.err
    assert again.document()["results"] == first["results"]
    assert (tmp_path / "results" / "table.md").exists()


def test_a_public_benchmark_needs_all_three_parts(streammem: Callable[..., Ran]) -> None:
    done = streammem("bench", "questions", "--format", "mlvu", "--json")

    assert done.status == 2
    assert "go together" in done.document()["error"]["message"]


def test_options_of_event_scripts_are_refused_for_videos(streammem: Callable[..., Ran]) -> None:
    """Nothing that was asked for is passed over in silence."""
    videos = ("--format", "mlvu", "--questions", "q.json", "--videos", "videos")

    done = streammem("bench", "questions", *videos, "--seeds", "3")

    assert done.status == 2
    assert "--seeds" in done.err
    assert "event scripts" in " ".join(done.err.split())
