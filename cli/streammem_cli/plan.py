"""`streammem plan`: what a batch would take, before it takes it."""

import os
from pathlib import Path
from typing import Annotated

import typer

from streammem.core.errors import SourceError
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
    """Say how long a batch would take, and how many bytes.

    \b
    Examples:
      streammem plan recordings/ --jobs 4
      streammem plan recordings/ --budget 4MiB --json

    A few seconds of a few files are read into a library that is thrown away. Nothing is kept.
    """
    from streammem.core.batches import BatchOptions

    options.check_named(folders)
    opened, loaded = options.open_library(
        library,
        **options.ingest_settings(
            fps=fps,
            budget=budget,
            policy=policy,
            encoder=encoder,
            weights=weights,
            device=device,
            reader=reader,
            no_audio=no_audio,
            no_ocr=no_ocr,
        ),
    )
    request = options.ingest_request(
        loaded,
        start_s=options.read_time(start, "--start"),
        end_s=options.read_time(end, "--end"),
    )
    result = opened.plan(folders, request, BatchOptions(jobs=jobs))
    if result.unreadable == result.files and not any(map(_may_be_there, folders)):
        raise SourceError(
            f"there is nothing at {', '.join(folders)}",
            hint="check the paths and their spelling",
            code="not_found",
        )
    if json:
        render.document(documents.results_document("plan", [result]))
    else:
        for line in plan_table(result):
            render.line(line)


def _may_be_there(source: str) -> bool:
    """False only for a plain path at which there is nothing."""
    if "://" in source or source.startswith("@") or set(source) & set("*?["):
        return True
    return os.path.lexists(Path(source).expanduser())
