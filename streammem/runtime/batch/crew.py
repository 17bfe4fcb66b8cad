"""What a batch needs of an engine: workers that can be hired, given messages, and ended."""

import queue
from typing import Any, Protocol

# Worker, kind, content; besides what `runtime.batch.servant` tells there are `over_limit` (bytes),
# `unheard` (a source is done and word of what became of it is lost), `died` (how, in words), `lost`
# (the machine or the cluster went, not the worker by itself) and `unfit` (why no worker can ever
# run).
Reply = tuple["Worker", str, Any]


class Worker(Protocol):
    """One process that serves messages. Its replies and its end come through the inbox."""

    def send(self, message: dict[str, Any]) -> None:
        """Hand over a message; a worker that is gone reports its own end."""

    def kill(self) -> None:
        """End it at once, whatever it does; its `died` still comes."""

    def close(self) -> None:
        """End it and wait until it is gone."""


class Crew(Protocol):
    """Where workers come from."""

    def hire(self, inbox: "queue.Queue[Reply]") -> Worker:
        """A new worker, which may still be starting."""

    def close(self) -> None:
        """End what the crew itself holds; its workers are closed before."""
