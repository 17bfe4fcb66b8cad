"""Runs the protocols of a request: lists trials, measures what the journal lacks, reports."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streammem.bench import tables
from streammem.bench.bars import bars
from streammem.bench.contestants import contestants
from streammem.bench.document import Measured
from streammem.bench.events import BenchEvent, OnBenchEvent
from streammem.bench.journal import Journal
from streammem.bench.machine import machine
from streammem.bench.pool import Pool
from streammem.bench.protocols import PROTOCOLS
from streammem.bench.protocols.base import Protocol
from streammem.bench.request import BenchRequest
from streammem.bench.trials import Case, Key, Row, Trial
from streammem.core import SCHEMA_VERSION
from streammem.core.errors import Interrupted, MissingError, UsageError


@dataclass(frozen=True, slots=True)
class BenchRun:
    """What a run gave: the result document, its tables as text, files written, failures."""

    document: dict[str, Any]
    text: str
    files: tuple[Path, ...]
    failures: tuple[str, ...]


@dataclass(slots=True)
class _Plan:
    """What is to be measured, and what has been."""

    protocols: list[Protocol]
    cases: dict[str, list[Case]]
    policies: tuple[str, ...]
    seeds: tuple[int, ...]
    rows: dict[Key, Row] = field(default_factory=dict)

    def seeds_of(self, protocol: Protocol) -> tuple[int, ...]:
        return self.seeds if protocol.seeded else self.seeds[:1]

    def trials(self, protocol: Protocol) -> Iterator[Trial]:
        """What the rows lack, seed by seed, so that a stopped run has covered every case."""
        for seed in self.seeds_of(protocol):
            for case in self.cases[protocol.name]:
                whole = Trial(case, seed, self.policies)
                missing = [name for name in self.policies if whole.key(name) not in self.rows]
                groups = [[name] for name in missing] if protocol.alone else [missing]
                for group in groups:
                    if group:
                        yield Trial(case, seed, tuple(group))

    def keys(self) -> Iterator[Key]:
        """Every measurement of the plan."""
        for protocol in self.protocols:
            for case in self.cases[protocol.name]:
                for seed in self.seeds_of(protocol):
                    yield from (Key(case.id, policy, seed) for policy in self.policies)


def run_memory_bench(
    request: BenchRequest,
    *,
    on_event: OnBenchEvent | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> BenchRun:
    """Measure what the request asks for; with `out`, go on where a stopped run ended.

    Raises:
        UsageError: a name or a number is unknown, or the output folder holds other figures.
        MissingError: a protocol that was named lacks its data.
        Interrupted: `should_stop` said so; the journal of `out` holds what was finished.
    """
    report = on_event or _ignore
    stop = should_stop or _never
    started_at = time.monotonic()
    plan = _plan(request, report)
    if request.out is None:
        _measure(plan, request, report, stop, _keep_nothing)
    else:
        with Journal(request.out, fresh=request.fresh) as journal:
            plan.rows.update(journal.rows)
            _measure(plan, request, report, stop, journal.add)
    document = _document(plan, request, time.monotonic() - started_at)
    failures = tuple(_failures(plan))
    files = _write(document, request.out, report) if request.out is not None else ()
    return BenchRun(document, tables.text_tables(document), files, failures)


def _ignore(_event: BenchEvent) -> None:
    """The event receiver of callers who want none."""


def _never() -> bool:
    return False


def _keep_nothing(_row: Row) -> None:
    """The journal of a run without an output folder."""


def _plan(request: BenchRequest, report: OnBenchEvent) -> _Plan:
    request.check()
    for name in request.protocols:
        if name not in PROTOCOLS:
            raise UsageError(
                f"there is no protocol {name!r}", hint=f"one of {', '.join(PROTOCOLS)}"
            )
    chosen = []
    for protocol in [PROTOCOLS[name] for name in request.protocols or PROTOCOLS]:
        lacking = protocol.lacking(request)
        if lacking is None:
            chosen.append(protocol)
        elif protocol.name in request.protocols:
            raise MissingError(f"the protocol {protocol.name} needs {lacking}")
        else:
            report(BenchEvent("note", message=f"without {protocol.name}: it needs {lacking}"))
    cases = {protocol.name: protocol.cases(request) for protocol in chosen}
    policies = contestants(request.policies, request.cells)
    return _Plan(chosen, cases, policies, request.seed_numbers())


def _measure(
    plan: _Plan,
    request: BenchRequest,
    report: OnBenchEvent,
    stop: Callable[[], bool],
    keep: Callable[[Row], None],
) -> None:
    keys = set(plan.keys())
    done = len(keys & plan.rows.keys())
    report(BenchEvent("resumed" if done else "started", done, len(keys)))
    # What measures time comes last, when nothing else of this run is at work.
    for protocol in sorted(plan.protocols, key=lambda one: one.alone):
        trials = list(plan.trials(protocol))
        pool = Pool(1 if protocol.alone else request.jobs, fresh=protocol.alone)
        for row in pool.rows(trials, stop):
            plan.rows[row.key] = row
            done += 1
            if row.failed is not None:
                report(BenchEvent("failed", done, len(keys), _failure(row)))
            else:
                keep(row)
            report(BenchEvent("progress", done, len(keys), protocol.name))
        if stop():
            raise Interrupted(
                f"stopped after {done} of {len(keys)} measurements",
                hint="the same command with the same --out goes on" if request.out else None,
            )
    report(BenchEvent("done", done, len(keys)))


def _failure(row: Row) -> str:
    return f"{row.key.policy}, seed {row.key.seed}: {row.failed}"


def _failures(plan: _Plan) -> Iterator[str]:
    wanted = set(plan.keys())
    for row in plan.rows.values():
        if row.failed is not None and row.key in wanted:
            yield _failure(row)


def _document(plan: _Plan, request: BenchRequest, elapsed_s: float) -> dict[str, Any]:
    results = [
        Measured(
            protocol,
            plan.cases[protocol.name],
            plan.policies,
            plan.seeds_of(protocol),
            plan.rows,
        ).to_json()
        for protocol in plan.protocols
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "command": "bench memory",
        "command_line": request.command_line,
        "machine": machine(),
        "seeds": list(plan.seeds),
        "tuning": request.tuning,
        "policies": list(plan.policies),
        "elapsed_s": round(elapsed_s, 1),
        "bars": [bar.to_json() for bar in bars(results)],
        "results": results,
    }


def _write(document: Mapping[str, Any], folder: Path, report: OnBenchEvent) -> tuple[Path, ...]:
    """`results.json`, `table.md` and, where matplotlib is there, the plots."""
    from streammem.bench import _plots

    written = [
        _write_text(folder / "results.json", json.dumps(document, indent=1) + "\n"),
        _write_text(folder / "table.md", tables.markdown(document)),
    ]
    try:
        written += _plots.draw(document, folder)
    except MissingError as error:
        report(BenchEvent("note", message=f"{error.message}; {error.hint}"))
    return tuple(written)


def _write_text(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
