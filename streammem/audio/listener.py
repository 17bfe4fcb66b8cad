"""Chunks of samples in, cues out: the one object through which a stream is heard."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np

from streammem.audio.ears import Ears
from streammem.audio.options import (
    BLOCK_S,
    BLOCK_SAMPLES,
    SAMPLE_RATE_HZ,
    HearingReport,
    ListenOptions,
    ListenState,
)
from streammem.audio.sound_kind import SILENCE_DBFS, BlockSound
from streammem.audio.stretch import Stretch
from streammem.core.errors import UsageError
from streammem.core.types import AudioChunk, Channel, Cue, Floats

_HALF_SAMPLE_S = 0.5 / SAMPLE_RATE_HZ
_OTHER_EARS = "sound is heard with other models from here on than before"


class Listener:
    """Hears one stream: speech, music, sudden noise and what a tagger names.

    Chunks may be of any length; the cues do not depend on how the sound was cut. A hole in the
    times ends everything that was going on. A listener made with a `state` and fed the samples from
    its `resume_s` on says exactly what an undisturbed one would have said after the cues that were
    returned until then. It never raises because a model is missing: see `report().notes`.

    Raises:
        UsageError: the state was written by another version.
    """

    def __init__(
        self, options: ListenOptions | None = None, state: ListenState | None = None
    ) -> None:
        self._options = options or ListenOptions()
        self._ears = Ears(self._options)
        self._identity = self._ears.identity()
        self._stretch: Stretch | None = None
        self._pending: list[Floats] = []
        self._pending_samples = 0
        self._totals = _Totals()
        # The state that is given out, and how many cues there were since.
        self._kept: dict[str, Any] | None = None
        self._kept_from_s: float | None = None
        self._since = 0
        # A resumed listener recalls some blocks and repeats some cues before it says anything new.
        self._resume_s: float | None = None
        self._recall = 0
        self._repeats = 0
        if state is not None and state.resume_s is not None:
            self._restore(state.resume_s, state.data)

    def identity(self) -> dict[str, str | None]:
        """What decides what is heard, as plain JSON; belongs into the memory's settings."""
        return dict(self._identity)

    @property
    def transcribes(self) -> bool:
        """Whether speech becomes text; else cues only say that somebody speaks."""
        return self._ears.transcribes

    def feed(self, chunk: AudioChunk) -> list[Cue]:
        """The cues that became ready with a chunk.

        Raises:
            UsageError: the chunk has another sample rate than 16 kHz, or a resumed listener was not
                fed from `resume_s` on.
        """
        if chunk.sample_rate_hz != SAMPLE_RATE_HZ:
            raise UsageError(
                f"sound of {chunk.sample_rate_hz} Hz cannot be heard",
                hint=f"read it at {SAMPLE_RATE_HZ} Hz",
            )
        samples = chunk.samples
        if not len(samples):
            return []
        cues: list[Cue] = []
        if self._resume_s is not None:
            samples = self._from_resume(chunk, self._resume_s)
        elif self._stretch is None:
            self._begin(chunk.pts_s)
        elif abs(chunk.pts_s - self._next_s(self._stretch)) > _HALF_SAMPLE_S:
            cues += self._finish()
            self._begin(chunk.pts_s)
        self._pending.append(samples)
        self._pending_samples += len(samples)
        if self._pending_samples >= BLOCK_SAMPLES:
            held = np.concatenate(self._pending)
            whole = len(held) - len(held) % BLOCK_SAMPLES
            for at in range(0, whole, BLOCK_SAMPLES):
                cues += self._hear(held[at : at + BLOCK_SAMPLES])
            self._pending, self._pending_samples = [held[whole:]], len(held) - whole
        return cues

    def close(self) -> list[Cue]:
        """The cues that were still going on; what is fed afterwards is a new stretch."""
        return self._finish()

    def state(self) -> ListenState:
        """Where to go on after everything that was returned so far."""
        if self._kept is None:
            return ListenState(None)
        return ListenState(self._kept_from_s, {**self._kept, "since": self._since})

    def report(self) -> HearingReport:
        """What was heard so far."""
        totals = self._totals
        return HearingReport(
            heard_s=totals.heard / SAMPLE_RATE_HZ,
            silent_s=totals.silent / SAMPLE_RATE_HZ,
            speech_s=totals.speech_s,
            loudness_dbfs=10 * math.log10(totals.power / totals.hops) if totals.hops else None,
            cues=dict(totals.cues),
            notes=tuple(self._ears.notes),
        )

    def _begin(self, origin_s: float) -> None:
        sound, language = self._options.sound, self._options.language
        self._stretch = Stretch(self._ears, language, sound=sound, origin_s=origin_s)
        self._keep_state(self._stretch)

    def _next_s(self, stretch: Stretch) -> float:
        """When the next sample is expected."""
        samples = (stretch.blocks - self._recall) * BLOCK_SAMPLES + self._pending_samples
        return stretch.origin_s + samples / SAMPLE_RATE_HZ

    def _hear(self, block: Floats, length: int = BLOCK_SAMPLES) -> list[Cue]:
        assert self._stretch is not None
        if self._recall:
            self._stretch.recall(_usable(block))
            self._recall -= 1
            return []
        seen, cues = self._stretch.hear(_usable(block), length)
        self._totals.count(seen, length)
        told = self._say(cues)
        if length == BLOCK_SAMPLES:
            self._keep_state(self._stretch)
        return told

    def _finish(self) -> list[Cue]:
        """The cues of a stretch that ends here, its last, partly filled block included."""
        if self._stretch is None:
            return []
        cues: list[Cue] = []
        if self._pending_samples:
            rest = np.concatenate(self._pending)
            filled = np.zeros(BLOCK_SAMPLES, np.float32)
            filled[: len(rest)] = rest
            cues += self._hear(filled, len(rest))
        cues += self._say(self._stretch.close())
        self._stretch, self._pending, self._pending_samples = None, [], 0
        return cues

    def _say(self, cues: list[Cue]) -> list[Cue]:
        """The cues that were not said before the interruption; all are counted."""
        for cue in cues:
            self._totals.tell(cue)
        self._since += len(cues)
        repeated = min(self._repeats, len(cues))
        self._repeats -= repeated
        return cues[repeated:]

    def _keep_state(self, stretch: Stretch) -> None:
        self._kept = {
            "ears": self._identity,
            "stretch": stretch.state(),
            "totals": self._totals.state(),
        }
        self._kept_from_s = stretch.origin_s + stretch.recalled_from * BLOCK_S
        self._since = 0

    def _restore(self, resume_s: float, data: Mapping[str, Any]) -> None:
        told = data["stretch"]
        self._begin(told["origin_s"])
        assert self._stretch is not None
        self._stretch.restore(told)
        self._totals = _Totals.from_state(data["totals"])
        self._keep_state(self._stretch)
        self._resume_s = resume_s
        self._recall = self._stretch.blocks - self._stretch.recalled_from
        self._repeats = data["since"]
        if data["ears"] != self._identity:
            self._ears.notes.append(_OTHER_EARS)

    def _from_resume(self, chunk: AudioChunk, resume_s: float) -> Floats:
        """The samples at and behind the place where a resumed listener goes on."""
        skipped = round((resume_s - chunk.pts_s) * SAMPLE_RATE_HZ)
        if skipped < 0:
            raise UsageError(
                f"the sound goes on at {chunk.pts_s:.3f} s instead of {resume_s:.3f} s",
                hint="feed a resumed listener from the `resume_s` of its state on",
            )
        if skipped < len(chunk.samples):
            self._resume_s = None
        return chunk.samples[skipped:]


