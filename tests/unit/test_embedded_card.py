"""The card of the trained encoder: its figures are those of the manifest and of the benchmark."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from streammem.encoders.manifest import read_manifest

REPOSITORY = Path(__file__).resolve().parents[2]
MODEL = REPOSITORY / "models" / "embedded-v1"
MEASURED = {
    "agreement": {
        "pictures": 7, "sure_pictures": 3, "top1": 0.5, "top5": 0.75,
        "top1_where_teacher_is_sure": 0.6, "top5_where_teacher_is_sure": 0.8,
    },
    "coco": {"dog": 0.5}, "coco_map": 0.5, "spread": 1.25,
    "found": {"dog": 0.9, "cat": 0.6, "kite": 0.25},
    "clips": {"shown_found": 1, "shown": 2, "absent_found": 3, "absent": 4},
}  # fmt: skip
CLIPS = {
    way: {"right_clip": 0.125, "right_moment": 0.25}
    for way in ("descriptor", "embedded-v1", "teachers")
}


@pytest.fixture
def card(monkeypatch):
    """The module that renews the card."""
    monkeypatch.syspath_prepend(str(MODEL / "train"))
    yield importlib.import_module("card")
    sys.modules.pop("card", None)


@pytest.fixture(scope="module")
def text() -> str:
    """The card as it is shipped."""
    return (MODEL / "card.md").read_text(encoding="utf-8")


def test_the_card_has_the_nouns_of_the_manifest_and_the_figures_of_the_benchmark(card, text):
    nouns = read_manifest(MODEL).nouns
    measured = json.loads(card.RESULTS.read_text(encoding="utf-8"))
    agreed = measured["validation"]["agreement"]

    assert f"\n{len(nouns)} nouns, by average precision:" in text
    assert card._table_of(nouns) in text
    for name, way in card._WAYS.items():
        found = measured[way]
        assert f"| {name} | {found['right_clip']:.2f} | {found['right_moment']:.2f} |" in text
    assert f"| the classifier's class is first, of 1,000 | {agreed['top1']:.2f} |" in text


def test_a_new_release_changes_the_figures_and_no_word(card, text):
    renewed = card.renewed(text, {"dog": 0.91, "cat": 0.5, "kite": 0.2}, MEASURED, CLIPS)

    assert "\n3 nouns, by average precision:" in renewed
    assert "| 0.7 and more | dog 0.91 |\n| 0.5 to 0.7 | cat 0.50 |\n| less | kite 0.20 |" in renewed
    assert "| the teachers | 0.12 | 0.25 |" in renewed
    assert "| among the first five | 0.75 |" in renewed
    assert "learned background is 1.25." in renewed
    assert "fewer than 0.7: kite 0.25, cat 0.60.\n" in renewed
    kept = [
        line for line in text.splitlines() if not line.startswith("|") and " nouns, by" not in line
    ]
    assert [line for line in kept if line not in renewed] == [
        line for line in kept if "learned background" in line or "Found in fewer" in line
    ]


def test_a_card_without_its_places_is_refused(card):
    with pytest.raises(ValueError, match="is in the card 0 times"):
        card.renewed("# embedded-v1\n", {"dog": 0.9}, MEASURED, CLIPS)
