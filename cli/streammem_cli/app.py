"""The command line as a whole: registers the commands and maps every end to an exit code."""

import errno
import os
import re
import sys
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from streammem.core.errors import BudgetError, StreamMemError, UsageError
from streammem_cli import (
    ask,
    batch,
    bench,
    chat,
    compact,
    config,
    doctor,
    documents,
    forget,
    ingest,
    listing,
    models,
    plan,
    render,
    replay,
    search,
    show,
    status,
    timeline,
    verify,
    watch,
)

HELP = """\b
Give any video a memory under a fixed byte budget, and ask it.

\b
Examples:
  streammem ingest video.mp4
  streammem ask "when does the red ball appear?"
  streammem batch recordings/ --jobs 4
  streammem search "green meadow" --thumbnails pictures/

\b
Exit codes: 0 good, 1 unexpected, 2 usage, 3 partial, 4 abstained (only with
--fail-empty), 5 missing dependency or weights, 6 memory locked or damaged,
7 budget or disk exhausted, 8 source unreadable, 130 and 143 stopped.
"""

# The options of every command that take no value, also in one word as in `-qv`.
_SWITCH = re.compile("--json|--jsonl|--quiet|--verbose|--no-color|-[qv]+")
# What Python and the loader say where neither has an error of its own for it.
_WITHOUT_MEMORY = re.compile("can't start new thread|failed to map segment|annot allocate memory")

app = typer.Typer(
    name="streammem",
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("ingest")(ingest.ingest)
app.command("ask")(ask.ask)
app.command("search")(search.search)
app.command("chat")(chat.chat)
app.command("batch")(batch.batch)
app.command("watch")(watch.watch)
app.command("plan")(plan.plan)
app.command("replay")(replay.replay)
app.command("list")(listing.list_memories)
app.command("status")(status.status)
app.command("show")(show.show)
app.command("timeline")(timeline.timeline)
app.command("verify")(verify.verify)
app.command("forget")(forget.forget)
app.command("compact")(compact.compact)
app.command("doctor")(doctor.doctor)
app.add_typer(models.app, name="models")
app.add_typer(bench.app, name="bench")
app.add_typer(config.app, name="config")


@app.callback(invoke_without_command=True)
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version and stop."),
) -> None:
    if version:
        from streammem import __version__

        render.line(f"streammem {__version__}")
        raise typer.Exit


def run(arguments: Sequence[str]) -> int:
    """The exit code of one command line."""
    if not arguments:
        app(["--help"], standalone_mode=False, prog_name="streammem")
        return UsageError.exit_code
    as_json = "--json" in arguments
    words, arguments = _command_first(arguments)
    command = " ".join(words) or "streammem"
    if not words and not arguments:
        missing = UsageError("there is no command", hint="streammem --help")
        return _fail(command, missing, as_json=as_json)
    try:
        status = app([*words, *arguments], standalone_mode=False, prog_name="streammem")
    except StreamMemError as problem:
        return _fail(command, problem, as_json=as_json)
    except typer.Abort:
        return 130
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        raise
    except TyperException as problem:
        # Every kind of it has this method; the public base class does not declare it.
        message = problem.format_message() if hasattr(problem, "format_message") else str(problem)
        if message.startswith("Usage:"):
            render.usage(message)
            return UsageError.exit_code
        return _fail(command, _usage_error(message, command), as_json=as_json)
    except (OSError, MemoryError) as problem:
        if os.environ.get("STREAMMEM_DEBUG"):
            raise
        return _fail(command, _machine_error(problem), as_json=as_json)
    except Exception as problem:
        if os.environ.get("STREAMMEM_DEBUG"):
            raise
        return _fail(command, _unexpected(problem), as_json=as_json)
    return status if isinstance(status, int) else 0


def _command_first(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words that name a command, and the rest.

    Switches before the command belong to it: `streammem --json models list` means
    `streammem models list --json`.
    """
    groups = {one.name for one in app.registered_groups}
    words: list[str] = []
    switches: list[str] = []
    rest = list(arguments)
    while rest and (not words or words[-1] in groups):
        if _SWITCH.fullmatch(rest[0]):
            switches.append(rest.pop(0))
        elif rest[0].startswith("-"):
            break
        else:
            words.append(rest.pop(0))
    return words, [*switches, *rest] if words else rest


def _machine_error(problem: OSError | MemoryError) -> StreamMemError:
    """What the operating system refused, as an error with its exit code."""
    if isinstance(problem, MemoryError) or problem.errno == errno.ENOMEM:
        return _out_of_memory("")
    if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return BudgetError(
            f"the disk is full: {_said_by(problem)}", hint="free some space", code="disk_full"
        )
    return UsageError(
        _said_by(problem), hint="check the path and its permissions", code="file_system"
    )


def _said_by(problem: OSError) -> str:
    """The operating system's reason and the file that it is about, without its number."""
    reason = (problem.strerror or str(problem)).lower()
    return reason if problem.filename is None else f"{problem.filename}: {reason}"


def _unexpected(problem: Exception) -> StreamMemError:
    """What nobody foresaw, apart from memory that ran out in a place that says so in words only."""
    if _WITHOUT_MEMORY.search(str(problem)):
        return _out_of_memory(f": {problem}")
    return StreamMemError(
        f"unexpected {type(problem).__name__}: {problem}",
        hint="this is a bug or a damaged installation; STREAMMEM_DEBUG=1 shows the traceback",
    )


def _out_of_memory(where: str) -> BudgetError:
    return BudgetError(
        f"the machine's memory is full{where}",
        hint="close other programs, or use a smaller picture or encoder",
        code="out_of_memory",
    )


def _usage_error(message: str, command: str) -> UsageError:
    known = {one.name for one in app.registered_commands}
    known |= {one.name for one in app.registered_groups}
    first = command.partition(" ")[0]
    place = f"{first} " if first in known else ""
    return UsageError(message, hint=f"streammem {place}--help")


def _fail(command: str, problem: StreamMemError, *, as_json: bool) -> int:
    if as_json:
        render.document(documents.error_document(command, problem))
    else:
        render.error(problem)
    return problem.exit_code


def main() -> None:
    """Entry point of the console script."""
    # A closed standard output leaves no stream at all behind.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115
    status = 0
    try:
        status = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has what they wanted.
        render.close_quietly()
    except OSError as problem:
        render.close_quietly()
        status = _fail("streammem", _machine_error(problem), as_json=False)
    sys.exit(status)
