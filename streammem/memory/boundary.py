"""Decides, frame by frame and in constant time, where one event ends and the next begins.

The surprise of a frame is half its mean squared distance to the frames of the open event; for
unit vectors that is one minus the mean cosine. Its expectation inside an event does not depend
on how many frames the event has, so an event of two frames is judged by the same scale as one
of fifty: the cosine to the running mean, by contrast, rises with every frame averaged, and a
threshold learned on long events then overlooks short ones.

What is usual is learned from the change from each frame to the next, not from surprise: a rule
that learns from the events it has cut takes what it missed for usual, and never recovers.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

# Mean and variance of the least of three normal samples.
_LEAST_MEAN = -0.8463
_LEAST_VARIANCE = 0.5595
# Changes under a quarter of the usual one, or above four times, are of a scene of another kind.
_OTHER_KIND = 4.0
_CALM_FRAMES = 2
# A stretch is wild where neighbouring frames differ by this share of what begins an event.
_WILD_SHARE = 0.6
# The same where events have lately been shorter than this on average: noise varies as much, but
# its scenes last.
_WILD_SHARE_OF_SHORT, _SHORT_FRAMES = 0.5, 4
# Events over which their length is averaged.
_LENGTHS = 8
_FAR_EVENTS = 8
# Events that begin with less surprise than this, as in a slow pan, are not scenes to compare with.
_LEAST_FAR = 0.1
# The guess of a deviation, as a share of the mean, where next to nothing was seen.
_FIRST_SPREAD = 0.3
# Up to which share of all spans events of unlike frames have at most so many frames.
_WILD_FRAMES = ((1 / 2, 1), (9 / 16, 2), (5 / 8, 4), (11 / 16, 8), (3 / 4, 16))
# What a frame must surprise by, as multiples of the least there is, each time that looks were cut:
# a memory short of bytes spends them on what differs, not on every move inside a scene.
_FLOORS = (1, 5, 20)


def frames_of_wild_events(share: float, longest: int) -> int:
    """Most frames of an event in a wild stretch, by the share of all spans such events had.

    One, until half of the spans went to them; then twice as many for every sixteenth, so that an
    album is kept picture by picture, its end not much worse than its beginning, and noise still
    leaves part of a memory to the rest.
    """
    return next((frames for most, frames in _WILD_FRAMES if share < most), longest)


def least_surprise(floor: float, cuts: int) -> float:
    """The excess of surprise that can begin an event after so many cuts of all looks."""
    return floor * _FLOORS[min(cuts, len(_FLOORS) - 1)]


class EventLimits(NamedTuple):
    """What the memory can afford: frames of an event in a wild stretch, least surprise."""

    wild_frames: int
    least_surprise: float


class BoundaryState(NamedTuple):
    """What the rule remembers: the usual change over all events, the surprise in this one.

    `usual_count` frames made `usual_mean` and `usual_variance`; `event_count` surprises made
    `event_mean` and `event_square` (sum of squared deviations); `last` and `second_last` are the
    changes before; `far_count` frames that began an event surprised by `far_mean`; `length` is the
    mean of the last events' frames. The first values
    are a guess that counts as one frame: high enough not to cut a shaky stream at once, and
    forgotten within the first scene.
    """

    usual_mean: float = 0.1
    usual_variance: float = 0.0009
    usual_count: float = 1.0
    event_mean: float = 0.0
    event_square: float = 0.0
    event_count: float = 0.0
    last: float = 0.1
    second_last: float = 0.1
    far_mean: float = 0.2
    far_count: float = 1.0
    length: float = 16.0


class BoundaryRule(Protocol):
    """Whether a frame begins a new event, and the state after it."""

    @property
    def max_event_frames(self) -> int:
        """No event is longer than this."""
        ...

    def is_wild(self, state: BoundaryState) -> bool:
        """Whether frames follow each other that are as unlike as scenes are."""
        ...

    def step(
        self,
        state: BoundaryState,
        surprise: float,
        change: float,
        event_frames: int,
        limits: EventLimits,
    ) -> tuple[bool, BoundaryState]:
        """Judge a frame against an open event of `event_frames` >= 1 frames."""
        ...


@dataclass(frozen=True, slots=True)
class SurpriseBoundary:
    """Cut where surprise exceeds its mean by `gamma` standard deviations.

    Mean and deviation are those of the open event, shrunk towards the usual ones as if
    `prior_frames` frames of it had been seen already. The usual ones are those of the change
    between neighbouring frames inside events, estimated from the least of the last three
    changes: unless three frames in a row begin an event, that is one inside an event.

    Source: surprise boundaries as in EM-LLM (Fountas et al., 2024, arXiv:2407.09450,
    section 3.2). We use distances of embeddings in place of token likelihood, and the
    shrinkage.
    """

    gamma: float
    surprise_floor: float
    event_frames: tuple[int, int]
    memory_frames: int
    prior_frames: int

    @property
    def max_event_frames(self) -> int:
        """No event is longer than this."""
        return self.event_frames[1]

    def is_wild(self, state: BoundaryState) -> bool:
        """Whether frames follow each other that are as unlike as scenes are.

        Such are the pictures of an album, one frame an action, noise.
        """
        share = _WILD_SHARE_OF_SHORT if state.length < _SHORT_FRAMES else _WILD_SHARE
        return state.usual_mean > share * max(state.far_mean, _LEAST_FAR)

    def step(
        self,
        state: BoundaryState,
        surprise: float,
        change: float,
        event_frames: int,
        limits: EventLimits,
    ) -> tuple[bool, BoundaryState]:
        """Judge a frame against an open event of `event_frames` >= 1 frames.

        `surprise` is half the mean squared distance to its frames, `change` half the squared
        distance to the last frame.
        """
        usual_mean, usual_variance, usual_count, mean, square, count = state[:6]
        last, second_last, far_mean, far_count, length = state[6:]
        # After a wild stretch the mean falls before the variance does.
        usual_deviation = min(math.sqrt(usual_variance / _LEAST_VARIANCE), usual_mean / 2)
        usual, prior = usual_mean - _LEAST_MEAN * usual_deviation, self.prior_frames
        expected = (count * mean + prior * usual) / (count + prior)
        variance = (square + prior * usual_deviation * usual_deviation) / (count + prior)
        # One pair of frames varies more than a mean over many pairs.
        limit = self.gamma * math.sqrt(variance * (1 + 1 / event_frames))
        excess = surprise - expected
        shortest, longest = self.event_frames
        cut = excess > max(limit, limits.least_surprise) and event_frames >= shortest
        if cut:
            far_count = min(far_count + 1, _FAR_EVENTS)
            far_mean += (surprise - far_mean) / far_count
            length += (event_frames - length) / _LENGTHS
        cut = cut or event_frames >= longest
        cut = cut or (self.is_wild(state) and event_frames >= limits.wild_frames)

        least = min(change, last, second_last)
        if self._is_calm(max(change, last), max(usual_mean, mean), event_frames):
            cut = cut or event_frames > _CALM_FRAMES
            usual_mean, usual_count = (change + last) / 2, float(_CALM_FRAMES)
            usual_variance = (_FIRST_SPREAD * usual_mean) ** 2
        elif least > _OTHER_KIND * max(usual_mean, self.surprise_floor):
            usual_mean, usual_count = least, 1.0
            usual_variance = (_FIRST_SPREAD * usual_mean) ** 2
        else:
            weight = max(1 / (usual_count + 1), 1 / self.memory_frames)
            delta = least - usual_mean
            usual_mean += weight * delta
            usual_variance = (1 - weight) * (usual_variance + weight * delta * delta)
            usual_count = min(usual_count + 1, float(self.memory_frames))
        if cut:
            mean, square, count = 0.0, 0.0, 0.0
        else:
            count += 1
            delta = surprise - mean
            mean += delta / count
            square += delta * (surprise - mean)
        return cut, BoundaryState(
            usual_mean, usual_variance, usual_count, mean, square, count, change, last,
            far_mean, far_count, length,
        )  # fmt: skip

    def _is_calm(self, change: float, usual: float, event_frames: int) -> bool:
        """Whether the last two changes, `change` at most, begin a scene much calmer than usual.

        What flickering or noise made usual would hide the short events of the scene after it.
        """
        limit = usual / _OTHER_KIND
        return event_frames >= _CALM_FRAMES and limit > max(change, self.surprise_floor)
