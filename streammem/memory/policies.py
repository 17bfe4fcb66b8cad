"""Gathers the rules of a policy of cells in tiers, and every number that steers one."""

from collections.abc import Callable
from dataclasses import astuple, dataclass, fields
from typing import Any, Self

from streammem.memory.boundary import BoundaryRule, SurpriseBoundary
from streammem.memory.consolidation import PairCost
from streammem.memory.eviction import VictimRule


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """Every knob of a policy.

    Boundary:
        gamma: Standard deviations above the usual surprise that start a new event.
        surprise_floor: Smallest excess of surprise that can start one; keeps pixel noise of a
            still scene from cutting it.
        min_event_frames: An event shorter than this is not ended by surprise.
        max_event_frames: An event ends after this many frames whatever it shows.
        memory_frames: Frames over which the usual change is averaged.
        prior_frames: How many frames of its own an event needs to outweigh that average.
    Time:
        hole_factor: A pause longer than this many sampling steps is not claimed as seen.
        first_step_s: Step assumed after the first frame, seconds.
        longest_first_step_s: Longest second step that is believed to be one, seconds.
    Consolidation:
        mass_exponent: Power of the harmonic mass in the cost of a merge; 0 ignores mass.
        same_distance: Squared distance of unit keys under which two cells are one.
        near_distance: Squared distance under which two cells are merged before any cell loses
            its detail: what the signs of two keys cannot tell apart.
        max_merge_distance: Squared distance beyond which a merge saves nothing worth keeping
            and the least used cell is evicted instead; 4 never is.
        spans_per_cell: Most spans of one cell.
        coverage_fraction: Longest stretch, as a fraction of the stream, that eviction may
            leave without a cell.
    """

    gamma: float = 3.0
    surprise_floor: float = 0.004
    min_event_frames: int = 1
    max_event_frames: int = 64
    memory_frames: int = 32
    prior_frames: int = 5
    hole_factor: float = 4.0
    first_step_s: float = 0.5
    longest_first_step_s: float = 10.0
    mass_exponent: float = 0.1
    same_distance: float = 1e-3
    near_distance: float = 0.05
    max_merge_distance: float = 4.0
    spans_per_cell: int = 1024
    coverage_fraction: float = 0.1

    def to_row(self) -> tuple[float, ...]:
        """All values in the order of the fields; `from_row` reads them back."""
        return tuple(float(value) for value in astuple(self))

    @classmethod
    def from_row(cls, row: tuple[float, ...]) -> Self:
        """The settings that `to_row` wrote."""
        values = zip(fields(cls), row, strict=True)
        named: dict[str, Any] = {
            field.name: int(value) if field.type is int else value for field, value in values
        }
        return cls(**named)


@dataclass(frozen=True)
class PolicySet:
    """One way to consolidate: pure functions and what they promise.

    `traits` is a subset of `bounded`, `merging` and `cellular`; the invariants that hold are
    those of the traits. `boundary` makes the rule that ends events, `pair_cost` prices a merge
    of two cells, `victim` names the cell to evict.
    """

    name: str
    traits: frozenset[str]
    settings: PolicySettings
    boundary: Callable[[PolicySettings], BoundaryRule]
    pair_cost: PairCost
    victim: VictimRule


def surprise_boundary(settings: PolicySettings) -> BoundaryRule:
    """The default boundary with these settings."""
    return SurpriseBoundary(
        gamma=settings.gamma,
        surprise_floor=settings.surprise_floor,
        event_frames=(settings.min_event_frames, settings.max_event_frames),
        memory_frames=settings.memory_frames,
        prior_frames=settings.prior_frames,
    )
