"""Updates for the convolutions: momentum with its matrix made orthogonal.

All directions of a weight matrix then move at one pace, which takes far fewer steps than Adam on
a short run. Tables of vectors, norms and offsets are left to Adam.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

# Newton-Schulz: coefficients of Jordan and others, 2024 ("Muon"), and how often they are applied.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5
# Makes the size of a step like Adam's, so that both take one rate.
_LIKE_ADAM = 0.2


class Orthogonal(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised per weight, for parameters of two or more dimensions."""

    def __init__(
        self,
        params: list[torch.nn.Parameter],
        lr: float,
        pool: ThreadPoolExecutor,
        *,
        momentum: float,
        decay: float,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "decay": decay})
        self._pool = pool

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient, the weights shared out to threads."""
        for group in self.param_groups:
            moved = [weight for weight in group["params"] if weight.grad is not None]
            states = [self.state[weight] for weight in moved]
            list(self._pool.map(_update, moved, states, [group] * len(moved)))


@torch.no_grad()
def _update(weight: torch.nn.Parameter, state: dict[str, Any], group: dict[str, Any]) -> None:
    gradient = weight.grad
    assert gradient is not None
    if "mean" not in state:
        state["mean"] = torch.zeros_like(gradient)
    mean = state["mean"]
    mean.mul_(group["momentum"]).add_(gradient)
    ahead = gradient + group["momentum"] * mean
    update = orthogonal(ahead.flatten(1)).reshape(weight.shape)
    size = _LIKE_ADAM * max(weight.shape[0], weight[0].numel()) ** 0.5
    weight.mul_(1 - group["lr"] * group["decay"])
    weight.add_(update, alpha=-group["lr"] * size)


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """The nearest matrix whose singular values are all about 1."""
    first, second, third = _COEFFICIENTS
    wide = matrix.shape[0] > matrix.shape[1]
    value = (matrix.T if wide else matrix).to(torch.bfloat16).contiguous()
    value = value / (value.norm() + 1e-7)
    for _ in range(_ROUNDS):
        square = value @ value.T
        inner = torch.addmm(square, square, square, beta=second, alpha=third)
        value = torch.addmm(value, inner, value, beta=first)
    found = value.T if wide else value
    return found.to(matrix.dtype)
