"""What happens in a library at one moment: who writes which memory, and how far it has come."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from streammem.core.types import FrameCounts, Gap

WATCHING = "watching"
WRITING = "writing"
INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class MemoryWriter:
    """The process that holds a memory, as it wrote itself down; `since` is Unix seconds."""

    pid: int | None
    host: str | None
    since: float | None


@dataclass(frozen=True, slots=True)
class MemoryActivity:
    """A memory that is being written, or that nobody writes although it is unfinished.

    `state`: `watching` (a live source), `writing` (anything else), `interrupted`. `position_s` is
    the memory time reached with the last commit, which was at `last_commit_at` (Unix seconds).
    `behind_s` is how far that is behind the wall clock, None where the source is not timed by it or
    nobody watches; `blind_s` for how long the source has not been seen, 0 while it is. `problem` is
    set where the file cannot be read.
    """

    memory_id: str
    memory_path: str
    state: str
    writer: MemoryWriter | None = None
    source: str | None = None
    position_s: float = 0.0
    behind_s: float | None = None
    blind_s: float = 0.0
    last_commit_at: float | None = None
    commits: int = 0
    frames: FrameCounts = field(default_factory=FrameCounts)
    gaps: tuple[Gap, ...] = ()
    bytes: Mapping[str, int] = field(default_factory=dict)
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The entry of `results` in `status --json`."""
        return {**asdict(self), "bytes": dict(self.bytes)}
