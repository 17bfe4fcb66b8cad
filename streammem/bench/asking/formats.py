"""Question files of public benchmarks, as their authors publish them or as one record a line.

StreamingBench, OVO-Bench, Video-MME, MLVU, LVBench and EgoSchema. Each reader turns a file into
`PublicQuestion`s; which score a benchmark reports is in `RULES`.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from streammem.core.errors import UsageError
from streammem.core.timebase import parse_time
from streammem.query.options import option_text

OPEN = "open"
CHOICE, COUNT, YES_NO, ANSWERABLE = "choice", "count", "yes_no", "answerable"
_LETTERS = "ABCDEFGH"
_OVO_MODES = {
    **dict.fromkeys(("OCR", "ACR", "ATR", "STU", "FPD", "OJR"), "real-time"),
    **dict.fromkeys(("EPM", "ASI", "HLD"), "backward"),
    **dict.fromkeys(("REC", "SSR", "CRR"), "forward"),
}


@dataclass(frozen=True, slots=True)
class PublicQuestion:
    """One question of a benchmark.

    `kind`: `choice` (`right` is the place of the right option), `count` and `yes_no` (`right` is
    the number, 1 or 0), `answerable` (1 where it can be answered by then), `open` (has no
    right option among its own, or needs a judge). `at_s` is when it is asked, None for the end;
    `group` is what the benchmark's overall score is a mean of.
    """

    id: str
    video: str
    category: str
    text: str
    kind: str
    options: tuple[str, ...] = ()
    right: int | None = None
    at_s: float | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """How a benchmark makes one score: a mean of `questions`, `categories` or `groups`."""

    mean_of: str
    words: str


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "streamingbench": Rule("questions", "share of all questions"),
        "ovo-bench": Rule("groups", "mean of the modes, each the mean of its tasks"),
        "video-mme": Rule("questions", "share of all questions; groups are durations"),
        "mlvu": Rule("categories", "M-Avg, the mean of the tasks"),
        "lvbench": Rule("questions", "share of all questions"),
        "egoschema": Rule("questions", "share of all questions"),
    }
)


def read_questions(name: str, path: Path) -> list[PublicQuestion]:
    """The questions of a file in a benchmark's format, in its order.

    Raises:
        UsageError: the format is unknown, or the file is not in it.
    """
    if name not in RULES:
        raise UsageError(f"there is no format {name!r}", hint=f"one of {', '.join(RULES)}")
    try:
        entries = _entries(path)
        plain = bool(entries) and "source" in entries[0] and "video_id" in entries[0]
        if name == "egoschema" and not plain:
            entries = _with_answers(entries, path.with_name("subset_answers.json"))
        reader = _plain if plain else _NATIVE[name]
        found = [question for entry in entries for question in reader(name, entry)]
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise UsageError(
            f"{path} is not a question file of {name}: {type(error).__name__} {error}",
            hint="take the file as its authors publish it",
            code="bad_questions",
        ) from error
    if not found:
        raise UsageError(f"{path} holds no question", code="bad_questions")
    return _numbered(found)


def _numbered(found: list[PublicQuestion]) -> list[PublicQuestion]:
    """The same questions; equal ids, as of a check that is listed twice, are told apart."""
    seen: Counter[str] = Counter()
    numbered = []
    for question in found:
        seen[question.id] += 1
        again = f" #{seen[question.id]}" if seen[question.id] > 1 else ""
        numbered.append(replace(question, id=question.id + again))
    return numbered


def _entries(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    data = json.loads(text)
    if isinstance(data, dict):
        data = next((value for value in data.values() if isinstance(value, list)), [])
    return list(data)


def _with_answers(entries: list[dict[str, Any]], answers: Path) -> list[dict[str, Any]]:
    """EgoSchema's questions with the answers that are public, which lie in a file beside them."""
    if not answers.exists():
        return entries
    known = json.loads(answers.read_text(encoding="utf-8"))
    return [{**e, "answer": known[e["q_uid"]]} if e["q_uid"] in known else e for e in entries]


def _place(answer: Any, options: Iterable[str]) -> int | None:
    """The place of the right option, which is given by place, letter or text."""
    listed = list(options)
    if isinstance(answer, int):
        return answer if 0 <= answer < len(listed) else None
    text = str(answer).strip()
    if re.fullmatch(r"\(?[A-H]\)?\.?", text):
        place = _LETTERS.index(text.strip("().")[0])
        return place if place < len(listed) else None
    said = [option_text(option).strip().rstrip(".").lower() for option in listed]
    wanted = option_text(text).strip().rstrip(".").lower()
    return said.index(wanted) if wanted in said else None


def _chosen(number: str, fields: Mapping[str, Any], options: Iterable[str]) -> PublicQuestion:
    listed = tuple(str(option) for option in options)
    right = _place(fields["answer"], listed) if listed and "answer" in fields else None
    return PublicQuestion(
        id=number,
        video=str(fields["video"]),
        category=str(fields["category"]),
        text=str(fields["question"]),
        kind=CHOICE if right is not None else OPEN,
        options=listed,
        right=right,
        at_s=fields.get("at_s"),
        group=str(fields.get("group", "")),
    )


