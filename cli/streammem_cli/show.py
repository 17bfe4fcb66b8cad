"""`streammem show`: one memory in full."""

from typing import Annotated

import typer

from streammem_cli import documents, options, render
from streammem_cli.library_lines import detail_lines


@options.common
def show(
    memory: Annotated[str, typer.Argument(help="Its name, or the path of its file.")],
    cells: Annotated[bool, typer.Option("--cells", help="List every cell.")] = False,
    library: options.LibraryFolder = None,
    json: options.Json = False,
) -> None:
    """Show what a memory holds: gaps, bytes, settings, cells.

    \b
    Examples:
      streammem show lecture
      streammem show lecture --cells
    """
    opened, _ = options.open_library(library, store=options.InStore((memory,)))
    result = opened.show(memory)
    if json:
        render.document(documents.results_document("show", [result]))
    else:
        render.lines(detail_lines(result, cells=cells))
