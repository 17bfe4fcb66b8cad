"""A process that measures trials named on its standard input, for `bench.pool`.

One JSON object a line is one trial; every finished measurement goes back as a line, and a last
line says that the trial is over. When the input closes the parent is gone or done, and the
process ends at once, so that no child survives its parent.
"""

import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Iterator
from typing import Any, TextIO

from streammem.bench.asking.protocols import QUESTION_PROTOCOLS
from streammem.bench.protocols import PROTOCOLS
from streammem.bench.trials import Row, Trial, trial_from_json

_PARENT_GONE = 143


def _listen(jobs: "queue.Queue[dict[str, Any]]") -> None:
    for line in sys.stdin:
        jobs.put(json.loads(line))
    os._exit(_PARENT_GONE)


def _send(replies: TextIO, kind: str, content: Any) -> None:
    replies.write(json.dumps({"kind": kind, "content": content}) + "\n")
    replies.flush()


def _measure(trial: Trial) -> Iterator[Row]:
    name = trial.case.protocol
    if name in QUESTION_PROTOCOLS:
        return QUESTION_PROTOCOLS[name].measure(trial)
    return PROTOCOLS[name].measure(trial)


def main() -> None:
    """Serve trials until the input closes."""
    # Native libraries may write to file descriptor 1; replies get a copy of it, they get stderr.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    jobs: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(jobs,), name="parent", daemon=True).start()
    while True:
        trial = trial_from_json(jobs.get())
        try:
            for row in _measure(trial):
                _send(replies, "row", row.to_json())
        except Exception as error:  # noqa: BLE001  (one trial must not end the worker)
            where = traceback.extract_tb(error.__traceback__)[-1]
            reason = f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"
            _send(replies, "failed", reason)
        else:
            _send(replies, "done", None)


if __name__ == "__main__":
    main()
