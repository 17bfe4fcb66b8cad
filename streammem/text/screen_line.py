"""One line of text in a picture, and whether two lines of two pictures are the same one."""

import difflib
from dataclasses import dataclass
from typing import Protocol

from streammem.core.types import Pixels
from streammem.text.words import folded

# Words, and lines cut into other words, whose letters agree so far are one that was read twice.
_SAME_WORD = 0.7
_SAME_LINE = 0.9

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class ScreenLine:
    """A line as it was read: its text, a confidence in [0, 1], left, top, right, bottom in px."""

    text: str
    confidence: float
    box: Box


class ReadsText(Protocol):
    """What reads the text in a picture."""

    def read(self, pixels: Pixels) -> list[ScreenLine]:
        """The lines of a picture `[3 H W]` in RGB, from top to bottom."""


def is_same(line: ScreenLine, other: ScreenLine) -> bool:
    """Whether two readings are of one line: at one place, with almost the same letters."""
    if not _meet(line.box, other.box):
        return False
    one, two = folded(line.text).split(), folded(other.text).split()
    if "".join(one) == "".join(two):
        return True
    # A clock differs in one letter of five, a misread line in one of twenty: digits must agree.
    if [c for c in line.text if c.isdigit()] != [c for c in other.text if c.isdigit()]:
        return False
    if len(one) != len(two):
        return _likeness("".join(one), "".join(two)) >= _SAME_LINE
    return all(_likeness(a, b) >= _SAME_WORD for a, b in zip(one, two, strict=True))


def _likeness(one: str, two: str) -> float:
    return difflib.SequenceMatcher(None, one, two, autojunk=False).ratio()


def follows(line: ScreenLine, above: ScreenLine) -> bool:
    """Whether a line stands right below or beside another, as lines of one text do."""
    height = max(above.box[3] - above.box[1], line.box[3] - line.box[1], 1.0)
    gap_y = line.box[1] - above.box[3]
    gap_x = max(line.box[0] - above.box[2], above.box[0] - line.box[2])
    return gap_y < 2.0 * height and gap_x < 2.0 * height


def _meet(box: Box, other: Box) -> bool:
    """Whether the middle of one lies in the other."""
    x, y = 0.5 * (box[0] + box[2]), 0.5 * (box[1] + box[3])
    u, v = 0.5 * (other[0] + other[2]), 0.5 * (other[1] + other[3])
    return (other[0] <= x <= other[2] and other[1] <= y <= other[3]) or (
        box[0] <= u <= box[2] and box[1] <= v <= box[3]
    )
