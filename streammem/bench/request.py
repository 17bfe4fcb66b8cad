"""What a user asks of a bench run, and the numbers that follow from it."""

from dataclasses import dataclass
from pathlib import Path

from streammem.core.budget import KIB, MIB
from streammem.core.errors import UsageError

CELL_NUMBERS_BYTES = 128
SMALLEST_BUDGET_BYTES = 4 * KIB
LARGEST_BUDGET_BYTES = 64 * MIB
TUNING_SEEDS = 100
FIRST_REPORT_SEED = 1000
SEEDS = 20
QUICK_SEEDS = 1


def cell_bytes(dim: int) -> int:
    """Bytes of one fp16 cell, the unit of loads and of budgets given in cells: 1152 at 512."""
    return 2 * dim + CELL_NUMBERS_BYTES


@dataclass(frozen=True, slots=True)
class BenchRequest:
    """One run of `streammem bench memory`.

    Empty `protocols`, `policies` and `budgets_bytes` mean all that can run, all of the registry,
    and those of each protocol. `seeds` None means 20, and 1 for a quick run.
    `tuning` takes the seeds 0 to 99, which nothing may be reported on; else they start at 1000.
    `clips` is the list of joined real clips and `timelines` the folder of narrated timelines for
    the protocols of these names; needles, scripts and facts are planted in streams of at most
    `max_frames`; `encoder` makes the clips' vectors, which are kept in `cache`.
    """

    protocols: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    cells: str = "both"
    budgets_bytes: tuple[int, ...] = ()
    seeds: int | None = None
    tuning: bool = False
    quick: bool = False
    jobs: int = 1
    max_frames: int = 100_000
    out: Path | None = None
    fresh: bool = False
    clips: Path | None = None
    timelines: Path | None = None
    encoder: str = "descriptor"
    weights: str = ""
    cache: Path | None = None
    command_line: str = "streammem bench memory"

    def seed_numbers(self) -> tuple[int, ...]:
        """The seeds of the streams.

        Raises:
            UsageError: none, or more than are reserved for tuning.
        """
        count = self.seeds if self.seeds is not None else QUICK_SEEDS if self.quick else SEEDS
        if count < 1:
            raise UsageError(f"--seeds {count}: at least one stream is needed")
        if self.tuning and count > TUNING_SEEDS:
            raise UsageError(f"--seeds {count}: only {TUNING_SEEDS} are reserved for tuning")
        first = 0 if self.tuning else FIRST_REPORT_SEED
        return tuple(range(first, first + count))

    def check(self) -> None:
        """Refuse what cannot be measured or must not be reported.

        Raises:
            UsageError: a budget is out of range, or figures of tuning seeds would be kept.
        """
        for budget_bytes in self.budgets_bytes:
            if not SMALLEST_BUDGET_BYTES <= budget_bytes <= LARGEST_BUDGET_BYTES:
                raise UsageError(
                    f"--budget {budget_bytes} is not between 4 KiB and 64 MiB",
                    hint="the protocols are meant for 64 KiB to 16 MiB",
                )
        if self.tuning and self.out is not None:
            raise UsageError(
                "--tuning and --out exclude each other",
                hint="figures of tuning seeds are never reported; leave one of them out",
            )
