"""`streammem plan`: what a batch would take, before it takes it."""

from typing import Annotated

import typer

from streammem_cli import documents, options, render
from streammem_cli.batch import Jobs
from streammem_cli.plan_lines import plan_table


@options.common
def plan(
    folders: Annotated[
        list[str],
        typer.Argument(metavar="FOLDER|GLOB|@LIST...", help="Folders are searched to the end."),
    ],
    jobs: Jobs = 1,
    fps: options.Fps = None,
    budget: options.Budget = None,
    policy: options.Policy = None,
    encoder: options.EncoderId = None,
    weights: options.Weights = None,
    device: options.Device = None,
    reader: options.Reader = None,
    start: options.Start = None,
    end: options.End = None,
    no_audio: options.NoAudio = False,
    no_ocr: options.NoOcr = False,
    library: options.LibraryFolder = None,
    json: options.Json = False,
) -> None:
    """Say how long a batch over the folders would take, and how many bytes.

    \b
    Examples:
      streammem plan recordings/ --jobs 4
      streammem plan recordings/ --budget 4MiB --json

    A few seconds of a few files are read into a library that is thrown away. Nothing is kept.
    """
    from streammem.core.batches import BatchOptions

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
    )
    result = opened.plan(folders, request, BatchOptions(jobs=jobs))
    if json:
        render.document(documents.results_document("plan", [result]))
    else:
        for line in plan_table(result):
            render.line(line)
