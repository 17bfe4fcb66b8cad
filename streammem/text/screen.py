"""On-screen text as cues: each text once, from when it appears to when it goes.

Frames come in one after the other; the gate decides which of them are read at all. Lines that
stand for the same time and below each other are one cue.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Channel, Cue, Pixels
from streammem.text.gate import (
    DUE_CELLS,
    Cells,
    Marks,
    cells_of,
    changed,
    marks_of,
    may_hold_text,
    pack,
    unpack,
)
from streammem.text.screen_line import ReadsText, ScreenLine, follows, is_same

# A reading that found nothing new is followed by so long a time without one, by twice that after
# the next, and so on; what moves all the time must not be read all the time.
SHORTEST_PATIENCE_S = 0.5
LONGEST_PATIENCE_S = 8.0
# More of the picture than this changed at once: another picture.
CUT_SHARE = 0.4
# Of the cells of a line so many have to change before it counts as gone.
GONE_SHARE = 0.5
# A text that is back within this time was never away.
BACK_S = 2.0
_SAME_TIME_S = 1e-6
# Times are kept to a millisecond at rest.
_SAME_MOMENT_S = 0.002


@dataclass(slots=True)
class _Shown:
    """A line that stands on the screen: since when, and since when it seems gone.

    `missed` says that a reading did not find it: then only another reading can bring it back.
    """

    line: ScreenLine
    start_s: float
    gone_s: float | None = None
    missed: bool = False


class ScreenReader:
    """Reads the text of one stream's pictures. One owner, one thread.

    `state` and the frames that follow are all that a resumed reader needs to go on exactly.
    """

    def __init__(self, open_reader: Callable[[], ReadsText]) -> None:
        """Begin with an empty screen; the reader is opened when there is something to read."""
        self._open = open_reader
        self._reader: ReadsText | None = None
        self._read: Marks | None = None
        self._before: Marks | None = None
        self._before_s = 0.0
        self._read_s = -math.inf
        self._since: NDArray[np.float64] = np.zeros(0)
        self._shown: list[_Shown] = []
        self._patience_s = 0.0
        self._until_s = -math.inf
        self._rushing = False
        self.readings = 0

    def look(self, pixels: Pixels, pts_s: float) -> list[Cue]:
        """The texts that are known to be gone with this frame `[3 H W]`."""
        marks = marks_of(pixels)
        if self._before is None or self._read is None:
            self._read = np.zeros_like(marks)
            self._since = np.full(marks.shape, pts_s)
            moved: Cells = np.ones(marks.shape, np.bool_)
        else:
            moved = changed(marks, self._before)
            self._since[moved] = pts_s
        self._mark_gone(marks, pts_s, pixels.shape[1:])
        news = changed(marks, self._read) & (may_hold_text(marks) | may_hold_text(self._read))
        is_first = self._before is None
        is_cut = bool(moved.mean() > CUT_SHARE)
        due = int((news & may_hold_text(marks) & (~moved | is_first | is_cut)).sum()) >= DUE_CELLS
        # A cut to another picture is worth a look soon; pictures that never stand still are not.
        if is_cut and not self._rushing:
            self._until_s = min(self._until_s, pts_s + 0.25 * (self._until_s - pts_s))
        self._rushing = is_cut
        if due and pts_s >= self._until_s:
            self._take(pixels, marks, pts_s)
        self._before, self._before_s = marks, pts_s
        return self._closed(marks, pts_s, pixels.shape[1:])

    def close(self, end_s: float) -> list[Cue]:
        """The texts that stand to the end."""
        for shown in self._shown:
            shown.gone_s = end_s if shown.gone_s is None else shown.gone_s
        gone, self._shown = self._shown, []
        self._read = self._before = None
        self._patience_s, self._rushing = 0.0, False
        self._until_s = self._read_s = -math.inf
        return _cues(gone)

    def state(self) -> dict[str, Any]:
        """Plain JSON from which `restore` makes an equal reader; empty before the first frame."""
        if self._read is None or self._before is None:
            return {}
        age_ms = np.minimum((self._before_s - self._since) * 1000, 60_000_000).astype(np.uint32)
        return {
            "read": pack(self._read),
            "before": pack(self._before),
            "before_s": self._before_s,
            "read_s": None if math.isinf(self._read_s) else self._read_s,
            "age_ms": pack(age_ms),
            "patience_s": self._patience_s,
            "until_s": None if math.isinf(self._until_s) else self._until_s,
            "rushing": self._rushing,
            "shown": [asdict(shown) for shown in self._shown],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        if not state:
            return
        self._read = unpack(state["read"], np.uint8)
        self._before = unpack(state["before"], np.uint8)
        self._before_s = state["before_s"]
        self._read_s = -math.inf if state["read_s"] is None else state["read_s"]
        self._since = self._before_s - unpack(state["age_ms"], np.uint32) / 1000.0
        self._patience_s = state["patience_s"]
        self._until_s = -math.inf if state["until_s"] is None else state["until_s"]
        self._rushing = state["rushing"]
        self._shown = [
            _Shown(
                ScreenLine(one["line"]["text"], one["line"]["confidence"],
                           tuple(one["line"]["box"])),
                one["start_s"],
                one["gone_s"],
                one["missed"],
            )
            for one in state["shown"]
        ]  # fmt: skip

    def settle(self) -> None:
        """Round what `state` rounds, so that going on from it and going on without it agree."""
        if self._before is not None:
            age_ms = np.minimum((self._before_s - self._since) * 1000, 60_000_000)
            self._since = self._before_s - age_ms.astype(np.uint32) / 1000.0

    def _mark_gone(self, marks: Marks, pts_s: float, size: tuple[int, ...]) -> None:
        """Note for each line when its place began to hold something else."""
        if self._read is None:
            return
        differs = changed(marks, self._read)
        for shown in self._shown:
            if shown.missed:
                continue
            place = cells_of(shown.line.box, *size)
            held = may_hold_text(self._read[place])
            share = float(differs[place][held].mean()) if held.any() else 0.0
            if share < GONE_SHARE:
                shown.gone_s = None
            elif shown.gone_s is None:
                shown.gone_s = pts_s

    def _take(self, pixels: Pixels, marks: Marks, pts_s: float) -> None:
        """Read a frame: lines that go on, lines that are new, lines that are gone."""
        if self._reader is None:
            self._reader = self._open()
        self.readings += 1
        lines = self._reader.read(pixels)
        size, fresh = pixels.shape[1:], 0
        still: set[int] = set()
        for line in lines:
            known = next(
                (place for place, shown in enumerate(self._shown)
                 if place not in still and is_same(line, shown.line)), None
            )  # fmt: skip
            if known is None:
                fresh += 1
                self._shown.append(_Shown(line, self._changed_s(line, size, pts_s)))
                still.add(len(self._shown) - 1)
                continue
            shown, better = self._shown[known], line
            if line.confidence <= shown.line.confidence:
                better = replace(line, text=shown.line.text, confidence=shown.line.confidence)
            shown.line, shown.gone_s, shown.missed = better, None, False
            still.add(known)
        for number, shown in enumerate(self._shown):
            if number not in still:
                if shown.gone_s is None:
                    shown.gone_s = self._changed_s(shown.line, size, pts_s)
                shown.missed = True
        self._read, self._read_s = marks.copy(), pts_s
        longer_s = max(SHORTEST_PATIENCE_S, 2 * self._patience_s)
        self._patience_s = 0.0 if fresh else min(LONGEST_PATIENCE_S, longer_s)
        self._until_s = pts_s + self._patience_s

    def _changed_s(self, line: ScreenLine, size: tuple[int, ...], pts_s: float) -> float:
        """When the place of a line changed since the last reading, at most now."""
        here = self._since[cells_of(line.box, *size)]
        later = here[here > self._read_s + _SAME_MOMENT_S]
        return float(np.median(later)) if later.size else pts_s

    def _closed(self, marks: Marks, pts_s: float, size: tuple[int, ...]) -> list[Cue]:
        """The texts that are gone for good; their places are news when something comes there."""
        gone = [
            shown
            for shown in self._shown
            if shown.gone_s is not None and pts_s - shown.gone_s >= BACK_S
        ]
        self._shown = [shown for shown in self._shown if shown not in gone]
        for shown in gone:
            cells = cells_of(shown.line.box, *size)
            if self._read is not None:
                self._read[cells] = marks[cells]
        return _cues(gone)


def _cues(gone: list[_Shown]) -> list[Cue]:
    """Lines as cues; those of one text, which stood for the same time, together."""
    ordered = sorted(
        gone, key=lambda one: (one.start_s, one.gone_s, one.line.box[1], one.line.box[0])
    )
    texts: list[list[_Shown]] = []
    for shown in ordered:
        last = texts[-1][-1] if texts else None
        if last is not None and _same_time(last, shown) and follows(shown.line, last.line):
            texts[-1].append(shown)
        else:
            texts.append([shown])
    return [
        Cue(
            text[0].start_s,
            max(text[0].start_s, text[0].gone_s or text[0].start_s),
            "\n".join(one.line.text for one in text),
            Channel.SCREEN_TEXT,
            min(one.line.confidence for one in text),
        )
        for text in texts
    ]


def _same_time(one: _Shown, other: _Shown) -> bool:
    ends = abs((one.gone_s or 0.0) - (other.gone_s or 0.0))
    return abs(one.start_s - other.start_s) < _SAME_TIME_S and ends < _SAME_TIME_S
