"""The options that several commands share, each declared once; and how their texts are read."""

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streammem.core.errors import UsageError
from streammem.core.timebase import parse_time
from streammem_cli import render

if TYPE_CHECKING:
    from streammem.api import Library
    from streammem.core.config import LoadedConfig
    from streammem.core.results import IngestRequest

LibraryFolder = Annotated[
    str | None,
    typer.Option("--library", metavar="DIR", help="Folder of memories (env STREAMMEM_LIBRARY)."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
JsonLines = Annotated[bool, typer.Option("--jsonl", help="One JSON event a line while it runs.")]

Fps = Annotated[float | None, typer.Option(help="Frames encoded per second of video. [2]")]
Budget = Annotated[
    str | None, typer.Option(metavar="SIZE", help="Bytes one memory may take. [32MiB]")
]
Policy = Annotated[str | None, typer.Option(help="How the memory consolidates. [streammem]")]
EncoderId = Annotated[str | None, typer.Option(help="auto, embedded or open_clip:ARCH/TAG. [auto]")]
Weights = Annotated[
    str | None, typer.Option(metavar="FILE", help="Checkpoint for an open_clip encoder.")
]
Device = Annotated[str | None, typer.Option(help="auto, cpu or cuda. [auto]")]
Reader = Annotated[str | None, typer.Option(help="auto, pyav, decord, images or synthetic. [auto]")]
Start = Annotated[
    str | None, typer.Option(metavar="TIME", help="Begin here: 90, 90s, 1:30 or 00:01:30.5.")
]
End = Annotated[str | None, typer.Option(metavar="TIME", help="Stop before this time.")]
RecordedAt = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="When the recording began: ISO 8601 or Unix seconds."),
]
Force = Annotated[bool, typer.Option("--force", help="Make an existing memory anew.")]
Subtitles = Annotated[
    str | None,
    typer.Option(metavar="PATH|auto|none", help="A .srt, .vtt or .ass file. [auto]"),
]
NoAudio = Annotated[bool, typer.Option("--no-audio", help="Do not listen to the sound.")]
NoOcr = Annotated[bool, typer.Option("--no-ocr", help="Do not read text in the pictures.")]

InMemory = Annotated[
    list[str] | None,
    typer.Option("--in", metavar="MEMORY", help="Ask this memory only; may be repeated."),
]
At = Annotated[str | None, typer.Option(metavar="TIME", help="Answer as if the stream ended here.")]
Between = Annotated[
    tuple[str, str] | None, typer.Option(metavar="TIME TIME", help="Ask about this stretch.")
]
MinConfidence = Annotated[
    float | None, typer.Option(min=0, max=1, help="Abstain below this confidence. [0.5]")
]
Answerer = Annotated[
    str | None,
    typer.Option(
        metavar="WHO", help="evidence, openai:URL#MODEL or transformers:FOLDER. [evidence]"
    ),
]
SecondLook = Annotated[
    bool | None,
    typer.Option("--second-look/--no-second-look", help="Decode the best spans again."),
]
TopK = Annotated[int | None, typer.Option(min=1, max=1000, help="Pieces of evidence. [5]")]
Thumbnails = Annotated[
    str | None, typer.Option(metavar="DIR", help="Write a picture of each piece of evidence.")
]


@dataclass(frozen=True, slots=True)
class InStore:
    """What a command does where the library lies in a store: read some memories or all, or add."""

    memories: tuple[str, ...] = ()
    writes: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """The form of a command's results, from its options."""

    command: str
    json: bool = False
    jsonl: bool = False


def _speak(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No notes, no progress.")] = False,
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", count=True, show_default=False, help="More notes.")
    ] = 0,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="Plain output (also NO_COLOR).")
    ] = False,
) -> None:
    render.speak(quiet=quiet, verbose=verbose > 0, color=not no_color)


