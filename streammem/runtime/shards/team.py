"""The processes that hold the shards of a library: messages go out, replies come together."""

import contextlib
import queue
from collections.abc import Mapping, Sequence
from typing import Any

from streammem.core.errors import StreamMemError
from streammem.runtime.batch.crew import Crew, Reply, Worker
from streammem.runtime.batch.wire import error_from_wire

# Those who go with one machine are noticed so shortly after one another.
_TOGETHER_S = 0.2


class LostShardError(Exception):
    """A process went before it had answered; the message says how."""


class Team:
    """So many workers of one crew, each for one shard; those that are lost are replaced."""

    def __init__(self, crew: Crew, shards: int) -> None:
        """Nobody is hired yet."""
        self.shards = shards
        self._crew = crew
        self._inbox: queue.Queue[Reply] = queue.Queue()
        self._workers: dict[int, Worker] = {}
        self._number = 0

    def ask(self, messages: Mapping[int, Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
        """Send a message to each of some shards; their answers, once all are there.

        Only a message that opens memories is for somebody new.

        Raises:
            LostShardError: a process was lost; whatever it held is gone with it.
            StreamMemError: what a shard answered, or no worker can run.
        """
        self._number += 1
        self._forget_lost(0.0)
        for shard, message in messages.items():
            if shard not in self._workers:
                if "open" not in message:
                    raise LostShardError("went between two steps of a question")
                self._workers[shard] = self._crew.hire(self._inbox)
            self._workers[shard].send({"shard": message, "number": self._number})
        answers: dict[int, dict[str, Any]] = {}
        while len(answers) < len(messages):
            worker, kind, content = self._inbox.get()
            told_by = [shard for shard, one in self._workers.items() if one is worker]
            if not told_by:
                continue
            (shard,) = told_by
            if kind == "unfit":
                raise StreamMemError(str(content), hint="see docs/batch.md", code="no_cluster")
            if kind in ("died", "lost"):
                self._drop([shard])
                self._forget_lost(_TOGETHER_S)
                raise LostShardError(str(content))
            # What a shard still says of an earlier question, which was broken off, does not count.
            if kind == "shard" and content["number"] == self._number:
                answers[shard] = content
        for _, answer in sorted(answers.items()):
            if "error" in answer:
                raise error_from_wire(answer["error"])
        return answers

    def close(self) -> None:
        """End all of them."""
        self._drop(list(self._workers))
        self._crew.close()

    def _forget_lost(self, wait_s: float) -> None:
        """Do without all who went, until nobody says anything for so long."""
        with contextlib.suppress(queue.Empty):
            while True:
                worker, kind, _ = self._inbox.get(timeout=wait_s)
                if kind in ("died", "lost"):
                    self._drop([shard for shard, one in self._workers.items() if one is worker])

    def _drop(self, shards: Sequence[int]) -> None:
        for shard in shards:
            self._workers.pop(shard).close()
