"""`streammem ask`: a question, an answer with measured times."""

from typing import TYPE_CHECKING, Annotated

import typer

from streammem_cli import documents, options, render
from streammem_cli.explaining import explanation

if TYPE_CHECKING:
    from streammem.core.types import Answer

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
    """
    from streammem.api import AskOptions

    opened, loaded = options.open_library(
        library,
        **{
            "query.top_k": top_k,
            "query.min_confidence": min_confidence,
            "query.answerer": answerer,
            "query.second_look": second_look,
        },
    )
    query = loaded.config.query
    result = opened.ask(
        options.read_question(question, audio, opened),
        AskOptions(
            memories=tuple(in_memory or ()),
            at_s=options.read_time(at, "--at"),
            between_s=options.read_between(between, at),
            choices=tuple(part.strip() for part in (choices or "").split("|") if part.strip()),
            top_k=query.top_k,
            min_confidence=query.min_confidence,
            answerer=query.answerer,
            second_look=query.second_look,
            thumbnails=thumbnails,
            explain=explain,
            weights=weights or "",
            device=device or "auto",
        ),
        on_progress=render.writing,
    )
    report(result, "ask", as_json=json, explain=explain)
    if fail_empty and result.abstained:
        raise typer.Exit(ABSTAINED)


def report(result: "Answer", command: str, *, as_json: bool, explain: bool) -> None:
    """Print an answer in the form that was asked for."""
    if as_json:
        render.document(documents.answer_document(command, result, explain=explain))
        return
    render.answer(result)
    if explain:
        render.block("\n".join(explanation(result.explain)))
