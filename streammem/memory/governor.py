"""Works out, before the first frame, how many of everything fit into the byte budget.

Head, open event, sensory ring and ledger have fixed places. Cells, spans and details share the
rest: cells and spans have capacities that fit together, and details take what those two have
not come to use. So no later call can exceed the budget.
"""

from dataclasses import dataclass, replace

import numpy as np

from streammem.core.budget import KIB, MIB, format_bytes
from streammem.core.errors import BudgetError
from streammem.memory.cells import LINK, cell_dtype
from streammem.memory.codes import RowCode
from streammem.memory.details import detail_dtype
from streammem.memory.ledger import ENTRY
from streammem.memory.sensory import sensory_dtype
from streammem.memory.signs import SignCode
from streammem.memory.spans import span_dtype

# From here on, sketches of 128 signs instead of 64, which tell visits apart also among keys
# that are close to each other.
WIDE_SKETCH_BYTES = 48 * KIB
# Spans for each cell where both are at their limit.
SPANS_PER_CELL = 6
# Fine keys have 8 bits a coordinate from here on, and in widths where a rotation mixes little.
WIDE_DETAIL_BYTES = MIB
NARROW_DIM = 128
# As many tokens a cell as leave room for this many cells with details.
CELLS_WITH_TOKENS = 512
MOST_TOKENS_PER_CELL = 8
# What details keep for themselves, where they hold tokens, of what they share with cells.
TOKEN_SHARE = 0.3
FEWEST_CELLS = 32
# Beyond this, the scratch of one call would exceed its 4 MiB.
MOST_CELLS = 1 << 17


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Capacities of every part; chosen once, then stored.

    `shared_bytes` are for cells with their links, spans and details together. `fine_bits` and
    `sensory_bits` are bits a coordinate of fine keys and of sensory frames; sensory frames of
    1 bit are kept as signs.
    """

    dim: int
    budget_bytes: int
    tokens_per_frame: int
    fine_bits: int
    sketch_limbs: int
    tokens_per_cell: int
    cells: int
    spans: int
    shared_bytes: int
    working: int
    sensory: int
    sensory_bits: int
    ledger: int

    def fine_code(self, seed: int) -> RowCode:
        """The code of fine keys."""
        return RowCode(self.dim, self.fine_bits, seed)

    def sign_code(self, seed: int) -> SignCode:
        """The code of every cell's key."""
        return SignCode(self.dim, seed)

    @property
    def cell_dtype(self) -> np.dtype[np.void]:
        """The layout of a cell's slot."""
        return cell_dtype(self.sign_code(0).limbs)

    @property
    def cell_bytes(self) -> int:
        """Bytes of a cell with its link."""
        return self.cell_dtype.itemsize + LINK.itemsize

    @property
    def span_bytes(self) -> int:
        """Bytes of a span."""
        return span_dtype(self.sketch_limbs).itemsize

    @property
    def detail_dtype(self) -> np.dtype[np.void]:
        """The layout of a detail."""
        return detail_dtype(self.fine_code(0).code_bytes, self.tokens_per_cell, self.dim)

    @property
    def details(self) -> int:
        """Details that there can be at most, when there is nothing else."""
        return min(self.cells, self.shared_bytes // self.detail_dtype.itemsize)

    @property
    def sensory_dtype(self) -> np.dtype[np.void]:
        """The layout of a frame of the sensory ring."""
        wide = self.sensory_bits > 1
        code_bytes = self.fine_code(0).code_bytes if wide else 8 * self.sign_code(0).limbs
        return sensory_dtype(code_bytes)

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
    plan = _best(dim, budget_bytes, tokens_per_frame, fixed_bytes)
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
    while _best(dim, high * 256, tokens_per_frame, fixed_bytes) is None:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if _best(dim, middle * 256, tokens_per_frame, fixed_bytes) is None:
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
        + plan.shared_bytes
        + plan.ledger * ENTRY.itemsize
    )


def queue_bytes(working: int) -> int:
    """Bytes of the list of working cells."""
    return 4 * working


def _best(dim: int, budget: int, tokens_per_frame: int, fixed: int) -> MemoryPlan | None:
    """The plan with the most tokens that still leaves room for enough cells with details."""
    for tokens in range(min(tokens_per_frame, MOST_TOKENS_PER_CELL), -1, -1):
        plan = _fit(dim, budget, tokens_per_frame, fixed, tokens)
        if plan is None:
            continue
        each = plan.cell_bytes + plan.span_bytes + plan.detail_dtype.itemsize
        if tokens == 0 or plan.shared_bytes // each >= CELLS_WITH_TOKENS:
            return plan
    return None


def _fit(
    dim: int, budget: int, tokens_per_frame: int, fixed: int, tokens: int
) -> MemoryPlan | None:
    """As many cells and spans as fit with so many tokens a cell; None where too few do."""
    small = budget < WIDE_SKETCH_BYTES
    wide = budget >= WIDE_DETAIL_BYTES or dim < NARROW_DIM
    plan = MemoryPlan(
        dim=dim,
        budget_bytes=budget,
        tokens_per_frame=tokens_per_frame,
        fine_bits=8 if wide else 4,
        sketch_limbs=min(1 if small else 2, SignCode(dim).limbs),
        tokens_per_cell=tokens,
        cells=0,
        spans=0,
        shared_bytes=0,
        working=min(64, max(4, budget // (8 * KIB))),
        sensory=8,
        sensory_bits=8 if wide else 4,
        ledger=min(512, max(8, budget // 64 // ENTRY.itemsize)),
    )
    if 8 * plan.sensory_dtype.itemsize > budget // 32:
        plan = replace(plan, sensory_bits=1)
    frames = budget // 32 // plan.sensory_dtype.itemsize
    plan = replace(plan, sensory=min(32, max(8, frames)))
    room = budget - worst_case_bytes(plan, fixed)
    kept = int(TOKEN_SHARE * room) if tokens else 0
    # One span more, so that two can always be joined.
    available = room - kept - plan.span_bytes
    cells = min(available // (plan.cell_bytes + SPANS_PER_CELL * plan.span_bytes), MOST_CELLS)
    if cells < FEWEST_CELLS:
        return None
    spans = (
        min((available - cells * plan.cell_bytes) // plan.span_bytes, SPANS_PER_CELL * MOST_CELLS)
        + 1
    )
    return replace(plan, cells=cells, spans=spans, shared_bytes=room)
