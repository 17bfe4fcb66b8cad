"""Which processes came from one, as Linux tells it."""

from collections import defaultdict
from contextlib import suppress
from pathlib import Path


def descendants(process: int) -> list[int]:
    """The children of a process, theirs, and so on; none where the system does not tell."""
    children: dict[int, list[int]] = defaultdict(list)
    for status in Path("/proc").glob("[0-9]*/stat"):
        # One that has just ended; a name in brackets may hold anything, also brackets.
        with suppress(OSError):
            parent = status.read_bytes().rpartition(b")")[2].split()[1]
            children[int(parent)].append(int(status.parent.name))
    found, left = [], [process]
    while left:
        inside = children.pop(left.pop(), [])
        found += inside
        left += inside
    return found
