"""Share of the questions of ten public benchmarks that are parsed into what their category asks.

    python benchmarks/questions.py              # table, bars, results/question_coverage.json
    python benchmarks/questions.py --misses 0   # and what is missed in half 0 (by hash of the text)

Every question is parsed without its options (with them it is a `choose` question, which is measured
too). What a category implies is stated once for the category, in `CATEGORIES`, from what its
benchmark says the category is; no question has an expectation of its own. A category counts among
the temporal ones through its kind; there a question counts only if its text holds a word that names
the relation (`CUES`), because a text such as "hammer throw" does not say what is asked of it.
Rules were improved while looking at the misses of half 0 only. The bars are for both halves.
"""

import argparse
import hashlib
import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness

from streammem import parse_question
from streammem.core.types import Question

SHARED = Path(os.environ.get("STREAMMEM_SHARED", harness.REPOSITORY.parent / "shared"))
QUESTIONS = SHARED / "data" / "questions"
BAR = 0.9
Check = Callable[[Question], bool]

# What is asked is seen in pictures: at a named time, at present, as yes or no, or at a time that
# another event fixes. Which of them it is follows from the single text and not from the category.
SEEN = ("what_at", "now", "exists", "order", "count")
TIMED = ("what_at", "order", "count", "duration", "said", "read", "exists", "now", "describe")


def _intent(*intents: str) -> Check:
    return lambda question: question.intent in intents


def _related(*relations: str) -> Check:
    return lambda question: question.intent == "order" and question.relation in relations


def _in_seconds(question: Question) -> bool:
    known = question.start_s is not None or question.end_s is not None
    return known and question.intent in TIMED


def _recent(question: Question) -> bool:
    """The recent window beside an intent that comes before `now`, a summary of it, or `next`."""
    window = question.relative is not None and question.relative.kind == "from_end"
    named = {"now", "count", "duration", "order", "said", "read", "describe"}
    return (window and question.intent in named) or question.relation == "next"


def _moment(question: Question) -> bool:
    """A time, or the first, last or n-th one, which DESIGN 7 puts ahead of `when`."""
    return question.intent == "when" or _related("first", "last", "nth")(question)


def _time_or_length(question: Question) -> bool:
    return _moment(question) or question.intent in {"duration", "order"}


def _ranked(question: Question) -> bool:
    """An ordinal by itself, beside or inside another event, or a stretch ("the first minute")."""
    ranked = question.relation in {"first", "last", "nth"} or question.ordinal is not None
    bounded = question.relative is not None or question.end_s is not None
    anchors = (question.anchor_ordinal, question.anchor_end_ordinal)
    return ranked or bounded or any(rank is not None for rank in anchors)


def _around_event(question: Question) -> bool:
    related = question.relation in {"before", "after", "next", "between"}
    return related and question.intent in {"order", "count", "duration"}


_AFTER_WORDS = r"\b(?:after|once|next|then|following|finished|finishing)\b"
_NOW_WORDS = r"\b(?:right now|just now|now|currently|current|at the moment)\b"
_ORDER_WORDS = r"\b(?:order|sequence|sorts?|first|second|third|fourth|last|before|after|next)\b"
# Before these an ordinal is a name or a place: "the first aid kit", "the last frame".
_NO_RANK = "frame|aid|name|question|person|place|floor|row"
# The words by which a text names what is asked; plain, and no copies of the parser's patterns.
CUES: dict[str, str] = {
    "arrange": r"\b(?:order|sequence|arrange|scenes in the video change)\b",
    "before": r"\bbefore\b",
    "after": _AFTER_WORDS,
    "while": r"\b(?:when|while|as|during)\b",
    "steps": r"\b(?:before|after|next|first|last)\b",
    "order": _ORDER_WORDS,
    "next": r"\b(?:next|after|following|about to|going to|preparing to|planning to|ready to)\b",
    "count": r"\b(?:how many|how often|number of|count)\b",
    "clock": r"\d:\d\d",
    "now": _NOW_WORDS,
    "when": r"\b(?:when|moment|part|time|period|segment|point|duration)\b",
    "first_last": rf"\b(?:first|last|final)\b(?!\s+(?:{_NO_RANK})\b)",
    "duration": r"\bhow (?:long|much time)\b",
    "around": r"\b(?:before|after)\b",
}


