"""Loudness and the kind of sound from its spectrum, without any weights.

Music holds its notes: ridges of the spectrum stay where they are for a good part of a second,
while those of a voice glide and noise has none. A hum stays for good and is no music either.
What is told of a block depends on the seconds before it only, never on anything older.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streammem.audio.options import BLOCK_HOPS, BLOCK_SAMPLES, HOP_SAMPLES, SAMPLE_RATE_HZ
from streammem.core.types import Floats

SILENCE_DBFS = -60.0
_FLOOR_DBFS = -100.0
_WINDOW = 2048
_BIN_HZ = SAMPLE_RATE_HZ / _WINDOW
_LOW, _HIGH = round(100 / _BIN_HZ), round(5000 / _BIN_HZ)
# A ridge stands out from the mean of the bins around it, and is not 50 dB under the loudest bin.
_AROUND = 10
_CONTRAST_DB = 8.0
_RANGE_DB = 50.0
# A note lasts 0.25 s at least; after 4 s it is a hum.
_NOTE_HOPS = 8
_HUM_HOPS = 125
# Shares and levels are taken over two seconds and compared with the seconds before.
_SMOOTH_BLOCKS = 4
_BEFORE_BLOCKS = 14
_LOUD_DBFS = -25.0
_LOUD_STEP_DB = 20.0
# Measured on real clips: voices and animals stay under 0.12, music is mostly over 0.18.
_SURE_SHARE = 0.36
# Everything that a block's verdict depends on lies within this many blocks before it.
MEMORY_BLOCKS = 1 + _SMOOTH_BLOCKS + max(_BEFORE_BLOCKS, -(-_HUM_HOPS // BLOCK_HOPS))


@dataclass(frozen=True, slots=True)
class BlockSound:
    """What a block of 0.48 s sounds like.

    `levels_dbfs` is each hop's power; `held` the share in [0, 1] of the spectrum's ridges that are
    held notes, over two seconds; `modulation_db` how much the level goes up and down in them;
    `step_db` by how much the loudest hop exceeds the typical level of the seconds before.
    """

    levels_dbfs: Floats
    held: float
    modulation_db: float
    step_db: float

    @property
    def silent(self) -> bool:
        """Whether no hop is louder than silence."""
        return bool(self.levels_dbfs.max() < SILENCE_DBFS)

    @property
    def music(self) -> float:
        """How much it sounds like music, in [0, 1]; 0.5 is undecided."""
        return 0.0 if self.silent else min(1.0, self.held / _SURE_SHARE)

    @property
    def voice(self) -> float:
        """How much it sounds like a voice, in [0, 1]; far less reliable than a voice model."""
        if self.silent:
            return 0.0
        return float(np.clip((self.modulation_db - 3.0) / 8.0, 0.0, 1.0)) * max(
            0.0, 1.0 - self.music
        )

    @property
    def loud(self) -> float:
        """1 where it is suddenly loud, else 0."""
        sudden = self.levels_dbfs.max() > _LOUD_DBFS and self.step_db > _LOUD_STEP_DB
        return 1.0 if sudden else 0.0


class SoundKind:
    """Looks at the blocks of a stretch of sound, one after the other."""

    def __init__(self) -> None:
        self._taper = np.hanning(_WINDOW).astype(np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._tail = np.zeros(_WINDOW - HOP_SAMPLES, np.float32)
        self._ages = np.zeros(_HIGH - _LOW, np.int32)
        self._ridges: deque[tuple[int, int]] = deque(maxlen=_SMOOTH_BLOCKS)
        self._levels: deque[Floats] = deque(maxlen=_BEFORE_BLOCKS)

    def look(self, block: Floats) -> BlockSound:
        """What a block of samples `[BLOCK_SAMPLES]` sounds like."""
        power = (block.reshape(-1, HOP_SAMPLES).astype(np.float64) ** 2).mean(axis=1)
        levels = (10 * np.log10(power + 10 ** (_FLOOR_DBFS / 10))).astype(np.float32)
        before = np.concatenate(self._levels) if self._levels else levels
        step_db = float(levels.max() - np.median(before)) if self._levels else 0.0
        self._levels.append(levels)
        heard = np.concatenate([self._tail, block])
        self._tail = heard[BLOCK_SAMPLES:]
        self._ridges.append(self._count(_ridges(heard, self._taper)))
        held, found = (sum(counts) for counts in zip(*self._ridges, strict=True))
        recent = np.concatenate(list(self._levels)[-_SMOOTH_BLOCKS:])
        smooth = np.convolve(recent, np.full(3, 1 / 3), "valid")
        return BlockSound(levels, held / found if found else 0.0, float(smooth.std()), step_db)

    def _count(self, ridges: NDArray[np.bool_]) -> tuple[int, int]:
        """(ridge points that belong to a held note, all ridge points) of some hops."""
        held = 0
        for ridge in ridges:
            ages = self._ages
            reached = np.maximum(ages, np.maximum(np.append(ages[1:], 0), np.append(0, ages[:-1])))
            self._ages = np.where(ridge, np.minimum(reached + 1, _HUM_HOPS), 0)
            held += int(((self._ages > _NOTE_HOPS) & (self._ages < _HUM_HOPS)).sum())
        return held, int(ridges.sum())


def _ridges(heard: Floats, taper: Floats) -> NDArray[np.bool_]:
    """Where the spectrum of each hop has a narrow maximum, bool `[hops bins]`."""
    windows = np.lib.stride_tricks.sliding_window_view(heard, _WINDOW)[::HOP_SAMPLES]
    spectrum = np.abs(np.fft.rfft(windows * taper)).astype(np.float32)
    wide = 20 * np.log10(spectrum[:, _LOW - _AROUND : _HIGH + _AROUND + 1] + 1e-4)
    sums = np.cumsum(np.pad(wide, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
    width = 2 * _AROUND + 1
    around = (sums[:, width:] - sums[:, :-width])[:, : _HIGH - _LOW] / width
    inner = wide[:, _AROUND : _AROUND + _HIGH - _LOW]
    below = wide[:, _AROUND - 1 : _AROUND - 1 + _HIGH - _LOW]
    above = wide[:, _AROUND + 1 : _AROUND + 1 + _HIGH - _LOW]
    standing = (inner - around > _CONTRAST_DB) & (
        inner > wide.max(axis=1, keepdims=True) - _RANGE_DB
    )
    return np.asarray(standing & (inner >= below) & (inner > above))
