"""A process that ingests sources named on its standard input, for `runtime.pool`.

One JSON object a line: `{"source": ...}` starts a job, `{"stop": true}` asks the running one to
commit and end. Events and results go to standard output. When the input closes the parent is
gone or done, and the process ends at once, so that no child survives its parent.
"""

import json
import os
import queue
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

from streammem.core.errors import Interrupted, StreamMemError
from streammem.core.results import IngestEvent, IngestRequest
from streammem.runtime.encoder_keeper import EncoderKeeper
from streammem.runtime.many import failed_result, ingest_guarded
from streammem.storage.library import LibraryFolder

_PARENT_GONE = 143


def request_from_json(data: dict[str, Any]) -> IngestRequest:
    """The request that the parent sent."""
    return IngestRequest(**{**data, "auto_encoders": tuple(data["auto_encoders"])})


class _Link:
    """The line to the parent: jobs come in through a thread, replies go out one line each."""

    def __init__(self, replies: TextIO) -> None:
        self._replies = replies
        self._jobs: queue.Queue[str] = queue.Queue()
        self.stop = threading.Event()
        threading.Thread(target=self._listen, name="parent", daemon=True).start()

    def _listen(self) -> None:
        for line in sys.stdin:
            message = json.loads(line)
            if message.get("stop"):
                self.stop.set()
            else:
                self._jobs.put(message["source"])
        # A clean exit could wait for a decoder; the last commit is already safe.
        os._exit(_PARENT_GONE)

    def next_source(self) -> str:
        """The next job; blocks."""
        return self._jobs.get()

    def send(self, kind: str, content: Any) -> None:
        """One reply line."""
        self._replies.write(json.dumps({"kind": kind, "content": content}) + "\n")
        self._replies.flush()


def error_to_wire(error: StreamMemError) -> dict[str, Any]:
    """An error with its exit status, to be rebuilt by the parent."""
    return {**error.to_json(), "exit_code": error.exit_code}


def main() -> None:
    """Serve jobs until the input closes. Arguments: library folder, request as JSON."""
    library = LibraryFolder(Path(sys.argv[1]))
    request = request_from_json(json.loads(sys.argv[2]))
    # Native libraries may write to file descriptor 1; replies get a copy of it, they get stderr.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    link = _Link(replies)
    encoders = EncoderKeeper()

    def forward(event: IngestEvent) -> None:
        if event.kind in ("started", "note", "progress"):
            link.send("event", event.to_json())

    while True:
        source = link.next_source()
        try:
            result = ingest_guarded(
                source, library, request, encoders, on_event=forward, should_stop=link.stop.is_set
            )
        except Interrupted as stop:
            link.send("interrupted", error_to_wire(stop))
            continue
        except Exception as error:  # noqa: BLE001  (one source must not end the worker)
            result = failed_result(source, StreamMemError(f"{type(error).__name__}: {error}"))
        wire_error = error_to_wire(result.error) if result.error else None
        extra = {"fully_readable": result.fully_readable, "error": wire_error}
        link.send("result", {**result.to_json(), **extra})


if __name__ == "__main__":
    main()
