"""Containers opened and decoded through PyAV, which brings FFmpeg; the only module that imports it.

PyAV discards FFmpeg's log unless told otherwise, so nothing of it reaches the terminal.
"""

import math
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.codec.context import ThreadType
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from streammem.core.errors import SourceError
from streammem.core.languages import two_letters
from streammem.core.types import Channel, Cue, Floats, Pixels
from streammem.video.container_facts import (
    clockwise,
    declared,
    decoder_threads,
    frame_rate,
    frame_ticks,
    seconds,
)
from streammem.video.cue_text import plain_text
from streammem.video.first_picture import up_to_picture, with_head
from streammem.video.nal_units import holds_picture, length_bytes
from streammem.video.protocols import OpenPlan
from streammem.video.reader import Picture, PictureError, ReaderOptions
from streammem.video.sampling import StreamEnd, may_skip_nonref, tail_tolerance_s
from streammem.video.sound_clock import PieceEar, SoundPiece, mono_scale, sixteen_bits
from streammem.video.source_errors import cannot_open, no_video, unknown_codec

# A key frame right at the wanted time may follow frames that are shown before it; starting a
# little earlier avoids a second attempt there.
SEEK_MARGIN_S = 0.5
MAX_READ_FAILURES = 8
UNTIMED_CUE_S = 5.0
UNDECODABLE = "the data cannot be decoded"


