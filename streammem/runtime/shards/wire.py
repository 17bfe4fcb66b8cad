"""The JSON that a question and the shards of a library exchange, exact to the last bit."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streammem.core.requests import AskOptions
from streammem.core.types import Channel, Floats, Tier
from streammem.encoders.base import Encoder
from streammem.memory.store import MemoryStore
from streammem.query.calibrate import Strengths
from streammem.query.engine import Said
from streammem.query.memories import QueryMemory
from streammem.query.moments import Moment, best_first, head_size
from streammem.query.outcome import Outcome

_PLAIN = ("confidence", "value", "choice")
_LISTED = ("unknown_words", "notes")
_PAIRED = ("labels", "amounts")


def strengths_to_wire(values: Strengths) -> str:
    """Strengths `[S]` as text."""
    return _to_text(values.astype("<f8"))


def strengths_from_wire(text: str) -> Strengths:
    """The strengths that a shard sent."""
    return np.frombuffer(base64.b64decode(text), "<f8").astype(np.float64)


def options_from_wire(data: Mapping[str, Any]) -> AskOptions:
    """The options of a question from their fields."""
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
    }
    return AskOptions(**fields)


def said_to_wire(said: Said, top_k: int) -> dict[str, Any]:
    """What one memory said, with the looks of those moments that may be chosen."""
    outcome = said.outcome
    return {
        "notes": list(said.notes),
        "outcome": None if outcome is None else _outcome_to_wire(outcome, top_k),
    }


def said_from_wire(data: Mapping[str, Any], memory_id: str, encoder: Encoder) -> Said:
    """What a memory of some other process said; of the memory only its shown moments are known."""
    outcome = data["outcome"]
    if outcome is None:
        return Said(tuple(data["notes"]), None)
    listed = {name: outcome[name] for name in ("moments", "nearest")}
    memory = _shown_memory([one for some in listed.values() for one in some], memory_id, encoder)
    rows = iter(range(sum(map(len, listed.values()))))
    fields: dict[str, Any] = {
        **{
            name: tuple(_moment_from_wire(one, memory, next(rows)) for one in some)
            for name, some in listed.items()
        },
        **{name: outcome[name] for name in _PLAIN},
        **{name: tuple(outcome[name]) for name in _LISTED},
        **{name: tuple(map(tuple, outcome[name])) for name in _PAIRED},
    }
    return Said(tuple(data["notes"]), Outcome(**fields))


def _outcome_to_wire(outcome: Outcome, top_k: int) -> dict[str, Any]:
    return {
        "moments": _moments_to_wire(outcome.moments, top_k),
        "nearest": _moments_to_wire(outcome.nearest, top_k),
        **{name: _plain(getattr(outcome, name)) for name in _PLAIN},
        **{name: list(getattr(outcome, name)) for name in _LISTED},
        **{
            name: [[label, _plain(value)] for label, value in getattr(outcome, name)]
            for name in _PAIRED
        },
    }


def _moments_to_wire(moments: Sequence[Moment], top_k: int) -> list[dict[str, Any]]:
    """Moments in their order; only those that can be among the best of all have their looks."""
    chosen = set(map(id, best_first(moments)[: head_size(top_k)]))
    return [_moment_to_wire(one, looks=id(one) in chosen) for one in moments]


def _moment_to_wire(moment: Moment, *, looks: bool) -> dict[str, Any]:
    snapshot, row = moment.memory.snapshot, moment.row
    shows = looks and row >= 0 and moment.channel is Channel.VISION
    return {
        "source": moment.memory.source,
        "times_s": [float(moment.start_s), float(moment.end_s), float(moment.time_s)],
        "strength": float(moment.strength),
        "confidence": float(moment.confidence),
        "tier": None if row < 0 else Tier(str(snapshot.tiers[row])).value,
        "key": _to_text(snapshot.keys[row].astype("<f4")) if shows else None,
        "text": moment.text,
        "channel": moment.channel.value,
        "found_for": moment.found_for,
    }


def _moment_from_wire(data: Mapping[str, Any], memory: QueryMemory, row: int) -> Moment:
    start_s, end_s, time_s = data["times_s"]
    return Moment(
        memory=memory,
        start_s=start_s,
        end_s=end_s,
        time_s=time_s,
        strength=data["strength"],
        confidence=data["confidence"],
        row=-1 if data["tier"] is None else row,
        text=data["text"],
        channel=Channel(data["channel"]),
        found_for=data["found_for"],
    )


def _shown_memory(
    moments: Sequence[Mapping[str, Any]], memory_id: str, encoder: Encoder
) -> QueryMemory:
    """A memory of which nothing is known but the cells of some moments, one row each."""
    nothing = MemoryStore(encoder.spec.dim, 1 << 20).snapshot()
    snapshot = replace(nothing, tiers=tuple(Tier(one["tier"] or Tier.SENSORY) for one in moments))
    # Rows that were decoded where the memory lies take the place of those that would be here.
    vars(snapshot)["keys"] = _rows((one["key"] for one in moments), encoder.spec.dim)
    source = moments[0]["source"] if moments else ""
    return QueryMemory(memory_id, source, snapshot, encoder, 0.0, 0.0)


def _rows(keys: Iterable[str | None], dim: int) -> Floats:
    zeros = np.zeros(dim, np.float32)
    rows = [zeros if key is None else np.frombuffer(base64.b64decode(key), "<f4") for key in keys]
    return np.array(rows, np.float32).reshape(-1, dim)


def _to_text(values: NDArray[np.floating[Any]]) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")


def _plain(value: Any) -> Any:
    """A number of Python's own for one of NumPy's."""
    return value.item() if isinstance(value, np.generic) else value
