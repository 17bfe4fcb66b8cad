"""When an answer is right, task by task, and the figures of a task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streammem.bench.asking.templates import Asked
from streammem.bench.long_streams import STEP_S, TOLERANCE_FRAMES
from streammem.bench.trials import Metrics
from streammem.core.types import Evidence

TOLERANCE_S = TOLERANCE_FRAMES * STEP_S
DURATION_ERROR = 0.1


@dataclass(frozen=True, slots=True)
class Given:
    """An answer: what was found, and the names that it gives, best first."""

    evidence: Sequence[Evidence]
    value: float | bool | None
    choice: str | None
    names: Sequence[str] = ()

    @property
    def abstained(self) -> bool:
        """Whether it says that there is not enough evidence."""
        return not self.evidence and self.value is None and self.choice is None


def is_right(asked: Asked, given: Given) -> bool:
    """Whether one answer is right; an abstention never is.

    An event counts as named where the best evidence begins within five frames of it and overlaps
    it; seconds where they are within a tenth; an order where it is the whole order.
    """
    if asked.span_s is not None:
        return bool(given.evidence) and _is_event(asked.span_s, given.evidence[0])
    if asked.order:
        return list(asked.order) == _named_order(asked, given)
    if asked.name is not None:
        return asked.name in given.names[:1]
    if asked.choices:
        return given.choice == asked.choice
    if asked.task == "duration":
        return relative_error(asked, given) <= DURATION_ERROR
    return given.value is not None and given.value == asked.value


def _is_event(span_s: tuple[float, float], evidence: Evidence) -> bool:
    start_s, end_s = span_s
    overlaps = evidence.start_s < end_s and start_s < evidence.end_s
    return overlaps and abs(evidence.start_s - start_s) <= TOLERANCE_S


def relative_error(asked: Asked, given: Given) -> float:
    """How far seconds are off, as a share of the true ones; 1 where none are given."""
    truth = float(asked.value or 0.0)
    if given.value is None:
        return 1.0
    return abs(float(given.value) - truth) / truth


def _named_order(asked: Asked, given: Given) -> list[str]:
    """The names of the evidence in the order of time; evidence bears the name it is about."""
    found = sorted(given.evidence, key=lambda item: item.start_s)
    return [name for item in found for name in asked.order if name in (item.text or "")]


def kendall(asked: Asked, given: Given) -> float:
    """Kendall's tau of the order given with the true one; pairs not told count as wrong."""
    told = _named_order(asked, given)
    places = {name: place for place, name in enumerate(told)}
    agreements = [
        1 if first in places and second in places and places[first] < places[second] else -1
        for index, first in enumerate(asked.order)
        for second in asked.order[index + 1 :]
    ]
    return sum(agreements) / len(agreements)


@dataclass(frozen=True, slots=True)
class Judged:
    """One question with its answer and verdict; `right` of a choice means in every rotation."""

    asked: Asked
    given: Given
    right: bool


def metrics_of(judged: Sequence[Judged]) -> Metrics:
    """The figures of one stream: the share of right answers per task, and what the bars need."""
    by_task: dict[str, list[Judged]] = {}
    for item in judged:
        by_task.setdefault(item.asked.task, []).append(item)
    metrics = {task: _share(items) for task, items in by_task.items()}
    metrics |= _numbers(by_task)
    return metrics


def _share(items: Sequence[Judged]) -> float:
    return sum(item.right for item in items) / len(items)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _numbers(by_task: Mapping[str, Sequence[Judged]]) -> Metrics:
    metrics: Metrics = {}
    if counted := by_task.get("count"):
        errors = [abs(float(i.given.value or 0) - float(i.asked.value or 0)) for i in counted]
        metrics["count_off_by_one"] = _mean([error <= 1 for error in errors])
        metrics["count_error"] = _mean(errors)
    if lasting := by_task.get("duration"):
        metrics["duration_error"] = _mean([relative_error(i.asked, i.given) for i in lasting])
    if ordered := by_task.get("order"):
        metrics["kendall"] = _mean([kendall(item.asked, item.given) for item in ordered])
    if absent := by_task.get("absence"):
        metrics["absence_f1"] = _absence_f1(absent, by_task.get("exists", ()))
    everything = [item for items in by_task.values() for item in items]
    metrics["abstained"] = _mean([item.given.abstained for item in everything])
    return metrics


def _absence_f1(absent: Sequence[Judged], present: Sequence[Judged]) -> float:
    """F1 of saying "no" where something does not occur; an abstention says nothing."""
    found = sum(item.right for item in absent)
    wrongly = sum(item.given.value is False for item in present)
    return 2 * found / (len(absent) + found + wrongly)
