"""What a process does that holds part of a library: open memories, score texts, tell.

A question comes in three steps. `open` names memories and the question. `pool` asks what some texts
score in them. `ask` hands over what these texts score in all others, and gets what each memory
says, or the texts whose scores are still missing: which these are depends on what is found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streammem.core.errors import StreamMemError
from streammem.query.calibrate import Strengths
from streammem.query.elsewhere import Elsewhere
from streammem.query.engine import said_by
from streammem.query.explain import memory_facts
from streammem.query.inquiry import Inquiry, View
from streammem.query.parse import parse_question
from streammem.runtime.asking import OpenMemory, query_options
from streammem.runtime.batch.wire import error_to_wire
from streammem.runtime.shards.wire import (
    options_from_wire,
    said_to_wire,
    strengths_from_wire,
    strengths_to_wire,
)
from streammem.runtime.warm import WarmMemories

# The digest of an encoder and a text.
Text = tuple[str, str]


class _MissingPoolError(Exception):
    """What a text scores in other memories was not told."""

    def __init__(self, text: Text) -> None:
        super().__init__(text)
        self.text = text


@dataclass(slots=True)
class _Asked:
    """The question under way: its memories here, by path, and what was told of others."""

    inquiry: Inquiry
    places: dict[int, str]
    told: dict[Text, list[Strengths]] = field(default_factory=dict)

    def path_of(self, view: View) -> str:
        """Where a memory lies."""
        return self.places[id(view.memory)]


class ShardHolder:
    """Keeps memories open between questions. For one thread."""

    def __init__(self) -> None:
        """Nothing is open yet."""
        self._warm = WarmMemories({})
        self._asked: _Asked | None = None

    def serve(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out one step of a question.

        Raises:
            StreamMemError: as a question to these memories would.
        """
        if "open" in message:
            return self._open(message)
        if self._asked is None:
            raise StreamMemError("a shard was asked before it was told what", code="protocol")
        if "pool" in message:
            return self._pool(self._asked, message["pool"])
        return self._ask(self._asked, message["ask"])

    def _open(self, message: Mapping[str, Any]) -> dict[str, Any]:
        options = options_from_wire(message["options"])
        opened: list[OpenMemory] = []
        said: list[dict[str, Any]] = []
        for path in message["open"]:
            try:
                memories, _ = self._warm.open(
                    [Path(path)], weights=options.weights, device=options.device, named=True
                )
            except StreamMemError as error:
                said.append({"path": path, "error": error_to_wire(error)})
                continue
            opened += memories
            meta = memories[0].meta
            said.append(
                {
                    "path": path, "memory_id": meta.memory_id,
                    "digest": meta.encoder.digest, "encoder": meta.encoder.id,
                }
            )  # fmt: skip
        question = parse_question(message["question"], choices=options.choices)
        told: dict[Text, list[Strengths]] = {}
        self._asked = _Asked(
            Inquiry.open(
                question,
                [memory.query for memory in opened],
                query_options(options),
                Elsewhere(strengths_of=lambda digest, text: _told(told, (digest, text))),
            ),
            {id(memory.query): str(memory.path) for memory in opened},
            told,
        )
        return {"opened": said}

    def _pool(self, asked: _Asked, texts: Sequence[Sequence[str]]) -> dict[str, Any]:
        return {
            "pool": [
                [digest, text, strengths_to_wire(part)]
                for digest, text in texts
                for _, part in asked.inquiry.pooled(digest, text)
            ]
        }

    def _ask(self, asked: _Asked, told: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """What each memory says; `told` are digests and texts with the pools of other memories."""
        for digest, text, parts in told:
            asked.told[digest, text] = [strengths_from_wire(part) for part in parts]
        said: list[dict[str, Any]] = []
        wanted: set[Text] = set()
        inquiry = asked.inquiry
        for view in inquiry.views:
            inquiry.searches, inquiry.steps = [], []
            try:
                found = said_to_wire(said_by(inquiry, view), inquiry.options.top_k)
            except _MissingPoolError as missing:
                wanted.add(missing.text)
                continue
            explained = {"searches": inquiry.searches, "steps": inquiry.steps}
            facts = memory_facts(view) if inquiry.options.explain else None
            said.append({"path": asked.path_of(view), "facts": facts, **explained, **found})
        return {"wanted": sorted(wanted)} if wanted else {"said": said}


def _told(told: Mapping[Text, list[Strengths]], text: Text) -> list[Strengths]:
    if text not in told:
        raise _MissingPoolError(text)
    return told[text]
