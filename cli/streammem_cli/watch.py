"""`streammem watch`: a live source is remembered for as long as it runs."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from streammem.core.errors import Interrupted, UsageError
from streammem_cli import alert_options, documents, options, render
from streammem_cli.ingest import PARTIAL
from streammem_cli.options import Output
from streammem_cli.signals import StopRequest
from streammem_cli.watch_alerts import WatchAlerts
from streammem_cli.watch_lines import WatchView

if TYPE_CHECKING:
    from collections.abc import Callable

    from streammem.core.results import IngestResult
    from streammem.core.watches import OnWatchEvent

    Run = Callable[[OnWatchEvent, Callable[[], bool]], IngestResult]


@options.common
def watch(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="An address, /dev/videoN, a file, or -.")
    ],
    name: Annotated[str | None, typer.Option(help="Name of the memory. [from the source]")] = None,
    duration: Annotated[
        str | None, typer.Option(metavar="TIME", help="Stop after this long.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Stop then: 18:30, ISO 8601 or Unix seconds.")
    ] = None,
    when_behind: Annotated[
        str,
        typer.Option(
            metavar="HOW", help="auto, drop-oldest, lower-rate or block: frames come too fast."
        ),
    ] = "auto",
    transport: Annotated[str, typer.Option(help="What RTSP travels over: tcp or udp.")] = "tcp",
    stall: Annotated[
        float, typer.Option(min=0.2, metavar="SECONDS", help="Reconnect without a frame for this.")
    ] = 10.0,
    give_up: Annotated[
        float, typer.Option(min=0.5, metavar="SECONDS", help="Wait this long for the first frame.")
    ] = 30.0,
    fps: options.Fps = None,
    budget: options.Budget = None,
    policy: options.Policy = None,
    encoder: options.EncoderId = None,
    weights: options.Weights = None,
    device: options.Device = None,
    alert: alert_options.Alert = None,
    alert_image: alert_options.AlertImage = None,
    alert_file: alert_options.AlertFile = None,
    on_alert: alert_options.OnAlert = None,
    webhook: alert_options.Webhook = None,
    webhook_key_file: alert_options.WebhookKeyFile = None,
    alert_thumbnails: alert_options.AlertThumbnails = None,
    library: options.LibraryFolder = None,
    json: options.Json = False,
    jsonl: options.JsonLines = False,
) -> None:
    """Remember a live source while it runs. Ask it at any time from elsewhere.

    \b
    Examples:
      streammem watch rtsp://camera/stream --name door
      streammem watch http://host/live.m3u8 --duration 1h
      streammem watch /dev/video0 --until 18:30
      streammem watch rtsp://camera/stream --alert "a person at the door"
      ffmpeg -i input -f mpegts - | streammem watch - --name desk

    What hangs is killed and opened again; what was not seen is kept as gaps. The same command
    again goes on with the same memory. What was seen can be asked for 2 seconds later.
    """
    options.check_named([source])
    opened, loaded = options.open_library(
        library,
        **options.ingest_settings(
            fps=fps,
            budget=budget,
            policy=policy,
            encoder=encoder,
            weights=weights,
            device=device,
        ),
    )
    from streammem.core.watches import WatchOptions

    request = options.ingest_request(loaded, name=name)
    watching = WatchOptions(
        duration_s=options.read_time(duration, "--duration"),
        until=read_until(until),
        when_behind=when_behind,
        transport=transport,
        stall_s=stall,
        open_s=max(stall, WatchOptions().open_s),
        give_up_s=give_up,
    )
    output = Output("watch", json, jsonl)
    rules = alert_options.read_alerts(alert, alert_image, alert_file)
    sinks = alert_options.read_sinks(on_alert, webhook, webhook_key_file)
    alerts = WatchAlerts(rules, output)
    observe = alerts.factory(opened, request, source, sinks, alert_thumbnails)
    watch_and_report(
        lambda on_event, should_stop: opened.watch(
            source, request, watching, observe=observe, on_event=on_event, should_stop=should_stop
        ),
        output,
        alerts,
    )


def watch_and_report(run: "Run", output: Output, alerts: WatchAlerts) -> None:
    """Run a watch with its status line and signals, print what became of it, and exit."""
    stop = StopRequest(
        lambda: render.note("stopping once the frames at hand are kept; Ctrl-C again ends at once")
    ).install()
    interrupted: Interrupted | None = None
    result: IngestResult | None = None
    with WatchView(output) as view:
        try:
            result = run(view.show, stop.requested)
        except Interrupted as problem:
            interrupted = problem
            result = getattr(problem, "result", None)
    alerts.sum_up()
    if output.json:
        document = documents.results_document(output.command, [result] if result else [])
        document["alerts"] = alerts.to_json()
        if interrupted is not None:
            document["error"] = interrupted.to_json()
        render.document(document)
    elif not output.jsonl:
        if result is not None:
            render.ingested(result)
        if interrupted is not None:
            render.error(interrupted)
    if interrupted is not None:
        raise typer.Exit(stop.status or interrupted.exit_code)
    if result is not None and not result.fully_readable:
        raise typer.Exit(PARTIAL)


def read_until(text: str | None, now: datetime | None = None) -> float | None:
    """Unix seconds of `--until`: a time of day is the next one of that kind, in local time.

    Raises:
        UsageError: it is neither a time of day nor a moment, or it has passed.
    """
    if text is None:
        return None
    now = now or datetime.now().astimezone()
    try:
        clock = datetime.strptime(text, "%H:%M:%S" if text.count(":") == 2 else "%H:%M")
    except ValueError:
        moment_s = options.read_moment(text, "--until")
        if moment_s is not None and moment_s <= now.timestamp():
            raise UsageError(f"--until {text} has passed") from None
        return moment_s
    day = now.replace(hour=clock.hour, minute=clock.minute, second=clock.second, microsecond=0)
    return (day if day > now else day + timedelta(days=1)).timestamp()
