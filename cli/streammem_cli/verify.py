"""`streammem verify` says whether what lies on disk is whole."""

from typing import Annotated

import typer

from streammem_cli import documents, options, render
from streammem_cli.library_lines import verification_lines


@options.common
def verify(
    memories: Annotated[
        list[str] | None, typer.Argument(metavar="[MEMORY]...", help="All, if none is named.")
    ] = None,
    library: options.LibraryFolder = None,
    json: options.Json = False,
) -> None:
    """Check files, counts, digests and cells.

    \b
    Examples:
      streammem verify
      streammem verify lecture --json

    Exit code 6 if anything is damaged.
    """
    opened, _ = options.open_library(library, store=options.InStore(tuple(memories or ())))
    results = opened.verify(memories or ())
    if json:
        render.document(documents.results_document("verify", results))
    else:
        render.lines(verification_lines(results))
        if not results:
            render.note(f"no memory yet in {opened.folder}; `streammem ingest` makes one")
    errors = [item.error for item in results if item.error is not None]
    if errors:
        raise typer.Exit(errors[0].exit_code)
