"""Finds files that appear in folders, once nobody writes them any more."""

import time
from collections.abc import Sequence

from streammem.runtime.batch.remote import mark_of, named_sources

SETTLE_S = 3.0


class FolderWatch:
    """Names each source once, and again when it has changed. Use it from one thread."""

    def __init__(self, named: Sequence[str], settle_s: float = SETTLE_S) -> None:
        """Watch what the texts stand for; nothing is looked at yet."""
        self._named = list(named)
        self._settle_s = settle_s
        self._seen: dict[str, tuple[tuple[int, int], float]] = {}
        self._offered: dict[str, tuple[int, int] | None] = {}

    def poll(self) -> list[str]:
        """Sources that are new or changed and whose size and time have stood still."""
        ready = []
        for source in named_sources(self._named):
            mark = mark_of(source)
            if mark is None:
                fresh = source not in self._named and source not in self._offered
                if fresh:
                    self._offered[source] = None
                    ready.append(source)
            elif self._has_settled(source, (mark.size, mark.mtime_ns)):
                self._offered[source] = (mark.size, mark.mtime_ns)
                ready.append(source)
        return ready

    def _has_settled(self, source: str, state: tuple[int, int]) -> bool:
        if self._offered.get(source) == state:
            return False
        now = time.monotonic()
        before, since = self._seen.get(source, (None, now))
        if before != state:
            self._seen[source] = (state, now)
            return False
        if now - since < self._settle_s:
            return False
        del self._seen[source]
        return True
