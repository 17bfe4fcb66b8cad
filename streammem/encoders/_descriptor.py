"""The encoder that needs no weights: colour, light, texture, layout and motion in plain NumPy."""

from functools import cached_property
from typing import Final

import numpy as np

from streammem.core.assets import asset_folder
from streammem.core.types import (
    Background,
    EncoderSpec,
    FrameFeatures,
    Pixels,
    RuntimeChoice,
    TextFeatures,
)
from streammem.encoders.base import Encoder, Labels, check_pictures
from streammem.encoders.descriptor_image import (
    TOKEN_COLUMNS,
    TOKEN_ROWS,
    changes,
    measure,
    sample_points,
)
from streammem.encoders.descriptor_space import DIM, facts
from streammem.encoders.descriptor_text import LABELS, embed_text
from streammem.encoders.digests import digest_of
from streammem.encoders.manifest import read_background, read_manifest
from streammem.encoders.names import DESCRIPTOR_ID

# The reader scales to this side; the descriptor itself takes any size and sees whole pictures.
IMAGE_SIZE_PX: Final = 224
_BATCH_SIZE: Final = 32


class DescriptorEncoder(Encoder):
    """Deterministic bit for bit: a picture's vectors depend on nothing but its pixels.

    The one exception is motion, two coordinates that compare with the neighbours in the batch;
    batches are aligned to the absolute index of frames, so it is stable as well.
    """

    def __init__(self, runtime: RuntimeChoice | None = None) -> None:
        self._runtime = runtime or RuntimeChoice(
            batch_size=_BATCH_SIZE, reason="the descriptor runs on one core"
        )
        self._spec = EncoderSpec(
            id=DESCRIPTOR_ID,
            digest=digest_of({"encoder": DESCRIPTOR_ID, "image_size_px": IMAGE_SIZE_PX, **facts()}),
            image_size_px=IMAGE_SIZE_PX,
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            interpolation="nearest",
            dim=DIM,
            token_grid=(TOKEN_ROWS, TOKEN_COLUMNS),
        )

    @property
    def spec(self) -> EncoderSpec:
        """The same on every machine: the digest covers the design, there are no weights."""
        return self._spec

    @property
    def runtime(self) -> RuntimeChoice:
        """One core, float32; there is nothing to choose."""
        return self._runtime

    def encode_images(self, pixels: Pixels) -> FrameFeatures:
        """Embeddings `[B 224]` and a 6 x 6 grid of tokens `[B 36 224]` in the same space."""
        check_pictures(pixels)
        points = [sample_points(picture) for picture in pixels]
        embeddings = np.empty((len(points), DIM), np.float32)
        tokens = np.empty((len(points), TOKEN_ROWS * TOKEN_COLUMNS, DIM), np.float32)
        for row, change in enumerate(changes(points)):
            embeddings[row], tokens[row] = measure(points[row], change)
        return FrameFeatures(embeddings, tokens)

    def encode_text(self, text: str) -> TextFeatures:
        """What the known words ask for; zeros where there is none, with all words listed."""
        vector, unknown = embed_text(text)
        return TextFeatures(vector, unknown)

    def background(self) -> Background | None:
        """Picture vectors of `models/descriptor`, balanced over the colours."""
        return self._background

    def labels(self) -> Labels:
        """Colour, light, texture and motion phrases."""
        return self._labels

    @cached_property
    def _labels(self) -> Labels:
        return Labels(LABELS, np.stack([embed_text(phrase)[0] for phrase in LABELS]))

    @cached_property
    def _background(self) -> Background | None:
        manifest = read_manifest(asset_folder("models") / DESCRIPTOR_ID)
        return read_background(manifest)
