"""A second look: winning spans are decoded again at a higher rate, to tighten their times."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streammem.core.errors import StreamMemError
from streammem.core.types import Evidence, Floats, FrameFeatures
from streammem.encoders.base import Encoder
from streammem.query.calibrate import read_phrase
from streammem.video.reader import FrameReader, ReaderOptions, open_reader

# How far a border may move: a memory is wrong by a sampling interval or by the end of an event.
REACH_S = 2.0
# How much of either side of a border is compared.
SIDE_S = 0.75
# Which part of the contrast in what was decoded has to lie between both sides.
MIN_STEP = 0.5


@dataclass(frozen=True, slots=True)
class SecondLook:
    """How densely and how much is decoded again.

    A span is looked at with `pad_s` before and after it, since a boundary may lie up to a
    sampling interval or an event outside; `max_total_s` bounds all spans of a question together.
    """

    sample_hz: float = 8.0
    pad_s: float = 4.0
    max_span_s: float = 60.0
    max_total_s: float = 120.0


@dataclass(frozen=True, slots=True)
class _Seen:
    """Frames of a stretch: times, ends `[F]` and scores `[F]` for the phrase."""

    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    scores: NDArray[np.float64]


def refine_evidence(
    evidence: Sequence[Evidence],
    phrase: str,
    encoder: Encoder,
    source_path: str | None,
    options: SecondLook | None = None,
) -> tuple[tuple[Evidence, ...], tuple[str, ...]]:
    """Evidence of one memory with tighter times, and notes on what could not be looked at.

    Evidence stays as it is where the source is gone or unreadable, where the phrase means nothing
    to the encoder, and beyond `max_total_s`.

    Args:
        evidence: Pieces of one source, best first.
        phrase: What they were found for.
        encoder: The encoder of their memory.
        source_path: Where the source is now, None where that is not known.
        options: Rate and limits, the usual ones if None.
    """
    options = options or SecondLook()
    if not evidence or not phrase:
        return tuple(evidence), ()
    if source_path is None:
        return tuple(evidence), ("no second look: it is not known where the source is",)
    query = read_phrase(encoder, phrase)
    if query.known_share <= 0:
        return tuple(evidence), ()
    refined: list[Evidence] = []
    left_s = options.max_total_s
    notes: list[str] = []
    for index, item in enumerate(evidence):
        wanted_s = item.end_s - item.start_s + 2 * options.pad_s
        if wanted_s > min(left_s, options.max_span_s + 2 * options.pad_s):
            refined.append(item)
            continue
        left_s -= wanted_s
        try:
            seen = _look(item, query.vector, encoder, source_path, options)
        except StreamMemError as error:
            notes.append(f"no second look at {item.source}: {error.message}")
            return (*refined, *evidence[index:]), tuple(notes)
        refined.append(_tightened(item, seen))
    return tuple(refined), tuple(notes)


def _look(
    item: Evidence, query: Floats, encoder: Encoder, source_path: str, options: SecondLook
) -> _Seen:
    reading = ReaderOptions(
        sample_hz=options.sample_hz,
        start_s=max(0.0, item.start_s - options.pad_s),
        end_s=item.end_s + options.pad_s,
        short_side_px=encoder.spec.image_size_px,
    )
    with open_reader(source_path, reading) as reader:
        return _encoded(reader, query, encoder)


def _encoded(reader: FrameReader, query: Floats, encoder: Encoder) -> _Seen:
    batch_size = max(1, encoder.runtime.batch_size)
    times: list[float] = []
    scores: list[NDArray[np.float64]] = []
    pictures: list[NDArray[np.uint8]] = []
    last_end_s = 0.0
    for sampled in reader.frames():
        frame = sampled.frame
        times.append(frame.pts_s)
        last_end_s = frame.pts_s + frame.duration_s
        pictures.append(np.ascontiguousarray(frame.pixels))
        if len(pictures) == batch_size:
            scores.append(_scores(encoder.encode_images(np.stack(pictures)), query))
            pictures = []
    if pictures:
        scores.append(_scores(encoder.encode_images(np.stack(pictures)), query))
    starts = np.array(times)
    ends = np.append(starts[1:], max(last_end_s, starts[-1] if len(starts) else 0.0))
    return _Seen(starts, ends, np.concatenate(scores) if scores else np.zeros(0))


def _scores(features: FrameFeatures, query: Floats) -> NDArray[np.float64]:
    """The score of each frame as memory scores cells: key or best token."""
    scores = features.embeddings @ query
    if features.tokens is not None and features.tokens.shape[1]:
        scores = np.maximum(scores, (features.tokens @ query).max(axis=1))
    return np.asarray(scores, np.float64)


def _tightened(item: Evidence, seen: _Seen) -> Evidence:
    """Each border where the scores rise or fall most near it; as it was where they hardly do."""
    inside = (seen.start_s < item.end_s) & (seen.end_s > item.start_s)
    if not inside.any():
        return item
    best = int(np.argmax(np.where(inside, seen.scores, -np.inf)))
    contrast = float(seen.scores[best] - seen.scores.min())
    if contrast <= 1e-6:
        return item
    start_s = _border(seen, item.start_s, MIN_STEP * contrast, rises=True)
    end_s = _border(seen, item.end_s, MIN_STEP * contrast, rises=False)
    if end_s <= start_s:
        return item
    time_s = min(max(float(seen.start_s[best]), start_s), float(np.nextafter(end_s, -np.inf)))
    return replace(item, start_s=start_s, end_s=end_s, time_s=time_s)


def _border(seen: _Seen, old_s: float, least: float, *, rises: bool) -> float:
    """The time near an old border at which the scores of both sides differ most.

    Compared are the means of `SIDE_S` before and after: one blurred frame is no border.
    """
    frame_s = float(np.median(seen.end_s - seen.start_s))
    width = max(1, round(SIDE_S / frame_s)) if frame_s > 0 else 1
    sums = np.concatenate([[0.0], np.cumsum(seen.scores)])
    places = np.flatnonzero(np.abs(seen.start_s - old_s) <= REACH_S + frame_s * 1e-3)
    places = places[(places > 0) & (places < len(seen.scores))]
    if not len(places):
        return old_s
    first = np.maximum(places - width, 0)
    last = np.minimum(places + width, len(seen.scores))
    before = (sums[places] - sums[first]) / (places - first)
    after = (sums[last] - sums[places]) / (last - places)
    steps = after - before if rises else before - after
    if float(steps.max()) < least:
        return old_s
    # Of equal steps the one nearest to where the border was.
    far = np.abs(seen.start_s[places] - old_s)
    chosen = int(np.lexsort((far, -np.round(steps, 9)))[0])
    return float(seen.start_s[places[chosen]])
