"""`streammem search`: the moments nearest to a text or a picture."""

from typing import Annotated

import typer

from streammem.core.errors import UsageError
from streammem_cli import options
from streammem_cli.ask import report


@options.common
def search(
    text: Annotated[str | None, typer.Argument(help="What to look for.")] = None,
    image: Annotated[
        str | None, typer.Option(metavar="FILE", help="Look for what this picture shows.")
    ] = None,
    in_memory: options.InMemory = None,
    at: options.At = None,
    between: options.Between = None,
    top_k: options.TopK = None,
    thumbnails: options.Thumbnails = None,
    weights: options.Weights = None,
    device: options.Device = None,
    library: options.LibraryFolder = None,
    json: options.Json = False,
) -> None:
    """List the nearest moments, best first.

    \b
    Examples:
      streammem search "green meadow"
      streammem search --image still.png --top-k 10 --thumbnails pictures/

    Search never abstains: look at the scores.
    """
    from streammem.api import AskOptions

    if text is not None and not text.strip():
        raise UsageError("the text is empty", hint="name what is to be found")
    opened, loaded = options.open_library(
        library, store=options.InStore(tuple(in_memory or ())), **{"query.top_k": top_k}
    )
    result = opened.search(
        text,
        image,
        AskOptions(
            memories=tuple(in_memory or ()),
            at_s=options.read_time(at, "--at"),
            between_s=options.read_between(between, at),
            top_k=loaded.config.query.top_k,
            thumbnails=thumbnails,
            weights=weights or "",
            device=device or "auto",
        ),
    )
    report(result, "search", as_json=json, explain=False)
