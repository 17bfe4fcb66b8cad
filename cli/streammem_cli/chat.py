"""`streammem chat`: a conversation, in which a question may refer to the answer before."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from streammem.core.errors import StreamMemError, UsageError
from streammem_cli import documents, options, render
from streammem_cli.ask import report
from streammem_cli.signals import SIGINT_STATUS, hear_interrupts

if TYPE_CHECKING:
    from streammem.runtime.conversing import Conversation

PARTIAL = 3
COMMANDS = """\
/in MEMORY...  ask these memories only; without a name the whole library
/help          this list
/quit          end, as Ctrl-D does

A question may refer to the answer before: "and after that?", "how long was
it?", "the second time?", "is it still there?", "and the dog?"."""


@options.common
def chat(
    in_memory: options.InMemory = None,
    answerer: options.Answerer = None,
    top_k: options.TopK = None,
    min_confidence: options.MinConfidence = None,
    second_look: options.SecondLook = None,
    weights: options.Weights = None,
    device: options.Device = None,
    library: options.LibraryFolder = None,
    jsonl: options.JsonLines = False,
) -> None:
    """Talk with the memories. A question may refer to the answer before.

    \b
    Examples:
      streammem chat
      streammem chat --in lecture --answerer openai:http://localhost:8000/v1
      streammem chat --jsonl < questions.txt

    One question a line, from the terminal or a pipe; /help lists what else there
    is. Memories stay open in between. Spans are decoded again (--second-look)
    unless told otherwise.
    """
    from streammem.api import AskOptions

    opened, loaded = options.open_library(
        library,
        store=options.InStore(tuple(in_memory or ())),
        **{
            "query.top_k": top_k,
            "query.min_confidence": min_confidence,
            "query.answerer": answerer,
        },
    )
    query = loaded.config.query
    conversation = opened.converse(
        AskOptions(
            memories=tuple(in_memory or ()),
            top_k=query.top_k,
            min_confidence=query.min_confidence,
            answerer=query.answerer,
            second_look=second_look is not False,
            weights=weights or "",
            device=device or "auto",
        ),
        on_progress=render.writing,
    )
    talk = _Talk(conversation, jsonl=jsonl)
    hear_interrupts()
    try:
        for line in render.typed("? "):
            if not talk.hear(line.strip()):
                break
    except KeyboardInterrupt:
        render.note("")
        raise typer.Exit(SIGINT_STATUS) from None
    raise typer.Exit(talk.status)


@dataclass(slots=True)
class _Talk:
    """What was asked so far, and how it went."""

    conversation: "Conversation"
    jsonl: bool
    answered: int = 0
    first_failure: int = 0

    @property
    def status(self) -> int:
        """0, or 3 where some questions failed, or the first failure's code where all did."""
        return PARTIAL if self.first_failure and self.answered else self.first_failure

    def hear(self, line: str) -> bool:
        """Answer a line or obey it; False where it ends the talk."""
        if line in {"/quit", "/exit"}:
            return False
        if not line:
            return True
        try:
            if line.startswith("/"):
                self._obey(line)
            else:
                self._answer(line)
                self.answered += 1
        except StreamMemError as problem:
            self.first_failure = self.first_failure or problem.exit_code
            if self.jsonl:
                render.event_line(documents.error_document("ask", problem))
            else:
                render.error(problem)
        return True

    def _answer(self, question: str) -> None:
        result = self.conversation.ask(question)
        if self.jsonl:
            render.event_line(documents.answer_document("ask", result))
        else:
            report(result, "ask", as_json=False, explain=False)

    def _obey(self, line: str) -> None:
        word, *names = line.split()
        if word == "/help":
            render.usage(COMMANDS)
        elif word == "/in":
            self.conversation.use(tuple(names))
            render.note(f"asking {', '.join(names) or 'the whole library'}")
        else:
            raise UsageError(f"there is no {word}", hint="/help", code="unknown_command")
