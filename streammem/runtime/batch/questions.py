"""The questions that a batch asks every video: asked once, answered in JSON lines."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streammem.core.config import AnswerConfig
from streammem.core.errors import BudgetError, UsageError
from streammem.core.requests import AskOptions
from streammem.core.types import Answer
from streammem.storage.memory_file import read_meta
from streammem.storage.records import MetaView

if TYPE_CHECKING:
    from streammem.answer.base import Answerer
    from streammem.runtime.asking import EncoderCache

ANSWERS_NAME = "answers.jsonl"
_STATE_DIGITS = 16


def memory_state(view: MetaView) -> str:
    """A short digest of what a memory was made from and how far: equal contents, equal states."""
    meta, progress = view.meta, view.progress
    content = [
        meta.fingerprint, meta.settings_key(), meta.encoder.digest, progress.written_frames,
        progress.last_end_s, progress.covered_s, progress.status,
    ]  # fmt: skip
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_STATE_DIGITS]


class Asker:
    """Answers questions to one memory after the other; models are loaded once."""

    def __init__(self, options: AskOptions, answering: AnswerConfig) -> None:
        self._options = options
        self._answering = answering
        self._encoders: EncoderCache = {}
        self._answerers: dict[tuple[str, str], Answerer] = {}

    def answers(self, path: Path, questions: Sequence[str]) -> list[dict[str, Any]]:
        """One line for each question.

        Raises:
            StreamMemError: as a question to this memory alone would.
        """
        from streammem.runtime.answering import wording_for
        from streammem.runtime.asking import answer_question, open_memories

        options = self._options
        state = memory_state(read_meta(path))
        opened, notes = open_memories(
            [path], self._encoders, weights=options.weights, device=options.device, named=True
        )
        wording = wording_for(options, self._answering, self._answerers, None)
        lines = []
        for question in questions:
            answer = answer_question(
                question, opened, options, load_ms=0.0, notes=notes, wording=wording
            )
            meta = opened[0].meta
            lines.append(_line(answer, meta.memory_id, meta.source, state))
        return lines


def _line(answer: Answer, memory_id: str, source: str, state: str) -> dict[str, Any]:
    return {
        "memory_id": memory_id,
        "source": source,
        "state": state,
        "question": answer.question,
        "intent": answer.intent,
        "answer": answer.text,
        "abstained": answer.abstained,
        "confidence": answer.confidence,
        "value": answer.value,
        "evidence": [item.to_json() for item in answer.evidence],
        "encoder": answer.encoder,
        "answerer": answer.answerer,
    }


class AnswersFile:
    """The lines that were answered, so that none is asked twice of the same memory."""

    def __init__(self, file: Path, questions: Sequence[str]) -> None:
        """Read what an earlier run answered; nothing is written yet.

        Raises:
            UsageError: there is a file that holds something else, or that cannot be read.
        """
        self._file = file
        self._questions = tuple(questions)
        self._whole_bytes = 0
        self._answered: set[tuple[str, str, str]] = set()
        if self._questions:
            self._read()

    @property
    def asks(self) -> bool:
        """Whether there are questions at all."""
        return bool(self._questions)

    def left(self, view: MetaView) -> list[str]:
        """The questions that this memory has not answered as it is now."""
        memory, state = view.meta.memory_id, memory_state(view)
        return [text for text in self._questions if (memory, state, text) not in self._answered]

    def add(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Append lines, all or none after a crash of this process.

        Raises:
            BudgetError: the disk is full.
            UsageError: the file cannot be written.
        """
        data = b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab") as file:
                # A line that was cut when a process ended is written again.
                file.truncate(self._whole_bytes)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise BudgetError(
                f"the answers cannot be written to {self._file}: {error.strerror}",
                hint="free some space or name another file, and run the same command again",
                code="disk_full",
            ) from error
        self._whole_bytes += len(data)
        self._answered.update(map(_key, lines))

    def _read(self) -> None:
        try:
            data = self._file.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise UsageError(f"{self._file} cannot be read: {error.strerror}") from error
        self._whole_bytes = data.rfind(b"\n") + 1
        try:
            lines = [json.loads(line) for line in data[: self._whole_bytes].splitlines()]
            self._answered = set(map(_key, lines))
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{self._file} does not hold answers of a batch",
                hint="name another file with --answers",
            ) from error


def _key(line: Mapping[str, Any]) -> tuple[str, str, str]:
    return line["memory_id"], line["state"], line["question"]
