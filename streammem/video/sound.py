"""The sound of a source as mono chunks with real times, read in a pass of its own."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from streammem.core.errors import SourceError, UsageError
from streammem.core.types import AudioChunk, Gap, TrackInfo
from streammem.video import _pyav
from streammem.video.container_facts import CONTAINER_CLOCK_HZ, declared, start_of, track_info
from streammem.video.container_text import StreamMetadata, metadata_of
from streammem.video.discover import SourceKind, kind_of
from streammem.video.identity import redact
from streammem.video.protocols import OpenPlan, plan_open
from streammem.video.sound_clock import Mixes, SoundClock, SoundMark, SoundPiece, with_gap
from streammem.video.source_errors import NO_SOUND_TRACK, live_cannot_resume, no_sound

SAMPLE_RATE_HZ = 16000
# Decoders with a memory (MP3, AAC, Opus) are fed this much before the wanted place.
PRE_ROLL_S = 2.0
# Their decoders forget what came before; those of Opus and others keep a trace of it for good, too
# small to show in 16 bits at once, so that only reading from the beginning is exact.
FORGETFUL_CODECS = ("pcm_", "flac", "alac", "aac", "mp3", "mp2", "vorbis", "ac3", "eac3")
# Declared lengths are rounded to packets and err a little.
TAIL_TOLERANCE_S = 0.5
ENDS_EARLY = "the sound ends early"


@dataclass(frozen=True, slots=True)
class SoundOptions:
    """What part of the sound is read and at what rate; times bound it half-open."""

    sample_rate_hz: int = SAMPLE_RATE_HZ
    start_s: float | None = None
    end_s: float | None = None

    def __post_init__(self) -> None:
        if self.sample_rate_hz < 1:
            raise UsageError(f"a sample rate of {self.sample_rate_hz} Hz is not possible")


@dataclass(frozen=True, slots=True)
class SoundInfo:
    """What the container says about the sound track. `source` is safe to print."""

    source: str
    codec: str
    sample_rate_hz: int
    channels: int
    start_s: float
    duration_s: float | None
    language: str | None
    tracks: tuple[TrackInfo, ...]


@dataclass(frozen=True, slots=True)
class SoundReport:
    """What a pass over the sound heard; complete once the chunks are exhausted.

    `covered_s` is the length of what was heard without its gaps; `damaged` counts packets that
    could not be decoded. Both times are 0 as long as nothing was heard.
    """

    first_pts_s: float
    last_end_s: float
    covered_s: float
    duration_s: float | None
    damaged: int
    gaps: tuple[Gap, ...]

    @property
    def partial(self) -> bool:
        """Whether a stretch of the sound could not be heard."""
        return bool(self.gaps)


class SoundReader:
    """The sound track of a source.

    Raises:
        SourceError: the source cannot be opened, or has no sound that can be decoded.
    """

    def __init__(self, plan: OpenPlan, shown: str, options: SoundOptions) -> None:
        self._plan, self._shown, self._options = plan, shown, options
        self._opened: Any = None
        self._clock = self._new_clock()
        self._tail: Gap | None = None
        track = self._open()
        self.info, self._declared_end_s = _describe(shown, self._opened, track)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the source; chunks that are still being read end."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def chunks(self, resume: SoundMark | None = None) -> Iterator[AudioChunk]:
        """Chunks in order of time; after `resume` exactly the samples an undisturbed pass gives.

        Raises:
            SourceError: the source stopped being readable, or sounds different at `resume`.
        """
        self._tail = None
        if resume is None:
            self._clock = self._new_clock()
            heard = self._heard(self._first_pieces())
        elif self._plan.live:
            raise live_cannot_resume(self._shown)
        else:
            heard = self._after(resume)
        yield from self._within_range(heard)

    def metadata(self) -> StreamMetadata:
        """Titles, chapters, recording date and place, as the container has them."""
        return metadata_of(self._opened, self._declared_end_s)

    def mark(self, at_s: float) -> SoundMark:
        """The position to go on from at `at_s`, at most two minutes behind what was delivered."""
        return self._clock.mark(at_s)

    def report(self) -> SoundReport:
        """What was heard so far; final after `chunks` is exhausted."""
        clock = self._clock
        gaps = clock.gaps if self._tail is None else with_gap(clock.gaps, self._tail)
        if clock.first_s == math.inf:
            return SoundReport(0.0, 0.0, 0.0, self.info.duration_s, clock.damaged, gaps)
        start_s, end_s = self._range()
        first_s, last_s = max(clock.first_s, start_s), min(clock.ends_s, end_s)
        inside = (min(g.end_s, last_s) - max(g.start_s, first_s) for g in gaps)
        return SoundReport(
            first_pts_s=first_s,
            last_end_s=last_s,
            covered_s=max(0.0, last_s - first_s - sum(max(0.0, part_s) for part_s in inside)),
            duration_s=self.info.duration_s,
            damaged=clock.damaged,
            gaps=gaps,
        )

    def _open(self) -> Any:
        """The track of the source opened anew, at its beginning."""
        self.close()
        self._opened = _pyav.open_container(self._plan, self._shown)
        track = _pyav.pick_sound(self._opened)
        if track is None:
            self.close()
            raise no_sound(self._shown)
        return track

    def _first_pieces(self) -> Iterator[SoundPiece]:
        """The pieces of the range, from its beginning."""
        track, start_s = self._open(), self._options.start_s
        if (
            start_s is not None
            and not self._plan.live
            and not _pyav.seek_sound(self._opened, track, start_s - PRE_ROLL_S)
        ):
            track = self._open()
        return _pyav.sound_pieces(self._opened, track)

    def _pieces_at(self, mark: SoundMark) -> Iterator[SoundPiece] | None:
        """The pieces from a mark's anchor on; None where seeking does not lead there."""
        track = self._open()
        if not _pyav.seek_sound(self._opened, track, mark.anchor_pts_s - PRE_ROLL_S):
            return None
        pieces = _pyav.sound_pieces(self._opened, track)
        for piece in pieces:
            if piece.content is not None and piece.pts_s is not None:
                if piece.pts_s == mark.anchor_pts_s:
                    return itertools.chain([piece], pieces)
                if piece.pts_s > mark.anchor_pts_s:
                    return None
        return None

    def _heard(self, pieces: Iterator[SoundPiece]) -> Iterator[AudioChunk]:
        clock, limit_s = self._clock, self._range()[1]
        reached_limit = False
        for piece in pieces:
            yield from clock.take(piece)
            reached_limit = clock.ends_s >= limit_s
            if reached_limit:
                break
        yield from clock.rest()
        declared_s = self._declared_end_s
        if not reached_limit and declared_s is not None and clock.first_s < math.inf:
            declared_s = min(declared_s, limit_s)
            if declared_s - clock.ends_s > TAIL_TOLERANCE_S:
                self._tail = Gap(clock.ends_s, declared_s, ENDS_EARLY)

    def _after(self, mark: SoundMark) -> Iterator[AudioChunk]:
        """Chunks from a mark on: by a seek where that gives equal samples, else from the start."""
        if mark.digest and self.info.codec.startswith(FORGETFUL_CODECS):
            pieces = self._pieces_at(mark)
            if pieces is not None:
                self._clock = SoundClock.at(mark, self._options.sample_rate_hz, self._new_mixer)
                chunks = self._confirmed(mark, self._heard(pieces))
                if chunks is not None:
                    yield from chunks
                    return
        self._tail = None
        self._clock = self._new_clock()
        chunks = self._confirmed(mark, self._heard(self._first_pieces()))
        if chunks is None:
            raise SourceError(
                f"the sound of {self._shown} differs from what it was at {mark.at_s:.3f} s",
                hint="the source has changed since; start again with --force",
                code="source_changed",
            )
        yield from chunks

    def _confirmed(
        self, mark: SoundMark, chunks: Iterator[AudioChunk]
    ) -> Iterator[AudioChunk] | None:
        """The chunks behind a mark, None where what lies before it is not what it was."""
        for chunk in chunks:
            later = _from_time(chunk, mark.at_s)
            if later is not None:
                same = self._clock.confirms(mark)
                return itertools.chain([later], chunks) if same else None
        return iter(()) if self._clock.confirms(mark) else None

    def _within_range(self, chunks: Iterator[AudioChunk]) -> Iterator[AudioChunk]:
        start_s, end_s = self._range()
        for chunk in chunks:
            later = _from_time(chunk, start_s)
            if later is None:
                continue
            wanted = (
                math.ceil((end_s - later.pts_s) * later.sample_rate_hz - 0.5)
                if (end_s < math.inf)
                else len(later.samples)
            )
            if wanted < len(later.samples):
                later = replace(later, samples=later.samples[: max(0, wanted)])
            if len(later.samples):
                yield later

    def _new_mixer(self) -> Mixes:
        return _pyav.Mixer(self._options.sample_rate_hz)

    def _new_clock(self) -> SoundClock:
        return SoundClock(self._options.sample_rate_hz, self._new_mixer)

    def _range(self) -> tuple[float, float]:
        start_s, end_s = self._options.start_s, self._options.end_s
        return -math.inf if start_s is None else start_s, math.inf if end_s is None else end_s


