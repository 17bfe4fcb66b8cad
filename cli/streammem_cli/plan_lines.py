"""A plan in words: one line before a batch, a table for `streammem plan`."""

from typing import TYPE_CHECKING

from streammem.core.budget import format_bytes
from streammem_cli.layout import counted, folded

if TYPE_CHECKING:
    from streammem.core.batches import BatchPlan

_LABEL_WIDTH = 16


def plan_line(plan: "BatchPlan") -> str:
    """What is to be done, in one line."""
    waiting = plan.files - plan.unchanged
    if not waiting:
        return f"plan: all {plan.files} files are memories already"
    parts = [
        f"{waiting} of {counted(plan.files, 'file')} to read",
        f"{length(plan.video_s)} of video",
    ]
    if plan.elapsed_s is not None:
        parts.append(f"about {length(plan.elapsed_s)} with {counted(plan.jobs, 'job')}")
    if plan.memory_bytes is not None:
        parts.append(f"about {format_bytes(plan.memory_bytes)}")
    parts.append(f"at most {format_bytes(plan.bytes_at_most)}")
    return f"plan: {', '.join(parts)}"


def plan_table(plan: "BatchPlan") -> list[str]:
    """Everything that a plan says, one line each."""
    measured = plan.measured
    rows = [
        ("files", f"{plan.files}, {plan.unchanged} of them memories already"),
        ("video to read", f"{length(plan.video_s)} in {format_bytes(plan.source_bytes)}"),
        ("time", f"about {length(plan.elapsed_s)} with {counted(plan.jobs, 'job')}"
                 if plan.elapsed_s is not None else "not measured"),
        ("memories", f"about {format_bytes(plan.memory_bytes)}"
                     if plan.memory_bytes is not None else "not measured"),
        ("at most", format_bytes(plan.bytes_at_most)),
    ]  # fmt: skip
    if plan.unreadable:
        rows.append(("unknown length", f"{counted(plan.unreadable, 'file')}, not in the sums"))
    if measured:
        rows.append(
            ("measured", f"{measured['file_s']:.3f} s a file and "
                         f"{measured['video_second_s']:.4f} s a second of video in one job; "
                         f"{measured['start_s']:.1f} s to begin")
        )  # fmt: skip
    return [line for name, text in rows for line in folded(text, f"{name:<{_LABEL_WIDTH}} ")]


def length(seconds: float) -> str:
    """A length to be read at a glance: `45 s`, `12 min`, `3 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"
