"""Capacities from a byte budget."""

import numpy as np
import pytest

from streammem.core.errors import BudgetError
from streammem.memory import MemoryStore
from streammem.memory.governor import (
    FEWEST_CELLS,
    plan_memory,
    smallest_budget_bytes,
    worst_case_bytes,
)
from streammem.memory.state import FIXED_BYTES

KIB, MIB = 1 << 10, 1 << 20


@pytest.mark.parametrize("dim", [1, 64, 128, 512, 1152, 4096])
@pytest.mark.parametrize("budget_bytes", [64 * KIB, 100_000, MIB, 20 * MIB, 64 * MIB])
@pytest.mark.parametrize("tokens", [0, 1, 49])
def test_the_worst_case_is_within_the_budget(dim: int, budget_bytes: int, tokens: int) -> None:
    """The fullest memory of a plan fits, and wastes little where slots are not the limit."""
    plan = plan_memory(dim, budget_bytes, tokens, FIXED_BYTES)

    assert worst_case_bytes(plan, FIXED_BYTES) <= budget_bytes
    assert plan.spans > plan.cells >= FEWEST_CELLS
    assert plan.working + 3 <= plan.cells
    if plan.cells < 1 << 17:
        assert worst_case_bytes(plan, FIXED_BYTES) > 0.9 * budget_bytes


@pytest.mark.parametrize(
    ("dim", "budget_bytes", "fine_bits", "look_steps", "sensory_bits"),
    [
        (512, MIB, (8, 4, 2), (4,), 8),
        (512, 512 * KIB, (8, 4, 2), (8, 4, 2, 1), 4),
        (512, 32 * MIB, (8, 4, 2), (4,), 8),
        (512, 64 * 1152, (8, 4, 2), (8, 4, 2, 1), 4),
        (512, 16 * KIB, (8, 4, 2), (8, 4, 2, 1), 1),
        (64, 16 * KIB, (8,), (8, 4, 2, 1), 1),
        (1152, 64 * KIB, (8, 4, 2), (18, 9, 4, 2, 1), 1),
    ],
)
def test_codes_narrow_as_the_budget_does(
    dim: int,
    budget_bytes: int,
    fine_bits: tuple[int, ...],
    look_steps: tuple[int, ...],
    sensory_bits: int,
) -> None:
    """Frames have fewer bits in a small memory; in a large one looks stay as they are."""
    plan = plan_memory(dim, budget_bytes, 0, FIXED_BYTES)

    assert tuple(code.bits for code in plan.fine_codes(0)) == fine_bits
    assert plan.look_steps == look_steps
    assert plan.sensory_bits == sensory_bits


@pytest.mark.parametrize(
    ("cells", "load", "unlike"), [(16, 16, 2), (64, 16, 2), (1024, 14, 4), (16_384, 14, 4)]
)
def test_a_budget_holds_many_visits_for_each_fp16_cell(cells: int, load: int, unlike: int) -> None:
    """As many spans as there are events at such a load; a large one has a cell for a quarter."""
    plan = plan_memory(512, cells * 1152, 0, FIXED_BYTES)

    assert plan.spans > load * cells
    assert plan.cells > unlike * cells


@pytest.mark.parametrize("dim", [64, 512])
def test_16_kib_is_enough(dim: int) -> None:
    """The default policy works from 16 KiB."""
    assert MemoryStore(dim, 16 * KIB).engine.plan.cells >= FEWEST_CELLS


@pytest.mark.parametrize("dim", [8, 512, 1152])
def test_a_budget_too_small_is_refused_with_the_smallest_that_works(dim: int) -> None:
    """The figure in the hint works, and 256 bytes less do not."""
    smallest = smallest_budget_bytes(dim, 0, FIXED_BYTES)

    assert MemoryStore(dim, smallest).engine.plan.budget_bytes == smallest
    with pytest.raises(BudgetError, match=f"{dim}-wide") as caught:
        MemoryStore(dim, smallest - 256)
    assert caught.value.exit_code == 7
    assert caught.value.code == "budget_too_small"
    assert str(smallest) in (caught.value.hint or "")


def test_tokens_are_kept_where_cells_are_plenty() -> None:
    """Many tokens a cell at 20 MiB, two at 1 MiB, none at 164 KiB."""
    kept = [
        plan_memory(512, budget, 49, FIXED_BYTES).tokens_per_cell
        for budget in (20 * MIB, MIB, 164 * KIB)
    ]

    assert kept == [8, 2, 0]


def test_more_bytes_are_never_fewer_cells() -> None:
    """Also where a memory becomes large enough to keep its looks whole."""
    cells = [plan_memory(512, budget * KIB, 0, FIXED_BYTES).cells for budget in range(64, 6000, 64)]

    assert cells == sorted(cells)


@pytest.mark.parametrize("dim", [8192, 16_384])
def test_a_wide_memory_at_its_smallest_works(dim: int) -> None:
    """Working cells leave room for long-term ones, so that something can give way."""
    store = MemoryStore(dim, smallest_budget_bytes(dim, 0, FIXED_BYTES))
    frames = np.random.default_rng(0).standard_normal((60, dim)).astype(np.float32)

    store.write(frames, np.arange(60.0))

    assert store.frames == 60
