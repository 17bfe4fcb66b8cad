"""Standing questions beside a watch: they see every batch before it is remembered."""

from collections.abc import Mapping, Sequence
from typing import Any

from streammem.core.alerts import Alert, AlertOptions, AlertRule, RuleReport
from streammem.core.budget import format_bytes, plan_budget
from streammem.core.config import AnswerConfig
from streammem.core.errors import UsageError
from streammem.core.results import IngestRequest
from streammem.core.types import Floats, Pixels, Times
from streammem.encoders.base import Encoder
from streammem.runtime.alerting import Alerting, AlertSetup
from streammem.runtime.alerting_replay import load_confirmers
from streammem.runtime.alerting_sinks import OpenSinks
from streammem.runtime.watching_recorder import live_state_bytes
from streammem.video.identity import redact

# What the state of a rule takes at most where it is stored, as text: its sample of scores, and
# the time of every report of a day.
_RULE_BYTES = 750
_REPORT_BYTES = 12
# What the watch itself stores beside it.
_BESIDE_BYTES = 512


class LiveAlerts:
    """The observer of one watch; see `core.watches.StreamObserver`. Used by the watching thread.

    Alerts leave at once and at least once: what happened after the last commit before a crash is
    seen again and told again, with the same times.
    """

    def __init__(
        self,
        rules: Sequence[AlertRule],
        encoder: Encoder,
        request: IngestRequest,
        answer: AnswerConfig,
        options: AlertOptions,
    ) -> None:
        """Get everything ready before the first frame.

        Raises:
            UsageError, MissingError: a rule, a sink or an answerer cannot be used.
        """
        setup = AlertSetup.prepare(rules, encoder)
        self._on_note = options.on_note
        self._source = redact(options.source)
        self._sinks = OpenSinks(options.sinks, options.on_alert, options.on_note)
        self._alerting = Alerting(
            setup,
            self._tell,
            interval_s=1.0 / request.fps,
            confirmers=load_confirmers(setup, answer, request.device),
            thumbnails=options.thumbnails,
        )
        self._closed = False

    def observe(self, pts_s: Times, embeddings: Floats, pixels: Pixels | None = None) -> None:
        """Look at the frames of a batch."""
        self._alerting.observe(pts_s, embeddings, pixels)

    def to_bytes(self) -> bytes:
        """What `restore` needs."""
        return self._alerting.to_bytes()

    def restore(self, data: bytes) -> tuple[str, ...]:
        """Go on from a stored state; names of the rules that begin anew, which are told.

        Raises:
            UsageError: it is no such state.
        """
        anew = self._alerting.restore(data)
        if data and anew:
            self._on_note(f"alerts that begin to learn the camera anew: {', '.join(anew)}")
        return anew

    def reports(self) -> tuple[RuleReport, ...]:
        """What became of each rule so far."""
        return self._alerting.reports()

    def close(self) -> tuple[Mapping[str, Any], ...]:
        """Wait for open verdicts and deliveries; what became of them, a sink an entry."""
        if self._closed:
            return ()
        self._closed = True
        self._alerting.close()
        return self._sinks.close()

    def _tell(self, alert: Alert) -> None:
        self._sinks.offer(alert, self._source)


def check_room(rules: Sequence[AlertRule], budget_bytes: int) -> None:
    """Refuse more rules than a memory of this budget can keep the state of.

    Raises:
        UsageError: they would begin anew after every restart.
    """
    room = live_state_bytes(plan_budget(budget_bytes)) - _BESIDE_BYTES
    needed = sum(_RULE_BYTES + _REPORT_BYTES * rule.max_per_day for rule in rules)
    if needed > room:
        raise UsageError(
            f"the state of {len(rules)} alerts takes up to {format_bytes(needed)}; a memory of "
            f"{format_bytes(budget_bytes)} has {format_bytes(room)} for it",
            hint="fewer alerts, a smaller max_per_day, or a larger --budget",
            code="alerts_too_large",
        )
