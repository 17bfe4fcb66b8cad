"""Which words the encoder learns, and which of the teachers' labels each of them stands for.

A *leaf* is a label that some teacher or picture list can vouch for: 1,000 of the ImageNet
classifier, 80 of the COCO detector, and the label words of the training pictures. WordNet places
leaves in its tree; a *concept* is a set of leaves; a word stands for one concept: "animal" for all
leaves below it. Words with equal sets share a concept, and so a vector.
"""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from picture_words import ALIASES, COCO_NAMES, COCO_SENSES, PICTURE_WORDS, SENSES, SKIPPED

# A word whose concept holds more of the leaves than this says next to nothing ("object").
MAX_SHARE = 0.45
# How far below a leaf a word may be to stand for that leaf ("sedan" below "car"), and how many
# leaves that one may hold: "barn owl" must not stand for all birds.
MAX_STEPS_BELOW = 3
MAX_LEAVES_ABOVE = 15
# The first classes of ImageNet are the animals.
ANIMALS = 398
_LEXICONS = ("animal", "artifact", "food", "plant", "object", "body", "phenomenon", "substance")
_LIVING = ("animal", "plant", "food")
MAX_WORD_PARTS = 3


@dataclass(frozen=True, slots=True)
class Synset:
    """One meaning: its words, its more general meanings and its kind."""

    lexicon: str
    words: tuple[str, ...]
    above: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Leaves in order (ImageNet, COCO, pictures), concepts as sets of leaves, words to concepts."""

    leaves: tuple[str, ...]
    concepts: tuple[frozenset[int], ...]
    words: dict[str, int]
    picture_leaf: dict[str, int]


def read_wordnet(path: Path) -> dict[str, Synset]:
    """The noun synsets of `oewn_synsets.jsonl.gz` by id."""
    found = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["id"].endswith("-n"):
                lexicon = row["lex"].removeprefix("noun.")
                found[row["id"]] = Synset(lexicon, tuple(row["words"]), tuple(row["hyper"]))
    return found


def build_vocabulary(weights: Path) -> Vocabulary:
    """The vocabulary from WordNet and the label lists in the folder of teachers."""
    synsets = read_wordnet(weights / "wordnet" / "oewn_synsets.jsonl.gz")
    by_word: dict[str, list[str]] = defaultdict(list)
    for key, synset in synsets.items():
        for word in synset.words:
            by_word[normal(word)].append(key)
    lines = (weights / "labels" / "imagenet_1001_synonyms.txt").read_text().splitlines()[1:1001]
    leaves = [normal(line.split(",")[0]) for line in lines]
    places = [
        _imagenet_synset(line, "animal" if row < ANIMALS else "", synsets, by_word)
        for row, line in enumerate(lines)
    ]
    extra: list[set[str]] = [{normal(name) for name in line.split(",")} for line in lines]
    for name in COCO_NAMES:
        leaves.append(name)
        places.append(_sense(COCO_SENSES.get(name, name), synsets, by_word))
        extra.append({name})
    picture_leaf = {}
    for word in sorted({word for words in PICTURE_WORDS.values() for word in words}):
        picture_leaf[word] = len(leaves)
        leaves.append(word)
        places.append(_sense(SENSES.get(word, word), synsets, by_word))
        extra.append({word})
    below = _leaves_below(places, synsets)
    sets = _words_to_leaves(synsets, by_word, places, below, extra)
    concepts: dict[frozenset[int], int] = {}
    words = {word: concepts.setdefault(held, len(concepts)) for word, held in sorted(sets.items())}
    return Vocabulary(tuple(leaves), tuple(concepts), words, picture_leaf)


def normal(word: str) -> str:
    """Lower case, blanks for hyphens and underscores."""
    return " ".join(word.lower().replace("-", " ").replace("_", " ").split())


def _imagenet_synset(
    line: str, lexicon: str, synsets: dict[str, Synset], by_word: dict[str, list[str]]
) -> str | None:
    """The synset that shares most of a label's synonyms, of a kind where that is known."""
    names = [normal(name) for name in line.split(",")]
    votes: dict[str, float] = defaultdict(float)
    for rank, name in enumerate(names):
        for key in by_word.get(name, ()):
            kind = synsets[key].lexicon
            votes[key] += 1.0 + 0.1 * (rank == 0) + 0.2 * (kind in _LEXICONS) + (kind == lexicon)
    if not votes:
        return None
    return max(votes, key=lambda key: (votes[key] - 0.1 * len(synsets[key].words), key))


