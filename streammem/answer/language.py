"""Answerers with a language model: whatever writes, the same prompt and the same checking."""

from abc import abstractmethod

from streammem.answer.base import Answerer, Material, OnProgress, Reply, no_progress
from streammem.answer.citations import check_reply
from streammem.answer.prompt import Prompt, build_prompt


class LanguageAnswerer(Answerer):
    """Lets a model write and keeps what the evidence bears out."""

    def __init__(self, cue_chars: int) -> None:
        self._cue_chars = cue_chars

    def answer(self, material: Material, on_progress: OnProgress = no_progress) -> Reply:
        """The claims of the model that cite evidence; behind the measured sentence if there is one.

        Raises:
            NoReplyError: the model could not be asked, or wrote nothing.
        """
        written = self._write(build_prompt(material, self._cue_chars), on_progress)
        reply = check_reply(written, material)
        if not reply.text or not _is_measured(material):
            return reply
        return Reply(f"{material.sentence} {reply.text}", reply.cited, reply.dropped)

    @abstractmethod
    def _write(self, prompt: Prompt, on_progress: OnProgress) -> str:
        """What the model writes, unchecked.

        Raises:
            NoReplyError: it could not be asked, or wrote nothing.
        """


def _is_measured(material: Material) -> bool:
    """Whether the answer is a number, yes or no, an option, an order or a comparison."""
    question, findings = material.question, material.findings
    if findings.value is not None or findings.choice is not None:
        return True
    compares = question.superlative is not None or question.state is not None
    return (question.intent == "order" or compares) and bool(findings.evidence)
