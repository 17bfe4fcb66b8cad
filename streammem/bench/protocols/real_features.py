"""The same questions on real features: joined clips, and narrated timelines as streams.

Clips: every second frame of four a second is written, the others are the questions, so nothing
is asked with a vector that was stored. Needles are two frames of clips that the stream does not
hold. Timelines: one vector per narrated action; asked is the verb and noun it was annotated
with, which is right for every action so annotated.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from streammem.bench.protocols.base import Column, Protocol
from streammem.bench.protocols.planted_streams import CELLS, FEW_CELLS, MEASURES
from streammem.bench.questions import Question, Span, ask_all
from streammem.bench.request import BenchRequest, cell_bytes
from streammem.bench.stores import open_field
from streammem.bench.trials import Case, Row, Trial
from streammem.bench.vectors import (
    ClipVectors,
    cache_folder,
    encode_clips,
    encode_texts,
    load_clip,
    load_texts,
)
from streammem.core.errors import SourceError
from streammem.core.types import Floats, Times

NEEDLES = 10
FRAME_S = 0.5
TIMELINE_CELLS = (FEW_CELLS, CELLS)
# Local places; no part of a result.
PLACES = "_places"


@dataclass(frozen=True, slots=True)
class RealStream:
    """Frames `[B D]` with times and durations, and what to ask."""

    frames: Floats
    pts_s: Times
    durations_s: Times
    questions: list[Question]


def clips_lacking(request: BenchRequest) -> str | None:
    """What `clips` needs that the request lacks."""
    return None if request.clips else "--clips FILE, the streams.json of joined real clips"


def clip_cases(request: BenchRequest) -> list[Case]:
    """Every joined stream at the bytes of 16 and 64 cells; encodes what the cache lacks."""
    if request.clips is None:
        return []
    streams = _read_json(request.clips)
    folder = request.clips.parent
    names = sorted({clip["file"] for stream in streams for clip in stream["clips"]})
    encoder, places = encode_clips(
        [folder / name for name in names], request.encoder, request.weights,
        cache_folder(request.cache),
    )  # fmt: skip
    by_name = {name: str(places[str(folder / name)]) for name in names}
    dim = load_clip(Path(by_name[names[0]])).embeddings.shape[1]
    found = []
    for stream in streams:
        facts = {
            "encoder": encoder,
            "dim": dim,
            "clips": [clip["file"] for clip in stream["clips"]],
            PLACES: by_name,
        }
        frames = round(stream["duration_s"] / FRAME_S)
        found += _at_budgets("clips", stream["name"], facts, frames, request)
    return found


def _at_budgets(
    protocol: str, name: str, facts: dict[str, Any], frames: int, request: BenchRequest
) -> list[Case]:
    default = [cells * cell_bytes(facts["dim"]) for cells in TIMELINE_CELLS]
    return [
        Case(protocol, name, budget_bytes, facts, frames)
        for budget_bytes in request.budgets_bytes or default
    ]


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} cannot be read: {error}") from error


def join_clips(facts: dict[str, Any], seed: int) -> RealStream:
    """The stream of a case with needles where the seed puts them."""
    rng = np.random.default_rng(seed)
    places = {name: load_clip(Path(place)) for name, place in facts[PLACES].items()}
    strangers = sorted(set(places) - set(facts["clips"]))
    chosen = rng.permutation(len(strangers))[:NEEDLES].tolist()
    needles = {
        int(at): places[strangers[clip]]
        for at, clip in zip(rng.permutation(len(facts["clips"])), chosen, strict=False)
    }
    builder = _Joined(rng)
    for number, name in enumerate(facts["clips"]):
        builder.add_clip(name, places[name], needles.get(number))
    return builder.stream()


class _Joined:
    """Puts clips end to end, half a second a frame, and collects the questions."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._rows: list[Floats] = []
        self._queries: dict[str, Floats] = {}
        self._spans: dict[str, list[Span]] = {}
        self._needles: list[Question] = []

    def add_clip(self, name: str, clip: ClipVectors, needle: ClipVectors | None) -> None:
        """One visit: the even frames; a held-out one is asked; a needle may interrupt it."""
        kept, held = clip.embeddings[::2], clip.embeddings[1::2]
        first = len(self._rows)
        self._rows += list(kept)
        if needle is not None and len(kept) > 2 and len(needle.embeddings) > 4:
            self._plant(needle, first + int(self._rng.integers(0, len(kept) - 1)))
        if name not in self._queries and len(held):
            self._queries[name] = held[int(self._rng.integers(len(held)))]
        self._spans.setdefault(name, []).append((first * FRAME_S, len(self._rows) * FRAME_S))

    def _plant(self, needle: ClipVectors, at: int) -> None:
        """Two neighbouring frames replace two; the held-out one between them is asked."""
        start = 2 * int(self._rng.integers(0, (len(needle.embeddings) - 3) // 2 + 1))
        self._rows[at : at + 2] = [needle.embeddings[start], needle.embeddings[start + 2]]
        span = (at * FRAME_S, (at + 2) * FRAME_S)
        self._needles.append(Question("needle", needle.embeddings[start + 1], (span,)))

    def stream(self) -> RealStream:
        """All of it."""
        frames = np.stack(self._rows)
        events = [
            Question("event", query, tuple(self._spans[name]))
            for name, query in self._queries.items()
        ]
        durations_s = np.full(len(frames), FRAME_S)
        pts_s = np.arange(len(frames), dtype=np.float64) * FRAME_S
        return RealStream(frames, pts_s, durations_s, self._needles + events)


def timelines_lacking(request: BenchRequest) -> str | None:
    """What `timelines` needs that the request lacks."""
    return None if request.timelines else "--timelines DIR, a folder of narrated timelines"


def timeline_cases(request: BenchRequest) -> list[Case]:
    """All timelines end to end, in an order drawn by the seed, at the bytes of 16 and 64 cells.

    Once with one frame an action, once with its vector held for as long as it lasts.
    """
    if request.timelines is None:
        return []
    files = sorted(request.timelines.glob("*.jsonl"))
    if not files:
        raise SourceError(f"there is no *.jsonl in {request.timelines}")
    actions = [action for file in files for action in read_timeline(file)]
    texts = [text for action in actions for text in (action["what"], asked_text(action))]
    made_by, place = encode_texts(texts, cache_folder(request.cache))
    dim = int(next(iter(load_texts(place).values())).shape[0])
    name = f"{len(files)} narrated timelines, {len(actions)} actions, {made_by}"
    found = []
    for held in (False, True):
        facts = {
            "features": made_by,
            "dim": dim,
            "held": held,
            "timelines": [file.name for file in files],
            PLACES: {"texts": str(place), "folder": str(request.timelines)},
        }
        rate = "two frames a second" if held else "one frame an action"
        frames = sum(len(frame_times(action, held=held)) for action in actions)
        found += _at_budgets("timelines", f"{name}, {rate}", facts, frames, request)
    return found


def read_timeline(path: Path) -> list[dict[str, Any]]:
    """The actions of one timeline by their beginning.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        actions = [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} cannot be read: {error}") from error
    return sorted(actions, key=lambda action: float(action["start_s"]))


def asked_text(action: dict[str, Any]) -> str:
    """Verb and noun of an action as words: `put-into`, `skin:banana` is `put into banana skin`."""
    noun = " ".join(reversed(str(action["noun"]).split(":")))
    return f"{action['verb']} {noun}".replace("-", " ")


def join_timelines(facts: dict[str, Any], seed: int) -> RealStream:
    """The stream of a case: the timelines in the seed's order, one frame an action."""
    vectors = load_texts(Path(facts[PLACES]["texts"]))
    order = np.random.default_rng(seed).permutation(len(facts["timelines"])).tolist()
    rows: list[Floats] = []
    times: list[Span] = []
    spans: dict[str, list[Span]] = {}
    origin_s = 0.0
    for number in order:
        actions = read_timeline(Path(facts[PLACES]["folder"]) / facts["timelines"][number])
        for action in actions:
            span = (origin_s + action["start_s"], origin_s + action["end_s"])
            spans.setdefault(asked_text(action), []).append(span)
            for start_s, end_s in frame_times(action, held=facts["held"]):
                rows.append(vectors[action["what"]])
                times.append((origin_s + start_s, origin_s + end_s))
        origin_s = max(end_s for _, end_s in times) + 1.0
    # Actions overlap, a stream has one picture at a time: by their times the frames interleave.
    order = sorted(range(len(times)), key=lambda frame: times[frame][0])
    starts_s = np.array([times[frame][0] for frame in order])
    ends_s = np.array([times[frame][1] for frame in order])
    questions = [Question("event", vectors[text], tuple(at)) for text, at in spans.items()]
    frames = np.stack([rows[frame] for frame in order])
    return RealStream(frames, starts_s, np.maximum(ends_s - starts_s, 0.1), questions)


def frame_times(action: dict[str, Any], *, held: bool) -> list[Span]:
    """(start, end) of the frames that show an action: one, or one each half a second."""
    start_s, end_s = float(action["start_s"]), float(action["end_s"])
    if not held:
        return [(start_s, end_s)]
    count = max(1, round((end_s - start_s) / FRAME_S))
    return [(start_s + i * FRAME_S, start_s + (i + 1) * FRAME_S) for i in range(count)]


def measure_clips(trial: Trial) -> Iterator[Row]:
    """Write the joined clips, ask with held-out frames."""
    yield from _measure(trial, join_clips(dict(trial.case.facts), trial.seed))


def measure_timelines(trial: Trial) -> Iterator[Row]:
    """Write the narrated actions, ask with their classes."""
    yield from _measure(trial, join_timelines(dict(trial.case.facts), trial.seed))


def _measure(trial: Trial, stream: RealStream) -> Iterator[Row]:
    field = open_field(trial, stream.frames.shape[1])
    yield from field.refused
    for policy, store in field.stores.items():
        store.write(stream.frames, stream.pts_s, durations_s=stream.durations_s)
        metrics = ask_all(store.snapshot(), stream.questions, FRAME_S)
        yield field.row(policy, {**metrics, **field.size_metrics(policy)})


CLIPS = Protocol(
    name="clips",
    title="real clips joined: moments of other clips, and visits to each clip",
    cases=clip_cases,
    measure=measure_clips,
    columns=MEASURES,
    lacking=clips_lacking,
)
TIMELINES = Protocol(
    name="timelines",
    title="narrated kitchen actions, asked by verb and noun",
    cases=timeline_cases,
    measure=measure_timelines,
    columns=(
        Column("event_r1", "action R@1"),
        Column("event_r5", "action R@5"),
        Column("event_iou50", "action IoU>=.5"),
    ),
    lacking=timelines_lacking,
)
