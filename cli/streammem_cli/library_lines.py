"""What a library, this machine and its configuration say, in lines for human eyes."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from streammem.core.budget import format_bytes
from streammem.core.timebase import format_time
from streammem_cli.layout import INDENT, TIERS, WIDTH, folded, plain

if TYPE_CHECKING:
    from streammem.core.results import (
        Check,
        Forgotten,
        MemoryDetails,
        MemorySummary,
        ModelSummary,
        Verification,
    )

# Why the encoder was chosen: a setting that is told beside it.
_CHOICE = "encoder_choice"


def memory_lines(items: "Sequence[MemorySummary]") -> list[str]:
    """The library, one memory a line; a name that leaves no room has a line of its own."""
    lines = []
    for item in items:
        if item.problem:
            lines += folded(f"damaged: {item.problem}", f"{item.memory_id:<24} ", INDENT)
            continue
        cells = sum(item.cells.values())
        facts = (
            f"{item.status or '':<8} {format_time(item.covered_s)} "
            f"{cells:>6} cells  {format_bytes(item.file_bytes)}"
        )
        row = f"{item.memory_id:<24} {facts}"
        lines += [row] if len(row) <= WIDTH else [item.memory_id, f"{'':<24} {facts}"]
    return lines


def detail_lines(item: "MemoryDetails", *, cells: bool) -> list[str]:
    """One memory: facts first, then bytes, gaps and on request its cells."""
    summary = item.summary
    rows = [
        ("status", summary.status),
        ("covered", format_time(summary.covered_s)),
        ("encoder", ": ".join(filter(None, (summary.encoder, item.settings.get(_CHOICE))))),
        ("policy", summary.policy),
        ("frames", f"{item.frames.decoded} decoded, {item.frames.encoded} encoded"),
        ("cells", ", ".join(f"{summary.cells.get(tier, 0)} {tier}" for tier in TIERS)),
        ("bytes", ", ".join(f"{name} {format_bytes(n)}" for name, n in item.bytes.items())),
        *(
            (name, _setting(name, value))
            for name, value in item.settings.items()
            if value is not None and name != _CHOICE
        ),
    ]
    # What is copied from here stays in one line.
    lines = [
        f"{'memory':<12} {summary.memory_id}",
        f"{'file':<12} {summary.memory_path}",
        f"{'source':<12} {summary.source}",
    ]
    for name, value in rows:
        lines += folded(str(value), f"{name:<12} ")
    for gap in item.gaps:
        span = f"{format_time(gap.start_s)} - {format_time(gap.end_s)}"
        lines += folded(f"{span}: {gap.reason}", f"{'gap':<12} ")
    for cell in item.cells if cells else ():
        span = f"{format_time(cell.start_s)} - {format_time(cell.end_s)}"
        lines.append(
            f"{cell.id:>8} {cell.tier:<9} {span}  {cell.mass} frames, {cell.visits} visits"
        )
    return lines


def _setting(name: str, value: Any) -> str:
    """A setting of a memory; moments, which are kept in Unix seconds, as dates in local time."""
    if name != "recorded_at":
        return plain(value)
    return datetime.fromtimestamp(float(value)).astimezone().isoformat(timespec="seconds")


def verification_lines(items: "Sequence[Verification]") -> list[str]:
    """One line per memory, problems below it."""
    lines = []
    for item in items:
        lines.append(f"{'ok' if item.ok else 'damaged':<8} {item.memory_id}")
        for problem in item.problems:
            lines += folded(problem, " " * INDENT, 2 * INDENT)
    return lines


def forgotten_lines(items: "Sequence[Forgotten]") -> list[str]:
    """What was removed, or would be."""
    words = {True: "removed", False: "would remove"}
    return [f"{words[i.removed]} {i.memory_id} ({format_bytes(i.file_bytes)})" for i in items]


def check_lines(items: "Sequence[Check]") -> list[str]:
    """The checks of the machine, each failure with its fix."""
    lines = []
    for item in items:
        lines += folded(item.detail, f"{item.status:<8} {item.name:<16} ")
        if item.fix:
            lines += folded(item.fix, f"{'':<8} fix: ")
    return lines


def model_lines(items: "Sequence[ModelSummary]") -> list[str]:
    """The encoders, one a line."""
    lines = []
    for item in items:
        state = "here" if item.available else "not here"
        lines.append(f"{item.id:<42} {state:<9} {item.licence}")
        lines += folded(item.note, " " * INDENT)
    return lines


def setting_lines(rows: Sequence[tuple[str, Any, str]], *, origins: bool) -> list[str]:
    """The configuration, one setting a line."""
    lines = []
    for key, value, place in rows:
        text = plain(value) + (f"  ({place})" if origins else "")
        lines += folded(text, f"{key:<24} ")
    return lines
