"""Measures hearing: spans of speech against transcripts, sound tags, and what an hour costs.

    python benchmarks/hearing.py --shared ../shared

Speech: F1 over frames of 0.1 s between the listener's spans and the lines of the lecture's
transcript, which is another machine's. Its last line lasts 17 s for nine words, across a swinging
pendulum and applause, so that the figure is given with and without the time of that line. Noise and
music are mixed under the lecture at 10 dB. Clips in which nobody speaks tell the false alarms.
Sound: whether an annotated animal is named, and how well its time fits. Cost: seconds of one core
for an hour of sound, each part on its own. Transcription is not measured: no weights are here.
"""

import argparse
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness
import numpy as np
from numpy.typing import NDArray

from streammem.audio.listener import Listener
from streammem.audio.options import ListenOptions
from streammem.core.timebase import TimeSpan, parse_time
from streammem.core.types import AudioChunk, Channel, Cue
from streammem.video.sound import open_sound

Samples = NDArray[np.float32]
RATE_HZ = 16000
FRAME_S = 0.1
MIXED_DB = 10.0
LONGEST_LINE_S = 10.0
BAR_F1 = 0.9
# Clips in which nobody speaks, as their manifest says.
WITHOUT_SPEECH = ("bbb_opening_30s.webm", "gbike_ride.webm", "squirrel.mp4", "sam2_dog.mp4")
# What an AudioSet classifier may call the annotated animals.
NAMES = {
    "purr": {"Purr"}, "meow": {"Meow", "Cat"}, "bark": {"Bark", "Dog", "Bow-wow"},
    "baa": {"Sheep", "Bleat"}, "moo": {"Moo", "Cattle, bovinae"}, "bleat": {"Bleat", "Goat"},
    "woof": {"Bark", "Dog", "Bow-wow"}, "cluck": {"Cluck", "Chicken, rooster", "Fowl"},
    "mew": {"Meow", "Cat"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a transcript."""

    span: TimeSpan
    words: int


def read_lines(path: Path) -> list[Line]:
    """The lines of an SRT file."""
    lines = []
    for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8").strip()):
        _, times, *text = block.splitlines()
        start, end = (parse_time(part) for part in times.split(" --> "))
        lines.append(Line(TimeSpan(start, end), len(" ".join(text).split())))
    return lines


def read_samples(path: Path) -> Samples:
    """All samples of a clip."""
    reader = open_sound(str(path))
    if reader is None:
        return np.empty(0, np.float32)
    with reader:
        parts = [chunk.samples for chunk in reader.chunks()]
    return np.concatenate([np.empty(0, np.float32), *parts])


def hear(samples: Samples, options: ListenOptions) -> list[Cue]:
    """The cues of samples that begin at time 0."""
    listener = Listener(options)
    cues: list[Cue] = []
    for at in range(0, len(samples), RATE_HZ):
        cues += listener.feed(AudioChunk(samples[at : at + RATE_HZ], at / RATE_HZ, RATE_HZ))
    return cues + listener.close()


def frames(spans: Sequence[TimeSpan], count: int) -> NDArray[np.bool_]:
    """Which frames of 0.1 s have their middle in one of the spans."""
    middles = (np.arange(count) + 0.5) * FRAME_S
    inside = np.zeros(count, bool)
    for span in spans:
        inside |= (middles >= span.start_s) & (middles < span.end_s)
    return inside


def agreement(
    truth: NDArray[np.bool_], found: NDArray[np.bool_], counted: NDArray[np.bool_]
) -> dict[str, float]:
    """Precision, recall and F1 over the frames that count."""
    hits = int((truth & found & counted).sum())
    precision = hits / max(1, int((found & counted).sum()))
    recall = hits / max(1, int((truth & counted).sum()))
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    return {"precision": precision, "recall": recall, "f1": f1}


def mixed(speech: Samples, other: Samples) -> Samples:
    """Speech over something else that is 10 dB weaker in the mean."""
    under = np.resize(other, len(speech))
    power = float((speech**2).mean()) / float((under**2).mean()) / 10 ** (MIXED_DB / 10)
    return np.clip(speech + under * np.float32(power**0.5), -1.0, 1.0).astype(np.float32)


def measure_speech(real: Path) -> list[dict[str, Any]]:
    """The lecture, clean and with something under it, against its transcript."""
    lines = read_lines(real / "subtitles" / "physicsworks_lecture.srt")
    lecture = read_samples(real / "audio" / "physicsworks_lecture.webm")
    count = round(len(lecture) / RATE_HZ / FRAME_S)
    truth = frames([line.span for line in lines], count)
    everything = np.ones(count, bool)
    long_lines = [line.span for line in lines if line.span.duration_s > LONGEST_LINE_S]
    rows = []
    for name, other in (
        ("lecture", None),
        ("lecture over noise", "gbike_ride.webm"),
        ("lecture over music", "bbb_opening_30s.webm"),
    ):
        samples = lecture if other is None else mixed(lecture, read_samples(real / other))
        cues = hear(samples, ListenOptions(whisper="", sound=False))
        found = frames([TimeSpan(cue.start_s, cue.end_s) for cue in cues], count)
        strict = agreement(truth, found, everything)
        fair = agreement(truth, found, ~frames(long_lines, count))
        rows.append(
            {"clip": name, "spans": len(cues), **strict, "f1_without_long_line": fair["f1"]}
        )
    return rows


def measure_false_alarms(real: Path) -> list[dict[str, Any]]:
    """How much speech is heard where nobody speaks."""
    rows = []
    for name in WITHOUT_SPEECH:
        samples = read_samples(real / name)
        cues = hear(samples, ListenOptions(whisper="", sound=False))
        speech_s = sum(cue.end_s - cue.start_s for cue in cues)
        rows.append({"clip": name, "seconds": len(samples) / RATE_HZ, "speech_s": speech_s})
    return rows


def measure_tags(real: Path, tagger: Path) -> list[dict[str, Any]]:
    """Whether each annotated animal is named at its time, with the best-fitting cue."""
    annotations = json.loads((real / "annotations" / "animal_sounds.json").read_text())
    samples = read_samples(real / "audio" / "animal_sounds.mp3")
    cues = hear(samples, ListenOptions(whisper="", tagger=str(tagger)))
    sounds = [cue for cue in cues if cue.channel is Channel.SOUND]
    rows = []
    for event in annotations:
        truth = TimeSpan(event["start_s"], event["end_s"])
        named = [cue for cue in sounds if cue.text in NAMES[event["what"]]]
        fits = [(truth.iou(TimeSpan(cue.start_s, cue.end_s)), cue.text) for cue in named]
        iou, text = max(fits, default=(0.0, ""))
        rows.append({"sound": event["what"], "named": text or "-", "iou": iou})
    return rows


def measure_kinds(real: Path) -> list[dict[str, Any]]:
    """Seconds that are called music without any weights, in clips with and without it."""
    rows = []
    for name, start_s, end_s, music in (
        ("bbb_opening_30s.webm", 0.0, 30.0, True),
        ("chrome_hammock.mp4", 22.0, 30.0, True),
        ("audio/physicsworks_lecture.webm", 0.0, 203.0, False),
        ("audio/jfk.flac", 0.0, 11.0, False),
        ("gbike_ride.webm", 0.0, 30.0, False),
        ("swing_playground.mp4", 0.0, 38.0, False),
        ("audio/animal_sounds.mp3", 0.0, 17.8, False),
    ):
        samples = read_samples(real / name)[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)]
        cues = hear(samples, ListenOptions(speech=False))
        found_s = sum(cue.end_s - cue.start_s for cue in cues if cue.text == "music")
        share = found_s / (len(samples) / RATE_HZ)
        rows.append({"clip": name, "is_music": music, "called_music": share})
    return rows


def measure_cost(real: Path, tagger: Path, seconds: float) -> list[dict[str, Any]]:
    """Processor seconds for an hour of sound, and how many times faster than real time."""
    lecture = real / "audio" / "physicsworks_lecture.webm"
    speech = read_samples(lecture)
    sound = np.resize(speech, round(seconds * RATE_HZ))
    works: list[tuple[str, float, Callable[[], object]]] = [
        ("read (Opus, 5.1)", len(speech) / RATE_HZ, lambda: read_samples(lecture)),
        (
            "read (AAC, stereo)", 29.977,
            lambda: read_samples(real / "chrome_hammock.mp4"),
        ),
        ("spans of speech", seconds, lambda: hear(sound, ListenOptions(whisper="", sound=False))),
        ("music and noise", seconds, lambda: hear(sound, ListenOptions(speech=False))),
        ("all, no tagger", seconds, lambda: hear(sound, ListenOptions(whisper=""))),
        (
            "all, with YAMNet", seconds,
            lambda: hear(sound, ListenOptions(whisper="", tagger=str(tagger))),
        ),
    ]  # fmt: skip
    rows = []
    for name, lasts_s, work in works:
        runs = []
        for _ in range(3):
            with harness.Stopwatch() as watch:
                work()
            runs.append(watch.timing.cpu_s)
        per_hour_s = harness.median(runs) / lasts_s * 3600
        rows.append({"work": name, "cpu_s_per_hour": per_hour_s, "times_real": 3600 / per_hour_s})
    return rows


def measure_start() -> dict[str, float]:
    """Seconds to make a listener, with and without the voice model."""
    Listener(ListenOptions(whisper=""))
    started = time.perf_counter()
    Listener(ListenOptions(whisper=""))
    voice_s = time.perf_counter() - started
    return {"listener_s": voice_s}


def main() -> None:
    """Measure everything, print tables, write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=harness.REPOSITORY.parent / "shared")
    parsed = harness.arguments(parser, "hearing.json")
    real = parsed.shared / "data" / "real"
    tagger = parsed.shared / "weights" / "yamnet_audio_classifier.tflite"
    result: dict[str, Any] = {
        "speech": measure_speech(real),
        "false_alarms": measure_false_alarms(real),
        "tags": measure_tags(real, tagger),
        "music": measure_kinds(real),
        "cost": measure_cost(real, tagger, 60.0 if parsed.quick else 600.0),
        "start": measure_start(),
    }
    for name, rows in result.items():
        print(f"\n{name}\n{harness.table(rows if isinstance(rows, list) else [rows])}")
    f1 = result["speech"][0]["f1"]
    print(f"\nF1 of the lecture {f1:.3f}, bar {BAR_F1}: {'met' if f1 >= BAR_F1 else 'missed'}")
    harness.write_result(parsed.out, {"bar_f1": BAR_F1, **result})


if __name__ == "__main__":
    main()
