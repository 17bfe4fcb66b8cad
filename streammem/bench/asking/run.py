"""Runs the question protocols: scripts that the journal lacks are asked, then the tables made."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from streammem.bench.asking import tables
from streammem.bench.asking.bars import bars
from streammem.bench.asking.protocols import chosen_protocols
from streammem.bench.asking.request import QuestionsRequest
from streammem.bench.contestants import OURS, contestants
from streammem.bench.events import OnBenchEvent
from streammem.bench.journal import code_digest
from streammem.bench.machine import machine
from streammem.bench.measuring import BenchRun, Measuring, Plan, Stage, result_document

MEASURED = ("bench", "memory", "encoders", "core", "query", "answer", "runtime", "storage", "video")
"""The folders of code that figures of questions depend on."""


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
    plan = Plan(
        protocols,
        {protocol.name: protocol.cases(request) for protocol in protocols},
        contestants(request.policies or (OURS,), "fp16"),
        request.seed_numbers(),
    )
    asking = Measuring(request, on_event, should_stop, unit="scripts", folders=MEASURED)
    asking.run(plan, [Stage("scripts", protocols, request.jobs)])
    document = result_document(
        "bench questions",
        plan,
        request,
        machine={**machine(), "code": code_digest(MEASURED)},
        bars=bars,
        started_at=started_at,
    )
    files = _write(document, request.out) if request.out is not None else ()
    return BenchRun(document, tables.text_tables(document), files, plan.failures())


def _write(document: Mapping[str, Any], folder: Path) -> tuple[Path, ...]:
    """`results.json` and `table.md`."""
    texts = {
        "results.json": json.dumps(document, indent=1) + "\n",
        "table.md": tables.markdown(document),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return tuple(folder / name for name in texts)
