"""Any text can be asked of any memory: no error, no claim outside the range, twice the same."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streammem.answer.evidence import put_into_words
from streammem.core.types import Tier
from streammem.query.engine import QueryOptions, find, search_text
from streammem.query.parse import parse_question
from tests.unit._query_world import WORDS, Cell, memory_of

FRAGMENTS = [
    "when", "how many times", "how long", "is there", "what is shown", "which comes first",
    "before", "after", "while", "between", "and", "until", "the first", "the last", "second",
    "next", "now", "at 0:10", "in the last 5 minutes", "at 1:30", "since 3 pm", "?", ",",
    "describe", "the video", "a)", "b)", "or", "say", "written on", "in order", ":", "(1)", "(2)",
    *WORDS,
]  # fmt: skip
INTENTS = {
    "when", "what_at", "exists", "count", "duration", "order", "now", "said", "read", "choose",
    "describe",
}  # fmt: skip
texts = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from(FRAGMENTS), max_size=14).map(" ".join),
)


@st.composite
def memories(draw):
    """A stream without holes, cut into events; some cells hold several of them."""
    lengths = draw(st.lists(st.integers(1, 20), min_size=1, max_size=10))
    borders = np.concatenate([[0.0], np.cumsum(lengths) / 2.0])
    shows = draw(st.lists(st.sampled_from(WORDS[:6]), min_size=len(lengths), max_size=len(lengths)))
    spans: dict[str, list[tuple[float, float]]] = {}
    for word, start, end in zip(shows, borders[:-1], borders[1:], strict=True):
        spans.setdefault(word, []).append((float(start), float(end)))
    tier = draw(st.sampled_from([Tier.WORKING, Tier.LONG_TERM]))
    return memory_of([Cell(word, visits, tier=tier) for word, visits in spans.items()])


@settings(max_examples=400, deadline=None)
@given(texts)
def test_parse_question_never_raises(text: str) -> None:
    """Any text becomes a question of a known intent with sane times."""
    question = parse_question(text)

    assert question.intent in INTENTS
    assert question.text == text
    assert (question.intent == "choose") == bool(question.choices)
    assert question.anchor is None or question.anchor
    if question.start_s is not None:
        assert question.start_s >= 0
    assert parse_question(text) == question


@settings(max_examples=60, deadline=None)
@given(texts, st.lists(st.text(max_size=20), max_size=4))
def test_parse_question_keeps_given_choices(text: str, choices: list[str]) -> None:
    """Choices given apart come back trimmed, in order, empty ones dropped."""
    question = parse_question(text, choices=choices)

    kept = tuple(choice.strip() for choice in choices if choice.strip())
    if kept:
        assert question.choices == kept


@settings(max_examples=200, deadline=None)
@given(texts, memories(), st.sampled_from([None, 3.0, 12.5]), st.integers(1, 6))
def test_find_claims_nothing_outside_what_was_asked(text, memory, at_s, top_k) -> None:
    """Evidence lies in the memory and before `at_s`, is sorted, numbered, bounded and stable."""
    question = parse_question(text)
    options = QueryOptions(top_k=top_k, at_s=at_s)

    findings = find(question, [memory], options)

    limit_s = memory.end_s if at_s is None else min(at_s, memory.end_s)
    for item in (*findings.evidence, *findings.candidates):
        assert memory.start_s <= item.start_s <= item.end_s <= limit_s
        assert item.start_s <= item.time_s <= item.end_s
        assert 0.0 <= item.score <= 1.0
    scores = [item.score for item in findings.evidence]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) <= top_k
    assert [item.id for item in findings.evidence] == [f"e{i + 1}" for i in range(len(scores))]
    assert 0.0 <= findings.confidence <= 1.0
    assert find(question, [memory], options) == findings
    assert put_into_words(question, findings)


@settings(max_examples=60, deadline=None)
@given(memories(), st.sampled_from(WORDS[:6]), st.floats(0, 100), st.floats(0, 100))
def test_times_stay_inside_a_range(memory, word: str, first: float, second: float) -> None:
    """With a range, evidence is clipped to it."""
    low, high = sorted((first, second))
    options = QueryOptions(start_s=low, end_s=high)

    findings = find(parse_question(f"when is it {word}?"), [memory], options)

    for item in findings.evidence:
        assert low <= item.start_s <= item.end_s <= max(high, low + 1e-9) or low == high


@settings(max_examples=60, deadline=None)
@given(memories(), st.sampled_from(WORDS[:6]))
def test_presence_and_absence_are_told_apart(memory, word: str) -> None:
    """A word is found exactly where its cells are, and nowhere if there are none."""
    seen = find(parse_question(f"is it {word}?"), [memory], QueryOptions())
    shown = any(np.argmax(key) == WORDS.index(word) for key in memory.snapshot.keys)

    assert seen.value is shown


@settings(max_examples=40, deadline=None)
@given(texts, memories(), st.integers(1, 5))
def test_search_returns_what_there_is(text: str, memory, top_k: int) -> None:
    """A search gives its `top_k` spans, or all there are, for any text."""
    found = search_text(text, [memory], QueryOptions(top_k=top_k))

    assert len(found) == min(top_k, len(memory.snapshot.span_cell))
