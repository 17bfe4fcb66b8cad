"""Reads rendered slides and signs, and keeps ten hours of talk in a small memory.

    python benchmarks/reading.py            # all parts, results/reading.json
    python benchmarks/reading.py --part slides

Slides: a 720p H.264 video whose every text and time are known. Bars: at least 95 % of the words,
begin and end within one sampling step, one cue a text. Talk: subtitles of ten hours in a memory
whose cues have 256 KiB. Bars: the file within its budget, and 95 % of the words found that were
said once, in the first hour. The same with three times as many words in the language (`wide`),
where many ordinary words are as rare: reported, without a bar for the words.
"""

import argparse
import random
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import harness
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from streammem.api import AskOptions, Library, request_from_config
from streammem.core.budget import CUE_SHARE, KIB, SMALL_PAGE_BYTES, SYSTEM_PAGES, plan_budget
from streammem.core.config import load_config
from streammem.core.results import IngestResult
from streammem.runtime import ingestion
from streammem.storage.verify import verify_memory

Measure = Callable[[Path], tuple[dict[str, Any], dict[str, bool]]]
SIZE = (1280, 720)
RATE_HZ = 10
STEP_S = 0.5
SLIDE_S, BLANK_S = 6.0, 3.0
TITLES = (
    "Quarterly results", "Conservation of energy", "Emergency exit", "Departures and arrivals",
    "Rules of the library", "Weather tomorrow", "How to plant a tree", "Opening hours",
    "Stage two of the rocket", "Recipe for bread", "Chapter seven", "Questions and answers",
)  # fmt: skip
LINES = (
    "Revenue grew by 14.5% to $3.2M", "The pendulum swings back", "Keep this door closed",
    "Platform 4, train 18:05 to Geneva", "Silence please, people are reading",
    "Rain in the north, sun in the south", "Dig a hole twice as wide as the roots",
    "Monday to Friday from 9:00 to 17:30", "Thrust exceeds weight after ignition",
    "500 g flour, 7 g yeast, 10 g salt", "The captain returns to the island",
    "Write to office@example.org",
)  # fmt: skip
TALK_HOURS = 10
TALK_CUE_BYTES = 256 * KIB
RARE = 40
# Different words of the talk besides the rare ones, as frequent as in speech.
VOCABULARY = 2000
WIDE_VOCABULARY = 6000


@dataclass(frozen=True, slots=True)
class Shown:
    """One text of the rendered video with its span."""

    start_s: float
    end_s: float
    text: str


def slide(title: str, line: str, number: int) -> Image.Image:
    """Black on white, white on dark, or a sign over a coloured gradient, by turns."""
    style = number % 3
    if style == 2:
        rows = np.linspace(60, 190, SIZE[1])[:, None, None]
        columns = np.linspace(0, 50, SIZE[0])[None, :, None]
        picture = np.concatenate([rows + columns, rows * 0.8 + columns, 200 - rows + columns], 2)
        image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    else:
        image = Image.new("RGB", SIZE, "white" if style == 0 else (25, 30, 45))
    draw = ImageDraw.Draw(image)
    ink = (20, 20, 60) if style == 0 else "white"
    draw.text((90, 120), title, font=ImageFont.load_default(size=52), fill=ink)
    draw.text((90, 220), line, font=ImageFont.load_default(size=30), fill=ink)
    return image


