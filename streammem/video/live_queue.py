"""The frames of a live source that nobody has taken yet: bounded, whatever the source does."""

import threading
import time
from collections import deque
from dataclasses import dataclass

from streammem.core.errors import SourceError
from streammem.core.types import Gap, Pixels
from streammem.video.live_clock import Segment

DROP_OLDEST = "drop-oldest"
LOWER_RATE = "lower-rate"
BLOCK = "block"
POLICIES = (DROP_OLDEST, LOWER_RATE, BLOCK)

# So many seconds of frames may wait, but no fewer than so many and no more than so many bytes.
_WAITING_S = 8.0
_LEAST_FRAMES = 32
_MOST_BYTES = 256 * 1024 * 1024
# The rate is halved at most so often, and doubled again after as long with nothing waiting.
_RATE_PAUSE_S = 2.0
_RATE_CALM_S = 10.0
_LOWEST_SHARE = 1 / 16


@dataclass(frozen=True, slots=True)
class LiveFrame:
    """A frame that was taken: `pixels` uint8 `[3 H W]`, its memory time and when it came.

    `pts_s` is its time by the source, `decoded` counts the frames of the source up to this one,
    `size` is (width, height) as it was sent.
    """

    pixels: Pixels
    time_s: float
    lasts_s: float
    at_s: float
    pts_s: float
    decoded: int
    size: tuple[int, int]

    @property
    def end_s(self) -> float:
        """The memory time at which it ends by itself."""
        return self.time_s + self.lasts_s


LiveItem = LiveFrame | Gap | Segment


class LiveQueue:
    """What came and was not taken. One thread puts, another one takes."""

    def __init__(self, rate_hz: float) -> None:
        self._full_hz = self.rate_hz = rate_hz
        self._changed = threading.Condition()
        self._items: deque[LiveItem] = deque()
        self._frames = 0
        self._dropped: list[tuple[float, float, int]] = []
        self._over = False
        self._problem: SourceError | None = None
        self._turned_s = self._busy_s = time.monotonic()
        self._crowded = False

    @property
    def waiting(self) -> int:
        """Frames that nobody has taken."""
        return self._frames

    @property
    def ended(self) -> bool:
        """Whether nothing is left and nothing more will come."""
        with self._changed:
            return self._over and not self._items

    def put(self, item: LiveItem, policy: str) -> None:
        """Add what came; where there are too many frames and they may not wait, the oldest goes."""
        with self._changed:
            self._items.append(item)
            if isinstance(item, LiveFrame):
                self._frames += 1
                room = self._room(item)
                self._crowded |= 2 * self._frames > room
                if self._frames > room and policy != BLOCK:
                    self._drop_oldest()
            self._changed.notify_all()

    def wait_for_room(self, closed: threading.Event) -> None:
        """Return once at most half of the room is taken, or reading is to end."""
        with self._changed:
            newest = self._items[-1] if self._items else None
            room = self._room(newest) if isinstance(newest, LiveFrame) else _LEAST_FRAMES
            while 2 * self._frames > room and not self._over and not closed.is_set():
                self._changed.wait(0.2)

    def take(self, timeout_s: float, limit: int) -> list[LiveItem]:
        """At most `limit` things, in order; none where the time runs out first.

        Raises:
            SourceError: the source cannot be watched.
        """
        with self._changed:
            if not self._items and not self._over:
                self._changed.wait(timeout_s)
            taken = [self._items.popleft() for _ in range(min(limit, len(self._items)))]
            self._frames -= sum(isinstance(item, LiveFrame) for item in taken)
            if not taken and self._problem is not None:
                raise self._problem
            self._changed.notify_all()
            return taken

    def rest(self) -> list[LiveItem]:
        """Everything that nobody has taken."""
        with self._changed:
            left = list(self._items)
            self._items.clear()
            self._frames = 0
            return left

    def dropped(self) -> list[tuple[float, float, int]]:
        """Stretches (start, end, frames) dropped since the last call."""
        with self._changed:
            dropped, self._dropped = self._dropped, []
            return dropped

    def new_rate(self, policy: str) -> float | None:
        """Another sampling rate, where frames wait and the policy is to take fewer; else None."""
        now_s = time.monotonic()
        with self._changed:
            crowded, self._crowded = self._crowded, False
            if policy != LOWER_RATE:
                return None
            if self._frames > 1:
                self._busy_s = now_s
            rate_hz = self.rate_hz
            if crowded and now_s - self._turned_s > _RATE_PAUSE_S:
                rate_hz = max(rate_hz / 2, self._full_hz * _LOWEST_SHARE)
            elif now_s - max(self._busy_s, self._turned_s) > _RATE_CALM_S:
                rate_hz = min(rate_hz * 2, self._full_hz)
            if rate_hz == self.rate_hz:
                return None
            self._turned_s, self.rate_hz = now_s, rate_hz
            return rate_hz

    def end(self, problem: SourceError | None) -> None:
        """Nothing more will come; `problem` is raised once everything was taken."""
        with self._changed:
            self._over, self._problem = True, problem
            self._changed.notify_all()

    def _room(self, frame: LiveFrame) -> int:
        wanted = max(_LEAST_FRAMES, int(_WAITING_S * self._full_hz))
        return max(2, min(wanted, _MOST_BYTES // frame.pixels.nbytes))

    def _drop_oldest(self) -> None:
        for place, item in enumerate(self._items):
            if isinstance(item, LiveFrame):
                del self._items[place]
                break
        else:
            return
        self._frames -= 1
        end_s = item.end_s
        if self._dropped and item.time_s - self._dropped[-1][1] < 2.0 / self.rate_hz:
            start_s, _, count = self._dropped[-1]
            self._dropped[-1] = (start_s, end_s, count + 1)
        else:
            self._dropped.append((item.time_s, end_s, 1))
