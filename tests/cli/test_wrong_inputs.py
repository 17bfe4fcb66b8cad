"""What a hurried user types: each is refused with the remedy, in words and as JSON."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streammem_cli.app import run
from streammem_cli.layout import counted, folded

Fails = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Fails:
    """Runs a command with `--json`; its exit code and the error of its document."""
    monkeypatch.setenv("STREAMMEM_LIBRARY", str(tmp_path / "library"))
    monkeypatch.chdir(tmp_path)

    def running(*arguments: str) -> tuple[int, dict[str, Any]]:
        status = run([*arguments, "--json"])
        document = json.loads(capsys.readouterr().out)
        error = document.get("error") or document["results"][0]["error"]
        return status, error

    return running


@pytest.mark.parametrize("command", ["ingest", "batch", "plan", "watch"])
def test_an_empty_source_is_not_the_folder_one_is_in(
    command: str, fails: Fails, tmp_path: Path
) -> None:
    """The shell makes one of a variable that is not set, and the folder may hold anything."""
    (tmp_path / "private.mp4").write_bytes(b"x")

    status, error = fails(command, "")

    assert (status, error["code"]) == (2, "usage")
    assert not (tmp_path / "library").exists()


@pytest.mark.parametrize("command", ["ask", "search"])
@pytest.mark.parametrize("question", ["", "  "])
def test_an_empty_question_is_not_answered(question: str, command: str, fails: Fails) -> None:
    """What would be answered is a summary that nobody asked for, or any five moments."""
    status, error = fails(command, question)

    assert status == 2
    assert error["message"].endswith(" is empty")
    assert "library" not in error["message"]


@pytest.mark.parametrize("choices", ["", "only one", " | a"])
def test_fewer_than_two_choices_are_no_choice(choices: str, fails: Fails) -> None:
    """Who writes commas instead of bars is told so."""
    status, error = fails("ask", "which?", "--choices", choices)

    assert status == 2
    assert '"stripes|squares"' in error["hint"]


def test_a_pipe_is_for_watch(fails: Fails) -> None:
    """What passes once cannot be resumed, so `ingest` names the command that takes it."""
    status, error = fails("ingest", "-")

    assert (status, error["code"]) == (2, "standard_input")
    assert "streammem watch -" in error["hint"]


def test_a_plan_of_nothing_is_an_error(fails: Fails) -> None:
    """A misspelt folder must not look like a batch that takes no time."""
    status, error = fails("plan", "no-such-folder")

    assert (status, error["code"]) == (8, "not_found")


def test_a_number_keeps_its_unit() -> None:
    """A line does not end between them."""
    for width in range(60, 80):
        lines = folded(f"{'x' * width} 12.5 s of 3 MiB")
        assert not any(line.endswith(("12.5", " 3")) for line in lines)


def test_one_of_a_kind_is_said_in_the_singular() -> None:
    """`1 cells` is what a machine says."""
    assert [counted(n, "memory") for n in (0, 1, 2)] == ["0 memories", "1 memory", "2 memories"]
    assert [counted(n, "cell") for n in (1, 3)] == ["1 cell", "3 cells"]


@pytest.mark.parametrize("command", [("list",), ("status",), ("ask", "when is it red?")])
def test_a_file_is_no_library(command: tuple[str, ...], fails: Fails, tmp_path: Path) -> None:
    """Who names a memory or a video for the folder is not told that there are no memories."""
    (tmp_path / "one.smem").write_bytes(b"x")

    status, error = fails(*command, "--library", str(tmp_path / "one.smem"))

    assert (status, error["code"]) == (2, "not_a_folder")
