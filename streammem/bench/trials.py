"""The unit of work: one stream of one case, offered to some policies at one budget."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

Metrics = dict[str, float]
"""What one policy reached on one stream: figures by name."""


@dataclass(frozen=True)
class Case:
    """One row of an experiment: a kind of stream at a budget. `facts` is what rebuilds it."""

    protocol: str
    name: str
    budget_bytes: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    frames: int = 0

    def to_json(self) -> dict[str, Any]:
        """For a worker and for the document."""
        return asdict(self)

    @cached_property
    def id(self) -> str:
        """Equal for cases that are measured alike and for no others."""
        whole = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()[:16]


class Key(NamedTuple):
    """What identifies one measurement; `case` is the case's id."""

    case: str
    policy: str
    seed: int


@dataclass(frozen=True)
class Trial:
    """One stream to be made once and written to several policies."""

    case: Case
    seed: int
    policies: tuple[str, ...]

    def key(self, policy: str) -> Key:
        """Identifies what one policy reaches in this trial."""
        return Key(self.case.id, policy, self.seed)

    def to_json(self) -> dict[str, Any]:
        """One line to a worker."""
        return {"case": self.case.to_json(), "seed": self.seed, "policies": list(self.policies)}


def trial_from_json(data: dict[str, Any]) -> Trial:
    """The trial that `to_json` wrote."""
    return Trial(Case(**data["case"]), int(data["seed"]), tuple(data["policies"]))


@dataclass(frozen=True, slots=True)
class Row:
    """What one measurement gave.

    `refused` says why the policy cannot take part (a budget too small for it), `failed` what
    went wrong; either has no figures.
    """

    key: Key
    metrics: Metrics
    refused: str | None = None
    failed: str | None = None

    def to_json(self) -> dict[str, Any]:
        """One line of the journal."""
        return {
            "key": list(self.key),
            "metrics": self.metrics,
            "refused": self.refused,
            "failed": self.failed,
        }


def row_from_json(data: dict[str, Any]) -> Row:
    """The row that `to_json` wrote."""
    case, policy, seed = data["key"]
    return Row(Key(case, policy, int(seed)), data["metrics"], data["refused"], data["failed"])
