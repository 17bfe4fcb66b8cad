"""Watching a live source: how it is asked for, and what is told while it runs."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from streammem.core.types import Floats, Pixels, Times

LIVE = "live"
"""Says in the reader's settings of a memory that it comes from a watch."""


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How a live source is watched, besides what an ingest has.

    `duration_s` and `until` (Unix seconds) end it. `when_behind` is `auto`, `drop-oldest`,
    `lower-rate` or `block`; `transport` is what RTSP travels over. A reading that gives no frame
    for `stall_s`, at first for `open_s`, is killed and begun again; a source that gives none at
    all within `give_up_s` of the start is an error. What was seen is on disk after `commit_s`.
    """

    duration_s: float | None = None
    until: float | None = None
    when_behind: str = "auto"
    transport: str = "tcp"
    stall_s: float = 10.0
    open_s: float = 20.0
    give_up_s: float = 30.0
    longest_wait_s: float = 30.0
    commit_s: float = 2.0
    status_s: float = 1.0


@dataclass(frozen=True, slots=True)
class WatchStatus:
    """How it stands with a watch at one moment.

    `position_s` is the memory time reached, `behind_s` how long ago the newest frame in memory
    came, `fps` decoded frames a second lately, `blind_s` for how long nothing has been seen (0
    while something is), `bytes` and `cells` those of the last commit.
    """

    position_s: float
    behind_s: float
    fps: float
    decoded: int
    encoded: int
    dropped: int
    waiting: int
    gaps: int
    segments: int
    connections: int
    blind_s: float = 0.0
    bytes: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The fields of a status line."""
        return {**asdict(self), "bytes": dict(self.bytes)}


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """Something that happened while a source was watched, for status and event lines.

    `kind`: `started`, `note`, `segment`, `gap`, `dropped`, `status`, `done`. `start_s` and `end_s`
    are memory times of a gap, of dropped frames or of a segment's beginning.
    """

    kind: str
    source: str
    memory_id: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    message: str | None = None
    count: int = 0
    status: WatchStatus | None = None

    def to_json(self) -> dict[str, Any]:
        """One event line, without what it has nothing to say of."""
        data = {
            "event": self.kind,
            "source": self.source,
            "memory_id": self.memory_id,
            "start_s": self.start_s,
            "end_s": self.end_s,
            "message": self.message,
            "count": self.count or None,
            **(self.status.to_json() if self.status else {}),
        }
        return {key: value for key, value in data.items() if value is not None}


OnWatchEvent = Callable[[WatchEvent], None]


class StreamObserver(Protocol):
    """What looks at every batch of a watch before it is remembered, such as standing questions.

    All calls come from the thread that watches; while one runs, frames wait.
    """

    def observe(self, pts_s: Times, embeddings: Floats, pixels: Pixels | None = None) -> None:
        """Take the frames of a batch: memory times `[B]`, unit vectors `[B D]`, `[B 3 H W]`."""

    def to_bytes(self) -> bytes:
        """What `restore` needs to go on; stored with each commit."""

    def restore(self, data: bytes) -> tuple[str, ...]:
        """Go on from a stored state; names of the parts that begin anew."""

    def close(self) -> None:
        """The watch has ended."""


# Makes the observer of a watch from the encoder that its embeddings come from.
ObserverFactory = Callable[[Any], StreamObserver]
