"""Opens the memories that a question to a library needs: all of a small one, few of a large one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from streammem.core.types import Findings, Question
from streammem.query.elsewhere import NOWHERE, Elsewhere
from streammem.query.engine import find
from streammem.query.parse import parse_question
from streammem.runtime.asking import AskSettings, OpenMemory, query_options
from streammem.runtime.library_search import LibrarySearch, Selection

# Opens memories, in order, with notes on those that were left out.
Open = Callable[[Sequence[Path]], tuple[list[OpenMemory], tuple[str, ...]]]


class Settings(AskSettings, Protocol):
    """The part of `streammem.api.AskOptions` that opening needs."""

    @property
    def memories(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def weights(self) -> str: ...  # noqa: D102
    @property
    def device(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Opened:
    """The memories opened for a question; `elsewhere` stands for those that were not."""

    memories: list[OpenMemory]
    notes: tuple[str, ...]
    elsewhere: Elsewhere = NOWHERE


def open_for_question(
    text: str, paths: Sequence[Path], options: Settings, search: LibrarySearch, open_paths: Open
) -> Opened:
    """The memories of a library that can answer a question, or all where that is not known."""
    question = parse_question(text, choices=options.choices)
    selection = _select(question, paths, options, search)
    if selection is None:
        return Opened(*open_paths(paths))
    memories, notes = open_paths(selection.first)
    notes = (*selection.notes, *notes)
    if selection.more:
        asked = [memory.query for memory in memories]
        findings = find(question, asked, query_options(options), selection.elsewhere)
        if not decided(question, findings):
            others, said = open_paths(selection.more)
            return Opened([*memories, *others], (*notes, *said), selection.everywhere)
    return Opened(memories, notes, selection.elsewhere)


def open_for_search(
    text: str, paths: Sequence[Path], options: Settings, search: LibrarySearch, open_paths: Open
) -> Opened:
    """The memories of a library that are nearest to a text."""
    question = Question(text=text, intent="when", phrase=text)
    selection = _select(question, paths, options, search)
    if selection is None:
        return Opened(*open_paths(paths))
    memories, notes = open_paths(selection.first)
    return Opened(memories, (*selection.notes, *notes), selection.elsewhere)


def _select(
    question: Question, paths: Sequence[Path], options: Settings, search: LibrarySearch
) -> Selection | None:
    return search.select(
        question, paths, query_options(options), weights=options.weights, device=options.device
    )


def decided(question: Question, findings: Findings) -> bool:
    """Whether memories that come less near could not change the answer."""
    if question.intent == "exists":
        return findings.value is True
    return bool(findings.evidence)
