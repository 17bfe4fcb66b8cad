"""Tests of samples/check_answer.py, which decides whether the demo passes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from samples import check_answer

TRUTH = {
    "video": "clip.mp4",
    "questions": [
        {
            "question": "when is it red?",
            "intent": "when",
            "expected_spans": [[1.0, 2.0], [5.0, 6.0]],
            "value": None,
            "choice": None,
            "abstain": False,
        }
    ],
}


def _expected(**changes: Any) -> dict[str, Any]:
    return {**TRUTH["questions"][0], **changes}  # type: ignore[index, dict-item]


def _answer(*spans: tuple[float, float], **changes: Any) -> dict[str, Any]:
    seen = {"memory_id": "clip", "score": 0.9, "channel": "vision", "tier": "working"}
    evidence = [{**seen, "start_s": start_s, "end_s": end_s} for start_s, end_s in spans]
    return {
        "question": "when is it red?",
        "answer": "text",
        "abstained": not spans,
        "value": None,
        "choice": None,
        "evidence": evidence,
        **changes,
    }


def test_faults_is_empty_when_first_evidence_overlaps_a_span() -> None:
    """Any overlap with any expected span is right."""
    assert check_answer.faults(_answer((5.9, 8.0)), _expected()) == []


@pytest.mark.parametrize("span", [(2.0, 5.0), (0.0, 1.0), (6.0, 7.0)])
def test_faults_names_first_evidence_that_only_touches(span: tuple[float, float]) -> None:
    """Spans are half-open: touching is not overlapping, and later evidence does not help."""
    found = check_answer.faults(_answer(span, (1.0, 2.0)), _expected())

    assert found == [
        f"the first evidence {span[0]:.3f}-{span[1]:.3f} s is in none of [[1.0, 2.0], [5.0, 6.0]]"
    ]


def test_faults_names_missing_evidence() -> None:
    """An abstention is wrong where the video shows the thing."""
    assert check_answer.faults(_answer(), _expected()) == ["there is no evidence"]


def test_faults_accepts_abstention_only_where_the_truth_abstains() -> None:
    """A question about what is not there must be answered by abstaining."""
    absent = _expected(abstain=True, expected_spans=[])

    assert check_answer.faults(_answer(), absent) == []
    assert check_answer.faults(_answer((1.0, 2.0)), absent) == [
        "answered what the video does not show"
    ]


@pytest.mark.parametrize(
    ("changes", "value", "right"),
    [
        ({"intent": "count", "value": 2}, 2, True),
        ({"intent": "count", "value": 2}, 3, False),
        ({"intent": "count", "value": 2}, None, False),
        ({"intent": "duration", "value": 4.0}, 4.9, True),
        ({"intent": "duration", "value": 4.0}, 5.1, False),
        ({"intent": "exists", "value": True}, True, True),
        ({"intent": "exists", "value": True}, None, False),
        ({"intent": "exists", "value": False, "expected_spans": []}, False, True),
        ({"intent": "exists", "value": False, "expected_spans": []}, True, False),
    ],
)
def test_faults_compares_value(changes: dict[str, Any], value: object, right: bool) -> None:
    """Counts and truth values must be equal, durations within a second."""
    found = check_answer.faults(_answer((1.0, 2.0), value=value), _expected(**changes))

    assert (found == []) is right


def test_faults_compares_choice() -> None:
    """The chosen option must be the right one."""
    expected = _expected(choice="yellow")

    assert check_answer.faults(_answer((1.0, 2.0), choice="yellow"), expected) == []
    assert check_answer.faults(_answer((1.0, 2.0), choice="red"), expected) == [
        "choice is 'red', right is 'yellow'"
    ]


def test_find_question_ignores_case_and_names_known_questions() -> None:
    """An unknown question is an error that lists what can be asked."""
    assert check_answer.find_question(TRUTH, " When is it RED? ")["intent"] == "when"
    with pytest.raises(ValueError, match=r"has no question 'x'; it has: when is it red\?"):
        check_answer.find_question(TRUTH, "x")


@pytest.mark.parametrize(
    ("stdin", "status", "stream", "text"),
    [
        (json.dumps(_answer((1.0, 2.0))), 0, "stdout", "evidence  clip 1.000-2.000 s"),
        (json.dumps(_answer((3.0, 4.0))), 1, "stderr", "WRONG     the first evidence 3.000-4.000"),
        ('{"error": {"message": "no memory"}}', 1, "stderr", "the command failed: no memory"),
        ("not json", 2, "stderr", "check_answer: Expecting value"),
    ],
)
def test_command_exits_by_result(
    tmp_path: Path, stdin: str, status: int, stream: str, text: str
) -> None:
    """Right is 0, wrong is 1, unusable input is 2; faults go to stderr."""
    truth = tmp_path / "clip.truth.json"
    truth.write_text(json.dumps(TRUTH), encoding="utf-8")

    done = subprocess.run(
        [sys.executable, check_answer.__file__, str(truth), "when is it red?"],
        input=stdin, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == status
    assert text in getattr(done, stream)
