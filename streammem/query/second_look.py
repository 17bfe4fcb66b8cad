"""A second look: winning spans are decoded again at a higher rate, to tighten their times."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streammem.core.errors import StreamMemError
from streammem.core.types import Evidence, Floats, FrameFeatures
from streammem.encoders.base import Encoder
from streammem.query.calibrate import read_phrase
from streammem.query.moments import RELATIVE_CUT
from streammem.video.reader import FrameReader, ReaderOptions, open_reader

# Frames under the cut for no longer than this do not end a span: one blurred frame is no cut.
_HOLE_S = 0.5


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
    """The run of good frames around the best one that the span knows."""
    inside = (seen.start_s < item.end_s) & (seen.end_s > item.start_s)
    if not inside.any():
        return item
    best = int(np.argmax(np.where(inside, seen.scores, -np.inf)))
    low, high = float(seen.scores.min()), float(seen.scores[best])
    if high - low <= 1e-6:
        return item
    good = np.flatnonzero(seen.scores >= high - RELATIVE_CUT * (high - low))
    first, last = _run_around(best, good, seen)
    start_s, end_s = float(seen.start_s[first]), float(seen.end_s[last])
    # Where the good run reaches the border of what was decoded, the old border is as good.
    if first == 0:
        start_s = max(start_s, item.start_s)
    if last == len(seen.scores) - 1:
        end_s = min(end_s, item.end_s)
    if end_s <= start_s:
        return item
    return replace(item, start_s=start_s, end_s=end_s, time_s=float(seen.start_s[best]))


def _run_around(best: int, good: NDArray[np.int64], seen: _Seen) -> tuple[int, int]:
    """First and last frame of the good frames around the best one, short holes included."""
    holes_s = seen.start_s[good[1:]] - seen.end_s[good[:-1]]
    run = np.cumsum(np.r_[0, holes_s > _HOLE_S])
    mine = good[run == run[int(np.searchsorted(good, best))]]
    return int(mine[0]), int(mine[-1])
