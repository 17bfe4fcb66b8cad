"""A process that does what is named on its standard input, for `runtime.batch.local`.

One JSON object a line: first its orders, then the messages of `runtime.batch.servant`, and
`{"stop": true}`, which asks the running ingest to commit and end. Replies go to standard output.
When the input closes the parent is gone or done, and the process ends at once, so that no child
survives its parent.
"""

import json
import os
import queue
import sys
import threading
import time
from typing import Any, TextIO

from streammem.runtime.batch.servant import Servant, watch_memory
from streammem.runtime.batch.wire import WorkerOrders

_PARENT_GONE = 143
_OVER_LIMIT = 137
# What is told of a source waits so long at most to be told together with what comes next.
_TOLD_WITHIN_S = 0.05


class _Link:
    """The line to the parent: jobs come in through a thread, replies go out one line each."""

    def __init__(self, replies: TextIO) -> None:
        self._replies = replies
        self._replying = threading.Lock()
        self._untold = False
        self._messages: queue.Queue[dict[str, Any]] = queue.Queue()
        self.stop = threading.Event()
        threading.Thread(target=self._listen, name="parent", daemon=True).start()
        threading.Thread(target=self._tell_in_time, name="events", daemon=True).start()

    def _listen(self) -> None:
        for line in sys.stdin:
            message = json.loads(line)
            if message.get("stop"):
                self.stop.set()
            else:
                self._messages.put(message)
        # A clean exit could wait for a decoder; the last commit is already safe.
        os._exit(_PARENT_GONE)

    def next_message(self) -> dict[str, Any]:
        """The next job; blocks."""
        return self._messages.get()

    def send(self, kind: str, content: Any) -> None:
        """One reply line."""
        with self._replying:
            self._replies.write(json.dumps({"kind": kind, "content": content}) + "\n")
            # The end of one source is told with the beginning of the next, which is here already.
            more = kind == "result" and not self._messages.empty()
            self._untold = kind == "event" or more
            if not self._untold:
                self._replies.flush()

    def _tell_in_time(self) -> None:
        while True:
            time.sleep(_TOLD_WITHIN_S)
            if self._untold:
                with self._replying:
                    try:
                        self._replies.flush()
                    except BrokenPipeError:
                        # The parent is gone; the end of its messages ends this process.
                        return
                    self._untold = False

    def over_limit(self, peak_bytes: int) -> None:
        """Say that this process has grown too large, and end it."""
        self.send("over_limit", peak_bytes)
        os._exit(_OVER_LIMIT)


def main() -> None:
    """Serve messages until the input closes; its first line are the orders as JSON."""
    line = sys.stdin.readline()
    if not line:
        # It was begun before anybody knew whether there would be something to do.
        os._exit(_PARENT_GONE)
    orders = WorkerOrders.from_json(line)
    # Native libraries may write to file descriptor 1; replies get a copy of it, they get stderr.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    link = _Link(replies)
    look = watch_memory(orders.memory_limit_bytes, link.over_limit)
    servant = Servant(orders, link.send, link.stop.is_set, look)
    while True:
        servant.serve(link.next_message())


if __name__ == "__main__":
    main()
