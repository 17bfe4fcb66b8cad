"""What a container says in words: which text track to read, titles, chapters, date and place.

The arguments are PyAV's objects, used by their attributes only, so this can be tested without it.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from streammem.core.languages import two_letters
from streammem.core.types import Channel, Cue
from streammem.video.container_facts import CONTAINER_CLOCK_HZ

_BITMAP_SUBTITLES = frozenset({"dvdsub", "dvbsub", "pgssub", "xsub"})
_DEFAULT_TRACK = 1
_FORCED_TRACK = 64
# Tags whose values say what the recording is about; the others are about the file.
_TOLD_TAGS = (
    "title", "show", "episode_id", "artist", "album", "description", "synopsis", "comment",
    "keywords", "genre",
)  # fmt: skip
_CLOCK_TAGS = ("com.apple.quicktime.creationdate", "creation_time", "date")
_PLACE_TAGS = ("com.apple.quicktime.location.ISO6709", "location", "location-eng")
# Clocks that were never set begin counting at these years.
_FIRST_YEAR = 1990
_MAX_TAG_CHARS = 500
_PLACE = re.compile(r"([+-]\d{1,3}(?:\.\d+)?)([+-]\d{1,3}(?:\.\d+)?)")
RECORDED = "recorded: "


@dataclass(frozen=True, slots=True)
class StreamMetadata:
    """Titles, chapters, date and place of a recording as cues.

    `begins_s` is the container time that players show as zero; `recorded_at` Unix seconds of that
    moment, None where the container does not know it.
    """

    begins_s: float = 0.0
    recorded_at: float | None = None
    cues: tuple[Cue, ...] = ()


def pick_subtitles(tracks: Sequence[Any], language: str | None) -> Any | None:
    """The text track to read: of the language asked for, else the default, else the first.

    Tracks of pictures and forced ones (signs only) come last; None where there is no text track,
    or none that may be of the language.
    """
    texts = [
        track
        for track in tracks
        if track.codec_context is not None and track.codec_context.name not in _BITMAP_SUBTITLES
    ]
    if language is not None:
        texts = [track for track in texts if two_letters(track.language) in (language, None)]
    if not texts:
        return None

    def rank(track: Any) -> tuple[bool, bool, bool]:
        flags = int(track.disposition)
        return (
            language is not None and two_letters(track.language) != language,
            bool(flags & _FORCED_TRACK),
            not flags & _DEFAULT_TRACK,
        )

    return min(texts, key=rank)


@dataclass(frozen=True, slots=True)
class ContainerWords:
    """What a container says right after it was opened, kept: reading on may change it.

    It has what `metadata_of` asks of a container.
    """

    metadata: Mapping[str, str]
    start_time: int | None
    duration: int | None
    marks: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, container: Any) -> "ContainerWords":
        """Those of a container that was just opened."""
        chapters = tuple(container.chapters())
        return cls(dict(container.metadata), container.start_time, container.duration, chapters)

    def chapters(self) -> tuple[Mapping[str, Any], ...]:
        """Stretches with titles."""
        return self.marks


def metadata_of(container: Any, end_s: float | None) -> StreamMetadata:
    """The words of an opened container; what holds for all of it ends at `end_s`."""
    tags = {str(key).lower(): str(value) for key, value in container.metadata.items()}
    begins_s = (container.start_time or 0) / CONTAINER_CLOCK_HZ
    if end_s is None and container.duration and container.duration > 0:
        end_s = begins_s + container.duration / CONTAINER_CLOCK_HZ
    recorded_at = _recorded_at(tags)
    whole = [
        Cue(begins_s, end_s or begins_s, text, Channel.METADATA)
        for text in _told(tags, recorded_at)
    ]
    cues = (*whole, *_chapters(container.chapters(), begins_s))
    return StreamMetadata(begins_s, recorded_at, cues)


def _told(tags: Mapping[str, str], recorded_at: float | None) -> Iterator[str]:
    for name in _TOLD_TAGS:
        value = " ".join(tags.get(name, "").split())[:_MAX_TAG_CHARS]
        if value:
            yield f"{name.replace('_', ' ')}: {value}"
    place = next((tags[name.lower()] for name in _PLACE_TAGS if tags.get(name.lower())), "")
    if place:
        found = _PLACE.match(place)
        where = ", ".join(f"{float(part):g}" for part in found.groups()) if found else place
        yield f"place: {where[:_MAX_TAG_CHARS]}"
    if recorded_at is not None:
        yield told_moment(recorded_at)


def told_moment(recorded_at: float) -> str:
    """When a recording began, in Unix seconds, as it is put into words."""
    return f"{RECORDED}{datetime.fromtimestamp(recorded_at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _chapters(chapters: Iterable[Mapping[str, Any]], begins_s: float) -> Iterator[Cue]:
    for chapter in chapters:
        base = chapter["time_base"]
        start_s, end_s = float(chapter["start"] * base), float(chapter["end"] * base)
        title = " ".join(str(chapter["metadata"].get("title", "")).split())[:_MAX_TAG_CHARS]
        if title and math.isfinite(start_s) and end_s >= start_s:
            yield Cue(begins_s + start_s, begins_s + end_s, title, Channel.METADATA)


def _recorded_at(tags: Mapping[str, str]) -> float | None:
    """Unix seconds of the first tag that names a moment; without a zone it is universal time."""
    for name in _CLOCK_TAGS:
        text = tags.get(name, "").strip()
        if len(text) <= len("2012-05-29"):
            continue
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            continue
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        if moment.year >= _FIRST_YEAR:
            return moment.timestamp()
    return None
