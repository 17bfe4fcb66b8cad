"""What age, quota and pins make of a library; a memory being written is left alone."""

import sqlite3
from pathlib import Path

import pytest

from streammem.core.errors import MemoryFileError, UsageError
from streammem.core.keeping import CompactRequest, parse_age
from streammem.runtime.retention import compact_library
from streammem.storage.library import LibraryFolder
from streammem.storage.memory_file import MemoryWriter
from streammem.storage.pins import PINS_NAME, read_pins
from streammem.storage.verify import verify_memory
from tests.unit._library_world import write_memory

DAY_S = 86_400.0
NOW = 100 * DAY_S


@pytest.fixture
def library(tmp_path: Path) -> LibraryFolder:
    """Memories made 90, 60, 20 and 1 days ago; the second was recorded 10 days ago."""
    for name, created, recorded in (
        ("a", 10, None), ("b", 40, 90), ("c", 80, None), ("d", 99, None),
    ):  # fmt: skip
        recorded_at = None if recorded is None else recorded * DAY_S
        write_memory(tmp_path, name, created_at=created * DAY_S, recorded_at=recorded_at)
    return LibraryFolder(tmp_path)


def _actions(library: LibraryFolder, *, remove: bool = True, **wanted: object) -> dict[str, str]:
    result = compact_library(library, CompactRequest(**wanted), remove=remove, now=NOW)
    return {one.memory_id: one.action for one in result.memories if one.action != "keep"}


def test_age_counts_from_the_recording_where_it_is_known(library: LibraryFolder) -> None:
    assert _actions(library, keep_s=parse_age("30d"), remove=False) == {"a": "remove"}
    assert library.ids() == ["a", "b", "c", "d"]
    assert _actions(library, keep_s=parse_age("30d")) == {"a": "remove"}
    assert library.ids() == ["b", "c", "d"]
    assert _actions(library, keep_s=parse_age("2w")) == {"c": "remove"}


def test_the_oldest_go_until_the_quota_holds(library: LibraryFolder) -> None:
    size = sum(path.stat().st_size for path in library.paths())
    quota = size - library.path_of("a").stat().st_size - 1
    result = compact_library(library, CompactRequest(quota_bytes=quota), remove=True, now=NOW)
    assert library.ids() == ["b", "d"]
    assert result.bytes_after <= quota
    assert result.bytes_before == size
    assert _actions(library, quota_bytes=size) == {}


def test_what_is_pinned_stays_whatever_its_age_and_size(library: LibraryFolder) -> None:
    assert _actions(library, pin=("a",), keep_s=1.0, quota_bytes=0) == dict.fromkeys(
        "bcd", "remove"
    )
    assert library.ids() == ["a"]
    assert read_pins(library.folder) == {"a"}
    assert _actions(library, unpin=("a",), keep_s=1.0) == {"a": "remove"}
    assert not (library.folder / PINS_NAME).exists()


def test_a_memory_that_is_being_written_is_left_alone_and_named(library: LibraryFolder) -> None:
    with MemoryWriter.open(library.path_of("a")):
        result = compact_library(library, CompactRequest(keep_s=1.0), remove=True, now=NOW)
    assert library.ids() == ["a"]
    (kept,) = (one for one in result.memories if one.memory_id == "a")
    assert (kept.action, kept.reason, kept.done) == ("keep", "is being written", False)


def test_one_that_cannot_be_read_is_left_alone_and_named(library: LibraryFolder) -> None:
    library.path_of("a").write_bytes(b"x" * 5000)
    result = compact_library(library, CompactRequest(keep_s=1.0), remove=True, now=NOW)
    assert library.ids() == ["a"]
    assert "cannot be read" in next(one.reason for one in result.memories if one.memory_id == "a")


def test_pins_that_cannot_be_read_stop_everything(library: LibraryFolder) -> None:
    """Whoever does not know what is pinned removes nothing."""
    (library.folder / PINS_NAME).write_text("{")
    with pytest.raises(MemoryFileError, match="cannot be read"):
        compact_library(library, CompactRequest(keep_s=1.0), remove=True, now=NOW)
    assert len(library.ids()) == 4


def test_free_pages_are_given_back(library: LibraryFolder) -> None:
    """A file with much that it does not use is written anew; later it is left as it is."""
    path = library.path_of("d")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE filler(body BLOB)")
    connection.execute("INSERT INTO filler VALUES(zeroblob(200000))")
    connection.execute("DROP TABLE filler")
    connection.close()
    before = path.stat().st_size
    result = compact_library(library, CompactRequest(), remove=True, now=NOW)
    (shrunk,) = (one for one in result.memories if one.action == "shrink")
    assert (shrunk.memory_id, shrunk.done) == ("d", True)
    assert path.stat().st_size == before - shrunk.freed_bytes
    assert shrunk.freed_bytes > 100_000
    assert verify_memory(path).ok
    assert _actions(library) == {}


def test_an_unknown_pin_and_contradictions_are_refused(library: LibraryFolder) -> None:
    with pytest.raises(UsageError, match="no memory 'zzz'"):
        _actions(library, pin=("zzz",))
    with pytest.raises(UsageError, match="at once"):
        _actions(library, pin=("a",), unpin=("a",))
    with pytest.raises(UsageError, match="not an age"):
        parse_age("soon")
