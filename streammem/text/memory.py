"""The cues of one memory within their bytes: no repeats, rare words and all of the time kept.

Everything is decided cue by cue from the cues that live, so the result does not depend on how
they come in batches, and a memory that is opened again goes on exactly.
"""

import heapq
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from streammem.core.types import Channel, Cue
from streammem.text.rows import CueRow, settled
from streammem.text.tally import WordTally
from streammem.text.words import words_in

# An eviction frees this part of the room at once, since the file is then written anew.
_FREED_SHARE = 16
# No cue takes more than this part of the room, nor more bytes than this.
_LARGEST_SHARE = 16
_LARGEST_BYTES = 1024
_TALLY_BYTES = 4096
# A word said once that no other row has counts as much as a gap of so many mean distances.
# Measured on talks ten times the room: with 1, one rare word in twelve was lost; with 4 none, and
# no gap was longer than four mean distances.
_RARITY_WEIGHT = 4.0
# A cue of this many different words counts half of the gap in time that it closes: "yes" does
# not stand for a minute of talk.
_HALF_WORDS = 3.0
# So many rows of the same words, the latest, are looked at for a repeat.
_LOOKED_BACK = 8
# The same words within this time of each other are one saying, whoever wrote them down.
_REPEAT_S = 1.0
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class CueChanges:
    """What happened since the last commit: rows to add, numbers of rows to remove."""

    added: tuple[CueRow, ...] = ()
    dropped: frozenset[int] = frozenset()


class CueCost(Protocol):
    """What rows take where they are stored, kept up to date as they come and go."""

    @property
    def bytes(self) -> int: ...  # noqa: D102

    def add(self, row: CueRow) -> None: ...  # noqa: D102

    def remove(self, numbers: Iterable[int]) -> None: ...  # noqa: D102

    def share(self, number: int) -> int:
        """About what a row alone takes."""


