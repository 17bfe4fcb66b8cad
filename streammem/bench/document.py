"""The result document of a run: per policy and stream the mean of each figure and its interval."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from streammem.bench.contestants import OURS
from streammem.bench.protocols.base import Column
from streammem.bench.statistics import estimate, paired_difference
from streammem.bench.trials import Case, Key, Row


class Described(Protocol):
    """What a document says about an experiment."""

    @property
    def name(self) -> str:
        """How it is asked for."""
        ...

    @property
    def title(self) -> str:
        """What it shows."""
        ...

    @property
    def axis(self) -> str | None:
        """What its cases differ in."""
        ...

    @property
    def columns(self) -> tuple[Column, ...]:
        """Its figures."""
        ...


@dataclass(frozen=True, slots=True)
class Measured:
    """A protocol with its cases and all rows of the run by key."""

    protocol: Described
    cases: Sequence[Case]
    policies: Sequence[str]
    seeds: Sequence[int]
    rows: Mapping[Key, Row]

    def to_json(self) -> dict[str, Any]:
        """The entry of `results`."""
        return {
            "protocol": self.protocol.name,
            "title": self.protocol.title,
            "axis": self.protocol.axis,
            "columns": [asdict(column) for column in self.protocol.columns],
            "cases": [self._case(case) for case in self.cases],
        }

    def _case(self, case: Case) -> dict[str, Any]:
        return {
            "name": case.name,
            "budget_bytes": case.budget_bytes,
            "frames": case.frames,
            # What begins with an underscore is a place on this machine.
            "facts": {name: fact for name, fact in case.facts.items() if name[0] != "_"},
            "policies": [self._policy(case, policy) for policy in self.policies],
        }

    def _policy(self, case: Case, policy: str) -> dict[str, Any]:
        """One policy on one case; `status` is `done`, `refused`, `failed` or `missing`."""
        rows = self._rows_of(case, policy)
        figures = {seed: row for seed, row in rows.items() if row.metrics}
        refused = next((row.refused for row in rows.values() if row.refused), None)
        failed = next((row.failed for row in rows.values() if row.failed), None)
        status = "refused" if refused else "failed" if failed else "done" if rows else "missing"
        ours = self._rows_of(case, OURS) if policy != OURS else {}
        names = dict.fromkeys(name for row in figures.values() for name in row.metrics)
        return {
            "policy": policy,
            "status": status,
            "reason": refused or failed,
            "streams": len(figures),
            "metrics": {
                name: estimate(list(_values(figures, name).values())).to_json() for name in names
            },
            "below_streammem": {
                name: difference.to_json()
                for name in (column.metric for column in self.protocol.columns)
                if (difference := paired_difference(_values(ours, name), _values(figures, name)))
            },
        }

    def _rows_of(self, case: Case, policy: str) -> dict[int, Row]:
        keys = {seed: Key(case.id, policy, seed) for seed in self.seeds}
        return {seed: self.rows[key] for seed, key in keys.items() if key in self.rows}


def _values(rows: Mapping[int, Row], metric: str) -> dict[int, float]:
    """One figure by seed, where it was measured."""
    return {seed: row.metrics[metric] for seed, row in rows.items() if metric in row.metrics}
