"""`streammem models`: which encoders there are, and fetching their weights."""

import sys
from typing import Annotated

import typer

from streammem_cli import documents, options, render

app = typer.Typer(
    help="List encoders and fetch their weights.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list")
def list_models(json: options.Json = False, no_color: options.NoColor = False) -> None:
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
        render.models(results)


@app.command("pull")
def pull(
    model_id: Annotated[str, typer.Argument(metavar="ID", help="As `models list` prints it.")],
    json: options.Json = False,
    quiet: options.Quiet = False,
    no_color: options.NoColor = False,
) -> None:
    """Fetch an encoder's weights into the cache, with a checked digest.

    \b
    Examples:
      streammem models pull open_clip:ViT-B-32/laion2b_s34b_b79k

    The only command that uses the network without a URL being named.
    """
    from streammem.api import pull_model

    shown = not quiet and not json and sys.stderr.isatty()

    def on_progress(done_bytes: int, total_bytes: int | None) -> None:
        if shown and total_bytes:
            render.note(f"{100 * done_bytes // total_bytes:3d} % of {total_bytes >> 20} MiB")

    path = pull_model(model_id, on_progress)
    if json:
        render.document(
            {"schema_version": 1, "command": "models pull",
             "results": [{"id": model_id, "path": str(path)}]}
        )  # fmt: skip
    else:
        render.line(str(path))