def open_container(plan: OpenPlan, shown: str) -> InputContainer:
    """The opened container of a source, under the allow-lists of its plan.

    Raises:
        SourceError: it cannot be opened.
    """
    try:
        return av.open(
            plan.address,
            "r",
            format=plan.format,
            container_options=plan.options,
            timeout=plan.timeouts_s,
            metadata_errors="replace",
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        network = isinstance(error, av.HTTPError | av.HTTPClientError | OSError)
        raise cannot_open(
            plan,
            shown,
            timed_out=isinstance(error, av.ExitError | av.TimeoutError),
            reason=getattr(error, "strerror", None) or str(error) if network else None,
        ) from error


def pick_video(container: InputContainer, shown: str) -> VideoStream:
    """The video track to read: the default one, else the first; cover pictures do not count.

    Raises:
        SourceError: there is none that this FFmpeg can decode.
    """
    films = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    known = [s for s in films if s.codec_context is not None]
    if known:
        default = [s for s in known if s.disposition & Disposition.default]
        return (default or known)[0]
    if films:
        raise unknown_codec(shown)
    raise no_video(shown, [s.type for s in container.streams if s not in container.streams.video])


class Pass:
    """One opened container and the decoding of its video track from where it stands."""

    def __init__(
        self, plan: OpenPlan, shown: str, options: ReaderOptions, ear: PieceEar | None = None
    ) -> None:
        self.container = open_container(plan, shown)
        try:
            self.track = pick_video(self.container, shown)
        except SourceError:
            self.container.close()
            raise
        # In AVI the clock counts packets in decoding order: what it calls presentation times goes
        # back and forth where frames are reordered, while decoding times follow the pictures, one
        # frame late.
        self.by_dts = self.container.format.name == "avi"
        context = self.track.codec_context
        self.codec = context.codec.canonical_name
        self._length_bytes = length_bytes(self.codec, context.extradata)
        self.sparse = self._set_up(options)
        base = self.track.time_base
        self._num, self._den = (base.numerator, base.denominator) if base else (1, 1)
        self._frame_ticks = frame_ticks(self.track)
        self._late_ticks = self._frame_ticks if self.track.codec_context.has_b_frames else 0
        self.declared_s, ends_s, shared = declared(self.container, self.track)
        # The whole container's length may be another track's, and headers err. It tells of missing
        # pictures only where the file is cut off, or where no track at all gets that far.
        self._others: list[Stream] = list(self.container.streams.audio) if shared else []
        self._ear = ear
        self._heard = pick_sound(self.container) if ear is not None else None
        self._declared_end_s = None if shared and plan.whole else ends_s
        self._seen_end = -math.inf
        self._reached_s = -math.inf
        self._untimed = False
        self.encrypted = False
        self.pieces = 0

    def close(self) -> None:
        """Release the container."""
        self.container.close()

    def end(self) -> StreamEnd:
        """What is known about the end after the last picture."""
        frame_s = self._frame_ticks * self._num / self._den
        seen_s = self._seen_end * self._num / self._den if self._seen_end > -math.inf else None
        declared_s = self._declared_end_s
        if self._others and declared_s is not None:
            reached_s = max(self._reached_s, seen_s or 0.0)
            if declared_s - reached_s <= tail_tolerance_s(declared_s, frame_s):
                declared_s = None
        return StreamEnd(seen_s, declared_s, frame_s)

    def pictures_from(self, from_s: float) -> Generator[Picture, None, None] | None:
        """Pictures from a key frame at or before `from_s` on; None where no seek gets there."""
        ticks = int((from_s - SEEK_MARGIN_S) * self._den / self._num)
        try:
            self.container.seek(max(ticks, self.track.start_time or 0), stream=self.track)
        except av.FFmpegError:
            return None
        pictures = self.pictures()
        head = up_to_picture(pictures)
        # Times that were made up by counting do not tell where a seek has led.
        if not head or head[-1].content is None or head[-1].pts_s > from_s or self._untimed:
            return None
        return with_head(head, pictures)

    def pictures(self) -> Generator[Picture, None, None]:
        """Pictures in presentation order, damage in the order it is met."""
        index = self.track.index
        last_ticks: int | None = None
        next_ticks: int | None = None
        for packet in self._packets():
            if isinstance(packet, str):
                yield self._damage(None, packet)
                continue
            if packet is not None and packet.stream_index != index:
                self._reach(packet)
                if self._ear is not None and packet.stream == self._heard:
                    self._ear.hear(packet_pieces(packet, packet.stream))
                continue
            if last_ticks is None and packet is not None:
                self._examine(packet)
            try:
                frames = packet.decode() if packet else self.track.codec_context.decode(None)
            except av.EOFError:
                continue
            except av.FFmpegError:
                yield self._damage(packet, UNDECODABLE)
                continue
            if packet is not None and not self._passes(packet):
                yield self._damage(packet, UNDECODABLE)
            for frame in frames:
                ticks = self._ticks(frame, next_ticks)
                length = frame.duration or self._frame_ticks
                if not length and last_ticks is not None:
                    length = max(0, ticks - last_ticks)
                last_ticks, next_ticks = ticks, ticks + length
                yield self._picture(ticks, length, frame)

    def _examine(self, packet: Any) -> None:
        """Remember of a packet before the first picture what explains that none comes."""
        self.pieces += packet.size > 0
        self.encrypted |= packet.has_sidedata("encryption_info")

    def _passes(self, packet: Any) -> bool:
        """Note how far the packets reach; False for one that was skipped and holds no picture."""
        if self.sparse and packet.size:
            data = memoryview(packet)
            if not holds_picture(data, self.codec, self._length_bytes):
                return False
        if packet.pts is not None and not packet.is_discard:
            ends = packet.pts + (packet.duration or self._frame_ticks)
            if ends > self._seen_end:
                self._seen_end = ends
        return True

    def _set_up(self, options: ReaderOptions) -> bool:
        """Set the decoder up; returns whether it leaves out pictures that no other one needs."""
        context = self.track.codec_context
        # Slice threads cost less processor time than frame threads, and an error is raised for the
        # packet that has it.
        context.thread_type = ThreadType.SLICE
        context.thread_count = decoder_threads(options.threads)
        sparse = options.skip_nonref
        if sparse is None:
            rate_hz = frame_rate(self.track)
            sparse = may_skip_nonref(self.codec, rate_hz, options.sample_hz) and not self.by_dts
        if sparse:
            context.skip_frame = "NONREF"
        return sparse

    def _ticks(self, frame: VideoFrame, next_ticks: int | None) -> int:
        """When a frame is shown, in the track's clock; counted on from the last one if need be."""
        pts, dts = frame.pts, frame.dts
        if pts is not None and not self.by_dts:
            return pts
        if dts is not None:
            dts -= self._late_ticks
        if next_ticks is None:
            known = [time for time in (pts, dts) if time is not None]
            self._untimed = not known
            return min(known, default=self.track.start_time or 0)
        return next_ticks if dts is None else dts

    def _picture(self, ticks: int, length: int, frame: VideoFrame) -> Picture:
        pts_s, duration_s = ticks * self._num / self._den, length * self._num / self._den
        if frame.is_corrupt:
            return Picture(pts_s, duration_s, None, "the picture is damaged")
        return Picture(pts_s, duration_s, frame)

    def _damage(self, packet: Any, reason: str) -> Picture:
        ticks, length = None, self._frame_ticks
        if packet is not None:
            length = packet.duration or length
            ticks = packet.dts if self.by_dts or packet.pts is None else packet.pts
        if ticks is None:
            ticks = self._seen_end if self._seen_end > -math.inf else self.track.start_time or 0
        return Picture(ticks * self._num / self._den, length * self._num / self._den, None, reason)

    def _packets(self) -> Iterator[Any]:
        """Packets, at last one that drains the decoder; a text where reading failed."""
        failures = 0
        tracks = list(dict.fromkeys([self.track, *self._others, *filter(None, [self._heard])]))
        while failures < MAX_READ_FAILURES:
            try:
                for packet in self.container.demux(*tracks):
                    failures = 0
                    yield packet
            except (av.ExitError, av.TimeoutError):
                yield "the source stopped answering"
                break
            except IndexError:
                # A damaged stream can make FFmpeg announce tracks late; PyAV, which then drains
                # more decoders than it knows, has already given every packet.
                break
            except av.FFmpegError as error:
                failures += 1
                yield f"reading failed: {error.strerror or type(error).__name__}"
            else:
                return
        yield None

    def _reach(self, packet: Any) -> None:
        if packet.pts is not None and packet.time_base is not None:
            ends = packet.pts + (packet.duration or 0)
            self._reached_s = max(self._reached_s, float(ends * packet.time_base))


class Scaler:
    """Turns decoded frames into upright RGB of one size."""

    def __init__(self) -> None:
        self._scaler = VideoReformatter()

    def pixels(self, frame: VideoFrame, size: tuple[int, int]) -> Pixels:
        """uint8 `[3 H W]` for a size given as (W, H).

        Raises:
            PictureError: the frame's format cannot be converted.
        """
        turn = clockwise(frame.rotation)
        width, height = size[::-1] if turn in (90, 270) else size
        try:
            scaled = self._scaler.reformat(
                frame, width, height, "rgb24", interpolation=Interpolation.BICUBIC, threads=1
            )
        except (av.FFmpegError, ValueError) as error:
            raise PictureError(f"the picture cannot be converted: {error}") from error
        plane = scaled.planes[0]
        lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        rows = lines[:height, : 3 * width].reshape(height, width, 3)
        upright = np.rot90(rows, k=-turn // 90) if turn else rows
        return np.ascontiguousarray(upright).transpose(2, 0, 1)


def pick_sound(container: InputContainer) -> AudioStream | None:
    """The audio track to listen to: the default one, else the first that can be decoded."""
    known = [s for s in container.streams.audio if s.codec_context is not None]
    default = [s for s in known if s.disposition & Disposition.default]
    return next(iter(default or known), None)


def seek_sound(container: InputContainer, track: AudioStream, from_s: float) -> bool:
    """Move to packets at or before a time; False where the container cannot."""
    try:
        container.seek(int(from_s / (track.time_base or 1)), stream=track)
    except av.FFmpegError:
        return False
    return True


def sound_pieces(container: InputContainer, track: AudioStream) -> Iterator[SoundPiece]:
    """The decoded blocks of an audio track from where the container stands, and its damage."""
    try:
        for packet in container.demux(track):
            yield from packet_pieces(packet, track)
    except IndexError:
        return
    except av.FFmpegError as error:
        yield SoundPiece(None, 0.0, None, f"reading failed: {error.strerror or error}")


def packet_pieces(packet: Any, track: AudioStream) -> Iterator[SoundPiece]:
    """The decoded blocks of one packet, or its damage."""
    try:
        frames = packet.decode()
    except av.FFmpegError:
        lasts_s = seconds(packet.duration, track) or 0.0
        if packet.size:
            yield SoundPiece(seconds(packet.pts, track), lasts_s, None, UNDECODABLE)
        return
    for frame in frames:
        yield SoundPiece(seconds(frame.pts, frame), frame.samples / frame.sample_rate, frame)


class Mixer:
    """Turns decoded blocks of one format into mono samples of one rate."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._resampler = AudioResampler(format="flt", layout="mono", rate=sample_rate_hz)
        self._scale = 1.0

    def mix(self, frame: Any) -> Floats:
        """float32 `[S]` that are ready with a block, or with None the rest."""
        if frame is not None:
            self._scale = mono_scale(frame.layout.nb_channels)
        blocks = [out for out in self._resampler.resample(frame) if out is not None]
        return sixteen_bits([out.to_ndarray().reshape(-1) for out in blocks], self._scale)


def cues(container: InputContainer, track: Stream) -> Iterator[Cue]:
    """A text track's events without markup; one without a length lasts to the next."""
    language = two_letters(track.language)
    held: Cue | None = None
    for packet in _demux(container, track):
        begins_s = seconds(packet.pts, packet.stream)
        try:
            events = packet.decode() if packet.size else []
        except av.FFmpegError:
            continue
        if begins_s is None:
            continue
        if held is not None:
            yield replace(held, end_s=min(held.end_s, begins_s))
            held = None
        lasts_s = seconds(packet.duration, packet.stream) or 0.0
        text = "\n".join(filter(None, map(_event_text, events)))
        ends_s = begins_s + (lasts_s or UNTIMED_CUE_S)
        cue = Cue(begins_s, ends_s, text, Channel.SUBTITLE, language=language)
        if text and lasts_s:
            yield cue
        elif text:
            held = cue
    if held is not None:
        yield held


def _demux(container: InputContainer, track: Stream) -> Iterator[Any]:
    """Packets of a track until the end or until reading fails; side tracks are best effort."""
    try:
        yield from container.demux(track)
    except (av.FFmpegError, IndexError):
        return


def _event_text(event: Any) -> str:
    return plain_text(getattr(event, "dialogue", b"").decode("utf-8", "replace"))
