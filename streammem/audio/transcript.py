"""What a transcriber says about a piece of speech; the transcriber's contract."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from streammem.core.types import Floats


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word as recognised, with its time in seconds from the start of the samples."""

    text: str
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True, slots=True)
class SpokenLine:
    """Words that belong together, such as a sentence."""

    words: tuple[SpokenWord, ...]

    @property
    def text(self) -> str:
        """The words in one line."""
        return " ".join(word.text for word in self.words)

    @property
    def confidence(self) -> float:
        """Mean probability of the words."""
        return sum(word.probability for word in self.words) / len(self.words)


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in a piece of speech and in which language; no line where nothing was made out.

    `language_probability` is 1 where the language was given.
    """

    lines: tuple[SpokenLine, ...]
    language: str | None
    language_probability: float

    @property
    def text(self) -> str:
        """Everything said, in one line."""
        return " ".join(line.text for line in self.lines)


class Transcriber(Protocol):
    """Turns speech into words. `id` names engine and weights."""

    id: str

    def transcribe(self, samples: Floats, language: str | None) -> Transcript:
        """The words in float32 `[S]` at 16 kHz, at most 30 s; `language` None detects it."""


def whole_words(pieces: Iterable[SpokenWord]) -> tuple[SpokenWord, ...]:
    """Recognisers' pieces, of which a leading blank begins a word, joined into whole words.

    Scripts that are written without blanks give one long word a line.
    """
    words: list[SpokenWord] = []
    for piece in pieces:
        parts = piece.text.split()
        if not parts:
            continue
        joins = bool(words) and not piece.text[0].isspace()
        if joins:
            words[-1] = _joined(words[-1], piece, parts[0])
        rest = parts[1:] if joins else parts
        words += [SpokenWord(part, piece.start_s, piece.end_s, piece.probability) for part in rest]
    return tuple(words)


def _joined(word: SpokenWord, piece: SpokenWord, text: str) -> SpokenWord:
    return SpokenWord(
        word.text + text,
        word.start_s,
        max(word.end_s, piece.end_s),
        min(word.probability, piece.probability),
    )


@dataclass(frozen=True, slots=True)
class SpeechPart:
    """A span of speech within sound that was put together: where it lies there and in the stream.

    `offset_s` is where it begins in the samples given to the transcriber.
    """

    offset_s: float
    start_s: float
    end_s: float


def stream_times(parts: Sequence[SpeechPart], word: SpokenWord) -> tuple[float, float]:
    """Start and end in the stream of a word in samples that were put together from `parts`.

    A word lies in the part where it begins.
    """
    part = parts[0]
    for later in parts[1:]:
        if word.start_s < later.offset_s:
            break
        part = later
    times = (part.start_s + time_s - part.offset_s for time_s in (word.start_s, word.end_s))
    start_s, end_s = (min(part.end_s, max(part.start_s, time_s)) for time_s in times)
    return start_s, end_s
