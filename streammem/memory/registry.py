"""Names every policy that a memory can be made with."""

from streammem.core.errors import UsageError
from streammem.memory.consolidation import mass_weighted_cost
from streammem.memory.engine import BOUNDED, CELLULAR, MERGING, Policy
from streammem.memory.eviction import least_used
from streammem.memory.policies import PolicySettings, surprise_boundary
from streammem.memory.published.catalogue import PUBLISHED
from streammem.memory.tiered import TieredPolicy

STREAMMEM = TieredPolicy(
    name="streammem",
    traits=frozenset({BOUNDED, MERGING, CELLULAR}),
    settings=PolicySettings(),
    boundary=surprise_boundary,
    pair_cost=mass_weighted_cost,
    victim=least_used,
)
"""The default."""

_ALL: tuple[Policy, ...] = (STREAMMEM, *PUBLISHED)

POLICIES: dict[str, Policy] = {policy.name: policy for policy in _ALL}
"""The policies by name."""


def choose_policy(name: str) -> Policy:
    """The policy of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in POLICIES:
        known = ", ".join(sorted(POLICIES))
        raise UsageError(
            f"there is no policy {name!r}", hint=f"choose one of: {known}", code="unknown_policy"
        )
    return POLICIES[name]
