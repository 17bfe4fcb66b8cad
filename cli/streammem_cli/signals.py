"""Ctrl-C and termination: the first commits and stops, the second stops now."""

import os
import signal
import socket
import threading
from collections.abc import Callable

SIGINT_STATUS = 130
SIGTERM_STATUS = 143
# Progress bars hide it, and a process that ends at once cannot put it back otherwise.
_SHOW_CURSOR = b"\x1b[?25h\n"
_LISTENED_BYTES = 64


class StopRequest:
    """Set by the first signal; ask it with `requested`. `status` is the exit code to end with.

    `on_first` runs once in a thread of its own, so that no full pipe can keep a second signal
    from ending the process.

    Python runs signal handlers between two steps of the main thread, which may wait in a decoder
    for a server that has fallen silent. So a thread of its own hears the signals.
    """

    def __init__(self, on_first: Callable[[], None]) -> None:
        self._on_first = on_first
        self.status: int | None = None
        self._ear, self._bell = socket.socketpair()

    def install(self) -> "StopRequest":
        """Take over the two signals for the rest of the process."""
        self._bell.setblocking(False)
        threading.Thread(target=self._listen, name="signals", daemon=True).start()
        signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            # A handler has to be there for the bell to ring; the thread does what is to be done.
            signal.signal(number, lambda _number, _frame: None)
        return self

    def requested(self) -> bool:
        """Whether somebody asked to stop."""
        return self.status is not None

    def _listen(self) -> None:
        while True:
            for number in self._ear.recv(_LISTENED_BYTES):
                self._hear(number)

    def _hear(self, number: int) -> None:
        if number not in (signal.SIGINT, signal.SIGTERM):
            return
        if self.status is not None:
            os.write(2, _SHOW_CURSOR if os.isatty(2) else b"")
            os._exit(self.status)
        self.status = SIGINT_STATUS if number == signal.SIGINT else SIGTERM_STATUS
        threading.Thread(target=self._on_first, name="stopping", daemon=True).start()


def hear_interrupts() -> None:
    """Let Ctrl-C raise `KeyboardInterrupt`, also where the process was started deaf to it.

    Shells start background jobs so, and what these start inherits it.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
