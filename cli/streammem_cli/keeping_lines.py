"""What forgetting a stretch and cleaning up a library say, in lines of at most 80 columns."""

from typing import TYPE_CHECKING

from streammem.core.budget import format_bytes
from streammem.core.timebase import format_time
from streammem_cli.layout import counted, folded

if TYPE_CHECKING:
    from streammem.core.keeping import Compacted, CompactResult, RangeForgotten

_DAY_S = 86_400.0


def range_lines(item: "RangeForgotten") -> list[str]:
    """What went of a memory, or would, and how it was shown to be gone."""
    word = "forgot" if item.removed else "would forget"
    span = f"{format_time(item.start_s)} to {format_time(item.end_s)}"
    lines = [
        f"{word} {span} of {item.memory_id}",
        f"  {counted(item.cells, 'cell')}, {counted(item.cues, 'cue')}, "
        f"{counted(item.thumbnails, 'thumbnail')}",
    ]
    if not item.removed:
        return lines
    if item.rebuilt:
        lines.append(
            f"  rebuilt from what the source shows besides: {counted(item.rebuilt, 'cell')}"
        )
    if item.dropped:
        lost = f"  dropped: {counted(item.dropped, 'cell')}"
        if item.lost_s > 0:
            lost += f", with {format_time(item.lost_s)} outside of that stretch"
        lines.append(lost)
    if item.why_dropped:
        lines += folded(f"not rebuilt: {item.why_dropped}", "  ")
    proof = item.proof
    if proof is not None:
        lines.append(
            f"  proof: of {proof.traces} traces {proof.found_before} were found before, "
            f"{proof.found_after} now"
        )
        if not proof.holds:
            lines.append("  THE PROOF FAILED: something of it is still there")
    return lines


def compact_lines(result: "CompactResult", *, dry_run: bool) -> list[str]:
    """One line for each memory that goes, shrinks or is left alone, and the sizes."""
    lines = [line for one in result.memories for line in _line(one, dry_run=dry_run)]
    before, after = format_bytes(result.bytes_before), format_bytes(result.bytes_after)
    words = "then" if dry_run else "now"
    held = counted(len(result.memories), "memory")
    return [*lines, f"{held}, {before} before, {after} {words}"]


def _line(one: "Compacted", *, dry_run: bool) -> list[str]:
    if one.action == "keep" and not one.reason:
        return []
    words = {
        "remove": "would remove" if dry_run else "removed",
        "shrink": "would shrink" if dry_run else "shrank",
        "keep": "kept",
    }
    age = "" if one.age_s is None else f", {one.age_s / _DAY_S:.1f} days old"
    text = f"{one.memory_id} ({format_bytes(one.bytes)}{age}): {one.reason}"
    return folded(text, f"{words[one.action]} ")
