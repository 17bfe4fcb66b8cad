"""The score of a public benchmark by its own rule, with what could not be asked beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streammem.bench.asking.formats import (
    ANSWERABLE,
    CHOICE,
    COUNT,
    OPEN,
    RULES,
    YES_NO,
    PublicQuestion,
)
from streammem.bench.statistics import estimate

_LISTED = 5


@dataclass(frozen=True, slots=True)
class Asking:
    """What came of one question: the option taken by its place, the value, the words."""

    choice: int | None
    value: float | bool | None
    abstained: bool
    text: str = ""


def is_right(question: PublicQuestion, asking: Asking) -> bool:
    """Whether an answer is right by the benchmark's rule; an abstention from a choice is not."""
    if question.kind == CHOICE:
        return asking.choice is not None and asking.choice == question.right
    if question.kind == COUNT:
        return asking.value is not None and float(asking.value) == question.right
    if question.kind == YES_NO:
        # Not seen to happen is a no.
        return bool(asking.value) == bool(question.right)
    if question.kind == ANSWERABLE:
        return asking.abstained != bool(question.right)
    raise ValueError(f"{question.kind} questions are not scored")


def standing(
    name: str,
    asked: Sequence[PublicQuestion],
    answers: Mapping[str, Asking],
    unreadable: Mapping[str, str],
) -> dict[str, Any]:
    """Right answers by category and group, the score, and what is missing, by name."""
    scored = [q for q in asked if q.kind != OPEN and q.id in answers]
    verdicts = {question.id: is_right(question, answers[question.id]) for question in scored}
    answered = {question.video for question in asked if question.id in answers}
    wanted = {question.video for question in asked}
    categories = _shares(scored, verdicts, "category")
    groups = _shares(scored, verdicts, "group") if any(q.group for q in scored) else {}
    return {
        "benchmark": name,
        "rule": RULES[name].words,
        "score": _score(name, scored, verdicts, categories),
        "questions": len(asked),
        "scored": len(scored),
        "right": sum(verdicts.values()),
        "abstained": sum(answers[question.id].abstained for question in scored),
        "open": sum(question.kind == OPEN for question in asked),
        "categories": categories,
        "groups": groups,
        "videos": {"wanted": len(wanted), "asked": len(answered)},
        "missing_videos": sorted(wanted - answered - unreadable.keys()),
        "unreadable_videos": dict(sorted(unreadable.items())),
    }


def _shares(
    scored: Sequence[PublicQuestion], verdicts: Mapping[str, bool], field: str
) -> dict[str, dict[str, Any]]:
    """Right answers by a field of the questions, with bootstrap intervals."""
    found: dict[str, list[float]] = {}
    for question in scored:
        found.setdefault(getattr(question, field), []).append(float(verdicts[question.id]))
    return {name: estimate(values).to_json() for name, values in sorted(found.items())}


def _score(
    name: str,
    scored: Sequence[PublicQuestion],
    verdicts: Mapping[str, bool],
    categories: Mapping[str, Mapping[str, Any]],
) -> float | None:
    """The benchmark's one figure, None where nothing was scored."""
    if not scored:
        return None
    rule = RULES[name].mean_of
    if rule == "questions":
        return sum(verdicts.values()) / len(scored)
    if rule == "categories":
        return _mean([float(share["mean"]) for share in categories.values()])
    group_of = {question.category: question.group for question in scored}
    by_group: dict[str, list[float]] = {}
    for category, share in categories.items():
        by_group.setdefault(group_of[category], []).append(float(share["mean"]))
    return _mean([_mean(shares) for shares in by_group.values()])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def standing_table(document: Mapping[str, Any]) -> str:
    """The result for a terminal: a category a line."""
    (result,) = document["results"]
    shares = {**result["categories"], **{f"[{k}]": v for k, v in result["groups"].items()}}
    width = max((len(name) for name in shares), default=0)
    lines = [f"{result['benchmark']}, answerer {document['answerer']}: {result['rule']}"]
    for name, share in shares.items():
        low, mean, high = (share[key] for key in ("low", "mean", "high"))
        lines.append(f"  {name:<{width}}  {mean:.3f} [{low:.2f}, {high:.2f}]  of {share['count']}")
    score = "nothing to score" if result["score"] is None else f"{result['score']:.3f}"
    lines.append(f"score {score}: {result['right']} of {result['scored']} right")
    lines.append(
        f"{result['abstained']} abstained; {result['open']} without a right option are not scored"
    )
    videos = result["videos"]
    lines.append(f"{videos['asked']} of {videos['wanted']} videos were asked")
    lines += _named("not in the folder, so not asked", result["missing_videos"])
    unread = [f"{video} ({reason})" for video, reason in result["unreadable_videos"].items()]
    lines += _named("not readable, so not asked", unread)
    return "\n".join(lines)


def _named(title: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - _LISTED} more (all in --json)" if len(names) > _LISTED else ""
    return [f"{title}: {', '.join(names[:_LISTED])}{more}"]
