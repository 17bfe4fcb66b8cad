"""Fine keys: the vectors of cells at a few bits a coordinate, narrowed as bytes run short.

At first a key is coded as it is. Of a narrowed key the part along the memory's centre is kept as a
number, and what lies across it is coded: what all vectors of a stream have in common then costs
no precision, of which few bits have little.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from streammem.memory.codes import FIT_ONE, FIXED_ONE, Bytes, Fits, RowCode, Wide
from streammem.memory.details import Details
from streammem.memory.keys import CodedKeys, CrossKeys, KeySet


@dataclass(frozen=True, slots=True)
class FineRows:
    """Coded keys `[N]`: what is coded of a key is about `scale` times the values of its code.

    `square_sum` is the squared length of the values and 0 for a zero key; `along` is the key's
    product with the direction of the centre, 0 for a whole key; `fits` are the cosines of what was
    coded with its code, in steps of `1 / FIT_ONE`.
    """

    codes: Bytes
    square_sum: NDArray[np.uint32]
    scale: NDArray[np.float32]
    along: NDArray[np.float32]
    fits: Fits


@dataclass(frozen=True)
class FineCode:
    """How fine keys are coded; `centre` in fixed point `[D]` is None where they are whole."""

    row: RowCode
    centre: Wide | None = None

    @property
    def dim(self) -> int:
        """Width of a key."""
        return self.row.dim

    @cached_property
    def _axis(self) -> Wide:
        """The direction of the centre in the space of the codes; zero where there is none."""
        if self.centre is None or not self.centre.any():
            return np.zeros(self.row.dim)
        turned = self.row.rotate(self.centre[None, :])[0]
        axis: Wide = turned / np.sqrt(np.square(turned).sum())
        return axis

    def key_of(self, sums: Wide, frames: int) -> FineRows:
        """The key `[1]` of so many fixed-point frames, from their sums `[D]`."""
        unit = float(frames * FIXED_ONE)
        if self.centre is not None:
            unit = float(np.sqrt(np.square(sums).sum()))
        return self.encode(self.row.rotate(sums[None, :]), np.array([unit]))

    def key_at(self, rotated: Wide) -> FineRows:
        """The key `[1]` of a fixed-point vector `[D]` in the space of the codes."""
        return self.encode(rotated[None, :], np.array([float(FIXED_ONE)]))

    def encode(self, rotated: Wide, units: Wide) -> FineRows:
        """Keys of rows `[N D]` in the space of the codes, whose lengths of 1.0 are `units` `[N]`.

        Each depends on its row alone. Whole keys may be of any length.
        """
        if self.centre is None:
            encoded = self.row.encode(rotated)
            scale = (encoded.scale / units).astype(np.float32)
            fits = self.row.fits(rotated, encoded)
            return FineRows(encoded.codes, encoded.square_sum, scale, np.zeros_like(scale), fits)
        lasting = rotated.any(axis=1)
        factor = np.divide(FIXED_ONE, units, out=np.zeros_like(units), where=lasting)
        along, across = self._parts(rotated * factor[:, None])
        across = np.rint(across)
        encoded = self.row.encode(across)
        # A key that has the centre's direction is no zero key, though its code is.
        square_sum = np.where(lasting, np.maximum(encoded.square_sum, 1), 0).astype(np.uint32)
        return FineRows(
            encoded.codes,
            square_sum,
            (encoded.scale / FIXED_ONE).astype(np.float32),
            (along / FIXED_ONE).astype(np.float32),
            self.row.fits(across, encoded),
        )

    def rows(self, details: Details) -> Wide:
        """The keys of details in the space of the codes, in fixed point, `[N D]`.

        What lies across the centre is lengthened by what its code lacks, so that its products are
        right on average, and those of a mean of such keys too.
        """
        rows = self.row.values(details["code"]).astype(np.float64)
        rows *= details["scale"].astype(np.float64)[:, None] * FIXED_ONE
        if self.centre is not None:
            rows = self._parts(rows / np.square(details["fit"] / FIT_ONE)[:, None])[1]
            rows += details["along"].astype(np.float64)[:, None] * FIXED_ONE * self._axis
        return rows

    def _parts(self, rows: Wide) -> tuple[Wide, Wide]:
        """How far rows go along the axis, `[N]`, and what lies across it, `[N D]`."""
        along = np.multiply(rows, self._axis).sum(axis=1)
        return along, rows - along[:, None] * self._axis

    def key_set(self, rows: FineRows) -> KeySet:
        """Coded keys as a snapshot asks them."""
        if self.centre is None:
            return CodedKeys(self.row, rows.codes, rows.square_sum, rows.fits)
        return CrossKeys(
            self.row,
            self.row.rotate_back(self._axis[None, :].astype(np.float32))[0],
            rows.codes,
            rows.square_sum,
            rows.scale,
            rows.along,
            rows.fits,
        )


def write_rows(target: Details, rows: FineRows) -> None:
    """Put coded keys into details."""
    target["code"], target["square_sum"] = rows.codes, rows.square_sum
    target["scale"], target["along"], target["fit"] = rows.scale, rows.along, rows.fits


def narrow_rows(wide: FineCode, narrow: FineCode, block: Details, target: Details) -> None:
    """Code the keys of `block` anew, across the centre of `narrow`."""
    rows = wide.rows(block)
    units = np.full(block.size, float(FIXED_ONE))
    if wide.centre is None:
        units = np.sqrt(np.square(rows).sum(axis=1)) * (block["fit"] / FIT_ONE)
    # Integers, so that the sums of a rotation are exact.
    rotated = narrow.row.rotate(np.rint(rows)) if wide.row.bits == 8 else rows
    write_rows(target, narrow.encode(rotated, units))
