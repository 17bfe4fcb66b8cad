"""What a timeline says: events with their names, quoted cues and picture, in chapters."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from streammem.core.types import Gap


@dataclass(frozen=True, slots=True)
class TimelineOptions:
    """How a timeline is told: within which range, and which files are written.

    `thumbnails` is a folder that receives a picture of each event, `html` a page with all of them.
    """

    between_s: tuple[float, float] | None = None
    min_confidence: float = 0.5
    thumbnails: Path | None = None
    html: Path | None = None
    weights: str = ""
    device: str = "auto"


@dataclass(frozen=True, slots=True)
class Quote:
    """A cue that belongs to an event: what was said, written or heard, and when."""

    start_s: float
    end_s: float
    channel: str
    text: str

    def to_json(self) -> dict[str, Any]:
        """The entry of `cues`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One event, half-open. `names` with their confidence, best first; `time_s` is of its frame.

    `picture` is that frame as WebP, None where there is none; `thumbnail` the file it was
    written to.
    """

    id: str
    start_s: float
    end_s: float
    time_s: float
    names: tuple[tuple[str, float], ...] = ()
    cues: tuple[Quote, ...] = ()
    picture: bytes | None = None
    thumbnail: str | None = None

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return self.end_s - self.start_s

    @property
    def title(self) -> str:
        """Its names in one line, empty where nothing can be named."""
        return ", ".join(name for name, _ in self.names)

    def to_json(self) -> dict[str, Any]:
        """The entry of `events`."""
        return {
            "id": self.id,
            "start_s": self.start_s,
            "end_s": self.end_s,
            "duration_s": self.duration_s,
            "time_s": self.time_s,
            "names": [{"name": name, "confidence": sure} for name, sure in self.names],
            "cues": [cue.to_json() for cue in self.cues],
            "thumbnail": self.thumbnail,
        }


@dataclass(frozen=True, slots=True)
class Chapter:
    """A stretch of several events. `origin` is `file` where the container names it, else `look`."""

    title: str
    start_s: float
    end_s: float
    origin: str
    events: tuple[TimelineEvent, ...]

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return self.end_s - self.start_s

    def to_json(self) -> dict[str, Any]:
        """The entry of `chapters`; its events are named by their ids."""
        return {
            "title": self.title,
            "start_s": self.start_s,
            "end_s": self.end_s,
            "duration_s": self.duration_s,
            "origin": self.origin,
            "events": [event.id for event in self.events],
        }


@dataclass(frozen=True, slots=True)
class Timeline:
    """The events of one memory within a range, in chapters; `about` is what the file says of it."""

    memory_id: str
    source: str
    start_s: float
    end_s: float
    chapters: tuple[Chapter, ...]
    about: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def events(self) -> tuple[TimelineEvent, ...]:
        """All events in time order."""
        return tuple(event for chapter in self.chapters for event in chapter.events)

    def to_json(self) -> dict[str, Any]:
        """The entry of `results`."""
        return {
            "memory_id": self.memory_id,
            "source": self.source,
            "start_s": self.start_s,
            "end_s": self.end_s,
            "duration_s": self.end_s - self.start_s,
            "about": list(self.about),
            "chapters": [chapter.to_json() for chapter in self.chapters],
            "events": [event.to_json() for event in self.events],
            "gaps": [asdict(gap) for gap in self.gaps],
            "notes": list(self.notes),
        }
