"""`streammem forget`: remove memories, after a look at what that means."""

from typing import Annotated

import typer

from streammem_cli import documents, options, render


@options.common
def forget(
    memories: Annotated[list[str], typer.Argument(metavar="MEMORY...", help="Which ones.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it only a preview.")] = False,
    library: options.LibraryFolder = None,
    json: options.Json = False,
) -> None:
    """Remove memories from the library.

    \b
    Examples:
      streammem forget lecture
      streammem forget lecture --yes

    The videos themselves are never touched.
    """
    opened, _ = options.open_library(library)
    results = opened.forget(memories, remove=yes)
    if json:
        render.document(documents.results_document("forget", results))
    else:
        render.forgotten(results)
