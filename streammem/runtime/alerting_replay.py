"""`replay`: alerts over what is stored or lies in a file, so that thresholds are tried beforehand.

A file is read frame by frame, as a live stream would be. A memory holds visits and no frames: its
cells are played in the order of their visits, every visit as the frames it stands for.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from streammem.core.alerts import (
    BY_FRAMES,
    Alert,
    AlertOptions,
    AlertRule,
    ReplayResult,
)
from streammem.core.config import AnswerConfig
from streammem.core.errors import Interrupted, UsageError
from streammem.core.results import IngestRequest
from streammem.core.timebase import format_time
from streammem.core.types import Pixels, Times
from streammem.encoders.load import choose_encoder, load_encoder
from streammem.query.alerts_gate import cell_strengths
from streammem.query.memories import QueryMemory, Rows
from streammem.runtime.alerting import Alerting, AlertSetup, read_references
from streammem.runtime.alerting_confirm import Confirmer
from streammem.runtime.answering import load_answerer
from streammem.runtime.batches import EncodingPipeline
from streammem.video.identity import redact
from streammem.video.reader import ReaderOptions, open_reader

if TYPE_CHECKING:
    from streammem.runtime.asking import OpenMemory

FRAMES, CELLS = "frames", "cells"
CELLS_NOTE = (
    "a memory holds visits, not frames: short or weak moments that its budget merged cannot alert; "
    "replay the file for the alerts of a live stream"
)
# A visit is played with all its frames so long, then with one in every `_SPARSE_S`.
_DENSE_FRAMES = 16
_SPARSE_S = 5.0
_TICKS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """How a file is read, who confirms, and who hears of it."""

    request: IngestRequest
    answer: AnswerConfig
    options: AlertOptions


def replay_file(source: str, rules: Sequence[AlertRule], settings: ReplaySettings) -> ReplayResult:
    """Play the alerts over every sampled frame of a source that can be read.

    Raises:
        SourceError: it cannot be read.
        UsageError, MissingError: a rule, an answerer or the encoder cannot be used.
    """
    request = settings.request
    choice = choose_encoder(request.encoder, request.auto_encoders, request.weights)
    encoder = load_encoder(choice, device=request.device)
    setup = AlertSetup.prepare(rules, encoder)
    start_s, end_s = settings.options.between_s or (None, None)
    options = ReaderOptions(
        sample_hz=request.fps,
        start_s=start_s,
        end_s=end_s,
        short_side_px=encoder.spec.image_size_px,
    )
    with open_reader(source, options, reader=request.reader) as reader:
        play = _Play(setup, 1.0 / request.fps, settings)
        pipeline = EncodingPipeline(reader, encoder, None, request.fps)
        with closing(play):
            try:
                for encoded in pipeline:
                    batch = encoded.batch
                    play.alerting.observe(batch.pts_s, encoded.features.embeddings, batch.pixels)
                    play.passed(batch.pts_s, float(batch.pts_s[-1] + batch.durations_s[-1]))
            finally:
                pipeline.stop()
            play.alerting.finish()
        notes = reader.report().notes
    return play.result(redact(source), None, FRAMES, notes)


def replay_memory(
    memory: "OpenMemory", rules: Sequence[AlertRule], settings: ReplaySettings
) -> ReplayResult:
    """Play the alerts over the visits that a memory holds.

    Raises:
        UsageError, MissingError: a rule or an answerer cannot be used.
    """
    from streammem.runtime.pictures import picture_at as stored_picture_at

    query = memory.query
    if not len(query.snapshot.ids):
        raise UsageError(
            f"{query.memory_id!r} holds no pictures",
            hint="alerts look at pictures; ask it for what is said",
            code="no_pictures",
        )
    setup = AlertSetup.prepare(rules, query.encoder)
    spans = np.stack([cell_strengths(query, target) for target in setup.targets], axis=1)
    play = _Play(setup, query.interval_s, settings)

    def picture_at(time_s: float) -> Pixels | None:
        stored = stored_picture_at(memory, time_s)
        return None if stored is None else _decoded(stored)

    with closing(play):
        for times, rows in _in_batches(_ticks(query, settings.options.between_s)):
            play.alerting.take(times, spans[rows], picture_at)
            play.passed(times, float(times[-1]) + query.interval_s)
        play.alerting.finish()
    notes = [CELLS_NOTE]
    notes += [
        f"not seen from {format_time(gap.start_s)} to {format_time(gap.end_s)}: {gap.reason}"
        for gap in query.gaps
    ]
    return play.result(query.source, query.memory_id, CELLS, notes)


class _Play:
    """One replay under way: the alerts so far, how much was looked at, and who is to be closed."""

    def __init__(self, setup: AlertSetup, interval_s: float, settings: ReplaySettings) -> None:
        self._encoder = setup.encoder
        self._settings = settings
        self._alerts: list[Alert] = []
        self._looked_at = 0
        self._start_s: float | None = None
        self._end_s = 0.0
        self.alerting = Alerting(
            setup,
            self._take,
            interval_s=interval_s,
            confirmers=load_confirmers(setup, settings.answer, settings.request.device),
            thumbnails=settings.options.thumbnails,
            wait_for_verdicts=True,
        )

    def _take(self, alert: Alert) -> None:
        self._alerts.append(alert)
        self._settings.options.on_alert(alert)

    def passed(self, pts_s: Times, end_s: float) -> None:
        """Note how far the replay has come; stops it where that is wished."""
        self._looked_at += len(pts_s)
        self._start_s = float(pts_s[0]) if self._start_s is None else self._start_s
        self._end_s = end_s
        if self._settings.options.should_stop():
            raise Interrupted(f"stopped at {format_time(end_s)}; a replay stores nothing")

    def close(self) -> None:
        """Let go of the answerers."""
        self.alerting.close()

    def result(
        self, source: str, memory_id: str | None, material: str, notes: Sequence[str]
    ) -> ReplayResult:
        """What came of it."""
        return ReplayResult(
            source=source,
            memory_id=memory_id,
            material=material,
            encoder=self._encoder.spec.id,
            start_s=self._start_s or 0.0,
            end_s=self._end_s,
            looked_at=self._looked_at,
            alerts=tuple(self._alerts),
            rules=self.alerting.reports(),
            notes=tuple(dict.fromkeys(notes)),
        )


def load_confirmers(setup: AlertSetup, config: AnswerConfig, device: str) -> dict[str, Confirmer]:
    """Who is asked about the alerts of each rule that wants an answerer.

    Raises:
        UsageError, MissingError: an answerer cannot be used.
    """
    confirmers = {}
    for rule, reference in read_references(setup):
        if rule.confirm != BY_FRAMES:
            limited = config.model_copy(update={"timeout_seconds": rule.confirm_timeout_s})
            answerer = load_answerer(rule.confirm, limited, device)
            confirmers[rule.name] = Confirmer(answerer, rule, reference)
    return confirmers


def _ticks(
    memory: QueryMemory, between_s: tuple[float, float] | None
) -> Iterator[tuple[float, int]]:
    """(time, span) of the frames that visits stand for, in order of time.

    Where visits overlap (frames of the sensory ring are copies) the one that began last counts.
    """
    snapshot = memory.snapshot
    low_s, high_s = between_s or (-np.inf, np.inf)
    order = np.lexsort((snapshot.span_cell, snapshot.span_end_s, snapshot.span_start_s))
    starts = snapshot.span_start_s[order]
    for place, span in enumerate(order.tolist()):
        start_s, end_s = float(starts[place]), float(snapshot.span_end_s[span])
        next_s = float(starts[place + 1]) if place + 1 < len(order) else np.inf
        time_s, number = start_s, 0
        while number == 0 or time_s < min(end_s, next_s):
            if low_s <= time_s < high_s:
                yield time_s, span
            number += 1
            step_s = memory.interval_s
            time_s += step_s if number < _DENSE_FRAMES else max(step_s, _SPARSE_S)


def _in_batches(
    ticks: Iterator[tuple[float, int]],
) -> Iterator[tuple[Times, Rows]]:
    held: list[tuple[float, int]] = []
    for tick in ticks:
        held.append(tick)
        if len(held) == _TICKS_AT_ONCE:
            yield _batch(held)
            held = []
    if held:
        yield _batch(held)


def _batch(
    held: Sequence[tuple[float, int]],
) -> tuple[Times, Rows]:
    times = np.array([time_s for time_s, _ in held], np.float64)
    return times, np.array([span for _, span in held], np.int64)


def _decoded(webp: bytes) -> Pixels:
    with Image.open(io.BytesIO(webp)) as image:
        return np.ascontiguousarray(np.asarray(image.convert("RGB")).transpose(2, 0, 1))
