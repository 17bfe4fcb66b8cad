"""When a standing question is reported: a state machine over scores in stream time, no more.

Nothing here knows pictures, models or the wall clock. Equal scores at equal times give equal
reports, however they are cut into batches, and a machine that was stored and read back goes on
as if nothing had happened.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streammem.core.alerts import AlertRule, SiteScores
from streammem.query.alerts_site import RING, SiteCalibration

DAY_S = 86_400.0
# Frames further apart than this, and than three sampling intervals, have a gap between them in
# which nothing was seen.
GAP_S = 10.0
GAP_INTERVALS = 3.0
COOL_DOWN, BUDGET, REFUSED = "cool_down", "budget", "refused"
REASONS = (COOL_DOWN, BUDGET, REFUSED)


@dataclass(frozen=True, slots=True)
class Report:
    """What a machine wants reported at `time_s`; see `core.alerts.Alert` for the fields."""

    time_s: float
    start_s: float
    rise: float
    needed: float
    strength: float


@dataclass(slots=True)
class _Visit:
    """A stretch in which it is seen; for absence, in which it is not."""

    start_s: float
    rise: float
    strength: float
    reported: bool = False
    held_back_by: str | None = None
    misses: int = 0


class StandingQuestion:
    """One rule at work. Call `step` once for every frame, in order of time.

    For a rule of absence scores are turned round: what is unusually unlike it is the event, and
    the group of the highest scores is the camera's usual state.
    """

    def __init__(self, rule: AlertRule, interval_s: float = 0.5) -> None:
        """Begin with nothing known about a camera that is sampled every `interval_s`."""
        self.rule = rule
        self._gap_s = max(GAP_S, GAP_INTERVALS * interval_s)
        self._window_s = max(rule.confirm_window_s, rule.confirm_of * interval_s)
        self.reports = 0
        self.suppressed = dict.fromkeys(REASONS, 0)
        self._sign = 1.0 if rule.absent_for_s is None else -1.0
        self._site = SiteCalibration()
        self._seen_s = 0.0
        self._last_s: float | None = None
        self._learnt_at_s: float | None = None
        self._recent: deque[tuple[float, bool]] = deque(maxlen=rule.confirm_of)
        self._visit: _Visit | None = None
        self._reported_s: deque[float] = deque(maxlen=rule.max_per_day)
        self._cooling_from_s: float | None = None

    @property
    def site(self) -> SiteScores | None:
        """The usual scores of the camera, as strengths; None while it warms up."""
        scores = self._site.scores()
        if scores is None or self._is_warming:
            return None
        if self._sign > 0:
            return scores
        return SiteScores(scores.learnt, -scores.zero, scores.spread, -scores.high, -scores.low)

    @property
    def learning_s(self) -> float:
        """Seconds seen so far that count towards the warm-up."""
        return min(self._seen_s, self.rule.warm_up_s)

    @property
    def _is_warming(self) -> bool:
        return self._seen_s < self.rule.warm_up_s or self._site.scores() is None

    def step(self, time_s: float, strength: float) -> Report | None:
        """Take the strength of one frame; what is to be reported now, most often nothing.

        A frame that is not later than the last one was taken already and changes nothing.
        """
        if self._last_s is not None and time_s <= self._last_s:
            return None
        self._pass_time(time_s)
        value = self._sign * strength
        if self._is_warming:
            self._learn(time_s, value)
            return None
        rise = self._rise(value)
        above = rise >= self.rule.threshold and (
            self._sign < 0 or strength >= self.rule.least_strength
        )
        self._recent.append((time_s, above))
        self._follow(time_s, rise, strength, above=above)
        visit = self._visit
        usual = visit is None or time_s - visit.start_s >= self.rule.adapt_s
        if usual and not (above and visit is None):
            self._learn(time_s, value)
        return None if visit is None or visit.reported else self._try_to_report(time_s, visit)

    def refuse(self, report: Report) -> None:
        """Take back a report that an answerer did not confirm: the day's budget is not spent."""
        self.reports -= 1
        self.suppressed[REFUSED] += 1
        if report.time_s in self._reported_s:
            self._reported_s.remove(report.time_s)

    def finish(self) -> None:
        """At the end of the stream: a visit that was never reported counts as held back."""
        self._close_visit()

    def _pass_time(self, time_s: float) -> None:
        """Count the time that was seen; over a gap nobody knows what went on."""
        passed_s = 0.0 if self._last_s is None else time_s - self._last_s
        self._last_s = time_s
        if passed_s <= self._gap_s:
            self._seen_s += passed_s
            return
        self._recent.clear()
        if self._visit is not None:
            self._visit.misses = 0
            if self._sign < 0 and not self._visit.reported:
                # What was not watched does not count as absent.
                self._visit.start_s = time_s

    def _learn(self, time_s: float, value: float) -> None:
        """Take a frame where one is due: the sample covers the last `adapt_s`, or all so far."""
        covered_s = max(self.rule.warm_up_s, self._seen_s)
        every_s = min(self.rule.adapt_s, covered_s) / RING
        if self._learnt_at_s is None or time_s - self._learnt_at_s >= every_s:
            self._site.learn(value)
            self._learnt_at_s = time_s

    def _rise(self, value: float) -> float:
        scores = self._site.scores()
        return 0.0 if scores is None else (value - scores.zero) / scores.spread

    def _follow(self, time_s: float, rise: float, strength: float, *, above: bool) -> None:
        """Begin a visit, go on with it, or end it."""
        visit, rule = self._visit, self.rule
        if visit is None:
            hits = [at_s for at_s, hit in self._recent if hit and time_s - at_s <= self._window_s]
            if above and len(hits) >= rule.confirm_frames:
                self._visit = _Visit(hits[0], rise, strength)
            return
        if rise > visit.rise:
            visit.rise, visit.strength = rise, strength
        low = rise < rule.release or (self._sign > 0 and strength < rule.least_strength)
        visit.misses = visit.misses + 1 if low else 0
        if visit.misses >= rule.confirm_frames:
            self._close_visit()

    def _close_visit(self) -> None:
        visit, self._visit = self._visit, None
        self._recent.clear()
        if visit is not None and not visit.reported and visit.held_back_by is not None:
            self.suppressed[visit.held_back_by] += 1

    def _try_to_report(self, time_s: float, visit: _Visit) -> Report | None:
        """The report of a visit, or why it has to wait or to go unreported."""
        if time_s - visit.start_s < (self.rule.absent_for_s or 0.0) or visit.misses:
            return None
        cooling_s = None if self._cooling_from_s is None else time_s - self._cooling_from_s
        if cooling_s is not None and cooling_s < self.rule.cool_down_s:
            visit.held_back_by = COOL_DOWN
            return None
        while self._reported_s and time_s - self._reported_s[0] >= DAY_S:
            self._reported_s.popleft()
        spent = len(self._reported_s) / self.rule.max_per_day
        needed = self.rule.threshold * (1.0 + max(0.0, 2.0 * spent - 1.0))
        if spent >= 1.0 or visit.rise < needed:
            visit.held_back_by = BUDGET
            return None
        visit.reported = True
        self.reports += 1
        self._reported_s.append(time_s)
        self._cooling_from_s = time_s
        return Report(time_s, visit.start_s, visit.rise, needed, visit.strength)

    def to_json(self) -> dict[str, Any]:
        """Everything that `restore` needs; a few hundred bytes, bounded by the rule."""
        visit = self._visit
        return {
            "site": self._site.to_json(),
            "seen_s": self._seen_s,
            "last_s": self._last_s,
            "learnt_at_s": self._learnt_at_s,
            "recent": [[at_s, int(hit)] for at_s, hit in self._recent],
            "visit": None if visit is None else [getattr(visit, key) for key in _VISIT],
            "reported_s": list(self._reported_s),
            "cooling_from_s": self._cooling_from_s,
            "reports": self.reports,
            "suppressed": dict(self.suppressed),
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Go on from what `to_json` wrote.

        Raises:
            ValueError: it is something else; the machine is as it was.
        """
        try:
            site = SiteCalibration.from_json(data["site"])
            recent = [(float(at_s), bool(hit)) for at_s, hit in data["recent"]]
            visit = data["visit"] and _Visit(**dict(zip(_VISIT, data["visit"], strict=True)))
            reported_s = [float(at_s) for at_s in data["reported_s"]]
            suppressed = {reason: int(data["suppressed"][reason]) for reason in REASONS}
            numbers = [data[key] for key in ("seen_s", "last_s", "learnt_at_s", "cooling_from_s")]
            reports = int(data["reports"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not the state of a standing question: {error!r}") from error
        self._site, self._visit = site, visit
        self._seen_s, self._last_s, self._learnt_at_s, self._cooling_from_s = numbers
        self._recent = deque(recent, maxlen=self.rule.confirm_of)
        self._reported_s = deque(reported_s, maxlen=self.rule.max_per_day)
        self.reports, self.suppressed = reports, suppressed


_VISIT = ("start_s", "rise", "strength", "reported", "held_back_by", "misses")
