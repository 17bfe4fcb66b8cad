"""`streammem batch`: every video below some folders, with several processes."""

import os
from pathlib import Path
from typing import Annotated

import typer

from streammem.core.budget import parse_bytes
from streammem_cli import options, render
from streammem_cli.batch_progress import BatchProgress
from streammem_cli.ingest import run_and_report
from streammem_cli.options import Output
from streammem_cli.plan_lines import plan_line

Jobs = Annotated[int, typer.Option(min=1, max=256, help="Processes side by side.")]


@options.common
def batch(
    folders: Annotated[
        list[str],
        typer.Argument(metavar="FOLDER|GLOB|@LIST...", help="Folders are searched to the end."),
    ],
    jobs: Jobs = 1,
    timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="Give one file no longer than this.")
    ] = None,
    memory_limit: Annotated[
        str | None, typer.Option(metavar="SIZE", help="End a worker that takes more memory.")
    ] = None,
    retry_quarantined: Annotated[
        bool, typer.Option("--retry-quarantined", help="Try files that killed workers again.")
    ] = False,
    questions: Annotated[
        str | None, typer.Option(metavar="FILE", help="Ask each video these, one a line.")
    ] = None,
    answers: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Where answers go. [answers.jsonl in the library]"),
    ] = None,
    watch_folder: Annotated[
        bool, typer.Option("--watch-folder", help="Go on as files appear, until stopped.")
    ] = False,
    engine: Annotated[str, typer.Option(metavar="local|ray", help="Who runs the jobs.")] = "local",
    ray_address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Ray cluster. [one of its own]")
    ] = None,
    gpus: Annotated[
        float, typer.Option(min=0, help="GPUs that Ray keeps for one job, also 0.25.")
    ] = 0.0,
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
      streammem batch a/ "b/*.mkv" @more.txt --jobs 2 --timeout 10:00
      streammem batch inbox/ --watch-folder --questions questions.txt

    A failing file never stops the rest; the same command again continues. A file that has killed
    its worker twice is left out from then on, until it changes or --retry-quarantined is given.
    """
    options.check_named(folders)
    _begin_workers(folders, jobs, engine, library or os.environ.get("STREAMMEM_LIBRARY"))
    from streammem.core.batches import BatchOptions, read_questions

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
            no_audio=no_audio,
            no_ocr=no_ocr,
        ),
    )
    request = options.ingest_request(
        loaded,
        start_s=options.read_time(start, "--start"),
        end_s=options.read_time(end, "--end"),
        recorded_at=options.read_moment(recorded_at),
        force=force,
    )
    chosen = BatchOptions(
        jobs=jobs,
        timeout_s=options.read_time(timeout, "--timeout"),
        memory_limit_bytes=parse_bytes(memory_limit) if memory_limit else None,
        retry_quarantined=retry_quarantined,
        questions=read_questions(Path(questions).expanduser()) if questions else (),
        answers=str(Path(answers).expanduser()) if answers else "",
        watch=watch_folder,
        engine=engine,
        ray_address=ray_address or "",
        gpus=gpus,
    )
    _begin_workers(folders, jobs, engine, str(opened.folder))
    output = Output("batch", json, jsonl)
    if not watch_folder:
        render.note(lambda: plan_line(opened.plan(folders, request, chosen, quick=True)))
    progress = BatchProgress(output)
    run_and_report(
        lambda _, should_stop: opened.batch(
            folders, request, chosen, on_event=progress.show, should_stop=should_stop
        ),
        output,
        progress,
    )


def _begin_workers(folders: list[str], jobs: int, engine: str, library: str | None) -> None:
    """Let workers of this machine load what they need while the batch is prepared."""
    from streammem.workers import begin_workers

    if engine == "local":
        begin_workers(folders, jobs, library)
