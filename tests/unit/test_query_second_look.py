"""The second look: spans are tightened from the source, or left alone with the reason."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from streammem.core.types import Channel, Evidence, Tier
from streammem.query.second_look import SecondLook, _Seen, _tightened, refine_evidence
from tests.unit._query_world import WORDS, WordEncoder

RED, BLUE = WORDS.index("red"), WORDS.index("blue")


def evidence(start_s: float, end_s: float, number: int = 1) -> Evidence:
    return Evidence(
        f"e{number}", "clip", "clip.mp4", start_s, end_s, start_s, 0.9, Channel.VISION, Tier.WORKING
    )


@pytest.fixture
def pictures(tmp_path: Path) -> str:
    """Forty pictures, one a second: red from 12 to 20, else blue."""
    for second in range(40):
        pixels = np.full((8, 8, 3), RED if 12 <= second < 20 else BLUE, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{second:03d}.png")
    return str(tmp_path)


def test_borders_are_found_in_the_source(pictures: str) -> None:
    """A span that begins too early and ends too early becomes the red stretch."""
    (found,), notes = refine_evidence([evidence(10, 18)], "red", WordEncoder(), pictures)

    assert (found.start_s, found.end_s, found.time_s) == (12.0, 20.0, 12.0)
    assert notes == ()


def test_a_border_of_what_was_decoded_is_no_border_of_the_scene(pictures: str) -> None:
    """Where red goes on to the edge of what was looked at, the old times stay."""
    options = SecondLook(pad_s=1.0)

    (found,), _ = refine_evidence([evidence(14, 17)], "red", WordEncoder(), pictures, options)

    assert (found.start_s, found.end_s) == (14.0, 17.0)


@pytest.mark.parametrize("hole_frames", [1, 3, 5])
def test_a_hole_inside_is_no_border(hole_frames: int) -> None:
    """What is blurred or hidden in between does not move the borders."""
    start_s = np.arange(80) / 8.0
    scores = np.zeros(80)
    scores[8:64] = 1.0
    scores[24 : 24 + hole_frames] = 0.0

    found = _tightened(evidence(0.0, 9.5), _Seen(start_s, start_s + 1 / 8, scores))

    assert (found.start_s, found.end_s) == (1.0, 8.0)


def test_a_border_without_a_clear_step_stays() -> None:
    """Scores that drift have no border to be found; the old times are as good as any."""
    start_s = np.arange(80) / 8.0
    drifting = np.linspace(0.0, 1.0, 80)

    found = _tightened(evidence(2.0, 9.0), _Seen(start_s, start_s + 1 / 8, drifting))

    assert (found.start_s, found.end_s) == (2.0, 9.0)


def test_a_step_beyond_reach_is_of_something_else() -> None:
    """A border moves by two seconds at most."""
    start_s = np.arange(96) / 8.0
    scores = np.zeros(96)
    scores[8:88] = 1.0

    found = _tightened(evidence(4.0, 10.0), _Seen(start_s, start_s + 1 / 8, scores))

    assert (found.start_s, found.end_s) == (4.0, 11.0)


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
    item = evidence(30, 34)

    assert refine_evidence([item], "red", WordEncoder(), pictures)[0] == (item,)
