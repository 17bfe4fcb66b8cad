"""Opens one memory a policy and writes a stream to all of them, block by block."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from streammem.bench.trials import Metrics, Row, Trial
from streammem.core.errors import BudgetError
from streammem.core.types import Floats, Times
from streammem.memory import MemorySnapshot, MemoryStore

Blocks = Iterable[tuple[Floats, Times]]


@dataclass(frozen=True, slots=True)
class Field:
    """The memories of one trial, by policy, and the rows of policies that refused the budget."""

    trial: Trial
    stores: dict[str, MemoryStore]
    refused: tuple[Row, ...]

    def row(self, policy: str, metrics: Metrics) -> Row:
        """What a policy reached."""
        return Row(self.trial.key(policy), metrics)

    def write(self, frames: Floats, pts_s: Times) -> None:
        """One block to every memory."""
        for store in self.stores.values():
            store.write(frames, pts_s)

    def write_all(self, blocks: Blocks) -> None:
        """A whole stream to every memory."""
        for frames, pts_s in blocks:
            self.write(frames, pts_s)

    def snapshots(self) -> Iterator[tuple[str, MemorySnapshot]]:
        """The memories as they stand, one after the other."""
        for policy, store in self.stores.items():
            yield policy, store.snapshot()

    def size_metrics(self, policy: str) -> Metrics:
        """Bytes of a memory, and its share of the budget."""
        nbytes = self.stores[policy].nbytes
        return {"nbytes": float(nbytes), "budget_used": nbytes / self.trial.case.budget_bytes}


def open_field(trial: Trial, dim: int) -> Field:
    """One empty memory for every policy of the trial."""
    stores: dict[str, MemoryStore] = {}
    refused: list[Row] = []
    for policy in trial.policies:
        try:
            stores[policy] = MemoryStore(
                dim, trial.case.budget_bytes, policy=policy, seed=trial.seed
            )
        except BudgetError as error:
            refused.append(Row(trial.key(policy), {}, f"{error.message}; {error.hint}"))
    return Field(trial, stores, tuple(refused))
