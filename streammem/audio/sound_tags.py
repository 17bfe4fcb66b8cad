"""Tags of short windows of sound, merged into spans with hysteresis; the tagger's contract."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from streammem.core.types import Floats


class SoundTagger(Protocol):
    """A classifier of short windows of sound with named tags.

    `id` names model and weights, `labels` its tags in the order of the scores, `window_samples` the
    length of what it looks at (at 16 kHz).
    """

    id: str
    labels: tuple[str, ...]
    window_samples: int

    def scores(self, window: Floats) -> Floats:
        """Scores in [0, 1], float32 `[labels]`, of samples `[window_samples]`."""


@dataclass(frozen=True, slots=True)
class TagRules:
    """When a tag's span begins and ends, in blocks of 0.48 s.

    It begins at score `enter`, lasts while the score reaches `leave`, over at most `longest_pause`
    blocks without it, and is cut after `longest` blocks. What is shorter than `shortest` is dropped
    unless the score once reached `sure`.
    """

    enter: float = 0.45
    leave: float = 0.2
    sure: float = 0.45
    shortest: int = 1
    longest_pause: int = 2
    longest: int = 625


@dataclass(frozen=True, slots=True)
class TagSpan:
    """A half-open stretch of blocks with one tag and the highest score in it."""

    label: str
    start: int
    end: int
    confidence: float


class TagSpans:
    """Follows every tag of a stretch of sound whose blocks are counted from 0."""

    def __init__(self, rules: TagRules | None = None) -> None:
        self._rules = rules or TagRules()
        self._block = 0
        # Of each open tag: first block, last block with it, highest score.
        self._open: dict[str, tuple[int, int, float]] = {}

    def add(self, scores: Iterable[tuple[str, float]]) -> list[TagSpan]:
        """The spans that end with a further block; `scores` may leave out tags below `leave`."""
        rules, now = self._rules, self._block
        for label, score in scores:
            known = self._open.get(label)
            if known is not None and score >= rules.leave:
                self._open[label] = (known[0], now, max(known[2], score))
            elif known is None and score >= rules.enter:
                self._open[label] = (now, now, score)
        ended = [
            label
            for label, (start, last, _) in self._open.items()
            if now - last > rules.longest_pause or now + 1 - start >= rules.longest
        ]
        self._block += 1
        return self._finish(ended)

    def close(self) -> list[TagSpan]:
        """The spans that were open at the end of the stretch."""
        return self._finish(list(self._open))

    def state(self) -> dict[str, Any]:
        """All that matters for what follows, as plain JSON."""
        return {"block": self._block, "open": {k: list(v) for k, v in self._open.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` gave."""
        self._block = state["block"]
        self._open = {label: (v[0], v[1], v[2]) for label, v in state["open"].items()}

    def _finish(self, labels: Iterable[str]) -> list[TagSpan]:
        rules, spans = self._rules, []
        for label in labels:
            start, last, score = self._open.pop(label)
            if last + 1 - start >= rules.shortest or score >= rules.sure:
                spans.append(TagSpan(label, start, last + 1, score))
        return sorted(spans, key=lambda span: (span.start, span.label))
