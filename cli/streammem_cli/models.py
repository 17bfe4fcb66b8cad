"""`streammem models`: which encoders there are, and fetching their weights."""

from typing import Annotated

import typer

from streammem.core import SCHEMA_VERSION
from streammem_cli import documents, options, render
from streammem_cli.library_lines import model_lines
from streammem_cli.progress import download_bar

app = typer.Typer(
    help="List encoders and fetch their weights.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list")
@options.common
def list_models(json: options.Json = False) -> None:
    """List the encoders and say which are on this machine.

    \b
    Examples:
      streammem models list
    """
    from streammem.api import list_models as listed

    results = listed()
    if json:
        render.document(documents.results_document("models list", results))
    else:
        render.lines(model_lines(results))
        for item in results:
            if item.location:
                render.detail(f"{item.id} lies at {item.location}")


@app.command("pull")
@options.common
def pull(
    model_id: Annotated[str, typer.Argument(metavar="ID", help="As `models list` prints it.")],
    json: options.Json = False,
) -> None:
    """Fetch an encoder's weights into the cache, with a checked digest.

    \b
    Examples:
      streammem models pull open_clip:ViT-B-32/laion2b_s34b_b79k

    The only command that uses the network without a URL being named.
    """
    from streammem.api import pull_model

    with download_bar(model_id, wanted=not json) as on_progress:
        path = pull_model(model_id, on_progress)
    if json:
        pulled = {"id": model_id, "path": str(path)}
        render.document(
            {"schema_version": SCHEMA_VERSION, "command": "models pull", "results": [pulled]}
        )
    else:
        render.line(str(path))
