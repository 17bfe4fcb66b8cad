"""Reads stretches of a memory's source again, as the memory was made, if it is still the same."""

import math
from collections.abc import Sequence

import numpy as np

from streammem.core.errors import SourceError
from streammem.core.types import Floats, Pixels
from streammem.encoders.base import Encoder
from streammem.memory.forgetting import Span, Stretch
from streammem.storage.records import MemoryMeta
from streammem.video.discover import SourceKind, kind_of
from streammem.video.identity import fingerprint
from streammem.video.reader import ReaderOptions, open_reader, with_settings


def read_again(
    meta: MemoryMeta, first_s: float, encoder: Encoder, spans: Sequence[Span]
) -> dict[Span, Stretch]:
    """The frames of some spans of the stream, sampled and encoded as those of the memory.

    A frame belongs to a span where all of it does, as far as its duration is known. `first_s` is
    the first frame of the memory, from which on it was sampled.

    Raises:
        SourceError: the source is not there any more, is another one now, or cannot be read.
    """
    source = meta.source_path
    if source is None or kind_of(source) is SourceKind.URL:
        raise SourceError("it is not known where the source is", code="source_unknown")
    if fingerprint(source) != meta.fingerprint:
        raise SourceError(f"{meta.source} is not what it was any more", code="source_changed")
    found = {}
    for span in dict.fromkeys(spans):
        steps = max(0, math.floor((span[0] - first_s) * meta.fps + 1e-6))
        found[span] = _read(source, meta, encoder, span, first_s + steps / meta.fps)
    return found


def _read(source: str, meta: MemoryMeta, encoder: Encoder, span: Span, from_s: float) -> Stretch:
    options = ReaderOptions(
        sample_hz=meta.fps,
        start_s=from_s,
        end_s=span[1],
        short_side_px=encoder.spec.image_size_px,
    )
    times_s: list[float] = []
    pixels: list[Pixels] = []
    with open_reader(source, with_settings(options, meta.reader)) as reader:
        for sampled in reader.frames():
            frame = sampled.frame
            if span[0] <= frame.pts_s and frame.pts_s + frame.duration_s <= span[1] + 1e-6:
                times_s.append(frame.pts_s)
                pixels.append(np.ascontiguousarray(frame.pixels))
    pts_s = np.array(times_s, np.float64)
    if not pixels:
        return Stretch(span, np.zeros((0, encoder.spec.dim), np.float32), pts_s)
    embeddings: list[Floats] = []
    tokens: list[Floats] = []
    size = max(1, encoder.runtime.batch_size)
    for first in range(0, len(pixels), size):
        features = encoder.encode_images(np.stack(pixels[first : first + size]))
        embeddings.append(features.embeddings)
        if features.tokens is not None:
            tokens.append(features.tokens)
    return Stretch(
        span, np.concatenate(embeddings), pts_s, np.concatenate(tokens) if tokens else None
    )
