"""What the benches share: a plan of measurements, their rows, the journal and the document."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from streammem.bench.bars import Bar
from streammem.bench.document import Described, Measured
from streammem.bench.events import BenchEvent, OnBenchEvent
from streammem.bench.journal import MEASURED, Journal
from streammem.bench.pool import Pool
from streammem.bench.trials import Case, Key, Row, Trial
from streammem.core import SCHEMA_VERSION
from streammem.core.errors import Interrupted


@dataclass(frozen=True, slots=True)
class BenchRun:
    """What a run gave: the result document, its tables as text, files written, failures."""

    document: dict[str, Any]
    text: str
    files: tuple[Path, ...]
    failures: tuple[str, ...]


class Measurable(Described, Protocol):
    """An experiment that a plan holds trials of."""

    @property
    def alone(self) -> bool:
        """Whether each policy is measured in a process of its own, when nothing else runs."""
        ...

    @property
    def seeded(self) -> bool:
        """Whether its streams differ from seed to seed."""
        ...


class Asked(Protocol):
    """What every request of a bench says."""

    @property
    def jobs(self) -> int:
        """Processes side by side."""
        ...

    @property
    def out(self) -> Path | None:
        """Folder of the journal and the results; None keeps nothing."""
        ...

    @property
    def fresh(self) -> bool:
        """Whether what the folder holds is measured anew."""
        ...

    @property
    def tuning(self) -> bool:
        """Whether the seeds are those that nothing may be reported on."""
        ...

    @property
    def command_line(self) -> str:
        """What the user typed."""
        ...


@dataclass(slots=True)
class Plan:
    """What is to be measured, and what has been."""

    protocols: Sequence[Measurable]
    cases: Mapping[str, Sequence[Case]]
    policies: tuple[str, ...]
    seeds: tuple[int, ...]
    rows: dict[Key, Row] = field(default_factory=dict)

    def seeds_of(self, protocol: Measurable) -> tuple[int, ...]:
        """All seeds, or the first where they make no difference."""
        return self.seeds if protocol.seeded else self.seeds[:1]

    def trials(self, protocols: Sequence[Measurable]) -> Iterator[Trial]:
        """What the rows lack, seed by seed, so that a stopped run has covered every case."""
        for seed in self.seeds:
            for protocol in protocols:
                if seed in self.seeds_of(protocol):
                    for case in self.cases[protocol.name]:
                        yield from self._trials(case, seed, alone=protocol.alone)

    def _trials(self, case: Case, seed: int, *, alone: bool) -> Iterator[Trial]:
        whole = Trial(case, seed, self.policies)
        missing = [name for name in self.policies if whole.key(name) not in self.rows]
        for group in [[name] for name in missing] if alone else [missing]:
            if group:
                yield Trial(case, seed, tuple(group))

    def keys(self) -> set[Key]:
        """Every measurement of the plan."""
        return {
            Key(case.id, policy, seed)
            for protocol in self.protocols
            for case in self.cases[protocol.name]
            for seed in self.seeds_of(protocol)
            for policy in self.policies
        }

    def failures(self) -> tuple[str, ...]:
        """What went wrong in the measurements of this plan."""
        wanted = self.keys()
        return tuple(
            _failure(row)
            for row in self.rows.values()
            if row.failed is not None and row.key in wanted
        )

    def results(self) -> list[dict[str, Any]]:
        """The entries of the document, one for each protocol."""
        return [
            Measured(
                protocol,
                self.cases[protocol.name],
                self.policies,
                self.seeds_of(protocol),
                self.rows,
            ).to_json()
            for protocol in self.protocols
        ]


@dataclass(frozen=True, slots=True)
class Stage:
    """Protocols whose trials are run side by side; `name` is what their progress shows."""

    name: str
    protocols: Sequence[Measurable]
    jobs: int
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Measuring:
    """One run: who asks, who is told, who stops it; `unit` is what its stop message counts."""

    request: Asked
    report: OnBenchEvent
    stop: Callable[[], bool]
    unit: str = "measurements"
    folders: Sequence[str] = MEASURED

    def run(self, plan: Plan, stages: Sequence[Stage]) -> None:
        """Fill the rows that the plan lacks; with `out`, from and into its journal.

        Raises:
            UsageError: the output folder holds figures of other code.
            Interrupted: told to stop; the journal holds what was finished.
        """
        if self.request.out is None:
            self._run(plan, stages, None)
            return
        with Journal(self.request.out, fresh=self.request.fresh, folders=self.folders) as journal:
            plan.rows.update(journal.rows)
            self._run(plan, stages, journal)

    def _run(self, plan: Plan, stages: Sequence[Stage], journal: Journal | None) -> None:
        keys = plan.keys()
        done = len(keys & plan.rows.keys())
        self.report(BenchEvent("resumed" if done else "started", done, len(keys)))
        for stage in stages:
            trials = list(plan.trials(stage.protocols))
            for row in Pool(stage.jobs, fresh=stage.fresh).rows(trials, self.stop):
                plan.rows[row.key] = row
                done += 1
                if row.failed is not None:
                    self.report(BenchEvent("failed", done, len(keys), _failure(row)))
                elif journal is not None:
                    journal.add(row)
                self.report(BenchEvent("progress", done, len(keys), stage.name))
            if self.stop():
                raise Interrupted(
                    f"stopped after {done} of {len(keys)} {self.unit}",
                    hint="the same command with the same --out goes on" if journal else None,
                )
        self.report(BenchEvent("done", done, len(keys)))


def _failure(row: Row) -> str:
    return f"{row.key.policy}, seed {row.key.seed}: {row.failed}"


def result_document(
    command: str,
    plan: Plan,
    request: Asked,
    *,
    machine: dict[str, Any],
    bars: Callable[[list[dict[str, Any]]], Sequence[Bar]],
    started_at: float,
) -> dict[str, Any]:
    """All that a run gave; `started_at` is its beginning on the monotonic clock, in seconds."""
    results = plan.results()
    return {
        "schema_version": SCHEMA_VERSION,
        "command": command,
        "command_line": request.command_line,
        "machine": machine,
        "seeds": list(plan.seeds),
        "tuning": request.tuning,
        "policies": list(plan.policies),
        "elapsed_s": round(time.monotonic() - started_at, 1),
        "bars": [bar.to_json() for bar in bars(results)],
        "results": results,
    }
