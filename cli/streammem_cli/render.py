"""The only file that prints: results on standard output, everything else on standard error."""

import json
import math
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from streammem.core.budget import format_bytes
from streammem.core.errors import StreamMemError
from streammem.core.timebase import format_time

if TYPE_CHECKING:
    from streammem.core.results import (
        Check,
        Forgotten,
        IngestResult,
        MemoryDetails,
        MemorySummary,
        ModelSummary,
        Verification,
    )
    from streammem.core.types import Answer, Evidence

_TIME_DIGITS = 6


def document(data: dict[str, Any]) -> None:
    """One JSON document on standard output."""
    print(_json(data, indent=2))


def event_line(data: dict[str, Any]) -> None:
    """One JSON event on standard output, at once; a reader that has gone does not end the work."""
    try:
        print(_json(data), flush=True)
    except BrokenPipeError:
        close_quietly()


def note(text: str) -> None:
    """A remark on standard error."""
    print(text, file=sys.stderr)


def error(problem: StreamMemError) -> None:
    """What went wrong and what to do about it, on standard error."""
    print(f"error: {problem.message}", file=sys.stderr)
    if problem.hint:
        print(f"  try: {problem.hint}", file=sys.stderr)


def answer(result: "Answer") -> None:
    """The answer sentence, then the evidence, one line each."""
    if result.text:
        print(result.text)
    if result.evidence:
        evidence(result.evidence)
    elif result.candidates:
        print("nearest candidates:")
        evidence(result.candidates)
    for text in result.notes:
        note(f"note: {text}")


def evidence(items: "Sequence[Evidence]") -> None:
    """Pieces of evidence, best first."""
    for item in items:
        span = f"{format_time(item.start_s)} - {format_time(item.end_s)}"
        print(
            f"  {item.id:<4} {span}  {item.score:4.2f}  {item.memory_id}  "
            f"{item.channel.value} {item.tier.value}"
        )
        if item.thumbnail:
            print(f"       {item.thumbnail}")


def ingested(result: "IngestResult") -> None:
    """One source: what it became."""
    if result.error is not None:
        error(result.error)
        print(f"{'failed':<10} {result.source}")
        return
    cells = sum(result.cells.values())
    print(
        f"{result.status:<10} {result.memory_id}  {format_time(result.covered_s)} covered, "
        f"{cells} cells, {format_bytes(result.bytes['file'])} of "
        f"{format_bytes(result.bytes['budget'])}, encoder {result.encoder}, "
        f"{result.elapsed_s:.1f} s"
    )
    for gap in result.gaps:
        print(f"  gap {format_time(gap.start_s)} - {format_time(gap.end_s)}: {gap.reason}")


def memories(items: "Sequence[MemorySummary]") -> None:
    """The library, one memory a line."""
    for item in items:
        if item.problem:
            print(f"{item.memory_id:<24} damaged: {item.problem}")
            continue
        cells = sum(item.cells.values())
        print(
            f"{item.memory_id:<24} {item.status or '':<8} {format_time(item.covered_s)} "
            f"{cells:>6} cells  {format_bytes(item.file_bytes)}"
        )


def details(item: "MemoryDetails", *, cells: bool) -> None:
    """One memory: facts first, then bytes, gaps and on request its cells."""
    summary = item.summary
    rows = [
        ("memory", summary.memory_id),
        ("file", summary.memory_path),
        ("source", summary.source),
        ("status", summary.status),
        ("covered", format_time(summary.covered_s)),
        ("encoder", summary.encoder),
        ("policy", summary.policy),
        ("frames", f"{item.frames.decoded} decoded, {item.frames.encoded} encoded"),
        ("cells", ", ".join(f"{count} {tier}" for tier, count in summary.cells.items())),
        ("bytes", ", ".join(f"{name} {format_bytes(n)}" for name, n in item.bytes.items())),
        *((name, str(value)) for name, value in item.settings.items() if value is not None),
    ]
    for name, value in rows:
        print(f"{name:<12} {value}")
    for gap in item.gaps:
        print(f"{'gap':<12} {format_time(gap.start_s)} - {format_time(gap.end_s)}: {gap.reason}")
    if cells:
        for cell in item.cells:
            span = f"{format_time(cell.start_s)} - {format_time(cell.end_s)}"
            print(f"{cell.id:>8} {cell.tier:<9} {span}  {cell.mass} frames, {cell.visits} visits")


def verifications(items: "Sequence[Verification]") -> None:
    """One line per memory, problems below it."""
    for item in items:
        print(f"{'ok' if item.ok else 'damaged':<8} {item.memory_id}")
        for problem in item.problems:
            print(f"  {problem}")


def forgotten(items: "Sequence[Forgotten]") -> None:
    """What was removed, or would be."""
    for item in items:
        word = "removed" if item.removed else "would remove"
        print(f"{word} {item.memory_id} ({format_bytes(item.file_bytes)})")
    if any(not item.removed for item in items):
        note("nothing was removed; add --yes to do it")


def checks(items: "Sequence[Check]") -> None:
    """The lines of `doctor`."""
    for item in items:
        print(f"{item.status:<8} {item.name:<16} {item.detail}")
        if item.fix:
            print(f"{'':<8} fix: {item.fix}")


def models(items: "Sequence[ModelSummary]") -> None:
    """The encoders, one a line."""
    for item in items:
        state = "here" if item.available else "not here"
        print(f"{item.id:<42} {state:<9} {item.licence}")
        print(f"  {item.note}")


def settings(rows: Sequence[tuple[str, Any, str]], *, origins: bool) -> None:
    """The configuration, one setting a line."""
    for key, value, origin in rows:
        print(f"{key:<24} {value}" + (f"  ({origin})" if origins else ""))


def line(text: str) -> None:
    """One line of a result."""
    print(text)


def close_quietly() -> None:
    """After the reader of our output has gone: no traceback at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _json(data: dict[str, Any], indent: int | None = None) -> str:
    """The text of a document, with escapes where the terminal cannot show a character."""
    encoding = (sys.stdout.encoding or "ascii").lower().replace("_", "-")
    return json.dumps(_clean(data), ensure_ascii=not encoding.startswith("utf"), indent=indent)


def _clean(value: Any) -> Any:
    """JSON knows neither NaN nor infinity; times end at the microsecond."""
    if isinstance(value, float):
        return round(value, _TIME_DIGITS) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
