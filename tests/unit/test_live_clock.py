"""Times of a live source become times of a memory: scripted arrivals, no stream at all."""

from itertools import pairwise

import pytest

from streammem.core.types import Gap
from streammem.video.live_clock import (
    CLOCK_JUMP,
    DRIFT_WINDOW_S,
    MISSING,
    NEW_RATE,
    NOT_WATCHING,
    REPEATS,
    ClockState,
    Placed,
    Segment,
    Sighting,
    SourceClock,
    Step,
)

RATE = 10
LASTS_S = 1 / RATE


class Wire:
    """Feeds a clock with frames that arrive when they are made, from a moment on."""

    def __init__(self, clock: SourceClock, at_s: float = 100.0) -> None:
        self.clock = clock
        self.at_s = at_s
        self.steps: list[Step] = []

    def send(self, pts_s: float, count: int, *, rate: float = RATE, pace: float = 1.0) -> None:
        """`count` frames from `pts_s` on; with pace 0 they arrive all at once."""
        for number in range(count):
            pts = pts_s + number / rate
            digest = round(pts * 1000) + 7
            self.steps += self.clock.see(Sighting(pts, 1 / rate, self.at_s, digest))
            self.at_s += pace / rate

    def quiet(self, seconds: float) -> None:
        """Nothing comes."""
        self.at_s += seconds
        self.steps += self.clock.settle_due(self.at_s)

    @property
    def times(self) -> list[float]:
        return [step.time_s for step in self.steps if isinstance(step, Placed)]

    @property
    def gaps(self) -> list[Gap]:
        return [step for step in self.steps if isinstance(step, Gap)]

    @property
    def segments(self) -> list[str]:
        return [step.reason for step in self.steps if isinstance(step, Segment)]


def grows(times: list[float]) -> bool:
    return all(a < b for a, b in pairwise(times))


def test_memory_time_begins_at_zero_and_follows_the_source() -> None:
    """Whatever time the source begins at."""
    wire = Wire(SourceClock())
    wire.send(5000.0, 50)
    assert wire.times == pytest.approx([number / RATE for number in range(50)])
    assert (wire.gaps, wire.segments) == ([], ["start"])


def test_what_was_gathered_before_counts_back_from_now() -> None:
    """A burst at the start is older than its arrival, so time 0 lies before the watch began."""
    wire = Wire(SourceClock())
    wire.send(0.0, 30, pace=0.0)
    wire.send(3.0, 20)
    assert wire.clock.zero_s == pytest.approx(97.0, abs=0.11)
    assert wire.times[-1] == pytest.approx(4.9)


def test_a_jump_back_opens_a_segment_and_loses_no_time() -> None:
    """Frames go on arriving, so nothing was missed."""
    wire = Wire(SourceClock())
    wire.send(500.0, 40)
    wire.send(20.0, 40)
    assert wire.segments == ["start", CLOCK_JUMP]
    assert wire.gaps == []
    assert grows(wire.times)
    assert wire.times[-1] == pytest.approx(7.9, abs=0.11)
    assert len(wire.times) == 80


def test_a_jump_forward_opens_a_segment_and_loses_no_time() -> None:
    """An hour by the source's clock, nothing by the wall's."""
    wire = Wire(SourceClock())
    wire.send(0.0, 40)
    wire.send(3600.0, 40)
    assert wire.segments == ["start", CLOCK_JUMP]
    assert wire.gaps == []
    assert wire.times[-1] == pytest.approx(7.9, abs=0.11)


def test_a_jump_with_silence_is_a_gap_as_long_as_the_silence() -> None:
    """The wall tells how long nothing was seen."""
    wire = Wire(SourceClock())
    wire.send(500.0, 40)
    wire.quiet(5.0)
    wire.send(20.0, 40)
    assert [gap.reason for gap in wire.gaps] == [CLOCK_JUMP]
    assert wire.gaps[0].start_s == pytest.approx(4.0)
    assert wire.gaps[0].end_s == pytest.approx(9.0, abs=0.11)


def test_frames_that_are_missing_are_a_gap() -> None:
    """Source and wall agree that time has passed."""
    wire = Wire(SourceClock())
    wire.send(0.0, 40)
    wire.quiet(3.0)
    wire.send(7.0, 20)
    assert [(gap.start_s, gap.end_s, gap.reason) for gap in wire.gaps] == [
        (pytest.approx(4.0), pytest.approx(7.0), MISSING)
    ]
    assert wire.segments == ["start"]


def test_after_a_reconnect_a_clock_that_went_on_is_trusted() -> None:
    """The gap is that of the source's own clock, however long finding its format took."""
    wire = Wire(SourceClock())
    wire.send(0.0, 40)
    wire.steps += wire.clock.broke("disconnected")
    wire.quiet(5.0)
    wire.send(7.0, 20, pace=0.0)
    wire.send(9.0, 20)
    assert wire.gaps == [Gap(pytest.approx(4.0), pytest.approx(7.0), "disconnected")]
    assert wire.times[40] == pytest.approx(7.0)


