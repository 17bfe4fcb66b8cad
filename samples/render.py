"""Renders the sample clips and the truth about them, so that every fact has one origin.

    python samples/render.py            # rewrites every clip and truth file in samples/
    python samples/render.py --out DIR  # the same into another folder

Scenes, moving things, words and subtitles are tables below; the questions are in
`scenes.questions.toml` and name events by label, so that no time is written twice.
The encoder runs on one thread with bit-exact muxing: two runs give equal files.
"""

import argparse
import json
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import Flags
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]  # [H W 3] RGB

FOLDER = Path(__file__).resolve().parent
WIDTH, HEIGHT = 640, 360
RATE_HZ = 12
SUBTITLE_TICKS_PER_S = 1000


@dataclass(frozen=True, slots=True)
class Event:
    """One true thing with its half-open span. `kind`: scene, object, screen_text or subtitle."""

    start_s: float
    end_s: float
    label: str
    kind: str


SCENES = (
    Event(0.0, 4.0, "red room", "scene"),
    Event(4.0, 8.25, "blue night sky", "scene"),
    Event(8.25, 12.5, "green meadow", "scene"),
    Event(12.5, 15.5, "striped wall", "scene"),
    Event(15.5, 19.5, "yellow screen", "scene"),
    Event(19.5, 22.5, "checkerboard", "scene"),
    Event(22.5, 26.75, "red room", "scene"),
    Event(26.75, 29.75, "snowstorm", "scene"),
    Event(29.75, 34.0, "green meadow", "scene"),
    Event(34.0, 37.0, "dark scene", "scene"),
    Event(37.0, 40.5, "purple curtain", "scene"),
    Event(40.5, 44.0, "blue night sky", "scene"),
    Event(44.0, 48.0, "red room", "scene"),
    Event(48.0, 51.0, "white screen", "scene"),
    Event(51.0, 54.0, "checkerboard", "scene"),
)
DURATION_S = SCENES[-1].end_s
OBJECTS = (
    Event(5.0, 8.0, "white disc", "object"),
    Event(9.0, 12.0, "red ball", "object"),
    Event(23.0, 26.5, "orange square", "object"),
    Event(30.5, 33.5, "red ball", "object"),
)
SCREEN_TEXTS = (
    Event(16.0, 19.0, "HELLO", "screen_text"),
    Event(48.5, 51.0, "THE END", "screen_text"),
)
SUBTITLES = (
    Event(0.5, 3.0, "This is the red room.", "subtitle"),
    Event(9.0, 12.0, "A red ball rolls across the meadow.", "subtitle"),
    Event(27.0, 29.5, "A snowstorm hides everything.", "subtitle"),
    Event(48.5, 50.5, "That is all.", "subtitle"),
)
WORD_INK = {"HELLO": (20, 20, 20), "THE END": (10, 10, 10)}


def _filled(color: tuple[int, int, int]) -> Picture:
    return np.full((HEIGHT, WIDTH, 3), color, dtype=np.uint8)


def _drawn(picture: Picture, draw_on: Callable[[ImageDraw.ImageDraw], None]) -> Picture:
    image = Image.fromarray(picture)
    draw_on(ImageDraw.Draw(image))
    return np.asarray(image)


def _red_room() -> Picture:
    picture = _filled((190, 28, 30))
    picture[270:] = (120, 16, 18)

    def furniture(draw: ImageDraw.ImageDraw) -> None:
        draw.rectangle((60, 60, 190, 160), fill=(215, 60, 55), outline=(110, 10, 12), width=6)
        draw.rectangle((430, 190, 580, 300), fill=(150, 20, 22), outline=(100, 8, 10), width=4)

    return _drawn(picture, furniture)


def _night_sky() -> Picture:
    depth = np.linspace(0.0, 1.0, HEIGHT)[:, None]
    picture = np.empty((HEIGHT, WIDTH, 3), dtype=np.uint8)
    picture[:] = np.stack((14 + 10 * depth, 24 + 22 * depth, 110 + 60 * depth), axis=-1)
    rng = np.random.default_rng(4)
    for row, column in zip(rng.integers(0, 250, 40), rng.integers(0, WIDTH - 3, 40), strict=True):
        picture[row : row + 3, column : column + 3] = (225, 228, 255)
    return picture


def _meadow() -> Picture:
    picture = _filled((52, 160, 50))
    picture[:90] = (150, 200, 235)
    rng = np.random.default_rng(7)
    for row, column in zip(
        rng.integers(100, 350, 260), rng.integers(0, WIDTH - 6, 260), strict=True
    ):
        picture[row : row + 8, column : column + 3] = (36, 128, 38)
    return picture


