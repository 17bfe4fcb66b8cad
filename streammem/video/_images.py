"""Folders, globs and single files of images read as a stream; Pillow opens the pictures."""

import math
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from streammem.core.errors import SourceError
from streammem.core.types import Pixels, StreamInfo
from streammem.video.discover import image_files
from streammem.video.reader import FrameReader, Picture, PictureError, ReaderOptions, scaled_size
from streammem.video.sampling import StreamEnd

# Image files carry no times that can be trusted, so each one stands for one second.
IMAGE_RATE_HZ = 1.0

_ORIENTATION_TAG = 0x0112
_CLOCKWISE = {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}


class ImagesReader(FrameReader):
    """One frame a second, in natural order of the names; an unreadable image becomes a gap."""

    def __init__(self, source: str, options: ReaderOptions) -> None:
        super().__init__(options)
        self._files = image_files(source)
        first, self.info = self._describe(source)
        self._size = scaled_size(*first.size, options.short_side_px)
        self._detail_size = scaled_size(*first.size, options.detail_short_side_px)

    def close(self) -> None:
        """Nothing stays open between pictures."""

    def _describe(self, source: str) -> tuple[Image.Image, StreamInfo]:
        for path in self._files:
            try:
                image, codec, rotation = _upright(path)
            except PictureError:
                continue
            return image, StreamInfo(
                source=source,
                width=image.width,
                height=image.height,
                frame_rate_hz=IMAGE_RATE_HZ,
                duration_s=len(self._files) / IMAGE_RATE_HZ,
                start_s=0.0,
                rotation_deg=rotation,
                codec=codec,
            )
        raise SourceError(
            f"none of the {len(self._files)} pictures of {source} can be opened",
            hint="copy or download them again",
            code="undecodable",
        )

    def _pictures(self, from_s: float | None) -> Generator[Picture, None, None]:
        first = 0 if from_s is None else max(0, math.floor(from_s * IMAGE_RATE_HZ))
        for number in range(first, len(self._files)):
            yield Picture(number / IMAGE_RATE_HZ, 1.0 / IMAGE_RATE_HZ, self._files[number])

    def _pixels(self, content: Any) -> Pixels:
        return self._fitted(content, self._size, self.options.short_side_px)

    def _detail(self, content: Any) -> Pixels | None:
        return self._fitted(content, self._detail_size, self.options.detail_short_side_px)

    def _fitted(self, content: Any, size: tuple[int, int], short_side_px: int | None) -> Pixels:
        image, _, _ = _upright(content)
        # The first picture fixes the size; others keep their shape, with black beside it.
        own = scaled_size(*image.size, short_side_px)
        if own == size:
            fitted = image if image.size == own else image.resize(own, Image.Resampling.BICUBIC)
        else:
            fitted = ImageOps.pad(image, size, Image.Resampling.BICUBIC)
        return np.array(fitted, np.uint8, order="C").transpose(2, 0, 1)

    def _end(self) -> StreamEnd:
        length_s = len(self._files) / IMAGE_RATE_HZ
        return StreamEnd(length_s, length_s, 1.0 / IMAGE_RATE_HZ)


def _upright(path: Path) -> tuple[Image.Image, str, int]:
    """(RGB image, format, clockwise degrees that it was turned by).

    Raises:
        PictureError: the file cannot be opened or decoded.
    """
    try:
        with Image.open(path) as opened:
            rotation = _CLOCKWISE.get(opened.getexif().get(_ORIENTATION_TAG, 1), 0)
            codec = (opened.format or "unknown").lower()
            upright = ImageOps.exif_transpose(opened)
            return _rgb(upright), codec, rotation
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise PictureError(f"{path.name} cannot be read") from error


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # Pillow would cut 16-bit values off at 255 instead of scaling them.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")
