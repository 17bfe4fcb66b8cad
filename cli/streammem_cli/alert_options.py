"""The options of standing questions, which `replay` and `watch` share, and how they are read."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from streammem.core.alert_file import check_rules, read_rules, rule_of_image, rule_of_text
from streammem.core.alerts import AlertRule, SinkChoice
from streammem.core.errors import UsageError

Alert = Annotated[
    list[str] | None,
    typer.Option("--alert", metavar="TEXT", help="Report when this is seen; may be repeated."),
]
AlertImage = Annotated[
    list[str] | None,
    typer.Option("--alert-image", metavar="FILE", help="Report when what it shows is seen."),
]
AlertFile = Annotated[
    list[Path] | None,
    typer.Option("--alert-file", metavar="FILE", help="Alerts with settings, see docs/alerts.md."),
]
OnAlert = Annotated[
    list[str] | None,
    typer.Option("--on-alert", metavar="COMMAND", help="Run this for each alert, JSON on stdin."),
]
Webhook = Annotated[
    list[str] | None, typer.Option(metavar="URL", help="Post each alert there, signed.")
]
WebhookKeyFile = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="The signing key (env STREAMMEM_WEBHOOK_KEY)."),
]
AlertThumbnails = Annotated[
    Path | None,
    typer.Option("--alert-thumbnails", metavar="DIR", help="Write a picture of each alert."),
]


def read_alerts(
    texts: Sequence[str] | None, images: Sequence[str] | None, files: Sequence[Path] | None
) -> tuple[AlertRule, ...]:
    """The rules of all three options; none where none is given.

    Raises:
        ConfigError: one of them cannot be used.
    """
    rules = [rule_of_text(text) for text in texts or ()]
    rules += [rule_of_image(path) for path in images or ()]
    for path in files or ():
        rules += read_rules(path)
    return check_rules(rules)


def read_sinks(
    commands: Sequence[str] | None, webhooks: Sequence[str] | None, key_file: str | None
) -> SinkChoice:
    """Where alerts go besides the output.

    Raises:
        UsageError: a command cannot be taken apart into words.
    """
    vectors = []
    for command in commands or ():
        try:
            vectors.append(tuple(shlex.split(command)))
        except ValueError as error:
            raise UsageError(
                f"--on-alert {command!r}: {error}",
                hint="a program and its arguments, quoted as in a shell; no shell runs it",
            ) from error
    return SinkChoice(tuple(vectors), tuple(webhooks or ()), key_file)
