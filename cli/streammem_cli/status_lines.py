"""What `streammem status` says, in lines of at most 80 columns."""

import socket
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from streammem.core.budget import format_bytes
from streammem.core.timebase import format_time
from streammem_cli.layout import folded

if TYPE_CHECKING:
    from streammem.core.activity import MemoryActivity, MemoryWriter


def status_lines(items: "Sequence[MemoryActivity]") -> list[str]:
    """For each memory who writes it and how far it is; below, gaps and bytes."""
    return [line for item in items for line in _lines(item, time.time())]


def _lines(item: "MemoryActivity", now: float) -> list[str]:
    head = f"{item.state:<12} {item.memory_id}  "
    if item.problem is not None:
        return folded(f"it cannot be read now: {item.problem}", head, 2)
    facts = [format_time(item.position_s)]
    if item.blind_s:
        facts.append(f"blind for {item.blind_s:.0f} s")
    elif item.behind_s is not None:
        facts.append(f"{item.behind_s:.1f} s behind live")
    if item.last_commit_at is not None:
        facts.append(f"last commit {_age(now - item.last_commit_at)} ago")
    count = len(item.gaps)
    facts.append(f"{count} gap{'' if count == 1 else 's'}")
    if item.frames.dropped:
        facts.append(f"{item.frames.dropped} dropped")
    lines = folded(", ".join(facts), head, 2)
    if item.source:
        lines.append(f"  source  {item.source}")
    if item.writer is not None:
        lines += folded(_who(item.writer, now), "  by      ")
    held = ", ".join(f"{name} {format_bytes(size)}" for name, size in item.bytes.items())
    return [*lines, *folded(held, "  bytes   ")]


def _who(writer: "MemoryWriter", now: float) -> str:
    text = "another process" if writer.pid is None else f"process {writer.pid}"
    if writer.host and writer.host != socket.gethostname():
        text += f" on {writer.host}"
    return text if writer.since is None else f"{text}, for {_age(now - writer.since)}"


def _age(seconds: float) -> str:
    """A length of time in one unit, as one says it."""
    for unit_s, name in ((86_400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f} {name}"
    return f"{max(0.0, seconds):.0f} s"
