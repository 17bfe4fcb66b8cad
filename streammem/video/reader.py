"""The one contract that every decoder is used through, and the choice of the decoder for a source.

Adapters deliver pictures in presentation order; sampling, resuming, gaps and the report are done
here, so they are the same whatever decodes.
"""

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from streammem.core.errors import SourceError, UsageError
from streammem.core.types import (
    AudioChunk,
    Cue,
    Frame,
    Gap,
    Pixels,
    ReaderMark,
    StreamInfo,
)
from streammem.video.container_text import StreamMetadata
from streammem.video.identity import redact
from streammem.video.sampling import StreamEnd, Timeline

if TYPE_CHECKING:
    from streammem.video.sound_beside import SoundBeside

READERS = ("auto", "pyav", "decord", "images", "synthetic")


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """What part of a stream is read, how densely and at what size.

    `start_s`, `end_s` bound the frames by container time, half-open; `short_side_px` is the length
    of the shorter side of `Frame.pixels` (smaller pictures stay as they are), None for full size;
    `detail_short_side_px` asks for `Frame.detail` of that size besides; `threads` for the decoder,
    0 for one a core; `skip_nonref` leaves pictures undecoded that no other one needs, None lets the
    reader decide from the rates.
    """

    sample_hz: float = 2.0
    start_s: float | None = None
    end_s: float | None = None
    short_side_px: int | None = None
    detail_short_side_px: int | None = None
    threads: int = 0
    skip_nonref: bool | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.sample_hz) and self.sample_hz > 0):
            raise UsageError(
                f"cannot sample {self.sample_hz} frames per second", hint="give a rate above 0"
            )
        if self.short_side_px is not None and self.short_side_px < 1:
            raise UsageError(f"a picture cannot have {self.short_side_px} pixels on a side")
        start_s, end_s = self.start_s, self.end_s
        if start_s is not None and end_s is not None and end_s <= start_s:
            raise UsageError(
                f"the end {end_s:g} s is not after the start {start_s:g} s",
                hint="give an end after the start",
            )


