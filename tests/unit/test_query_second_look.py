"""The second look: spans are tightened from the source, or left alone with the reason."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from streammem.core.types import Channel, Evidence, Tier
from streammem.query.second_look import SecondLook, refine_evidence
from tests.unit._query_world import WORDS, WordEncoder

RED, BLUE = WORDS.index("red"), WORDS.index("blue")


def evidence(start_s: float, end_s: float, number: int = 1) -> Evidence:
    return Evidence(
        f"e{number}", "clip", "clip.mp4", start_s, end_s, start_s, 0.9, Channel.VISION, Tier.WORKING
    )


@pytest.fixture
def pictures(tmp_path: Path) -> str:
    """Forty pictures, read as one a second: red from 12 to 20 with one blurred at 15, else blue."""
    for second in range(40):
        red = 12 <= second < 20 and second != 15
        pixels = np.full((8, 8, 3), RED if red else BLUE, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{second:03d}.png")
    return str(tmp_path)


def seconds_a_picture(pictures: str) -> float:
    """The time that the reader gives a picture of a folder."""
    from streammem.video.reader import ReaderOptions, open_reader

    with open_reader(pictures, ReaderOptions(sample_hz=100.0)) as reader:
        frames = reader.frames()
        return -next(frames).frame.pts_s + next(frames).frame.pts_s


def test_borders_are_found_in_the_source(pictures: str) -> None:
    """A coarse span becomes the red stretch; a hole of one blurred picture does not cut it."""
    step_s = seconds_a_picture(pictures)
    options = SecondLook(sample_hz=2 / step_s, pad_s=4 * step_s)

    (found,), notes = refine_evidence(
        [evidence(10 * step_s, 18 * step_s)], "red", WordEncoder(), pictures, options
    )

    hole_is_short = step_s <= 0.5
    assert (found.start_s, found.end_s) == pytest.approx(
        (12 * step_s, (20 if hole_is_short else 15) * step_s)
    )
    assert found.time_s == pytest.approx(12 * step_s)
    assert notes == ()


def test_a_missing_source_leaves_evidence_and_says_so() -> None:
    """Nothing changes but the notes."""
    items = (evidence(1.0, 2.0), evidence(5.0, 6.0, 2))

    found, notes = refine_evidence(items, "red", WordEncoder(), "/nowhere/clip.mp4")

    assert found == items
    assert len(notes) == 1
    assert notes[0].startswith("no second look at clip.mp4: ")


@pytest.mark.parametrize("phrase", ["", "oscilloscope"])
def test_a_phrase_without_meaning_is_not_looked_for(pictures: str, phrase: str) -> None:
    """Without a known word the source is not even opened."""
    items = (evidence(1.0, 2.0),)

    assert refine_evidence(items, phrase, WordEncoder(), pictures) == (items, ())


def test_an_unknown_place_of_the_source_is_noted() -> None:
    """A memory that does not know where its source is keeps its evidence."""
    items = (evidence(1.0, 2.0),)

    found, notes = refine_evidence(items, "red", WordEncoder(), None)

    assert found == items
    assert notes == ("no second look: it is not known where the source is",)


def test_spans_beyond_the_limit_are_left_alone(pictures: str) -> None:
    """The total that is decoded again is bounded; the best pieces come first."""
    items = (evidence(0.0, 500.0),)

    assert refine_evidence(items, "red", WordEncoder(), pictures)[0] == items


def test_a_span_without_contrast_is_left_alone(pictures: str) -> None:
    """Where every frame scores the same, there is no border to find."""
    step_s = seconds_a_picture(pictures)
    options = SecondLook(sample_hz=2 / step_s, pad_s=step_s)
    item = evidence(30 * step_s, 34 * step_s)

    assert refine_evidence([item], "red", WordEncoder(), pictures, options)[0] == (item,)
