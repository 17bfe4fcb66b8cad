"""`streammem list`: what the library holds."""

from streammem_cli import documents, options, render


def list_memories(
    library: options.LibraryFolder = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    no_color: options.NoColor = False,
) -> None:
    """List the memories of the library.

    \b
    Examples:
      streammem list
      streammem list --library recordings.library --json
    """
    opened, _ = options.open_library(library)
    results = opened.memories()
    if json:
        render.document(documents.results_document("list", results))
        return
    render.memories(results)
    if not results and not quiet:
        render.note(f"{opened.folder} holds no memory; streammem ingest makes one")