def render_slides(path: Path) -> tuple[list[Shown], float]:
    """Write the video; returns what is shown when, and its length in seconds."""
    shown, frames = [], []
    at_s = 0.0
    for number, (title, line) in enumerate(zip(TITLES, LINES, strict=True)):
        shown.append(Shown(at_s, at_s + SLIDE_S, f"{title}\n{line}"))
        frames += [slide(title, line, number)] * round(SLIDE_S * RATE_HZ)
        at_s += SLIDE_S
        if number % 3 == 2:
            frames += [Image.new("RGB", SIZE, (40, 90, 60))] * round(BLANK_S * RATE_HZ)
            at_s += BLANK_S
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE_HZ, options={"crf": "23"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number, image in enumerate(frames):
            frame = av.VideoFrame.from_image(image)
            frame.pts, frame.time_base = number, Fraction(1, RATE_HZ)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return shown, at_s


def ingest(folder: Path, source: str, **fields: Any) -> IngestResult:
    """A memory of a source, without sound."""
    config = load_config(environ={}, project_folder=folder).config
    plain = request_from_config(config, encoder="embedded", device="cpu", audio=False)
    (result,) = Library(folder).ingest([source], replace(plain, **fields))
    if result.error is not None:
        raise SystemExit(f"{source}: {result.error}")
    return result


def cues_of(result: IngestResult) -> list[Shown]:
    """The on-screen texts of a memory in order of time."""
    with closing(sqlite3.connect(str(result.memory_path))) as connection:
        rows = connection.execute(
            "SELECT start_s,end_s,text FROM cue WHERE channel='screen_text' ORDER BY start_s,id"
        ).fetchall()
    return [Shown(*row) for row in rows]


def measure_slides(folder: Path) -> tuple[dict[str, Any], dict[str, bool]]:
    """Words, spans and cost of reading the rendered video."""
    video = folder / "slides.mp4"
    shown, length_s = render_slides(video)
    with harness.Stopwatch() as unread:
        ingest(folder / "unread", str(video), screen_text=False)
    with harness.Stopwatch() as read:
        result = ingest(folder / "read", str(video), screen_text=True)
    found = cues_of(result)
    words = right = 0
    errors: list[float] = []
    single = 0
    for truth in shown:
        near = [cue for cue in found if cue.start_s < truth.end_s and cue.end_s > truth.start_s]
        said = " ".join(cue.text for cue in near if _shares(cue.text, truth.text)).split()
        words += len(truth.text.split())
        right += sum(word in said for word in truth.text.split())
        matching = [cue for cue in near if _shares(cue.text, truth.text)]
        single += len(matching) == 1
        for cue in matching:
            errors += [abs(cue.start_s - truth.start_s), abs(cue.end_s - truth.end_s)]
    figures = {
        "slides": len(shown), "video_s": length_s, "cues": len(found),
        "words": words, "words_right": right, "word_share": round(right / words, 4),
        "texts_of_one_cue": single, "worst_border_error_s": max(errors, default=None),
        "cpu_s_unread": round(unread.timing.cpu_s, 2), "cpu_s_read": round(read.timing.cpu_s, 2),
        "wall_s_unread": round(unread.timing.wall_s, 2),
        "wall_s_read": round(read.timing.wall_s, 2),
        "cpu_s_per_changed_slide": round(
            (read.timing.cpu_s - unread.timing.cpu_s) / len(shown), 3
        ),
        "cpu_s_per_hour_of_this_video": round(
            (read.timing.cpu_s - unread.timing.cpu_s) / length_s * 3600, 1
        ),
    }  # fmt: skip
    bars = {
        "at least 95 % of the words": right >= 0.95 * words,
        "each text one cue": single == len(shown),
        "begin and end within one sampling step": max(errors, default=99.0) <= STEP_S,
    }
    return figures, bars


def _shares(text: str, truth: str) -> bool:
    return bool(set(text.split()) & set(truth.split()))


def write_talk(path: Path, vocabulary_size: int) -> list[str]:
    """Subtitles of ten hours, a cue every four seconds; returns the rare words of hour one."""
    drawn = random.Random(11)
    syllables = [a + b for a in "bcdfghklmnprstvz" for b in ("a", "e", "i", "o", "u")]
    vocabulary = sorted({"".join(drawn.choices(syllables, k=drawn.randint(1, 4)))
                         for _ in range(vocabulary_size)})  # fmt: skip
    drawn.shuffle(vocabulary)
    weights = [1 / (rank + 3) for rank in range(len(vocabulary))]
    rare = [f"xq{''.join(drawn.choices(syllables, k=3))}{number}" for number in range(RARE)]
    places = dict(zip(drawn.sample(range(20, 880), RARE), rare, strict=True))
    count = TALK_HOURS * 900
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            words = drawn.choices(vocabulary, weights, k=10)
            if number in places:
                words.insert(drawn.randrange(10), places[number])
            start, end = 4 * number, 4 * number + 4
            file.write(f"{number + 1}\n{_clock(start)} --> {_clock(end)}\n{' '.join(words)}\n\n")
    return rare


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d},000"


