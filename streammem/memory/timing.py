"""Says until when a frame is seen, so that a pause of the recording is never claimed as seen."""

from typing import NamedTuple


class Clock(NamedTuple):
    """The last frame's times: `pts_s`, `end_s` (provisional), the sampling step `step_s`.

    `step_s` is 0 until two frames have come; `has_frame` is False before the first.
    """

    has_frame: bool = False
    pts_s: float = 0.0
    end_s: float = 0.0
    step_s: float = 0.0
    stated: bool = False


class ClockSettings(NamedTuple):
    """Limits of what is believed to be one sampling step."""

    hole_factor: float
    first_step_s: float
    longest_first_step_s: float


class Tick(NamedTuple):
    """A frame's effect on time: the previous frame's final end, and whether a hole follows it."""

    previous_end_s: float
    hole: bool
    clock: Clock


def tick(clock: Clock, pts_s: float, duration_s: float | None, settings: ClockSettings) -> Tick:
    """Place the next frame.

    A frame is seen until the next one, or as long as its stated duration if that is shorter.
    Where the next one comes later than `hole_factor` steps, it is seen for one step only. The
    step follows the stream: it is the last gap that was no hole, and doubles with every hole,
    so that a lasting change of rate is learned.
    """
    if not clock.has_frame:
        shown_s = settings.first_step_s if duration_s is None else duration_s
        stated = duration_s is not None
        return Tick(pts_s, False, Clock(True, pts_s, pts_s + shown_s, 0.0, stated))
    gap_s = pts_s - clock.pts_s
    unseen_s = pts_s - clock.end_s if clock.stated else gap_s
    limit_s = settings.hole_factor * clock.step_s if clock.step_s else settings.longest_first_step_s
    hole = unseen_s > limit_s
    previous_end_s = clock.end_s
    if not hole and gap_s > 0:
        previous_end_s = min(clock.end_s, pts_s) if clock.stated else pts_s
    step_s = clock.step_s
    if gap_s > 0:
        step_s = min(gap_s, 2 * (step_s or settings.first_step_s)) if hole else gap_s
    shown_s = (step_s or settings.first_step_s) if duration_s is None else duration_s
    stated = duration_s is not None
    return Tick(previous_end_s, hole, Clock(True, pts_s, pts_s + shown_s, step_s, stated))
