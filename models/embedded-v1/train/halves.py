"""A step on two cores: each half of a batch through a copy of the student, on a thread of its own.

The halves meet once a step, where their gradients are averaged. torch's own threads meet after
every layer, which on cores that other work shares costs more than it gains.
"""

import copy
import ctypes
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from student import Student

HALVES = 2
# Numbers of glibc's mallopt: when memory is given back, from which size it comes on its own, and
# how many pools of it there are (those of threads are given back whatever the other two say).
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENAS = -1, -3, -8
_NEVER_BYTES = 2**30

Batch = dict[str, torch.Tensor]
# The weighted parts of the loss of a batch, drawn by a generator.
Losses = Callable[[Student, Batch, torch.Generator], dict[str, torch.Tensor]]


def keep_memory() -> None:
    """Have freed memory used again; fresh pages cost more than the arithmetic on them."""
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):
            library.mallopt(_ARENAS, 1)
            library.mallopt(_MMAP_THRESHOLD, _NEVER_BYTES)
            library.mallopt(_TRIM_THRESHOLD, _NEVER_BYTES)


class Halves:
    """Gradients of a student; the copy shares its weights, not its gradients nor its norms' sums.

    The norms see half a batch at a time, and those of the student itself are kept.
    """

    def __init__(self, student: Student, pool: ThreadPoolExecutor) -> None:
        self._student, self._pool = student, pool
        self.copied = copy.deepcopy(student)
        for held, given in zip(self.copied.parameters(), student.parameters(), strict=True):
            held.data = given.data

    def gradients(
        self, losses: Losses, batch: Batch, seeds: tuple[int, int]
    ) -> dict[str, torch.Tensor]:
        """Put the mean gradient of both halves into the student, and return its mean loss."""
        rows = len(batch["pixels"]) // HALVES
        running = [
            self._pool.submit(
                _backward, student, losses,
                {name: value[half * rows : (half + 1) * rows] for name, value in batch.items()},
                seeds[half],
            )
            for half, student in enumerate((self._student, self.copied))
        ]  # fmt: skip
        first, second = (each.result() for each in running)
        pairs = zip(self._student.parameters(), self.copied.parameters(), strict=True)
        with torch.no_grad():
            for own, other in pairs:
                if own.grad is not None and other.grad is not None:
                    own.grad.add_(other.grad).mul_(1 / HALVES)
        return {name: (first[name] + second[name]) / HALVES for name in first}


def _backward(student: Student, losses: Losses, batch: Batch, seed: int) -> dict[str, torch.Tensor]:
    student.zero_grad(set_to_none=True)
    parts = losses(student, batch, torch.Generator().manual_seed(seed))
    torch.stack(list(parts.values())).sum().backward()
    return {name: part.detach() for name, part in parts.items()}