def _usable(block: Floats) -> Floats:
    """Samples in [-1, 1]: one that is no number would make a model deaf for good."""
    return np.clip(np.nan_to_num(block, nan=0.0), -1.0, 1.0)


@dataclass(slots=True)
class _Totals:
    """Sums over what was heard: samples, hops that were not silent with their power, cues."""

    heard: int = 0
    silent: int = 0
    hops: int = 0
    power: float = 0.0
    speech_s: float = 0.0
    cues: Counter[str] = field(default_factory=Counter)

    def count(self, seen: BlockSound, length: int) -> None:
        """Add a block of which `length` samples are real."""
        self.heard += length
        if seen.silent:
            self.silent += length
        loud = seen.levels_dbfs[seen.levels_dbfs >= SILENCE_DBFS].astype(np.float64)
        self.hops += len(loud)
        self.power += float((10 ** (loud / 10)).sum())

    def tell(self, cue: Cue) -> None:
        """Add a cue."""
        self.cues[cue.channel.value] += 1
        if cue.channel is Channel.SPEECH:
            self.speech_s += cue.end_s - cue.start_s

    def state(self) -> dict[str, Any]:
        """Plain JSON of the sums."""
        return {**asdict(self), "cues": dict(self.cues)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The sums that `state` wrote."""
        return cls(**{**state, "cues": Counter(state["cues"])})
