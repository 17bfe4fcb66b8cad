"""Calibration: strengths over a background, trust in words, ranges of one memory."""

import numpy as np
import pytest

from streammem.core.types import Background, Gap, RelativeRange, TextFeatures
from streammem.query.calibrate import (
    MAX_SHIFT,
    Phrase,
    Scale,
    label_strengths,
    read_phrase,
    shifted,
    strengths,
    trust,
)
from streammem.query.memories import QueryOptions
from streammem.query.ranges import resolve_window
from streammem.query.words import content_words
from tests.unit._query_world import DIM, WORDS, Cell, WordEncoder, ask, memory_of


def test_scale_turns_the_midpoint_into_one_half() -> None:
    """A strength at the midpoint is as likely as not; the inverse gives it back."""
    scale = Scale(3.0, 0.7)

    assert scale.confidence(3.0) == 0.5
    assert scale.confidence(3.7) == pytest.approx(1 / (1 + np.exp(-1)))
    assert scale.strength(scale.confidence(4.2)) == pytest.approx(4.2)
    assert scale.confidence(1e9) == pytest.approx(1.0)


def test_image_background_gives_z_of_the_query() -> None:
    """Against pictures, z is the score's distance from the query's own scores over them."""
    memory = memory_of([Cell("red", [(0, 5)]), Cell("dog", [(5, 9)])])
    phrase = read_phrase(memory.encoder, "red")
    scores = memory.encoder.background().vectors @ phrase.vector

    expected = (memory.snapshot.keys @ phrase.vector - scores.mean()) / scores.std()

    assert strengths(memory, phrase) == pytest.approx(expected, rel=1e-4)


def test_text_background_gives_z_of_the_cell() -> None:
    """Against phrases, z is the score's distance from what the cell scores with them."""
    memory = memory_of([Cell("red", [(0, 5)])], encoder=WordEncoder(kind="text"))
    phrase = read_phrase(memory.encoder, "red")
    absent = memory.snapshot.keys @ memory.encoder.background().vectors.T

    expected = (memory.snapshot.keys @ phrase.vector - absent.mean(1)) / absent.std(1)

    assert strengths(memory, phrase) == pytest.approx(expected, rel=1e-4)
    rows = np.zeros(1, np.int64)
    labelled = label_strengths(memory, memory.encoder.labels(), rows)
    assert labelled[0, WORDS.index("red")] == pytest.approx(expected[0], rel=1e-4)


def test_a_background_without_spread_does_not_divide_by_zero() -> None:
    """A query that no background picture answers to has finite strengths."""

    class Silent(WordEncoder):
        def background(self) -> Background:
            return Background(np.zeros((4, DIM), np.float32))

    memory = memory_of([Cell("red", [(0, 5)])], encoder=Silent())

    assert np.isfinite(strengths(memory, read_phrase(memory.encoder, "red"))).all()


def test_other_memories_shift_the_zero_within_bounds() -> None:
    """The median of the others is subtracted, never below 0 nor above the bound."""
    own = np.array([5.0, 1.0])

    assert shifted(own, [np.full(20, 0.4)]) == pytest.approx(own - 0.4)
    assert shifted(own, [np.full(20, 9.0)]) == pytest.approx(own - MAX_SHIFT)
    assert shifted(own, [np.full(20, -3.0)]) == pytest.approx(own)
    assert shifted(own, [np.full(3, 9.0)]) == pytest.approx(own)
    assert shifted(own, []) == pytest.approx(own)


def test_known_share_counts_content_words_only() -> None:
    """Articles and names of pictures are no evidence and need not be known."""
    encoder = WordEncoder()

    assert content_words("the red screen in the scene") == ["red"]
    assert read_phrase(encoder, "the red screen").known_share == 1.0
    assert read_phrase(encoder, "the red oscilloscope").known_share == 0.5
    assert read_phrase(encoder, "the oscilloscope").known_share == 0.0
    assert read_phrase(encoder, "the").known_share == 0.0
    assert trust(_phrase(1.0)) == trust(_phrase(1.0, found_share=0.9)) == 1.0
    assert trust(_phrase(0.0)) == trust(_phrase(0.0, found_share=0.9)) == 0.0


