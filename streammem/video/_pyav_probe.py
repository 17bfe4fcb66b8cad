"""Looks into a file with PyAV for less than it takes to read it: what it is, how long it is."""

import io
from pathlib import Path

import av

from streammem.core.errors import SourceError
from streammem.video._pyav import open_container
from streammem.video.container_facts import CONTAINER_CLOCK_HZ, declared
from streammem.video.protocols import plan_open

_AUDIO_FRAMES = 8


def decodes(head: bytes) -> bool:
    """Whether the first bytes of a file give a picture, or several frames of sound."""
    try:
        with av.open(io.BytesIO(head), "r", metadata_errors="replace") as container:
            streams = container.streams
            if streams.video:
                return any(frame.width > 0 for frame in container.decode(streams.video[0]))
            if not streams.audio:
                return False
            frames = container.decode(streams.audio[0])
            return sum(1 for _ in zip(range(_AUDIO_FRAMES), frames, strict=False)) == _AUDIO_FRAMES
    except (av.FFmpegError, OSError, ValueError, IndexError):
        return False


def declared_length_s(path: Path) -> float | None:
    """Seconds of video, else of sound, that a file says it holds; None if it says nothing."""
    try:
        with open_container(plan_open(str(path)), str(path)) as container:
            tracks = container.streams.video or container.streams.audio
            if not tracks:
                return None
            length_s, _, _ = declared(container, tracks[0])
            if length_s is None and container.duration and container.duration > 0:
                length_s = container.duration / CONTAINER_CLOCK_HZ
            return length_s
    except (SourceError, av.FFmpegError, OSError, ValueError):
        return None
