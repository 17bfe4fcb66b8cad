"""`streammem ask`: a question, an answer with measured times."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from streammem.core.errors import UsageError
from streammem_cli import documents, options, render
from streammem_cli.explaining import explanation

if TYPE_CHECKING:
    from streammem.api import Library
    from streammem.core.config import LoadedConfig
    from streammem.core.shards import ShardOptions
    from streammem.core.types import Answer
    from streammem.shards import ShardedLibrary

ABSTAINED = 4


@options.common
def ask(
    question: Annotated[str | None, typer.Argument(help="In plain words.")] = None,
    in_memory: options.InMemory = None,
    at: options.At = None,
    between: options.Between = None,
    choices: Annotated[
        str | None, typer.Option(metavar="A|B|C", help="Options to choose from.")
    ] = None,
    top_k: options.TopK = None,
    min_confidence: options.MinConfidence = None,
    audio: Annotated[
        str | None, typer.Option(metavar="FILE", help="A recording of the question instead.")
    ] = None,
    answerer: options.Answerer = None,
    second_look: options.SecondLook = None,
    thumbnails: options.Thumbnails = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say how it was found.")] = False,
    fail_empty: Annotated[
        bool, typer.Option("--fail-empty", help="Exit with 4 when abstaining.")
    ] = False,
    engine: Annotated[
        str | None,
        typer.Option(metavar="local|ray", help="Let several processes hold the library."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, max=256, help="How many, with --engine. [2]")
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Ray cluster. [one of its own]")
    ] = None,
    weights: options.Weights = None,
    device: options.Device = None,
    library: options.LibraryFolder = None,
    json: options.Json = False,
) -> None:
    """Answer from the memories, with the times it rests on.

    \b
    Examples:
      streammem ask "when does the red ball appear?"
      streammem ask "how often is it blue?" --in lecture --between 0:00 10:00
      streammem ask "what is on the wall?" --choices "stripes|squares" --json
      streammem ask --audio question.wav
      streammem ask "what is he doing?" --answerer openai:http://localhost:8000/v1
      streammem ask "is there a red ball?" --engine ray --jobs 8
    """
    from streammem.api import AskOptions

    opened, loaded = options.open_library(
        library,
        store=options.InStore(tuple(in_memory or ())),
        **{
            "query.top_k": top_k,
            "query.min_confidence": min_confidence,
            "query.answerer": answerer,
            "query.second_look": second_look,
        },
    )
    query, shards = loaded.config.query, _shards(engine, jobs, ray_address)
    text = options.read_question(question, audio, opened)
    with _asked(opened, loaded, shards) as asked:
        how = AskOptions(
            memories=tuple(in_memory or ()),
            at_s=options.read_time(at, "--at"),
            between_s=options.read_between(between, at),
            choices=options.read_choices(choices),
            top_k=query.top_k,
            min_confidence=query.min_confidence,
            answerer=query.answerer,
            second_look=query.second_look,
            thumbnails=thumbnails,
            explain=explain,
            weights=weights or "",
            device=device or "auto",
        )
        result = asked.ask(text, how, on_progress=render.writing)
    report(result, "ask", as_json=json, explain=explain)
    if fail_empty and result.abstained:
        raise typer.Exit(ABSTAINED)


def _shards(engine: str | None, jobs: int | None, address: str | None) -> "ShardOptions | None":
    """Who holds the library, None for this process."""
    from streammem.core.shards import ShardOptions

    if engine is None:
        if jobs is not None or address is not None:
            raise UsageError("--jobs and --ray-address need --engine", hint="add --engine ray")
        return None
    return ShardOptions(shards=jobs or 2, engine=engine, ray_address=address or "")


@contextmanager
def _asked(
    library: "Library", loaded: "LoadedConfig", shards: "ShardOptions | None"
) -> "Iterator[Library | ShardedLibrary]":
    """What answers: the library in this process, or processes that hold it as long as asked."""
    if shards is None:
        yield library
        return
    from streammem.shards import ShardedLibrary
    from streammem.stores import LibraryInStore

    if shards.ray_address and isinstance(library, LibraryInStore):
        raise UsageError(
            "the processes of a cluster cannot read the copy of a library in a store",
            hint="leave out --ray-address, or name a folder that all machines share",
        )
    with ShardedLibrary(library, shards, loaded, on_read=render.indexed) as held:
        yield held


def report(result: "Answer", command: str, *, as_json: bool, explain: bool) -> None:
    """Print an answer in the form that was asked for."""
    if as_json:
        render.document(documents.answer_document(command, result, explain=explain))
        return
    render.answer(result)
    if explain:
        render.block("\n".join(explanation(result.explain)))
