"""Turns the times of a live source into times of a memory that only ever go forward.

A source's clock may jump, start anew after a reconnect, or run away; a memory's may not. Pure
bookkeeping: frames come in with the moment they arrived, and go out with their place. All moments
are seconds of one clock that never jumps.
"""

from collections import OrderedDict
from dataclasses import dataclass

from streammem.core.types import Gap, Pixels

# A source that is opened gives what it has gathered at once; only then do its frames come when
# they are made. The frames of this long are looked at together, longer while they still hurry.
HOLD_S = 0.5
LONGEST_HOLD_S = 2.0
MAX_HELD = 2048
_HURRYING_S = 0.05
# How far a source's clock may be from the moment of arrival before it counts as having jumped.
JUMP_S = 0.9
# Less than this between two frames is no gap, nor are a few frames that are missing.
GAP_S = 0.75
_GAP_FRAMES = 5
# A file may be silent for this long by its own clock; more than that is a jump.
LONGEST_HOLE_S = 60.0
# What was seen lately, to know it again when a source repeats it.
_KNOWN_FRAMES = 8192
_SAME_S = 0.05
_FEW = 3
# Two clocks of the same trade differ by less than this; it is made up for as it comes up.
DRIFT_WINDOW_S = 30.0
_DRIFT_SHARE = 0.002
_PACE = 0.1
# A change of the frame rate by this factor, over this many frames, is a new segment.
_RATE_FACTOR = 1.6
_RATE_FRAMES = 12

START = "start"
NOT_WATCHING = "not watching"
CLOCK_JUMP = "clock jump"
MISSING = "frames missing"
REPEATS = "only repeats"
NEW_RATE = "frame rate"


@dataclass(frozen=True, slots=True)
class Sighting:
    """A frame as it came: its time by the source, its length, when it came, what it shows.

    `digest` is of its pixels, 0 for a frame that cannot be known again; `size` is (width, height)
    as it was sent, `pixels` uint8 `[3 H W]` are there only where it was taken.
    """

    pts_s: float
    lasts_s: float
    at_s: float
    digest: int = 0
    size: tuple[int, int] = (0, 0)
    pixels: Pixels | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """A frame with its time in the memory."""

    sighting: Sighting
    time_s: float


@dataclass(frozen=True, slots=True)
class Segment:
    """Where a stretch begins that has one clock, one rate and one size, and why it begins."""

    start_s: float
    reason: str


Step = Placed | Gap | Segment


@dataclass(frozen=True, slots=True)
class ClockState:
    """What a later process needs to go on: the source's clock, and how far the memory has seen."""

    last_pts_s: float
    offset_s: float
    end_s: float


