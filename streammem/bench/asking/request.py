"""What a user asks of `streammem bench questions`."""

from dataclasses import dataclass
from pathlib import Path

from streammem.bench.request import (
    FIRST_REPORT_SEED,
    LARGEST_BUDGET_BYTES,
    TUNING_SEEDS,
)
from streammem.core.budget import KIB, MIB
from streammem.core.errors import UsageError

SEEDS = 20
QUICK_SEEDS = 1
SMALLEST_BUDGET_BYTES = 64 * KIB


@dataclass(frozen=True, slots=True)
class QuestionsRequest:
    """One run of `streammem bench questions` on event scripts.

    Empty `protocols` means all, empty `policies` the default one. `seeds` None means 20, and 1
    for a quick run; `tuning` takes the seeds 0 to 99, which nothing may be reported on; else they
    start at 1000.
    """

    protocols: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    budget_bytes: int = 4 * MIB
    seeds: int | None = None
    tuning: bool = False
    quick: bool = False
    jobs: int = 1
    out: Path | None = None
    fresh: bool = False
    command_line: str = "streammem bench questions"

    def seed_numbers(self) -> tuple[int, ...]:
        """The seeds of the scripts."""
        count = self.seeds if self.seeds is not None else QUICK_SEEDS if self.quick else SEEDS
        first = 0 if self.tuning else FIRST_REPORT_SEED
        return tuple(range(first, first + count))

    def check(self) -> None:
        """Refuse what cannot be measured or must not be reported.

        Raises:
            UsageError: a number is out of range, or figures of tuning seeds would be kept.
        """
        count = len(self.seed_numbers())
        if count < 1:
            raise UsageError(f"--seeds {self.seeds}: at least one script is needed")
        if self.tuning and count > TUNING_SEEDS:
            raise UsageError(f"--seeds {count}: only {TUNING_SEEDS} are reserved for tuning")
        if not SMALLEST_BUDGET_BYTES <= self.budget_bytes <= LARGEST_BUDGET_BYTES:
            raise UsageError(f"--budget {self.budget_bytes} is not between 64 KiB and 64 MiB")
        if self.tuning and self.out is not None:
            raise UsageError(
                "--tuning and --out exclude each other",
                hint="figures of tuning seeds are never reported; leave one of them out",
            )
