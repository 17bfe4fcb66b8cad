"""The question engine on hand-made memories: operators, absence, ranges, several memories."""

import numpy as np
import pytest

from streammem.core.errors import UsageError
from streammem.core.types import Gap, RelativeRange, Tier
from streammem.query.engine import QueryOptions, find, search_text, search_vectors
from streammem.query.parse import parse_question
from tests.unit._query_world import Cell, WordEncoder, ask, memory_of, picture, stream_memory

OPTIONS = QueryOptions()
# red 0-10, green 10-20, red 20-25, blue 25-40
CLIP = memory_of(
    [
        Cell("red", [(0, 10), (20, 25)]),
        Cell("green", [(10, 20)], exemplar_s=13.0),
        Cell("blue", [(25, 40)], tier=Tier.LONG_TERM, exemplar_s=31.0),
    ]
)


def spans(findings) -> list[tuple[float, float]]:
    return [(item.start_s, item.end_s) for item in findings.evidence]


def asked(text: str, memories=(CLIP,), options: QueryOptions = OPTIONS, choices=()):
    return find(parse_question(text, choices=choices), list(memories), options)


def test_when_finds_every_visit_and_its_exemplar() -> None:
    """A cell with two visits gives two pieces of evidence, the exemplar inside its own."""
    findings = asked("when is it red?")

    assert sorted(spans(findings)) == [(0.0, 10.0), (20.0, 25.0)]
    assert {item.time_s for item in findings.evidence} == {0.0, 22.5}
    assert [item.id for item in findings.evidence] == ["e1", "e2"]
    assert findings.confidence > 0.95
    assert all(item.channel == "vision" and item.tier == "working" for item in findings.evidence)


def test_evidence_carries_the_tier_and_instant_of_its_cell() -> None:
    """The best cell gives tier and instant."""
    (item,) = asked("when is it blue?").evidence

    assert (item.tier, item.time_s, item.memory_id, item.source) == (
        "long_term", 31.0, "clip", "clip.mp4",
    )  # fmt: skip


def test_absence_is_an_abstention_with_candidates() -> None:
    """What is nowhere gives no evidence; the nearest spans are candidates, best first."""
    findings = asked("when is it purple?")

    assert findings.evidence == ()
    assert findings.abstained
    assert findings.confidence < 0.1
    scores = [item.score for item in findings.candidates]
    assert len(scores) == 4
    assert scores == sorted(scores, reverse=True)


def test_unknown_words_alone_give_no_confidence_and_are_named() -> None:
    """Where no word is known, nothing is offered and the words are named."""
    findings = asked("when is the oscilloscope seen?")

    assert (findings.confidence, findings.evidence, findings.candidates) == (0.0, (), ())
    assert findings.unknown_words == ("oscilloscope",)
    assert findings.notes == (
        "'oscilloscope' is not a word this encoder knows; "
        "`streammem models pull` gets one that knows more",
    )


def test_unknown_words_lower_the_confidence() -> None:
    """One of two words unknown costs 1 - 0.5 ** 0.75 of the confidence."""
    whole = asked("when is it red?").confidence
    half = asked("when is the red oscilloscope seen?").confidence

    assert half == pytest.approx(whole * 0.5**0.75)


@pytest.mark.parametrize(
    ("text", "value"),
    [("is there anything red?", True), ("is there anything purple?", False),
     ("is it green after 0:20?", False), ("is it green at 0:15?", True),
     ("is it red at 0:15?", False)],
)  # fmt: skip
def test_exists_tells_yes_from_no(text: str, value: bool) -> None:
    """Yes has evidence; no has a value and none."""
    findings = asked(text)

    assert findings.value is value
    assert bool(findings.evidence) is value
    assert not findings.abstained


def test_exists_abstains_on_unknown_words_and_unseen_ranges() -> None:
    """A no needs every word known and all of the range seen."""
    gap = memory_of([Cell("red", [(0, 10)])], end_s=20.0, gaps=(Gap(10.0, 20.0, "damaged"),))

    unknown = asked("is there a purple oscilloscope?")
    outside = asked("is it purple between 1:00 and 2:00?")
    half_outside = asked("is it purple between 0:30 and 2:00?")
    unseen = asked("is it purple?", [gap])

    assert [f.value for f in (unknown, outside, half_outside, unseen)] == [None] * 4
    assert "clip covers 00:00:00.000 to 00:00:40.000" in outside.notes
    assert "nothing was seen from 00:00:10.000 to 00:00:20.000 in clip (damaged)" in unseen.notes


@pytest.mark.parametrize(
    ("text", "value"),
    [("how many times is it red?", 2), ("how many times is it red after 0:15?", 1),
     ("how often is it purple?", 0), ("how many scenes are there?", 4),
     ("how many times is it red before it is blue?", 2)],
)  # fmt: skip
def test_count_counts_visits(text: str, value: int) -> None:
    """Separate visits are counted; none, where all is known and seen, is 0."""
    assert asked(text).value == value