@dataclass(frozen=True, slots=True)
class Expected:
    """What a category implies: its kind, what the parser must find, the cue, and the reason."""

    kind: str
    check: Check
    reason: str
    cue: str | None = None

    def named(self, text: str) -> bool:
        """Whether the text names what the category asks."""
        return self.cue is None or re.search(CUES[self.cue], text, re.IGNORECASE) is not None


CONTENT = "content"
_COUNT = Expected("count", _intent("count"), "a number of things or times", "count")
_NOW = Expected("now", _recent, "asked of the present picture of a stream", "now")
_NEXT = Expected("order", _related("next", "after"), "what comes next", "next")
_SEEN = Expected(CONTENT, _intent(*SEEN), "what pictures show, at any time")
_WRITTEN = Expected(
    CONTENT, _intent("read", *SEEN), "words or figures on screen, or what bears them"
)
_SUMMARY = Expected(CONTENT, _intent("describe", *SEEN), "a summary, or what the whole is about")
_ARRANGE = Expected(
    "order", _related("arrange", "first", "last", "nth"), "events in order", "arrange"
)
CATEGORIES: dict[tuple[str, str], Expected] = {
    ("MLVU", "count"): _COUNT,
    ("MLVU", "order"): _ARRANGE,
    ("MVBench", "action_count"): _COUNT,
    ("MVBench", "moving_count"): _COUNT,
    ("MVBench", "action_sequence"): Expected(
        "before/after", _related("before", "after", "next"), "what a person did around an action",
        "around"),
    ("MVBench", "action_prediction"): _NEXT,
    ("MVBench", "action_localization"): Expected(
        "when", _intent("when"), "the part of the video with an action", "when"),
    ("MVBench", "character_order"): Expected(
        "order", _related("arrange", "first", "last", "nth"), "the order of letters", "order"),
    ("MVBench", "scene_transition"): _ARRANGE,
    ("NExT-GQA", "temporal-current"): Expected(
        "order", _related("while"), "at the time of another action", "while"),
    ("NExT-GQA", "temporal-next"): Expected(
        "before/after", _related("after", "next"), "after another action", "after"),
    ("NExT-GQA", "temporal-previous"): Expected(
        "before/after", _related("before"), "before another action", "before"),
    ("OVO-Bench", "ASI"): Expected(
        "before/after", _related("before", "after", "next", "first", "last"),
        "the neighbouring step of an activity", "steps"),
    ("OVO-Bench", "FPD"): _NEXT,
    ("OVO-Bench", "REC"): Expected(
        "bare", _intent("when"), "a bare action; its count is asked elsewhere"),
    ("OVO-Bench", "SSR"): Expected(
        "bare", _intent("when"), "a bare step; whether it is done is asked elsewhere"),
    ("LVBench", "temporal grounding"): Expected(
        "time-stamped", _in_seconds, "what happens at a stated time", "clock"),
    ("StreamingBench", "Counting"): _COUNT,
    ("StreamingBench", "Prospective Reasoning"): _NEXT,
    ("StreamingBench", "Action Recognition"): _NOW,
    ("StreamingBench", "Attribute Recognition"): _NOW,
    ("StreamingBench", "Emotion Recognition"): _NOW,
    ("StreamingBench", "Misleading Context Understanding"): _NOW,
    ("StreamingBench", "Object Recognition"): _NOW,
    ("StreamingBench", "Spatial Understanding"): _NOW,
    ("StreamingBench", "Text-Rich Understanding"): _NOW,
    ("StreamingBench", "Multimodal Alignment"): Expected(
        CONTENT, _intent("said"), "the scene that goes with spoken words"),
    ("StreamingBench", "Source Discrimination"): Expected(
        CONTENT, _intent("said"), "who spoke some words"),
    ("StreamingBench", "Proactive Output"): Expected(
        "when", _moment, "to be told at the time of an event", "when"),
    ("StreamingBench", "Clips Summarize"): _SUMMARY,
    ("StreamingBench", "Anomaly Context Understanding"): _SUMMARY,
    ("StreamingBench", "Scene Understanding"): _SUMMARY,
    ("StreamingBench", "Sequential Question Answering"): _WRITTEN,
    ("Video-MME", "Counting Problem"): _COUNT,
    ("Video-MME", "Temporal Reasoning"): Expected(
        "order", _related("arrange", "first", "last", "nth", "before", "after", "next", "between"),
        "order of events", "order"),
    ("Video-MME", "Temporal Perception"): Expected(
        "when", _time_or_length, "when something is, and for how long", "when"),
    ("Video-MME", "OCR Problems"): _WRITTEN,
    ("Video-MME", "Information Synopsis"): _SUMMARY,
    ("OVO-Bench", "OCR"): _WRITTEN,
    ("LVBench", "summarization"): _SUMMARY,
    ("LVBench", "key information retrieval"): _WRITTEN,
    ("MLVU", "topic_reasoning"): _SUMMARY,
    ("EgoPlan-Bench", "next-step planning"): _NEXT,
    ("EgoSchema", "EgoSchema"): _SUMMARY,
    ("LongerVideos", "open-ended over long video sets"): Expected(
        CONTENT, _intent("describe", "said", *SEEN), "a text on what videos say and show"),
}  # fmt: skip
# The same by words over all categories, for kinds that no benchmark has a category of.
WORDINGS: dict[str, Expected] = {
    "count": Expected("count", _intent("count", "duration"), "", "count"),
    "duration": Expected("duration", _intent("duration"), "", "duration"),
    "before/after": Expected("before/after", _around_event, "", "around"),
    "first/last": Expected("first/last", _ranked, "", "first_last"),
    "time-stamped": Expected("time-stamped", _in_seconds, "", "clock"),
    "now": Expected("now", _recent, "", "now"),
}
TEMPORAL = (
    "order",
    "count",
    "before/after",
    "time-stamped",
    "first/last",
    "duration",
    "now",
    "when",
)


