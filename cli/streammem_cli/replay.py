"""`streammem replay`: alerts over memories and files, to try thresholds before going live."""

from typing import TYPE_CHECKING, Annotated

import typer

from streammem.core.alerts import AlertOptions
from streammem.core.errors import Interrupted
from streammem_cli import alert_options, documents, options, render
from streammem_cli.alert_lines import alert_lines, replay_lines
from streammem_cli.ingest import PARTIAL
from streammem_cli.signals import StopRequest

if TYPE_CHECKING:
    from streammem.core.alerts import Alert


@options.common
def replay(
    targets: Annotated[
        list[str], typer.Argument(metavar="FILE|MEMORY...", help="Memories, files or URLs.")
    ],
    alert: alert_options.Alert = None,
    alert_image: alert_options.AlertImage = None,
    alert_file: alert_options.AlertFile = None,
    on_alert: alert_options.OnAlert = None,
    webhook: alert_options.Webhook = None,
    webhook_key_file: alert_options.WebhookKeyFile = None,
    alert_thumbnails: alert_options.AlertThumbnails = None,
    between: Annotated[
        tuple[str, str] | None, typer.Option(metavar="TIME TIME", help="This stretch only.")
    ] = None,
    fps: options.Fps = None,
    encoder: options.EncoderId = None,
    weights: options.Weights = None,
    device: options.Device = None,
    reader: options.Reader = None,
    library: options.LibraryFolder = None,
    json: options.Json = False,
    jsonl: options.JsonLines = False,
) -> None:
    """Play alerts over memories or files. Says what they would report, and why no more.

    \b
    Examples:
      streammem replay door.mp4 --alert "a person"
      streammem replay door --alert-file alerts.toml --json
      streammem replay door.mp4 --alert "a person" --on-alert "notify.sh door"

    A file is looked at frame by frame, as `watch` looks at a stream. A memory
    holds visits, not frames. Nothing is stored.
    """
    opened, loaded = options.open_library(
        library,
        **options.ingest_settings(
            fps=fps,
            encoder=encoder,
            weights=weights,
            device=device,
            reader=reader,
        ),
    )
    rules = alert_options.read_alerts(alert, alert_image, alert_file)
    stop = StopRequest(lambda: render.note("stopping; Ctrl-C again ends at once")).install()

    def tell(one: "Alert") -> None:
        if jsonl:
            render.event_line({"event": "alert", **one.to_json()})
        elif not json:
            render.block("\n".join(alert_lines(one)))

    try:
        asked = AlertOptions(
            sinks=alert_options.read_sinks(on_alert, webhook, webhook_key_file),
            thumbnails=alert_thumbnails,
            between_s=options.read_between(between),
            request=options.ingest_request(loaded),
            on_alert=tell,
            on_note=render.note,
            should_stop=stop.requested,
        )
        results = opened.alerts(rules, asked).replay(targets)
    except Interrupted as problem:
        problem.exit_code = stop.status or problem.exit_code
        raise
    if json:
        render.document(documents.results_document("replay", results))
    elif jsonl:
        for result in results:
            render.event_line({"event": "replayed", **result.to_json()})
    else:
        for failure in (result.error for result in results if result.error is not None):
            render.error(failure)
        render.block("\n".join(replay_lines(results)))
        for text in dict.fromkeys(note for result in results for note in result.notes):
            render.note(f"note: {text}")
    failures = [result.error for result in results if result.error is not None]
    if failures:
        raise typer.Exit(PARTIAL if len(failures) < len(results) else failures[0].exit_code)
