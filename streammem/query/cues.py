"""Which cues of a memory fit a phrase: by their words, by beginnings of words, by what they mean.

Words and meaning each give a confidence in [0, 1] of their own; the larger counts. That makes
cues comparable with pictures, whose confidences are calibrated likewise, and keeps absence
apart from presence: a cue that shares one word of five with the question is no answer.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from streammem.core.types import Channel
from streammem.query.forms import SAME, meaning_margin, of_one_stem, stem
from streammem.query.words import CONTAINER_WORDS, FUNCTION_WORDS
from streammem.text.meaning import TextEncoder
from streammem.text.rows import CueRow
from streammem.text.words import is_unspaced, words_in

# A cue that holds all the words of a phrase is right this often.
SURE = 0.97
SURE_ENOUGH = 0.9
# Confidence falls faster than the covered share of a phrase: two thirds of it are worth 0.52.
COVERAGE_EXPONENT = 1.5
# A word that only begins like one of the phrase, or is another form of it.
PREFIX_WEIGHT = 0.85
FORM_WEIGHT = 0.9
SHORTEST_PREFIX = 3
# Two cues of one channel this close may hold one sentence together.
SENTENCE_GAP_S = 2.0
# The cosine at which a meaning is as likely right as wrong among few cues, and how fast that
# turns. Measured on 38 paraphrases and 11 absent things over four real texts: right cues had 0.28
# to 0.66, the best of the wrong ones 0.09 to 0.25, once 0.40.
MEANING_MIDPOINT = 0.31
MEANING_SCALE = 0.06
# Unrelated texts spread by this much, so the best of many wrong ones is nearer than of few.
MEANING_SPREAD = 0.08
FEW_CUES = 60
# So many of the nearest meanings count, and those that may pass are compared again, exactly.
NEAREST = 8
RESCORED = 3


# Words that only ask, in languages whose questions are not taken apart like English ones.
_ASKING = frozenset(
    """
    когда что где кто как про об это говорит говорят говорил сказано сказал сказала упоминается
    wann was wo wer wie ueber sagt gesagt erwahnt quand quoi qui dit parle cuando que quien
    donde como dicen habla متى ماذا اين من كيف قال يقول عن
    """.split()  # noqa: SIM905  (a list of forty quoted words reads worse)
)
_SAYING_NOTHING = _ASKING | FUNCTION_WORDS | CONTAINER_WORDS | {
    "about", "word", "words", "phrase", "hear", "heard", "audible", "sound", "sounds", "noise",
    "video", "recording", "clip", "footage", "chapter", "chapters", "begin", "begins", "start",
    "starts",
}  # fmt: skip


class CueIndex(Protocol):
    """The cues of one memory and the full-text search over them."""

    @property
    def rows(self) -> tuple[CueRow, ...]: ...  # noqa: D102

    def match(self, words: Iterable[str], prefixes: Iterable[str] = ()) -> list[tuple[int, float]]:
        """Numbers of cues with any of the words or prefixes, with BM25 scores, best first."""


@dataclass(frozen=True, slots=True)
class CueHit:
    """A cue that fits a phrase, or two that hold it together.

    `rank` orders hits of equal confidence, larger first; `by` says what found it: `words` or
    `meaning`. `time_s` is when the first of the words is said, where that is known.
    """

    rows: tuple[CueRow, ...]
    confidence: float
    rank: float
    by: str
    time_s: float | None

    @property
    def start_s(self) -> float:
        """Where it begins."""
        return self.rows[0].cue.start_s

    @property
    def end_s(self) -> float:
        """Where it ends."""
        return max(row.cue.end_s for row in self.rows)

    @property
    def text(self) -> str:
        """The words, as they were said or shown."""
        return " ".join(row.cue.text for row in self.rows)


class CueBook:
    """The cues of a memory prepared for questions. Safe to use from several threads.

    Preparing costs one pass over the words; it is done at the first question. `in_time_order` are
    the cues by their begin, end and text.
    """

    def __init__(self, index: CueIndex, encoder: TextEncoder | None) -> None:
        self.rows: Mapping[int, CueRow] = {row.id: row for row in index.rows}
        self.in_time_order: Sequence[CueRow] = sorted(
            index.rows, key=lambda row: (row.cue.start_s, row.cue.end_s, row.cue.text)
        )
        self._index = index
        self._encoder = encoder
        self._words = {row.id: words_in(row.cue.text) for row in index.rows}
        self._forms: dict[int, tuple[frozenset[str], frozenset[str]]] = {}
        self._carriers: Counter[str] = Counter()
        for words in self._words.values():
            self._carriers.update(set(words))
        self._next = _following(index.rows)
        coded = [row for row in index.rows if row.vector]
        self._coded = [row.id for row in coded]
        size = len(coded[0].vector) if coded else 0
        packed = b"".join(row.vector for row in coded if len(row.vector) == size)
        self._codes = np.frombuffer(packed, np.uint8).reshape(-1, max(1, size))

    def channels(self) -> frozenset[Channel]:
        """Which channels there are cues of."""
        return frozenset(row.cue.channel for row in self.rows.values())

    def search(
        self,
        phrase: str,
        channels: frozenset[Channel],
        *,
        margin: float = 0.0,
        until_s: float = math.inf,
    ) -> list[CueHit]:
        """Cues of these channels that fit a phrase at all, best first; one hit for each.

        Args:
            phrase: What to look for.
            channels: Where.
            margin: How much nearer than usual, as a cosine, a meaning has to be.
            until_s: When it is asked: what was not yet said by then is not searched.
        """
        found: dict[int, CueHit] = {}
        said = list(self._by_words(phrase, channels, until_s))
        # Where the very words are there, nothing is gained by looking for others like them.
        sure = max((hit.confidence / _trust(hit.rows) for hit in said), default=0.0) >= SURE_ENOUGH
        meant = [] if sure else self._by_meaning(phrase, channels, margin, until_s)
        for hit in (*said, *meant):
            place = hit.rows[0].id
            known = found.get(place)
            if known is None or (hit.confidence, hit.rank) > (known.confidence, known.rank):
                found[place] = hit
        return sorted(
            found.values(), key=lambda hit: (-hit.confidence, -hit.rank, hit.start_s, hit.text)
        )

    def _by_words(
        self, phrase: str, channels: frozenset[Channel], until_s: float
    ) -> Iterable[CueHit]:
        asked = query_words(phrase)
        if not asked:
            return
        total = sum(self._weight(word) for word in asked)
        stems = [stem(word) for word in asked]
        prefixes = [word for word in {*asked, *stems} if len(word) >= SHORTEST_PREFIX]
        others = [SAME[word] for word in asked if word in SAME]
        scores = dict(self._index.match([*asked, *others], prefixes))
        for word in asked:
            if not word.isascii():
                scores |= {n: scores.get(n, 1.0) for n in self._unindexed(word)}
        for number in scores:
            row = self.rows[number]
            if row.cue.channel not in channels or row.cue.start_s >= until_s:
                continue
            rows = self._sentence(number, asked, scores, until_s)
            fits = self._fits(rows, asked)
            coverage = sum(self._weight(word) * fit for word, fit in fits.items()) / total
            yield CueHit(
                rows=rows,
                confidence=SURE * coverage**COVERAGE_EXPONENT * _trust(rows),
                rank=scores[number],
                by="words",
                time_s=_first_said(rows, [word for word, fit in fits.items() if fit > 0]),
            )

    def _unindexed(self, word: str) -> Iterable[int]:
        """Cues with a word that the index may not find.

        It folds letters of Latin script only, and keeps words of scripts without spaces whole.
        """
        within = is_unspaced(word)
        alike = {
            other
            for other in self._carriers
            if other.startswith(word) or (within and word in other) or of_one_stem(word, other)
        }
        for number, words in self._words.items():
            if not alike.isdisjoint(words) or (within and word in "".join(words)):
                yield number

    def _by_meaning(
        self, phrase: str, channels: frozenset[Channel], margin: float, until_s: float
    ) -> Iterable[CueHit]:
        encoder = self._encoder
        if encoder is None or not len(self._codes) or not phrase.strip():
            return
        if not encoder.understands(phrase):
            return
        query = encoder.embed(phrase)
        near = encoder.similarities(query, self._codes)
        best = [
            index
            for index in np.argsort(-near, kind="stable").tolist()
            if _whole_by(self.rows[self._coded[index]], channels, until_s)
        ][:NEAREST]
        margin += meaning_margin(phrase, self._carriers)
        midpoint = _midpoint(len(self._coded)) + margin
        for place, index in enumerate(best):
            row, cosine = self.rows[self._coded[index]], float(near[index])
            if place < RESCORED and cosine > midpoint - MEANING_SPREAD:
                cosine = float(encoder.embed(row.cue.text) @ query)
            exponent = (midpoint - cosine) / MEANING_SCALE
            confidence = SURE / (1.0 + float(np.exp(np.clip(exponent, -60.0, 60.0))))
            yield CueHit((row,), confidence * _trust((row,)), cosine, "meaning", None)

    def _weight(self, word: str) -> float:
        """How much a word says: the rarer, the more; one that nobody said says most."""
        count = self._carriers.get(word, 0)
        return float(np.log(1.0 + (len(self._words) - count + 0.5) / (count + 0.5)))

    def _sentence(
        self, number: int, asked: Sequence[str], scores: Mapping[int, float], until_s: float
    ) -> tuple[CueRow, ...]:
        """A cue, with the one after it where that adds words of the phrase."""
        row, following = row_until(self.rows[number], until_s), self._next.get(number)
        if following is None or following not in scores:
            return (row,)
        if self.rows[following].cue.start_s >= until_s:
            return (row,)
        both = (row, row_until(self.rows[following], until_s))
        alone, joined = self._fits((row,), asked), self._fits(both, asked)
        second = self._fits(both[1:], asked)
        adds = any(joined[word] > alone[word] for word in asked)
        needed = any(joined[word] > second[word] for word in asked)
        return both if adds and needed else (row,)

    def _forms_of(self, row: CueRow) -> tuple[frozenset[str], frozenset[str]]:
        """The words of a cue and their stems; kept, because frequent words are asked for again."""
        if row is not self.rows[row.id]:
            words = frozenset(words_in(row.cue.text))
            return words, frozenset(map(stem, words))
        if row.id not in self._forms:
            words = frozenset(self._words[row.id])
            self._forms[row.id] = (words, frozenset(map(stem, words)))
        return self._forms[row.id]

    def _fits(self, rows: tuple[CueRow, ...], asked: Sequence[str]) -> dict[str, float]:
        """How well each word asked for is among the words of some cues, in [0, 1]."""
        forms = [self._forms_of(row) for row in rows]
        fits = {}
        for word in asked:
            if any(word in said for said, _ in forms):
                fits[word] = 1.0
            elif any(_holds_form(word, said, stems) for said, stems in forms):
                fits[word] = FORM_WEIGHT
            elif len(word) >= SHORTEST_PREFIX and any(
                other.startswith(word) for said, _ in forms for other in said
            ):
                fits[word] = PREFIX_WEIGHT
            elif is_unspaced(word) and any(word in other for said, _ in forms for other in said):
                fits[word] = 1.0
            else:
                fits[word] = 0.0
        return fits


def _holds_form(word: str, said: frozenset[str], stems: frozenset[str]) -> bool:
    """Whether another form of a word is said, or what stands for it in a file's own words."""
    if len(word) >= SHORTEST_PREFIX and stem(word) in stems:
        return True
    alike = not word.isascii() and any(of_one_stem(word, other) for other in said)
    return alike or SAME.get(word) in said


