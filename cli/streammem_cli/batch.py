"""`streammem batch`: every video below some folders, with several processes."""

from typing import Annotated

import typer

from streammem_cli import options
from streammem_cli.ingest import run_and_report
from streammem_cli.options import Output


@options.common
def batch(
    folders: Annotated[list[str], typer.Argument(metavar="FOLDER...", help="Searched to the end.")],
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Processes side by side.")] = 1,
    fps: options.Fps = None,
    budget: options.Budget = None,
    policy: options.Policy = None,
    encoder: options.EncoderId = None,
    weights: options.Weights = None,
    device: options.Device = None,
    reader: options.Reader = None,
    start: options.Start = None,
    end: options.End = None,
    recorded_at: options.RecordedAt = None,
    force: options.Force = False,
    no_audio: options.NoAudio = False,
    no_ocr: options.NoOcr = False,
    library: options.LibraryFolder = None,
    json: options.Json = False,
    jsonl: options.JsonLines = False,
) -> None:
    """Remember every video below the folders.

    \b
    Examples:
      streammem batch recordings/ --jobs 4
      streammem batch a/ b/ --jobs 2 --budget 4MiB --json

    A failing file never stops the rest; the same command again continues.
    """
    opened, loaded = options.open_library(
        library,
        **{
            "ingest.fps": fps,
            "ingest.budget": budget,
            "ingest.policy": policy,
            "ingest.encoder": encoder,
            "ingest.weights": weights,
            "ingest.device": device,
            "ingest.reader": reader,
            "ingest.audio": False if no_audio else None,
            "ingest.screen_text": False if no_ocr else None,
        },
    )
    request = options.ingest_request(
        loaded,
        start_s=options.read_time(start, "--start"),
        end_s=options.read_time(end, "--end"),
        recorded_at=options.read_moment(recorded_at),
        force=force,
    )
    run_and_report(
        lambda on_event, should_stop: opened.batch(
            folders, request, jobs=jobs, on_event=on_event, should_stop=should_stop
        ),
        Output("batch", json, jsonl),
    )
