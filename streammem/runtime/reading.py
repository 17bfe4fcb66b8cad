"""The text in a stream's pictures, read as the frames pass by, and kept in few bytes at rest."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

from streammem.core.errors import MissingError
from streammem.core.types import Cue, Frame
from streammem.text._rapidocr import INSTALL, OCR_ID, RapidOcr, ocr_installed
from streammem.text.screen import ScreenReader

# Small print of a 720p slide is readable at this size, and finding text costs half of 1080p.
DETAIL_SHORT_SIDE_PX = 720
MISSING_NOTE = f"text in the pictures was not read: the extra `ocr` is not installed; {INSTALL}"
NO_DETAIL_NOTE = "text in the pictures was not read: this reader gives small pictures only"


class ScreenReading:
    """The reader of on-screen text of one run. Used by the decoding thread alone."""

    def __init__(self, state: Mapping[str, Any], limit_bytes: int) -> None:
        """Go on from a state that `pause` returned, or begin for an empty one."""
        self._screen = ScreenReader(RapidOcr)
        self._screen.restore(state)
        self._limit_bytes = limit_bytes
        self._missed_detail = False
        self._broken: str | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be read."""
        if self._broken is not None:
            return (self._broken,)
        return (NO_DETAIL_NOTE,) if self._missed_detail else ()

    def look(self, frame: Frame) -> list[Cue]:
        """The texts that are known to be gone with a frame."""
        if frame.detail is None:
            self._missed_detail = True
            return []
        if self._broken is not None:
            return []
        try:
            return self._screen.look(frame.detail, frame.pts_s)
        except MissingError as error:
            # The packages are there and do not work: no reason to see and hear nothing either.
            self._broken = f"text in the pictures was not read: {error.message}; {error.hint}"
            return []

    def pause(self) -> tuple[list[Cue], Mapping[str, Any]]:
        """Texts that are given up early because they take too much to store, and the state."""
        if self._broken is not None:
            return [], {}
        state = self._screen.state()
        if packed_bytes(state) <= self._limit_bytes:
            self._screen.settle()
            return [], state
        return self._screen.close(float(state["before_s"])), {}

    def close(self, end_s: float) -> list[Cue]:
        """The texts that stand to the end."""
        return [] if self._broken is not None else self._screen.close(end_s)


def packed_bytes(state: Mapping[str, Any]) -> int:
    """About what a state takes where it is stored."""
    return len(zlib.compress(json.dumps(state).encode(), 9)) if state else 0


def ocr_identity() -> str | None:
    """What reads text here, None where the extra is not installed."""
    return OCR_ID if ocr_installed() else None
