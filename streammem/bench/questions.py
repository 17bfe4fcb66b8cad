"""Questions with known answers, and when a hit counts as one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from streammem.core.types import Floats
from streammem.memory import Hit

Span = tuple[float, float]
Spans = tuple[Span, ...]

NEEDLE_TOLERANCE_FRAMES = 5
GOOD_IOU = 0.5
TOP_K = 5


class Searchable(Protocol):
    """What a snapshot of any policy offers."""

    def search(
        self,
        query: Floats,
        top_k: int = 5,
        *,
        start_s: float | None = None,
        end_s: float | None = None,
    ) -> list[Hit]:
        """The spans that fit a query best, best first."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """A query `[D]` and the half-open spans that answer it. `kind` is `needle` or `event`.

    Both ends of a hit may be `tolerance_frames` away from a needle's.
    """

    kind: str
    query: Floats
    spans: Spans
    tolerance_frames: int = NEEDLE_TOLERANCE_FRAMES


def answers(question: Question, hit: Hit, step_s: float) -> bool:
    """Whether a hit is right.

    An event is found when the middle of the hit lies in one of its visits; a needle when both
    ends of the hit are within the tolerance, five frames, of the needle's, so that a hit as
    long as a scene does not pass for a moment in it. The bars of DESIGN 11 are stated so.
    """
    if question.kind == "event":
        middle_s = (hit.start_s + hit.end_s) / 2
        return any(start_s <= middle_s < end_s for start_s, end_s in question.spans)
    limit_s = question.tolerance_frames * step_s
    return any(
        abs(hit.start_s - start_s) <= limit_s and abs(hit.end_s - end_s) <= limit_s
        for start_s, end_s in question.spans
    )


def touches(question: Question, hit: Hit, step_s: float) -> bool:
    """Whether a hit is at least near: it overlaps a visit, its middle is by the needle."""
    if question.kind == "event":
        return any(hit.start_s < end_s and start_s < hit.end_s for start_s, end_s in question.spans)
    middle_s = (hit.start_s + hit.end_s) / 2
    limit_s = question.tolerance_frames * step_s
    return any(start_s - limit_s <= middle_s < end_s + limit_s for start_s, end_s in question.spans)


def temporal_iou(spans: Spans, hit: Hit) -> float:
    """Intersection over union of a hit with the span it fits best."""
    return max(_iou((hit.start_s, hit.end_s), span) for span in spans)


def _iou(first: Span, second: Span) -> float:
    shared_s = min(first[1], second[1]) - max(first[0], second[0])
    whole_s = max(first[1], second[1]) - min(first[0], second[0])
    return max(0.0, shared_s) / whole_s if whole_s > 0 else float(first == second)


def rank_of_first_right(question: Question, hits: Sequence[Hit], step_s: float) -> int | None:
    """1 for the first hit, None where none is right."""
    for rank, hit in enumerate(hits, 1):
        if answers(question, hit, step_s):
            return rank
    return None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one question went: rank of the first right hit, and of the best hit two other views."""

    kind: str
    rank: int | None
    near: bool
    iou: float

    @property
    def right(self) -> bool:
        """Whether the best hit is right."""
        return self.rank == 1


def judge(snapshot: Searchable, question: Question, step_s: float) -> Verdict:
    """Ask one question of a memory; a memory without a hit is wrong."""
    hits = snapshot.search(question.query, TOP_K)
    if not hits:
        return Verdict(question.kind, None, False, 0.0)
    rank = rank_of_first_right(question, hits, step_s)
    best = hits[0]
    near = touches(question, best, step_s)
    return Verdict(question.kind, rank, near, temporal_iou(question.spans, best))


def summarise(verdicts: Sequence[Verdict], prefix: str) -> dict[str, float]:
    """Figures of one kind of question; nothing for none.

    `r1` and `r5` are shares of questions whose first, or one of whose first five hits is right;
    `mrr` the mean of 1 / rank among five; `near` the share whose best hit at least touches;
    `iou50` the share whose best hit is right and overlaps with an IoU of at least 0.5; `iou`
    the mean of the best hits' IoU.
    """
    if not verdicts:
        return {}
    count = len(verdicts)
    return {
        f"{prefix}_r1": sum(one.right for one in verdicts) / count,
        f"{prefix}_r5": sum(one.rank is not None for one in verdicts) / count,
        f"{prefix}_mrr": sum(1 / one.rank for one in verdicts if one.rank is not None) / count,
        f"{prefix}_near": sum(one.near for one in verdicts) / count,
        f"{prefix}_iou50": sum(one.right and one.iou >= GOOD_IOU for one in verdicts) / count,
        f"{prefix}_iou": sum(one.iou for one in verdicts) / count,
    }


def ask_all(snapshot: Searchable, questions: Iterable[Question], step_s: float) -> dict[str, float]:
    """The figures of every kind of question asked."""
    verdicts: dict[str, list[Verdict]] = {}
    for question in questions:
        verdicts.setdefault(question.kind, []).append(judge(snapshot, question, step_s))
    metrics: dict[str, float] = {}
    for kind, of_kind in verdicts.items():
        metrics |= summarise(of_kind, kind)
    return metrics
