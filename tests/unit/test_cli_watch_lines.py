"""What a watch shows on a terminal, and when `--until` is."""

from datetime import datetime

import pytest

from streammem.core.errors import UsageError
from streammem.core.watches import WatchEvent, WatchStatus
from streammem_cli.watch import read_until
from streammem_cli.watch_lines import event_text, status_text

STATUS = WatchStatus(
    position_s=3725.4, behind_s=0.31, fps=24.6, decoded=90_000, encoded=7_450, dropped=0,
    waiting=0, gaps=1, segments=2, connections=2,
    bytes={"sensory": 508, "working": 7728, "long_term": 0},
)  # fmt: skip


def test_the_status_line_fits_a_terminal() -> None:
    """Time, distance from live, rate, gaps and bytes of each tier."""
    text = status_text(STATUS)
    assert text == (
        "01:02:05  0.3 s behind  25 fps  1 gap  sensory 508 B  working 7.5 KiB  long 0 B"
    )
    assert len(text) <= 80


def test_being_blind_and_dropping_frames_is_shown() -> None:
    """Instead of a distance from live that would mean nothing."""
    text = status_text(WatchStatus(5.0, 9.0, 0.0, 10, 5, 12, 3, 0, 1, 4, blind_s=8.6, bytes={}))
    assert text == "00:00:05  blind for 9 s  0 fps  0 gaps  12 dropped"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            WatchEvent("gap", "cam", start_s=7.0, message="stalled"),
            "nothing is seen since 00:00:07.000: stalled",
        ),
        (
            WatchEvent("gap", "cam", start_s=7.0, end_s=9.5, message="stalled"),
            "gap 00:00:07.000 - 00:00:09.500: stalled",
        ),
        (
            WatchEvent("segment", "cam", start_s=60.0, message="resolution"),
            "a new segment begins at 00:01:00.000: resolution",
        ),
        (WatchEvent("segment", "cam", start_s=0.0, message="start"), None),
        (WatchEvent("status", "cam", status=STATUS), None),
    ],
)
def test_what_happens_is_told_in_a_line(event: WatchEvent, text: str | None) -> None:
    """But not that everything goes its way."""
    assert event_text(event) == text


def test_event_lines_hold_only_what_there_is_to_say() -> None:
    """A status is spread into its fields."""
    gap = WatchEvent("gap", "cam", "door", start_s=7.0, message="stalled").to_json()
    assert gap == {
        "event": "gap", "source": "cam", "memory_id": "door", "start_s": 7.0,
        "message": "stalled",
    }  # fmt: skip
    status = WatchEvent("status", "cam", status=STATUS).to_json()
    assert (status["behind_s"], status["bytes"]["working"]) == (0.31, 7728)


def test_a_time_of_day_is_the_next_one() -> None:
    """Today if it is still to come, else tomorrow; a moment is that moment."""
    now = datetime(2026, 5, 1, 18, 0).astimezone()
    assert read_until("18:30", now) == now.timestamp() + 1800
    assert read_until("17:59:30", now) == datetime(2026, 5, 2, 17, 59, 30).astimezone().timestamp()
    assert read_until("2026-05-01T18:10:00", now) == now.timestamp() + 600
    assert read_until(None, now) is None
    with pytest.raises(UsageError, match="has passed"):
        read_until("2026-05-01T17:00:00", now)
