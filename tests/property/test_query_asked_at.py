"""Asked at T, a memory answers as if the stream had ended there: pictures, words and notes."""

import re
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streammem.answer.evidence import put_into_words
from streammem.core.timebase import parse_time
from streammem.core.types import Channel, Cue, Gap
from streammem.query.cues import CueBook
from streammem.query.engine import QueryOptions, find, search_text
from streammem.query.memories import QueryMemory
from streammem.query.parse import parse_question
from streammem.text.rows import CueRow
from streammem.text.words import words_in
from tests.unit._query_world import WORDS, Cell, memory_of

STEMS = [
    "when does the {a} appear?", "is there a {a}?", "how many times is the {a} seen?",
    "how long is the {a} visible?", "what is shown now?", "is the {a} still there?",
    "what colour is the {b} now?", "how often is the {a} seen after the {b}?",
    "what comes after the {a}?", "what is shown between the {a} and the second {b}?",
    "did the {a} come before the {b}?", "when does the {a} last appear?", "describe the video",
    "what is the longest scene?", "which appears most often, the {a} or the {b}?",
    "what is shown in the last 3 seconds?", "what did they say about the {a}?",
    "when do they mention the {a}?", "how many times is the {a} mentioned?",
    "what was said so far?",
    "what is said after the {a}?", "how many times does the {a} change colour?",
    "in what order do the {a}, the {b} and the {c} appear?", "what happens at 0:06?",
    "what is written on the screen?", "what will happen next?", "where is the {a} at the end?",
]  # fmt: skip
TIME = re.compile(r"\d\d:\d\d:\d\d\.\d{3}")


class ListIndex:
    """Cues in a list; every one with a word or a prefix matches equally."""

    def __init__(self, rows: tuple[CueRow, ...]) -> None:
        self.rows = rows

    def match(self, words, prefixes=()) -> list[tuple[int, float]]:
        """Numbers of the cues that hold any of these."""
        wanted, starts = set(words), tuple(prefixes)
        return [
            (row.id, 1.0)
            for row in self.rows
            if any(w in wanted or w.startswith(starts) for w in words_in(row.cue.text))
        ]


def _cue(start_s: float, words: list[str], channel: Channel) -> Cue:
    """A cue of half a second a word, with the time of each where it was recognised."""
    times = tuple((start_s + 0.5 * n, start_s + 0.5 * n + 0.5) for n in range(len(words)))
    spoken = channel is Channel.SPEECH
    return Cue(
        start_s, start_s + 0.5 * len(words), " ".join(words), channel,
        word_times_s=times if spoken else (),
    )  # fmt: skip


cues = st.lists(
    st.builds(
        _cue,
        st.integers(0, 60).map(lambda n: n / 2),
        st.lists(st.sampled_from(WORDS[:8]), min_size=1, max_size=4),
        st.sampled_from([Channel.SPEECH, Channel.SUBTITLE, Channel.SCREEN_TEXT]),
    ),
    max_size=6,
)
events = st.lists(
    st.tuples(st.sampled_from(WORDS[:6]), st.integers(1, 10)), min_size=1, max_size=10
)
questions = st.builds(
    lambda stem, a, b, c: stem.format(a=a, b=b, c=c),
    st.sampled_from(STEMS),
    *(st.sampled_from(WORDS[:8]),) * 3,
)


def stream(events, cues=(), *, gaps=()) -> QueryMemory:
    """A memory of events of half seconds, the visits of one word in one cell."""
    spans: dict[str, list[tuple[float, float]]] = {}
    at_s = 0.0
    for word, length in events:
        spans.setdefault(word, []).append((at_s, at_s + length / 2))
        at_s += length / 2
    memory = memory_of([Cell(word, visits) for word, visits in spans.items()], gaps=gaps)
    rows = tuple(CueRow(number, cue) for number, cue in enumerate(cues, start=1))
    return replace(memory, cues=CueBook(ListIndex(rows), None)) if rows else memory


