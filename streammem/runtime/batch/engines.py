"""Which workers an engine has: child processes of this machine, or actors of a Ray cluster."""

from dataclasses import dataclass

from streammem.core.batches import LOCAL, RAY
from streammem.core.errors import UsageError
from streammem.runtime.batch.crew import Crew
from streammem.runtime.batch.local import LocalCrew
from streammem.runtime.batch.wire import WorkerOrders


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine by name, how many workers it is to have at most, and what only Ray knows.

    `ray_address` is empty for a cluster of its own, `gpus` what each worker is to have.
    """

    name: str
    jobs: int
    ray_address: str = ""
    gpus: float = 0.0


def crew_for(engine: Engine, orders: WorkerOrders, threads: int) -> Crew:
    """The engine's workers; `threads` is how many each may use for numbers.

    Raises:
        UsageError: there is no such engine.
        MissingError: its package is not here.
    """
    if engine.name == LOCAL:
        return LocalCrew(orders, threads)
    if engine.name != RAY:
        raise UsageError(f"there is no engine {engine.name!r}", hint=f"{LOCAL} or {RAY}")
    from streammem.runtime.batch.ray_crew import RayCrew

    return RayCrew(orders, engine, threads)
