"""The contract of models that tell speech from everything else."""

from collections.abc import Mapping
from typing import Any, Protocol

from streammem.core.types import Floats


class VoiceModel(Protocol):
    """Tells for each hop of 32 ms how likely it is that somebody speaks. `id` names the weights."""

    id: str

    def reset(self) -> None:
        """Forget everything heard."""

    def probabilities(self, samples: Floats) -> Floats:
        """float32 `[N]` for N hops of samples, float32 `[N * 512]`."""

    def state(self) -> dict[str, Any]:
        """The model's memory as plain JSON."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` gave."""
