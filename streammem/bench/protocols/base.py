"""What every protocol is: cases to measure, how to measure one, and what to show."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from streammem.bench.request import BenchRequest
from streammem.bench.trials import Case, Row, Trial


@dataclass(frozen=True, slots=True)
class Column:
    """One figure of a table: a metric of a case, `higher` where more is better."""

    metric: str
    title: str
    higher: bool = True


def _possible(_request: BenchRequest) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Protocol:
    """One experiment.

    `cases` lists what a request asks for; `measure` yields a row for every policy of a trial;
    `columns` are the figures of its table, the first of which is compared between policies.
    `axis` names what cases differ in (`load`, `frames`, `budget_bytes`), None where they are
    different streams. `alone` protocols measure time and memory: they run one at a time, each
    policy in a fresh process. `lacking` says what a request lacks for it, None for nothing.
    `seeded` is False where there is nothing random in a stream and one seed says it all.
    """

    name: str
    title: str
    cases: Callable[[BenchRequest], list[Case]]
    measure: Callable[[Trial], Iterator[Row]]
    columns: tuple[Column, ...]
    axis: str | None = None
    alone: bool = False
    seeded: bool = True
    lacking: Callable[[BenchRequest], str | None] = _possible


def budgets(request: BenchRequest, default: tuple[int, ...]) -> tuple[int, ...]:
    """The budgets to use: those asked for, else the protocol's own."""
    return request.budgets_bytes or default
