"""From a short text to the coordinates of pictures it describes, as far as its words are known."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Floats
from streammem.encoders.descriptor_space import (
    BLOCKS,
    COLOUR_PAIRS,
    COLOURS,
    DIM,
    LIGHTS,
    MOTIONS,
    SATURATIONS,
    TEXTURES,
)
from streammem.encoders.descriptor_words import (
    ASPECTS,
    COLOUR_WORDS,
    EVERYWHERE,
    HORIZONTAL,
    IGNORED,
    LABELS,
    PHRASES,
    PLACES,
    SCENES,
    SEPARATORS,
    SHADES,
    STRIPES,
    VERTICAL,
    WHOLE_WORDS,
    Mixture,
)

Reals = NDArray[np.float64]

__all__ = ["LABELS", "embed_text"]

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*|[,;.]")
_NAMES = {"light": LIGHTS, "saturation": SATURATIONS, "texture": TEXTURES, "motion": MOTIONS}
_STRIPE_PARTS = {"both": (2, 3), "horizontal": (2,), "vertical": (3,)}
# How the parts of a question about colour share its weight. A colour with a place counts mostly
# in that place; two colours together count mostly as a couple. Set on rendered scenes, see
# models/descriptor/card.md.
_PLACED_SHARE = 0.92
_PAIRED_SHARE = 0.65
_NOWHERE: frozenset[int] = frozenset()


@dataclass(slots=True)
class _ColourGroup:
    """One thing of a colour: shares of the basic terms, and the layout cells it is in."""

    mixture: Mixture
    cells: frozenset[int] = _NOWHERE


@dataclass(slots=True)
class _Reading:
    """What a text asks for: coloured things, and aspects of the whole picture."""

    groups: list[_ColourGroup] = field(default_factory=list)
    aspects: dict[tuple[str, int], float] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


def embed_text(text: str) -> tuple[Floats, tuple[str, ...]]:
    """The unit vector `[D]` of a text, zeros if nothing in it is known, and its unknown words."""
    reading = _read(_words(text))
    wanted = np.zeros(DIM, np.float64)
    if reading.groups:
        _ask_for_colours(wanted, reading.groups)
    for (block, index), strength in reading.aspects.items():
        wanted[BLOCKS[block].start + index] += strength
    # A block's coordinates are small where its weight is; dividing makes what is asked for count
    # alike, whatever block answers it.
    for part in BLOCKS.values():
        wanted[part.span] /= part.weight
    length = np.sqrt((wanted * wanted).sum())
    unit = (wanted / length if length > 0 else wanted).astype(np.float32)
    return unit, tuple(dict.fromkeys(reading.unknown))


def _words(text: str) -> list[str]:
    lowered = " ".join(_WORD.findall(text.lower().replace("’", "'")))
    for phrase, word in PHRASES.items():
        lowered = re.sub(rf"\b{phrase}\b", word, lowered)
    words: list[str] = []
    for word in lowered.split():
        words.extend([word] if _is_known(word) else word.split("-"))
    return words


def _is_known(word: str) -> bool:
    return word in ASPECTS or "-" not in word


def _read(words: Sequence[str]) -> _Reading:
    reading = _Reading()
    for clause in _clauses(words):
        _read_clause(clause, reading)
    # "blue screen" asks for blue all over; beside a second colour it cannot be all over.
    if len(reading.groups) == 1 and WHOLE_WORDS.intersection(words):
        reading.groups[0].cells = reading.groups[0].cells or EVERYWHERE
    return reading


def _clauses(words: Sequence[str]) -> list[list[str]]:
    """Runs of words between separators; a run with a place but no colour joins the one before."""
    runs: list[list[str]] = [[]]
    for word in words:
        if word in SEPARATORS:
            runs.append([])
        else:
            runs[-1].append(word)
    joined: list[list[str]] = []
    for run in runs:
        if joined and not (_has_colour(run) and _has_colour(joined[-1])):
            joined[-1].extend(run)
        else:
            joined.append(run)
    return joined


def _has_colour(words: Sequence[str]) -> bool:
    return any(word in COLOUR_WORDS or word in SCENES for word in words)


def _read_clause(words: Sequence[str], reading: _Reading) -> None:
    """Adds what one clause asks for; a place belongs to the colour before it, else after it."""
    groups: list[_ColourGroup] = []
    place = _NOWHERE
    for index, word in enumerate(words):
        previous = words[index - 1] if index else ""
        following = words[index + 1] if index + 1 < len(words) else ""
        if word in SHADES and following in COLOUR_WORDS:
            continue
        if word in COLOUR_WORDS:
            groups.append(_ColourGroup(_shaded(word, previous), place if not groups else _NOWHERE))
            place = _NOWHERE
        elif word in SCENES:
            _read_scene_noun(word, previous, groups, place)
            place = _NOWHERE
        elif word in PLACES:
            place = _narrowed(place, PLACES[word])
            if groups:
                groups[-1].cells = place
        elif word not in WHOLE_WORDS:
            _read_aspect(word, words, reading)
    reading.groups.extend(groups)


def _read_scene_noun(
    word: str, previous: str, groups: list[_ColourGroup], place: frozenset[int]
) -> None:
    """The noun "sky" brings its colour and place; "grey sky" keeps the stated colour."""
    mixture, usual = SCENES[word]
    if groups and previous in COLOUR_WORDS:
        groups[-1].cells = groups[-1].cells or usual
    else:
        groups.append(_ColourGroup(mixture, (place if not groups else _NOWHERE) or usual))


def _narrowed(place: frozenset[int], named: frozenset[int]) -> frozenset[int]:
    """For "top left" the cells that fit both words; those of the last where none fits both."""
    return place & named or named


def _shaded(word: str, previous: str) -> Mixture:
    mixture = COLOUR_WORDS[word]
    if previous not in SHADES:
        return mixture
    extra, share = SHADES[previous]
    mixed = {name: value * (1 - share) for name, value in mixture.items()}
    mixed[extra] = mixed.get(extra, 0.0) + share
    return mixed


def _read_aspect(word: str, words: Sequence[str], reading: _Reading) -> None:
    if word in ASPECTS:
        block, name = ASPECTS[word]
        reading.aspects[block, _NAMES[block].index(name)] = 1.0
    elif word in STRIPES:
        across, down = HORIZONTAL.intersection(words), VERTICAL.intersection(words)
        parts = "both" if bool(across) == bool(down) else "horizontal" if across else "vertical"
        for index in _STRIPE_PARTS[parts]:
            reading.aspects["texture", index] = 1.0
    elif word not in IGNORED and not (
        word in HORIZONTAL | VERTICAL and STRIPES.intersection(words)
    ):
        reading.unknown.append(word)


def _ask_for_colours(wanted: Reals, groups: Sequence[_ColourGroup]) -> None:
    placed = [group for group in groups if group.cells]
    shares = {"layout": _PLACED_SHARE if placed else 0.0}
    shares["pairs"] = (1 - shares["layout"]) * (_PAIRED_SHARE if len(groups) > 1 else 0.0)
    shares["colour"] = 1 - shares["layout"] - shares["pairs"]
    colours = np.mean([_shares_of(group) for group in groups], axis=0)
    _add(wanted, "colour", np.sqrt(colours), shares["colour"])
    if placed:
        layout = np.zeros((len(EVERYWHERE), len(COLOURS)))
        for group in placed:
            layout[sorted(group.cells)] += _shares_of(group) / len(group.cells)
        _add(wanted, "layout", np.sqrt(layout).reshape(-1), shares["layout"])
    if len(groups) > 1:
        _add(wanted, "pairs", _couples(groups), shares["pairs"])


def _add(wanted: Reals, block: str, values: Reals, share: float) -> None:
    length = np.sqrt((values * values).sum())
    if share > 0 and length > 0:
        wanted[BLOCKS[block].span] += np.sqrt(share) * values / length


def _shares_of(group: _ColourGroup) -> Reals:
    return np.array([group.mixture.get(name, 0.0) for name in COLOURS])


def _couples(groups: Sequence[_ColourGroup]) -> Reals:
    """Each two things' colours together: square roots of the products of their shares."""
    asked = np.zeros((len(COLOURS), len(COLOURS)))
    for index, first in enumerate(groups):
        for second in groups[index + 1 :]:
            both = np.sqrt(np.outer(_shares_of(first), _shares_of(second)))
            asked += both + both.T
    return np.array([asked[first, second] for first, second in COLOUR_PAIRS])