def test_after_a_reconnect_a_clock_that_began_anew_is_not() -> None:
    """The wall clock goes on instead."""
    wire = Wire(SourceClock())
    wire.send(300.0, 40)
    wire.steps += wire.clock.broke("stalled")
    wire.quiet(5.0)
    wire.send(1.4, 40)
    assert [gap.reason for gap in wire.gaps] == ["stalled"]
    assert wire.gaps[0].end_s == pytest.approx(9.0, abs=0.11)
    assert wire.segments == ["start", "stalled"]


def test_frames_that_were_seen_before_are_left_out() -> None:
    """A window of segments begins with what is known; nothing of it counts twice."""
    wire = Wire(SourceClock())
    wire.clock.patient = True
    wire.send(50.0, 100)
    wire.steps += wire.clock.broke("unreachable")
    wire.quiet(4.0)
    wire.send(54.0, 100, pace=0.0)
    wire.send(64.0, 20)
    assert wire.times == pytest.approx([number / RATE for number in range(160)])
    assert wire.gaps == []


def test_a_window_that_begins_before_anything_seen_is_recognised() -> None:
    """What is older than the first frame that was seen is left out as well."""
    wire = Wire(SourceClock())
    wire.clock.patient = True
    wire.send(50.0, 50)
    wire.steps += wire.clock.broke("unreachable")
    wire.quiet(3.0)
    wire.send(48.0, 100, pace=0.0)
    wire.send(58.0, 20)
    assert wire.times == pytest.approx([number / RATE for number in range(100)])
    assert wire.segments == ["start"]


def test_another_picture_at_a_known_time_is_new() -> None:
    """A server that starts its clock anew does not repeat what it shows."""
    wire = Wire(SourceClock())
    wire.send(1.0, 40)
    wire.steps += wire.clock.broke("disconnected")
    wire.quiet(1.0)
    for number in range(40):
        at_s = wire.at_s + number / RATE
        wire.steps += wire.clock.see(
            Sighting(1.0 + number / RATE, LASTS_S, at_s, 9_000_000 + number)
        )
    assert len(wire.times) == 80
    assert grows(wire.times)


def test_a_source_that_only_repeats_is_not_seen_meanwhile() -> None:
    """A server that plays its recording from the beginning again shows nothing new for long."""
    wire = Wire(SourceClock())
    wire.send(0.0, 60)
    wire.steps += wire.clock.broke("disconnected")
    wire.quiet(1.0)
    wire.send(0.0, 100)
    assert len(wire.times) == 100
    assert [gap.reason for gap in wire.gaps] == [REPEATS]
    assert wire.gaps[0].end_s - wire.gaps[0].start_s == pytest.approx(7.0, abs=0.2)


def test_a_file_is_timed_by_its_own_clock() -> None:
    """It comes as fast as it is read, and then as it grows."""
    clock = SourceClock()
    clock.own_pace = True
    wire = Wire(clock)
    wire.send(0.0, 600, pace=0.0)
    wire.quiet(30.0)
    wire.send(60.0, 20)
    assert wire.times[-1] == pytest.approx(61.9)
    assert wire.gaps == []


def test_an_earlier_run_is_gone_on_with_after_a_gap() -> None:
    """Memory time follows the wall clock while nobody watched."""
    wire = Wire(SourceClock(ClockState(40.0, -30.0, 10.0), zero_s=80.0))
    wire.send(1.4, 40)
    assert wire.gaps == [Gap(10.0, pytest.approx(20.0, abs=0.11), NOT_WATCHING)]
    assert wire.times[0] == pytest.approx(20.0, abs=0.11)


def test_the_same_file_is_gone_on_with_where_it_was_left() -> None:
    """What it grew by in the meantime was not missed, and what was seen is left out."""
    clock = SourceClock(ClockState(4.9, 0.0, 5.0), zero_s=0.0)
    clock.own_pace = clock.trusted = True
    wire = Wire(clock)
    wire.send(0.0, 100, pace=0.0)
    wire.quiet(3.0)
    assert wire.gaps == []
    assert wire.times == pytest.approx([number / RATE for number in range(50, 100)])


def test_another_frame_rate_opens_a_segment() -> None:
    """Times go on."""
    wire = Wire(SourceClock())
    wire.send(0.0, 60, rate=20)
    wire.send(3.0, 60, rate=5)
    assert wire.segments == ["start", NEW_RATE]
    assert wire.gaps == []
    assert grows(wire.times)


def test_a_crystal_that_runs_slow_is_followed() -> None:
    """One part in a thousand would be a minute and a half a day."""
    wire = Wire(SourceClock())
    frames = 60 * int(DRIFT_WINDOW_S)
    for number in range(frames):
        at_s = 100.0 + 1.001 * number / RATE
        wire.steps += wire.clock.see(Sighting(number / RATE, LASTS_S, at_s, number + 1))
    passed_s = 1.001 * (frames - 1) / RATE
    assert wire.times[-1] == pytest.approx(passed_s, abs=0.1)
    assert wire.times[-1] - (frames - 1) / RATE > 0.08
    assert grows(wire.times)
    assert wire.gaps == []


def test_one_picture_that_comes_twice_counts_once() -> None:
    """A time that was there already is left out."""
    wire = Wire(SourceClock())
    wire.send(0.0, 20)
    wire.steps += wire.clock.see(Sighting(1.9, LASTS_S, wire.at_s, 3))
    wire.send(2.0, 20)
    assert len(wire.times) == 40
