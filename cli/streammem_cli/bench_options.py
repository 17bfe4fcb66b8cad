"""The options that both benches have."""

import shlex
import sys
from typing import Annotated

import typer

Tuning = Annotated[bool, typer.Option("--tuning", help="Seeds 0 to 99, which are never reported.")]
Quick = Annotated[bool, typer.Option("--quick", help="Small, in under two minutes.")]
Jobs = Annotated[int, typer.Option(min=1, max=256, help="Processes side by side.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Measure anew what --out already holds.")]


def command_line() -> str:
    """What the user typed, for the result document."""
    return shlex.join(["streammem", *sys.argv[1:]])