def test_count_joins_visits_over_one_missed_frame() -> None:
    """A hole of one sampling interval does not make two visits; a longer one does."""
    cells = [Cell("red", [(0, 10), (10.5, 20), (25, 30)]), Cell("blue", [(20, 25)])]

    findings = asked("how many times is it red?", [memory_of(cells)])

    assert findings.value == 2
    assert sorted(spans(findings)) == [(0.0, 20.0), (25.0, 30.0)]


@pytest.mark.parametrize(
    ("text", "value"),
    [("how long is it red?", 15.0), ("how long is it red between 0:05 and 0:22?", 7.0),
     ("how long is the video?", 40.0), ("how long until it is green?", 10.0),
     ("how long after it is green is it blue?", 5.0),
     ("how long is it red after it is green?", 5.0)],
)  # fmt: skip
def test_duration_adds_up_seconds(text: str, value: float) -> None:
    """Visits, ranges, and distances between events are measured in seconds."""
    assert asked(text).value == pytest.approx(value)


def test_what_at_names_what_an_instant_shows() -> None:
    """The cell that covers the instant is named and cited at that instant."""
    findings = asked("what is shown at 0:12?")

    assert findings.labels[0][0] == "green"
    assert [(e.start_s, e.end_s, e.time_s) for e in findings.evidence] == [(10.0, 20.0, 12.0)]


def test_what_at_lists_the_stretches_of_a_range() -> None:
    """Each stretch of a range is evidence of its own, clipped to the range, with its name."""
    findings = asked("what is shown between 0:05 and 0:15?")

    assert sorted((e.start_s, e.end_s, e.text) for e in findings.evidence) == [
        (5.0, 10.0, "red"),
        (10.0, 15.0, "green"),
    ]


def test_colour_questions_are_answered_with_colours() -> None:
    """Only colour words name what a colour question asks for."""
    room = memory_of([Cell("room yellow", [(0, 10)])])

    findings = asked("what colour is the room at 0:05?", [room])

    assert [word for word, _ in findings.labels] == ["yellow"]


def test_now_looks_at_the_end() -> None:
    """Now is the last stretch, and yes or no about it only."""
    assert asked("what is on screen now?").labels[0][0] == "blue"
    assert asked("is it blue right now?").value is True
    assert asked("is it green right now?").value is False


def test_at_hides_everything_later() -> None:
    """Asked at 0:12, the blue scene is not there yet and the green one ends at 0:12."""
    early = QueryOptions(at_s=12.0)

    assert asked("when is it blue?", options=early).evidence == ()
    assert spans(asked("when is it green?", options=early)) == [(10.0, 12.0)]
    assert asked("what is on screen now?", options=early).labels[0][0] == "green"
    assert asked("what is shown?", options=early).labels[0][0] == "green"
    assert asked("how long is the video?", options=early).value == 12.0
    assert spans(asked("what is shown at 0:11?", options=early)) == [(10.0, 12.0)]
    assert spans(asked("is it green at 0:11?", options=early)) == [(10.0, 12.0)]


def test_options_restrict_the_range() -> None:
    """Bounds given apart act like bounds in words."""
    findings = asked("when is it red?", options=QueryOptions(start_s=15.0, end_s=22.0))

    assert spans(findings) == [(20.0, 22.0)]


@pytest.mark.parametrize(
    ("relative", "expected"),
    [(RelativeRange("from_end", 16.0, 0.0), [(24.0, 25.0)]),
     (RelativeRange("from_end", 17.0, 17.0), [(20.0, 25.0)]),
     (RelativeRange("fraction", 0.0, 0.5), [(0.0, 10.0)]),
     (RelativeRange("fraction", 0.55, 0.55), [(20.0, 25.0)])],
)  # fmt: skip
def test_relative_ranges_are_resolved_by_the_memory(relative, expected) -> None:
    """Distances from the end and shares become seconds of this memory."""
    assert spans(find(ask("red", relative=relative), [CLIP], OPTIONS)) == expected


def test_describe_tells_the_longest_stretches_with_names() -> None:
    """A summary cites at most top_k stretches, each with its name."""
    findings = asked("describe the video", options=QueryOptions(top_k=2))

    assert sorted((e.start_s, e.text) for e in findings.evidence) == [(0.0, "red"), (25.0, "blue")]
    assert [word for word, _ in findings.labels] == ["blue", "red", "green"]


@pytest.mark.parametrize("text", ["what did she say about dogs?", "what does the sign say?"])
def test_speech_and_text_are_not_guessed_from_pictures(text: str) -> None:
    """A memory of pictures answers no question about words."""
    findings = asked(text)

    assert findings.abstained
    assert findings.notes[0].startswith("this memory holds no ")


