"""Decides, frame by frame and in constant time, where one event ends and the next begins.

The surprise of a frame is half its mean squared distance to the frames of the open event; for
unit vectors that is one minus the mean cosine. Its expectation inside an event does not depend
on how many frames the event has, so an event of two frames is judged by the same scale as one
of fifty: the cosine to the running mean, by contrast, rises with every frame averaged, and a
threshold learned on long events then overlooks short ones.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class BoundaryState(NamedTuple):
    """What the rule remembers: usual surprise over all events, and that of the open event.

    `usual_count` frames made `usual_mean` and `usual_variance`; `event_count` surprises made
    `event_mean` and `event_square` (sum of squared deviations). The first values are a guess
    that counts as one frame: too low for a shaky stream, which cuts two or three frames more
    until it is learned; a higher one would overlook the first scenes of encoders whose cosines
    all lie near one.
    """

    usual_mean: float = 0.02
    usual_variance: float = 0.0004
    usual_count: float = 1.0
    event_mean: float = 0.0
    event_square: float = 0.0
    event_count: float = 0.0


class BoundaryRule(Protocol):
    """Whether a frame begins a new event, and the state after it."""

    @property
    def max_event_frames(self) -> int:
        """No event is longer than this."""
        ...

    def step(
        self, state: BoundaryState, surprise: float, event_frames: int
    ) -> tuple[bool, BoundaryState]:
        """Judge a frame against an open event of `event_frames` >= 1 frames."""
        ...


@dataclass(frozen=True, slots=True)
class SurpriseBoundary:
    """Cut where surprise exceeds its mean by `gamma` standard deviations.

    Mean and deviation are those of the open event, shrunk towards the usual ones as if
    `prior_frames` frames of it had been seen already. A surprise that cuts is not a sample of
    the inside of an event; it enters the usual ones winsorised at two deviations, so that a
    stream in which nearly every frame cuts raises its own threshold.

    Source: surprise boundaries as in EM-LLM (Fountas et al., 2024, arXiv:2407.09450,
    section 3.2). We use distances of embeddings in place of token likelihood, and the
    shrinkage.
    """

    gamma: float
    surprise_floor: float
    min_event_frames: int
    max_event_frames: int
    memory_frames: int
    prior_frames: int

    def step(
        self, state: BoundaryState, surprise: float, event_frames: int
    ) -> tuple[bool, BoundaryState]:
        """Judge a frame against an open event of `event_frames` >= 1 frames."""
        usual_mean, usual_variance, usual_count, mean, square, count = state
        prior = self.prior_frames
        expected = (count * mean + prior * usual_mean) / (count + prior)
        variance = (square + prior * usual_variance) / (count + prior)
        # One pair of frames varies more than a mean over many pairs.
        spread = self.gamma * math.sqrt(variance * (1 + 1 / event_frames))
        excess = surprise - expected
        surprising = excess > spread and excess > self.surprise_floor
        surprising = surprising and event_frames >= self.min_event_frames
        sample = surprise
        if surprising:
            sample = expected + max(2 * math.sqrt(variance), self.surprise_floor)
        weight = max(1 / (usual_count + 1), 1 / self.memory_frames)
        delta = sample - usual_mean
        usual_mean += weight * delta
        usual_variance = (1 - weight) * (usual_variance + weight * delta * delta)
        usual_count = min(usual_count + 1, float(self.memory_frames))
        if surprising or event_frames >= self.max_event_frames:
            return True, BoundaryState(usual_mean, usual_variance, usual_count)
        count += 1
        delta = surprise - mean
        mean += delta / count
        square += delta * (surprise - mean)
        return False, BoundaryState(usual_mean, usual_variance, usual_count, mean, square, count)
