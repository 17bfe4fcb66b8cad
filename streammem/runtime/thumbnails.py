"""Which pictures a memory keeps: one small WebP per exemplar, as many as the share allows."""

import io
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, WebPImagePlugin  # noqa: F401  (else the first picture loads all formats)

from streammem.core.budget import MIB, BudgetPlan
from streammem.core.types import Pixels, Times
from streammem.storage.pages import longest_thumbnail, thumbnail_charge

_SMALL_SIDE_PX = 96
_LARGE_SIDE_PX = 192
_PAGES = 2
_LARGE_FROM_BYTES = 8 * MIB
_QUALITIES = (60, 40, 20, 5)


class ThumbnailShelf:
    """The set of pictures in a memory file, by presentation time in integer microseconds.

    Every picture is charged its largest possible size, so that the number of pictures is a
    capacity known before the first frame and does not depend on what they show. When there
    are more exemplars than that, the picture whose neighbours in time are closest goes first.
    """

    def __init__(self, plan: BudgetPlan, kept: Iterable[int] = ()) -> None:
        large = plan.total_bytes >= _LARGE_FROM_BYTES
        self._side_px = _LARGE_SIDE_PX if large else _SMALL_SIDE_PX
        self._max_bytes = longest_thumbnail(_PAGES, plan.page_bytes)
        self._capacity = plan.thumbnail_bytes // thumbnail_charge(self._max_bytes, plan.page_bytes)
        self._kept = set(kept)

    def update(
        self, exemplars_s: Times, pts_s: Times, pixels: Pixels
    ) -> tuple[dict[int, bytes], frozenset[int]]:
        """Pictures to add and to drop after a batch, for the exemplars that now live.

        Args:
            exemplars_s: float64 `[N]`, presentation times of the exemplars of live cells.
            pts_s: float64 `[B]`, times of the batch.
            pixels: uint8 `[B 3 H W]`, pictures of the batch.
        """
        wanted = set(to_microseconds(exemplars_s))
        batch = {key: row for row, key in enumerate(to_microseconds(pts_s)) if key in wanted}
        keep = thin_out(sorted((self._kept & wanted) | batch.keys()), self._capacity)
        added = {
            key: encode_picture(pixels[batch[key]], self._side_px, self._max_bytes)
            for key in keep
            if key in batch and key not in self._kept
        }
        dropped = frozenset(self._kept - set(keep))
        self._kept = set(keep)
        return added, dropped


def to_microseconds(times_s: Times | Sequence[float]) -> list[int]:
    """Times in seconds as integer microseconds, the keys of pictures."""
    return [int(value) for value in np.rint(np.asarray(times_s, np.float64) * 1e6)]


def thin_out(keys: list[int], capacity: int) -> list[int]:
    """At most `capacity` of the sorted keys, dropping the one in the densest place each time.

    The first and the last key stay as long as possible; of equal gaps the earlier key goes.
    O(excess * N).
    """
    kept = list(keys)
    while len(kept) > max(capacity, 0):
        if len(kept) <= 2:
            kept.pop()
            continue
        gaps = np.asarray(kept[2:]) - np.asarray(kept[:-2])
        kept.pop(int(gaps.argmin()) + 1)
    return kept


def encode_picture(pixels: Pixels, side_px: int, max_bytes: int) -> bytes:
    """A WebP of uint8 `[3 H W]` with the longer side at most `side_px`, at most `max_bytes` long.

    Quality falls first, then the size is halved until the picture fits.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    image.thumbnail((side_px, side_px), Image.Resampling.BILINEAR)
    while True:
        for quality in _QUALITIES:
            buffer = io.BytesIO()
            image.save(buffer, "WEBP", quality=quality, method=2)
            if buffer.tell() <= max_bytes:
                return buffer.getvalue()
        image = image.resize((max(1, image.width // 2), max(1, image.height // 2)))
