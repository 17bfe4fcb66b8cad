"""`streammem config`: what the settings are and where they come from."""

from typing import Annotated

import typer

from streammem_cli import options, render
from streammem_cli.library_lines import setting_lines

app = typer.Typer(
    help="Show the settings and where they come from.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("show")
@options.common
def show(
    origin: Annotated[bool, typer.Option("--origin", help="Say where each came from.")] = False,
    json: options.Json = False,
) -> None:
    """Show every setting with its value.

    \b
    Examples:
      streammem config show --origin

    Order: built-in, user file, streammem.toml in the working folder, STREAMMEM_* in the
    environment, flags.
    """
    from streammem.core.config import load_config

    rows = load_config().rows()
    if json:
        results = [{"key": key, "value": value, "origin": place} for key, value, place in rows]
        render.document({"schema_version": 1, "command": "config show", "results": results})
    else:
        render.lines(setting_lines(rows, origins=origin))


@app.command("path")
@options.common
def path(json: options.Json = False) -> None:
    """Print where your configuration file is, or would be.

    \b
    Examples:
      streammem config path
    """
    from streammem.core.config import user_config_path

    if json:
        results = [{"path": str(user_config_path())}]
        render.document({"schema_version": 1, "command": "config path", "results": results})
    else:
        render.line(str(user_config_path()))
