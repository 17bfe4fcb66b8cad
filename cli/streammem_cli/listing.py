"""`streammem list`: what the library holds."""

from streammem_cli import documents, options, render
from streammem_cli.library_lines import memory_lines


@options.common
def list_memories(
    library: options.LibraryFolder = None,
    json: options.Json = False,
) -> None:
    """List the memories of the library.

    \b
    Examples:
      streammem list
      streammem list --library recordings.library --json
    """
    opened, _ = options.open_library(library, store=options.InStore())
    results = opened.memories()
    if json:
        render.document(documents.results_document("list", results))
        return
    render.lines(memory_lines(results))
    if not results:
        render.note(f"no memory yet in {opened.folder}; `streammem ingest` makes one")
