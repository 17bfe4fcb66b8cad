"""One stretch of sound without a hole, heard block by block."""

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from streammem.audio.ears import Ears
from streammem.audio.options import BLOCK_HOPS, BLOCK_SAMPLES, HOP_SAMPLES, SAMPLE_RATE_HZ
from streammem.audio.passages import Heard, Passages
from streammem.audio.sound_cues import SoundCues
from streammem.audio.sound_kind import MEMORY_BLOCKS, BlockSound, SoundKind
from streammem.audio.speech_spans import SpeechSpans
from streammem.core.types import Cue, Floats


class Stretch:
    """Hears the samples behind `origin_s`, in blocks of 0.48 s counted from 0."""

    def __init__(self, ears: Ears, language: str | None, *, sound: bool, origin_s: float) -> None:
        self.origin_s = origin_s
        self.blocks = 0
        self._voice = ears.voice
        if self._voice is not None:
            self._voice.reset()
        self._spans = SpeechSpans()
        self._passages = Passages(ears.transcriber, language, collects=ears.transcribes)
        self._kind = SoundKind()
        self._sound = SoundCues(ears.tagger, voice=ears.voice is not None) if sound else None
        # The latest blocks, how many were taken in all, and where the sound ends in samples.
        self._audio: deque[Floats] = deque()
        self._taken = 0
        self._end = 0
        self._heard = Heard(lambda hop: self.time_s(hop * HOP_SAMPLES), self._between_hops)

    @property
    def recalled_from(self) -> int:
        """The first block that has to be recalled before the stretch can be resumed here.

        What is not finished needs its samples, and the kind of sound those of some seconds.
        """
        hops = (self._passages.open_from, self._spans.open_from)
        needed = (hop // BLOCK_HOPS for hop in hops if hop is not None)
        return max(0, min([self.blocks - MEMORY_BLOCKS, *needed]))

    def time_s(self, sample: int) -> float:
        """The time of a sample, which is moved into the stretch where it lies outside."""
        return self.origin_s + min(max(0, sample), self._end) / SAMPLE_RATE_HZ

    def recall(self, block: Floats) -> None:
        """Take a block that was heard before the stretch was interrupted, to know its samples."""
        self._take(block, BLOCK_SAMPLES)
        seen = self._kind.look(block)
        if self._sound is not None:
            self._sound.recall(seen, self._taken)

    def hear(self, block: Floats, length: int = BLOCK_SAMPLES) -> tuple[BlockSound, list[Cue]]:
        """What a block of samples sounds like, and the cues that are ready with it.

        The last block of a stretch is filled up with zeros behind `length` samples.
        """
        self._take(block, length)
        seen = self._kind.look(block)
        cues: list[Cue] = []
        speaking = 0.0
        if self._voice is not None:
            likely = self._voice.probabilities(block)
            speaking = float(likely.max())
            spans = self._spans.add(likely.tolist())
            hop = self._taken * BLOCK_HOPS
            cues += self._passages.add(spans, hop, self._spans.open_from, self._heard)
        if self._sound is not None:
            window = self._latest(self._sound.window_samples)
            cues += self._sound.add(seen, speaking, window, self.time_s)
        self.blocks += 1
        self._forget()
        return seen, cues

    def close(self) -> list[Cue]:
        """The cues that were going on at the end."""
        cues = self._passages.add(self._spans.close(), self._taken * BLOCK_HOPS, None, self._heard)
        cues += self._passages.close(self._heard)
        if self._sound is not None:
            cues += self._sound.close(self.time_s)
        return cues

    def state(self) -> dict[str, Any]:
        """All that matters for what follows, as plain JSON."""
        return {
            "origin_s": self.origin_s,
            "blocks": self.blocks,
            "voice": self._voice.state() if self._voice is not None else None,
            "spans": self._spans.state(),
            "passages": self._passages.state(),
            "sound": self._sound.state() if self._sound is not None else None,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Stand where `state` was taken; the blocks from `recalled_from` on are recalled next."""
        self.blocks = state["blocks"]
        self._spans.restore(state["spans"])
        self._passages.restore(state["passages"])
        self._taken = self.recalled_from
        self._end = self._taken * BLOCK_SAMPLES
        if self._voice is not None and state["voice"] is not None:
            self._voice.restore(state["voice"])
        if self._sound is not None and state["sound"] is not None:
            self._sound.restore(state["sound"])

    def _take(self, block: Floats, length: int) -> None:
        self._end = self._taken * BLOCK_SAMPLES + length
        self._audio.append(block)
        self._taken += 1

    def _forget(self) -> None:
        kept_from = self.recalled_from
        while self._taken - len(self._audio) < kept_from:
            self._audio.popleft()

    def _latest(self, samples: int) -> Floats:
        """The last samples of what was taken, with zeros before the beginning."""
        blocks = -(-samples // BLOCK_SAMPLES)
        heard = list(self._audio)[-blocks:] if blocks else []
        missing = np.zeros(max(0, samples - len(heard) * BLOCK_SAMPLES), np.float32)
        whole = np.concatenate([missing, *heard])
        return whole[len(whole) - samples :]

    def _between_hops(self, start: int, end: int) -> Floats:
        first = self._taken - len(self._audio)
        blocks = list(self._audio)[start // BLOCK_HOPS - first : -(-end // BLOCK_HOPS) - first]
        begins = start // BLOCK_HOPS * BLOCK_SAMPLES
        ends = min(end * HOP_SAMPLES, self._end)
        return np.concatenate(blocks)[start * HOP_SAMPLES - begins : ends - begins]
