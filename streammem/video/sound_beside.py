"""The sound of a source in the same pass as its frames: a live stream is opened only once."""

import math
from collections.abc import Callable, Iterator

from streammem.core.types import AudioChunk
from streammem.video import _pyav
from streammem.video.sound import SAMPLE_RATE_HZ, SoundReport
from streammem.video.sound_clock import SoundClock, SoundPiece


class SoundBeside:
    """Gives every chunk of sound to `sink` as it is met while the frames are read.

    Nothing is kept, so that memory does not grow; `sink` is called by whoever asks for frames, and
    already while the reader is opened, which reads up to the first picture.
    """

    def __init__(
        self, sink: Callable[[AudioChunk], None], sample_rate_hz: int = SAMPLE_RATE_HZ
    ) -> None:
        self._sink = sink
        self._clock = SoundClock(sample_rate_hz, lambda: _pyav.Mixer(sample_rate_hz))

    def hear(self, pieces: Iterator[SoundPiece]) -> None:
        """Take the pieces of one packet."""
        for piece in pieces:
            for chunk in self._clock.take(piece):
                self._sink(chunk)

    def finish(self) -> None:
        """Give what is left once the frames are exhausted."""
        for chunk in self._clock.rest():
            self._sink(chunk)

    def report(self) -> SoundReport:
        """What was heard so far."""
        clock = self._clock
        if clock.first_s == math.inf:
            return SoundReport(0.0, 0.0, 0.0, None, clock.damaged, clock.gaps)
        lost_s = sum(gap.end_s - gap.start_s for gap in clock.gaps)
        covered_s = max(0.0, clock.ends_s - clock.first_s - lost_s)
        return SoundReport(clock.first_s, clock.ends_s, covered_s, None, clock.damaged, clock.gaps)
