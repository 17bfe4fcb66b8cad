"""The contract of every encoder, so that memories and questions never know which one is behind."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np

from streammem.core.errors import UsageError
from streammem.core.types import (
    Background,
    EncoderSpec,
    Floats,
    FrameFeatures,
    Pixels,
    RuntimeChoice,
    TextFeatures,
)


@dataclass(frozen=True, slots=True)
class Labels:
    """What an encoder can name: phrases and their unit text embeddings, float32 `[L D]`."""

    words: tuple[str, ...]
    vectors: Floats


class Encoder(AbstractContextManager["Encoder"], ABC):
    """Turns pictures and texts into unit vectors of one space.

    One owner at a time: calls from several threads must not overlap. Equal batches give equal
    bits under equal `runtime`. An encoder keeps nothing of what it has seen.
    """

    @property
    @abstractmethod
    def spec(self) -> EncoderSpec:
        """What identifies this encoder; stored in every memory made with it."""

    @property
    @abstractmethod
    def runtime(self) -> RuntimeChoice:
        """How it runs here; stored with a memory, so that a resumed run gives the same bits."""

    @abstractmethod
    def encode_images(self, pixels: Pixels) -> FrameFeatures:
        """Features of upright RGB pictures, uint8 `[B 3 H W]` of any size.

        Pictures whose shorter side is already `spec.image_size_px` skip the resizing.
        """

    @abstractmethod
    def encode_text(self, text: str) -> TextFeatures:
        """The embedding of a text: a unit vector, or zeros where no word of it is known."""

    @abstractmethod
    def background(self) -> Background | None:
        """What scores are compared with to tell presence from absence; None: uncalibrated."""

    @abstractmethod
    def labels(self) -> Labels:
        """The phrases that an answer about a moment may be put into."""

    def close(self) -> None:
        """Release what the encoder holds; it must not be used afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def check_pictures(pixels: Pixels) -> None:
    """Refuse what is no batch of pictures.

    Raises:
        UsageError: not uint8 `[B 3 H W]`, no picture, or pictures without pixels.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1] != 3:
        raise UsageError(
            f"pictures are {pixels.dtype} {list(pixels.shape)}; expected uint8 [B 3 H W]",
            hint="pass RGB pictures with the colour axis first",
            code="bad_pictures",
        )
    if 0 in pixels.shape:
        raise UsageError(
            f"{pixels.shape[0]} pictures of {pixels.shape[3]} x {pixels.shape[2]} pixels "
            "hold nothing",
            hint="pass at least one picture of at least 1 x 1 pixel",
            code="bad_pictures",
        )