def open_sound(source: str, options: SoundOptions | None = None) -> SoundReader | None:
    """The sound of a file or URL; None where the source has no track that can be decoded.

    Raises:
        SourceError: the source cannot be opened.
    """
    if kind_of(source) not in (SourceKind.FILE, SourceKind.URL):
        return None
    try:
        return SoundReader(plan_open(source), redact(source), options or SoundOptions())
    except SourceError as error:
        if error.code != NO_SOUND_TRACK:
            raise
        return None


def _from_time(chunk: AudioChunk, from_s: float) -> AudioChunk | None:
    """What of a chunk lies at or after a time."""
    if from_s <= chunk.pts_s:
        return chunk
    skipped = math.ceil((from_s - chunk.pts_s) * chunk.sample_rate_hz - 0.5)
    if skipped >= len(chunk.samples):
        return None
    begins_s = chunk.pts_s + skipped / chunk.sample_rate_hz
    return replace(chunk, samples=chunk.samples[skipped:], pts_s=begins_s)


def _describe(shown: str, container: Any, track: Any) -> tuple[SoundInfo, float | None]:
    """The facts of a sound track, and where it ends as far as its own header says."""
    duration_s, ends_s, only_container = declared(container, track)
    if duration_s is None and len(container.streams) == 1 and container.duration:
        duration_s = container.duration / CONTAINER_CLOCK_HZ
    context = track.codec_context
    info = SoundInfo(
        source=shown,
        codec=context.codec.canonical_name,
        sample_rate_hz=context.sample_rate,
        channels=context.channels,
        start_s=start_of(track),
        duration_s=duration_s,
        language=track.language or track.metadata.get("language"),
        tracks=tuple(track_info(each) for each in container.streams),
    )
    return info, None if only_container else ends_s
