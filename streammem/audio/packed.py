"""Numbers of a state in JSON, bit for bit and in a third of the space that digits take."""

import base64

import numpy as np

from streammem.core.types import Floats


def packed(values: Floats) -> str:
    """float32 of any shape as text; the shape is not kept."""
    return base64.b64encode(values.astype("<f4").tobytes()).decode("ascii")


def unpacked(text: str) -> Floats:
    """float32 `[N]` that `packed` wrote."""
    return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float32)
