"""What the index of a library keeps of one opened memory."""

import numpy as np

from streammem.core.types import Floats
from streammem.query.calibrate import MAX_PHRASES, MIN_STD
from streammem.query.coding import code_variance
from streammem.query.memories import QueryMemory
from streammem.runtime.asking import OpenMemory
from streammem.storage.event_keys import EventKeys, quantised
from streammem.text.words import words_in

# Texts that tell how far exact scores lie above those of rows.
_PROBES = 16
# The best of a few probes is not the worst that can come.
_EXCESS_FACTOR, _EXCESS_MORE = 1.5, 0.002


def event_keys_of(memory: OpenMemory) -> EventKeys:
    """The entry of an opened memory."""
    query, snapshot = memory.query, memory.query.snapshot
    rows, first_row = _rows(query)
    offsets = np.zeros(len(rows), np.float32)
    background = query.encoder.background()
    scaled = background is not None and background.kind == "text" and len(background.vectors) > 0
    probes = _probes(query)
    if scaled and background is not None:
        means, stds = _statistics(query, background.vectors)
        of_rows = np.repeat(np.arange(len(first_row)), np.diff(first_row, append=len(rows)))
        rows = rows / stds[of_rows, None]
        offsets = (-means / stds)[of_rows].astype(np.float32)
    codes, scales = quantised(rows)
    blur = code_variance(query).astype(np.float32)
    excess = _excess(query, probes, codes * scales[:, None], first_row) if not scaled else 0.0
    cues = [] if query.cues is None else list(query.cues.rows.values())
    counts: dict[str, int] = {}
    for row in cues:
        counts[row.cue.channel.value] = counts.get(row.cue.channel.value, 0) + 1
    vectors = [row.vector for row in cues if row.vector]
    width = len(vectors[0]) if vectors else 0
    packed = b"".join(vector for vector in vectors if len(vector) == width)
    return EventKeys(
        meta=memory.meta,
        start_s=query.start_s,
        end_s=query.end_s,
        interval_s=query.interval_s,
        gaps=query.gaps,
        excess=excess,
        scaled=scaled,
        span_start_s=snapshot.span_start_s,
        span_end_s=snapshot.span_end_s,
        first_row=first_row,
        codes=codes,
        scales=scales,
        offsets=offsets,
        blur=blur if blur.any() else np.zeros(0, np.float32),
        cue_counts=counts,
        words=tuple(sorted({word for row in cues for word in words_in(row.cue.text)})),
        meanings=np.frombuffer(packed, np.uint8).reshape(-1, width)
        if width
        else np.zeros((0, 0), np.uint8),
    )


def _rows(memory: QueryMemory) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.int32]]]:
    """Rows by span: the key of its cell, and the tokens where it is the exemplar's."""
    snapshot = memory.snapshot
    spans = len(snapshot.span_cell)
    parts, owners = [snapshot.keys[memory.span_rows]], [np.arange(spans)]
    if snapshot.token_cell.size:
        by_id = {int(cell): row for row, cell in enumerate(snapshot.ids)}
        of_row = _exemplar_spans(memory)
        parts.append(snapshot.tokens)
        owners.append(of_row[[by_id[int(cell)] for cell in snapshot.token_cell]])
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    first_row = np.searchsorted(owner[order], np.arange(spans)).astype(np.int32)
    rows: Floats = np.concatenate(parts)[order]
    return rows, first_row


def _exemplar_spans(memory: QueryMemory) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """For each cell the span that holds its exemplar, else its first one, `[N]`."""
    snapshot, rows = memory.snapshot, memory.span_rows
    exemplar_s = snapshot.exemplar_s[rows]
    outside = (exemplar_s < snapshot.span_start_s) | (exemplar_s >= snapshot.span_end_s)
    order = np.lexsort((snapshot.span_start_s, outside, rows))
    firsts = np.flatnonzero(np.diff(rows[order], prepend=-1))
    return order[firsts].astype(np.int64)


def _statistics(memory: QueryMemory, vectors: Floats) -> tuple[Floats, Floats]:
    """What generic phrases score on each span: the zero of a memory with such a background."""
    step = max(1, len(vectors) // MAX_PHRASES)
    scores = np.stack([memory.snapshot.span_scores(vector) for vector in vectors[::step]])
    means = scores.mean(axis=0, dtype=np.float64).astype(np.float32)
    return means, np.maximum(MIN_STD, scores.std(axis=0, dtype=np.float64)).astype(np.float32)


def _probes(memory: QueryMemory) -> Floats:
    """Vectors of texts, evenly spaced over what the encoder can name."""
    vectors = memory.encoder.labels().vectors
    if not len(vectors):
        background = memory.encoder.background()
        vectors = background.vectors if background is not None else memory.snapshot.keys
    return vectors[:: max(1, len(vectors) // _PROBES)][:_PROBES]


def _excess(
    memory: QueryMemory,
    probes: Floats,
    rows: Floats,
    first_row: np.ndarray[tuple[int], np.dtype[np.int32]],
) -> float:
    """How far the best exact score of a memory may lie above the best product of its rows."""
    if not len(rows):
        return 0.0
    found = 0.0
    for probe in probes:
        exact = float(memory.snapshot.span_scores(probe).max())
        unit = probe / max(float(np.linalg.norm(probe)), 1e-12)
        found = max(found, exact - float(np.maximum.reduceat(rows @ unit, first_row).max()))
    return _EXCESS_FACTOR * found + _EXCESS_MORE
