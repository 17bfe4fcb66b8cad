"""Fixed slots for cells."""

import pytest

from streammem.core.errors import MemoryFileError
from streammem.memory.cells import CELL, CELL_BYTES, CellTable, join_sum, split_sum


def test_a_cell_and_its_link_are_60_bytes() -> None:
    """What shows a cell lies elsewhere: the look in its span, the fine key in its detail."""
    assert CELL.itemsize == 52
    assert CELL_BYTES == 60


def test_slots_are_used_again_and_never_moved() -> None:
    """A released slot is the next to be given; the others keep their place and bytes."""
    table = CellTable(3)
    slots = [table.allocate() for _ in range(3)]
    for slot in slots:
        table.rows[slot]["id"], table.rows[slot]["tier"] = slot + 1, 1
    before = table.rows.tobytes()

    table.release(1)

    assert not table.full
    assert not table.grows
    assert table.rows[1:2].tobytes() == bytes(52)
    assert table.slot_of(2) is None
    assert table.slot_of(3) == 2
    assert table.allocate() == 1
    table.rows[1]["id"], table.rows[1]["tier"] = 2, 1
    assert table.rows.tobytes() == before
    with pytest.raises(IndexError, match="full"):
        table.allocate()


def test_the_chain_of_free_slots_survives() -> None:
    """A loaded table gives out the same slots in the same order."""
    table, again = CellTable(5), CellTable(5)
    for _ in range(4):
        table.rows[table.allocate()]["tier"] = 1
    for slot in (2, 0):
        table.release(slot)

    again.load(**table.to_sections(), first_free=table.first_free)

    assert again.live == 2
    assert [again.allocate() for _ in range(3)] == [table.allocate() for _ in range(3)] == [0, 2, 4]


def test_load_refuses_sections_of_another_plan() -> None:
    """Lengths that do not fit are refused."""
    with pytest.raises(MemoryFileError, match="do not fit"):
        CellTable(1).load(bytes(104), bytes(16), -1)


@pytest.mark.parametrize("total", [0, 1, -1, 1 << 64, -(1 << 90) + 3])
def test_sums_of_times_are_exact(total: int) -> None:
    """Two halves hold any sum of times."""
    assert join_sum(*split_sum(total)) == total
