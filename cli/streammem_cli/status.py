"""`streammem status`: who writes which memory at this moment, and how far it is."""

from streammem_cli import documents, options, render
from streammem_cli.status_lines import status_lines


@options.common
def status(
    library: options.LibraryFolder = None,
    json: options.Json = False,
) -> None:
    """Show what is being written now, and what was left unfinished.

    \b
    Examples:
      streammem status
      streammem status --library recordings.library --json

    For a live source: how far it is behind, when it was last on disk, gaps and bytes.
    """
    from streammem.upkeep import activities

    opened, _ = options.open_library(library)
    found = activities(opened)
    if json:
        render.document(documents.results_document("status", found))
        return
    for text in status_lines(found):
        render.line(text)
    if not any(item.writer for item in found):
        render.note(f"nothing is being written in {opened.folder}")