def test_half_a_phrase_is_enough_for_a_colour_and_not_for_a_noun() -> None:
    """Something red may be the red oscilloscope; a man is no ground for a man who dances."""
    assert trust(_phrase(0.5)) > 0.5
    assert trust(_phrase(0.5, found_share=0.9)) == 0.5
    assert trust(_phrase(2 / 3, found_share=0.9)) == pytest.approx(2 / 3)


def _phrase(known_share: float, found_share: float = 1.0) -> Phrase:
    return Phrase("", np.zeros(DIM, np.float32), (), known_share, found_share)


def test_an_encoder_that_knows_all_words_trusts_any_phrase() -> None:
    """A learned text encoder gives an embedding to every text, also one without content words."""

    class Learned(WordEncoder):
        def encode_text(self, text: str) -> TextFeatures:
            return TextFeatures(np.full(DIM, DIM**-0.5, np.float32))

    assert read_phrase(Learned(), "the thing").known_share == 1.0


MEMORY = memory_of([Cell("red", [(10, 70)])], gaps=(Gap(30.0, 40.0, "undecodable"),))


@pytest.mark.parametrize(
    ("fields", "options", "window", "inside", "covered"),
    [
        ({}, {}, (10.0, 70.0), True, False),
        ({"start_s": 45.0}, {}, (45.0, 70.0), True, True),
        ({"start_s": 50.0, "end_s": 50.0}, {}, (50.0, 50.0), True, True),
        ({"start_s": 35.0, "end_s": 35.0}, {}, (35.0, 35.0), True, False),
        ({"start_s": 0.0, "end_s": 20.0}, {}, (10.0, 20.0), True, False),
        ({"start_s": 45.0, "end_s": 90.0}, {}, (45.0, 70.0), True, False),
        ({"start_s": 80.0}, {}, (80.0, 70.0), False, False),
        ({"start_s": 50.0, "end_s": 50.0}, {"start_s": 55.0}, (50.0, 50.0), False, False),
        ({"start_s": 50.0, "end_s": 50.0}, {"end_s": 45.0}, (50.0, 50.0), False, False),
        ({"start_s": 45.0}, {"at_s": 60.0}, (45.0, 60.0), True, True),
        ({"start_s": 65.0}, {"at_s": 60.0}, (65.0, 60.0), False, False),
        ({"start_s": 45.0}, {"start_s": 50.0, "end_s": 55.0}, (50.0, 55.0), True, True),
        ({"relative": RelativeRange("from_end", 10.0, 0.0)}, {}, (60.0, 70.0), True, True),
        ({"relative": RelativeRange("from_end", 10.0, 0.0)}, {"at_s": 60.0}, (50.0, 60.0),
         True, True),
        ({"relative": RelativeRange("fraction", 0.75, 1.0)}, {}, (55.0, 70.0), True, True),
    ],
)  # fmt: skip
def test_windows_are_resolved(fields, options, window, inside: bool, covered: bool) -> None:
    """Question, options and the memory's own range meet; coverage is judged on what is left."""
    found = resolve_window(ask("red", **fields), MEMORY, QueryOptions(**options))

    assert (found.start_s, found.end_s) == window
    assert (found.inside, found.covered) == (inside, covered)


def test_an_instant_at_the_end_is_the_last_frame() -> None:
    """The end itself belongs to the last frame; an interval later is outside."""
    last = resolve_window(ask("red", start_s=70.0, end_s=70.0), MEMORY, QueryOptions())
    later = resolve_window(ask("red", start_s=75.0, end_s=75.0), MEMORY, QueryOptions())

    assert last.inside
    assert 69.99 < last.start_s < 70.0
    assert not later.inside


def test_many_gaps_are_summed_up() -> None:
    """Three gaps are named, the others counted."""
    gaps = tuple(Gap(float(i), i + 0.5, "lost") for i in range(5))
    memory = memory_of([Cell("red", [(0, 10)])], gaps=gaps)

    notes = resolve_window(ask("red"), memory, QueryOptions()).notes

    assert len(notes) == 4
    assert notes[-1] == "and 2 more gaps"


def test_the_frame_interval_comes_from_what_cells_stand_for() -> None:
    """Seconds per frame over the lasting cells."""
    assert memory_of([Cell("red", [(0, 10)])], frame_s=0.25).interval_s == pytest.approx(0.25)
