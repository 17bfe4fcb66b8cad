"""The event keys of all memories of one encoder side by side, and what a text scores on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats, Question
from streammem.encoders.base import Encoder
from streammem.memory.snapshot import MemorySnapshot
from streammem.memory.store import MemoryStore
from streammem.query.calibrate import (
    FAR_OUT,
    Phrase,
    Strengths,
    read_phrase,
    scale_of,
    trust,
    zero_of,
)
from streammem.query.elsewhere import raised_zero, spread_out
from streammem.query.memories import QueryMemory, QueryOptions
from streammem.query.ranges import Window, resolve_window
from streammem.query.rows import FAISS_ROWS, search_rows
from streammem.storage.event_keys import EventKeys

# Beyond exact sums over all rows, so many of the best are looked at first, then more.
_FIRST_LOOK = 8192
# Spans of a very large library that tell what a text usually scores.
_POOLED_SPANS = 65_536
_KEPT_TEXTS = 8
_BLOCK_NUMBERS = 1 << 16

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question's windows over the memories of one encoder: spans `[S]` that count."""

    windows: tuple[Window, ...]
    inside: NDArray[np.bool_]
    past: NDArray[np.bool_]
    limited: bool


@dataclass(frozen=True, slots=True)
class Bounds:
    """For each memory `[N]`: the most and the least confidence, and the most strength."""

    most: Strengths
    least: Strengths
    strength: Strengths


