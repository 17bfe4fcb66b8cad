"""Gathers frames into the open event and hands over each event that ends."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from streammem.core.types import Floats, Times
from streammem.memory.boundary import BoundaryRule, BoundaryState, EventLimits
from streammem.memory.codes import FIXED_ONE, Wide
from streammem.memory.timing import Clock, ClockSettings, tick
from streammem.memory.tokens import TokenCodes, encode_tokens

_ONE_SQUARED = float(FIXED_ONE * FIXED_ONE)


@dataclass(slots=True)
class Event:
    """A stretch of frames that belong together, in exact sums.

    `sums` is float64 `[D]` of integers, `square_sum` an integer: both of fixed-point frames.
    The exemplar is the frame that surprised least; `tokens` are its most distinct ones. While
    the event is open, `end_s` leaves out its last frame, whose end the next frame tells; `wild`
    says, once it is closed, that it was part of a stretch of unlike frames.
    """

    sums: Wide
    tokens: TokenCodes
    frames: int = 0
    square_sum: int = 0
    start_s: float = 0.0
    end_s: float = 0.0
    time_sum_us: int = 0
    exemplar_s: float = 0.0
    exemplar_surprise: float = 0.0
    use: int = 0
    reads: int = 0
    wild: bool = False


@dataclass(slots=True)
class Intake:
    """The open event, the boundary's state, the clock and the last frame: what a frame meets.

    `on_close` receives each event that ends; `on_end` the final end of the previous frame;
    `limits` tells what the memory can afford now.
    """

    rule: BoundaryRule
    clock_settings: ClockSettings
    event: Event
    on_close: Callable[[Event], None]
    on_end: Callable[[int, float], None]
    limits: Callable[[], EventLimits]
    last_frame: Wide
    boundary: BoundaryState = field(default_factory=BoundaryState)
    clock: Clock = field(default_factory=Clock)
    frames_seen: int = 0

    @property
    def open_end_s(self) -> float:
        """The end of the open event as far as it is known: its last frame's is provisional."""
        return max(self.event.end_s, self.clock.end_s)

    def take(
        self, frames: Wide, pts_s: Times, durations_s: Times | None, tokens: Floats | None
    ) -> Times:
        """Take a block of fixed-point frames `[B D]`; the ends of all, the last provisional.

        Every number is an exact integer or depends on one frame only, so blocks of any size
        give the same events.
        """
        return _Block(self, frames, tokens).run(
            pts_s.tolist(), None if durations_s is None else durations_s.tolist()
        )


class _Block:
    """One block of frames on its way into the events.

    With P the running sum of the block's frames, an event that began at frame b has the sum
    P[i - 1] - P[b - 1] before frame i; so one product per event, of the frames that may follow
    with `base`, gives the similarity of each to the event's sum, whatever the event's length.
    """

    def __init__(self, intake: Intake, frames: Wide, tokens: Floats | None) -> None:
        self._intake = intake
        self._frames = frames
        self._tokens = tokens
        self._prefix = frames.copy()
        for row in range(1, frames.shape[0]):  # A cumulative sum along rows is five times slower.
            self._prefix[row] += self._prefix[row - 1]
        squares = np.einsum("ij,ij->i", frames, frames)
        self._squares: list[float] = squares.tolist()
        self._changes = _changes(intake.last_frame, frames, squares)
        self._to_prefix: list[float] = [0.0]
        self._to_prefix += np.einsum("ij,ij->i", frames[1:], self._prefix[:-1]).tolist()
        self._base: Wide = intake.event.sums
        self._first = 0
        self._to_base: list[float] = []
        self._exemplar: int | None = None
        self._limits = intake.limits()

    def run(self, pts_s: list[float], durations_s: list[float] | None) -> Times:
        """Place every frame in time and in an event."""
        intake = self._intake
        ends_s: list[float] = []
        self._look_ahead(0)
        for i, now_s in enumerate(pts_s):
            duration_s = None if durations_s is None else durations_s[i]
            previous_end_s, hole, intake.clock = tick(
                intake.clock, now_s, duration_s, intake.clock_settings
            )
            if ends_s:
                ends_s[-1] = previous_end_s
            else:
                intake.on_end(intake.frames_seen, previous_end_s)
            event = intake.event
            if event.frames:
                event.end_s = max(event.end_s, previous_end_s)
                surprise = self._surprise(i)
                cut, intake.boundary = intake.rule.step(
                    intake.boundary, surprise, self._changes[i], event.frames, self._limits
                )
                if cut or hole:
                    self._end_event(i)
                    intake.boundary = intake.boundary._replace(
                        event_mean=0.0, event_square=0.0, event_count=0.0
                    )
                elif event.frames == 1 or surprise < event.exemplar_surprise:
                    event.exemplar_s, event.exemplar_surprise = now_s, surprise
                    self._exemplar = i
            self._add(i, now_s)
            ends_s.append(intake.clock.end_s)
        self._leave(len(pts_s))
        return np.asarray(ends_s, np.float64)

    def _surprise(self, i: int) -> float:
        event = self._intake.event
        similarity = (self._to_prefix[i] + self._to_base[i - self._first]) / event.frames
        spread = (self._squares[i] + event.square_sum / event.frames) / 2
        return max(0.0, (spread - similarity) / _ONE_SQUARED)

    def _add(self, i: int, pts_s: float) -> None:
        event = self._intake.event
        if event.frames == 0:
            event.start_s = event.exemplar_s = pts_s
            event.end_s = pts_s
            self._exemplar = i
        event.frames += 1
        event.square_sum += int(self._squares[i])
        event.time_sum_us += round(pts_s * 1e6)
        self._intake.frames_seen += 1

    def _look_ahead(self, first: int) -> None:
        """Products with the base of the frames from `first` on that can meet the event."""
        last = first + self._intake.rule.max_event_frames + 1
        self._first = first
        self._to_base = (self._frames[first:last] @ self._base).tolist()

    def _settle(self, before: int) -> Event:
        """The open event with its sums and tokens brought up to the frames before `before`."""
        event = self._intake.event
        event.sums = self._base + self._prefix[before - 1] if before else self._base
        if self._exemplar is not None and self._tokens is not None and event.tokens.size:
            codes = encode_tokens(self._tokens[self._exemplar], event.tokens.shape[0])
            event.tokens[: codes.shape[0]] = codes
        self._exemplar = None
        return event

    def _end_event(self, before: int) -> None:
        event = self._settle(before)
        event.wild = self._intake.rule.is_wild(self._intake.boundary)
        self._intake.on_close(event)
        self._limits = self._intake.limits()
        self._intake.event = Event(
            sums=np.zeros_like(event.sums), tokens=np.zeros_like(event.tokens)
        )
        self._base = -self._prefix[before - 1] if before else self._intake.event.sums
        self._look_ahead(before)

    def _leave(self, count: int) -> None:
        """Bring the event that stays open up to the end of the block."""
        if count:
            self._settle(count)
            self._intake.last_frame = self._frames[-1].copy()


def _changes(last_frame: Wide, frames: Wide, squares: Wide) -> list[float]:
    """Half the squared distance of each frame to the one before it."""
    products = np.empty(frames.shape[0])
    products[0] = frames[0] @ last_frame
    np.einsum("ij,ij->i", frames[1:], frames[:-1], out=products[1:])
    before = np.concatenate(([last_frame @ last_frame], squares[:-1]))
    changes: list[float] = (((squares + before) / 2 - products) / _ONE_SQUARED).tolist()
    return changes
