"""One question under way: every memory's window, and the visits of any phrase, computed once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from streammem.core.types import Question
from streammem.query.calibrate import (
    Phrase,
    Scale,
    Strengths,
    read_phrase,
    scale_of,
    strengths,
    trust,
    zero_of,
)
from streammem.query.elsewhere import NOWHERE, Elsewhere, Pool, spread_out
from streammem.query.intents import asks_for_sight, names_speech, spoken_words
from streammem.query.intervals import Spanned
from streammem.query.memories import QueryMemory, QueryOptions
from streammem.query.moments import (
    Moment,
    best_first,
    find_moments,
    in_time_order,
    rank_spans,
)
from streammem.query.ranges import Window, resolve_window
from streammem.query.told import SIGHT_MARGIN, Told, told, within

# Words less like the phrase than this are not even candidates.
NEAR_CONFIDENCE = 0.2
# Candidates of one search that an explanation lists.
MAX_EXPLAINED = 20


@dataclass(frozen=True, slots=True)
class View:
    """One memory as this question sees it."""

    memory: QueryMemory
    window: Window
    scale: Scale


@dataclass(frozen=True, slots=True)
class Visits:
    """Where a phrase is seen, said or written in one memory.

    `found` in time order, `nearest` best first where nothing is strong enough, `confidence` of
    the best one, `known_share` of the phrase's words; `found_share` is how often sight finds what
    the phrase asks for where it is shown.
    """

    found: tuple[Moment, ...]
    nearest: tuple[Moment, ...]
    confidence: float
    known_share: float
    unknown_words: tuple[str, ...]
    found_share: float = 1.0

    @property
    def established_absence(self) -> bool:
        """Whether the phrase was understood wholly and still nothing matches."""
        return not self.found and self.known_share == 1.0

    @property
    def certainty_of_absence(self) -> float:
        """That nothing matches, weighed by how often something would have, had it been shown."""
        return (1.0 - self.confidence) * self.found_share


@dataclass(slots=True)
class Inquiry:
    """A question, the memories it is asked of, and what was computed for it so far."""

    question: Question
    options: QueryOptions
    views: tuple[View, ...]
    elsewhere: Elsewhere = NOWHERE
    _phrases: dict[tuple[str, str], Phrase] = field(default_factory=dict)
    _own: dict[str, list[Strengths]] = field(default_factory=dict)
    _shifted: dict[tuple[str, int], Strengths] = field(default_factory=dict)
    _pools: dict[tuple[str, str], Pool] = field(default_factory=dict)
    searches: list[dict[str, Any]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def open(
        cls,
        question: Question,
        memories: Sequence[QueryMemory],
        options: QueryOptions,
        elsewhere: Elsewhere = NOWHERE,
    ) -> "Inquiry":
        """Resolve the window of every memory; those that hold nothing are left out."""
        views = tuple(
            View(memory, resolve_window(question, memory, options), scale_of(memory.encoder))
            for memory in memories
            if len(memory.snapshot.ids) or memory.cues is not None
        )
        return cls(question, options, views, elsewhere)

    def phrase(self, view: View, text: str) -> Phrase:
        """A text in the space of a view's encoder."""
        key = (view.memory.encoder.spec.digest, text)
        if key not in self._phrases:
            self._phrases[key] = read_phrase(view.memory.encoder, text)
        return self._phrases[key]

    def strengths(self, view: View, text: str) -> Strengths:
        """Strength z of every span for a text, over the background and the other memories."""
        index = next(n for n, other in enumerate(self.views) if other.memory is view.memory)
        if (text, index) not in self._shifted:
            pool = self._pool(view, text)
            shift = pool.shift(self._pooled(index, text))
            self._shifted[text, index] = self._owned(text)[index] - shift
        return self._shifted[text, index]

    def pooled(self, digest: str, text: str) -> list[tuple[View, Strengths]]:
        """What each memory made with one encoder adds to the pool of a text."""
        return [
            (view, self._pooled(place, text))
            for place, view in enumerate(self.views)
            if view.memory.encoder.spec.digest == digest
        ]

    def _owned(self, text: str) -> list[Strengths]:
        """The strengths of a text in each memory, against the background alone."""
        if text not in self._own:
            self._own[text] = [
                strengths(other.memory, self.phrase(other, text)) for other in self.views
            ]
        return self._own[text]

    def _pool(self, view: View, text: str) -> Pool:
        """What all memories of a view's encoder score for a text."""
        digest = view.memory.encoder.spec.digest
        if (digest, text) not in self._pools:
            opened = [part for _, part in self.pooled(digest, text)]
            self._pools[digest, text] = Pool([*opened, *self.elsewhere.strengths_of(digest, text)])
        return self._pools[digest, text]

    def _pooled(self, index: int, text: str) -> Strengths:
        """What one memory adds to the pool: nothing from after the instant that is asked about."""
        view = self.views[index]
        past = view.memory.snapshot.span_start_s < view.window.limit_s
        return spread_out(self._owned(text)[index][past])

    def visits(self, view: View, text: str, window: Window | None = None) -> Visits:
        """Where a text is seen, said or written within a window, by default the question's own."""
        window = window or view.window
        if view.memory.cues is None:
            return self.seen(view, text, window)
        minimum = self.options.min_confidence
        if names_speech(text):
            heard = told(
                view.memory, spoken_words(text), window, view.scale, min_confidence=minimum
            )
            self._explain_told(view, text, window, heard)
            return self._fused(None, heard)
        seen = self.seen(view, text, window)
        # What sight does not wholly understand is a question for words all the more; one that says
        # that it is about what is seen is answered by the very words only.
        margin = SIGHT_MARGIN if seen.known_share == 1.0 else 0.0
        if asks_for_sight(self.question.text):
            margin = 4 * SIGHT_MARGIN
        heard = told(view.memory, text, window, view.scale, min_confidence=minimum, margin=margin)
        self._explain_told(view, text, window, heard)
        return self._fused(seen, heard)

    def _fused(self, seen: Visits | None, heard: Told) -> Visits:
        """Sight and words together, by what the question asks for.

        Surer words go alone before sight that knows only a part of the phrase. Else a question for
        times gets both, unless it asks when something is seen. Numbers, lengths and order are about
        one of them: about what is seen where anything is, else about the words, and in an order
        about the surer.
        """
        near = tuple(item for item in heard.nearest if item.confidence >= NEAR_CONFIDENCE)
        heard = replace(heard, nearest=near)
        words = Visits(heard.found, heard.nearest[: self.options.top_k], heard.confidence, 1.0, ())
        if seen is None or not seen.found:
            if seen is None or heard.found:
                return words
            nearest = best_first((*seen.nearest, *heard.nearest))[: self.options.top_k]
            best = max(seen.confidence, heard.confidence)
            return replace(seen, nearest=tuple(nearest), confidence=best)
        if not heard.found:
            return seen
        if self._misunderstood(seen, heard):
            return words
        if asks_for_sight(self.question.text):
            return seen
        if self.question.intent == "when":
            return replace(
                seen,
                found=tuple(in_time_order((*seen.found, *heard.found))),
                nearest=tuple(best_first((*seen.nearest, *heard.nearest))[: self.options.top_k]),
                confidence=max(seen.confidence, heard.confidence),
            )
        if self.question.intent in {"order", "choose"} and heard.confidence > seen.confidence:
            return words
        return seen

    def _misunderstood(self, seen: Visits, heard: Told) -> bool:
        """Whether words name more surely what sight knows only a part of.

        Something red is no ground for the times of a red ball where words speak of the ball, nor
        is a man for how often he dances. Who asks when it is seen gets the times of sight where
        the words lie within them, and its numbers.
        """
        if seen.known_share == 1.0 or heard.confidence <= seen.confidence:
            return False
        if asks_for_sight(self.question.text):
            asks_when = self.question.intent in {"when", "order"}
            return asks_when and not within(heard.found, seen.found)
        return True

    def step(
        self,
        view: View,
        operator: str,
        text: str,
        spans: Iterable[Spanned] = (),
        value: object = None,
    ) -> None:
        """Note for `--explain` what an operator made of which spans; costs nothing otherwise."""
        if not self.options.explain:
            return
        self.steps.append(
            {
                "memory_id": view.memory.memory_id,
                "operator": operator,
                "text": text,
                "spans": [[round(item.start_s, 3), round(item.end_s, 3)] for item in spans],
                "value": value,
            }
        )

    def seen(self, view: View, text: str, window: Window) -> Visits:
        """Where a text is seen within a window."""
        phrase = self.phrase(view, text)
        factor = trust(phrase)
        values = self.strengths(view, text)
        found: list[Moment] = []
        if window.inside and window.end_s >= window.start_s and factor > 0:
            found = find_moments(
                view.memory,
                values,
                window,
                view.scale,
                min_confidence=self.options.min_confidence,
                trust=factor,
            )
        nearest = best_first(found) if found else self._nearest(view, values, window, factor)
        self._explain(view, phrase, window, found or nearest, found=bool(found))
        return Visits(
            found=tuple(found),
            nearest=tuple(nearest[: self.options.top_k]),
            confidence=nearest[0].confidence if nearest else 0.0,
            known_share=phrase.known_share,
            unknown_words=phrase.unknown_words,
            found_share=phrase.found_share,
        )

    def _nearest(
        self, view: View, values: Strengths, window: Window, factor: float
    ) -> list[Moment]:
        if not window.inside or factor <= 0:
            return []
        return best_first(rank_spans(view.memory, values, window, view.scale, trust=factor))

    def _explain(
        self, view: View, phrase: Phrase, window: Window, moments: Sequence[Moment], *, found: bool
    ) -> None:
        """Note for `--explain` how a phrase was scored in a window and what came of it."""
        if not self.options.explain:
            return
        zero = zero_of(view.memory.encoder, phrase)
        factor = trust(phrase)
        wanted = self.options.min_confidence
        self.searches.append(
            {
                "memory_id": view.memory.memory_id,
                "phrase": phrase.text,
                "in": "pictures",
                "window_s": [window.start_s, window.end_s],
                "unknown_words": list(phrase.unknown_words),
                "trust": round(factor, 3),
                "found_share": round(phrase.found_share, 3),
                "zero": None if zero is None else [round(part, 4) for part in zero],
                "shift_z": round(self._shift_of(view, phrase.text), 3),
                "needed_z": round(view.scale.strength(wanted / factor), 3)
                if 0 < wanted < factor
                else None,
                "found": found,
                "candidates": _listed(moments),
            }
        )

    def _shift_of(self, view: View, text: str) -> float:
        """By how much the other memories asked raise the zero of a text."""
        index = next(n for n, other in enumerate(self.views) if other.memory is view.memory)
        own, moved = self._own[text][index], self._shifted[text, index]
        return float(own[0] - moved[0]) if len(own) else 0.0

    def _explain_told(self, view: View, text: str, window: Window, heard: Told) -> None:
        """Note for `--explain` which words of the memory fit a phrase."""
        if not self.options.explain:
            return
        self.searches.append(
            {
                "memory_id": view.memory.memory_id,
                "phrase": text,
                "in": "words",
                "window_s": [window.start_s, window.end_s],
                "found": bool(heard.found),
                "candidates": _listed(heard.found or heard.nearest),
            }
        )


def _listed(moments: Sequence[Moment]) -> list[dict[str, Any]]:
    """Moments with what decides about them, as many as anybody reads."""
    return [
        {
            "start_s": round(moment.start_s, 3),
            "end_s": round(moment.end_s, 3),
            "z": round(moment.strength, 3),
            "confidence": round(moment.confidence, 4),
            "channel": moment.channel.value,
            "text": moment.text,
        }
        for moment in moments[:MAX_EXPLAINED]
    ]
