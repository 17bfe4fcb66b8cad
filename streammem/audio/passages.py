"""Spans of speech as cues: collected into passages that a transcriber takes in one go."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from streammem.audio.options import HOP_S
from streammem.audio.speech_spans import HopSpan
from streammem.audio.transcript import SpeechPart, SpokenLine, Transcriber, Transcript, stream_times
from streammem.core.types import Channel, Cue, Floats

# Whisper takes windows of 30 s, each at the same cost, so that short spans share one.
PASSAGE_HOPS = round(28.8 / HOP_S)
# After this much without speech a passage is transcribed, however short it is.
JOINED_HOPS = round(3.0 / HOP_S)
SURE_OF_LANGUAGE = 0.5


@dataclass(frozen=True, slots=True)
class Heard:
    """The sound that passages lie in: its time line and its samples.

    `time_s` gives the time of a hop's beginning, `samples` those between two hops.
    """

    time_s: Callable[[int], float]
    samples: Callable[[int, int], Floats]


class Passages:
    """Collects spans and turns them into cues of the channel `speech`.

    `transcriber` gives the transcriber at the time it is needed, None for no transcripts;
    `collects` is whether spans wait for each other.
    """

    def __init__(
        self, transcriber: Callable[[], Transcriber | None], language: str | None, *, collects: bool
    ) -> None:
        self._transcriber = transcriber
        self._given = language
        self._collects = collects
        self._language: str | None = None
        self._waiting: list[HopSpan] = []

    @property
    def open_from(self) -> int | None:
        """The first hop whose samples are still needed, None where none are."""
        return self._waiting[0].start if self._waiting else None

    def add(self, spans: list[HopSpan], hop: int, open_from: int | None, heard: Heard) -> list[Cue]:
        """Cues that are ready at `hop`, where speech goes on since `open_from` (None: silence)."""
        cues: list[Cue] = []
        for span in spans:
            if self._waiting and not self._fits(span):
                cues += self.close(heard)
            self._waiting.append(span)
        quiet_from = self._waiting[-1].end if self._waiting else hop
        quiet_to = hop if open_from is None else open_from
        if self._waiting and (not self._collects or quiet_to - quiet_from > JOINED_HOPS):
            cues += self.close(heard)
        return cues

    def close(self, heard: Heard) -> list[Cue]:
        """Cues of all spans that wait."""
        spans, self._waiting = self._waiting, []
        transcriber = self._transcriber() if spans and self._collects else None
        if transcriber is None:
            return [_untold(span, heard) for span in spans]
        parts, offset = [], 0
        for span in spans:
            start_s, end_s = heard.time_s(span.start), heard.time_s(span.end)
            parts.append(SpeechPart(offset * HOP_S, start_s, end_s))
            offset += span.end - span.start
        speech = np.concatenate([heard.samples(span.start, span.end) for span in spans])
        told = self._transcribe(transcriber, speech)
        cues = [_told(line, told, parts) for line in told.lines]
        begun_s = [start_s for cue in cues for start_s, _ in cue.word_times_s]
        for span, part in zip(spans, parts, strict=True):
            if not any(part.start_s <= start_s <= part.end_s for start_s in begun_s):
                cues.append(_untold(span, heard))
        return sorted(cues, key=lambda cue: cue.start_s)

    def state(self) -> dict[str, Any]:
        """All that matters for what follows, as plain JSON."""
        waiting = [[span.start, span.end, span.confidence] for span in self._waiting]
        return {"waiting": waiting, "language": self._language}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` gave."""
        self._waiting = [HopSpan(*span) for span in state["waiting"]]
        self._language = state["language"]

    def _fits(self, span: HopSpan) -> bool:
        told = sum(one.end - one.start for one in self._waiting)
        near = span.start - self._waiting[-1].end <= JOINED_HOPS
        return near and told + span.end - span.start <= PASSAGE_HOPS

    def _transcribe(self, transcriber: Transcriber, speech: Floats) -> Transcript:
        """The words, in the language given, the one heard, or in doubt the one heard before."""
        told = transcriber.transcribe(speech, self._given)
        if self._given is None and told.language_probability >= SURE_OF_LANGUAGE:
            self._language = told.language
        elif self._given is None and self._language not in (None, told.language):
            told = transcriber.transcribe(speech, self._language)
        return told


def _untold(span: HopSpan, heard: Heard) -> Cue:
    start_s, end_s = heard.time_s(span.start), heard.time_s(span.end)
    return Cue(start_s, end_s, "", Channel.SPEECH, min(1.0, span.confidence))


def _told(line: SpokenLine, told: Transcript, parts: list[SpeechPart]) -> Cue:
    times = tuple(stream_times(parts, word) for word in line.words)
    return Cue(
        start_s=times[0][0],
        end_s=max(times[0][0] + HOP_S, *(end_s for _, end_s in times)),
        text=line.text,
        channel=Channel.SPEECH,
        confidence=min(1.0, max(0.0, line.confidence)),
        language=told.language if told.language_probability >= SURE_OF_LANGUAGE else None,
        word_times_s=times,
    )
