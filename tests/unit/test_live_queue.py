"""What happens to frames of a live source that nobody takes in time."""

import threading

import numpy as np
import pytest

from streammem.core.errors import SourceError
from streammem.core.types import Gap
from streammem.video import live_queue
from streammem.video.live_queue import BLOCK, DROP_OLDEST, LOWER_RATE, LiveFrame, LiveQueue

PIXELS = np.zeros((3, 4, 6), np.uint8)


def frame(number: int, rate_hz: float = 2.0) -> LiveFrame:
    time_s = number / rate_hz
    return LiveFrame(PIXELS, time_s, 1 / rate_hz, 100.0 + time_s, time_s, number + 1, (6, 4))


def filled(count: int, policy: str) -> LiveQueue:
    queue = LiveQueue(2.0)
    for number in range(count):
        queue.put(frame(number), policy)
    return queue


def test_things_come_out_in_order_and_no_more_than_asked_for() -> None:
    """Gaps stand between the frames where they were put."""
    queue = filled(2, DROP_OLDEST)
    queue.put(Gap(1.0, 3.0, "stalled"), DROP_OLDEST)
    queue.put(frame(6), DROP_OLDEST)
    first = queue.take(0.0, 3)
    assert [type(item).__name__ for item in first] == ["LiveFrame", "LiveFrame", "Gap"]
    assert queue.waiting == 1
    assert [item.time_s for item in queue.take(0.0, 9) if isinstance(item, LiveFrame)] == [3.0]


def test_the_oldest_frames_go_and_are_counted() -> None:
    """Gaps and segments stay; what was let go is told once, as one stretch."""
    queue = filled(10, DROP_OLDEST)
    queue.put(Gap(5.0, 9.0, "stalled"), DROP_OLDEST)
    for number in range(18, 46):
        queue.put(frame(number), DROP_OLDEST)
    assert queue.waiting == 32
    assert queue.dropped() == [(0.0, 3.0, 6)]
    assert queue.dropped() == []
    items = queue.take(0.0, 99)
    assert sum(isinstance(item, Gap) for item in items) == 1
    assert isinstance(items[0], LiveFrame)
    assert items[0].time_s == 3.0


def test_nothing_is_let_go_where_the_source_waits() -> None:
    """Whoever puts waits until half of the room is free again, and no longer."""
    queue = filled(80, BLOCK)
    assert queue.waiting == 80
    assert queue.dropped() == []
    free = threading.Event()

    def wait() -> None:
        queue.wait_for_room(threading.Event())
        free.set()

    thread = threading.Thread(target=wait)
    thread.start()
    queue.take(0.0, 32)
    assert not free.wait(0.3)
    queue.take(0.0, 32)
    assert free.wait(10)
    thread.join()


def test_the_rate_is_halved_while_frames_wait_and_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By and by, never under a sixteenth, never over what was asked for."""
    now_s = [1000.0]
    monkeypatch.setattr(live_queue.time, "monotonic", lambda: now_s[0])
    queue = LiveQueue(2.0)
    rates = []
    for step in range(60):
        now_s[0] += 1.0
        for number in range(20):
            queue.put(frame(20 * step + number), LOWER_RATE)
        rates.append(queue.new_rate(LOWER_RATE))
    lowered = [rate for rate in rates if rate is not None]
    assert lowered == [1.0, 0.5, 0.25, 0.125]
    queue.take(0.0, 999)
    raised = []
    for _ in range(60):
        now_s[0] += 1.0
        raised.append(queue.new_rate(LOWER_RATE))
    assert [rate for rate in raised if rate is not None] == [0.25, 0.5, 1.0, 2.0]


def test_other_policies_never_change_the_rate() -> None:
    """Frames are dropped or the source waits instead."""
    queue = filled(60, DROP_OLDEST)
    assert queue.new_rate(DROP_OLDEST) is None
    assert queue.rate_hz == 2.0


def test_the_end_is_told_after_everything_was_taken() -> None:
    """And an error only then."""
    queue = filled(2, DROP_OLDEST)
    queue.end(SourceError("gone", code="unreachable"))
    assert not queue.ended
    assert len(queue.take(0.0, 9)) == 2
    assert queue.ended
    with pytest.raises(SourceError, match="gone"):
        queue.take(0.0, 9)
