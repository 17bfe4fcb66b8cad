"""What commands return: one frozen dataclass a document, each with its JSON form."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from streammem.core.errors import StreamMemError
from streammem.core.types import FrameCounts, Gap


@dataclass(frozen=True, slots=True)
class IngestRequest:
    """One ingest as the user asked for it, settings already resolved from every place.

    `start_s`, `end_s` bound the stream in container time; `force` replaces a memory of the
    same content made with other settings; `recorded_at` is Unix seconds of the first frame.
    `subtitles` is `auto`, `none` or the path of a file, `subtitle_language` two letters or empty;
    `audio` and `screen_text` say whether the source is listened to and its pictures are read.
    `speech_model` is the folder of a Whisper model, `auto` or empty, `sound_model` the file of a
    sound classifier or empty.
    """

    fps: float
    budget_bytes: int
    policy: str
    encoder: str
    weights: str
    device: str
    reader: str
    commit_frames: int
    commit_s: float
    auto_encoders: tuple[str, ...]
    start_s: float | None = None
    end_s: float | None = None
    name: str | None = None
    recorded_at: float | None = None
    force: bool = False
    subtitles: str = "auto"
    subtitle_language: str = ""
    audio: bool = True
    screen_text: bool = True
    speech_model: str = "auto"
    speech_language: str = ""
    sound_model: str = ""


@dataclass(frozen=True, slots=True)
class IngestEvent:
    """Progress of one source, for progress bars and event lines.

    `kind`: `started`, `note`, `progress`, `item_done`, `item_failed`. In `progress`,
    `position_s` is the stream time reached, `end_s` where it will end if that is known.
    """

    kind: str
    source: str
    memory_id: str | None = None
    position_s: float = 0.0
    start_s: float = 0.0
    end_s: float | None = None
    encoded: int = 0
    message: str | None = None
    result: "IngestResult | None" = None

    def to_json(self) -> dict[str, Any]:
        """One event line."""
        data = {name: getattr(self, name) for name in self.__slots__}
        data["result"] = self.result.to_json() if self.result else None
        return {"event": data.pop("kind"), **data}


OnEvent = Callable[[IngestEvent], None]


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What one source became. All figures describe the whole memory, `elapsed_s` this run.

    `status`: `done`, `resumed`, `unchanged`, `partial` or `failed`. `fully_readable` is
    False where the source could be read only partly, also when the status is `unchanged`.
    """

    source: str
    status: str
    memory_id: str | None = None
    memory_path: str | None = None
    duration_s: float | None = None
    covered_s: float = 0.0
    frames: FrameCounts = field(default_factory=FrameCounts)
    gaps: tuple[Gap, ...] = ()
    bytes: Mapping[str, int] = field(default_factory=dict)
    cells: Mapping[str, int] = field(default_factory=dict)
    cues: Mapping[str, int] = field(default_factory=dict)
    encoder: str | None = None
    policy: str | None = None
    elapsed_s: float = 0.0
    error: StreamMemError | None = None
    fully_readable: bool = True
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The entry of `results` in `ingest --json`."""
        return {
            "source": self.source,
            "memory_id": self.memory_id,
            "memory_path": self.memory_path,
            "status": self.status,
            "duration_s": self.duration_s,
            "covered_s": self.covered_s,
            "frames": asdict(self.frames),
            "gaps": [asdict(gap) for gap in self.gaps],
            "bytes": {name: int(self.bytes.get(name, 0)) for name in BYTE_FIELDS},
            "cells": {name: int(self.cells.get(name, 0)) for name in CELL_FIELDS},
            "cues": {name: int(self.cues.get(name, 0)) for name in CUE_FIELDS},
            "encoder": self.encoder,
            "policy": self.policy,
            "elapsed_s": self.elapsed_s,
            "error": self.error.to_json() if self.error else None,
            "notes": list(self.notes),
        }


BYTE_FIELDS = ("budget", "file", "sensory", "working", "long_term", "cues", "thumbnails")
CELL_FIELDS = ("sensory", "working", "long_term")
CUE_FIELDS = ("subtitle", "speech", "screen_text", "sound")


@dataclass(frozen=True, slots=True)
class MemorySummary:
    """One memory in a listing. `problem` is set where the file cannot be read."""

    memory_id: str
    memory_path: str
    source: str | None = None
    status: str | None = None
    duration_s: float | None = None
    covered_s: float = 0.0
    file_bytes: int = 0
    budget_bytes: int = 0
    cells: Mapping[str, int] = field(default_factory=dict)
    encoder: str | None = None
    policy: str | None = None
    created_at: float | None = None
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The entry of `results` in `list --json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class CellView:
    """One cell for inspection: where it lies, what it stands for."""

    id: int
    tier: str
    start_s: float
    end_s: float
    spans: tuple[tuple[float, float], ...]
    mass: int
    visits: int
    exemplar_s: float


@dataclass(frozen=True, slots=True)
class MemoryDetails:
    """Everything `show` prints of one memory."""

    summary: MemorySummary
    frames: FrameCounts
    gaps: tuple[Gap, ...]
    bytes: Mapping[str, int]
    settings: Mapping[str, Any]
    cells: tuple[CellView, ...]
    ledger: tuple[Mapping[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """The entry of `results` in `show --json`."""
        return {
            **self.summary.to_json(),
            "frames": asdict(self.frames),
            "gaps": [asdict(gap) for gap in self.gaps],
            "bytes": dict(self.bytes),
            "settings": dict(self.settings),
            "cell_list": [asdict(cell) for cell in self.cells],
            "ledger": [dict(entry) for entry in self.ledger],
        }


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome of checking one memory file."""

    memory_id: str
    memory_path: str
    ok: bool
    problems: tuple[str, ...]
    error: StreamMemError | None = None

    def to_json(self) -> dict[str, Any]:
        """The entry of `results` in `verify --json`."""
        return {
            "memory_id": self.memory_id,
            "memory_path": self.memory_path,
            "ok": self.ok,
            "problems": list(self.problems),
            "error": self.error.to_json() if self.error else None,
        }


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A memory that was removed, or with `removed` False would be."""

    memory_id: str
    memory_path: str
    file_bytes: int
    removed: bool

    def to_json(self) -> dict[str, Any]:
        """The entry of `results` in `forget --json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `doctor`: `status` is `ok`, `warning` or `failed`; `fix` an exact command."""

    name: str
    status: str
    detail: str
    fix: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The entry of `results` in `doctor --json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """One encoder that can be used or pulled."""

    id: str
    available: bool
    location: str | None
    licence: str
    note: str

    def to_json(self) -> dict[str, Any]:
        """The entry of `results` in `models list --json`."""
        return asdict(self)
