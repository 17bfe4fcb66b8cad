"""What a container says about its tracks: times, lengths, rates and rotation.

The arguments are PyAV's objects, used by their attributes only, so this can be tested without it.
"""

import os
from typing import Any

from streammem.core.types import StreamInfo, TrackInfo

CONTAINER_CLOCK_HZ = 1_000_000
# Raw streams have no header: lengths and times that are told for them come from the bit rate.
_UNTIMED_FORMATS = frozenset({"h264", "hevc", "m4v", "mpegvideo", "mjpeg", "obu", "gif"})


def seconds(ticks: int | None, track: Any) -> float | None:
    """A time in a track's clock as seconds, exactly as the container's ratio gives it."""
    base = track.time_base
    if ticks is None or base is None:
        return None
    return float(ticks * base.numerator / base.denominator)


def start_of(track: Any) -> float:
    """The time at which the container says that a track begins."""
    return seconds(track.start_time, track) or 0.0


def frame_rate(track: Any) -> float | None:
    """Frames per second as the container says or FFmpeg guesses."""
    rate = track.average_rate or track.guessed_rate
    return float(rate) if rate else None


def frame_ticks(track: Any) -> int:
    """One frame's length in the track's clock, rounded down as demuxers do it; 0 if unknown."""
    rate, base = track.guessed_rate or track.average_rate, track.time_base
    return int(1 / (base * rate)) if rate and base else 0


def clockwise(rotation: int) -> int:
    """FFmpeg's counterclockwise display rotation as clockwise degrees, one of 0, 90, 180, 270."""
    return round(-rotation / 90) * 90 % 360 if -360 <= rotation <= 360 else 0


def declared(container: Any, track: Any) -> tuple[float | None, float | None, bool]:
    """(length of the track, where it ends, whether that is only the whole container's end).

    Matroska counts a length from time zero, the others from the first frame.
    """
    name = container.format.name
    if name in _UNTIMED_FORMATS:
        return None, None, False
    duration_s = seconds(track.duration, track)
    if duration_s is not None and duration_s > 0:
        return duration_s, start_of(track) + duration_s, False
    matroska = name.startswith("matroska")
    tagged_s = clock_s(track.metadata.get("DURATION", "")) if matroska else None
    if tagged_s:
        return tagged_s, tagged_s, False
    if not container.duration or container.duration < 0:
        return None, None, False
    whole_s = container.duration / CONTAINER_CLOCK_HZ
    begins_s = 0.0 if matroska else (container.start_time or 0) / CONTAINER_CLOCK_HZ
    alone = not container.streams.audio
    return (whole_s if alone else None), begins_s + whole_s, not alone


def clock_s(text: str) -> float | None:
    """Seconds of Matroska's `HH:MM:SS.nnnnnnnnn`."""
    hours, _, rest = text.partition(":")
    minutes, _, second = rest.partition(":")
    try:
        return int(hours) * 3600.0 + int(minutes) * 60.0 + float(second)
    except ValueError:
        return None


def describe(shown: str, container: Any, track: Any, first: Any) -> StreamInfo:
    """The facts of an opened container, size and rotation as of its first picture."""
    rotation = clockwise(first.rotation)
    width, height = first.width, first.height
    if rotation in (90, 270):
        width, height = height, width
    duration_s, ends_s, _ = declared(container, track)
    if duration_s is None and ends_s is not None:
        duration_s = max(0.0, ends_s - start_of(track))
    return StreamInfo(
        source=shown,
        width=width,
        height=height,
        frame_rate_hz=frame_rate(track),
        duration_s=duration_s,
        start_s=start_of(track),
        rotation_deg=rotation,
        codec=track.codec_context.codec.canonical_name,
        tracks=tuple(track_info(each) for each in container.streams),
    )


def track_info(track: Any) -> TrackInfo:
    """The facts of one track."""
    context = track.codec_context
    return TrackInfo(
        index=track.index,
        kind=track.type,
        codec=context.codec.canonical_name if context is not None else "unknown",
        duration_s=seconds(track.duration, track),
        language=track.language or track.metadata.get("language"),
        title=track.metadata.get("title"),
    )


def decoder_threads(asked: int) -> int:
    """As many as asked, else as this process was told to keep to; 0 for one a core."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return asked or (int(told) if told.isdigit() else 0)