@dataclass(frozen=True, slots=True)
class SampledFrame:
    """A frame that was taken and the position right after it."""

    frame: Frame
    mark: ReaderMark


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What a pass over a stream saw; complete once the frames are exhausted.

    `decoded` counts frames the decoder delivered in the range read; both times are 0 as long as
    there is none. `duration_s` is what the
    container says of this track, None where it says nothing; `notes` are remarks for the user.
    """

    decoded: int
    first_pts_s: float
    last_end_s: float
    covered_s: float
    duration_s: float | None
    gaps: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def partial(self) -> bool:
        """Whether a stretch of the stream could not be seen."""
        return bool(self.gaps)


class Picture(NamedTuple):
    """One item of an adapter's output: a decoded picture, or damage where `content` is None.

    `content` is whatever the adapter's `_pixels` turns into an array; `reason` tells of damage.
    """

    pts_s: float
    duration_s: float
    content: Any
    reason: str = ""


class PictureError(Exception):
    """One picture cannot be turned into pixels; the stream goes on."""


class FrameReader(ABC):
    """One opened stream. `info` is what its container says."""

    info: StreamInfo
    options: ReaderOptions

    def __init__(self, options: ReaderOptions) -> None:
        self.options = options
        self._timeline = Timeline(options.sample_hz)
        # Remarks on the source, and on the pass that is under way.
        self._facts: list[str] = []
        self._notes: list[str] = []

    @abstractmethod
    def _pictures(self, from_s: float | None) -> Generator[Picture, None, None]:
        """Pictures in presentation order.

        They start at or before `from_s` where the stream has such a picture, at its beginning for
        None; damaged stretches are told in the order in which they are met.
        """

    @abstractmethod
    def _pixels(self, content: Any) -> Pixels:
        """The upright picture in RGB, uint8 `[3 H W]`, every time of one size.

        Raises:
            PictureError: this one picture is damaged.
        """

    def _detail(self, content: Any) -> Pixels | None:
        """The same picture of the size of details, None where this reader cannot give it."""
        return None

    @abstractmethod
    def _end(self) -> StreamEnd:
        """What is known about the end of the stream after the last picture."""

    @abstractmethod
    def close(self) -> None:
        """Release the source; iterators that are still open end."""

    def audio(self, sample_rate_hz: int = 16000) -> Iterator[AudioChunk]:
        """The sound of the source, mono; nothing where it has none."""
        return iter(())

    def subtitles(self, language: str | None = None) -> Iterator[Cue]:
        """The timed text of the source, of a language (two letters) if it can be chosen."""
        return iter(())

    def metadata(self) -> StreamMetadata:
        """What the container says in words about the whole stream and its chapters."""
        return StreamMetadata()

    @property
    def rereadable(self) -> bool:
        """Whether the source can be opened a second time beside its frames."""
        return True

    @property
    def skips_nonref(self) -> bool:
        """Whether pictures that no other picture needs stay undecoded."""
        return False

    def frames(self, resume: ReaderMark | None = None) -> Iterator[SampledFrame]:
        """The sampled frames, after `resume` exactly those that an uninterrupted pass yields.

        Raises:
            SourceError: the source stopped being readable, or holds no frame like the one at
                `resume`.
        """
        self._notes.clear()
        if resume is None:
            self._timeline = Timeline(self.options.sample_hz, sparse=self.skips_nonref)
            pictures = self._pictures(self.options.start_s)
        else:
            pictures = self._find(resume)
        try:
            yield from self._sample(pictures, self._timeline)
        finally:
            pictures.close()

    def report(self) -> ReadReport:
        """What was seen so far; final after `frames` is exhausted."""
        books = self._timeline
        return ReadReport(
            decoded=books.decoded,
            first_pts_s=0.0 if books.origin_s is None else books.origin_s,
            last_end_s=0.0 if books.origin_s is None else books.last_end_s,
            covered_s=books.covered_s(),
            duration_s=self.declared_duration_s,
            gaps=books.gaps,
            notes=(*self._facts, *self._notes),
        )

    @property
    def declared_duration_s(self) -> float | None:
        """What the container says of this track's length."""
        return self.info.duration_s

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _sample(self, pictures: Iterator[Picture], books: Timeline) -> Iterator[SampledFrame]:
        start_s = -math.inf if self.options.start_s is None else self.options.start_s
        limit_s = math.inf if self.options.end_s is None else self.options.end_s
        reached_limit = False
        for pts_s, duration_s, content, reason in pictures:
            if pts_s < start_s:
                continue
            if content is None:
                books.damaged(pts_s, duration_s, reason)
                continue
            if pts_s >= limit_s:
                reached_limit = True
                break
            if not books.takes(pts_s):
                books.advance(pts_s, duration_s)
                continue
            try:
                pixels = self._pixels(content)
            except PictureError as error:
                books.damaged(pts_s, duration_s, str(error))
                continue
            index = books.decoded
            books.sample(pts_s, duration_s)
            detail = self._detail(content) if self.options.detail_short_side_px else None
            rotation = self.info.rotation_deg
            frame = Frame(pixels, pts_s, duration_s, index, rotation, detail)
            yield SampledFrame(frame, books.mark(pixels_digest(pixels)))
        if books.origin_s is None:
            raise self._nothing_in_range()
        books.finish(self._end(), limit_s=limit_s, reached_limit=reached_limit)

    def _nothing_in_range(self) -> SourceError:
        start_s, end_s = self.options.start_s, self.options.end_s
        if start_s is None and end_s is None:
            return SourceError(
                f"{self.info.source} has no frame that can be used",
                hint="copy or download it again",
                code="undecodable",
            )
        after = "" if start_s is None else f" from {start_s:g} s"
        before = "" if end_s is None else f" up to {end_s:g} s"
        return SourceError(
            f"{self.info.source} has no frame{after}{before}",
            hint=f"its video begins at {self.info.start_s:g} s"
            + ("" if self.info.duration_s is None else f" and lasts {self.info.duration_s:g} s"),
            code="no_frames_in_range",
        )

    def _find(self, mark: ReaderMark) -> Generator[Picture, None, None]:
        """Pictures that follow the one at `mark`, with the books as they stood there."""
        for from_s in (mark.last_sampled_pts_s, self.options.start_s):
            books = Timeline.after(mark, self.options.sample_hz, sparse=self.skips_nonref)
            self._timeline = books
            pictures = self._pictures(from_s)
            digest = self._digest_at(pictures, mark.last_sampled_pts_s, books)
            # A decoder of another version may draw the same picture with other pixels; from the
            # beginning there is no doubt which picture it is.
            from_beginning = from_s == self.options.start_s
            if digest == mark.pixels_digest or (digest is not None and from_beginning):
                if digest != mark.pixels_digest:
                    self._notes.append("the last frame read decodes to other pixels than before")
                return pictures
            pictures.close()
        raise SourceError(
            f"{self.info.source} has no frame at {mark.last_sampled_pts_s:.3f} s any more",
            hint="the source has changed since; start again with --force",
            code="source_changed",
        )

    def _digest_at(
        self, pictures: Iterator[Picture], wanted_s: float, books: Timeline
    ) -> str | None:
        """The digest of the picture at exactly `wanted_s`; the iterator then stands behind it."""
        for pts_s, duration_s, content, reason in pictures:
            if content is None:
                books.damaged(pts_s, duration_s, reason)
            elif pts_s == wanted_s:
                try:
                    return pixels_digest(self._pixels(content))
                except PictureError:
                    return None
            elif pts_s > wanted_s:
                return None
        return None


