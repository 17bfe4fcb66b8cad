"""Alerts on their way out: the sinks that were chosen, opened, fed and closed together."""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from streammem.core.alerts import Alert, OnAlert, SinkChoice
from streammem.runtime.sinks import CommandSink, Sink, alert_body
from streammem.runtime.webhook import KEY_VARIABLE, WebhookSink, read_webhook_key

UNSIGNED_NOTE = (
    f"the webhook is not signed: there is no key in {KEY_VARIABLE} or --webhook-key-file"
)


class OpenSinks:
    """The sinks of one run. `offer` returns at once; `close` waits for what is under way.

    with OpenSinks(choice, on_alert, on_note) as sinks:
        sinks.offer(alert, source)
    """

    def __init__(
        self, choice: SinkChoice, on_alert: OnAlert, on_note: Callable[[str], None]
    ) -> None:
        """Open them; `on_alert` gets every alert first, in the thread that offers it.

        Raises:
            UsageError: a command, an address or the key cannot be used.
        """
        self._on_alert = on_alert
        self._sinks: list[Sink] = [CommandSink(words, on_note) for words in choice.commands]
        if choice.webhooks:
            key = read_webhook_key(choice.key_file)
            if not key:
                on_note(UNSIGNED_NOTE)
            self._sinks += [WebhookSink(url, key, on_note) for url in choice.webhooks]

    def offer(self, alert: Alert, source: str) -> None:
        """Hand an alert to everybody."""
        self._on_alert(alert)
        if self._sinks:
            body = alert_body(alert, source)
            for sink in self._sinks:
                sink.offer(body)

    def close(self) -> tuple[Mapping[str, Any], ...]:
        """Wait for what is under way; what became of the alerts, a sink an entry."""
        return tuple(sink.close().to_json() for sink in self._sinks)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
