"""From words to the trained encoder's space: learned nouns, and the descriptor's colour words.

A noun asks in the learned part of the space, a colour, place or light in the descriptor's part.
Both ask in one vector, each weighed by how little its score varies over the background, so that
neither drowns the other. A noun that was not measured, or badly, is a guess: it is reported as an
unknown word. It has half a vote beside a known noun, none beside colours alone, which are measured,
and asks for itself where nothing else does, so that a search has candidates to offer.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from streammem.core.types import Floats
from streammem.encoders.descriptor_space import DIM as DESCRIPTOR_DIM
from streammem.encoders.descriptor_text import embed_text
from streammem.encoders.descriptor_words import (
    ASPECTS,
    COLOUR_WORDS,
    HORIZONTAL,
    IGNORED,
    PLACES,
    SCENES,
    SEPARATORS,
    SHADES,
    STRIPES,
    VERTICAL,
    WHOLE_WORDS,
)

_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_LONGEST: Final = 3
# On validation pictures a whole vote finds two things together still better, but there the
# teachers know both: of a word in a question nobody knows.
_VOTE_OF_GUESS: Final = 0.5
# Stands in the text for a noun that was found, so that "red dog on the left" keeps its places.
_NEUTRAL: Final = "thing"
# The same for a place that one is inside of: "red room" asks for red all over, "red ball" does not.
_SURROUNDING: Final = "background"
_SURROUNDINGS: Final = frozenset((
    "attic", "basement", "bathroom", "bedroom", "cave", "cellar", "chamber", "classroom",
    "corridor", "garage", "hall", "hallway", "kitchen", "lobby", "office", "parlour", "room",
    "studio", "tunnel", "workshop",
))  # fmt: skip
# Smaller spreads are those of a word that no background picture answers to.
_MIN_SPREAD: Final = 0.005
# Single words that ask for an appearance, and so never for a noun.
APPEARANCE_WORDS: Final = frozenset().union(
    ASPECTS, COLOUR_WORDS, HORIZONTAL, IGNORED, PLACES, SCENES,
    SEPARATORS, SHADES, STRIPES, VERTICAL, WHOLE_WORDS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Found:
    """A noun in a text: its characters `[start, stop)`, its words and its row in the table."""

    start: int
    stop: int
    words: tuple[str, ...]
    row: int


@dataclass(frozen=True, slots=True)
class Nouns:
    """The table: nouns of up to three words to rows of unit vectors `[C S]`.

    `precision` `[C]` is how well a row's noun was measured to be found, `found` `[C]` in what share
    of the clips that show it; both are 0 for a guess.
    """

    words: Mapping[str, int]
    vectors: Floats
    precision: Floats
    found: Floats


class TextTower:
    """Reads short phrases; NumPy only.

    `background` `[N S + 224]` are picture vectors that spreads are measured on.
    """

    def __init__(self, nouns: Nouns, background: Floats) -> None:
        self._table, self._background = nouns, background

    def embed(self, text: str) -> tuple[Floats, tuple[str, ...]]:
        """The unit vector of a text, zeros where no word of it is known, and its unknown words."""
        found = list(self._nouns(text))
        colours, unknown = embed_text(_without(text, found))
        table = self._table
        learned = table.vectors.shape[1]
        wanted = np.zeros(learned + DESCRIPTOR_DIM, np.float32)
        if np.any(colours):
            self._ask(wanted, slice(learned, None), colours, 1.0)
        rows = _rows(found)
        known = [row for row in rows if table.precision[row] > 0]
        for row in rows if known or not np.any(colours) else ():
            vote = _VOTE_OF_GUESS if known and row not in known else 1.0
            self._ask(wanted, slice(0, learned), table.vectors[row], vote)
        length = float(np.sqrt((wanted.astype(np.float64) ** 2).sum()))
        unit = (wanted / np.float32(length)) if length > 0 else wanted
        guessed = [word for noun in found if not table.precision[noun.row] for word in noun.words]
        return unit.astype(np.float32), tuple(dict.fromkeys([*unknown, *guessed]))

    def rows(self, text: str) -> list[int]:
        """The rows of the nouns in a text, in order, each once."""
        return _rows(self._nouns(text))

    def found_share(self, text: str) -> float:
        """How often what the known nouns of a text ask for is found: as often as the rarest found.

        Colours are measured, and guesses are unknown words.
        """
        known = [row for row in self.rows(text) if self._table.precision[row] > 0]
        return min((float(self._table.found[row]) for row in known), default=1.0)

    def _ask(self, wanted: Floats, part: slice, asked: Floats, weight: float) -> None:
        spread = float((self._background[:, part] @ asked).std())
        wanted[part] += asked * np.float32(weight / max(spread, _MIN_SPREAD))

    def _row(self, noun: str) -> int | None:
        for form in _singulars(noun):
            if form in self._table.words:
                return self._table.words[form]
        return None

    def _nouns(self, text: str) -> Iterator[_Found]:
        """Longest nouns first, from left to right; words of appearance are never nouns alone."""
        places = list(_WORD.finditer(text.lower()))
        first = 0
        while first < len(places):
            for length in range(min(_LONGEST, len(places) - first), 0, -1):
                parts = places[first : first + length]
                words = tuple(_bare(part.group()) for part in parts)
                noun = " ".join(words)
                row = None if length == 1 and noun in APPEARANCE_WORDS else self._row(noun)
                if row is not None:
                    yield _Found(parts[0].start(), parts[-1].end(), words, row)
                    first += length
                    break
            else:
                first += 1


def _rows(found: Iterable[_Found]) -> list[int]:
    return list(dict.fromkeys(noun.row for noun in found))


def _bare(word: str) -> str:
    return re.sub(r"['’]s?$", "", word)


def _singulars(noun: str) -> Iterator[str]:
    """The noun as it is said, then as a plural of what may be in the table."""
    yield noun
    for ending, single in (("ies", "y"), ("ves", "f"), ("ves", "fe"), ("es", ""), ("s", "")):
        # "glass" and "bus" are no plurals.
        if noun.endswith(ending) and len(noun) > len(ending) + 2 and not noun.endswith("ss"):
            yield noun[: -len(ending)] + single


def _without(text: str, found: list[_Found]) -> str:
    """The text with a neutral word for each noun."""
    parts, end = [], 0
    for noun in found:
        before = text[end : noun.start]
        parts += [before, _SURROUNDING if _is_coloured_place(before, noun) else _NEUTRAL]
        end = noun.stop
    return "".join([*parts, text[end:]])


def _is_coloured_place(before: str, noun: _Found) -> bool:
    """Whether a noun is a place with its colour right before it; others may be in a place."""
    words = _WORD.findall(before.lower())
    coloured = bool(words) and words[-1] in COLOUR_WORDS
    return coloured and not _SURROUNDINGS.isdisjoint(_singulars(noun.words[-1]))
