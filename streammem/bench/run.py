"""Runs the protocols of a request: lists trials, measures what the journal lacks, reports."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from streammem.bench import tables
from streammem.bench.bars import bars
from streammem.bench.contestants import contestants
from streammem.bench.events import BenchEvent, OnBenchEvent
from streammem.bench.machine import machine
from streammem.bench.measuring import BenchRun, Measuring, Plan, Stage, result_document
from streammem.bench.protocols import PROTOCOLS
from streammem.bench.protocols.base import Protocol
from streammem.bench.request import BenchRequest
from streammem.core.errors import MissingError, UsageError


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
    started_at = time.monotonic()
    request.check()
    protocols = _chosen(request, report)
    plan = Plan(
        protocols,
        {protocol.name: protocol.cases(request) for protocol in protocols},
        contestants(request.policies, request.cells),
        request.seed_numbers(),
    )
    stages = [
        Stage(one.name, [one], jobs=1 if one.alone else request.jobs, fresh=one.alone)
        # What measures time comes last, when nothing else of this run is at work.
        for one in sorted(protocols, key=lambda one: one.alone)
    ]
    Measuring(request, report, should_stop or _never).run(plan, stages)
    document = result_document(
        "bench memory", plan, request, machine=machine(), bars=bars, started_at=started_at
    )
    files = _write(document, request.out, report) if request.out is not None else ()
    return BenchRun(document, tables.text_tables(document), files, plan.failures())


def _ignore(_event: BenchEvent) -> None:
    """The event receiver of callers who want none."""


def _never() -> bool:
    return False


def _chosen(request: BenchRequest, report: OnBenchEvent) -> list[Protocol]:
    """The protocols asked for, or all that can run."""
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
    return chosen


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