def _sense(name: str, synsets: dict[str, Synset], by_word: dict[str, list[str]]) -> str | None:
    """The synset of `word` or `word/other`, where `other` is another word of the synset."""
    word, _, other = name.partition("/")
    found = [
        key
        for key in by_word.get(normal(word), ())
        if not other or normal(other) in {normal(each) for each in synsets[key].words}
    ]
    return min(found, key=lambda key: (_rank(synsets[key]), key), default=None)


def _leaves_below(
    places: Iterable[str | None], synsets: dict[str, Synset]
) -> dict[str, frozenset[int]]:
    below: dict[str, set[int]] = defaultdict(set)
    for leaf, place in enumerate(places):
        for key in _ancestors(place, synsets) if place else ():
            below[key].add(leaf)
    return {key: frozenset(held) for key, held in below.items()}


def _ancestors(key: str, synsets: dict[str, Synset]) -> set[str]:
    """A synset and everything above it."""
    seen, waiting = set(), [key]
    while waiting:
        current = waiting.pop()
        if current not in seen and current in synsets:
            seen.add(current)
            waiting.extend(synsets[current].above)
    return seen


def _words_to_leaves(
    synsets: dict[str, Synset],
    by_word: dict[str, list[str]],
    places: list[str | None],
    below: dict[str, frozenset[int]],
    extra: list[set[str]],
) -> dict[str, frozenset[int]]:
    leaf_places = {place for place in places if place}
    sets: dict[str, frozenset[int]] = {}
    for word, senses in by_word.items():
        if word in SKIPPED or len(word.split()) > MAX_WORD_PARTS or len(word) < 2:
            continue
        held = _leaves_of(senses, synsets, leaf_places, below)
        if held and len(held) <= MAX_SHARE * len(places):
            sets[word] = held
    named: dict[str, set[int]] = defaultdict(set)
    for leaf, names in enumerate(extra):
        place = places[leaf]
        held = set(below[place]) if place else {leaf}
        for name in names:
            # A detector's or a picture list's name means what that list means by it.
            if leaf >= 1000 or name not in sets:
                named[name] |= held
    sets.update({word: frozenset(held) for word, held in named.items() if word not in SKIPPED})
    for word, target in ALIASES.items():
        sets[word] = sets[target]
    return sets


def _leaves_of(
    senses: list[str],
    synsets: dict[str, Synset],
    leaf_places: set[str],
    below: dict[str, frozenset[int]],
) -> frozenset[int]:
    """Leaves of a word: of its senses that are leaves, else of its broad ones, else one above."""
    things = [key for key in senses if synsets[key].lexicon != "person"]
    exact = [key for key in things if key in leaf_places]
    if exact:
        return frozenset().union(*(below[key] for key in exact))
    held = [below[key] for key in things if key in below]
    if held:
        broadest = max(map(len, held))
        return frozenset().union(*(each for each in held if len(each) >= 0.3 * broadest))
    for key in sorted(things, key=lambda key: _rank(synsets[key])):
        level = {key}
        for step in range(MAX_STEPS_BELOW):
            level = {above for key in level if key in synsets for above in synsets[key].above}
            for above in sorted(level):
                # A leaf above, or a kind of beings or food that has a few leaves of its own.
                near = step == 0 and above in below and synsets[above].lexicon in _LIVING
                if (near or above in leaf_places) and len(below[above]) <= MAX_LEAVES_ABOVE:
                    return below[above]
    return frozenset()


def _rank(synset: Synset) -> int:
    return _LEXICONS.index(synset.lexicon) if synset.lexicon in _LEXICONS else len(_LEXICONS)
