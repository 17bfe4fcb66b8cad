import pytest
from hypothesis import given
from hypothesis import strategies as st

from streammem.core.errors import MemoryFileError
from streammem.storage.chunks import (
    ChunkChanges,
    SectionRecord,
    chunk_id,
    digest,
    join_sections,
    plan_changes,
)
from streammem.storage.pages import chunk_bytes, overflow_pages, section_charge

SIZE = 4
SECTIONS = st.dictionaries(st.sampled_from("abcde"), st.binary(max_size=30), max_size=4)


class _Table:
    """The rows of the chunk table as a dictionary, and the sections in it."""

    def __init__(self) -> None:
        self.rows: dict[int, bytes] = {}
        self.sections: dict[str, bytes] = {}
        self.records: dict[str, SectionRecord] = {}

    def apply(self, new: dict[str, bytes]) -> ChunkChanges:
        changes = plan_changes(self.sections, self.records, new, SIZE)
        for first, last in changes.deletes:
            for row in [row for row in self.rows if first <= row < last]:
                del self.rows[row]
        self.rows |= dict(changes.writes)
        self.sections, self.records = new, changes.records
        return changes

    def read(self) -> dict[str, bytes]:
        return join_sections(sorted(self.rows.items()), self.records)


def test_one_changed_byte_writes_one_chunk() -> None:
    """What did not change is not written again."""
    table = _Table()
    table.apply({"cells": b"aaaabbbbcc", "links": b"zzzz"})
    changes = table.apply({"cells": b"aaaabXbbcc", "links": b"zzzz"})

    assert changes.deletes == ()
    assert changes.writes == ((chunk_id(0, 1), b"bXbb"),)


def test_a_shrinking_section_deletes_its_tail() -> None:
    """Chunks behind the new end go, the last one is rewritten shorter."""
    table = _Table()
    table.apply({"cells": b"aaaabbbbcccc"})
    changes = table.apply({"cells": b"aaaabb"})

    assert changes.deletes == ((chunk_id(0, 2), chunk_id(1, 0)),)
    assert changes.writes == ((chunk_id(0, 1), b"bb"),)
    assert sorted(table.rows) == [chunk_id(0, 0), chunk_id(0, 1)]


def test_a_removed_section_leaves_its_slot_to_a_later_one() -> None:
    """Rows of a section that is gone are deleted; a new one never overlaps them."""
    table = _Table()
    table.apply({"a": b"1111", "b": b"2222"})
    table.apply({"b": b"2222", "c": b"3333"})
    assert table.records["c"].slot == 2
    table.apply({"b": b"2222", "c": b"3333", "d": b"4444"})
    assert table.records["d"].slot == 0
    assert table.read() == {"b": b"2222", "c": b"3333", "d": b"4444"}


@given(st.lists(SECTIONS, max_size=8))
def test_any_sequence_of_sections_is_read_back(sequence: list[dict[str, bytes]]) -> None:
    """After every change the rows hold exactly the sections, and nothing else."""
    table = _Table()
    for sections in sequence:
        table.apply(sections)
        assert table.read() == sections


def test_sections_that_are_not_what_was_written_are_refused() -> None:
    """A changed, a missing and an unknown chunk each have a message."""
    table = _Table()
    table.apply({"cells": b"aaaabbbb"})
    rows = sorted(table.rows.items())

    with pytest.raises(MemoryFileError, match="section 'cells' is not what was written"):
        join_sections([rows[0], (rows[1][0], b"bbbX")], table.records)
    with pytest.raises(MemoryFileError, match="section 'cells' is not what was written"):
        join_sections(rows[:1], table.records)
    with pytest.raises(MemoryFileError, match="belong to no section"):
        join_sections([*rows, (chunk_id(7, 0), b"x")], table.records)


def test_digest_is_stable() -> None:
    """Files written today can be checked by every later version."""
    assert digest(b"") == "cae66941d9efbd404e4d88758ea67670"


@pytest.mark.parametrize("page_bytes", [1024, 4096])
def test_chunks_fill_their_pages(page_bytes: int) -> None:
    """A chunk takes about 4 KiB of pages and uses over 98 % of them."""
    size = chunk_bytes(page_bytes)
    pages = 1 + overflow_pages(size + 5, page_bytes)

    assert pages * page_bytes == 4096
    assert size / 4096 > 0.98
    assert section_charge(1000 * size, page_bytes) / (1000 * size) < 1.04
