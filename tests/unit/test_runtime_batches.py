"""Batches of frames on their way to the memory: threads only where they can do two things."""

import threading

import numpy as np
import pytest

from streammem.encoders.load import load_encoder
from streammem.runtime.batches import EncodedBatch, EncodingPipeline, encode_padded, form_batches
from streammem.video.reader import ReaderOptions, open_reader

RATE_HZ, BATCH = 2.0, 32


def _encoded(source: str) -> tuple[list[EncodedBatch], int]:
    """The batches of a source, and how many threads it had at most."""
    # Threads of earlier tests may end meanwhile: only those that begin here are counted.
    others, most, batches = set(threading.enumerate()), 0, []
    with open_reader(source, ReaderOptions(RATE_HZ)) as reader:
        pipeline = EncodingPipeline(reader, load_encoder("descriptor"), None, RATE_HZ)
        for batch in pipeline:
            most = max(most, len(set(threading.enumerate()) - others))
            batches.append(batch)
        pipeline.stop()
        pipeline.stop()
    assert not set(threading.enumerate()) - others
    return batches, most


@pytest.mark.parametrize(
    ("seconds", "counts"), [(4, [8]), (15.5, [31]), (16, [32]), (120, [32] * 7 + [16])]
)
def test_threads_are_there_for_streams_of_more_than_a_batch(
    seconds: float, counts: list[int]
) -> None:
    """The batches are those that a plain loop makes, with threads and without."""
    source = f"synthetic:3?duration={seconds}&fps=4&size=64x48"
    batches, threads = _encoded(source)

    assert [len(one.batch.pts_s) for one in batches] == counts
    # At the first of so many batches both threads must still be there: the queues are short.
    assert threads == 2 if len(counts) > 1 else threads <= 2 * (counts[0] == BATCH)
    encoder = load_encoder("descriptor")
    with open_reader(source, ReaderOptions(RATE_HZ)) as reader:
        plain = list(form_batches(reader, None, BATCH, RATE_HZ))
    for one, batch in zip(batches, plain, strict=True):
        assert one.batch.mark == batch.mark
        assert np.array_equal(one.features.embeddings, encode_padded(encoder, batch).embeddings)


def test_an_error_within_the_first_batch_reaches_the_one_who_reads() -> None:
    """As it is, without a thread that could swallow it."""

    class Broken:
        def frames(self, _: object) -> object:
            raise OSError("gone")

    pipeline = EncodingPipeline(Broken(), load_encoder("descriptor"), None, RATE_HZ)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="gone"):
        list(pipeline)
    pipeline.stop()
