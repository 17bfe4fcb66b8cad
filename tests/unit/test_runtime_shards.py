"""A question to a library in shards: the answer of one process, down to the last bit."""

import json
import queue
from collections.abc import Container, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from streammem.api import Library
from streammem.core.config import AnswerConfig, load_config
from streammem.core.errors import StreamMemError, UsageError
from streammem.core.requests import AskOptions, request_from_config
from streammem.core.types import Answer, Gap
from streammem.runtime.batch.crew import Reply
from streammem.runtime.batch.servant import Servant
from streammem.runtime.batch.wire import WorkerOrders
from streammem.runtime.shards.gathering import Gatherer
from streammem.runtime.shards.team import Team
from tests.unit._library_world import write_memory

THINGS = ("mostly red", "mostly blue", "mostly green", "something yellow")
QUESTIONS = (
    "when is the screen red?",
    "when does something blue appear?",
    "is there anything yellow?",
    "is there a xylograph?",
    "how many times is it green?",
    "how long is it red?",
    "what happens after the screen is blue?",
    "is it red before it is green?",
    "what is shown at 0:03?",
    "what is shown now?",
    "is the screen still red?",
    "when does it change from red to blue?",
    "which colour is seen most often?",
    "describe the video",
    "what is said about the harbour?",
    "when is the lighthouse mentioned?",
    "when is the screen red between 0:02 and 0:09?",
    "what is the last thing after the screen is green?",
)


class Here:
    """A crew whose workers serve at once, in this process, whatever goes through JSON."""

    def __init__(self, folder: Path, lose: Container[int] = (), after: Container[int] = ()) -> None:
        """Messages, from 1, that cost the worker that gets them: before or after its answer."""
        request = request_from_config(load_config().config)
        self.orders = WorkerOrders(str(folder), request, AskOptions(), AnswerConfig())
        self.lose, self.after = lose, after
        self.hired = self.sent = 0

    def hire(self, inbox: "queue.Queue[Reply]") -> "Hand":
        """One more worker."""
        self.hired += 1
        return Hand(self, inbox)

    def close(self) -> None:
        """Nothing is held."""


