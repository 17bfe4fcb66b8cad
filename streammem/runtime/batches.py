"""The overlapping half of the pipeline: frames are decoded and encoded in threads of their own.

Two bounded queues connect reader, encoder and the writing loop; a stream that ends within its first
batch needs neither. Batches align to the absolute index of sampled frames, so that a resumed run
forms the same batches as an undisturbed one.
"""

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Protocol

import numpy as np

from streammem.core.types import Cue, Frame, FrameFeatures, Pixels, ReaderMark, Times
from streammem.encoders.base import Encoder
from streammem.video.reader import FrameReader, SampledFrame

_QUEUE_BATCHES = 2
_POLL_S = 0.2
_PADDED_TO = 8


@dataclass(frozen=True, slots=True)
class Batch:
    """Frames that are encoded together. `pixels` uint8 `[B 3 H W]`; times float64 `[B]`.

    `full` is False for the last batch of a stream that does not fill up; only full batches
    end at a resume point. `cues` are the on-screen texts that went with its frames, `reading` is
    what their reader needs to go on behind it.
    """

    pixels: Pixels
    pts_s: Times
    durations_s: Times
    mark: ReaderMark
    full: bool
    cues: tuple[Cue, ...] = ()
    reading: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """A batch with what the encoder says about it."""

    batch: Batch
    features: FrameFeatures


class ReadsScreens(Protocol):
    """What reads the text in frames as they pass by; see `runtime.reading`."""

    def look(self, frame: Frame) -> list[Cue]:
        """The texts that are known to be gone with a frame."""

    def pause(self) -> tuple[list[Cue], Mapping[str, Any]]:
        """At the end of a batch: texts given up early, and what is needed to go on."""

    def close(self, end_s: float) -> list[Cue]:
        """The texts that stand to the end."""


def form_batches(
    reader: FrameReader,
    resume: ReaderMark | None,
    batch_size: int,
    sample_hz: float,
    screens: ReadsScreens | None = None,
) -> Iterator[Batch]:
    """Sampled frames in batches, each frame with the time it stands for.

    A frame stands for the time up to the next sampled frame, but never for longer than one and
    a half sampling intervals or its own duration, so that a hole in the recording is not
    claimed as seen. The next frame must therefore be known before a batch is complete.
    """
    longest_s = 1.5 / sample_hz
    held: list[SampledFrame] = []
    cues: list[Cue] = []
    for item in reader.frames(resume):
        if len(held) == batch_size:
            batch = _batch(held, item.frame.pts_s, longest_s, full=True)
            yield _with_words(batch, cues, screens)
            held, cues = [], []
        if screens is not None:
            cues += screens.look(item.frame)
        held.append(replace(item, frame=replace(item.frame, detail=None)))
    if held:
        end_s = max(reader.report().last_end_s, held[-1].frame.pts_s + 1e-6)
        if screens is not None:
            cues += screens.close(end_s)
        batch = _batch(held, end_s, longest_s, full=len(held) == batch_size)
        yield replace(batch, cues=tuple(cues))


def _with_words(batch: Batch, cues: list[Cue], screens: ReadsScreens | None) -> Batch:
    if screens is None:
        return batch
    early, state = screens.pause()
    return replace(batch, cues=(*cues, *early), reading=state)


def _batch(held: list[SampledFrame], next_pts_s: float, longest_s: float, *, full: bool) -> Batch:
    pts_s = np.array([item.frame.pts_s for item in held], np.float64)
    own_s = np.array([item.frame.duration_s for item in held], np.float64)
    to_next_s = np.diff(pts_s, append=next_pts_s)
    return Batch(
        pixels=np.stack([item.frame.pixels for item in held]),
        pts_s=pts_s,
        durations_s=np.minimum(to_next_s, np.maximum(own_s, longest_s)),
        mark=held[-1].mark,
        full=full,
    )


def encode_padded(encoder: Encoder, batch: Batch) -> FrameFeatures:
    """Features of a batch; a short one is padded with its last picture to a multiple of eight.

    Only the last batch of a stream is short, and it is never resumed in the middle, so its size
    depends on the stream alone and a resumed run pads it alike.
    """
    count = len(batch.pts_s)
    missing = min(-count % _PADDED_TO, encoder.runtime.batch_size - count)
    if missing <= 0:
        return encoder.encode_images(batch.pixels)
    padding = np.repeat(batch.pixels[-1:], missing, axis=0)
    features = encoder.encode_images(np.concatenate([batch.pixels, padding]))
    tokens = None if features.tokens is None else features.tokens[:count]
    return FrameFeatures(features.embeddings[:count], tokens)


class _Stage(threading.Thread):
    """Runs an iterator in a thread and hands its items, or its exception, to a bounded queue."""

    def __init__(
        self, name: str, items: Callable[[], Iterator[Any]], stop: threading.Event
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._items = items
        self._ended = stop
        self._queue: queue.Queue[tuple[str, Any]] = queue.Queue(_QUEUE_BATCHES)

    def run(self) -> None:
        """Produce until the end, an exception, or a request to stop."""
        try:
            for item in self._items():
                if not self._put(("item", item)):
                    return
        except BaseException as error:  # noqa: BLE001  (handed to the consumer, which raises it)
            self._put(("error", error))
        else:
            self._put(("end", None))

    def _put(self, entry: tuple[str, Any]) -> bool:
        while not self._ended.is_set():
            try:
                self._queue.put(entry, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False

    def __iter__(self) -> Iterator[Any]:
        while not self._ended.is_set():
            try:
                kind, value = self._queue.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            if kind == "item":
                yield value
            elif kind == "error":
                raise value
            else:
                return


class EncodingPipeline:
    """Decodes and encodes ahead of the consumer; iterate it once, then call `stop`.

    Owned by one thread. `begin`, on request, reads the first batch ahead of all this. `stop` ends
    both threads within a fraction of a second after the batch they are working on and is safe to
    call twice.
    """

    def __init__(
        self,
        reader: FrameReader,
        encoder: Encoder,
        resume: ReaderMark | None,
        sample_hz: float,
        screens: ReadsScreens | None = None,
    ) -> None:
        self._stop = threading.Event()
        self._encoder = encoder
        batch_size = encoder.runtime.batch_size
        self._batches = form_batches(reader, resume, batch_size, sample_hz, screens)
        self._stages: list[_Stage] = []

    def begin(self) -> None:
        """Read the first batch, so that a source without a usable frame raises here."""
        first = next(self._batches, None)
        if first is not None:
            self._batches = chain((first,), self._batches)

    def __iter__(self) -> Iterator[EncodedBatch]:
        first = next(self._batches, None)
        if first is None:
            return
        if not first.full:
            # The stream is over: there is nothing that threads could do at the same time.
            yield self._encoded(first)
            return
        decoding = _Stage("decode", lambda: chain((first,), self._batches), self._stop)
        encoding = _Stage("encode", lambda: map(self._encoded, decoding), self._stop)
        self._stages = [decoding, encoding]
        for stage in self._stages:
            stage.start()
        yield from encoding

    def _encoded(self, batch: Batch) -> EncodedBatch:
        return EncodedBatch(batch, encode_padded(self._encoder, batch))

    def stop(self) -> None:
        """End both threads and wait for them."""
        self._stop.set()
        for stage in self._stages:
            if stage.is_alive():
                stage.join()
