"""Probabilities of speech, one a hop, turned into spans of speech with hysteresis."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from streammem.audio.options import HOP_S
from streammem.audio.packed import packed, unpacked


@dataclass(frozen=True, slots=True)
class SpanRules:
    """When speech begins and ends.

    It begins at a hop of probability `enter` and lasts while hops reach `leave`, over pauses up to
    `longest_pause_s`. What is shorter than `shortest_s` is no speech; after `longest_s` a span is
    cut where speech is least likely in its last third. Both ends get `pad_s` more.
    """

    enter: float = 0.5
    leave: float = 0.2
    shortest_s: float = 0.25
    longest_pause_s: float = 0.8
    longest_s: float = 28.0
    pad_s: float = 0.1


@dataclass(frozen=True, slots=True)
class HopSpan:
    """A half-open stretch of hops in which somebody speaks, with the mean probability."""

    start: int
    end: int
    confidence: float


class SpeechSpans:
    """Finds the spans of a stretch of sound whose hops are counted from 0."""

    def __init__(self, rules: SpanRules | None = None) -> None:
        rules = rules or SpanRules()
        self._rules = rules
        self._shortest = round(rules.shortest_s / HOP_S)
        self._pause = round(rules.longest_pause_s / HOP_S)
        self._longest = round(rules.longest_s / HOP_S)
        self._pad = round(rules.pad_s / HOP_S)
        self._hop = 0
        self._said_to = 0
        # Of the open span: where it begins, the last hop with speech, all its probabilities.
        self._start: int | None = None
        self._last = 0
        self._probabilities: list[float] = []

    @property
    def open_from(self) -> int | None:
        """The first hop of a span that is not finished, None outside of speech."""
        return None if self._start is None else max(self._said_to, self._start - self._pad)

    def add(self, probabilities: Iterable[float]) -> list[HopSpan]:
        """The spans that further hops finish."""
        finished: list[HopSpan] = []
        for probability in probabilities:
            self._step(float(np.float32(probability)), finished)
            self._hop += 1
        return finished

    def close(self) -> list[HopSpan]:
        """The span that was open at the end of the stretch."""
        finished: list[HopSpan] = []
        self._finish(finished, min(self._last + 1 + self._pad, self._hop))
        return finished

    def state(self) -> dict[str, Any]:
        """All that matters for what follows, as plain JSON."""
        return {
            "hop": self._hop,
            "said_to": self._said_to,
            "start": self._start,
            "last": self._last,
            "probabilities": packed(np.array(self._probabilities, np.float32)),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` gave."""
        self._hop, self._said_to = state["hop"], state["said_to"]
        self._start, self._last = state["start"], state["last"]
        self._probabilities = unpacked(state["probabilities"]).tolist()

    def _step(self, probability: float, finished: list[HopSpan]) -> None:
        if self._start is None:
            if probability >= self._rules.enter:
                self._start = self._last = self._hop
                self._probabilities = [probability]
            return
        self._probabilities.append(probability)
        if probability >= self._rules.leave:
            self._last = self._hop
        if self._hop - self._last >= self._pause:
            self._finish(finished, self._last + 1 + self._pad)
        elif self._hop + 1 - self._start >= self._longest:
            self._cut(finished)

    def _finish(self, finished: list[HopSpan], end: int) -> None:
        start = self._start
        if start is not None and self._last + 1 - start >= self._shortest:
            finished.append(self._span(self._last + 1 - start, end))
        self._start, self._probabilities = None, []

    def _cut(self, finished: list[HopSpan]) -> None:
        assert self._start is not None
        tail = len(self._probabilities) // 3
        quiet = self._probabilities[-tail:]
        length = len(self._probabilities) - tail + quiet.index(min(quiet))
        finished.append(self._span(length, self._start + length))
        self._start += length
        self._probabilities = self._probabilities[length:]

    def _span(self, length: int, end: int) -> HopSpan:
        heard = self._probabilities[:length]
        begins = self.open_from
        assert begins is not None
        self._said_to = end
        return HopSpan(begins, end, sum(heard) / len(heard))
