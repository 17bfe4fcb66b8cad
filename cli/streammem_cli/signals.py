"""Ctrl-C and termination: the first commits and stops, the second stops now."""

import os
import signal
from types import FrameType

SIGINT_STATUS = 130
SIGTERM_STATUS = 143


class StopRequest:
    """Set by the first signal; ask it with `requested`. `status` is the exit code to end with."""

    def __init__(self) -> None:
        self.status: int | None = None

    def install(self) -> "StopRequest":
        """Take over the two signals for the rest of the process."""
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)
        return self

    def requested(self) -> bool:
        """Whether somebody asked to stop."""
        return self.status is not None

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.status is not None:
            os._exit(self.status)
        self.status = SIGINT_STATUS if number == signal.SIGINT else SIGTERM_STATUS