def row_until(row: CueRow, until_s: float) -> CueRow:
    """A cue without the words that were not yet said at an instant, where their times are known."""
    cue = row.cue
    if cue.end_s <= until_s or not cue.word_times_s:
        return row
    said = sum(start_s < until_s for start_s, _ in cue.word_times_s)
    text = " ".join(cue.text.split()[:said])
    return replace(row, cue=replace(cue, text=text, word_times_s=cue.word_times_s[:said]))


def _whole_by(row: CueRow, channels: frozenset[Channel], until_s: float) -> bool:
    """Whether a cue of these channels was told by an instant as it stands."""
    told = row.cue.start_s < until_s and row_until(row, until_s) is row
    return told and row.cue.channel in channels


def query_words(phrase: str) -> list[str]:
    """The words of a phrase that a cue should hold, each once; all of them where none says much."""
    words = list(dict.fromkeys(words_in(phrase)))
    telling = [word for word in words if word not in _SAYING_NOTHING]
    return telling or [word for word in words if word in SAME] or words


def _midpoint(count: int) -> float:
    """The cosine of even odds among so many cues: it grows like the largest of as many numbers."""
    largest, few = (float(np.sqrt(2 * np.log(max(2, n)))) for n in (count, FEW_CUES))
    return MEANING_MIDPOINT + MEANING_SPREAD * max(0.0, largest - few)


def _following(rows: Sequence[CueRow]) -> dict[int, int]:
    """For each cue the next one of its channel, where it begins soon after."""
    following = {}
    last: dict[tuple[Channel, str | None], CueRow] = {}
    for row in sorted(rows, key=lambda row: (row.cue.start_s, row.id)):
        key = (row.cue.channel, row.cue.language)
        before = last.get(key)
        if before is not None and row.cue.start_s - before.cue.end_s <= SENTENCE_GAP_S:
            following[before.id] = row.id
        last[key] = row
    return following


def _trust(rows: Sequence[CueRow]) -> float:
    """What a recogniser's doubt leaves of a confidence."""
    return 0.6 + 0.4 * min(row.cue.confidence for row in rows)


def _first_said(rows: Sequence[CueRow], wanted: Sequence[str]) -> float | None:
    for row in rows:
        if not row.cue.word_times_s:
            continue
        for word, (start_s, _) in zip(row.cue.text.split(), row.cue.word_times_s, strict=False):
            stems = {stem(part) for part in words_in(word)}
            if any(stem(part) in stems for part in wanted):
                return start_s
    return None
