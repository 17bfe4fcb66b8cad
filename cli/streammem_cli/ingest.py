"""`streammem ingest`: sources become memories."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from streammem.core.errors import Interrupted
from streammem_cli import documents, options, render
from streammem_cli.options import Output
from streammem_cli.progress import Progress
from streammem_cli.signals import StopRequest

if TYPE_CHECKING:
    from streammem.core.results import IngestResult, OnEvent

Run = Callable[["OnEvent", Callable[[], bool]], "list[IngestResult]"]

PARTIAL = 3


@options.common
def ingest(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE...", help="Files, folders, globs or URLs.")
    ],
    fps: options.Fps = None,
    budget: options.Budget = None,
    policy: options.Policy = None,
    encoder: options.EncoderId = None,
    weights: options.Weights = None,
    device: options.Device = None,
    reader: options.Reader = None,
    start: options.Start = None,
    end: options.End = None,
    name: Annotated[str | None, typer.Option(help="Name of the memory. [file name]")] = None,
    recorded_at: options.RecordedAt = None,
    force: options.Force = False,
    subtitles: options.Subtitles = None,
    no_audio: options.NoAudio = False,
    no_ocr: options.NoOcr = False,
    library: options.LibraryFolder = None,
    json: options.Json = False,
    jsonl: options.JsonLines = False,
) -> None:
    """Remember one or several sources.

    \b
    Examples:
      streammem ingest video.mp4
      streammem ingest lectures/ "more/*.mkv" --fps 1 --budget 8MiB
      streammem ingest a.mp4 --encoder open_clip:ViT-B-32 --weights vit.pt

    The same command again goes on where an earlier run stopped, or says `unchanged`. One bad
    source never stops the rest.
    """
    options.check_named(sources)
    opened, loaded = options.open_library(
        library,
        store=options.InStore(writes=True),
        **options.ingest_settings(
            fps=fps,
            budget=budget,
            policy=policy,
            encoder=encoder,
            weights=weights,
            device=device,
            reader=reader,
            subtitles=subtitles,
            no_audio=no_audio,
            no_ocr=no_ocr,
        ),
    )
    request = options.ingest_request(
        loaded,
        start_s=options.read_time(start, "--start"),
        end_s=options.read_time(end, "--end"),
        name=name,
        recorded_at=options.read_moment(recorded_at),
        force=force,
    )
    output = Output("ingest", json, jsonl)
    run_and_report(
        lambda on_event, should_stop: opened.ingest(
            sources, request, on_event=on_event, should_stop=should_stop
        ),
        output,
    )


def run_and_report(run: Run, output: Output, bars: Progress | None = None) -> None:
    """Run an ingest of any kind with progress and signals, print its results, and exit."""
    stop = StopRequest(
        lambda: render.note("stopping once the frames at hand are kept; Ctrl-C again ends at once")
    ).install()
    interrupted: Interrupted | None = None
    with bars or Progress(output) as progress:
        try:
            results = run(progress.show, stop.requested)
        except Interrupted as problem:
            interrupted = problem
            results = list(getattr(problem, "results", []))
    if output.json:
        document = documents.results_document(output.command, results)
        if interrupted is not None:
            document["error"] = interrupted.to_json()
        render.document(document)
    if interrupted is not None:
        if not output.json:
            render.error(interrupted)
        raise typer.Exit(stop.status or interrupted.exit_code)
    raise typer.Exit(exit_code(results))


def exit_code(results: "Sequence[IngestResult]") -> int:
    """0 all good, 3 some failed or partly readable, the first failure's code if all failed."""
    errors = [result.error for result in results if result.error is not None]
    if errors and len(errors) == len(results):
        return errors[0].exit_code
    if errors or any(not result.fully_readable for result in results):
        return PARTIAL
    return 0
