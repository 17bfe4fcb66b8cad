"""What there is to hear besides words: tags of a stretch of sound as cues."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import numpy as np

from streammem.audio.options import BLOCK_HOPS, BLOCK_SAMPLES, HOP_SAMPLES
from streammem.audio.sound_kind import BlockSound
from streammem.audio.sound_tags import SoundTagger, TagRules, TagSpan, TagSpans
from streammem.core.types import Channel, Cue, Floats

MUSIC: Final = "music"
LOUD: Final = "loud sound"
SPEECH: Final = "speech"
# Told by other means, and far better.
_NOT_TOLD: Final = frozenset({"Silence"})
_TOLD_BY_VOICE: Final = frozenset({"Speech", "Conversation", "Narration, monologue"})
_LEAST_SCORE: Final = 0.1
# A voice is no sudden noise.
_SPEAKING: Final = 0.3
# Spans up to a second are cut to where they are within 20 dB of their loudest hop.
_TIGHT_SAMPLES: Final = 2 * BLOCK_SAMPLES
_TIGHT_BLOCKS: Final = 8
_TIGHT_DB: Final = 20.0
_MUSIC_RULES: Final = TagRules(enter=0.5, leave=0.33, sure=2.0, shortest=4, longest_pause=4)
_LOUD_RULES: Final = TagRules(enter=1.0, leave=1.0, longest_pause=1)
_SPEECH_RULES: Final = TagRules(enter=0.6, leave=0.35, sure=2.0, shortest=3, longest_pause=3)

TimeOf = Callable[[int], float]


class SoundCues:
    """Follows the tags of one stretch; what it needs no weights for, and a tagger's where given."""

    def __init__(self, tagger: SoundTagger | None, *, voice: bool) -> None:
        self._tagger = tagger
        self._voice = voice
        self._kinds = {LOUD: TagSpans(_LOUD_RULES)}
        if tagger is None:
            self._kinds[MUSIC] = TagSpans(_MUSIC_RULES)
        if not voice:
            self._kinds[SPEECH] = TagSpans(_SPEECH_RULES)
        # A verdict is about the middle of what was looked at, which lies before the block's.
        self._late = {LOUD: 0, MUSIC: 3 * BLOCK_SAMPLES // 2, SPEECH: 3 * BLOCK_SAMPLES // 2}
        self._tags = TagSpans() if tagger is not None else None
        window = tagger.window_samples if tagger is not None else 0
        self._tags_late = max(0, window - BLOCK_SAMPLES) // 2
        self._levels: deque[Floats] = deque(maxlen=_TIGHT_BLOCKS)
        self._taken = 0

    @property
    def window_samples(self) -> int:
        """How many samples up to a block's end the tagger looks at, 0 without one."""
        return self._tagger.window_samples if self._tagger is not None else 0

    def recall(self, block: BlockSound, taken: int) -> None:
        """Take the levels of a block, which is the last of `taken`."""
        self._levels.append(block.levels_dbfs)
        self._taken = taken

    def add(self, block: BlockSound, speaking: float, window: Floats, time_s: TimeOf) -> list[Cue]:
        """Cues that end with a block in which speech has the probability `speaking` at most."""
        self.recall(block, self._taken + 1)
        scores = {
            LOUD: block.loud if speaking < _SPEAKING else 0.0,
            MUSIC: block.music,
            SPEECH: block.voice,
        }
        cues: list[Cue] = []
        for label, spans in self._kinds.items():
            ended = spans.add([(label, scores[label])])
            cues += self._cues(ended, self._late[label], time_s)
        if self._tagger is not None and self._tags is not None:
            tags = [] if block.silent else self._tagged(self._tagger, window)
            cues += self._cues(self._tags.add(tags), self._tags_late, time_s)
        return cues

    def close(self, time_s: TimeOf) -> list[Cue]:
        """Cues that were still going on at the end of the stretch."""
        cues: list[Cue] = []
        for label, spans in self._kinds.items():
            cues += self._cues(spans.close(), self._late[label], time_s)
        if self._tags is not None:
            cues += self._cues(self._tags.close(), self._tags_late, time_s)
        return cues

    def state(self) -> dict[str, Any]:
        """All that matters for what follows, as plain JSON."""
        return {
            "kinds": {label: spans.state() for label, spans in self._kinds.items()},
            "tags": self._tags.state() if self._tags is not None else None,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` gave."""
        for label, spans in self._kinds.items():
            if label in state["kinds"]:
                spans.restore(state["kinds"][label])
        if self._tags is not None and state["tags"] is not None:
            self._tags.restore(state["tags"])

    def _tagged(self, tagger: SoundTagger, window: Floats) -> Iterable[tuple[str, float]]:
        left_out = _NOT_TOLD | _TOLD_BY_VOICE if self._voice else _NOT_TOLD
        scores = tagger.scores(window).tolist()
        return [
            (label, score)
            for label, score in zip(tagger.labels, scores, strict=True)
            if score >= _LEAST_SCORE and label not in left_out
        ]

    def _cues(self, spans: list[TagSpan], late: int, time_s: TimeOf) -> list[Cue]:
        """Cues of spans that were noticed late; what reaches the last block lasts to the end."""
        cues = []
        for span in spans:
            start = max(0, span.start * BLOCK_SAMPLES - late)
            end = span.end * BLOCK_SAMPLES - (0 if span.end == self._taken else late)
            start, end = self._tightened(start, end)
            confidence = min(1.0, span.confidence)
            times_s = time_s(start), time_s(end)
            cues.append(Cue(*times_s, span.label, Channel.SOUND, confidence))
        return cues

    def _tightened(self, start: int, end: int) -> tuple[int, int]:
        """A short span without the quiet before and after it: a bark is shorter than a window."""
        first = (self._taken - len(self._levels)) * BLOCK_HOPS
        hops = slice(start // HOP_SAMPLES - first, -(-end // HOP_SAMPLES) - first)
        if hops.start < 0 or end - start > _TIGHT_SAMPLES:
            return start, end
        levels = np.concatenate(self._levels)[hops]
        (loud,) = np.nonzero(levels > levels.max() - _TIGHT_DB)
        begins, ends = (hops.start + first + hop for hop in (loud[0], loud[-1] + 1))
        return max(start, int(begins) * HOP_SAMPLES), min(end, int(ends) * HOP_SAMPLES)