def cut(events, until: int):
    """The events up to a half second."""
    kept, at = [], 0
    for word, length in events:
        if at < until:
            kept.append((word, min(length, until - at)))
        at += length
    return kept


@settings(max_examples=300, deadline=None)
@given(events, cues, questions, st.integers(1, 60))
def test_nothing_after_the_time_of_asking_is_told(events, cues, text, asked: int) -> None:
    """No evidence, candidate, word, number or time in any sentence lies after T."""
    memory = stream(events, cues, gaps=(Gap(20.0, 29.0, "lost"),))
    at_s = asked / 2
    question = parse_question(text)

    found = find(question, [memory], QueryOptions(at_s=at_s, explain=True, min_confidence=0.3))

    said = {w for cue in cues for w in _said_by(cue, at_s)}
    for item in (*found.evidence, *found.candidates):
        assert item.start_s <= item.end_s <= at_s
        assert item.time_s <= at_s
        if item.channel is not Channel.VISION:
            assert item.start_s < at_s
            assert set(words_in(item.text or "")) <= said
    named = question.start_s or 0.0
    times = [parse_time(match) for match in TIME.findall(put_into_words(question, found))]
    assert all(time_s <= max(at_s, named) for time_s in times)
    for step in found.explain["steps"] + found.explain["searches"]:
        for span in step.get("spans", []):
            assert span[0] <= at_s
        for candidate in step.get("candidates", []):
            assert candidate["end_s"] <= at_s


def _said_by(cue: Cue, at_s: float) -> list[str]:
    """The words of a cue that are known at a time: a caption is there at once, speech is not."""
    words = cue.text.split()
    if cue.start_s >= at_s:
        return []
    if not cue.word_times_s:
        return words
    return [
        word for word, (start_s, _) in zip(words, cue.word_times_s, strict=True) if start_s < at_s
    ]


@settings(max_examples=200, deadline=None)
@given(events, questions, st.integers(1, 60))
def test_the_answer_is_that_of_a_stream_that_ends_there(events, text, asked: int) -> None:
    """What comes later changes no count, no length, no choice and no evidence."""
    later, ended = stream(events), stream(cut(events, asked))
    question = parse_question(text)

    one = find(question, [later], QueryOptions(at_s=asked / 2))
    two = find(question, [ended], QueryOptions(at_s=asked / 2))

    assert one.value == two.value
    assert one.choice == two.choice
    assert one.abstained == two.abstained
    assert _places(one.evidence) == _places(two.evidence)
    assert _places(one.candidates) == _places(two.candidates)


def _places(items) -> list[tuple[float, float, float]]:
    return sorted((item.start_s, item.end_s, round(item.score, 4)) for item in items)


@settings(max_examples=60, deadline=None)
@given(events, cues, questions, st.sampled_from([None, 4.0]))
def test_the_same_question_twice_has_the_same_answer(events, cues, text, at_s) -> None:
    """Asking leaves nothing behind that another question could see."""
    memory = stream(events, cues)
    options = QueryOptions(at_s=at_s)
    question = parse_question(text)

    first = find(question, [memory], options)
    find(parse_question("how many times is the red one seen?"), [memory], options)
    search_text("dog", [memory], options)

    assert find(question, [memory], options) == first


def test_now_is_the_recent_window() -> None:
    """What is shown now are the last seconds before T and nothing else."""
    memory = stream([("red", 20), ("dog", 20), ("green", 20)])

    for at_s, name in ((10.0, "red"), (14.0, "dog"), (20.0, "dog"), (30.0, "green")):
        found = find(parse_question("what is shown now?"), [memory], QueryOptions(at_s=at_s))
        assert [word for word, _ in found.labels] == [name]
        assert all(item.end_s > at_s - 5.0 for item in found.evidence)
    late = find(parse_question("is there a dog now?"), [memory], QueryOptions(at_s=30.0))
    assert late.value is False
    assert np.isclose(late.confidence, 1.0, atol=0.05)
