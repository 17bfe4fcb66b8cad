"""The JSON that a batch and its workers exchange, one object a line."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from streammem.core.config import AnswerConfig
from streammem.core.errors import StreamMemError
from streammem.core.requests import AskOptions
from streammem.core.results import IngestRequest, IngestResult
from streammem.core.types import FrameCounts, Gap


@dataclass(frozen=True, slots=True)
class WorkerOrders:
    """What every worker of a batch is told once: where to, and how to ingest and to ask."""

    folder: str
    request: IngestRequest
    asking: AskOptions
    answering: AnswerConfig
    memory_limit_bytes: int | None = None

    def to_json(self) -> str:
        """One text that `from_json` turns back into equal orders."""
        return json.dumps(
            {
                "folder": self.folder,
                "request": asdict(self.request),
                "asking": asdict(self.asking),
                "answering": self.answering.model_dump(mode="json"),
                "memory_limit_bytes": self.memory_limit_bytes,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "WorkerOrders":
        """The orders that the parent sent."""
        data = json.loads(text)
        request, asking = data["request"], data["asking"]
        return cls(
            folder=data["folder"],
            request=IngestRequest(**{**request, "auto_encoders": tuple(request["auto_encoders"])}),
            asking=AskOptions(**{name: _fixed(value) for name, value in asking.items()}),
            answering=AnswerConfig.model_validate(data["answering"]),
            memory_limit_bytes=data["memory_limit_bytes"],
        )


def _fixed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def error_to_wire(error: StreamMemError) -> dict[str, Any]:
    """An error with its exit status, to be rebuilt by the parent."""
    return {**error.to_json(), "exit_code": error.exit_code}


def error_from_wire(wire: Mapping[str, Any]) -> StreamMemError:
    """The error that a worker sent."""
    error = StreamMemError(wire["message"], hint=wire["hint"], code=wire["code"])
    error.exit_code = wire["exit_code"]
    return error


def result_to_wire(result: IngestResult) -> dict[str, Any]:
    """A result with all that `result_from_wire` needs."""
    wire_error = error_to_wire(result.error) if result.error else None
    return {**result.to_json(), "fully_readable": result.fully_readable, "error": wire_error}


def result_from_wire(data: Mapping[str, Any]) -> IngestResult:
    """The result that a worker sent."""
    wire = data["error"]
    return IngestResult(
        **{
            **data,
            "frames": FrameCounts(**data["frames"]),
            "gaps": tuple(Gap(**gap) for gap in data["gaps"]),
            "notes": tuple(data["notes"]),
            "error": None if wire is None else error_from_wire(wire),
        }
    )
