"""The JSON documents of the command line, made from the library's results."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from streammem.core import SCHEMA_VERSION
from streammem.core.errors import StreamMemError

if TYPE_CHECKING:
    from streammem.core.types import Answer


class Documented(Protocol):
    """A result that has a JSON form."""

    def to_json(self) -> dict[str, Any]:
        """The entry of `results`."""


def results_document(command: str, results: Sequence[Documented]) -> dict[str, Any]:
    """The document of every command that returns a list."""
    return {
        "schema_version": SCHEMA_VERSION,
        "command": command,
        "results": [result.to_json() for result in results],
    }


def error_document(command: str, error: StreamMemError) -> dict[str, Any]:
    """The document of a command that failed as a whole."""
    return {"schema_version": SCHEMA_VERSION, "command": command, "error": error.to_json()}


def answer_document(command: str, answer: "Answer", *, explain: bool = False) -> dict[str, Any]:
    """The document of `ask` and `search`."""
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "command": command,
        "question": answer.question,
        "intent": answer.intent,
        "answer": answer.text,
        "abstained": answer.abstained,
        "confidence": answer.confidence,
        "choice": answer.choice,
        "value": answer.value,
        "evidence": [item.to_json() for item in answer.evidence],
        "candidates": [item.to_json() for item in answer.candidates],
        "encoder": answer.encoder,
        "answerer": answer.answerer,
        "elapsed_ms": answer.elapsed_ms,
        "notes": list(answer.notes),
    }
    if explain:
        document["explain"] = answer.explain
    return document
