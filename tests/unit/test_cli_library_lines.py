"""What `list` shows on a terminal of 80 columns."""

from streammem.core.results import MemorySummary
from streammem_cli.library_lines import memory_lines

LONG = "meeting_room_2026-11-22_morning_camera_two_recorded_again"


def summary(memory_id: str) -> MemorySummary:
    return MemorySummary(
        memory_id, f"{memory_id}.smem", status="done", covered_s=3_725.0, file_bytes=143_360,
        cells={"working": 9, "long_term": 52},
    )  # fmt: skip


def test_a_long_name_leaves_the_columns_where_they_are() -> None:
    """It is not cut, because it is what `ask --in` takes."""
    short, long, below = memory_lines([summary("garden"), summary(LONG)])

    assert short == f"{'garden':<24} done     01:02:05.000     61 cells  140 KiB"
    assert long == LONG
    assert below.lstrip() == short.removeprefix("garden").lstrip()
    assert below.index("done") == short.index("done")
    assert max(map(len, (short, long, below))) <= 80
