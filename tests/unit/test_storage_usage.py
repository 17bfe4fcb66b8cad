import threading
from pathlib import Path

import pytest

from streammem.storage.usage import (
    MAX_USAGE_BYTES,
    UsageEntry,
    append_usage,
    read_usage,
    trim_usage,
    usage_path,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clip.smem"


def test_entries_come_back_in_order_and_once(path: Path) -> None:
    """Reading from the offset of the last reading gives what came since."""
    assert read_usage(path, 0) == (0, ())
    assert append_usage(path, {7: 1, 3: 2})
    offset, entries = read_usage(path, 0)
    assert entries == (UsageEntry({3: 2, 7: 1}, 1),)
    assert read_usage(path, offset) == (offset, ())

    append_usage(path, {}, reads=4)
    again, entries = read_usage(path, offset)
    assert (again > offset, entries) == (True, (UsageEntry({}, 4),))


def test_trimming_keeps_what_came_later_and_offsets_go_on(path: Path) -> None:
    """What was absorbed leaves the file; offsets of before and after agree."""
    append_usage(path, {1: 1})
    offset, _ = read_usage(path, 0)
    append_usage(path, {2: 1})
    size = usage_path(path).stat().st_size
    trim_usage(path, offset)
    assert usage_path(path).stat().st_size < size
    end, entries = read_usage(path, offset)
    assert entries == (UsageEntry({2: 1}, 1),)

    trim_usage(path, end)
    trim_usage(path, offset)
    append_usage(path, {3: 1})
    assert read_usage(path, end)[1] == (UsageEntry({3: 1}, 1),)


def test_a_new_log_is_read_though_the_offset_is_of_a_lost_one(path: Path) -> None:
    """A log that was deleted or not copied along begins behind every earlier offset."""
    append_usage(path, {1: 1})
    offset, _ = read_usage(path, 0)
    usage_path(path).unlink()
    append_usage(path, {2: 1})

    assert read_usage(path, offset)[1] == (UsageEntry({2: 1}, 1),)


def test_a_log_behind_the_clock_is_brought_forward(path: Path) -> None:
    """After the clock was set back, trimming makes the log usable again."""
    future = 1 << 62
    append_usage(path, {1: 1})
    assert read_usage(path, future) == (future, ())
    trim_usage(path, future)
    append_usage(path, {2: 1})
    assert read_usage(path, future)[1] == (UsageEntry({2: 1}, 1),)


@pytest.mark.parametrize("cut", range(2, 22))
def test_a_torn_tail_loses_only_itself(path: Path, cut: int) -> None:
    """Whatever part of the last line is missing, lines before and after it are read."""
    append_usage(path, {1: 1})
    append_usage(path, {222: 3})
    data = usage_path(path).read_bytes()
    usage_path(path).write_bytes(data[:-cut])
    offset, entries = read_usage(path, 0)
    assert entries == (UsageEntry({1: 1}, 1),)

    append_usage(path, {5: 1})
    assert read_usage(path, offset)[1] == (UsageEntry({5: 1}, 1),)


@pytest.mark.parametrize("data", [b"", b"x" * 10, b"\xff" * 500, b"streammem usage 12\n" * 9])
def test_a_damaged_log_is_made_anew(path: Path, data: bytes) -> None:
    """A header that cannot be read means no entries, and trimming repairs the file."""
    usage_path(path).write_bytes(data)
    assert read_usage(path, 5) == (5, ())
    trim_usage(path, 5)
    append_usage(path, {9: 1})
    assert read_usage(path, 5)[1] == (UsageEntry({9: 1}, 1),)


def test_flipping_a_byte_of_a_line_skips_that_line(path: Path) -> None:
    """Each line carries its own sum."""
    for cell in (1, 2, 3):
        append_usage(path, {cell: 1})
    data = usage_path(path).read_bytes()
    usage_path(path).write_bytes(data.replace(b"[[2,1]]", b"[[2,9]]"))

    assert [entry.returned for entry in read_usage(path, 0)[1]] == [{1: 1}, {3: 1}]


def test_the_log_is_bounded(path: Path) -> None:
    """A full log takes nothing more and says so."""
    noted = [append_usage(path, dict.fromkeys(range(1000), 1)) for _ in range(12)]

    assert noted[0]
    assert not noted[-1]
    assert usage_path(path).stat().st_size <= MAX_USAGE_BYTES == 64 * 1024


def test_a_log_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """Questions are answered where nothing can be noted."""
    assert append_usage(tmp_path / "missing" / "clip.smem", {1: 1}) is False
    usage_path(tmp_path / "clip.smem").mkdir()
    assert append_usage(tmp_path / "clip.smem", {1: 1}) is False
    assert read_usage(tmp_path / "clip.smem", 3) == (3, ())
    trim_usage(tmp_path / "clip.smem", 3)


def test_appending_from_threads_while_trimming_loses_and_repeats_nothing(path: Path) -> None:
    """Every question is absorbed exactly once."""

    def ask(first: int) -> None:
        for cell in range(first, first + 60):
            assert append_usage(path, {cell: 1})

    askers = [threading.Thread(target=ask, args=(1000 * n,)) for n in range(3)]
    for asker in askers:
        asker.start()
    offset, absorbed = 0, []
    while any(asker.is_alive() for asker in askers):
        offset, entries = read_usage(path, offset)
        absorbed += [next(iter(entry.returned)) for entry in entries]
        trim_usage(path, offset)
    for asker in askers:
        asker.join()
    absorbed += [next(iter(entry.returned)) for entry in read_usage(path, offset)[1]]

    assert sorted(absorbed) == [1000 * n + i for n in range(3) for i in range(60)]