class EncoderRows:
    """Immutable rows of memories made with one encoder, in the order of `keys`."""

    def __init__(self, keys: Sequence[EventKeys], encoder: Encoder) -> None:
        """Take the rows of `keys`; from `FAISS_ROWS` on they are decoded, four bytes a number."""
        self.keys = tuple(keys)
        self.encoder = encoder
        self.place = {key.memory_id: place for place, key in enumerate(self.keys)}
        dim = encoder.spec.dim
        nothing = _empty_snapshot(dim)
        self.light = tuple(_light(key, encoder, nothing) for key in self.keys)
        self.scaled = any(key.scaled for key in self.keys)
        self._rows = _CodedRows(
            np.concatenate([key.codes for key in self.keys]),
            np.concatenate([key.scales for key in self.keys]),
            np.concatenate([key.offsets for key in self.keys]) if self.scaled else None,
        )
        counts = [len(key.first_row) for key in self.keys]
        starts = np.cumsum([0, *(len(key.codes) for key in self.keys)])
        self._first = np.concatenate(
            [key.first_row + start for key, start in zip(self.keys, starts[:-1], strict=True)]
        ).astype(np.int64)
        self.memory = np.repeat(np.arange(len(self.keys)), counts)
        self._row_span = np.repeat(
            np.arange(len(self._first)), np.diff(self._first, append=len(self._rows.codes))
        )
        self.start_s = np.concatenate([key.span_start_s for key in self.keys])
        self.end_s = np.concatenate([key.span_end_s for key in self.keys])
        self._blur = np.concatenate(
            [
                key.blur if len(key.blur) else np.zeros(n)
                for key, n in zip(self.keys, counts, strict=True)
            ]
        )
        self._first_span = np.cumsum([0, *counts])
        self._excess = np.array([key.excess for key in self.keys])
        # A question needs each of its texts, and the strengths of it, a few times.
        self._phrases: dict[str, Phrase] = {}
        self._kept: dict[str, Strengths] = {}
        # Of questions without times the windows are the same.
        self._whole: Asked | None = None
        many = len(self._rows.codes) >= FAISS_ROWS
        self._search = search_rows(self._rows.decoded()) if many else None

    def asked(self, question: Question, options: QueryOptions) -> Asked:
        """Which memories, and which of their spans, a question is about."""
        of_question = (question.start_s, question.end_s, question.relative)
        times = (*of_question, options.start_s, options.end_s, options.at_s)
        if any(time is not None for time in times):
            return self._asked(question, options)
        if self._whole is None:
            self._whole = self._asked(question, options)
        return self._whole

    def _asked(self, question: Question, options: QueryOptions) -> Asked:
        windows = tuple(resolve_window(question, memory, options) for memory in self.light)
        limits = np.array([window.limit_s for window in windows])[self.memory]
        past = self.start_s < limits
        if not any(window.limited for window in windows):
            return Asked(windows, past, past, limited=not bool(past.all()))
        low = np.array([window.start_s for window in windows])[self.memory]
        high = np.array([window.end_s for window in windows])[self.memory]
        inside = past & (self.start_s <= high) & (self.end_s >= low)
        return Asked(windows, inside, past, limited=True)

    def phrase(self, text: str) -> Phrase:
        """A text in the space of the encoder, which may be a slow one."""
        if text not in self._phrases:
            while len(self._phrases) >= _KEPT_TEXTS:
                del self._phrases[next(iter(self._phrases))]
            self._phrases[text] = read_phrase(self.encoder, text)
        return self._phrases[text]

    def strengths(self, phrase: Phrase) -> Strengths:
        """About the strength of each span, `[S]`, over the encoder's background alone."""
        if phrase.text not in self._kept:
            while len(self._kept) >= _KEPT_TEXTS:
                del self._kept[next(iter(self._kept))]
            best = np.maximum.reduceat(self._rows.scores(_unit(phrase)), self._first)
            self._kept[phrase.text] = self._strengths(phrase, best, self._blur)
        return self._kept[phrase.text]

    def pooled(
        self, phrase: Phrase, asked: Asked, closed: NDArray[np.bool_] | None = None
    ) -> list[Strengths]:
        """What memories add to a pool of strengths, evenly spaced spans of each: all, or `closed`.

        Parts of several memories may be one.
        """
        if self._search is None and asked.past.all():
            spans = self._spread
            if closed is not None:
                spans = spans[closed[self.memory[spans]]]
            return [self.strengths(phrase)[spans]]
        parts = self._pooled_apart(phrase, asked)
        return [one for place, one in enumerate(parts) if closed is None or closed[place]]

    @cached_property
    def _spread(self) -> Integers:
        """The spans that every memory adds to a pool where all of its time counts."""
        parts = np.split(np.arange(len(self._first), dtype=np.int64), self._first_span[1:-1])
        return np.concatenate([spread_out(part) for part in parts])

    def _pooled_apart(self, phrase: Phrase, asked: Asked) -> list[Strengths]:
        """The same memory by memory."""
        if self._search is None:
            values, places = self.strengths(phrase), self._first_span[1:-1]
            pasts = np.split(asked.past, places)
            parts = zip(np.split(values, places), pasts, strict=True)
            return [spread_out(part[past]) for part, past in parts]
        spans = np.flatnonzero(asked.past)
        spans = spans[:: max(1, len(spans) // _POOLED_SPANS)]
        rows = np.flatnonzero(np.isin(self._row_span, spans))
        scores = self._rows.at(rows).scores(_unit(phrase))
        firsts = np.flatnonzero(np.diff(self._row_span[rows], prepend=-1))
        values = self._strengths(phrase, np.maximum.reduceat(scores, firsts), self._blur[spans])
        return [values[self.memory[spans] == place] for place in range(len(self.keys))]

    def bounds(self, phrase: Phrase, asked: Asked, wanted: float) -> "Bounds":
        """How much confidence a phrase can have in each memory.

        Of memories that cannot reach `wanted` nothing more may be known than that.
        """
        if self._search is None:
            values = np.where(asked.inside, self.strengths(phrase), -np.inf)
            best = self._best_of_memories(values)
        else:
            best = self._best_found(phrase, asked, wanted)
        zero = zero_of(self.encoder, phrase)
        margin = self._excess / (zero[1] if zero is not None and not self.scaled else 1.0)
        # Every memory's own part of the pool is small where there are many memories.
        best = best - raised_zero(self.pooled(phrase, asked))
        factor, scale = trust(phrase), scale_of(self.encoder)
        seen = np.isfinite(best)
        most, least = (
            np.where(seen, factor * scale.confidences(np.maximum(values, -1e6)), 0.0)
            for values in (best + margin, best - margin)
        )
        return Bounds(most, least, best + margin)

    def _best_of_memories(self, values: Strengths) -> Strengths:
        """The largest value of each memory's spans; none is minus infinity."""
        best = np.full(len(self.keys), -np.inf)
        some = np.flatnonzero(np.diff(self._first_span))
        if some.size:
            best[some] = np.maximum.reduceat(values, self._first_span[some])
        return best

    def _best_found(self, phrase: Phrase, asked: Asked, wanted: float) -> Strengths:
        """The best strength of each memory; below what is wanted, one bound for all."""
        assert self._search is not None
        best = np.full(len(self.keys), -np.inf)
        allowed = asked.inside[self._row_span] if asked.limited else None
        needed_z = scale_of(self.encoder).strength(wanted)
        count = _FIRST_LOOK
        while True:
            scores, rows = self._search.top(self._query(phrase), count, allowed)
            spans = self._row_span[rows]
            found = self._strengths(phrase, scores, np.zeros(len(scores)))
            np.maximum.at(best, self.memory[spans], found)
            if len(rows) < count or found[-1] + self._excess.max() < needed_z:
                break
            count *= 4
        return np.maximum(best, float(found[-1])) if len(rows) == count else best

    def _query(self, phrase: Phrase) -> Floats:
        unit = _unit(phrase)
        # A last one in the query adds the offsets, where there are any.
        return np.append(unit, np.float32(1.0)) if self.scaled else unit

    def _strengths(self, phrase: Phrase, scores: Floats, variance: Strengths) -> Strengths:
        zero = zero_of(self.encoder, phrase)
        wide = scores.astype(np.float64)
        if self.scaled or zero is None:
            return wide
        mean, deviation = zero
        blur = np.sqrt(1 + variance / deviation**2) - 1
        result: Strengths = (wide - mean) / deviation - FAR_OUT * blur
        return result


@dataclass(frozen=True, slots=True)
class _CodedRows:
    """Rows as the index has them: codes `[R D]`, scales `[R]`, offsets `[R]` or None."""

    codes: NDArray[np.int8]
    scales: Floats
    offsets: Floats | None

    def at(self, rows: Integers) -> "_CodedRows":
        """Some of the rows."""
        offsets = None if self.offsets is None else self.offsets[rows]
        return _CodedRows(self.codes[rows], self.scales[rows], offsets)

    def decoded(self) -> Floats:
        """The rows as numbers, offsets in a last column where there are any."""
        rows: Floats = self.codes.astype(np.float32)
        rows *= self.scales[:, None]
        return rows if self.offsets is None else np.column_stack((rows, self.offsets))

    def scores(self, query: Floats) -> Floats:
        """The product of each row with a vector `[D]`, plus its offset, `[R]`.

        Codes are decoded in blocks that stay in cache: faster than to read decoded ones, which
        are four times as many bytes.
        """
        count, dim = self.codes.shape
        scores = np.empty(count, np.float32)
        block = np.empty((max(1, _BLOCK_NUMBERS // max(1, dim)), dim), np.float32)
        for first in range(0, count, len(block)):
            codes = self.codes[first : first + len(block)]
            decoded = block[: len(codes)]
            np.copyto(decoded, codes)
            np.matmul(decoded, query, out=scores[first : first + len(codes)])
        scores *= self.scales
        if self.offsets is not None:
            scores += self.offsets
        return scores


def _unit(phrase: Phrase) -> Floats:
    length = float(np.linalg.norm(phrase.vector))
    unit: Floats = phrase.vector / length if length else phrase.vector
    return unit.astype(np.float32)


def _light(key: EventKeys, encoder: Encoder, nothing: MemorySnapshot) -> QueryMemory:
    """A memory of which only its times are known."""
    return QueryMemory(
        memory_id=key.memory_id,
        source=key.meta.source,
        snapshot=nothing,
        encoder=encoder,
        start_s=key.start_s,
        end_s=key.end_s,
        gaps=key.gaps,
        recorded_at=key.meta.recorded_at,
        derived={"interval_s": key.interval_s},
    )


def _empty_snapshot(dim: int) -> MemorySnapshot:
    return MemoryStore(dim, 1 << 20).snapshot()
