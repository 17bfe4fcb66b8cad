"""Whether the shipped weights and preprocessing give here the vectors that they gave when made."""

from dataclasses import replace
from typing import Final

import numpy as np

from streammem.core.assets import asset_folder
from streammem.core.types import Floats, Pixels, RuntimeChoice
from streammem.encoders._embedded import EmbeddedEncoder
from streammem.encoders.manifest import read_manifest
from streammem.encoders.names import EMBEDDED_ID

CHECK_FILE: Final = "check.safetensors"
CHECK_TEXT: Final = "red dog"
# Sums are rounded differently by different processors; bfloat16 keeps eight bits of a number.
TOLERANCES: Final = {"float32": 1e-3, "bfloat16": 3e-2}
# How the vectors that are shipped were made.
EXACT: Final = RuntimeChoice(dtype="float32")


def check_picture() -> Pixels:
    """A picture uint8 `[1 3 240 320]` that follows from arithmetic: shades, a disc, checks."""
    row, column = np.mgrid[0:240, 0:320]
    disc = (row - 90) ** 2 + (column - 100) ** 2 < 3600
    checks = 40 * ((row // 20 + column // 20) % 2)
    red = np.where(disc, 210, column * 0.6 + checks)
    green = np.where(disc, 40, row * 0.8)
    blue = np.where(disc, 40, 200 - column * 0.5)
    picture: Pixels = np.clip(np.stack([red, green, blue]), 0, 255).astype(np.uint8)
    return picture[np.newaxis]


def check_vectors(encoder: EmbeddedEncoder) -> dict[str, Floats]:
    """Embedding and first token of the check picture, and the vector of the check text."""
    features = encoder.encode_images(check_picture())
    assert features.tokens is not None
    return {
        "embedding": features.embeddings[0],
        "token": features.tokens[0, 0],
        "text": encoder.encode_text(CHECK_TEXT).embedding,
    }


def deviations() -> dict[str, float]:
    """How far a coordinate is from what was shipped, at most: exactly, and as encoding runs here.

    Raises:
        MissingError: a file is missing or not the listed one.
    """
    from safetensors.numpy import load_file

    manifest = read_manifest(asset_folder("models") / EMBEDDED_ID)
    shipped = load_file(manifest.file(CHECK_FILE))
    found = {}
    for dtype in dict.fromkeys((EXACT.dtype, EmbeddedEncoder().runtime.dtype)):
        with EmbeddedEncoder(replace(EXACT, dtype=dtype)) as encoder:
            vectors = check_vectors(encoder)
        found[dtype] = max(float(np.abs(vectors[name] - shipped[name]).max()) for name in shipped)
    return found
