"""Which policies take part: whatever the registry of the memory offers when the run starts."""

from collections.abc import Sequence

from streammem.core.errors import BudgetError, UsageError
from streammem.memory import POLICIES, MemoryStore

OURS = "streammem"
UPPER_BOUND = "unbounded"
CODES_SUFFIX = "+codes"
CELLS = ("fp16", "codes", "both")
_PROBE = (16, 1 << 20)


def contestants(names: Sequence[str] = (), cells: str = "both") -> tuple[str, ...]:
    """The policies to run: those named, else all; each with the asked cells where it has them.

    A policy that has only one kind of cell takes part with that one. `streammem` is always the
    first, because every other is compared with it.

    Raises:
        UsageError: a name or `cells` is unknown.
    """
    if cells not in CELLS:
        raise UsageError(f"--cells {cells!r} is unknown", hint=f"one of {', '.join(CELLS)}")
    wanted = list(names) or [name for name in POLICIES if not name.endswith(CODES_SUFFIX)]
    chosen: list[str] = []
    for name in wanted:
        if not _exists(name):
            raise UsageError(
                f"there is no policy {name!r}",
                hint=f"choose among: {', '.join(sorted(POLICIES))}",
                code="unknown_policy",
            )
        chosen += [name] if name.endswith(CODES_SUFFIX) else _with_cells(name, cells)
    rest = [name for name in dict.fromkeys(chosen) if name != OURS]
    return ((OURS,) if OURS in chosen else ()) + tuple(sorted(rest))


def _with_cells(name: str, cells: str) -> list[str]:
    coded = name + CODES_SUFFIX
    if cells == "fp16" or not _exists(coded):
        return [name]
    return [coded] if cells == "codes" else [name, coded]


def _exists(name: str) -> bool:
    dim, budget_bytes = _PROBE
    try:
        MemoryStore(dim, budget_bytes, policy=name)
    except UsageError:
        return False
    except BudgetError:
        return True
    return True
