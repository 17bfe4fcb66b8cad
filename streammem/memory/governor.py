"""Works out, before the first frame, how many of everything fit into the byte budget.

Every part has a fixed capacity and the sum of all of them at their fullest is within the
budget, so no later call can exceed it and none needs to ask.
"""

from dataclasses import dataclass

import numpy as np

from streammem.core.budget import KIB, format_bytes
from streammem.core.errors import BudgetError
from streammem.memory.cells import LINK, cell_dtype
from streammem.memory.codes import BIT_WIDTHS, RowCode
from streammem.memory.ledger import ENTRY
from streammem.memory.sensory import sensory_dtype
from streammem.memory.spans import SPAN

# Fewer bits a coordinate where the wider code would leave room for fewer cells than this.
WIDE_CODE_CELLS = 256
# A narrower code must hold this many times as many cells: near the end of the ladder a slot is
# mostly numbers, and halving its code gains little.
WORTHWHILE_GAIN = 1.3
# Tokens beside the first are kept only where this many cells still fit, the first one here.
MANY_TOKENS_CELLS = 4096
ONE_TOKEN_CELLS = 512
MOST_TOKENS_PER_CELL = 8
FEWEST_CELLS = 32
# Beyond this, the scratch of one call would exceed its 4 MiB.
MOST_CELLS = 1 << 17


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Capacities of every part and how wide a coordinate is; chosen once, then stored."""

    dim: int
    budget_bytes: int
    tokens_per_frame: int
    bits: int
    tokens_per_cell: int
    cells: int
    spans: int
    working: int
    sensory: int
    ledger: int

    def row_code(self, seed: int) -> RowCode:
        """The code of keys."""
        return RowCode(self.dim, self.bits, seed)

    @property
    def cell_dtype(self) -> np.dtype[np.void]:
        """The layout of a cell's slot."""
        return cell_dtype(self.row_code(0).code_bytes, self.tokens_per_cell, self.dim)

    @property
    def sensory_dtype(self) -> np.dtype[np.void]:
        """The layout of a frame of the sensory ring."""
        return sensory_dtype(self.row_code(0).code_bytes)

    @property
    def open_dtype(self) -> np.dtype[np.void]:
        """The layout of the open event."""
        return open_dtype(self.dim, self.tokens_per_cell)


def open_dtype(dim: int, tokens_per_cell: int) -> np.dtype[np.void]:
    """The open event: exact sums, the last frame and, where kept, its exemplar's tokens."""
    columns: list[tuple[str, str] | tuple[str, str, tuple[int, ...]]] = [
        ("time_low", "<u8"), ("time_high", "<i8"), ("square_sum", "<u8"), ("frames", "<u4"),
        ("use", "<u4"), ("reads", "<u8"), ("start_s", "<f8"), ("end_s", "<f8"),
        ("exemplar_s", "<f8"), ("exemplar_surprise", "<f8"),
        ("sums", "<i4", (dim,)), ("last_frame", "<i2", (dim,)),
    ]  # fmt: skip
    if tokens_per_cell:
        columns.append(("tokens", "u1", (tokens_per_cell, dim)))
    return np.dtype(columns)


def plan_memory(dim: int, budget_bytes: int, tokens_per_frame: int, fixed_bytes: int) -> MemoryPlan:
    """Capacities for a budget; `fixed_bytes` is what header and counters take.

    Raises:
        BudgetError: fewer than `FEWEST_CELLS` cells fit.
    """
    plan = _widest(dim, budget_bytes, tokens_per_frame, fixed_bytes)
    if plan is None:
        smallest = smallest_budget_bytes(dim, tokens_per_frame, fixed_bytes)
        raise BudgetError(
            f"{format_bytes(max(0, budget_bytes))} cannot hold a memory of {dim}-wide embeddings",
            hint=f"the smallest budget that can is {smallest} bytes",
            code="budget_too_small",
        )
    return plan


def smallest_budget_bytes(dim: int, tokens_per_frame: int, fixed_bytes: int) -> int:
    """The smallest budget that `plan_memory` accepts, a multiple of 256."""
    low, high = 0, 1
    while _widest(dim, high * 256, tokens_per_frame, fixed_bytes) is None:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if _widest(dim, middle * 256, tokens_per_frame, fixed_bytes) is None:
            low = middle
        else:
            high = middle
    return high * 256


def worst_case_bytes(plan: MemoryPlan, fixed_bytes: int) -> int:
    """Bytes of the fullest memory of this plan."""
    return (
        fixed_bytes
        + queue_bytes(plan.working)
        + plan.open_dtype.itemsize
        + plan.sensory * plan.sensory_dtype.itemsize
        + plan.cells * (plan.cell_dtype.itemsize + LINK.itemsize)
        + plan.spans * SPAN.itemsize
        + plan.ledger * ENTRY.itemsize
    )


def queue_bytes(working: int) -> int:
    """Bytes of the list of working cells."""
    return 4 * working


def _widest(dim: int, budget: int, tokens_per_frame: int, fixed: int) -> MemoryPlan | None:
    """The plan with the widest code that still leaves room for enough cells."""
    plan: MemoryPlan | None = None
    for bits in BIT_WIDTHS:
        narrower = _fit(dim, budget, tokens_per_frame, fixed, (bits, 0))
        if narrower is None:
            continue
        if plan is not None and narrower.cells < WORTHWHILE_GAIN * plan.cells:
            break
        plan = narrower
        if plan.cells >= WIDE_CODE_CELLS:
            break
    if plan is None or plan.cells < FEWEST_CELLS:
        return None
    for tokens in range(min(tokens_per_frame, MOST_TOKENS_PER_CELL), 0, -1):
        richer = _fit(dim, budget, tokens_per_frame, fixed, (plan.bits, tokens))
        wanted = ONE_TOKEN_CELLS if tokens == 1 else MANY_TOKENS_CELLS
        if richer is not None and richer.cells >= wanted:
            return richer
    return plan


def _fit(
    dim: int, budget: int, tokens_per_frame: int, fixed: int, widths: tuple[int, int]
) -> MemoryPlan | None:
    """As many cells as fit with `widths` = (bits, tokens per cell); None where none does."""
    bits, tokens = widths
    working = min(64, max(4, budget // (8 * KIB)))
    frame_bytes = sensory_dtype(RowCode(dim, bits).code_bytes).itemsize
    sensory = min(32, max(8, budget // 32 // frame_bytes))
    ledger = min(512, max(8, budget // 64 // ENTRY.itemsize))
    empty = MemoryPlan(dim, budget, tokens_per_frame, bits, tokens, 0, 0, working, sensory, ledger)
    room = budget - worst_case_bytes(empty, fixed) - SPAN.itemsize
    # One and a half spans for every cell, and one more so that two can always be joined.
    pair_bytes = 2 * (empty.cell_dtype.itemsize + LINK.itemsize) + 3 * SPAN.itemsize
    pairs = min(room // pair_bytes, MOST_CELLS // 2)
    if pairs <= 0:
        return None
    return MemoryPlan(
        dim, budget, tokens_per_frame, bits, tokens, 2 * pairs, 3 * pairs + 1,
        working, sensory, ledger,
    )  # fmt: skip