def _striped_wall() -> Picture:
    bright = (np.arange(WIDTH) // 40) % 2 == 0
    picture = np.empty((HEIGHT, WIDTH, 3), dtype=np.uint8)
    picture[:] = np.where(bright, 225, 35)[None, :, None]
    return picture


def _checkerboard() -> Picture:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] // 60
    picture = np.empty((HEIGHT, WIDTH, 3), dtype=np.uint8)
    picture[:] = np.where((rows + columns) % 2 == 0, 235, 20)[..., None]
    return picture


def _snowstorm(frame: int) -> Picture:
    grain_px = 8  # larger than a pixel, so that the noise survives compression at a small size
    rng = np.random.default_rng(1000 + frame)
    grains = rng.integers(40, 245, (HEIGHT // grain_px, WIDTH // grain_px), dtype=np.uint8)
    return np.repeat(grains.repeat(grain_px, 0).repeat(grain_px, 1)[..., None], 3, axis=2)


def _purple_curtain() -> Picture:
    folds = np.sin(np.arange(WIDTH) / 22.0) * 14
    picture = np.empty((HEIGHT, WIDTH, 3), dtype=np.uint8)
    picture[:] = np.stack((112 + folds, 30 + folds / 3, 150 + folds), axis=-1)[None]
    return picture


def _dark_scene() -> Picture:
    picture = _filled((8, 8, 9))
    picture[280:] = (15, 14, 14)
    return picture


STILL_PAINTERS: dict[str, Callable[[], Picture]] = {
    "red room": _red_room,
    "blue night sky": _night_sky,
    "green meadow": _meadow,
    "striped wall": _striped_wall,
    "yellow screen": lambda: _filled((245, 214, 20)),
    "checkerboard": _checkerboard,
    "dark scene": _dark_scene,
    "purple curtain": _purple_curtain,
    "white screen": lambda: _filled((246, 246, 244)),
}


def _bounce(distance: float, room: float) -> float:
    """A position in [0, room] that goes to and fro as `distance` grows."""
    return room - abs(distance % (2 * room) - room)


def _draw_object(draw: ImageDraw.ImageDraw, event: Event, at_s: float) -> None:
    part = (at_s - event.start_s) / (event.end_s - event.start_s)
    if event.label == "red ball":
        part = part if event.start_s < 20 else 1 - part  # the second time from right to left
        x, y = -60 + part * (WIDTH + 120), 250
        draw.ellipse((x - 55, y - 55, x + 55, y + 55), fill=(220, 25, 25))
    elif event.label == "orange square":
        x, y = _bounce(520 * part, WIDTH - 130), _bounce(700 * part, HEIGHT - 130)
        draw.rectangle((x, y, x + 130, y + 130), fill=(255, 140, 0))
    elif event.label == "white disc":
        x, y = 120 + part * 400, 300 - part * 220
        draw.ellipse((x - 45, y - 45, x + 45, y + 45), fill=(245, 245, 245))


def _draw_word(draw: ImageDraw.ImageDraw, word: str) -> None:
    font = ImageFont.load_default(size=110)
    draw.text((WIDTH // 2, HEIGHT // 2), word, fill=WORD_INK[word], font=font, anchor="mm")


def pictures() -> Iterator[Picture]:
    """Every frame of the scenes clip, in order, `[360 640 3]`."""
    stills = {label: paint() for label, paint in STILL_PAINTERS.items()}
    for frame in range(round(DURATION_S * RATE_HZ)):
        at_s = frame / RATE_HZ
        scene = next(event for event in SCENES if event.start_s <= at_s < event.end_s)
        picture = _snowstorm(frame) if scene.label == "snowstorm" else stills[scene.label]
        shown = [event for event in OBJECTS + SCREEN_TEXTS if event.start_s <= at_s < event.end_s]
        if shown:
            image = Image.fromarray(picture)
            draw = ImageDraw.Draw(image)
            for event in shown:
                if event.kind == "object":
                    _draw_object(draw, event, at_s)
                else:
                    _draw_word(draw, event.label)
            picture = np.asarray(image)
        yield picture


def _add_h264(container: Any, width: int, height: int, time_base: Fraction, crf: int) -> Any:
    stream = container.add_stream("libx264", rate=RATE_HZ)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.codec_context.time_base = time_base
    stream.codec_context.thread_count = 1
    # Without mbtree=0 the output of x264's SIMD code differs from run to run.
    stream.options = {
        "preset": "slow", "crf": str(crf), "bf": "2", "g": "60", "x264-params": "mbtree=0",
    }  # fmt: skip
    return stream


def render_scenes(path: Path) -> None:
    """Write the scenes clip: H.264 with B-frames at a constant rate, and a mov_text track."""
    with av.open(str(path), "w", format="mp4") as container:
        container.flags |= Flags.bitexact.value
        video = _add_h264(container, WIDTH, HEIGHT, Fraction(1, RATE_HZ), crf=30)
        subtitles = container.add_mux_stream("mov_text")
        subtitles.time_base = Fraction(1, SUBTITLE_TICKS_PER_S)
        pending = list(SUBTITLES)
        for index, picture in enumerate(pictures()):
            while pending and pending[0].start_s <= index / RATE_HZ:
                container.mux(_subtitle_packet(pending.pop(0), subtitles))
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, RATE_HZ)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))


def _subtitle_packet(event: Event, stream: Any) -> Any:
    text = event.label.encode()
    packet = av.Packet(len(text).to_bytes(2, "big") + text)
    packet.stream, packet.time_base = stream, Fraction(1, SUBTITLE_TICKS_PER_S)
    packet.pts = packet.dts = round(event.start_s * SUBTITLE_TICKS_PER_S)
    packet.duration = round((event.end_s - event.start_s) * SUBTITLE_TICKS_PER_S)
    return packet


# The second clip: its first frame is shown at 3 s, and the time between frames changes.
VFR_SCENES = (
    (Event(3.0, 6.0, "blue screen", "scene"), (20, 40, 200), 0.04),
    (Event(6.0, 9.0, "orange screen", "scene"), (250, 140, 10), 0.25),
    (Event(9.0, 11.0, "green screen", "scene"), (30, 160, 40), 0.5),
    (Event(11.0, 14.0, "blue screen", "scene"), (20, 40, 200), 1 / 12),
)
VFR_WIDTH, VFR_HEIGHT = 160, 90
VFR_TICKS_PER_S = 1000


def render_vfr(path: Path) -> None:
    """Write the small clip whose start is delayed and whose frame rate varies (Matroska)."""
    time_base = Fraction(1, VFR_TICKS_PER_S)
    with av.open(str(path), "w", format="matroska") as container:
        container.flags |= Flags.bitexact.value  # else the file gets a random identifier
        video = _add_h264(container, VFR_WIDTH, VFR_HEIGHT, time_base, crf=24)
        for event, color, step_s in VFR_SCENES:
            for step in range(round((event.end_s - event.start_s) / step_s)):
                picture = np.full((VFR_HEIGHT, VFR_WIDTH, 3), color, dtype=np.uint8)
                picture[40:50, (8 * step) % 140 : (8 * step) % 140 + 20] = 255  # something moves
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts = round((event.start_s + step * step_s) * VFR_TICKS_PER_S)
                frame.time_base = time_base
                container.mux(video.encode(frame))
        container.mux(video.encode(None))


def truth(name: str, events: Sequence[Event], duration_s: float) -> dict[str, Any]:
    """The truth document of one clip: its events and its questions with expected results."""
    asked = tomllib.loads((FOLDER / f"{Path(name).stem}.questions.toml").read_text("utf-8"))
    return {
        "schema_version": 1,
        "video": name,
        "start_s": min(event.start_s for event in events),
        "duration_s": duration_s,
        "events": [
            {"start_s": e.start_s, "end_s": e.end_s, "label": e.label, "kind": e.kind}
            for e in sorted(events, key=lambda e: (e.start_s, e.end_s, e.label))
        ],
        "questions": [_expected(entry, events) for entry in asked["question"]],
    }


def _expected(entry: dict[str, Any], events: Sequence[Event]) -> dict[str, Any]:
    """One question of the truth, its event labels (`label` or `label#2`) turned into spans."""
    spans: list[list[float]] = [list(span) for span in entry.get("spans", [])]
    for reference in entry.get("events", []):
        label, _, nth = reference.partition("#")
        named = [[e.start_s, e.end_s] for e in events if e.label == label]
        if not named:
            raise ValueError(f"question {entry['text']!r} names no event {label!r}")
        spans += [named[int(nth) - 1]] if nth else named
    value = entry.get("value")
    if value == "total":
        value = sum(end_s - start_s for start_s, end_s in spans)
    return {
        "question": entry["text"],
        "intent": entry["intent"],
        "choices": entry.get("choices", []),
        "expected_spans": sorted(spans),
        "value": value,
        "choice": entry.get("choice"),
        "abstain": entry.get("abstain", False),
    }


def render_all(folder: Path) -> list[Path]:
    """Write every clip and truth file into `folder` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    render_scenes(folder / "scenes.mp4")
    render_vfr(folder / "vfr_delayed.mkv")
    vfr_events = [event for event, _, _ in VFR_SCENES]
    documents = {
        "scenes.truth.json": truth(
            "scenes.mp4", SCENES + OBJECTS + SCREEN_TEXTS + SUBTITLES, DURATION_S
        ),
        "vfr_delayed.truth.json": truth(
            "vfr_delayed.mkv", vfr_events, vfr_events[-1].end_s - vfr_events[0].start_s
        ),
    }
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return [folder / name for name in ("scenes.mp4", "vfr_delayed.mkv", *documents)]


def main() -> None:
    """Render everything and print what was written."""
    parser = argparse.ArgumentParser(description="Render the sample clips and their truth.")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to write to")
    for path in render_all(parser.parse_args().out):
        print(f"{path}  {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
