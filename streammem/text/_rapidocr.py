"""Text in pictures read by RapidOCR, which brings its models; the only module that imports it."""

import importlib.util
from typing import Any

import numpy as np

from streammem.core.errors import MissingError
from streammem.core.types import Pixels
from streammem.text.screen_line import ScreenLine

OCR_ID = "rapidocr"
INSTALL = "pip install 'streammem[ocr]'"
# Two threads are used on any machine: numbers of threads change last digits, and lines must not.
_THREADS = 2
# Pictures are looked over at this size for where text is; it is read at full size.
_LONGEST_SIDE_PX = 960
_MIN_CONFIDENCE = 0.6
# Foliage and fabric read as a letter or two; what is that short has to be read clearly.
_SHORT_LETTERS = 5
_MIN_CONFIDENCE_SHORT = 0.9


def ocr_installed() -> bool:
    """Whether the packages of the extra `ocr` are here."""
    needed = ("rapidocr", "onnxruntime")
    return all(importlib.util.find_spec(name) is not None for name in needed)


class RapidOcr:
    """Reads lines of text. One owner, one thread."""

    def __init__(self) -> None:
        """Load the models.

        Raises:
            MissingError: the extra is not installed, or its models are not in it.
        """
        try:
            from rapidocr import RapidOCR
        except ImportError as error:
            raise _unusable(error) from error
        engine = "EngineConfig.onnxruntime"
        try:
            self._engine: Any = RapidOCR(
                params={
                    "Global.log_level": "critical",
                    "Global.use_cls": False,
                    "Det.limit_type": "max",
                    "Det.limit_side_len": _LONGEST_SIDE_PX,
                    f"{engine}.intra_op_num_threads": _THREADS,
                    f"{engine}.inter_op_num_threads": 1,
                }
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise _unusable(error) from error

    def read(self, pixels: Pixels) -> list[ScreenLine]:
        """The lines of a picture `[3 H W]` in RGB, from top to bottom.

        Raises:
            MissingError: what runs the models, loaded at the first picture, does not work here.
        """
        upright = np.ascontiguousarray(pixels[::-1].transpose(1, 2, 0))
        try:
            found = self._engine(upright)
        except ImportError as error:
            raise _unusable(error) from error
        if found.txts is None or found.boxes is None:
            return []
        lines = []
        for text, score, box in zip(found.txts, found.scores, found.boxes, strict=True):
            corners = np.asarray(box, np.float64)
            words = " ".join(str(text).split())
            if _is_credible(words, float(score)):
                left, top = corners.min(axis=0)
                right, bottom = corners.max(axis=0)
                place = (float(left), float(top), float(right), float(bottom))
                lines.append(ScreenLine(words, round(float(score), 4), place))
        return sorted(lines, key=lambda line: (line.box[1], line.box[0]))


def _unusable(error: Exception) -> MissingError:
    return MissingError(f"rapidocr cannot be loaded: {error}", hint=INSTALL, code="missing_ocr")


def _is_credible(words: str, score: float) -> bool:
    letters = sum(letter.isalnum() for letter in words)
    if letters < 2:
        return False
    return score >= (_MIN_CONFIDENCE_SHORT if letters < _SHORT_LETTERS else _MIN_CONFIDENCE)
