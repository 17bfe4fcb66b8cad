"""What a memory file says besides its cells: settings, progress, and what one commit carries.

Everything here becomes JSON with sorted keys. Times are float64 and come back exactly, as JSON
writes the shortest text that reads as the same number.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

from streammem.core.budget import BudgetPlan
from streammem.core.types import (
    Channel,
    EncoderSpec,
    FrameCounts,
    Gap,
    ReaderMark,
    RuntimeChoice,
    StreamInfo,
    TrackInfo,
)
from streammem.storage.gaps import bound_gaps, shorten
from streammem.text.rows import CueRow

MAX_TRACKS = 16
_TITLE_BYTES = 48
_PATH_BYTES = 1024


@dataclass(frozen=True, slots=True)
class MemoryMeta:
    """What is fixed when a memory is begun. Times of `recorded_at`, `created_at`: unix seconds.

    `source` is printable (no credentials); `source_path` is a hint where the file was and never
    needed; `reader` holds decoding settings as JSON-able values, `perception` what text and
    sound are read with: extras used, models, side-car files, and what was not there.
    """

    memory_id: str
    fingerprint: str
    source: str
    source_path: str | None
    fps: float
    start_s: float | None
    end_s: float | None
    policy: str
    budget_bytes: int
    channels: tuple[str, ...]
    encoder: EncoderSpec
    weights_hint: str | None
    runtime: RuntimeChoice
    reader: dict[str, Any]
    created_at: float
    recorded_at: float | None
    version: str
    perception: dict[str, Any] = field(default_factory=dict)

    @property
    def holds_words(self) -> bool:
        """Whether it was begun when text and sound were remembered: from schema 3 on."""
        return Channel.METADATA.value in self.channels

    def settings_key(self) -> dict[str, Any]:
        """What must be equal for a second run over the same source to change nothing."""
        return {
            "fps": self.fps,
            "start_s": self.start_s,
            "end_s": self.end_s,
            "budget_bytes": self.budget_bytes,
            "policy": self.policy,
            "encoder": self.encoder.id,
            "channels": list(self.channels),
        }

    def bounded(self) -> "MemoryMeta":
        """The same record in bounded space: a hint of more than 1 KiB is left out."""
        return replace(
            self,
            source=shorten(self.source, _PATH_BYTES),
            source_path=_short_hint(self.source_path),
            weights_hint=_short_hint(self.weights_hint),
        )

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` turns back into an equal record."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The record that `to_json` wrote."""
        return cls(
            **{
                **data,
                "channels": tuple(data["channels"]),
                "encoder": EncoderSpec.from_json(data["encoder"]),
                "runtime": RuntimeChoice.from_json(data["runtime"]),
            }
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a memory has come. `status` is `running`, `done` or `partial`."""

    status: str = "running"
    info: StreamInfo | None = None
    duration_s: float | None = None
    covered_s: float = 0.0
    first_pts_s: float | None = None
    last_end_s: float | None = None
    frames: FrameCounts = field(default_factory=FrameCounts)
    gaps: tuple[Gap, ...] = ()
    mark: ReaderMark | None = None
    written_frames: int = 0
    commits: int = 0

    def bounded(self, gap_limit: int) -> "Progress":
        """The same progress in bounded space: see `bound_gaps`; at most 16 tracks are listed."""
        gaps, mark, info = bound_gaps(self.gaps, gap_limit), self.mark, self.info
        if mark is not None:
            mark = replace(mark, gaps=bound_gaps(mark.gaps, gap_limit))
        if info is not None:
            tracks = tuple(_short_title(track) for track in info.tracks[:MAX_TRACKS])
            info = replace(info, source=shorten(info.source, _PATH_BYTES), tracks=tracks)
        return replace(self, gaps=gaps, mark=mark, info=info)

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` turns back into an equal progress.

        Gaps are written once: most often those of the mark are those of the progress, and few
        reasons serve many gaps.
        """
        mark = self.mark
        reasons = sorted({gap.reason for gap in (*self.gaps, *(mark.gaps if mark else ()))})
        number = {reason: index for index, reason in enumerate(reasons)}

        def pack(gaps: tuple[Gap, ...]) -> list[list[float]]:
            return [[gap.start_s, gap.end_s, number[gap.reason]] for gap in gaps]

        data: dict[str, Any] = {
            **{name: getattr(self, name) for name in _PLAIN_FIELDS},
            "info": None if self.info is None else asdict(self.info),
            "frames": asdict(self.frames),
            "gaps": pack(self.gaps),
            "reasons": reasons,
            "mark": None,
        }
        if mark is not None:
            same = mark.gaps == self.gaps
            data["mark"] = {**mark.to_json(), "gaps": None if same else pack(mark.gaps)}
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The progress that `to_json` wrote."""
        reasons = data["reasons"]

        def unpack(packed: list[list[Any]]) -> tuple[Gap, ...]:
            return tuple(Gap(start_s, end_s, reasons[index]) for start_s, end_s, index in packed)

        gaps, mark, info = unpack(data["gaps"]), data["mark"], data["info"]
        if mark is not None:
            mark_gaps = gaps if mark["gaps"] is None else unpack(mark["gaps"])
            mark = ReaderMark(**{**mark, "gaps": mark_gaps})
        if info is not None:
            tracks = tuple(TrackInfo(**track) for track in info["tracks"])
            info = StreamInfo(**{**info, "tracks": tracks})
        return cls(
            **{name: data[name] for name in _PLAIN_FIELDS},
            info=info,
            frames=FrameCounts(**data["frames"]),
            gaps=gaps,
            mark=mark,
        )


_PLAIN_FIELDS = (
    "status",
    "duration_s",
    "covered_s",
    "first_pts_s",
    "last_end_s",
    "written_frames",
    "commits",
)


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything that goes to disk in one transaction.

    `sections` is the whole state of the memory by part; only what changed is written.
    Thumbnails are WebP bytes by presentation time in integer microseconds; dropped ones go
    before added ones come. `usage_absorbed` is how far the usage log has been absorbed.
    `cues` are appended after those in `cues_dropped` went; `cue_next_id` is the number of the
    next one. `listening` is what the readers of text and sound need to go on from here,
    `word_tally` how often each word was said so far.
    """

    sections: Mapping[str, bytes]
    progress: Progress
    thumbnails_added: Mapping[int, bytes] = field(default_factory=dict)
    thumbnails_dropped: frozenset[int] = frozenset()
    cell_counts: Mapping[str, int] = field(default_factory=dict)
    tier_bytes: Mapping[str, int] = field(default_factory=dict)
    usage_absorbed: int = 0
    cues: tuple[CueRow, ...] = ()
    cues_dropped: frozenset[int] = frozenset()
    cue_next_id: int = 1
    listening: bytes = b""
    word_tally: bytes = b""


@dataclass(frozen=True, slots=True)
class SectionRecord:
    """Where a section lies and what it must be: slot of its chunks, length, digest."""

    slot: int
    length: int
    digest: str


@dataclass(frozen=True, slots=True)
class CommitRecord:
    """The row that each commit rewrites; everything else in the file is checked against it."""

    progress: Progress
    cell_counts: dict[str, int]
    tier_bytes: dict[str, int]
    usage_absorbed: int
    sections: dict[str, SectionRecord]
    thumbnail_count: int = 0
    thumbnail_bytes: int = 0
    cue_counts: dict[str, int] = field(default_factory=dict)
    cue_bytes: int = 0
    cue_next_id: int = 1

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` turns back into an equal record."""
        plain = {name: getattr(self, name) for name in _COMMIT_FIELDS}
        sections = {name: asdict(record) for name, record in self.sections.items()}
        return {**plain, "progress": self.progress.to_json(), "sections": sections}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The record that `to_json` wrote; fields of later schemas may be absent."""
        return cls(
            **{name: data[name] for name in _COMMIT_FIELDS if name in data},
            progress=Progress.from_json(data["progress"]),
            sections={name: SectionRecord(**part) for name, part in data["sections"].items()},
        )


_COMMIT_FIELDS = (
    "cell_counts",
    "tier_bytes",
    "usage_absorbed",
    "thumbnail_count",
    "thumbnail_bytes",
    "cue_counts",
    "cue_bytes",
    "cue_next_id",
)


@dataclass(frozen=True, slots=True)
class StoredMemory:
    """A memory as one commit left it, copied out of the file.

    `thumbnail_lengths` belongs to `thumbnail_keys`; `file_bytes` is the main file's size with
    everything committed moved into it; thumbnails and cues are counted without their pages.
    """

    path: Path
    meta: MemoryMeta
    plan: BudgetPlan
    progress: Progress
    sections: dict[str, bytes]
    thumbnail_keys: tuple[int, ...]
    thumbnail_lengths: tuple[int, ...]
    cell_counts: dict[str, int]
    tier_bytes: dict[str, int]
    usage_absorbed: int
    file_bytes: int
    thumbnail_bytes: int
    cue_bytes: int
    cue_counts: dict[str, int]
    cue_next_id: int
    listening: bytes
    word_tally: bytes


class MetaView(NamedTuple):
    """What a listing needs of a memory, without its sections."""

    meta: MemoryMeta
    progress: Progress
    cell_counts: dict[str, int]
    tier_bytes: dict[str, int]
    cue_counts: dict[str, int]
    file_bytes: int


def dump_json(data: Any) -> bytes:
    """JSON with sorted keys, in UTF-8; file names that are no Unicode survive as surrogates."""
    text = json.dumps(
        data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_as_number
    )
    return text.encode("utf-8", "surrogatepass")


def load_json(data: bytes) -> Any:
    """What `dump_json` wrote.

    Raises:
        ValueError: it is not JSON.
    """
    return json.loads(data.decode("utf-8", "surrogatepass"))


def _as_number(value: Any) -> Any:
    """The Python number in a NumPy one."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not JSON")


def _short_hint(path: str | None) -> str | None:
    """A path that is cut leads nowhere, so a long one is left out."""
    return path if path is not None and shorten(path, _PATH_BYTES) == path else None


def _short_title(track: TrackInfo) -> TrackInfo:
    title, language = track.title, track.language
    return replace(
        track,
        title=None if title is None else shorten(title, _TITLE_BYTES),
        language=None if language is None else shorten(language, _TITLE_BYTES),
    )
