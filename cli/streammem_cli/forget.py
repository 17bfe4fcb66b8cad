"""`streammem forget`: remove memories, or a stretch of one, after a look at what that means."""

from typing import Annotated

import typer

from streammem.core.errors import MemoryFileError, UsageError
from streammem_cli import documents, options, render
from streammem_cli.keeping_lines import range_lines
from streammem_cli.library_lines import forgotten_lines


@options.common
def forget(
    memories: Annotated[list[str], typer.Argument(metavar="MEMORY...", help="Which ones.")],
    between: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="TIME TIME", help="Only this stretch, and prove that it is gone."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it only a preview.")] = False,
    library: options.LibraryFolder = None,
    json: options.Json = False,
) -> None:
    """Remove memories from the library, or a stretch of one memory.

    \b
    Examples:
      streammem forget lecture
      streammem forget lecture --yes
      streammem forget lecture --between 12:00 13:30 --yes

    The videos themselves are never touched.
    """
    opened, _ = options.open_library(library)
    stretch = options.read_between(between)
    if stretch is None:
        results = opened.forget(memories, remove=yes)
        if json:
            render.document(documents.results_document("forget", results))
        else:
            render.lines(forgotten_lines(results))
            if results and not yes:
                render.note("nothing was removed; add --yes to do it")
        return
    if len(memories) != 1:
        raise UsageError("--between is about one memory", hint="name one memory")
    from streammem.upkeep import forget_range

    result = forget_range(opened, memories[0], stretch, remove=yes)
    if json:
        render.document(documents.results_document("forget", [result]))
    else:
        render.lines(range_lines(result))
        if not yes:
            render.note("nothing was removed; add --yes to do it")
    if result.proof is not None and not result.proof.holds:
        raise typer.Exit(MemoryFileError.exit_code)
