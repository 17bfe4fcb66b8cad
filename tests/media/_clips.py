"""Tiny clips rendered at test time: every frame shows its own number, times are chosen freely."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 64, 48
MILLISECONDS = Fraction(1, 1000)


@dataclass(frozen=True)
class Recipe:
    """How a clip is encoded: container by suffix, codec, key frame distance, reordering."""

    suffix: str
    codec: str
    gop: int = 12
    b_frames: int = 0
    options: tuple[tuple[str, str], ...] = ()


H264_MP4 = Recipe(".mp4", "libx264", b_frames=3)
H264_MKV = Recipe(".mkv", "libx264", b_frames=3)
H264_TS = Recipe(".ts", "libx264", b_frames=2)
H264_OPEN_GOP = Recipe(".mp4", "libx264", b_frames=3, options=(("x264-params", "open-gop=1"),))
H264_INTRA_REFRESH = Recipe(
    ".mkv", "libx264", gop=20, options=(("x264-params", "intra-refresh=1"),)
)
HEVC_MP4 = Recipe(".mp4", "libx265", b_frames=3, options=(("x265-params", "log-level=none"),))
VP9_WEBM = Recipe(".webm", "libvpx-vp9", options=(("deadline", "realtime"), ("cpu-used", "8")))
MPEG4_AVI = Recipe(".avi", "mpeg4")
MPEG4_B_AVI = Recipe(".avi", "mpeg4", b_frames=2)
RAW_H264 = Recipe(".h264", "libx264", b_frames=0)

ALL = {
    "h264-mp4": H264_MP4,
    "h264-mkv": H264_MKV,
    "h264-ts": H264_TS,
    "h264-open-gop": H264_OPEN_GOP,
    "h264-intra-refresh": H264_INTRA_REFRESH,
    "hevc-mp4": HEVC_MP4,
    "vp9-webm": VP9_WEBM,
    "mpeg4-avi": MPEG4_AVI,
    "mpeg4-b-avi": MPEG4_B_AVI,
    "h264-raw": RAW_H264,
}


def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """Frame `number`, uint8 `[H W 3]`: a slow colour, a block that moves, its number in 8 cells."""
    rows = np.empty((height, width, 3), np.uint8)
    rows[:] = (40 + 5 * (number % 30), 90, 200 - 4 * (number % 35))
    left = (3 * number) % max(1, width - 8)
    rows[height // 2 : height // 2 + 8, left : left + 8] = (250, 240, 30)
    cell = max(1, width // 8)
    for bit in range(8):
        rows[: height // 4, bit * cell : (bit + 1) * cell] = 235 if number >> bit & 1 else 20
    return rows


def number_in(pixels: NDArray[np.uint8]) -> int:
    """The number that a decoded frame `[3 H W]` shows (modulo 256)."""
    height, width = pixels.shape[1:]
    band = pixels[:, height // 16 : 3 * height // 16].mean(axis=(0, 1))
    cells = band.reshape(8, width // 8)[:, 1:-1].mean(axis=1)
    return sum(1 << bit for bit in range(8) if cells[bit] > 128)


def render(
    path: Path,
    recipe: Recipe = H264_MP4,
    *,
    pts_ms: Sequence[int] | None = None,
    frames: int = 50,
    fps: int = 25,
    sizes: Iterable[tuple[int, int]] = ((WIDTH, HEIGHT),),
    pix_fmt: str = "yuv420p",
) -> Path:
    """Write a clip beside `path` with the recipe's suffix; `pts_ms` gives each frame's time."""
    path = path.with_suffix(recipe.suffix)
    width, height = next(iter(sizes))
    with av.open(str(path), "w") as container:
        stream = container.add_stream(recipe.codec, rate=fps, options=dict(recipe.options))
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.gop_size = recipe.gop
        stream.codec_context.max_b_frames = recipe.b_frames
        stream.codec_context.thread_count = 1
        if pts_ms is not None:
            stream.codec_context.time_base = MILLISECONDS
        for number in range(frames if pts_ms is None else len(pts_ms)):
            frame = av.VideoFrame.from_ndarray(picture(number, width, height), format="rgb24")
            frame.pts = number if pts_ms is None else pts_ms[number]
            frame.time_base = Fraction(1, fps) if pts_ms is None else MILLISECONDS
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def render_with_sound(path: Path, *, video_s: float, sound_s: float, fps: int = 25) -> Path:
    """A clip with a 440 Hz tone in its audio track, tracks of different lengths."""
    with av.open(str(path), "w") as container:
        matroska = path.suffix in (".mkv", ".webm")
        video = container.add_stream("libx264", rate=fps)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sound = container.add_stream("libopus" if matroska else "aac", rate=48000, layout="mono")
        pictures, samples = round(video_s * fps), round(sound_s * 48000)
        tone = 0.5 * np.sin(2 * np.pi * 440.0 * np.arange(samples) / 48000)
        for number in range(pictures):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(video.encode(frame))
        for start in range(0, samples, 960):
            block = tone[start : start + 960].astype(np.float32)[None]
            chunk = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            chunk.sample_rate, chunk.pts = 48000, start
            chunk.time_base = Fraction(1, 48000)
            container.mux(sound.encode(chunk))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
    return path


def remux(
    path: Path, out: Path, *, damaged: Iterable[int] = (), missing: Iterable[int] = ()
) -> Path:
    """Copy a clip's packets; the data of some is replaced by zeros, others are left out."""
    damaged, missing = set(damaged), set(missing)
    with av.open(str(path)) as source, av.open(str(out), "w") as target:
        track = source.streams.video[0]
        copy = target.add_stream_from_template(track)
        for number, packet in enumerate(source.demux(track)):
            if packet.size == 0 or number in missing:
                continue
            if number in damaged:
                broken = av.Packet(bytes(packet.size))
                broken.pts, broken.dts, broken.duration = packet.pts, packet.dts, packet.duration
                broken.time_base, broken.is_keyframe = packet.time_base, packet.is_keyframe
                packet = broken
            packet.stream = copy
            target.mux(packet)
    return out


def write_subtitles(
    path: Path, codec: str, events: Sequence[tuple[int, int, str]], seconds: float = 6.0
) -> Path:
    """A clip with a text track; `events` are (start, end, text) in milliseconds."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        text = container.add_mux_stream(codec)
        text.time_base = MILLISECONDS
        for number in range(round(seconds * 10)):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for start_ms, end_ms, words in events:
            data = words.encode()
            if codec == "mov_text":
                data = len(data).to_bytes(2, "big") + data
            packet = av.Packet(data)
            packet.stream, packet.time_base = text, MILLISECONDS
            packet.pts = packet.dts = start_ms
            packet.duration = end_ms - start_ms
            container.mux(packet)
    return path
