"""How one camera scores for one standing question while nothing is seen, learnt as it goes by.

A bounded sample of past scores in a ring. Where they fall apart into groups the lowest group
counts, so that a room that is mostly occupied still has its emptiness as zero.
"""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streammem.core.alerts import SiteScores

RING = 128
# So few scores tell nothing, however much time went by.
MIN_LEARNT = 12
# A camera that never changes scores the same to the last digit; this much is no news.
MIN_SPREAD = 0.05
# Groups are apart where their means differ by so many of their deviations, on the average of both;
# the halves of a normal distribution differ by 2.7 of theirs, of an exponential one by 2.9.
APART = 3.3
# A group of less than this share of the sample is a few outliers.
MIN_GROUP_SHARE = 0.05
_NORMAL_MAD = 1.4826

Values = NDArray[np.float64]


class SiteCalibration:
    """The sample and what follows from it. Scores are kept with the precision of float16."""

    def __init__(self) -> None:
        self._ring = np.zeros(RING, np.float16)
        self._learnt = 0
        self._known: SiteScores | None = None

    @property
    def learnt(self) -> int:
        """Scores taken so far, also those that have left the sample."""
        return self._learnt

    def learn(self, strength: float) -> None:
        """Take one score, in place of the oldest where the sample is full."""
        self._ring[self._learnt % RING] = strength
        self._learnt += 1
        self._known = None

    def scores(self) -> SiteScores | None:
        """Zero and deviation, None where too little was learnt."""
        if self._known is None and self._learnt >= MIN_LEARNT:
            values = np.sort(self._ring[: self._learnt].astype(np.float64))
            usual = _lowest_group(values)
            zero = float(np.median(usual))
            spread = _NORMAL_MAD * float(np.median(np.abs(usual - zero)))
            self._known = SiteScores(
                learnt=self._learnt,
                zero=zero,
                spread=max(MIN_SPREAD, spread),
                low=float(values[0]),
                high=float(values[-1]),
            )
        return self._known

    def to_json(self) -> dict[str, Any]:
        """What `from_json` goes on from exactly."""
        sample = self._ring[: self._learnt].astype("<f2").tobytes()
        return {"learnt": self._learnt, "sample": base64.b64encode(sample).decode("ascii")}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "SiteCalibration":
        """The calibration that `to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        site = cls()
        sample = np.frombuffer(base64.b64decode(data["sample"]), "<f2")
        site._learnt = int(data["learnt"])
        if sample.size != min(site._learnt, RING) or not np.isfinite(sample).all():
            raise ValueError("the sample of scores is not what was written")
        site._ring[: sample.size] = sample
        return site


def _lowest_group(values: Values) -> Values:
    """The lowest of the groups that sorted values fall apart into; all of them where they do not.

    The border is where the variance between both sides is largest (Otsu 1979).
    """
    while True:
        least = max(3, int(np.ceil(MIN_GROUP_SHARE * values.size)))
        if values.size < 2 * least:
            return values
        counts = np.arange(least, values.size - least + 1)
        sums = np.cumsum(values)
        low, high = (
            sums[counts - 1] / counts,
            (sums[-1] - sums[counts - 1]) / (values.size - counts),
        )
        between = counts * (values.size - counts) * (high - low) ** 2
        border = int(counts[int(np.argmax(between))])
        below, above = values[:border], values[border:]
        deviation = max(MIN_SPREAD, 0.5 * float(below.std() + above.std()))
        if float(above.mean() - below.mean()) < APART * deviation:
            return values
        values = below
