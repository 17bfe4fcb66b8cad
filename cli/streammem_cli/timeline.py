"""`streammem timeline`: what a memory holds, event by event."""

from pathlib import Path
from typing import Annotated

import typer

from streammem_cli import documents, options, render
from streammem_cli.timeline_lines import timeline_lines


@options.common
def timeline(
    memory: Annotated[
        list[str] | None, typer.Argument(help="Names or files. [the whole library]")
    ] = None,
    between: Annotated[
        tuple[str, str] | None, typer.Option(metavar="TIME TIME", help="This stretch only.")
    ] = None,
    chapters: Annotated[bool, typer.Option("--chapters", help="Chapters only.")] = False,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page with pictures that needs no network."),
    ] = None,
    thumbnails: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write a picture of each event.")
    ] = None,
    min_confidence: options.MinConfidence = None,
    weights: options.Weights = None,
    device: options.Device = None,
    library: options.LibraryFolder = None,
    json: options.Json = False,
) -> None:
    """Tell what a memory holds, event by event, in chapters.

    \b
    Examples:
      streammem timeline lecture
      streammem timeline lecture --between 10:00 20:00 --json
      streammem timeline lecture --html lecture.html

    Chapters are those of the file where it has any, else events that look alike.
    """
    from streammem.api import TimelineOptions

    opened, loaded = options.open_library(
        library,
        store=options.InStore(tuple(memory or ())),
        **{"query.min_confidence": min_confidence},
    )
    results = opened.timelines(
        memory or (),
        TimelineOptions(
            between_s=options.read_between(between),
            min_confidence=loaded.config.query.min_confidence,
            html=html,
            thumbnails=thumbnails,
            weights=weights or "",
            device=device or "auto",
        ),
    )
    if json:
        render.document(documents.results_document("timeline", results))
    else:
        render.block("\n".join(timeline_lines(results, chapters=chapters)))
        for text in (text for result in results for text in result.notes):
            render.note(f"note: {text}")
    if html is not None:
        render.note(f"written: {html}")
