"""A library held by processes here and by actors of Ray: the same answers as from one process."""

import importlib.util
import json
import os
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import pytest

from streammem.api import AskOptions, Library
from streammem.core.errors import MissingError, UsageError
from streammem.core.types import Answer
from streammem.shards import ShardedLibrary, ShardOptions
from tests.cli._batches import is_called
from tests.cli.conftest import command, environment, still_running
from tests.unit._library_world import write_memory

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
NEEDS_RAY = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="the package ray is not installed"
)
ENGINES = ["local", pytest.param("ray", marks=NEEDS_RAY)]
SIGNS = {"local": ("streammem.runtime.worker",), "ray": ("ray::_Servant", "/raylet/raylet ")}
THINGS = ("mostly red", "mostly blue", "mostly green", "something yellow")
QUESTIONS = (
    "when is the screen red?",
    "is there anything yellow?",
    "how many times is it green?",
    "what happens after the screen is blue?",
    "is there a xylograph?",
    "when is the harbour mentioned?",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Memories enough to be chosen from before they are opened."""
    place = tmp_path_factory.mktemp("shards")
    for number in range(34):
        shown = [THINGS[(number + step) % 4] for step in range(number % 3)]
        said = ("we sail to the harbour",) if number % 5 == 0 else ()
        write_memory(place, f"clip{number:02}", shows=shown, says=said)
    return place


def told(answer: Answer) -> dict[str, Any]:
    """Everything of an answer but how long it took."""
    return {name: value for name, value in asdict(answer).items() if name != "elapsed_ms"}


def holders(sign: str, others: set[psutil.Process]) -> list[psutil.Process]:
    """The processes of this test that are called like that; none of those that were there."""
    family = set(psutil.Process().children(recursive=True)) - others
    return [one for one in family if is_called(one, sign)]


@pytest.mark.parametrize("engine", ENGINES)
def test_each_engine_answers_as_one_process_also_after_what_is_killed(
    engine: str, folder: Path
) -> None:
    """Bit for bit; a holder that is killed, with Ray the raylet, too, is replaced."""
    library, options = Library(folder), AskOptions(explain=True)
    # What other tests of this process left behind is none of theirs.
    before = set(psutil.Process().children(recursive=True))
    whole = [told(library.ask(text, options)) for text in QUESTIONS]
    with ShardedLibrary(library, ShardOptions(shards=2, engine=engine)) as held:
        gathered = [told(held.ask(text, options)) for text in QUESTIONS]
        begun = holders(SIGNS[engine][0], before)
        again = []
        for sign, text in zip(SIGNS[engine], QUESTIONS, strict=False):
            holders(sign, before)[0].kill()
            again.append(told(held.ask(text, options)))
        family = set(psutil.Process().children(recursive=True)) - before
    alive = still_running(list(family), 60)

    assert len(begun) == 2
    assert gathered == whole
    assert again == whole[: len(again)]
    assert alive == []


def test_the_command_says_the_same_with_and_without_holders(folder: Path) -> None:
    """The documents differ in nothing but times; what cannot be meant is refused."""

    def ask(*arguments: str) -> dict[str, Any]:
        done = subprocess.run(
            command("ask", QUESTIONS[0], "--library", str(folder), "--json", *arguments),
            env=environment(), capture_output=True, check=False,
        )  # fmt: skip
        document: dict[str, Any] = json.loads(done.stdout)
        document.pop("elapsed_ms", None)
        return document

    alone, held = ask(), ask("--engine", "local", "--jobs", "3")
    refused = ask("--jobs", "3")

    assert alone["evidence"]
    assert held == alone
    assert "--engine" in refused["error"]["message"]


def test_an_engine_that_is_not_there_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is started: one that is unknown, and Ray without its package."""
    with pytest.raises(UsageError, match="there is no engine 'cloud'"):
        ShardedLibrary(Library(folder), ShardOptions(engine="cloud"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(MissingError, match="needs the package ray") as missing:
        ShardedLibrary(Library(folder), ShardOptions(engine="ray"))
    assert "streammem[ray]" in str(missing.value.hint)