def test_a_clip_of_one_thing_still_shows_it() -> None:
    """A memory that is all red says red: its own content does not set its zero."""
    only = memory_of([Cell("red", [(0, 30)]), Cell("red", [(30, 60)], strength=0.9)])

    findings = asked("when is it red?", [only])

    assert spans(findings) == [(0.0, 60.0)]


def test_other_memories_raise_the_zero_but_never_much() -> None:
    """A query that every other memory answers to loses up to one deviation of strength."""
    red = [memory_of([Cell("red", [(i, i + 1) for i in range(0, 60, 2)])] * 20, name=f"m{n}")
           for n in range(3)]  # fmt: skip

    alone = asked("when is it red?", red[:1])
    together = asked("when is it red?", red)

    assert together.confidence < alone.confidence
    assert together.evidence


def test_several_memories_are_answered_together() -> None:
    """Times pool, counts add up, yes beats no, and each piece names its memory."""
    other = memory_of([Cell("red", [(0, 5)]), Cell("dog", [(5, 9)])], name="other")
    both = [CLIP, other]

    assert asked("how many times is it red?", both).value == 3
    assert asked("is there a dog?", both).value is True
    assert asked("is there a cat?", both).value is False
    assert {e.memory_id for e in asked("when is it red?", both).evidence} == {"clip", "other"}
    assert {e.memory_id for e in asked("when is the dog there?", both).evidence} == {"other"}


def test_what_an_instant_shows_is_told_of_one_memory_and_the_others_are_not_hidden() -> None:
    """Where several show something at that time, a note says so."""
    other = memory_of([Cell("dog", [(0, 9)])], name="other")
    note = "2 memories show something then; --in MEMORY asks another one"

    both = asked("what is shown at 0:03?", [CLIP, other])

    assert len(both.evidence) == 1
    assert note in both.notes
    assert note not in asked("what is shown at 0:12?", [CLIP, other]).notes


def test_sensory_copies_are_not_counted_twice() -> None:
    """The ring's frames and the event that holds them are one visit, of the best cell's tier."""
    cells = [
        Cell("red", [(0, 10)], strength=0.8),
        Cell("blue", [(10, 12)]),
        *[Cell("red", [(8 + i / 2, 8.5 + i / 2)], tier=Tier.SENSORY) for i in range(4)],
    ]

    findings = asked("how many times is it red?", [memory_of(cells)])

    assert findings.value == 1
    assert spans(findings) == [(0.0, 10.0)]
    assert findings.evidence[0].tier == "sensory"


def test_min_confidence_turns_answers_into_candidates() -> None:
    """Asked for more certainty than there is, nothing is claimed."""
    findings = asked("is there a red oscilloscope?", options=QueryOptions(min_confidence=0.9))

    assert findings.abstained
    assert findings.candidates


def test_asking_twice_gives_the_same() -> None:
    """A question changes nothing."""
    for text in ("when is it red?", "describe the video", "what comes after the green one?"):
        assert asked(text) == asked(text)


def test_no_memory_and_empty_memory_abstain() -> None:
    """Without cells there is nothing to answer from."""
    for memories in ([], [memory_of([])]):
        findings = asked("when is it red?", memories)
        assert findings.abstained
        assert findings.notes == ("there is no memory that holds anything",)


def test_wall_clock_needs_the_time_of_recording() -> None:
    """Without it the note says what to do; with it the clock becomes stream time."""
    from datetime import datetime

    begun = datetime(2026, 3, 1, 14, 59, 50).timestamp()
    dated = memory_of([Cell("red", [(0, 40)])], recorded_at=begun)

    assert "ingest with --recorded-at" in asked("is it red since 3 pm?").notes[0]
    assert spans(asked("when is it red since 3 pm?", [dated])) == [(10.0, 40.0)]
    assert asked("when is it red since 4 pm?", [dated]).abstained


def test_a_time_behind_the_end_is_by_the_clock_where_that_is_inside() -> None:
    """A time like 15:10 is stream time in a long recording, and by the clock for a short one."""
    from datetime import datetime

    begun = datetime(2026, 3, 1, 15, 9, 50).timestamp()
    dated = memory_of([Cell("red", [(0, 40)])], recorded_at=begun)
    long = memory_of([Cell("red", [(0, 2000)])], recorded_at=begun)

    assert spans(asked("when is it red since 15:10?", [dated])) == [(10.0, 40.0)]
    assert spans(asked("when is it red from 15:09:55 to 15:10:05?", [dated])) == [(5.0, 15.0)]
    assert spans(asked("when is it red since 15:10?", [long])) == [(910.0, 2000.0)]
    assert asked("when is it red since 16:10?", [dated]).abstained
    assert asked("when is it red since 15:10?", [memory_of([Cell("red", [(0, 40)])])]).abstained


