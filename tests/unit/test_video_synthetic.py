"""The computed streams and the truth about them."""

import itertools
import time

import numpy as np
import pytest

from streammem.core.errors import UsageError
from streammem.video._synthetic import (
    COLOURS,
    SyntheticReader,
    parse_synthetic,
    synthetic_truth,
)
from streammem.video.reader import ReaderOptions


def test_parse_synthetic_reads_every_parameter():
    """Seed, length, rate, size, discs and places come from the text."""
    spec = parse_synthetic("synthetic:7?duration=120&fps=5&size=64x48&events=3&places=4")
    assert (spec.seed, spec.duration_s, spec.fps) == (7, 120.0, 5.0)
    assert (spec.width, spec.height, spec.discs, spec.places) == (64, 48, 3, 4)
    assert spec.frames == 600


@pytest.mark.parametrize(
    "text",
    [
        "synthetic:",
        "synthetic:x",
        "synthetic:1?duration=0",
        "synthetic:1?size=9",
        "synthetic:1?size=0x5",
        "synthetic:1?colour=red",
        "synthetic:1?places=0",
        "synthetic:1?duration=nan",
        "synthetic:1?duration=inf",
    ],
)
def test_parse_synthetic_refuses_what_it_does_not_understand(text: str):
    """A wrong value or an unknown name is an error with an example, not a default."""
    with pytest.raises(UsageError, match="does not describe"):
        parse_synthetic(text)


def test_synthetic_truth_tiles_the_stream_with_visits_that_come_back():
    """Visits follow each other without a hole, neighbours differ, and places return."""
    truth = synthetic_truth("synthetic:3?duration=200&places=4&events=5")
    visits = [event for event in truth if not event.label.endswith("disc")]
    discs = [event for event in truth if event.label.endswith("disc")]
    assert visits[0].start_s == 0.0
    assert visits[-1].end_s == 200.0
    for one, following in itertools.pairwise(visits):
        assert one.end_s == following.start_s
        assert one.label != following.label
    assert len({event.label for event in visits}) == 4 < len(visits)
    assert len(discs) == 5


def test_synthetic_frames_show_what_the_truth_says():
    """During a disc its colour covers a patch at the stated height; outside it does not."""
    source = "synthetic:5?duration=60&fps=10&size=80x60&events=2&places=1"
    reader = SyntheticReader(source, ReaderOptions(sample_hz=10.0))
    frames = [item.frame for item in reader.frames()]
    for event in synthetic_truth(source):
        if not event.label.endswith("disc"):
            continue
        colour = np.array(COLOURS[event.label.split()[0]])
        for frame in frames:
            inside = event.start_s <= frame.pts_s < event.end_s
            row = frame.pixels[:, 60 // 3].T.astype(int)
            exact = (np.abs(row - colour).max(axis=1) == 0).sum()
            assert (exact >= 5) == inside, frame.pts_s


def test_synthetic_streams_are_repeatable_and_differ_by_seed():
    """The same text gives the same pixels; another seed does not."""
    options = ReaderOptions(sample_hz=1.0)

    def pixels(seed: int) -> np.ndarray:
        reader = SyntheticReader(f"synthetic:{seed}?duration=20", options)
        return np.stack([item.frame.pixels for item in reader.frames()])

    assert (pixels(1) == pixels(1)).all()
    assert (pixels(1) != pixels(2)).any()


def test_synthetic_hours_are_cheap_to_read():
    """Two hours at 10 frames a second, one sample in 2 s, take a few processor seconds at most."""
    reader = SyntheticReader("synthetic:1?duration=7200", ReaderOptions(sample_hz=0.5))
    begun_s = time.process_time()
    count = sum(1 for _ in reader.frames())
    assert count == 3600
    assert time.process_time() - begun_s < 5.0
