"""Works out, before the first frame, how many of everything fit into the byte budget.

Head, open event, sensory ring and ledger have fixed places. Cells, spans and details share the
rest: cells and spans have capacities that fit together, and details take what those two have
not come to use. So no later call can exceed the budget.
"""

from dataclasses import dataclass, replace

import numpy as np

from streammem.core.budget import KIB, MIB, format_bytes
from streammem.core.errors import BudgetError
from streammem.memory.cells import CELL_BYTES
from streammem.memory.codes import BIT_WIDTHS, RowCode
from streammem.memory.details import detail_dtype
from streammem.memory.frame_code import FrameCode
from streammem.memory.ledger import ENTRY
from streammem.memory.sensory import sensory_dtype
from streammem.memory.signs import SignCode, ladder
from streammem.memory.spans import span_dtype

# Spans for each cell where both are at their limit and looks are as short as they may be.
SPANS_PER_CELL = 6
# Looks are cut in memories of up to so many cells; to cut them, all cells are compared again, which
# at this number takes a twentieth of a second. A larger memory has looks of one width.
MOST_CELLS_TO_CUT = 1 << 11
# Limbs of looks in larger memories, all their life, and spans for each of their cells: looks are
# worth more there than their number, and what differs needs cells of its own for fine keys.
LIMBS_OF_LARGE, SPANS_PER_CELL_OF_LARGE = 4, 3
# Fine keys begin with so many bits a coordinate, also where few fit: looks are taken anew from
# them once the centre is known, and what they lack then is lacking for good (record 0017). They
# are narrowed before any of them is dropped, but not in widths where a rotation mixes little.
MOST_FINE_BITS, FEWEST_FINE_BITS = 8, 2
NARROW_DIM = 128
# Sensory frames have 8 bits from here on, and in those widths; else 4, or they are looks.
WIDE_SENSORY_BYTES = MIB
# As many tokens a cell as leave room for this many cells with details.
CELLS_WITH_TOKENS = 512
MOST_TOKENS_PER_CELL = 8
# What details keep for themselves, where they hold tokens, of what they share with cells.
TOKEN_SHARE = 0.3
FEWEST_CELLS = 16
# Beyond this, the scratch of one call would exceed its 4 MiB.
MOST_CELLS = 1 << 17


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Capacities of every part; chosen once, then stored.

    `shared_bytes` are for cells with their links, spans and details together; spans take at
    most `span_bytes` of them, with looks of `widest_limbs` that may be cut to
    `narrowest_limbs`. Fine keys have `fine_bits` a coordinate until they are narrowed, at last to
    `narrowest_fine_bits`. Sensory frames have `sensory_bits`; those of 1 bit are kept as looks.
    """

    dim: int
    budget_bytes: int
    tokens_per_frame: int
    fine_bits: int
    narrowest_fine_bits: int
    widest_limbs: int
    narrowest_limbs: int
    tokens_per_cell: int
    cells: int
    span_bytes: int
    shared_bytes: int
    working: int
    sensory: int
    sensory_bits: int
    ledger: int

    def fine_codes(self, seed: int) -> tuple[RowCode, ...]:
        """The codes of fine keys, as they are narrowed."""
        widths = [bits for bits in BIT_WIDTHS if self.narrowest_fine_bits <= bits <= self.fine_bits]
        return tuple(RowCode(self.dim, bits, seed) for bits in widths)

    def frame_code(self, seed: int) -> FrameCode:
        """The code of sensory frames."""
        row = RowCode(self.dim, self.sensory_bits, seed) if self.sensory_bits > 1 else None
        return FrameCode(row, self.sign_code(seed))

    def sign_code(self, seed: int) -> SignCode:
        """The code of every cell's key."""
        return SignCode(self.dim, seed)

    @property
    def look_steps(self) -> tuple[int, ...]:
        """Limbs of looks, as they are cut."""
        return ladder(self.widest_limbs, self.narrowest_limbs)

    @property
    def spans(self) -> int:
        """Spans that there can be, with the shortest looks."""
        return self.span_bytes // span_dtype(self.look_steps[-1], 1).itemsize

    @property
    def detail_dtypes(self) -> tuple[np.dtype[np.void], ...]:
        """The layouts of a detail, as fine keys are narrowed."""
        return tuple(
            detail_dtype(code.code_bytes, self.tokens_per_cell, self.dim)
            for code in self.fine_codes(0)
        )

    @property
    def sensory_dtype(self) -> np.dtype[np.void]:
        """The layout of a frame of the sensory ring."""
        return sensory_dtype(self.frame_code(0).code_bytes)

    @property
    def open_dtype(self) -> np.dtype[np.void]:
        """The layout of the open event."""
        return open_dtype(self.dim, self.tokens_per_cell)


