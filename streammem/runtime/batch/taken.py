"""How many sources a worker has taken up, told in a way that outlives it.

A worker that a source ends at once may be gone before word of it has left the machine. What it
wrote into a file before is still there then.
"""

import os
from pathlib import Path

_BYTES = 8


class TakenMark:
    """The file in which one worker counts what it takes up. For one thread."""

    def __init__(self, path: Path) -> None:
        """Nothing is taken up yet."""
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._count = 0

    def add(self) -> None:
        """One more; it is not lost with the process."""
        self._count += 1
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, self._count.to_bytes(_BYTES, "little"))


class Heard:
    """What has come through of one worker, to tell what has not once it is gone."""

    def __init__(self) -> None:
        self._taken = 0
        self._reads = False

    def hear(self, kind: str) -> None:
        """One reply has come through."""
        if kind == "taken":
            self._taken += 1
            self._reads = True
        elif kind != "event":
            self._reads = False

    def missing(self, path: Path) -> list[str]:
        """The replies of a worker that is gone which would have come, in order.

        `unheard` stands for the end of a source, which is known to have come from the next one.
        """
        try:
            count = int.from_bytes(path.read_bytes(), "little")
        except OSError:
            # It never began, or runs on another machine.
            return []
        found: list[str] = []
        while self._taken < count:
            missed = ["unheard", "taken"] if self._reads else ["taken"]
            found += missed
            for kind in missed:
                self.hear(kind)
        return found