def test_explain_tells_what_was_understood_searched_and_kept() -> None:
    """The plan holds the parsed question, the windows, the strengths and the steps."""
    found = asked("when is it red after 0:15?", options=QueryOptions(explain=True)).explain

    assert found["plan"]["phrase"] == "red"
    assert found["memories"][0]["window_s"] == [15.0, 40.0]
    (search,) = found["searches"]
    assert search["trust"] == 1.0
    assert search["found_share"] == 1.0
    assert search["found"]
    (candidate,) = search["candidates"]
    assert (candidate["start_s"], candidate["end_s"]) == (20.0, 25.0)
    assert candidate["z"] >= search["needed_z"]
    scale, midpoint = found["memories"][0]["scale"], found["memories"][0]["midpoint"]
    confidence = 1.0 / (1.0 + np.exp((midpoint - candidate["z"]) / scale))
    assert candidate["confidence"] == pytest.approx(confidence, abs=1e-3)
    (step,) = found["steps"]
    assert (step["operator"], step["spans"]) == ("when", [[20.0, 25.0]])
    assert asked("when is it red?").explain == {}


@pytest.mark.parametrize(
    ("text", "operators", "value"),
    [
        ("how often is it red after the green one?", ["anchor", "after", "within", "count"], 1),
        ("how long is it red?", ["duration"], 15.0),
        ("does the red one come before the green one?", ["anchor", "before", "within", "choose"],
         True),
    ],
)  # fmt: skip
def test_every_step_of_an_answer_is_told(text: str, operators: list[str], value: object) -> None:
    """The operators come in the order in which they ran, the last one with the result."""
    found = asked(text, options=QueryOptions(explain=True))

    assert [step["operator"] for step in found.explain["steps"]] == operators
    assert found.explain["result"]["value"] == found.value == value
    assert all(len(span) == 2 for step in found.explain["steps"] for span in step["spans"])


@pytest.mark.parametrize("kind", ["image", "text"])
def test_both_kinds_of_background_tell_presence_from_absence(kind: str) -> None:
    """Scored against pictures or against phrases, red is there and purple is not."""
    memory = memory_of(
        [Cell("red", [(0, 10)]), Cell("green", [(10, 20)])], encoder=WordEncoder(kind=kind)
    )

    assert asked("is it red?", [memory]).value is True
    assert asked("is it purple?", [memory]).value is False


def test_an_encoder_without_background_is_still_calibrated_roughly() -> None:
    """Without a background a strong match is found and a missing one is not."""
    memory = memory_of([Cell("red", [(0, 10)])], encoder=WordEncoder(background=False))

    assert asked("when is it red?", [memory]).evidence
    assert not asked("when is it green?", [memory]).evidence


def test_search_never_abstains() -> None:
    """The nearest spans come back whatever is asked, best first, within the range."""
    found = search_text("purple", [CLIP], QueryOptions(top_k=3, start_s=12.0))

    assert len(found) == 3
    assert all(item.start_s >= 12.0 for item in found)
    assert [item.score for item in found] == sorted((i.score for i in found), reverse=True)
    assert search_text("red", [CLIP], OPTIONS)[0].start_s in {0.0, 20.0}


def test_search_by_image_scores_by_cosine() -> None:
    """A picture of the stream finds itself with score 1."""
    (best, *_rest) = search_vectors([picture("green")], [CLIP], OPTIONS, kind="image")

    assert (best.start_s, best.end_s) == (10.0, 20.0)
    assert best.score == pytest.approx(1.0, abs=1e-5)


def test_search_refuses_vectors_that_do_not_fit() -> None:
    """One vector a memory, of the encoder's width."""
    with pytest.raises(UsageError, match="0 query vectors for 1 memories"):
        search_vectors([], [CLIP], OPTIONS)
    with pytest.raises(UsageError, match=r"the query vector is \[3\]; clip needs \[32\]"):
        search_vectors([np.zeros(3, np.float32)], [CLIP], OPTIONS)


def test_the_real_store_answers_as_the_stream_was() -> None:
    """Through the real memory: times, counts and order of a stream of events."""
    stream = stream_memory(
        [("red", 10), ("green", 8), ("blue", 12), ("red", 6), ("yellow", 10), ("dog", 4)]
    )

    assert asked("how many times is it red?", [stream]).value == 2
    assert asked("how long is it red?", [stream]).value == pytest.approx(16.0, abs=1.0)
    assert spans(asked("when is it yellow?", [stream]))[0] == pytest.approx((36.0, 46.0), abs=0.5)
    assert asked("what comes after the yellow one?", [stream]).labels[0][0] == "dog"
    assert asked("is there a cat?", [stream]).value is False
