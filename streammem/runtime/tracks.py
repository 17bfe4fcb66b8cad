"""The timed text that a source brings along: its text track, files beside it, its metadata."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streammem.core.errors import SourceError, StreamMemError, UsageError
from streammem.core.results import IngestRequest
from streammem.core.types import Channel, Cue
from streammem.text.subtitles import (
    SideCar,
    find_side_cars,
    joined,
    named_side_car,
    read_side_car,
)
from streammem.video.container_text import RECORDED, StreamMetadata, told_moment
from streammem.video.reader import FrameReader

AUTO = "auto"
NONE = "none"


@dataclass(frozen=True, slots=True)
class SubtitleChoice:
    """Which subtitles are read: `setting` is `auto`, `none` or the digest of the named file.

    `files` are those beside the source or the named one; `track` says whether the container's
    own text track is read, `notes` what is there and cannot be read.
    """

    setting: str
    files: tuple[SideCar, ...] = ()
    digests: tuple[str, ...] = ()
    track: bool = False
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What is stored with a memory: a resumed run must read the same files."""
        named = zip(self.files, self.digests, strict=True)
        return {
            "subtitles": self.setting,
            "subtitle_files": [[car.path.name, digest] for car, digest in named],
        }


def choose_subtitles(source: str, request: IngestRequest) -> SubtitleChoice:
    """The subtitles that a request asks for.

    Raises:
        UsageError: the named file is not there, or is no subtitle file.
        SourceError: a file cannot be read.
    """
    if request.subtitles == NONE:
        return SubtitleChoice(NONE)
    if request.subtitles == AUTO:
        found: dict[SideCar, str] = {}
        notes = []
        for car in find_side_cars(Path(source), request.subtitle_language or None):
            try:
                found[car] = car.digest()
            except SourceError as error:
                notes.append(f"subtitles were not read: {error.message}")
        return SubtitleChoice(AUTO, tuple(found), tuple(found.values()), True, tuple(notes))
    named = named_side_car(Path(request.subtitles).expanduser())
    digest = named.digest()
    return SubtitleChoice(digest, (named,), (digest,))


def check_same_subtitles(stored: dict[str, Any], choice: SubtitleChoice, memory_id: str) -> None:
    """Refuse to go on with other subtitle files than those a memory was begun with.

    Raises:
        UsageError: the files differ.
    """
    if stored and stored.get("subtitle_files") != choice.to_json()["subtitle_files"]:
        raise UsageError(
            f"{memory_id!r} was begun with other subtitle files",
            hint="put them back, or add --force to make it anew",
            code="settings_differ",
        )


def unread_files(stored: dict[str, Any], choice: SubtitleChoice) -> tuple[str, ...]:
    """A line for the subtitle files beside a source that its finished memory does not know."""
    if choice.setting != AUTO:
        return ()
    read = {digest for _, digest in stored.get("subtitle_files", ())}
    named = zip(choice.files, choice.digests, strict=True)
    new = [car.path.name for car, digest in named if digest not in read]
    return (f"not in the memory yet: {', '.join(new)}; to read it add --force",) if new else ()


class TextTracks:
    """The cues of a source's own texts, handed out as the stream reaches them. Used once."""

    def __init__(
        self,
        reader: FrameReader | None,
        choice: SubtitleChoice,
        metadata: StreamMetadata,
        request: IngestRequest,
    ) -> None:
        self.notes: list[str] = list(choice.notes)
        self._range = (request.start_s, request.end_s)
        told = metadata.cues
        if request.recorded_at is not None:
            length_s = (reader.info.duration_s or 0.0) if reader is not None else 0.0
            told = _with_moment(metadata, request.recorded_at, length_s)
        self._tracks: list[_Track] = [_Track(iter(self._inside(told)))]
        for car in choice.files:
            try:
                cues = read_side_car(car, metadata.begins_s)
            except SourceError as error:
                if choice.setting != AUTO:
                    raise
                self.notes.append(f"subtitles were not read: {error.message}")
                continue
            if not cues:
                self.notes.append(f"{car.path.name} holds no subtitles that can be read")
            self._tracks.append(_Track(iter(self._inside(cues))))
        if choice.track and reader is not None and reader.rereadable:
            own = joined(reader.subtitles(request.subtitle_language or None))
            self._tracks.append(_Track(self._guarded(own)))

    def until(self, end_s: float) -> list[Cue]:
        """The cues that begin before a time and were not handed out yet, in order of time."""
        cues = [cue for track in self._tracks for cue in track.until(end_s)]
        return sorted(cues, key=_order)

    def _inside(self, cues: Iterable[Cue]) -> list[Cue]:
        """The cues that touch the range asked for, in order of time."""
        start_s, end_s = self._range
        inside = [
            cue
            for cue in cues
            if (start_s is None or cue.end_s > start_s) and (end_s is None or cue.start_s < end_s)
        ]
        return sorted(inside, key=_order)

    def _guarded(self, cues: Iterator[Cue]) -> Iterator[Cue]:
        """A track's cues; where it breaks off the rest is missing, and a note says so."""
        try:
            yield from cues
        except StreamMemError as error:
            self.notes.append(f"the text track was not read to its end: {error.message}")


def _with_moment(metadata: StreamMetadata, recorded_at: float, length_s: float) -> tuple[Cue, ...]:
    """The cues of a container with the moment that somebody named instead of its own."""
    told = [cue for cue in metadata.cues if not cue.text.startswith(RECORDED)]
    begins_s = metadata.begins_s
    named = Cue(begins_s, begins_s + length_s, told_moment(recorded_at), Channel.METADATA)
    return (named, *told)


class _Track:
    """One text in order of time, with the cue that is next."""

    def __init__(self, cues: Iterator[Cue]) -> None:
        self._cues = cues
        self._next: Cue | None = None

    def until(self, end_s: float) -> Iterator[Cue]:
        while True:
            if self._next is None:
                self._next = next(self._cues, None)
            if self._next is None or self._next.start_s >= end_s:
                return
            cue, self._next = self._next, None
            yield cue


_CHANNELS = list(Channel)


def _order(cue: Cue) -> tuple[float, float, int, str]:
    return cue.start_s, cue.end_s, _CHANNELS.index(cue.channel), cue.text
