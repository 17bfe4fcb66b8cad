"""The protocols of `streammem bench questions`, by name, in the order they run."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from streammem.bench.asking import features, pixels
from streammem.bench.asking.request import QuestionsRequest
from streammem.bench.asking.templates import TASKS
from streammem.bench.protocols.base import Column
from streammem.bench.trials import Case, Row, Trial
from streammem.core.errors import UsageError

_COLUMNS = (
    *(Column(task, task) for task in TASKS if task != "absence"),
    Column("absence_f1", "absence F1"),
    Column("kendall", "Kendall tau"),
    Column("duration_error", "duration error", higher=False),
    Column("count_off_by_one", "count +-1"),
    Column("count_error", "count error", higher=False),
    Column("abstained", "abstained", higher=False),
)


@dataclass(frozen=True, slots=True)
class QuestionProtocol:
    """One experiment: scripts in one form. `measure` yields a row for every policy of a trial."""

    name: str
    title: str
    cases: Callable[[QuestionsRequest], list[Case]]
    measure: Callable[[Trial], Iterator[Row]]
    columns: tuple[Column, ...] = _COLUMNS
    axis: str | None = None
    alone: bool = False
    seeded: bool = True


QUESTION_PROTOCOLS: dict[str, QuestionProtocol] = {
    protocol.name: protocol
    for protocol in (
        QuestionProtocol(
            "features",
            "questions about event scripts that are shown as features",
            features.cases,
            features.measure,
        ),
        QuestionProtocol(
            "pictures",
            "questions about event scripts that are rendered as video",
            pixels.cases,
            pixels.measure,
        ),
    )
}


def chosen_protocols(names: Sequence[str]) -> list[QuestionProtocol]:
    """The protocols asked for, all for none.

    Raises:
        UsageError: a name is unknown.
    """
    for name in names:
        if name not in QUESTION_PROTOCOLS:
            raise UsageError(
                f"there is no protocol {name!r}", hint=f"one of {', '.join(QUESTION_PROTOCOLS)}"
            )
    return [QUESTION_PROTOCOLS[name] for name in names or QUESTION_PROTOCOLS]
