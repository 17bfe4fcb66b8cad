"""Memories kept open between questions, and read anew once their file has changed."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from streammem.core.errors import StreamMemError
from streammem.runtime.asking import EncoderCache, OpenMemory, open_memories

# A memory takes about a third of a megabyte while it is open, a long one several.
MOST_OPEN = 1024

Mark = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A memory as it was read, with what its file looked like right before."""

    mark: Mark
    settings: tuple[str, str]
    memory: OpenMemory


class WarmMemories:
    """Opens memories as `open_memories` does, those that have not changed at no cost.

    For one thread. The `most` memories asked last stay, and all of one question.
    """

    def __init__(self, encoders: EncoderCache, most: int = MOST_OPEN) -> None:
        """Nothing is open yet."""
        self._encoders = encoders
        self._most = most
        self._kept: dict[Path, _Kept] = {}

    @property
    def bounds_s(self) -> Mapping[str, tuple[float, float]]:
        """The start and the end of every memory that is open."""
        return {
            kept.memory.meta.memory_id: (kept.memory.query.start_s, kept.memory.query.end_s)
            for kept in self._kept.values()
        }

    def open(
        self, paths: Sequence[Path], *, weights: str, device: str, named: bool
    ) -> tuple[list[OpenMemory], tuple[str, ...]]:
        """The memories of some files, in order, with notes on those that were left out."""
        settings = (weights, device)
        marks = {path: _mark(path) for path in paths}
        fresh = {
            path
            for path in paths
            if path in self._kept
            and (self._kept[path].mark, self._kept[path].settings) == (marks[path], settings)
        }
        changed = [path for path in paths if path not in fresh]
        for path in changed:
            self._kept.pop(path, None)
        notes: tuple[str, ...] = ()
        if changed:
            try:
                opened, notes = open_memories(
                    changed, self._encoders, weights=weights, device=device, named=named
                )
            except StreamMemError as error:
                if named or not fresh:
                    raise
                opened, notes = [], (f"{changed[0].stem} was left out: {error.message}",)
            for memory in opened:
                self._kept[memory.path] = _Kept(marks[memory.path], settings, memory)
        asked = [path for path in paths if path in self._kept]
        for path in asked:
            # Those asked last come last.
            self._kept[path] = self._kept.pop(path)
        for path in list(self._kept)[: max(0, len(self._kept) - max(self._most, len(asked)))]:
            del self._kept[path]
        return [self._kept[path].memory for path in asked], notes


def _mark(path: Path) -> Mark:
    """What changes with every commit: the file and the log beside it."""
    return _facts(str(path)), _facts(f"{path}-wal")


def _facts(path: str) -> tuple[int, int, int] | None:
    try:
        facts = os.stat(path)  # noqa: PTH116  (hundreds of files for one question)
    except OSError:
        return None
    return (facts.st_mtime_ns, facts.st_size, facts.st_ino) if facts.st_size else None
