"""Pictures made ready for an encoder: the reference way and a quicker one that must agree with it.

The arithmetic follows torchvision's transforms on PIL pictures, which published weights were
evaluated with; a test compares the two value for value.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from streammem.core.errors import UsageError
from streammem.core.types import Floats, Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

INTERPOLATIONS = ("nearest", "bilinear", "bicubic")
RESIZE_MODES = ("shortest", "squash")


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What weights expect of a picture.

    `resize_mode` is `shortest` (scale the shorter side, then crop the centre) or `squash` (scale
    to a square, ignoring the aspect). `mean` and `std` are per RGB channel of values in [0, 1].
    """

    image_size_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bicubic"
    resize_mode: str = "shortest"

    def __post_init__(self) -> None:
        if self.interpolation not in INTERPOLATIONS or self.resize_mode not in RESIZE_MODES:
            raise UsageError(
                f"preprocessing {self.interpolation!r} with {self.resize_mode!r} is not known",
                hint=f"expected one of {INTERPOLATIONS} with one of {RESIZE_MODES}",
                code="bad_preprocessing",
            )

    @property
    def name(self) -> str:
        """Interpolation, with the resize mode where it is not the usual one."""
        squash = self.resize_mode == "squash"
        return f"{self.interpolation} (squash)" if squash else self.interpolation

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` turns back into an equal value."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `to_json` wrote, or a manifest's `[preprocessing]` table."""
        return cls(**{**data, "mean": tuple(data["mean"]), "std": tuple(data["std"])})


def prepare_reference(pixels: Pixels, wanted: Preprocessing) -> Floats:
    """One full-size picture uint8 `[3 H W]`, made ready by PIL: float32 `[3 S S]`."""
    prepared: Floats = normalise(_resize_and_crop(pixels, wanted)[np.newaxis], wanted)[0]
    return prepared


def fit(pixels: Pixels, wanted: Preprocessing) -> Pixels:
    """Pictures uint8 `[B 3 H W]` brought to `[B 3 S S]`; already scaled ones are only cropped."""
    size = wanted.image_size_px
    height, width = pixels.shape[2:]
    if (height, width) == (size, size):
        return pixels
    if min(height, width) == size and wanted.resize_mode == "shortest":
        top, left = _crop_offset(height, size), _crop_offset(width, size)
        return pixels[:, :, top : top + size, left : left + size]
    fitted = np.empty((len(pixels), 3, size, size), np.uint8)
    for row, picture in enumerate(pixels):
        fitted[row] = _resize_and_crop(picture, wanted)
    return fitted


def normalise(pixels: Pixels, wanted: Preprocessing) -> Floats:
    """Fitted pictures `[B 3 S S]` as float32, scaled to [0, 1], less mean, over std."""
    mean = np.array(wanted.mean, np.float32).reshape(3, 1, 1)
    std = np.array(wanted.std, np.float32).reshape(3, 1, 1)
    normalised: Floats = (pixels.astype(np.float32) / np.float32(255) - mean) / std
    return normalised


def _resize_and_crop(pixels: Pixels, wanted: Preprocessing) -> Pixels:
    size = wanted.image_size_px
    picture = _as_image(pixels)
    width, height = picture.size
    if wanted.resize_mode == "squash":
        return _as_pixels(_resized(picture, (size, size), wanted.interpolation))
    long_px = int(size * max(width, height) / min(width, height))
    scaled = (size, long_px) if width <= height else (long_px, size)
    picture = _resized(picture, scaled, wanted.interpolation)
    left, top = _crop_offset(scaled[0], size), _crop_offset(scaled[1], size)
    return _as_pixels(picture.crop((left, top, left + size, top + size)))


def _crop_offset(length: int, size: int) -> int:
    return round((length - size) / 2.0)


def _as_image(pixels: Pixels) -> "Image":
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def _as_pixels(picture: "Image") -> Pixels:
    return np.asarray(picture, np.uint8).transpose(2, 0, 1)


def _resized(picture: "Image", size: tuple[int, int], interpolation: str) -> "Image":
    from PIL import Image

    if picture.size == size:
        return picture
    return picture.resize(size, Image.Resampling[interpolation.upper()])