class SourceClock:
    """The books of one watched source. For one thread at a time.

    `own_pace` says that the source is read as fast as it can be (a file), so that arrival tells
    little; `trusted` that its times mean the same each time it is opened; `patient` that what it
    held back during a gap may still come (HLS).
    """

    def __init__(self, state: ClockState | None = None, *, zero_s: float | None = None) -> None:
        """A new clock, or one that goes on behind `state`; `zero_s` is when memory time 0 was."""
        self.own_pace = False
        self.trusted = False
        self.patient = False
        self.zero_s = zero_s
        self.end_s = 0.0 if state is None else state.end_s
        self._offset_s = None if state is None else state.offset_s
        self._last_pts_s = None if state is None else state.last_pts_s
        self._last_at_s: float | None = None
        self._last_time_s = self.end_s
        self._known: OrderedDict[int, tuple[float, float]] = OrderedDict()
        self._held: list[Sighting] = []
        # Why the frames that are held do not simply follow the last one; None while they do.
        self._broken: str | None = START if state is None else NOT_WATCHING
        self._repeats = self._strangers = 0
        self._interval_s = 0.0
        self._most_ahead_s = 0.0
        self._window: tuple[float, float] | None = None
        self._base_lag_s: float | None = None
        self._rate_s: list[float] = []

    @property
    def state(self) -> ClockState | None:
        """Where the source and the memory are; None before the first frame."""
        if self._last_pts_s is None or self._offset_s is None:
            return None
        return ClockState(self._last_pts_s, self._offset_s, self.end_s)

    @property
    def gap_s(self) -> float:
        """How long nothing may be seen before that is a gap."""
        return max(GAP_S, _GAP_FRAMES * self._interval_s)

    def now_s(self, at_s: float) -> float:
        """The memory time of a moment after the last frame."""
        if self._last_at_s is None:
            return self.end_s if self.zero_s is None else max(self.end_s, at_s - self.zero_s)
        return self.end_s + max(0.0, at_s - self._last_at_s)

    def broke(self, reason: str) -> list[Step]:
        """The source has to be opened again; what was held is placed."""
        steps = self.settle()
        self._broken = self._broken or reason
        self._repeats = self._strangers = 0
        return steps

    def see(self, sighting: Sighting) -> list[Step]:
        """Take in a frame; the frames, gaps and segments that are settled by it."""
        if self._held:
            if self._broken != CLOCK_JUMP and self._is_known(sighting):
                # What came before it is older than anything that was seen, by the same clock.
                self._held = []
                self._repeats, self._strangers = 1, 0
                return []
            if sighting.pts_s <= self._held[-1].pts_s:
                steps = self.settle()
                return [*steps, *self.see(sighting)]
            self._held.append(sighting)
            return self.settle_due(sighting.at_s)
        if self._broken is not None:
            if self._is_repeated(sighting):
                return []
            self._held = [sighting]
            return []
        return self._follow(sighting)

    def settle_due(self, at_s: float) -> list[Step]:
        """Place the frames that are held, once it is known how far they are behind."""
        if not self._held:
            return []
        waited_s = at_s - self._held[0].at_s
        lags = [one.at_s - one.pts_s for one in self._held]
        early = [one.at_s - one.pts_s for one in self._held if one.at_s < at_s - HOLD_S / 2]
        hurries = bool(early) and min(lags) < min(early) - _HURRYING_S
        patience_s = LONGEST_HOLD_S if hurries or not early else HOLD_S
        if waited_s < patience_s and len(self._held) < MAX_HELD:
            return []
        return self.settle()

    def settle(self) -> list[Step]:
        """Place the frames that are held now."""
        if not self._held:
            return []
        held, self._held = self._held, []
        reason, self._broken = self._broken or CLOCK_JUMP, None
        steps: list[Step] = []
        first_s = self._first_time_s(held, reason)
        same = self._offset_s is not None and first_s == held[0].pts_s + self._offset_s
        if self._last_pts_s is not None:
            reason = REPEATS if self._repeats and not same else reason
            if first_s - self.end_s > self.gap_s:
                steps.append(Gap(self.end_s, first_s, reason))
            else:
                # A hole that is too small to speak of is closed, so that times stay continuous.
                first_s = max(first_s, self.end_s)
        if not same:
            self._offset_s = first_s - held[0].pts_s
            self._most_ahead_s = 0.0
            self._window, self._base_lag_s = None, None
        if self._last_pts_s is None or not same:
            steps.append(Segment(first_s, reason))
        self._repeats = self._strangers = 0
        self._last_pts_s = held[0].pts_s - max(held[0].lasts_s, 1e-6)
        self._last_at_s = held[0].at_s
        for one in held:
            steps += self._follow(one)
        return steps

    def _first_time_s(self, held: list[Sighting], reason: str) -> float:
        """The memory time of the first frame of those that come after a break."""
        first = held[0]
        lag_s = first.at_s - first.pts_s
        if not self.own_pace:
            lag_s = min(one.at_s - one.pts_s for one in held)
        at_s = lag_s + first.pts_s
        if self.zero_s is None:
            self.zero_s = at_s - self.end_s
        known_s = self._by_source_clock_s(first, at_s, reason)
        if known_s is not None:
            return known_s
        now_s = at_s - self.zero_s
        if self._last_at_s is not None:
            ahead_s = self._last_time_s - (self._last_at_s - self.zero_s)
            # A source that runs with the wall clock is set by it, so that errors never add up.
            now_s += ahead_s if self.own_pace or ahead_s > JUMP_S else 0.0
        return max(self.end_s, now_s)

    def _by_source_clock_s(self, first: Sighting, at_s: float, reason: str) -> float | None:
        """The time by the clock the source had before; None where it has another one now."""
        if self._offset_s is None or self._last_pts_s is None or reason == CLOCK_JUMP:
            return None
        passed_s = first.pts_s - self._last_pts_s
        time_s = first.pts_s + self._offset_s
        if passed_s <= 0:
            return None
        if self.trusted:
            return time_s
        if self._last_at_s is None:
            return None
        late_s = (at_s - self._last_at_s) - passed_s
        if abs(late_s) <= JUMP_S or (self.patient and late_s > 0):
            return time_s
        return None

    def _is_repeated(self, sighting: Sighting) -> bool:
        """Whether a frame after a break was seen before it."""
        last_s = self._last_pts_s
        if last_s is None or sighting.pts_s > last_s + 1e-6:
            return False
        if self.trusted and self._offset_s is not None:
            return True
        if self._is_known(sighting):
            self._repeats, self._strangers = self._repeats + 1, 0
            return True
        # Among pictures that are known, a few may come out differently where data was lost.
        self._strangers += 1
        return self._repeats > 0 and self._strangers <= _FEW

    def _is_known(self, sighting: Sighting) -> bool:
        """Whether this very picture was seen at this very time."""
        seen = self._known.get(sighting.digest)
        return seen is not None and seen[0] - _SAME_S <= sighting.pts_s <= seen[1] + _SAME_S

    def _follow(self, sighting: Sighting) -> list[Step]:
        """Place a frame of a source that goes on, or find that its clock has jumped."""
        assert self._last_pts_s is not None
        assert self._offset_s is not None
        assert self._last_at_s is not None
        assert self.zero_s is not None
        passed_s = sighting.pts_s - self._last_pts_s
        if passed_s <= 0:
            if passed_s == 0:
                return []
            return self._jumped(sighting)
        time_s = max(sighting.pts_s + self._offset_s, self.end_s - sighting.lasts_s)
        ahead_s = time_s - (sighting.at_s - self.zero_s)
        steps: list[Step] = []
        if passed_s > self.gap_s + sighting.lasts_s:
            if not self._believable(passed_s, ahead_s):
                return self._jumped(sighting)
            if time_s - self.end_s > self.gap_s:
                steps.append(Gap(self.end_s, time_s, MISSING))
            self._rate_s = []
        else:
            steps += self._new_rate(passed_s, time_s)
        self._most_ahead_s = max(self._most_ahead_s, ahead_s)
        self._remember(sighting, passed_s, time_s)
        steps.append(Placed(sighting, time_s))
        self._correct_drift(sighting.at_s, -ahead_s)
        return steps

    def _believable(self, passed_s: float, ahead_s: float) -> bool:
        """Whether a step forward of the source's clock is one of time, and not of the clock."""
        if self.own_pace:
            return passed_s <= LONGEST_HOLE_S
        return ahead_s <= self._most_ahead_s + JUMP_S

    def _jumped(self, sighting: Sighting) -> list[Step]:
        self._broken = CLOCK_JUMP
        self._held = [sighting]
        return []

    def _remember(self, sighting: Sighting, passed_s: float, time_s: float) -> None:
        self._interval_s += _PACE * (min(passed_s, 10.0) - self._interval_s)
        self._last_pts_s, self._last_at_s = sighting.pts_s, sighting.at_s
        self._last_time_s = time_s
        self.end_s = max(self.end_s, time_s + sighting.lasts_s)
        if sighting.digest:
            first_s = self._known.pop(sighting.digest, (sighting.pts_s, 0.0))[0]
            self._known[sighting.digest] = first_s, sighting.pts_s
        while len(self._known) > _KNOWN_FRAMES:
            self._known.popitem(last=False)

    def _new_rate(self, passed_s: float, time_s: float) -> list[Step]:
        """A segment where the source has begun to give frames at another rate."""
        self._rate_s = [*self._rate_s[-2 * _RATE_FRAMES + 1 :], passed_s]
        if len(self._rate_s) < 2 * _RATE_FRAMES:
            return []
        before, lately = (
            sorted(part)[_RATE_FRAMES // 2]
            for part in (self._rate_s[:_RATE_FRAMES], self._rate_s[_RATE_FRAMES:])
        )
        if max(before, lately) < _RATE_FACTOR * min(before, lately):
            return []
        self._rate_s = []
        return [Segment(time_s, NEW_RATE)]

    def _correct_drift(self, at_s: float, lag_s: float) -> None:
        """Follow the wall clock slowly where the source's crystal runs a little differently."""
        if self.own_pace:
            return
        began_s, least_s = self._window or (at_s, lag_s)
        self._window = (began_s, min(least_s, lag_s))
        if at_s - began_s < DRIFT_WINDOW_S:
            return
        least_s = min(least_s, lag_s)
        self._window = None
        if self._base_lag_s is None:
            self._base_lag_s = least_s
            return
        drift_s, most_s = least_s - self._base_lag_s, _DRIFT_SHARE * DRIFT_WINDOW_S
        assert self._offset_s is not None
        if abs(drift_s) > 0.02:
            self._offset_s += min(most_s, max(-most_s, drift_s))
