"""Real clips joined end to end into one video, as `streams.json` of the shared folder says.

Pictures are taken at a few frames a second and fitted into one frame size with black borders;
every one keeps its time: the start of its clip in the stream plus its time in the clip.
"""

import json
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from streammem.core.types import Pixels
from streammem.text.subtitles import named_side_car, read_side_car
from streammem.video.reader import ReaderOptions, open_reader

WIDTH_PX, HEIGHT_PX = 640, 360
# Times in the file are whole milliseconds.
_TICKS_PER_S = 1000

Line = tuple[float, float, str]


def read_stream(clips_file: Path, name: str) -> dict[str, Any]:
    """One entry of `streams.json`.

    Raises:
        KeyError: there is no stream of that name.
    """
    streams = {stream["name"]: stream for stream in json.loads(clips_file.read_text("utf-8"))}
    found: dict[str, Any] = streams[name]
    return found


def join(stream: Mapping[str, Any], folder: Path, video: Path, *, rate_hz: float = 4.0) -> None:
    """Write the clips of a stream as one H.264 file."""
    with av.open(str(video), "w") as container:
        track = container.add_stream("libx264", rate=round(rate_hz))
        track.width, track.height, track.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        track.time_base = Fraction(1, _TICKS_PER_S)
        track.codec_context.time_base = Fraction(1, _TICKS_PER_S)
        track.options = {"preset": "veryfast", "crf": "20", "bf": "0"}
        last = -1
        for clip in stream["clips"]:
            length_s = clip["stream_end_s"] - clip["stream_start_s"]
            options = ReaderOptions(sample_hz=rate_hz, short_side_px=HEIGHT_PX)
            with open_reader(str(folder / clip["file"]), options) as reader:
                for sampled in reader.frames():
                    if sampled.frame.pts_s >= length_s:
                        continue
                    time_s = clip["stream_start_s"] + max(0.0, sampled.frame.pts_s)
                    ticks = max(last + 1, round(time_s * _TICKS_PER_S))
                    picture = av.VideoFrame.from_ndarray(_fitted(sampled.frame.pixels), "rgb24")
                    picture.pts, picture.time_base = ticks, Fraction(1, _TICKS_PER_S)
                    container.mux(track.encode(picture))
                    last = ticks
        container.mux(track.encode(None))


def moved_subtitles(stream: Mapping[str, Any], tracks: Mapping[str, Path]) -> list[Line]:
    """The lines of some clips' WebVTT files, moved to where the clips lie in the stream."""
    return [
        (cue.start_s + clip["stream_start_s"], cue.end_s + clip["stream_start_s"], cue.text)
        for clip in stream["clips"]
        if clip["file"] in tracks
        for cue in read_side_car(named_side_car(tracks[clip["file"]]))
    ]


def moved_annotations(stream: Mapping[str, Any], folder: Path) -> list[Line]:
    """What the annotations of the clips say is seen, moved likewise."""
    lines = []
    for clip in stream["clips"]:
        path = folder / f"{clip['file'].replace('/', '_').rsplit('.', 1)[0]}.json"
        for item in json.loads(path.read_text("utf-8")):
            at_s = clip["stream_start_s"]
            lines.append((item["start_s"] + at_s, item["end_s"] + at_s, str(item["what"])))
    return lines


def write_subtitles(lines: Iterable[Line], target: Path) -> None:
    """A WebVTT file of timed lines."""
    parts = ["WEBVTT", ""]
    for start_s, end_s, text in sorted(lines):
        parts += [f"{_clock(start_s)} --> {_clock(end_s)}", text, ""]
    target.write_text("\n".join(parts), "utf-8")


def _fitted(pixels: Pixels) -> Pixels:
    """A `[3 H W]` picture inside the frame of the stream, `[H W 3]`."""
    picture = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    scale = min(WIDTH_PX / picture.width, HEIGHT_PX / picture.height)
    size = (max(2, round(picture.width * scale)), max(2, round(picture.height * scale)))
    frame = Image.new("RGB", (WIDTH_PX, HEIGHT_PX))
    place = ((WIDTH_PX - size[0]) // 2, (HEIGHT_PX - size[1]) // 2)
    frame.paste(picture.resize(size, Image.Resampling.BILINEAR), place)
    return np.asarray(frame, np.uint8)


def _clock(seconds: float) -> str:
    whole, ms = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{ms:03d}"