def measure_talk(
    folder: Path, *, meaning: bool, vocabulary_size: int
) -> tuple[dict[str, Any], dict[str, bool]]:
    """How ten hours of subtitles fit into 256 KiB of cues, and what is found of hour one.

    With `meaning` each cue carries the code of its meaning, which takes minutes and bytes.
    """
    if not meaning:
        ingestion.text_encoder_folder = lambda: None
    folder.mkdir()
    subtitles = folder / "talk.srt"
    rare = write_talk(subtitles, vocabulary_size)
    budget = int(TALK_CUE_BYTES / CUE_SHARE) + SYSTEM_PAGES * SMALL_PAGE_BYTES
    plan = plan_budget(budget)
    source = f"synthetic:5?duration={TALK_HOURS * 3600}&fps=0.1&size=32x32"
    with harness.Stopwatch() as watch:
        result = ingest(
            folder / "talk", source, fps=0.05, budget_bytes=budget, screen_text=False,
            subtitles=str(subtitles), name="talk",
        )  # fmt: skip
    library = Library(folder / "talk")
    found = 0
    for word in rare:
        answer = library.ask(f"when is {word} mentioned?", AskOptions(memories=("talk",)))
        found += any(word in (item.text or "") for item in answer.evidence[:3])
    path = Path(str(result.memory_path))
    figures = {
        "hours": TALK_HOURS, "codes_of_meaning": meaning, "vocabulary": vocabulary_size,
        "cues_said": TALK_HOURS * 900, "cues_kept": result.cues["subtitle"],
        "text_bytes_said": sum(len(line) for line in subtitles.read_text().splitlines()[2::4]),
        "text_bytes_kept": result.bytes["cues"], "cue_share_bytes": plan.cue_bytes,
        "budget_bytes": budget, "file_bytes": path.stat().st_size,
        "rare_words": len(rare), "rare_words_found": found,
        "cpu_s": round(watch.timing.cpu_s, 1), "wall_s": round(watch.timing.wall_s, 1),
    }  # fmt: skip
    bars = {
        "file within the budget": path.stat().st_size <= budget,
        "the memory verifies": verify_memory(path).ok,
    }
    if vocabulary_size == VOCABULARY:
        bars["at least 95 % of the rare words of hour one found"] = found >= 0.95 * len(rare)
    return figures, bars


def main() -> int:
    """Measure, print, write; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=("slides", "talk", "wide"), help="one part only")
    parser.add_argument("--meaning", action="store_true", help="the talk with codes of meaning")
    parser.add_argument("--out", type=Path, default=harness.RESULTS / "reading.json")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    bars: dict[str, bool] = {}
    parts: dict[str, Measure] = {
        "slides": measure_slides,
        "talk": lambda folder: measure_talk(
            folder / "talk", meaning=options.meaning, vocabulary_size=VOCABULARY
        ),
        "wide": lambda folder: measure_talk(
            folder / "wide", meaning=options.meaning, vocabulary_size=WIDE_VOCABULARY
        ),
    }
    with tempfile.TemporaryDirectory(prefix="streammem-") as name:
        for part, measure in parts.items():
            if options.part in (None, part):
                figures[part], met = measure(Path(name))
                bars |= {f"{part}: {bar}": ok for bar, ok in met.items()}
    for part, values in figures.items():
        for key, value in values.items():
            print(f"{part:7} {key:32} {value}")
    for bar, ok in bars.items():
        print(f"{'ok  ' if ok else 'MISS'} {bar}")
    harness.write_result(options.out, {"bars": bars, **figures})
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
