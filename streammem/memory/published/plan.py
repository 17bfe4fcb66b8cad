"""Works out, before the first frame, how many cells of which width fit into the budget."""

from dataclasses import dataclass

import numpy as np

from streammem.core.budget import format_bytes
from streammem.core.errors import BudgetError, MemoryFileError
from streammem.memory.codes import BIT_WIDTHS, RowCode
from streammem.memory.engine import EngineRequest
from streammem.memory.ledger import ENTRY
from streammem.memory.published.keys import HALF_BITS, row_code
from streammem.memory.published.table import cell_dtype

FEWEST_CELLS = 8
# Beyond this, what a keeper looks at in one call would not be scratch any more.
MOST_CELLS = 1 << 17
# A narrower code must hold this many times as many cells.
WORTHWHILE_GAIN = 1.3


@dataclass(frozen=True, slots=True)
class Shape:
    """What a policy's cells are made of.

    `code_cells` is 0 for half-precision keys; else keys are in the widest code that leaves room
    for so many cells, where there is one. `merging` and `spans` are as in `cell_dtype`;
    `bounded` is whether the budget limits the number of cells, and `most_cells` whether
    something else does (0: nothing); `compares` is the rule's.
    """

    code_cells: int
    merging: bool
    spans: int
    bounded: bool
    compares: bool
    most_cells: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Capacities; chosen once, then stored. `cells` 0 is no limit."""

    dim: int
    bits: int
    cells: int
    ledger: int

    def code(self, seed: int) -> RowCode:
        """The code of keys."""
        return row_code(self.dim, self.bits, seed)

    def dtype(self, shape: Shape) -> np.dtype[np.void]:
        """The layout of a cell."""
        return cell_dtype(self.code(0).code_bytes, shape.merging, shape.spans)


def open_dtype(dim: int, compares: bool) -> np.dtype[np.void]:
    """The open stretch; sums of one frame only where frames are not compared."""
    columns: list[tuple[str, str] | tuple[str, str, tuple[int, ...]]] = [
        ("time_low", "<u8"), ("time_high", "<i8"), ("reads", "<u8"), ("use", "<u4"),
        ("frames", "<u4"), ("start_s", "<f8"), ("end_s", "<f8"), ("exemplar_s", "<f8"),
        ("exemplar_fit", "<f8"), ("sums", "<i4" if compares else "<i2", (dim,)),
    ]  # fmt: skip
    if compares:
        columns.append(("last_frame", "<i2", (dim,)))
    return np.dtype(columns)


def plan_cells(request: EngineRequest, shape: Shape, head_bytes: int) -> Plan:
    """Capacities for a budget.

    Raises:
        BudgetError: fewer than `FEWEST_CELLS` cells fit; the hint has the smallest budget.
    """
    plan = _widest(request.dim, request.available_bytes - head_bytes, shape)
    if plan is None:
        least = _smallest(request.dim, shape) + head_bytes + request.overhead_bytes
        raise BudgetError(
            f"{format_bytes(max(0, request.budget_bytes))} cannot hold a memory of "
            f"{request.dim}-wide embeddings",
            hint=f"the smallest budget that can is {least} bytes",
            code="budget_too_small",
        )
    return plan


def check_plan(plan: Plan, request: EngineRequest, shape: Shape) -> None:
    """Refuse a stored plan that cannot be one.

    Raises:
        MemoryFileError: it exceeds the budget, or has no limit where there must be one.
    """
    cells_bytes = plan.cells * plan.dtype(shape).itemsize
    if cells_bytes + plan.ledger * ENTRY.itemsize > request.budget_bytes:
        raise MemoryFileError("the memory's head section is damaged: its plan exceeds its budget")
    if (plan.cells > 0) != shape.bounded:
        raise MemoryFileError("the memory's head section is damaged: its plan is another policy's")


def _widest(dim: int, room: int, shape: Shape) -> Plan | None:
    if not shape.code_cells:
        return _fit(dim, room, shape, HALF_BITS)
    plan: Plan | None = None
    for bits in BIT_WIDTHS:
        narrower = _fit(dim, room, shape, bits)
        if narrower is None:
            continue
        if plan is not None and narrower.cells < WORTHWHILE_GAIN * plan.cells:
            break
        plan = narrower
        if plan.cells == 0 or plan.cells >= shape.code_cells:
            break
    return plan


def _fit(dim: int, room: int, shape: Shape, bits: int) -> Plan | None:
    """As many cells as fit; None where too few do."""
    ledger = min(512, max(8, room // 64 // ENTRY.itemsize))
    rest = room - open_dtype(dim, shape.compares).itemsize - ledger * ENTRY.itemsize
    cells = min(rest // Plan(dim, bits, 0, ledger).dtype(shape).itemsize, MOST_CELLS)
    if cells < (shape.most_cells or FEWEST_CELLS):
        return None
    if not shape.bounded:
        return Plan(dim, bits, 0, ledger)
    return Plan(dim, bits, min(cells, shape.most_cells or cells), ledger)


def _smallest(dim: int, shape: Shape) -> int:
    """The least room that is enough."""
    low, high = 0, 1
    while _widest(dim, high, shape) is None:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if _widest(dim, middle, shape) is None:
            low = middle
        else:
            high = middle
    return high
