"""Measures the trained encoder on real clips, beside its teachers, the descriptor and chance.

    python benchmarks/embedded.py --shared ../shared --work DIR

Questions are nouns and phrases written from the annotations of the clips. Frames are taken twice a
second, and a frame's score is that of its best vector. Two figures for each way of scoring: the
clip with the best frame is a right one; and within the joined streams, the stretch around the best
frame overlaps a right one (intersection over union of 0.3 or more). All ways share the frames and
the rule that cuts stretches. `--work` is the work folder of the training (pictures, boxes and
`measured.json`); the teachers need ai-edge-litert and onnxruntime.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness
import numpy as np
from numpy.typing import NDArray

MODEL = harness.REPOSITORY / "models" / "embedded-v1"
sys.path.append(str(MODEL / "train"))

QUERIES = Path(__file__).with_name("embedded_queries.json")
SAMPLE_HZ = 2.0
SHORT_SIDE_PX = 224
RIGHT_IOU = 0.3
BATCH = 32
TIMED_BATCHES = 16
COMMAND_RUNS = 3

Floats = NDArray[np.float64]
Spans = list[tuple[float, float]]
# Scores of a query for the frames of a clip.
Scoring = Callable[[str, "Clip"], Floats]


@dataclass(frozen=True, slots=True)
class Clip:
    """The sampled frames of one file, uint8 `[3 H W]`, and their times."""

    file: str
    frames: list[NDArray[np.uint8]]
    times_s: Floats


def read_clips(folder: Path, streams: list[dict[str, Any]]) -> dict[str, Clip]:
    """Every clip of the streams."""
    from streammem.video.reader import ReaderOptions, open_reader

    clips = {}
    for file in dict.fromkeys(clip["file"] for stream in streams for clip in stream["clips"]):
        options = ReaderOptions(sample_hz=SAMPLE_HZ, short_side_px=SHORT_SIDE_PX)
        with open_reader(str(folder / file), options) as reader:
            frames = [sampled.frame for sampled in reader.frames()]
        times = np.array([frame.pts_s for frame in frames])
        clips[file] = Clip(file, [frame.pixels for frame in frames], times - times[0])
    return clips


def encoder_scoring(name: str, clips: dict[str, Clip]) -> Scoring:
    """Cosines of a query with the best vector of each frame."""
    from streammem.encoders.load import load_encoder

    encoder = load_encoder(name)
    vectors: dict[str, NDArray[np.float32]] = {}
    for clip in clips.values():
        rows = []
        for first in range(0, len(clip.frames), BATCH):
            found = encoder.encode_images(np.stack(clip.frames[first : first + BATCH]))
            assert found.tokens is not None
            rows.append(np.concatenate([found.embeddings[:, None], found.tokens], axis=1))
        vectors[clip.file] = np.concatenate(rows)

    def score(query: str, clip: Clip) -> Floats:
        asked = encoder.encode_text(query).embedding
        return (vectors[clip.file] @ asked).max(axis=1).astype(np.float64)

    return score


def teacher_scoring(shared: Path, work: Path, clips: dict[str, Clip]) -> Scoring:
    """How surely the teachers see all the nouns of a query that they have labels for."""
    import torch
    from teachers import CLASSIFIER_SIZE_PX, Classifier, Detector
    from train import Targets
    from views import UNKNOWN, load_vocabulary

    from streammem.encoders.embedded_text import Nouns, TextTower

    weights = shared / "weights"
    vocabulary = load_vocabulary(work, weights)
    classifier, detector = Classifier(weights), Detector(weights)
    targets = Targets(vocabulary, classifier)
    words = torch.full((1, len(vocabulary.picture_leaf)), UNKNOWN, dtype=torch.uint8)
    presence: dict[str, Floats] = {}
    for clip in clips.values():
        rows = []
        for frame in clip.frames:
            picture = np.ascontiguousarray(frame.transpose(1, 2, 0))
            _, logits = classifier(_square(picture, CLASSIFIER_SIZE_PX))
            boxes = torch.zeros(1, 80)
            for *_, sure, kind in detector(picture):
                boxes[0, int(kind)] = max(float(boxes[0, int(kind)]), float(sure))
            seen, _ = targets.presence(torch.from_numpy(logits)[None].softmax(-1), boxes, words)
            rows.append(seen[0].numpy())
        presence[clip.file] = np.stack(rows).astype(np.float64)
    nothing = np.zeros((len(vocabulary.concepts), 1), np.float32)
    tower = TextTower(Nouns(vocabulary.words, nothing, nothing[:, 0], nothing[:, 0]), nothing)

    def score(query: str, clip: Clip) -> Floats:
        rows = tower.rows(query)
        if not rows:
            return np.zeros(len(clip.frames))
        found: Floats = np.log(presence[clip.file][:, rows] + 1e-6).sum(axis=1)
        return found

    return score


def _square(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    from PIL import Image

    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR))


def right_clip(query: dict[str, Any], scoring: Scoring, clips: dict[str, Clip]) -> float:
    """The chance that the clip of the best frame is a right one, ties drawn."""
    best = {file: float(scoring(query["query"], clip).max()) for file, clip in clips.items()}
    top = [file for file, value in best.items() if value >= max(best.values()) - 1e-12]
    return sum(file in query["shown"] for file in top) / len(top)


def right_moment(
    query: dict[str, Any], scoring: Scoring, stream: dict[str, Any], clips: dict[str, Clip]
) -> float | None:
    """Whether the best stretch of a joined stream is right; None where nothing is shown in it."""
    shown = [
        (clip["stream_start_s"] + start, clip["stream_start_s"] + end)
        for clip in stream["clips"]
        for start, end in query["shown"].get(clip["file"], ())
    ]
    if not shown:
        return None
    scores = np.concatenate([scoring(query["query"], clips[c["file"]]) for c in stream["clips"]])
    times = np.concatenate(
        [c["stream_start_s"] + clips[c["file"]].times_s for c in stream["clips"]]
    )
    if np.ptp(scores) < 1e-12:
        return 0.0
    start, end = best_stretch(times, scores)
    return float(max(_iou((start, end), span) for span in _joined(shown)) >= RIGHT_IOU)


def best_stretch(times_s: Floats, scores: Floats) -> tuple[float, float]:
    """Around the best of the scores, averaged over three frames, all above half its height."""
    padded = np.pad(scores, 1, mode="edge")
    smooth = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
    best = int(smooth.argmax())
    above = smooth >= 0.5 * (smooth[best] + np.median(smooth))
    first, last = best, best
    while first > 0 and above[first - 1]:
        first -= 1
    while last + 1 < len(above) and above[last + 1]:
        last += 1
    return float(times_s[first]), float(times_s[last]) + 1 / SAMPLE_HZ


def _joined(spans: Spans) -> Spans:
    """Each span alone, and neighbours of one clip or of two in a row as one."""
    ordered = sorted(spans)
    found = list(ordered)
    for first in range(len(ordered)):
        end = ordered[first][1]
        for start, stop in ordered[first + 1 :]:
            if start - end > 1.0:
                break
            end = stop
            found.append((ordered[first][0], end))
    return found


def _iou(first: tuple[float, float], second: tuple[float, float]) -> float:
    shared = max(0.0, min(first[1], second[1]) - max(first[0], second[0]))
    return shared / (max(first[1], second[1]) - min(first[0], second[0]))


def chance(queries: list[dict[str, Any]], clips: dict[str, Clip]) -> dict[str, float]:
    """A clip drawn at random; stretches are not drawn, they would be right less often still."""
    return {
        "right_clip": float(np.mean([len(query["shown"]) / len(clips) for query in queries])),
    }


def figures(
    queries: list[dict[str, Any]],
    scoring: Scoring,
    streams: list[dict[str, Any]],
    clips: dict[str, Clip],
) -> dict[str, Any]:
    """Both figures over all queries, and what each query got."""
    each = []
    for query in queries:
        moments = [right_moment(query, scoring, stream, clips) for stream in streams]
        asked = [value for value in moments if value is not None]
        each.append({
            "query": query["query"],
            "right_clip": round(right_clip(query, scoring, clips), 3),
            "right_moments": sum(asked),
            "streams": len(asked),
        })  # fmt: skip
    return {
        "right_clip": float(np.mean([row["right_clip"] for row in each])),
        "right_moment": sum(row["right_moments"] for row in each)
        / sum(row["streams"] for row in each),
        "queries": each,
    }


def speed(name: str) -> dict[str, float]:
    """Pictures encoded per second in batches of 32, of 320 x 180 pixels."""
    from streammem.encoders.load import load_encoder

    noise = np.random.default_rng(0).integers(0, 256, (BATCH, 3, 192, 341)).astype(np.uint8)
    with load_encoder(name) as encoder:
        encoder.encode_images(noise)
        seconds = []
        for _ in range(TIMED_BATCHES):
            start = time.perf_counter()
            encoder.encode_images(noise)
            seconds.append(time.perf_counter() - start)
    return {
        "pictures_per_s_median": BATCH / float(np.median(seconds)),
        "pictures_per_s_best": BATCH / min(seconds),
    }


def commands(clip: Path) -> dict[str, list[float]]:
    """Seconds of whole commands in new processes: reading a clip of 139 s, then asking about it."""
    seconds: dict[str, list[float]] = {"ingest": [], "ask": []}
    for _ in range(COMMAND_RUNS):
        with tempfile.TemporaryDirectory() as library:
            where = ("--library", library, "--json")
            channels = ("--no-audio", "--no-ocr", "--encoder", "embedded-v1")
            for command in (
                ("ingest", str(clip), *channels),
                ("ask", "when is a person at the table?"),
            ):
                done, taken_s = harness.run_streammem(*command, *where)
                harness.document(done)
                seconds[command[0]].append(taken_s)
    return seconds


def main() -> None:
    """Everything, into one JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=harness.RESULTS / "embedded.json")
    options = parser.parse_args()
    real = options.shared / "data" / "real"
    streams = json.loads((real / "streams.json").read_text(encoding="utf-8"))
    queries = json.loads(QUERIES.read_text(encoding="utf-8"))
    clips = read_clips(real, streams)
    ways = {
        "embedded-v1": encoder_scoring("embedded-v1", clips),
        "descriptor": encoder_scoring("descriptor", clips),
        "teachers": teacher_scoring(options.shared, options.work, clips),
    }
    results: dict[str, Any] = {
        name: figures(queries, scoring, streams, clips) for name, scoring in ways.items()
    }
    results["chance"] = chance(queries, clips)
    results["speed"] = {name: speed(name) for name in ("embedded-v1", "descriptor")}
    results["commands"] = commands(real / "intel_one_by_one_person.mp4")
    measured = json.loads((options.work / "measured.json").read_text(encoding="utf-8"))
    results["validation"] = {key: measured[key] for key in ("agreement", "coco_map", "coco")}
    for name in ("chance", "descriptor", "embedded-v1", "teachers"):
        row = results[name]
        print(name, {key: round(value, 3) for key, value in row.items() if key != "queries"})
    print(results["speed"], results["commands"], results["validation"]["agreement"])
    harness.write_result(options.out, results)


if __name__ == "__main__":
    main()
