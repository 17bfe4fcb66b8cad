"""A conversation: questions one after another, each understood with the one before it."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from streammem.core.types import Answer
from streammem.query.follow_up import Turn, next_subject, resolve_follow_up
from streammem.query.parse import parse_question

# Answers a whole question from the named memories, or from all for none.
Ask = Callable[[str, tuple[str, ...]], Answer]
Bounds = Callable[[], Mapping[str, tuple[float, float]]]


class Conversation:
    """Asks a library, and remembers the last question for follow-ups. For one thread."""

    def __init__(
        self, ask: Ask, bounds_s: Bounds, check: Callable[[tuple[str, ...]], object]
    ) -> None:
        """Begin with nothing asked; `check` raises for memories that cannot be asked."""
        self._ask = ask
        self._bounds_s = bounds_s
        self._check = check
        self._memories: tuple[str, ...] = ()
        self._before: Turn | None = None

    @property
    def memories(self) -> tuple[str, ...]:
        """The memories that are asked; none stands for the whole library."""
        return self._memories

    def use(self, memories: tuple[str, ...]) -> None:
        """Ask these memories from now on; what was asked before is forgotten.

        Raises:
            UsageError: one of them is unknown, or the library is empty.
        """
        self._check(memories)
        self._memories, self._before = memories, None

    def ask(self, text: str) -> Answer:
        """The answer to a question or a follow-up; a note says how a follow-up was read.

        Raises:
            StreamMemError: as `Library.ask` does; the conversation stays as it was.
        """
        follow_up = resolve_follow_up(text, self._before)
        where = (follow_up.memory_id,) if follow_up.memory_id else self._memories
        answer = self._ask(follow_up.text, where)
        question = parse_question(follow_up.text)
        self._before = Turn(
            question=question,
            subject=next_subject(question, self._before, follow_up),
            evidence=answer.evidence,
            bounds_s=self._bounds_s(),
        )
        if follow_up.text == text:
            return answer
        note = f"read as: {follow_up.text}"
        return replace(answer, question=text, notes=(note, *answer.notes))