def open_dtype(dim: int, tokens_per_cell: int) -> np.dtype[np.void]:
    """The open event: exact sums, the last frame and, where kept, its exemplar's tokens.

    Beside it the centre, as codes of `centre_step` fixed-point units each.
    """
    columns: list[tuple[str, str] | tuple[str, str, tuple[int, ...]]] = [
        ("time_low", "<u8"), ("time_high", "<i8"), ("square_sum", "<u8"), ("frames", "<u4"),
        ("use", "<u4"), ("reads", "<u8"), ("start_s", "<f8"), ("end_s", "<f8"),
        ("exemplar_s", "<f8"), ("exemplar_surprise", "<f8"),
        ("sums", "<i4", (dim,)), ("last_frame", "<i2", (dim,)), ("centre_step", "<u2"),
        ("centre", "i1", (dim,)),
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
        widest = span_dtype(plan.widest_limbs, len(plan.look_steps)).itemsize
        each = CELL_BYTES + widest + plan.detail_dtypes[0].itemsize
        if tokens == 0 or plan.shared_bytes // each >= CELLS_WITH_TOKENS:
            return plan
    return None


def _fit(
    dim: int, budget: int, tokens_per_frame: int, fixed: int, tokens: int
) -> MemoryPlan | None:
    """As many cells and spans as fit with so many tokens a cell; None where too few do."""
    wide = budget >= WIDE_SENSORY_BYTES or dim < NARROW_DIM
    plan = MemoryPlan(
        dim=dim,
        budget_bytes=budget,
        tokens_per_frame=tokens_per_frame,
        fine_bits=MOST_FINE_BITS,
        narrowest_fine_bits=MOST_FINE_BITS if dim < NARROW_DIM else FEWEST_FINE_BITS,
        widest_limbs=SignCode(dim).limbs,
        narrowest_limbs=1,
        tokens_per_cell=tokens,
        cells=0,
        span_bytes=0,
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
    spans_per_cell = SPANS_PER_CELL
    cells = _cells_in(room - kept, plan, spans_per_cell)
    if cells > MOST_CELLS_TO_CUT:
        limbs = min(LIMBS_OF_LARGE, plan.widest_limbs)
        large = replace(plan, widest_limbs=limbs, narrowest_limbs=limbs)
        cells = min(_cells_in(room - kept, large, SPANS_PER_CELL_OF_LARGE), MOST_CELLS)
        if cells > MOST_CELLS_TO_CUT:
            plan, spans_per_cell = large, SPANS_PER_CELL_OF_LARGE
        cells = max(cells, MOST_CELLS_TO_CUT)
    if cells < FEWEST_CELLS:
        return None
    plan = replace(plan, working=max(4, min(plan.working, cells // 4)))
    shortest = span_dtype(plan.look_steps[-1], 1).itemsize
    span_bytes = min(room - kept - cells * CELL_BYTES, spans_per_cell * MOST_CELLS * shortest)
    return replace(plan, cells=cells, span_bytes=span_bytes, shared_bytes=room)


def _cells_in(room: int, plan: MemoryPlan, spans_per_cell: int) -> int:
    """Cells that fit with their spans, and one more span, so that two can always be joined."""
    shortest = span_dtype(plan.look_steps[-1], 1).itemsize
    return (room - shortest) // (CELL_BYTES + spans_per_cell * shortest)