def _plain(name: str, entry: Mapping[str, Any]) -> Iterator[PublicQuestion]:
    """One record a line: source, category, question, options, answer, asked_at_s, video_id."""
    category = str(entry["category"])
    group = _OVO_MODES.get(category, "") if name == "ovo-bench" else entry.get("duration_class", "")
    fields = {
        **entry, "video": entry["video_id"], "at_s": entry.get("asked_at_s"), "group": group,
    }  # fmt: skip
    number = f"{entry['video_id']}: {entry['question']}"
    if entry.get("checks"):
        yield from _checks(number, fields, entry["checks"])
    else:
        yield _chosen(number, fields, entry.get("options", ()))


def _checks(
    number: str, fields: Mapping[str, Any], checks: Iterable[Mapping[str, Any]]
) -> Iterator[PublicQuestion]:
    """OVO-Bench's forward tasks: the same thing asked again and again as the stream goes on."""
    category, text = str(fields["category"]), str(fields["question"])
    for check in checks:
        asked, kind, right = text, ANSWERABLE, check.get("type")
        if category == "REC":
            asked, kind, right = f"How many times did they {text}?", COUNT, check["count"]
        elif category == "SSR":
            step = check.get("step", text)
            asked, kind = f"Is the person now carrying out the step '{step}'?", YES_NO
        at_s = float(check["realtime"])
        yield PublicQuestion(
            id=f"{number} at {at_s:g}",
            video=str(fields["video"]),
            category=category,
            text=asked,
            kind=kind,
            right=int(right or 0),
            at_s=at_s,
            group=str(fields.get("group", "")),
        )


def _streamingbench(_name: str, entry: Mapping[str, Any]) -> Iterator[PublicQuestion]:
    for place, question in enumerate(entry["questions"]):
        fields = {
            "video": entry["video_path"],
            "category": question["task_type"],
            "question": question["question"],
            "answer": question.get("answer", question.get("ground_truth_output")),
            "at_s": parse_time(str(question["time_stamp"])),
        }
        number = f"{entry['video_path']} {entry.get('time', '')} {place}"
        yield _chosen(number, fields, question.get("options", ()))


def _ovo_bench(_name: str, entry: Mapping[str, Any]) -> Iterator[PublicQuestion]:
    task = str(entry["task"])
    fields = {"video": entry["video"], "category": task, "group": _OVO_MODES.get(task, "")}
    if "test_info" in entry:
        text = str(entry.get("activity") or entry.get("question") or "")
        yield from _checks(str(entry["id"]), {**fields, "question": text}, entry["test_info"])
        return
    fields |= {
        "question": entry["question"], "answer": entry["gt"], "at_s": float(entry["realtime"]),
    }  # fmt: skip
    yield _chosen(str(entry["id"]), fields, entry["options"])


def _video_mme(_name: str, entry: Mapping[str, Any]) -> Iterator[PublicQuestion]:
    """Questions one by one, or gathered by video as its scorer wants them."""
    for question in entry.get("questions", [entry]):
        fields = {
            "video": entry.get("videoID") or entry.get("url") or entry["video_id"],
            "category": question["task_type"],
            "question": question["question"],
            "answer": question["answer"],
            "group": entry["duration"],
        }
        yield _chosen(str(question["question_id"]), fields, question["options"])


def _mlvu(_name: str, entry: Mapping[str, Any]) -> Iterator[PublicQuestion]:
    fields = {**entry, "category": entry["question_type"]}
    number = f"{entry['video']}: {entry['question']}"
    yield _chosen(number, fields, entry.get("candidates", ()))


def _lvbench(_name: str, entry: Mapping[str, Any]) -> Iterator[PublicQuestion]:
    for question in entry["qa"]:
        stem, *options = re.split(r"\n\s*\([A-H]\)\s*", str(question["question"]))
        kinds = question["question_type"]
        fields = {
            "video": entry["key"],
            "category": kinds[0] if isinstance(kinds, list) else kinds,
            "question": stem,
            "answer": question["answer"],
        }
        yield _chosen(str(question["uid"]), fields, options)


def _egoschema(_name: str, entry: Mapping[str, Any]) -> Iterator[PublicQuestion]:
    options = [entry[key] for key in sorted(entry) if re.fullmatch(r"option \d", key)]
    fields: dict[str, Any] = {**entry, "video": entry["q_uid"], "category": "EgoSchema"}
    yield _chosen(str(entry["q_uid"]), fields, options)


Reader = Callable[[str, Mapping[str, Any]], Iterator[PublicQuestion]]
_NATIVE: Mapping[str, Reader] = MappingProxyType(
    {
        "streamingbench": _streamingbench,
        "ovo-bench": _ovo_bench,
        "video-mme": _video_mme,
        "mlvu": _mlvu,
        "lvbench": _lvbench,
        "egoschema": _egoschema,
    }
)