def pixels_digest(pixels: Pixels) -> str:
    """BLAKE2b of the pixels `[3 H W]` row by row, 32 hexadecimal digits."""
    rows = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    return hashlib.blake2b(rows.data, digest_size=16).hexdigest()


def scaled_size(width: int, height: int, short_side_px: int | None) -> tuple[int, int]:
    """(width, height) with the shorter side `short_side_px` long, never larger than given."""
    shorter = min(width, height)
    if short_side_px is None or shorter <= short_side_px:
        return width, height
    scale = short_side_px / shorter
    return max(1, round(width * scale)), max(1, round(height * scale))


def decoding_settings(reader: FrameReader) -> dict[str, Any]:
    """The choices that decide which frames come out; stored once with a memory."""
    return {
        "sample_hz": reader.options.sample_hz,
        "short_side_px": reader.options.short_side_px,
        "threads": reader.options.threads,
        "skip_nonref": reader.skips_nonref,
    }


def with_settings(options: ReaderOptions, settings: Mapping[str, Any]) -> ReaderOptions:
    """`options` with the choices that `decoding_settings` wrote for an earlier pass."""
    known = ("sample_hz", "short_side_px", "threads", "skip_nonref")
    return replace(options, **{key: settings[key] for key in known if key in settings})


def open_reader(
    source: str,
    options: ReaderOptions | None = None,
    *,
    reader: str = "auto",
    sound: "SoundBeside | None" = None,
) -> FrameReader:
    """Open a source with the decoder that fits it, or with the one named.

    `sound` hears what the first pass over the frames meets, where the decoder also reads sound.

    Raises:
        SourceError: the source cannot be reached or read, or has no pictures.
        MissingError: the package of the named reader is not installed.
        UsageError: no such reader, or it cannot read this kind of source.
    """
    from streammem.video.discover import SourceKind, kind_of

    options = options or ReaderOptions()
    if reader not in READERS:
        raise UsageError(f"no reader {reader!r}", hint=f"one of {', '.join(READERS)}")
    kind = kind_of(source)
    if kind is SourceKind.STDIN:
        raise UsageError(
            "reading a stream from standard input is not supported",
            hint="give a file or a URL",
        )
    chosen = reader
    if reader == "auto":
        chosen = {SourceKind.SYNTHETIC: "synthetic", SourceKind.IMAGES: "images"}.get(kind, "pyav")
    if (chosen == "synthetic") != (kind is SourceKind.SYNTHETIC):
        raise UsageError(
            f"the {chosen} reader cannot read {redact(source)}",
            hint="leave out --reader, so that the one that fits is chosen",
        )
    if chosen == "synthetic":
        from streammem.video._synthetic import SyntheticReader

        return SyntheticReader(source, options)
    if chosen == "images":
        from streammem.video._images import ImagesReader

        return ImagesReader(source, options)
    if chosen == "decord":
        from streammem.video._decord import DecordReader

        return DecordReader(source, options)
    from streammem.video.pyav_reader import PyAvReader

    return PyAvReader(source, options, sound)
