"""Gathers frames into the open stretch and closes it where the policy's rule says."""

from dataclasses import dataclass, field
from math import sqrt
from typing import NamedTuple, Protocol

import numpy as np

from streammem.core.types import Times
from streammem.memory.codes import EncodedRows, RowCode, Wide
from streammem.memory.published.table import Closed
from streammem.memory.timing import Clock, ClockSettings, tick

CLOCK = ClockSettings(hole_factor=4.0, first_step_s=0.5, longest_first_step_s=10.0)
"""What counts as a pause of the recording: the same for every policy."""

STATE_SIZE = 8
RuleState = tuple[float, ...]


class Arrival(NamedTuple):
    """A frame against the open stretch of `frames` >= 1 frames.

    `to_last` is its cosine with the last frame, `to_mean` with the mean of the stretch.
    """

    frames: int
    to_last: float
    to_mean: float


class StretchRule(Protocol):
    """Whether a frame begins a new stretch; a frozen record of numbers."""

    @property
    def compares(self) -> bool:
        """Whether it looks at frames; one that does not gets cosines of 0."""
        ...

    def step(self, state: RuleState, arrival: Arrival) -> tuple[bool, RuleState]:
        """Judge a frame. The first state is empty; a state has at most `STATE_SIZE` numbers."""
        ...


@dataclass(frozen=True, slots=True)
class EveryFrame:
    """Each frame is a stretch of its own."""

    @property
    def compares(self) -> bool:
        """Frames are not compared."""
        return False

    def step(self, state: RuleState, arrival: Arrival) -> tuple[bool, RuleState]:
        """Always."""
        return True, state


@dataclass(slots=True)
class Open:
    """The stretch that is not over: exact sums of its frames, in fixed point.

    `end_s` leaves out the last frame, whose end the next one tells. The exemplar is the frame
    nearest to those before it in the stretch.
    """

    sums: Wide
    frames: int = 0
    start_s: float = 0.0
    end_s: float = 0.0
    time_sum_us: int = 0
    exemplar_s: float = 0.0
    exemplar_fit: float = -2.0
    use: int = 0
    reads: int = 0


@dataclass(slots=True)
class Intake:
    """What a frame meets: the open stretch, the last frame, the clock and the rule's state."""

    rule: StretchRule
    code: RowCode
    open: Open
    last_frame: Wide
    clock: Clock = field(default_factory=Clock)
    state: RuleState = ()
    frames_seen: int = 0

    @property
    def open_end_s(self) -> float:
        """The end of the open stretch as far as it is known: its last frame's is provisional."""
        return max(self.open.end_s, self.clock.end_s)

    def take(self, frames: Wide, pts_s: Times, durations_s: Times | None) -> Closed:
        """Take fixed-point frames `[B D]`; the stretches that they close.

        Every number is exact or depends on one frame only, so blocks of any size close the same
        stretches.
        """
        gathered: list[Open] = []
        for i, now_s in enumerate(pts_s.tolist()):
            duration_s = None if durations_s is None else float(durations_s[i])
            previous_end_s, hole, self.clock = tick(self.clock, now_s, duration_s, CLOCK)
            if self.open.frames:
                self.open.end_s = max(self.open.end_s, previous_end_s)
                arrival = self._compare(frames[i])
                cut, self.state = self.rule.step(self.state, arrival)
                if cut or hole:
                    gathered.append(self.open)
                    self.open = Open(np.zeros(frames.shape[1]))
                elif arrival.to_mean > self.open.exemplar_fit:
                    self.open.exemplar_s, self.open.exemplar_fit = now_s, arrival.to_mean
            self._add(frames[i], now_s)
        return self.encode(gathered)

    def _compare(self, frame: Wide) -> Arrival:
        if not self.rule.compares:
            return Arrival(self.open.frames, 0.0, 0.0)
        return Arrival(
            self.open.frames, _cosine(frame, self.last_frame), _cosine(frame, self.open.sums)
        )

    def _add(self, frame: Wide, now_s: float) -> None:
        stretch = self.open
        if stretch.frames == 0:
            stretch.sums = frame.copy()
            stretch.start_s = stretch.end_s = stretch.exemplar_s = now_s
        else:
            stretch.sums += frame
        stretch.frames += 1
        stretch.time_sum_us += round(now_s * 1e6)
        self.frames_seen += 1
        if self.rule.compares:
            self.last_frame = frame.copy()

    def encode(self, gathered: list[Open]) -> Closed:
        """Stretches with the codes of their means."""
        means = np.array([one.sums for one in gathered]).reshape(-1, self.code.dim)
        counts = np.array([one.frames for one in gathered], np.float64)
        if self.rule.compares:
            means = np.rint(means / counts[:, None])
        # Codes of no rows are made by hand: not every rotation takes an empty array.
        no_keys = EncodedRows(
            np.zeros((0, self.code.code_bytes), np.uint8),
            np.zeros(0, np.float32),
            np.zeros(0, np.uint32),
        )
        return Closed(
            keys=self.code.encode(self.code.rotate(means)) if gathered else no_keys,
            mass=[one.frames for one in gathered],
            start_s=[one.start_s for one in gathered],
            end_s=[one.end_s for one in gathered],
            exemplar_s=[one.exemplar_s for one in gathered],
            time_sum_us=[one.time_sum_us for one in gathered],
            use=[one.use for one in gathered],
            reads=[one.reads for one in gathered],
        )


def _cosine(first: Wide, second: Wide) -> float:
    """The cosine of two rows of whole numbers: exact products, so equal for any batch."""
    product = float(first @ second)
    lengths = float(first @ first) * float(second @ second)
    return product / sqrt(lengths) if lengths else 0.0
