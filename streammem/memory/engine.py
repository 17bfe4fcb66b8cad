"""The contract between `MemoryStore` and the policies: what one way to remember has to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from streammem.core.types import Tier, Times
from streammem.memory.batch import Batch
from streammem.memory.ledger import Ledger
from streammem.memory.snapshot import MemorySnapshot

BOUNDED = "bounded"
MERGING = "merging"
CELLULAR = "cellular"


@dataclass(slots=True)
class Tally:
    """What happened to cells since the store began; `wild` events are of unlike frames."""

    events: int = 0
    merges: int = 0
    wild: int = 0


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """What an engine is made for.

    The sections of the engine may take `budget_bytes - overhead_bytes`; a budget that is too
    small is refused with the smallest that works, overhead included. `seed` fixes whatever is
    drawn at random.
    """

    dim: int
    budget_bytes: int
    overhead_bytes: int
    tokens_per_frame: int
    seed: int

    @property
    def available_bytes(self) -> int:
        """What the sections of the engine may take together."""
        return self.budget_bytes - self.overhead_bytes


class Engine(Protocol):
    """All state of one memory under one policy. One thread writes."""

    @property
    def policy(self) -> "Policy":
        """The policy with the settings that this memory was made with."""
        ...

    @property
    def ledger(self) -> Ledger:
        """What is not in a cell."""
        ...

    @property
    def tally(self) -> Tally:
        """Events closed and cells merged since the beginning."""
        ...

    @property
    def frames(self) -> int:
        """Frames taken since the beginning."""
        ...

    @property
    def last_pts_s(self) -> float | None:
        """Time of the last frame taken, None before the first."""
        ...

    @property
    def nbytes(self) -> int:
        """The sum of the lengths of `sections`, without making them."""
        ...

    def take(self, block: Batch) -> None:
        """Take frames that were checked. Blocks of any size give the same state."""
        ...

    def close(self) -> None:
        """Close whatever is open; no frame follows."""
        ...

    def snapshot(self) -> MemorySnapshot:
        """An immutable copy of everything that can be found."""
        ...

    def use(self, returned: Mapping[int, int], reads: int) -> None:
        """Note that of `reads` reads each cell id was returned so many times."""
        ...

    def exemplars(self) -> Times:
        """The pts of the frames that stand for the cells, increasing."""
        ...

    def counts_by_tier(self) -> dict[Tier, int]:
        """Cells in each tier."""
        ...

    def bytes_by_tier(self) -> dict[Tier, int]:
        """Bytes of each tier."""
        ...

    def sections(self) -> dict[str, bytes]:
        """The state in the parts that the policy names, at stable positions within each."""
        ...


class Policy(Protocol):
    """One way to remember: a name, what it promises, and how its engine is made.

    `traits` is a subset of `bounded`, `merging` and `cellular`; the invariants that hold are
    those of the traits. `section_names` are the sections of its engine, in order.
    """

    @property
    def name(self) -> str:
        """Unique, lower case, at most 24 ASCII characters."""
        ...

    @property
    def traits(self) -> frozenset[str]:
        """What it promises."""
        ...

    @property
    def section_names(self) -> tuple[str, ...]:
        """Names of the engine's sections."""
        ...

    def build(self, request: EngineRequest) -> Engine:
        """An empty engine.

        Raises:
            BudgetError: the budget is too small; the hint has the smallest.
        """
        ...

    def restore(self, request: EngineRequest, sections: Mapping[str, bytes]) -> Engine:
        """The engine that `sections` came from.

        Raises:
            MemoryFileError: a section is damaged.
        """
        ...
