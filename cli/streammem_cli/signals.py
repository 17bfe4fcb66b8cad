"""Ctrl-C and termination: the first commits and stops, the second stops now."""

import os
import signal
from types import FrameType

SIGINT_STATUS = 130
SIGTERM_STATUS = 143
# Progress bars hide it, and a process that ends at once cannot put it back otherwise.
_SHOW_CURSOR = b"\x1b[?25h"


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
            os.write(2, _SHOW_CURSOR if os.isatty(2) else b"")
            os._exit(self.status)
        self.status = SIGINT_STATUS if number == signal.SIGINT else SIGTERM_STATUS
