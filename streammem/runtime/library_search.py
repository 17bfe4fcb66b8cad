"""Questions to a whole library: a first look at every memory's event keys, few memories opened.

The keys, the words of cues and the codes of their meanings lie in an index that is only a copy;
what is missing or out of date in it is read from the memories, which are then remembered in it.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from streammem.core.errors import StreamMemError
from streammem.core.types import Question
from streammem.query.calibrate import Strengths
from streammem.query.elsewhere import Elsewhere
from streammem.query.first_stage import (
    FEWEST_OPENED,
    OPENED,
    SPARE,
    Wanted,
    adds_up,
    code_cosines,
    meaning_bounds,
    needed,
    wanted_of,
    word_bounds,
)
from streammem.query.intents import asks_for_sight, names_speech, spoken_words
from streammem.query.memories import QueryOptions
from streammem.query.told import SIGHT_MARGIN, asks_for_speech
from streammem.runtime.asking import EncoderCache, OpenMemory, encoder_for, open_memories
from streammem.runtime.library_keys import event_keys_of
from streammem.runtime.library_rows import Asked, Bounds, EncoderRows
from streammem.storage.event_keys import EventKeyIndex, EventKeys
from streammem.storage.library_index import Stamp, stamps_in
from streammem.text.meaning import load_text_encoder
from streammem.text.words import folded

# Smaller libraries are opened whole for every question.
LARGE_LIBRARY = 32
# So many memories that changed within the last minute are opened instead of entered in the index.
MOST_LIVE, LIVE_NS = 8, 60_000_000_000
# Entries that are written to the index at once.
_SAVED_AT_ONCE = 64
_SPOKEN = ("speech", "subtitle")

# Is told how many memories were read for the index, and of how many.
OnRead = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Selection:
    """The memories to open for a question, best first, and those that could still answer it.

    `elsewhere` stands for all memories but `first`, `everywhere` for all but `first` and `more`.
    """

    first: tuple[Path, ...]
    more: tuple[Path, ...]
    elsewhere: Elsewhere
    everywhere: Elsewhere
    notes: tuple[str, ...] = ()


class _Bound(NamedTuple):
    """The most confidence of a memory, the most strength, and the least confidence."""

    most: float
    strength: float
    least: float

    @classmethod
    def of(cls, seen: Bounds | None, place: int, told: float) -> Self:
        """That of sight or of words, whichever may be more."""
        if seen is None:
            return cls(told, 0.0, 0.0)
        strength, least = float(seen.strength[place]), float(seen.least[place])
        return cls(max(float(seen.most[place]), told), strength, least)


@dataclass(slots=True)
class _Loaded:
    """The index as it was read: rows by encoder, and the meanings of all cues."""

    stamps: dict[str, Stamp]
    groups: dict[str, EncoderRows]
    notes: tuple[str, ...]
    coded: list[str] = field(default_factory=list)
    coded_firsts: list[int] = field(default_factory=list)
    meanings: "np.ndarray[tuple[int, int], np.dtype[np.uint8]] | None" = None


class LibrarySearch:
    """Chooses the memories of one library folder that a question has to be opened in.

    For one thread. Keeps the rows of all memories between questions.
    """

    def __init__(self, folder: Path, encoders: EncoderCache, on_read: OnRead | None = None) -> None:
        """A search in `folder`; nothing is read yet."""
        self._index = EventKeyIndex(folder)
        self._encoders = encoders
        self._on_read = on_read
        self._loaded: _Loaded | None = None
        self._unreadable: dict[str, tuple[Stamp, tuple[str, ...]]] = {}
        self._can_write = True

    def select(
        self,
        question: Question,
        paths: Sequence[Path],
        options: QueryOptions,
        *,
        weights: str,
        device: str,
    ) -> Selection | None:
        """The memories to open for a question; None where all of them have to be."""
        wanted = wanted_of(question)
        if len(paths) < LARGE_LIBRARY or not wanted:
            return None
        by_id = {path.stem: path for path in paths}
        unsettled, notes = self._refresh(by_id, weights, device)
        if not self._can_write:
            return None
        loaded = self._load(by_id, unsettled, weights, device)
        if not loaded.groups:
            return None
        asked = {name: rows.asked(question, options) for name, rows in loaded.groups.items()}
        least = _least(question, loaded, options)
        bounds = self._bounds(question, wanted, loaded, asked, least)
        ranked = sorted(bounds, key=lambda name: (*_rank(bounds[name]), name))
        able = [name for name in ranked if bounds[name].most >= least]
        first = able if adds_up(question) else _nearest(ranked, bounds, options.top_k)
        if len(first) < FEWEST_OPENED:
            first = ranked[:FEWEST_OPENED]
        # What the index says of a memory that is being written is out of date.
        first = [name for name in first if name not in unsettled]
        left = unsettled
        opened = {*first, *left}
        more = [name for name in able if name not in opened]
        return Selection(
            first=tuple(by_id[name] for name in (*first, *left)),
            more=tuple(by_id[name] for name in more),
            elsewhere=_elsewhere(question, loaded, asked, opened, options.min_confidence),
            everywhere=_elsewhere(
                question, loaded, asked, {*opened, *more}, options.min_confidence
            ),
            notes=(*notes, *loaded.notes),
        )

    def _refresh(
        self, by_id: dict[str, Path], weights: str, device: str
    ) -> tuple[list[str], tuple[str, ...]]:
        """Bring the index up to date; the memories that change too fast for it, and notes."""
        at_hand = stamps_in(self._index.file.parent)
        stamps = {name: at_hand.get(name) for name in by_id}
        known = self._loaded.stamps if self._loaded is not None else self._index.stamps()
        unsettled = [name for name, at in stamps.items() if at is None]
        settled = {name: at for name, at in stamps.items() if at is not None}
        stale = [
            name
            for name, at in settled.items()
            if known.get(name) != at and self._unreadable.get(name, (None,))[0] != at
        ]
        live = [name for name in stale if _is_recent(settled[name])]
        if len(live) <= MOST_LIVE:
            # Memories that are being written would have to be entered anew for every question.
            stale = [name for name in stale if name not in live]
            unsettled += live
        for name in [name for name in self._unreadable if name in stale or name not in by_id]:
            del self._unreadable[name]
        gone = [name for name in known if name not in by_id]
        if not stale and not gone:
            return unsettled, self._left_out()
        self._loaded = None
        pending: list[tuple[Stamp, EventKeys]] = []
        for place, name in enumerate(stale):
            opened, said = _opened(by_id[name], self._encoders, weights, device)
            if opened is None:
                self._unreadable[name] = (settled[name], said)
            else:
                pending.append((settled[name], event_keys_of(opened)))
            if len(pending) == _SAVED_AT_ONCE:
                self._can_write = self._index.save(pending)
                pending = []
                if not self._can_write:
                    return unsettled, ()
            if self._on_read is not None:
                self._on_read(place + 1, len(stale))
        self._can_write = self._index.save(pending, gone)
        return unsettled, self._left_out()

    def _left_out(self) -> tuple[str, ...]:
        """Notes on the memories that cannot be read."""
        return tuple(note for _, said in self._unreadable.values() for note in said)

    def _load(
        self, by_id: dict[str, Path], unsettled: list[str], weights: str, device: str
    ) -> _Loaded:
        """The rows of the memories in the index; whoever is not in it is opened as if unsettled."""
        if self._loaded is None:
            stamps = self._index.stamps()
            keys = self._index.load(stamps)
            groups: dict[str, list[EventKeys]] = {}
            for name in sorted(keys):
                groups.setdefault(keys[name].meta.encoder.digest, []).append(keys[name])
            rows, notes = {}, []
            for digest, members in groups.items():
                try:
                    encoder = encoder_for(members[0].meta, self._encoders, weights, device)
                except StreamMemError as error:
                    notes.append(f"{len(members)} memories were left out: {error.message}")
                    continue
                rows[digest] = EncoderRows(members, encoder)
            stamps = {name: at for name, at in stamps.items() if name in keys}
            self._loaded = _with_meanings(_Loaded(stamps, rows, tuple(notes)), keys)
        missing = [
            name
            for name in by_id
            if name not in self._loaded.stamps
            and name not in unsettled
            and name not in self._unreadable
        ]
        unsettled += missing
        return self._loaded

    def _bounds(
        self,
        question: Question,
        wanted: Sequence[Wanted],
        loaded: _Loaded,
        asked: dict[str, Asked],
        least: float,
    ) -> "dict[str, _Bound]":
        """What each memory that the question lies in can say: its weakest part counts."""
        parts: dict[str, list[_Bound]] = {}
        for thing in wanted:
            found: dict[str, list[_Bound]] = {}
            for text in thing.texts:
                told = self._told(question, text, loaded, told_only=thing.told_only)
                for digest, rows in loaded.groups.items():
                    seen = None
                    if not (thing.told_only or names_speech(text)):
                        seen = rows.bounds(rows.phrase(text), asked[digest], least)
                    for place, key in enumerate(rows.keys):
                        if asked[digest].windows[place].inside:
                            bound = _Bound.of(seen, place, told.get(key.memory_id, 0.0))
                            found.setdefault(key.memory_id, []).append(bound)
            for name, bounds in found.items():
                parts.setdefault(name, []).append(max(bounds))
        return {name: min(bounds) for name, bounds in parts.items()}

    def _told(
        self, question: Question, text: str, loaded: _Loaded, *, told_only: bool
    ) -> dict[str, float]:
        """The most confidence that the cues of each memory can have for a text."""
        said = spoken_words(text) if names_speech(text) else text
        bounds = dict(word_bounds(said, self._holders))
        if asks_for_speech(said):
            for rows in loaded.groups.values():
                for key in rows.keys:
                    if any(key.cue_counts.get(channel) for channel in _SPOKEN):
                        bounds[key.memory_id] = 1.0
        encoder = load_text_encoder() if loaded.meanings is not None else None
        if encoder is None or loaded.meanings is None or not encoder.understands(said):
            return bounds
        cosines = code_cosines(encoder.embed(said), loaded.meanings)
        best = np.maximum.reduceat(cosines, loaded.coded_firsts).astype(np.float64)
        counts = np.diff(loaded.coded_firsts, append=len(cosines))
        margin = 0.0
        if not (told_only or names_speech(text)):
            known = min(rows.phrase(text).known_share for rows in loaded.groups.values())
            margin = SIGHT_MARGIN if known == 1.0 else 0.0
            margin = 4 * SIGHT_MARGIN if asks_for_sight(question.text) else margin
        for name, bound in zip(loaded.coded, meaning_bounds(best, counts, margin), strict=True):
            bounds[name] = max(bounds.get(name, 0.0), float(bound))
        return bounds

    def _holders(self, word: str, words: tuple[str, ...], begins: tuple[str, ...]) -> set[str]:
        if not word.isascii():
            # The index of a memory finds less of such words than the memory itself does.
            return self._index.containing(folded(word)[: max(1, math.ceil(0.7 * len(word)))])
        found = set().union(*(self._index.holders(one) for one in words))
        return found.union(*(self._index.holders(one, prefix=True) for one in begins))


def _least(question: Question, loaded: _Loaded, options: QueryOptions) -> float:
    """The bound from which on a memory of some encoder may change the answer."""
    shares = {rows.phrase(question.phrase).found_share for rows in loaded.groups.values()}
    return min(needed(question, options.min_confidence, share) for share in shares)


def _elsewhere(
    question: Question,
    loaded: _Loaded,
    asked: dict[str, Asked],
    opened: set[str],
    min_confidence: float,
) -> Elsewhere:
    """What the memories that stay closed say together."""
    memories, silent = 0, True
    for digest, rows in loaded.groups.items():
        text = question.phrase
        # Whoever mostly overlooks a thing bears no "no" out.
        phrase = rows.phrase(text)
        denies = bool(text) and phrase.known_share == 1.0 and phrase.found_share >= min_confidence
        for place, key in enumerate(rows.keys):
            window = asked[digest].windows[place]
            if key.memory_id in opened or not window.inside:
                continue
            memories += 1
            told = names_speech(text) and bool(key.cue_counts)
            silent = silent and (told or denies) and window.covered

    pools: OrderedDict[tuple[str, str], list[Strengths]] = OrderedDict()

    def strengths_of(digest: str, text: str) -> list[Strengths]:
        if digest not in loaded.groups:
            return []
        if (digest, text) not in pools:
            rows = loaded.groups[digest]
            closed = np.array([key.memory_id not in opened for key in rows.keys])
            pools[digest, text] = rows.pooled(rows.phrase(text), asked[digest], closed)
        return pools[digest, text]

    return Elsewhere(memories, silent, strengths_of)


def _is_recent(at: Stamp) -> bool:
    return time.time_ns() - max(at[1], at[3]) < LIVE_NS


def _rank(bound: _Bound) -> tuple[float, float]:
    return (-round(bound.most, 6), -bound.strength)


def _nearest(ranked: Sequence[str], bounds: dict[str, _Bound], top_k: int) -> Sequence[str]:
    """The memories that may hold one of the best moments: others have enough better ones."""
    surest = sorted((bound.least for bound in bounds.values()), reverse=True)
    enough = surest[min(len(surest), top_k + SPARE) - 1] if surest else 0.0
    head = ranked[: max(OPENED, top_k + SPARE)]
    return [name for name in head if bounds[name].most >= enough] or head


def _opened(
    path: Path, encoders: EncoderCache, weights: str, device: str
) -> tuple[OpenMemory | None, tuple[str, ...]]:
    """One memory, or None with a note why it is left out."""
    try:
        opened, notes = open_memories([path], encoders, weights=weights, device=device, named=False)
    except StreamMemError as error:
        return None, (f"{path.stem} was left out: {error.message}",)
    return opened[0], notes


def _with_meanings(loaded: _Loaded, keys: dict[str, EventKeys]) -> _Loaded:
    """The codes of all cues side by side, where there are any."""
    coded = [keys[name] for name in sorted(keys) if keys[name].meanings.size]
    widths = {key.meanings.shape[1] for key in coded}
    if len(widths) == 1:
        loaded.coded = [key.memory_id for key in coded]
        counts = [len(key.meanings) for key in coded]
        loaded.coded_firsts = np.cumsum([0, *counts])[:-1].tolist()
        loaded.meanings = np.concatenate([key.meanings for key in coded])
    return loaded