class CueMemory:
    """Cues under a budget. One owner, one thread.

    memory = CueMemory(room_bytes, cost)
    memory.write(cues)
    changes = memory.take_changes()
    """

    def __init__(
        self,
        room_bytes: int,
        cost: CueCost,
        rows: Iterable[CueRow] = (),
        *,
        next_id: int = 1,
        tally: WordTally | None = None,
        embed: Callable[[str], bytes] | None = None,
    ) -> None:
        """A memory that holds `rows` already.

        Args:
            room_bytes: What all rows together may cost.
            cost: Counts what they cost; it counts nothing yet.
            rows: What an earlier run committed.
            next_id: The number of the next row.
            tally: How often each word was said in all, as the earlier run left it.
            embed: Gives the code of a text's meaning, where there is a model for it.
        """
        self._room_bytes = room_bytes
        self._cost = cost
        self._embed = embed
        self.tally = tally or WordTally(_TALLY_BYTES)
        self._rows: dict[int, CueRow] = {}
        self._words: dict[int, tuple[str, ...]] = {}
        self._carriers: Counter[str] = Counter()
        self._same: dict[tuple[str, ...], list[int]] = {}
        self._next_id = next_id
        for row in rows:
            self._admit(row)
        self._added: dict[int, CueRow] = {}
        self._dropped: set[int] = set()

    @property
    def rows(self) -> tuple[CueRow, ...]:
        """The living rows in the order of their numbers."""
        return tuple(self._rows.values())

    @property
    def next_id(self) -> int:
        """The number that the next row gets."""
        return self._next_id

    @property
    def charged_bytes(self) -> int:
        """What the living rows cost together; never more than the room."""
        return self._cost.bytes

    def write(self, cues: Iterable[Cue]) -> None:
        """Take cues in, in this order; repeats are left out, and room is made where it lacks."""
        for given in cues:
            longest = min(_LARGEST_BYTES, self._room_bytes // _LARGEST_SHARE)
            for piece in _pieces(_cleaned(given), longest):
                if not self._is_repeat(piece):
                    self._take(settled(piece))

    def take_changes(self) -> CueChanges:
        """What has to be written so that the file holds what lives now; then starts anew."""
        changes = CueChanges(tuple(self._added.values()), frozenset(self._dropped))
        self._added, self._dropped = {}, set()
        return changes

    def _take(self, cue: Cue) -> None:
        vector = self._embed(cue.text) if self._embed is not None and cue.text else b""
        row = CueRow(self._next_id, cue, vector)
        self._next_id += 1
        self._admit(row)
        for word in self._words[row.id]:
            self.tally.add(word)
        self._added[row.id] = row
        while self._rows and self._cost.bytes > self._room_bytes:
            self._evict(self._cost.bytes - self._room_bytes + self._room_bytes // _FREED_SHARE)

    def _admit(self, row: CueRow) -> None:
        words = tuple(words_in(row.cue.text))
        self._rows[row.id] = row
        self._words[row.id] = tuple(sorted(set(words)))
        self._carriers.update(self._words[row.id])
        self._same.setdefault(words, []).append(row.id)
        self._cost.add(row)

    def _remove(self, number: int) -> None:
        row = self._rows.pop(number)
        for word in self._words.pop(number):
            self._carriers[word] -= 1
            if not self._carriers[word]:
                del self._carriers[word]
        words = tuple(words_in(row.cue.text))
        self._same[words].remove(number)
        if not self._same[words]:
            del self._same[words]
        if self._added.pop(number, None) is None:
            self._dropped.add(number)

    def _is_repeat(self, cue: Cue) -> bool:
        """Whether the same words live already, at this time."""
        same = self._same.get(tuple(words_in(cue.text)), []) if cue.text else []
        for number in same[-_LOOKED_BACK:]:
            other = self._rows[number].cue
            apart_s = max(cue.start_s - other.end_s, other.start_s - cue.end_s)
            if apart_s <= _REPEAT_S and _says_alike(cue, other):
                return True
        return False

    def _evict(self, wanted_bytes: int) -> None:
        """Remove the rows that the others can best stand in for, until so much may be free.

        A row is worth its share in each of its words (one over the number of rows that have the
        word, less for one that was said often) and the gap in time that it closes, per byte. The
        worth of a row only rises while others go, so the lowest one is the cheapest if its worth,
        computed again, is the same.
        """
        order = sorted(self._rows, key=lambda number: (self._rows[number].cue.start_s, number))
        chain = _Chain([self._rows[number].cue.start_s for number in order])
        place = {number: index for index, number in enumerate(order)}
        said = {word: 1.0 / self.tally.count(word) for word in self._carriers}
        shares = {number: self._cost.share(number) for number in order}

        def worth(number: int) -> float:
            words = self._words[number]
            rarity = sum(said[word] / self._carriers[word] for word in words)
            weight = (len(words) + 0.5) / (len(words) + 0.5 + _HALF_WORDS)
            return (_RARITY_WEIGHT * rarity + weight * chain.gap(place[number])) / shares[number]

        heap = [(worth(number), number) for number in order]
        heapq.heapify(heap)
        gone: list[int] = []
        while wanted_bytes > 0 and heap:
            before, number = heapq.heappop(heap)
            now = worth(number)
            if now > before:
                heapq.heappush(heap, (now, number))
                continue
            chain.remove(place[number])
            self._remove(number)
            gone.append(number)
            wanted_bytes -= shares[number]
        self._cost.remove(gone)


class _Chain:
    """Times in order, from which single ones are taken out; tells the gap that one closes."""

    def __init__(self, times_s: list[float]) -> None:
        self._times_s = times_s
        count = len(times_s)
        self._before = list(range(-1, count - 1))
        self._after = list(range(1, count + 1))
        span_s = times_s[-1] - times_s[0] if times_s else 0.0
        self._mean_s = span_s / count if span_s > 0 else 1.0

    def gap(self, index: int) -> float:
        """The gap that would open without this one, in mean distances; the ends stay longest."""
        before, after = self._before[index], self._after[index]
        if before < 0 or after >= len(self._times_s):
            return float(len(self._times_s))
        return (self._times_s[after] - self._times_s[before]) / self._mean_s

    def remove(self, index: int) -> None:
        """Take one out."""
        before, after = self._before[index], self._after[index]
        if before >= 0:
            self._after[before] = after
        if after < len(self._times_s):
            self._before[after] = before


def _says_alike(cue: Cue, other: Cue) -> bool:
    """Whether two cues of equal words are one saying: of one kind, or subtitle and speech."""
    spoken = {Channel.SPEECH, Channel.SUBTITLE}
    return cue.channel == other.channel or bool(cue.text and {cue.channel, other.channel} <= spoken)


def _cleaned(cue: Cue) -> Cue:
    lines = (" ".join(line.split()) for line in _CONTROL.sub(" ", cue.text).splitlines())
    text = "\n".join(line for line in lines if line)
    # Times of words belong to the words as they were given.
    kept = cue.word_times_s if len(cue.word_times_s) == len(text.split()) else ()
    return replace(cue, text=text, end_s=max(cue.start_s, cue.end_s), word_times_s=kept)


def _pieces(cue: Cue, longest_bytes: int) -> Iterator[Cue]:
    """A cue that is too long, cut between words, each piece with its part of the time."""
    if len(cue.text.encode("utf-8", "replace")) <= longest_bytes:
        yield cue
        return
    words = _short_words(cue.text.split(), longest_bytes)
    ends = [0]
    for word in words:
        ends.append(ends[-1] + len(word.encode("utf-8", "replace")) + 1)
    timed = cue.word_times_s if len(cue.word_times_s) == len(words) else ()
    first = 0
    while first < len(words):
        last = max(first + 1, bisect_left(ends, ends[first] + longest_bytes + 2) - 1)
        if timed:
            start_s, end_s = timed[first][0], timed[last - 1][1]
        else:
            whole_s = cue.end_s - cue.start_s
            start_s = cue.start_s + whole_s * ends[first] / ends[-1]
            end_s = cue.start_s + whole_s * ends[last] / ends[-1]
        text = " ".join(words[first:last])
        yield replace(cue, start_s=start_s, end_s=end_s, text=text, word_times_s=timed[first:last])
        first = last


def _short_words(words: list[str], longest_bytes: int) -> list[str]:
    """The words, those longer than a piece in parts of it."""
    step = max(1, longest_bytes // 4)
    short: list[str] = []
    for word in words:
        if len(word.encode("utf-8", "replace")) <= longest_bytes:
            short.append(word)
        else:
            short += [word[start : start + step] for start in range(0, len(word), step)]
    return short
