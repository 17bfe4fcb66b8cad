"""README is executed: every command in it runs, and prints what README says it prints."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
# What differs from run to run or from machine to machine: seconds taken and compressed sizes.
VARYING = re.compile(r"\d+\.\d s$|\d+(\.\d)? (KiB|MiB)( of|$)", re.MULTILINE)


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def transcript(block: str) -> list[tuple[str, str]]:
    """(command, expected output) of a console block."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def run(arguments: list[str], library: Path) -> str:
    """Standard output of a command in the repository's folder."""
    places = [str(REPOSITORY), str(REPOSITORY / "cli"), os.environ.get("PYTHONPATH", "")]
    variables = {
        "PYTHONPATH": os.pathsep.join(filter(None, places)),
        "STREAMMEM_LIBRARY": str(library),
        # What a user gets, whatever the other tests use.
        "STREAMMEM_INGEST_ENCODER": "auto",
    }
    done = subprocess.run(
        arguments, cwd=REPOSITORY, env={**os.environ, **variables},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_console_blocks_print_what_they_say(tmp_path: Path) -> None:
    """Commands run in order in one library; output is compared but for sizes and seconds."""
    steps = [step for block in blocks("console") for step in transcript(block)]
    assert len(steps) >= 5

    for command, expected in steps:
        words = shlex.split(command)
        assert words[0] == "streammem"
        printed = run([sys.executable, "-m", "streammem_cli", *words[1:]], tmp_path / "library")
        assert VARYING.sub("#", printed) == VARYING.sub("#", expected), command


def test_python_blocks_run(tmp_path: Path) -> None:
    """The Python examples work as printed."""
    examples = blocks("python")
    assert len(examples) >= 2

    for example in examples:
        run([sys.executable, "-c", example], tmp_path / "library")


def test_readme_names_every_command() -> None:
    """The table of commands is complete."""
    from streammem_cli.app import app

    names = {one.name for one in (*app.registered_commands,)} | {"models", "config"}

    assert all(re.search(rf"`{name}\b|, `{name}\b", README) for name in names)
