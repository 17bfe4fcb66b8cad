"""Until when a frame is seen."""

import pytest

from streammem.memory.timing import Clock, ClockSettings, Tick, tick

SETTINGS = ClockSettings(hole_factor=4.0, first_step_s=0.5, longest_first_step_s=10.0)


def run(pts_s: list[float], durations_s: list[float] | None = None) -> list[Tick]:
    clock, ticks = Clock(), []
    for i, now_s in enumerate(pts_s):
        duration_s = None if durations_s is None else durations_s[i]
        ticks.append(tick(clock, now_s, duration_s, SETTINGS))
        clock = ticks[-1].clock
    return ticks


def test_a_frame_lasts_until_the_next_and_the_last_one_step() -> None:
    """Ends are the next frame's pts; the last frame is given the step before it."""
    ticks = run([10.0, 10.5, 11.25])

    assert [t.previous_end_s for t in ticks[1:]] == [10.5, 11.25]
    assert ticks[-1].clock.end_s == 12.0
    assert not any(t.hole for t in ticks)


def test_the_first_frame_lasts_the_assumed_step() -> None:
    """One frame alone has a span that is not empty."""
    assert run([-3.0])[0].clock.end_s == -2.5


def test_a_pause_is_not_claimed_as_seen() -> None:
    """After a pause of more than four steps the frame before it keeps one step."""
    ticks = run([0.0, 1.0, 2.0, 60.0, 61.0])

    assert [t.hole for t in ticks] == [False, False, False, True, False]
    assert [t.previous_end_s for t in ticks[1:]] == [1.0, 2.0, 3.0, 61.0]


def test_a_lasting_change_of_rate_is_learned() -> None:
    """After a few frames at a tenth of the rate, steps are believed again."""
    ticks = run([0.0, 0.5, 1.0, *(6.0 + 5.0 * i for i in range(6))])

    assert [t.hole for t in ticks][3:] == [True, True, False, False, False, False]


def test_a_stated_duration_ends_a_frame_early_but_never_late() -> None:
    """Durations are honoured up to the next frame."""
    ticks = run([0.0, 0.5, 1.0], [0.04, 0.9, 0.3])

    assert [t.previous_end_s for t in ticks[1:]] == [0.04, 1.0]
    assert ticks[-1].clock.end_s == 1.3


def test_a_long_stated_duration_is_no_hole() -> None:
    """A slide that says it stands for 20 s covers them."""
    ticks = run([0.0, 0.5, 20.5], [0.5, 20.0, 0.5])

    assert [t.hole for t in ticks] == [False, False, False]
    assert ticks[-1].previous_end_s == 20.5


@pytest.mark.parametrize("durations_s", [None, [0.5, 0.5, 0.5]])
def test_equal_times_keep_the_frame_seen(durations_s: list[float] | None) -> None:
    """Two frames at one instant leave the first its provisional end."""
    assert run([0.0, 1.0, 1.0], durations_s)[-1].previous_end_s > 1.0
