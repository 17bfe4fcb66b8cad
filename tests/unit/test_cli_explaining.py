"""`ask --explain`: the whole way from the words to the answer, readable in 80 columns."""

import json

import pytest

from streammem.query.engine import QueryOptions, find
from streammem.query.parse import parse_question
from streammem_cli import documents
from streammem_cli.explaining import explanation
from tests.unit._query_world import Cell, memory_of

CLIP = memory_of(
    [
        Cell("red", [(0, 10), (25, 30)]),
        Cell("dog", [(10, 15), (50, 53)]),
        Cell("green", [(15, 25), (30, 50)]),
    ]
)
QUESTIONS = [
    "when does the dog appear?",
    "how long is it red after the first dog?",
    "is the moon there?",
    "what comes after the second red one?",
    "which appears most often, the dog or the green one?",
    "how many times does the dog appear before 0:40?",
    "is it still red?",
    "describe the video",
    "what did she say?",
    "when does the oscilloscope appear?",
    "",
]


def explain(text: str, **options) -> dict:
    found = find(parse_question(text), [CLIP], QueryOptions(explain=True, **options))
    return found.explain


@pytest.mark.parametrize("text", QUESTIONS)
def test_an_explanation_fits_eighty_columns(text: str) -> None:
    """Plan, searches, steps and result, for every kind of question."""
    lines = explanation(explain(text))

    assert max(map(len, lines)) <= 80
    assert {"plan", "memories"} <= set(lines)
    assert any(line.startswith("searches") for line in lines)
    assert any(line.startswith("steps") for line in lines)
    assert lines[-1].startswith("result: confidence")


def test_the_arithmetic_is_told() -> None:
    """The anchor, the time it leaves, the parts inside and their sum."""
    text = "\n".join(explanation(explain("how long is it red after the first dog?")))

    steps = text.split("\nsteps\n")[1]
    assert [line.strip() for line in steps.splitlines()] == [
        "1. anchor: visit 1 of 'the dog'",
        "00:00:10.000 - 00:00:15.000",
        "2. after: the time after 'the dog'",
        "00:00:15.000 - 00:00:53.000",
        "3. within: visits of 'red' in that time",
        "00:00:25.000 - 00:00:30.000",
        "4. duration: 'red' after 'the dog' = 5.0",
        "00:00:25.000 - 00:00:30.000",
        "result: confidence 1.00, value 5.0",
    ]


def test_candidates_come_with_their_calibration() -> None:
    """From the cosine to the z that was needed and the confidence it gives."""
    text = "\n".join(explanation(explain("when does the dog appear?")))

    assert "'the dog' in pictures: found, clip, 00:00:00.000 to 00:00:53.000" in text
    assert "needed z 3.00; trust 1.00" in text
    assert "confidence = trust * 1 / (1 +" in text
    assert "00:00:10.000 - 00:00:15.000  z " in text


def test_many_candidates_are_counted() -> None:
    """The text lists a few, the document all that were kept."""
    cells = [Cell("dog", [(10.0 * n, 10.0 * n + 2) for n in range(9)]), Cell("red", [(3, 8)])]
    question = parse_question("when does the dog appear?")
    found = find(question, [memory_of(cells)], QueryOptions(explain=True))

    lines = explanation(found.explain)

    assert "    and 4 more" in lines
    assert len(found.explain["searches"][0]["candidates"]) == 9


def test_without_memories_there_is_nothing_to_tell() -> None:
    """An empty library explains nothing and does not fail."""
    assert explanation({}) == ["explanation: nothing was searched"]


def test_the_time_of_asking_is_part_of_the_plan() -> None:
    """`--at` stands in the explanation."""
    lines = explanation(explain("when does the dog appear?", at_s=20.0))

    assert any(line.split() == ["asked", "at", "00:00:20.000"] for line in lines)


def test_the_document_has_one_more_key_and_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--json --explain` adds `explain` and nothing else."""
    from streammem.core.types import Answer

    found = find(parse_question("is it red?"), [CLIP], QueryOptions(explain=True))
    answer = Answer(
        "is it red?", "exists", "Yes.", False, found.confidence, found.evidence, (), None,
        found.value, "words", "evidence", {}, explain=found.explain,
    )  # fmt: skip

    plain, full = (documents.answer_document("ask", answer, explain=flag) for flag in (False, True))

    assert set(full) - set(plain) == {"explain"}
    assert json.loads(json.dumps(full["explain"])) == full["explain"]