def half_of(text: str) -> int:
    """The half that a question belongs to; equal texts are in the same one."""
    normal = " ".join(text.lower().split())
    return hashlib.sha256(normal.encode()).digest()[0] & 1


def expected_of(source: str, category: str) -> Expected:
    """What a category implies; one that is not listed asks what pictures show."""
    return CATEGORIES.get((source, category), _SEEN)


def read_questions(folder: Path = QUESTIONS) -> list[dict[str, Any]]:
    """All questions, in the order of the files' names and lines."""
    return [
        json.loads(line)
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


@dataclass(slots=True)
class Tally:
    """Questions and hits per half."""

    asked: list[int]
    right: list[int]

    @classmethod
    def empty(cls) -> "Tally":
        """Nothing counted yet."""
        return cls([0, 0], [0, 0])

    def add(self, half: int, *, hit: bool) -> None:
        """Count one question."""
        self.asked[half] += 1
        self.right[half] += hit

    def share(self, half: int | None = None) -> float | None:
        """The share of hits in one half or both; None where nothing was asked."""
        asked = sum(self.asked) if half is None else self.asked[half]
        right = sum(self.right) if half is None else self.right[half]
        return right / asked if asked else None

    def figures(self) -> dict[str, Any]:
        """What the result file holds."""
        shares = {"share": self.share(), "half_0": self.share(0), "half_1": self.share(1)}
        return {"questions": sum(self.asked)} | {
            name: None if value is None else round(value, 4) for name, value in shares.items()
        }


def measure(questions: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    """The figures of all categories, kinds and wordings, and the questions that were missed."""
    tallies: dict[tuple[str, str], Tally] = defaultdict(Tally.empty)
    categories: dict[tuple[str, str], int] = defaultdict(int)
    misses: list[tuple[Any, ...]] = []
    for item in questions:
        source, category, text = item["source"], item["category"], item["question"]
        half, parsed = half_of(text), parse_question(text)
        expected = expected_of(source, category)
        categories[source, category] += 1
        if expected.named(text):
            hit = expected.check(parsed)
            tallies["category", f"{source}: {category}"].add(half, hit=hit)
            tallies["kind", expected.kind].add(half, hit=hit)
            if expected.kind in TEMPORAL:
                tallies["temporal", "all"].add(half, hit=hit)
            if not hit:
                misses.append((half, f"{source}: {category}", parsed, text))
        for name, wording in WORDINGS.items():
            if wording.named(text):
                hit = wording.check(parsed)
                tallies["wording", name].add(half, hit=hit)
                if not hit:
                    misses.append((half, f"wording {name}", parsed, text))
        chosen = parse_question(text, choices=item["options"]) if item.get("options") else None
        if chosen is not None:
            tallies["options", "choose"].add(half, hit=chosen.intent == "choose")
    rows = [_row(source, category, count, tallies["category", f"{source}: {category}"])
            for (source, category), count in sorted(categories.items())]  # fmt: skip
    parts: dict[str, Any] = {"kind": {}, "wording": {}, "options": {}}
    for (part, name), tally in sorted(tallies.items()):
        if part in parts:
            parts[part][name] = tally.figures()
    return {"categories": rows, "temporal": tallies["temporal", "all"].figures(), **parts}, misses


def _row(source: str, category: str, count: int, tally: Tally) -> dict[str, Any]:
    expected = expected_of(source, category)
    named = tally.figures()
    row = {
        "source": source,
        "category": category,
        "kind": expected.kind,
        "implies": expected.reason,
    }
    return {**row, "questions": count, "named": named.pop("questions"), **named}


def bars_of(figures: Mapping[str, Any]) -> dict[str, bool]:
    """Every temporal kind, by category and by wording; and all of them together, in each half."""
    bars = {
        f"{kind} by {'category' if part == 'kind' else part}: at least {BAR:.0%}":
            values["share"] >= BAR
        for part in ("kind", "wording")
        for kind, values in figures[part].items()
        if kind in TEMPORAL
    }  # fmt: skip
    for half in ("half_0", "half_1"):
        share = figures["temporal"][half]
        bars[f"temporal categories, {half}: at least {BAR:.0%}"] = share >= BAR
    return bars


def markdown(figures: Mapping[str, Any]) -> list[str]:
    """The tables of `docs/questions.md`, one list of lines."""
    lines = ["| kind | questions | share | half 0 | half 1 |", "| --- | --- | --- | --- | --- |"]
    shown = {**figures, "temporal": {"all temporal": figures["temporal"]}}
    for part, label in (
        ("temporal", "category"),
        ("kind", "category"),
        ("wording", "wording"),
        ("options", "with options"),
    ):
        for kind, values in shown[part].items():
            cells = " | ".join(_percent(values[name]) for name in ("share", "half_0", "half_1"))
            lines.append(f"| {kind} (by {label}) | {values['questions']} | {cells} |")
    heads = "benchmark category implies kind questions named share half-0 half-1".split()  # noqa: SIM905
    lines += ["", f"| {' | '.join(heads)} |".replace("-", " "), f"|{' --- |' * len(heads)}"]
    for row in figures["categories"]:
        cells = " | ".join(_percent(row[name]) for name in ("share", "half_0", "half_1"))
        names = " | ".join(row[name] for name in ("source", "category", "implies", "kind"))
        lines.append(f"| {names} | {row['questions']} | {row['named']} | {cells} |")
    return lines


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"


def main() -> int:
    """Measure, print, write; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=QUESTIONS, help="the .jsonl files")
    parser.add_argument("--misses", type=int, choices=(0, 1), help="print the misses of this half")
    parser.add_argument("--out", type=Path, default=harness.RESULTS / "question_coverage.json")
    options = parser.parse_args()
    figures, misses = measure(read_questions(options.folder))
    bars = bars_of(figures)
    print("\n".join(markdown(figures)))
    for half, where, parsed, text in misses:
        if half == options.misses:
            print(f"{where} -> {parsed.intent}/{parsed.relation} {parsed.phrase!r}: {text}")
    for bar, met in bars.items():
        print(f"{'ok  ' if met else 'MISS'} {bar}")
    harness.write_result(options.out, {"bars": bars, **figures})
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