def common(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options that every command has, behind its own."""
    own, shared = (inspect.signature(one).parameters for one in (command, _speak))

    @wraps(command)
    def speaking(**given: Any) -> None:
        _speak(**{name: given.pop(name) for name in shared})
        command(**given)

    signature = inspect.Signature([*own.values(), *shared.values()])
    speaking.__signature__ = signature  # type: ignore[attr-defined]
    return speaking


def read_time(text: str | None, option: str) -> float | None:
    """Seconds of an option's time, None for None.

    Raises:
        UsageError: it is not a time.
    """
    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", code="bad_time") from error


def read_between(
    texts: tuple[str, str] | None, at: str | None = None
) -> tuple[float, float] | None:
    """The stretch of `--between`, which does not go together with `--at`.

    Raises:
        UsageError: not two times in order, or `--at` beside them.
    """
    if texts is None:
        return None
    if at is not None:
        raise UsageError("--at and --between exclude each other", hint="keep one of them")
    start_s, end_s = (read_time(text, "--between") or 0.0 for text in texts)
    if end_s <= start_s:
        raise UsageError(f"--between {texts[0]} {texts[1]}: the end is not after the start")
    return start_s, end_s


def read_moment(text: str | None, option: str = "--recorded-at") -> float | None:
    """Unix seconds of an option's moment; a time without a zone is local.

    Raises:
        UsageError: neither ISO 8601 nor a number.
    """
    if text is None:
        return None
    try:
        moment_s = float(text) if text[:1].isdigit() and "-" not in text else None
        if moment_s is None:
            moment_s = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{option} {text!r} is not a moment",
            hint="write for example 2026-05-01T14:30:00",
        ) from error
    if not math.isfinite(moment_s):
        raise UsageError(f"{option} {text!r} is not a moment")
    return moment_s


def read_question(text: str | None, audio: str | None, library: "Library") -> str:
    """The question as typed, or as spoken in a recording, which is then shown.

    Raises:
        UsageError: neither or both are given.
    """
    if (text is None) == (audio is None):
        raise UsageError("ask takes a question or --audio FILE, exactly one of them")
    if text is not None:
        if not text.strip():
            raise UsageError(
                "the question is empty", hint='ask for example "what is seen at 1:30?"'
            )
        return text
    heard = library.understand(str(audio))
    render.note(f"heard: {heard}")
    return heard


def read_choices(text: str | None) -> tuple[str, ...]:
    """The options of `--choices`, none where it is not given.

    Raises:
        UsageError: fewer than two.
    """
    if text is None:
        return ()
    choices = tuple(part.strip() for part in text.split("|") if part.strip())
    if len(choices) < 2:
        raise UsageError(
            f"--choices {text!r} gives {len(choices) or 'no'} option{'' if choices else 's'}",
            hint='write at least two with | between them: "stripes|squares"',
        )
    return choices


def check_named(sources: Sequence[str]) -> None:
    """Refuse a source without a name, which the shell makes of a variable that is not set.

    Raises:
        UsageError: one is empty.
    """
    if not all(source.strip() for source in sources):
        raise UsageError("a source has no name", hint="name a file, a folder or an address")


def open_library(
    folder: str | None, *, store: InStore | None = None, **flags: Any
) -> "tuple[Library, LoadedConfig]":
    """The library and the configuration with the command line's settings on top.

    `store` says what the command does with a library in a store; None where it needs a folder.
    """
    from streammem.api import Library
    from streammem.core.config import load_config

    loaded = load_config(flags={"library.folder": folder, **flags})
    chosen = loaded.config.library.folder
    if "://" in chosen:
        return _open_in_store(chosen, loaded, store), loaded
    if chosen and Path(chosen).is_file():
        raise UsageError(
            f"the library {chosen} is a file, not a folder",
            hint="name the folder that holds the memories",
            code="not_a_folder",
        )
    library = Library(Path(chosen) if chosen else None, loaded, on_read=render.indexed)
    render.detail(f"library {library.folder}")
    return library, loaded


def _open_in_store(address: str, loaded: "LoadedConfig", store: InStore | None) -> "Library":
    if store is None:
        raise UsageError(
            f"the library must be a folder, and {address} is an address",
            hint="libraries in stores take memories from `ingest` and `batch`, and answer `ask`, "
            "`search`, `chat`, `list`, `show`, `timeline` and `verify`",
        )
    from streammem.stores import LibraryInStore

    library = LibraryInStore(address, loaded, on_read=render.indexed)
    render.detail(f"library {library.address}, copied to {library.folder}")
    if not store.writes:
        library.refresh(store.memories)
    return library


def ingest_settings(
    *, no_audio: bool = False, no_ocr: bool = False, **settings: Any
) -> dict[str, Any]:
    """What a command's options say of `ingest.*`; None leaves a setting as it is configured."""
    return {
        **{f"ingest.{name}": value for name, value in settings.items()},
        "ingest.audio": False if no_audio else None,
        "ingest.screen_text": False if no_ocr else None,
    }


def ingest_request(loaded: "LoadedConfig", **fields: Any) -> "IngestRequest":
    """The request of the configuration plus what only the command line can say."""
    from streammem.api import request_from_config

    return request_from_config(loaded.config, **fields)
