"""Runs the question protocols: scripts that the journal lacks are asked, then the tables made."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streammem.bench.asking import tables
from streammem.bench.asking.bars import bars
from streammem.bench.asking.protocols import QuestionProtocol, chosen_protocols
from streammem.bench.asking.request import QuestionsRequest
from streammem.bench.contestants import OURS, contestants
from streammem.bench.document import Measured
from streammem.bench.events import BenchEvent, OnBenchEvent
from streammem.bench.journal import Journal, code_digest
from streammem.bench.machine import machine
from streammem.bench.pool import Pool
from streammem.bench.run import BenchRun
from streammem.bench.trials import Case, Key, Row, Trial
from streammem.core import SCHEMA_VERSION
from streammem.core.errors import Interrupted

MEASURED = ("bench", "memory", "encoders", "core", "query", "answer", "runtime", "storage", "video")
"""The folders of code that figures of questions depend on."""


@dataclass(slots=True)
class _Plan:
    """What is to be asked, and what has been."""

    protocols: Sequence[QuestionProtocol]
    cases: Mapping[str, Sequence[Case]]
    policies: tuple[str, ...]
    seeds: tuple[int, ...]
    rows: dict[Key, Row] = field(default_factory=dict)

    def trials(self) -> Iterator[Trial]:
        """What the rows lack, seed by seed."""
        for seed in self.seeds:
            for case in (case for cases in self.cases.values() for case in cases):
                whole = Trial(case, seed, self.policies)
                missing = [name for name in self.policies if whole.key(name) not in self.rows]
                if missing:
                    yield Trial(case, seed, tuple(missing))

    def keys(self) -> set[Key]:
        """Every measurement of the plan."""
        cases = [case for cases in self.cases.values() for case in cases]
        return {Key(c.id, p, s) for c in cases for p in self.policies for s in self.seeds}


def run_question_bench(
    request: QuestionsRequest,
    *,
    on_event: OnBenchEvent,
    should_stop: Callable[[], bool],
) -> BenchRun:
    """Ask what the request wants asked; with `out`, go on where a stopped run ended.

    Raises:
        UsageError: a name or a number is unknown, or the output folder holds other figures.
        Interrupted: `should_stop` said so; the journal of `out` holds what was finished.
    """
    request.check()
    started_at = time.monotonic()
    protocols = chosen_protocols(request.protocols)
    policies = contestants(request.policies or (OURS,), "fp16")
    cases = {protocol.name: protocol.cases(request) for protocol in protocols}
    plan = _Plan(protocols, cases, policies, request.seed_numbers())
    if request.out is None:
        _measure(plan, request, on_event, should_stop, None)
    else:
        with Journal(request.out, fresh=request.fresh, folders=MEASURED) as journal:
            plan.rows.update(journal.rows)
            _measure(plan, request, on_event, should_stop, journal)
    document = _document(plan, request, time.monotonic() - started_at)
    wanted = plan.keys()
    failures = tuple(
        _failure(row) for row in plan.rows.values() if row.failed is not None and row.key in wanted
    )
    files = _write(document, request.out) if request.out is not None else ()
    return BenchRun(document, tables.text_tables(document), files, failures)


def _measure(
    plan: _Plan,
    request: QuestionsRequest,
    report: OnBenchEvent,
    stop: Callable[[], bool],
    journal: Journal | None,
) -> None:
    keys = plan.keys()
    done = len(keys & plan.rows.keys())
    report(BenchEvent("resumed" if done else "started", done, len(keys)))
    for row in Pool(request.jobs).rows(list(plan.trials()), stop):
        plan.rows[row.key] = row
        done += 1
        if row.failed is not None:
            report(BenchEvent("failed", done, len(keys), _failure(row)))
        elif journal is not None:
            journal.add(row)
        report(BenchEvent("progress", done, len(keys), "scripts"))
    if stop():
        raise Interrupted(
            f"stopped after {done} of {len(keys)} scripts",
            hint="the same command with the same --out goes on" if request.out else None,
        )
    report(BenchEvent("done", done, len(keys)))


def _failure(row: Row) -> str:
    return f"{row.key.policy}, seed {row.key.seed}: {row.failed}"


def _document(plan: _Plan, request: QuestionsRequest, elapsed_s: float) -> dict[str, Any]:
    results = [
        Measured(
            protocol, plan.cases[protocol.name], plan.policies, plan.seeds, plan.rows
        ).to_json()
        for protocol in plan.protocols
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "command": "bench questions",
        "command_line": request.command_line,
        "machine": {**machine(), "code": code_digest(MEASURED)},
        "seeds": list(plan.seeds),
        "tuning": request.tuning,
        "policies": list(plan.policies),
        "elapsed_s": round(elapsed_s, 1),
        "bars": [bar.to_json() for bar in bars(results)],
        "results": results,
    }


def _write(document: Mapping[str, Any], folder: Path) -> tuple[Path, ...]:
    """`results.json` and `table.md`."""
    texts = {
        "results.json": json.dumps(document, indent=1) + "\n",
        "table.md": tables.markdown(document),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return tuple(folder / name for name in texts)
