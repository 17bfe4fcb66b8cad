"""`streammem doctor` says whether everything is here that is needed."""

import typer

from streammem_cli import documents, options, render
from streammem_cli.library_lines import check_lines

FAILED = 5


@options.common
def doctor(
    library: options.LibraryFolder = None,
    json: options.Json = False,
) -> None:
    """Check the machine, the packages, the encoders and the library.

    \b
    Examples:
      streammem doctor
      streammem doctor --json

    Exit code 5 if a check failed.
    """
    from streammem.api import doctor as run_checks

    opened, _ = options.open_library(library)
    results = run_checks(opened)
    if json:
        render.document(documents.results_document("doctor", results))
    else:
        render.lines(check_lines(results))
    if any(item.status == "failed" for item in results):
        raise typer.Exit(FAILED)
