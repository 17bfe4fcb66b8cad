"""The contract of answerers: what they are given, what they return, and how they fail."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from streammem.core.types import Evidence, Findings, Question

# Told while an answer is being written: how many characters there are so far.
OnProgress = Callable[[int], None]


def no_progress(_characters: int) -> None:
    """The receiver of those who want no progress."""


@dataclass(frozen=True, slots=True)
class TimedPicture:
    """A frame for an answerer: the id of the evidence it shows, when it was, a JPEG."""

    evidence_id: str
    time_s: float
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Material:
    """Everything an answerer may know.

    `sentence` is the evidence answer. `shown` is the evidence found, or the nearest candidates of
    an abstention; `recent` the newest frames, oldest first; `cues` what was said and shown in
    words around both. Each piece has an id of its own: e1, r1, c1 and so on.
    """

    question: Question
    findings: Findings
    sentence: str
    shown: tuple[Evidence, ...] = ()
    recent: tuple[Evidence, ...] = ()
    cues: tuple[Evidence, ...] = ()
    pictures: tuple[TimedPicture, ...] = ()

    @property
    def citable(self) -> dict[str, Evidence]:
        """Every piece that may be cited, by id."""
        return {item.id: item for item in (*self.shown, *self.recent, *self.cues)}


@dataclass(frozen=True, slots=True)
class Reply:
    """Checked words: every id in `cited` is one of the material's.

    `text` is empty where nothing of what was written could be kept; `dropped` counts the claims
    that were removed; `notes` are remarks for the user.
    """

    text: str
    cited: tuple[str, ...] = ()
    dropped: int = 0
    notes: tuple[str, ...] = ()


class NoReplyError(Exception):
    """An answerer could not answer; the message says why, in words that are this project's."""


class Answerer(ABC):
    """Puts findings into words. Times, numbers and choices come from the findings alone."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The value of `answerer` in the answer's document."""

    @abstractmethod
    def answer(self, material: Material, on_progress: OnProgress = no_progress) -> Reply:
        """The answer in plain words, or why there is none.

        Raises:
            NoReplyError: it could not be had in time, or is no answer at all.
        """
