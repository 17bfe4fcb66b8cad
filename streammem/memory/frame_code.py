"""How sensory frames become codes: of a few bits a coordinate, or looks where bytes are short."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streammem.memory.codes import FIT_ONE, Bytes, Fits, RowCode, Wide
from streammem.memory.signs import SignCode


@dataclass(frozen=True, slots=True)
class FrameCode:
    """The code of sensory frames; `row` is None where they are kept as looks."""

    row: RowCode | None
    look: SignCode

    @property
    def code_bytes(self) -> int:
        """Bytes of a frame; behind a look without a centre lies its fit."""
        return 8 * self.look.limbs + 1 if self.row is None else self.row.code_bytes

    def __call__(self, frames: Wide) -> tuple[Bytes, NDArray[np.uint32], Fits]:
        """Codes `[N C]` of fixed-point frames, squared lengths that are 0 for zero ones, and fits.

        Looks of frames have no centre: they come and go, and it changes once.
        """
        if self.row is not None:
            rotated = self.row.rotate(frames)
            encoded = self.row.encode(rotated)
            return encoded.codes, encoded.square_sum, self.row.fits(rotated, encoded)
        looks = self.look.encode(frames, np.zeros(frames.shape[1]), (self.look.limbs,))
        codes = np.ascontiguousarray(looks.signs, "<u8").view(np.uint8)
        lasting: NDArray[np.uint32] = np.any(frames, axis=1).astype(np.uint32)
        ones = np.full(lasting.size, FIT_ONE, np.uint16)
        return np.concatenate((codes, looks.fits), axis=1), lasting, ones
