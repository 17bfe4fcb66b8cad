"""What a worker does with a message, wherever the worker runs: ingest a source, answer questions.

Messages: `{"source": ...}` (with `end_s` where only its beginning is wanted),
`{"ask": PATH, "questions": [...]}`, and `{"shard": ..., "number": ...}` with a message of
`runtime.shards.holder`. Each is answered by `taken` and then by exactly one of `result`, `answers`,
`refused`, `shard` or `interrupted`; `event` may come in between.
"""

import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streammem.core.errors import Interrupted, StreamMemError
from streammem.core.results import IngestEvent, IngestRequest, IngestResult
from streammem.runtime import ingest  # noqa: F401  (loaded before a source is taken up)
from streammem.runtime.batch.questions import Asker
from streammem.runtime.batch.remote import fetched, is_remote
from streammem.runtime.batch.wire import WorkerOrders, error_to_wire, result_to_wire
from streammem.runtime.encoder_keeper import EncoderKeeper
from streammem.runtime.many import failed_result, ingest_guarded
from streammem.storage.library import LibraryFolder

if TYPE_CHECKING:
    from streammem.runtime.shards.holder import ShardHolder

Tell = Callable[[str, Any], None]
_LOOK_S = 0.05


class Servant:
    """Carries out the messages of a batch, one after the other; models are loaded once."""

    def __init__(
        self,
        orders: WorkerOrders,
        tell: Tell,
        should_stop: Callable[[], bool],
        look_at_memory: Callable[[], object],
    ) -> None:
        self._orders = orders
        self._look_at_memory = look_at_memory
        self._library = LibraryFolder(Path(orders.folder))
        self._tell = tell
        self._should_stop = should_stop
        self._encoders = EncoderKeeper()
        self._asker = Asker(orders.asking, orders.answering)

    @cached_property
    def _holder(self) -> "ShardHolder":
        """Loaded when it is needed: most workers hold nothing, and begin sooner."""
        from streammem.runtime.shards.holder import ShardHolder

        return ShardHolder()

    def serve(self, message: Mapping[str, Any]) -> None:
        """Do what a message says and tell what came of it."""
        self._tell("taken", None)
        if self._should_stop():
            # It had waited here behind the one that was stopped.
            self._tell("interrupted", error_to_wire(Interrupted("stopped before it began")))
            return
        if "ask" in message:
            self._ask(Path(message["ask"]), message["questions"])
            return
        if "shard" in message:
            self._tell("shard", {"number": message["number"], **self._shard(message["shard"])})
            return
        request = self._orders.request
        if "end_s" in message:
            request = replace(request, end_s=message["end_s"])
        source = message["source"]
        try:
            if is_remote(source):
                with fetched(source) as copy:
                    result = self._ingest(str(copy), request, source)
            else:
                result = self._ingest(source, request, None)
        except Interrupted as stop:
            self._tell("interrupted", error_to_wire(stop))
            return
        except StreamMemError as error:
            result = failed_result(source, error)
        except Exception as error:  # noqa: BLE001  (one source must not end the worker)
            result = _unexpected(source, error)
        # A peak between two looks would be blamed on the next source.
        self._look_at_memory()
        self._tell("result", result_to_wire(result))

    def _ingest(self, source: str, request: IngestRequest, shown: str | None) -> IngestResult:
        return ingest_guarded(
            source, self._library, request, self._encoders,
            on_event=self._forward, should_stop=self._should_stop, shown=shown,
        )  # fmt: skip

    def _ask(self, path: Path, questions: list[str]) -> None:
        try:
            self._tell("answers", self._asker.answers(path, questions))
        except StreamMemError as error:
            self._tell("refused", error_to_wire(error))
        except Exception as error:  # noqa: BLE001  (one memory must not end the worker)
            wrapped = StreamMemError(f"{type(error).__name__}: {error}")
            self._tell("refused", error_to_wire(wrapped))

    def _shard(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """What the memories held here answer, or the error."""
        try:
            return self._holder.serve(message)
        except StreamMemError as error:
            return {"error": error_to_wire(error)}
        except Exception as error:  # noqa: BLE001  (one question must not end the worker)
            return {"error": error_to_wire(StreamMemError(f"{type(error).__name__}: {error}"))}

    def _forward(self, event: IngestEvent) -> None:
        if event.kind in ("started", "note", "progress"):
            self._tell("event", event.to_json())


def _unexpected(source: str, error: Exception) -> IngestResult:
    return failed_result(source, StreamMemError(f"{type(error).__name__}: {error}"))


def watch_memory(limit_bytes: int | None, exceeded: Callable[[int], None]) -> Callable[[], bool]:
    """Call `exceeded` from a thread once this process has ever held more than `limit_bytes`.

    What is returned looks at once, too, and says whether the process is within its limit.
    """
    if limit_bytes is None:
        return lambda: True

    def within() -> bool:
        peak = peak_rss_bytes()
        if peak > limit_bytes:
            exceeded(peak)
        return peak <= limit_bytes

    def look() -> None:
        while within():
            time.sleep(_LOOK_S)

    threading.Thread(target=look, name="memory", daemon=True).start()
    return within


def peak_rss_bytes() -> int:
    """The most memory this process has held; unlike samples of it, it misses no short peak."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        import resource  # not on Windows

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    # The peak of getrusage begins with that of the process which started this one.
    (line,) = (row for row in status.splitlines() if row.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