class Hand:
    """One worker of the crew."""

    def __init__(self, crew: Here, inbox: "queue.Queue[Reply]") -> None:
        self._crew, self._inbox = crew, inbox
        self._servant = Servant(crew.orders, self._tell, lambda: False, lambda: True)

    def send(self, message: dict[str, Any]) -> None:
        """Serve it, unless this worker is to be lost over it."""
        self._crew.sent += 1
        number = self._crew.sent
        if number not in self._crew.lose:
            self._servant.serve(json.loads(json.dumps(message)))
        if number in self._crew.lose or number in self._crew.after:
            self._inbox.put((self, "died", "was killed by signal 9"))

    def kill(self) -> None:
        """Nothing to end."""

    def close(self) -> None:
        """Nothing to end."""

    def _tell(self, kind: str, content: Any) -> None:
        self._inbox.put((self, kind, json.loads(json.dumps(content))))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty-four memories: things in some, words in some, a gap in one."""
    place = tmp_path_factory.mktemp("shards")
    says = ("we sail to the harbour", "a lighthouse stands there", "nothing of interest")
    for number in range(34):
        write_memory(
            place,
            f"clip{number:02}",
            shows=[THINGS[(number + step) % 4] for step in range(number % 3)],
            says=says[: number % 4] if number % 5 == 0 else (),
            gaps=(Gap(4.0, 6.0, "undecodable"),) if number == 7 else (),
        )
    return place


@pytest.fixture(scope="module")
def library(folder: Path) -> Library:
    """The same memories in this process, kept open."""
    library = Library(folder)
    library.converse()
    return library


@pytest.fixture(scope="module")
def shards(folder: Path) -> Iterator[Gatherer]:
    """The same memories, held by three workers."""
    gatherer = Gatherer(folder, Team(Here(folder), 3))
    yield gatherer
    gatherer.close()


def told(answer: Answer) -> dict[str, Any]:
    """Everything of an answer but how long it took."""
    return {name: value for name, value in asdict(answer).items() if name != "elapsed_ms"}


@pytest.mark.parametrize(
    "options",
    [
        AskOptions(explain=True),
        AskOptions(memories=("clip05", "clip02", "clip10"), explain=True),
        AskOptions(between_s=(1.0, 7.0), top_k=20),
        AskOptions(at_s=5.0, top_k=2, min_confidence=0.3),
    ],
    ids=["library", "named", "between", "at and loose"],
)
def test_every_kind_of_question_is_answered_as_by_one_process(
    library: Library, shards: Gatherer, options: AskOptions
) -> None:
    """Text, moments, confidence, candidates, notes, explanations, and their order."""
    whole = [told(library.ask(text, options)) for text in QUESTIONS]
    gathered = [told(shards.ask(text, options, None)[0]) for text in QUESTIONS]

    assert gathered == whole
    assert any(answer["evidence"] for answer in whole)
    assert any(answer["abstained"] for answer in whole)


def test_options_to_choose_from_and_small_and_damaged_libraries(tmp_path: Path) -> None:
    """All memories are opened then; one that cannot be read is left out and named."""
    for number in range(5):
        write_memory(tmp_path, f"clip{number}", shows=[THINGS[number % 4], "mostly red"])
    (tmp_path / "clip3.smem").write_bytes(b"no memory at all" * 400)
    gatherer, library = Gatherer(tmp_path, Team(Here(tmp_path), 2)), Library(tmp_path)

    for text, options in (
        ("which colour comes first?", AskOptions(choices=("red", "blue", "green"))),
        ("when is it red?", AskOptions()),
        ("when is it red?", AskOptions(memories=("clip4",))),
    ):
        assert told(gatherer.ask(text, options, None)[0]) == told(library.ask(text, options))
    assert "clip3 was left out" in " ".join(gatherer.ask("red?", AskOptions(), None)[0].notes)
    for options in (AskOptions(memories=("clip3",)), AskOptions(memories=("clip9",))):
        with pytest.raises(StreamMemError) as of_shards:
            gatherer.ask("when is it red?", options, None)
        with pytest.raises(StreamMemError) as of_one:
            library.ask("when is it red?", options)
        assert (of_shards.value.code, of_shards.value.message, of_shards.value.exit_code) == (
            of_one.value.code, of_one.value.message, of_one.value.exit_code,
        )  # fmt: skip


def test_an_empty_library_is_refused_as_by_one_process(tmp_path: Path) -> None:
    """Before anybody is hired."""
    crew = Here(tmp_path)
    with pytest.raises(UsageError, match="is empty"):
        Gatherer(tmp_path, Team(crew, 2)).ask("when is it red?", AskOptions(), None)
    assert crew.hired == 0


@pytest.mark.parametrize(
    ("lose", "after", "hired"),
    [((1, 2), (), 4), ((3,), (), 3), ((), (3,), 3), ((), (4, 6), 4)],
    ids=["opening", "scoring", "between two steps", "one after the other"],
)
def test_lost_workers_are_replaced_and_the_question_is_asked_again(
    folder: Path, library: Library, lose: tuple[int, ...], after: tuple[int, ...], hired: int
) -> None:
    """The answer is the same, whenever they go."""
    options = AskOptions()
    crew = Here(folder, lose, after)
    found = Gatherer(folder, Team(crew, 2)).ask("when is the screen red?", options, None)[0]

    assert told(found) == told(library.ask("when is the screen red?", options))
    assert crew.hired == hired


def test_workers_that_are_lost_again_and_again_are_named(folder: Path) -> None:
    """With how the last one went."""
    doomed = Gatherer(folder, Team(Here(folder, range(10**6)), 2))
    with pytest.raises(StreamMemError, match="was killed by signal 9") as lost:
        doomed.ask("when is the screen red?", AskOptions(), None)
    assert lost.value.code == "no_workers"


def test_the_usage_of_what_was_shown_is_noted(folder: Path, shards: Gatherer) -> None:
    """As it is by one process, in the logs beside the memories."""
    before = {path.name for path in folder.glob("*.usage")}
    answer, shown = shards.ask("when is the screen red?", AskOptions(top_k=3), None)

    noted = {item.memory_id for item in answer.evidence}
    assert noted
    assert {memory.meta.memory_id for memory in shown} == noted
    assert {f"{name}.usage" for name in noted} <= before | {
        path.name for path in folder.glob("*.usage")
    }
