"""What a batch over many videos is asked for and tells: options, events and the plan."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from streammem.core.errors import UsageError, reason_of
from streammem.core.results import IngestEvent

LOCAL = "local"
RAY = "ray"


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How a batch is run.

    `timeout_s` and `memory_limit_bytes` hold for one file and one worker; None is no limit.
    `answers` is the file that receives one JSON line for each of `questions` and video, empty for
    `answers.jsonl` in the library. `watch` goes on as files appear. `engine` is `local` or `ray`,
    `ray_address` empty for a cluster of its own, `gpus` what Ray reserves for one worker.
    """

    jobs: int = 1
    timeout_s: float | None = None
    memory_limit_bytes: int | None = None
    retry_quarantined: bool = False
    questions: tuple[str, ...] = ()
    answers: str = ""
    watch: bool = False
    engine: str = LOCAL
    ray_address: str = ""
    gpus: float = 0.0

    def __post_init__(self) -> None:
        if self.timeout_s is not None and self.timeout_s <= 0:
            raise UsageError(
                f"a time limit of {self.timeout_s:g} s leaves no time for any file",
                hint="give more, or leave the limit out",
                code="bad_time",
            )


@dataclass(frozen=True, slots=True)
class BatchEvent:
    """What happens to a batch as a whole, for the overall bar and event lines.

    `kind`: `sources` (`count` of them are known now), `retried`, `quarantined`, `answered`.
    `content` is the answer's line.
    """

    kind: str
    source: str | None = None
    message: str | None = None
    count: int = 0
    content: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """One event line."""
        data = asdict(self)
        return {"event": data.pop("kind"), **data}


OnBatchEvent = Callable[[IngestEvent | BatchEvent], None]


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """What a batch would have to do, before it does it.

    `unchanged` of the `files` are memories already, `unreadable` say no length; `video_s` is the
    length of those that are to be read. Seconds and bytes are estimates for these, None where
    nothing was measured; `bytes_at_most` is what the budgets allow. `measured` says on what the
    estimate rests: seconds and bytes for each file and for each second of video.
    """

    files: int
    unchanged: int
    unreadable: int
    source_bytes: int
    video_s: float
    jobs: int
    elapsed_s: float | None
    memory_bytes: int | None
    bytes_at_most: int
    measured: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The entry of `results` in `plan --json`."""
        return asdict(self)


def read_questions(file: Path) -> tuple[str, ...]:
    """The questions of a text file: one a line, without repeats; `#` begins a remark.

    Raises:
        UsageError: the file cannot be read or asks nothing.
    """
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"the questions in {file} cannot be read: {reason_of(error)}",
            hint="it must be a text file with one question a line",
        ) from error
    asked = dict.fromkeys(line for line in lines if line and not line.startswith("#"))
    if not asked:
        raise UsageError(f"{file} asks nothing", hint="write one question a line")
    return tuple(asked)
