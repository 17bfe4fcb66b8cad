"""Where published systems end an event: pure rules of two cosines and a little state."""

from dataclasses import dataclass
from math import sqrt

from streammem.memory.published.stretches import Arrival, RuleState


@dataclass(frozen=True, slots=True)
class SimilarityRule:
    """A new event where a frame is unlike the one before it, within limits of length.

    Source: InternLM-XComposer2.5-OmniLive (2024, arXiv:2412.09596) and its published program,
    which ends a stretch at a cosine of at most 0.9 with the frame before, after 3 to 16 frames.
    """

    threshold: float = 0.9
    shortest: int = 3
    longest: int = 16

    @property
    def compares(self) -> bool:
        """Frames are compared."""
        return True

    def step(self, state: RuleState, arrival: Arrival) -> tuple[bool, RuleState]:
        """Judge a frame."""
        unlike = arrival.to_last <= self.threshold
        cut = arrival.frames >= self.shortest and (unlike or arrival.frames >= self.longest)
        return cut, state


@dataclass(frozen=True, slots=True)
class DepthRule:
    """A new event where the similarity of neighbours falls deeper than usual below its last peak.

    Source: SceneTilling of VideoLLaMB (Wang and others, 2024, arXiv:2409.01071, section 3.1):
    depth of a valley in the similarity of neighbouring frames, threshold mean + alpha * standard
    deviation of all depths. Deviations: only the left side of a valley counts (their causal
    variant), because the right side is not there yet; mean and deviation are those of the stream
    so far; no limit on the number of events, but one on their length.
    """

    alpha: float = 2.0
    longest: int = 256

    @property
    def compares(self) -> bool:
        """Frames are compared."""
        return True

    def step(self, state: RuleState, arrival: Arrival) -> tuple[bool, RuleState]:
        """Judge a frame; the state is peak, last similarity, count, mean, squared deviations."""
        now = arrival.to_last
        peak, last, count, mean, squares = state or (now, now, 0.0, 0.0, 0.0)
        peak = peak if last >= now else now
        depth = peak - now
        deviation = sqrt(squares / count) if count else 0.0
        cut = count > 1 and depth > mean + self.alpha * deviation
        count += 1
        delta = depth - mean
        mean += delta / count
        squares += delta * (depth - mean)
        return cut or arrival.frames >= self.longest, (peak, now, count, mean, squares)


@dataclass(frozen=True, slots=True)
class SurpriseRule:
    """A new event where surprise exceeds its recent mean by gamma standard deviations.

    Source: EM-LLM (Fountas and others, 2024, arXiv:2407.09450, section 3.2). Deviations: the
    surprise of a frame is one minus its cosine with the mean of the event, in place of the
    negative logarithm of a token's probability; mean and deviation fade with `window` frames
    instead of ending after as many; a frame is much more than a token, so an event may be one
    frame long, not eight tokens (with eight frames no moment of two is ever found); the
    refinement of boundaries by modularity, which all published settings switch off, is left out.
    """

    gamma: float = 1.0
    shortest: int = 1
    longest: int = 128
    window: int = 256

    @property
    def compares(self) -> bool:
        """Frames are compared."""
        return True

    def step(self, state: RuleState, arrival: Arrival) -> tuple[bool, RuleState]:
        """Judge a frame; the state is count, mean and variance of the surprise."""
        surprise = 1 - arrival.to_mean
        count, mean, variance = state or (0.0, 0.0, 0.0)
        cut = count > 1 and surprise > mean + self.gamma * sqrt(variance)
        cut = cut and arrival.frames >= self.shortest
        count = min(count + 1, float(self.window))
        delta = surprise - mean
        mean += delta / count
        variance = (1 - 1 / count) * (variance + delta * delta / count)
        return cut or arrival.frames >= self.longest, (count, mean, variance)
