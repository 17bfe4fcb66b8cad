"""Standing questions beside `watch`: made from its options, told as they come, summed up."""

import time
from typing import TYPE_CHECKING, Any

from streammem.core.alerts import AlertOptions
from streammem_cli import render
from streammem_cli.alert_lines import alert_lines, rule_lines
from streammem_cli.options import Output

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from streammem.api import Library
    from streammem.core.alerts import Alert, AlertRule, SinkChoice
    from streammem.core.results import IngestRequest
    from streammem.core.watches import ObserverFactory, StreamObserver


class WatchAlerts:
    """The alerts of one watch; without rules it observes nothing."""

    def __init__(self, rules: "Sequence[AlertRule]", output: Output) -> None:
        self._rules = rules
        self._output = output
        self._observer: Any = None

    def factory(
        self,
        library: "Library",
        request: "IngestRequest",
        source: str,
        sinks: "SinkChoice",
        thumbnails: "Path | None",
    ) -> "ObserverFactory | None":
        """What makes the observer, None where there is nothing to look for.

        Raises:
            UsageError: a rule, a sink or an answerer cannot be used.
        """
        if not self._rules:
            return None
        alerts = library.alerts(
            self._rules,
            AlertOptions(
                sinks=sinks,
                thumbnails=thumbnails,
                request=request,
                on_alert=self._tell,
                on_note=render.note,
                source=source,
            ),
        )

        def observe(encoder: Any) -> "StreamObserver":
            self._observer = alerts.observer(encoder)
            observer: StreamObserver = self._observer
            return observer

        return observe

    def sum_up(self) -> None:
        """At the end: what became of each rule."""
        if self._observer is None:
            return
        reports, sinks = self._observer.reports(), self._observer.close()
        if self._output.jsonl:
            for report in reports:
                render.event_line({"event": "alert_rule", **report.to_json()})
            for sink in sinks:
                render.event_line({"event": "sink", **sink})
            return
        if not self._output.json:
            render.block("\n".join(line for report in reports for line in rule_lines(report)))

    def to_json(self) -> list[dict[str, Any]]:
        """The same for the document of `--json`."""
        return [] if self._observer is None else [r.to_json() for r in self._observer.reports()]

    def _tell(self, alert: "Alert") -> None:
        if self._output.jsonl:
            render.event_line({"event": "alert", "sent_at": time.time(), **alert.to_json()})
        elif not self._output.json:
            render.block("\n".join(alert_lines(alert)))
