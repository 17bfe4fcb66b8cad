"""Public questions are parsed into what their category asks; the published figures are measured."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.golden._benchmark_scripts import load_script

REPOSITORY = Path(__file__).resolve().parents[2]
PUBLISHED = REPOSITORY / "benchmarks" / "results" / "question_coverage.json"
DOCUMENT = REPOSITORY / "docs" / "questions.md"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The benchmark as a module."""
    return load_script("questions")


@pytest.fixture(scope="module")
def figures(script: ModuleType, shared: Path) -> dict[str, Any]:
    """The coverage of the parser as it is."""
    folder = shared / "data" / "questions"
    if not folder.is_dir():
        pytest.skip("the public questions are absent from the shared folder")
    measured: dict[str, Any] = script.measure(script.read_questions(folder))[0]
    return measured


def test_all_questions_are_measured(figures: dict[str, Any]) -> None:
    """Ten benchmarks with 1,172 questions, in two halves of about the same size."""
    rows = figures["categories"]

    assert sum(row["questions"] for row in rows) == 1172
    assert len({row["source"] for row in rows}) == 10


def test_the_temporal_kinds_reach_their_bar(script: ModuleType, figures: dict[str, Any]) -> None:
    """At least 90 % of each temporal kind whose text names its relation, and of each half."""
    bars = script.bars_of(figures)

    assert {name.split(" by ")[0] for name in bars} >= {
        "order", "count", "before/after", "time-stamped", "first/last", "duration", "now",
    }  # fmt: skip
    assert [name for name, met in bars.items() if not met] == []


def test_with_options_every_question_is_a_choice(figures: dict[str, Any]) -> None:
    """Options given apart win over every reading of the text."""
    assert figures["options"]["choose"]["share"] == 1.0


def test_the_published_figures_are_those_of_the_parser(figures: dict[str, Any]) -> None:
    """A change of a rule that moves a figure renews the result file."""
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))

    assert {name: published[name] for name in figures} == figures


def test_the_document_shows_the_published_figures(script: ModuleType) -> None:
    """The tables of the document are those that the script prints."""
    lines = script.markdown(json.loads(PUBLISHED.read_text(encoding="utf-8")))

    assert DOCUMENT.read_text(encoding="utf-8").endswith("\n".join(lines) + "\n")


def test_every_expectation_is_of_a_category_that_exists(
    script: ModuleType, figures: dict[str, Any]
) -> None:
    """A misspelt category would silently fall back to what pictures show."""
    present = {(row["source"], row["category"]) for row in figures["categories"]}

    assert set(script.CATEGORIES) <= present
