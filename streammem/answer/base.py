"""The contract of answerers, so that language models can stand beside the built-in one."""

from abc import ABC, abstractmethod

from streammem.core.types import Findings, Question


class Answerer(ABC):
    """Puts findings into words. Times, numbers and choices come from the findings alone."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The value of `answerer` in the answer's document."""

    @abstractmethod
    def answer(self, question: Question, findings: Findings) -> str:
        """The answer in plain words, or why there is none."""
