"""What a bench run tells while it runs, for progress bars and event lines."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BenchEvent:
    """Progress of a run.

    `kind`: `started`, `resumed` (so many measurements were there already), `progress`, `note`,
    `failed` (one measurement, the reason in `message`), `done`. `done` of `total` measurements
    are finished.
    """

    kind: str
    done: int = 0
    total: int = 0
    message: str | None = None

    def to_json(self) -> dict[str, Any]:
        """One event line."""
        data = asdict(self)
        return {"event": data.pop("kind"), **data}


OnBenchEvent = Callable[[BenchEvent], None]
