"""The stated vocabulary of the descriptor: every word it knows and what the word asks for.

Words outside this file are reported as unknown. Nouns are here only where they name a layout of
colours and little else ("sky", "lawn"); nouns that name no appearance are ignored.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from streammem.encoders.descriptor_space import (
    CELL_COLUMNS,
    CELL_ROWS,
    COLOURS,
    LIGHTS,
    MOTIONS,
    SATURATIONS,
    TEXTURES,
    cell_index,
)

Mixture = Mapping[str, float]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _same(words: str, **mixture: float) -> dict[str, Mixture]:
    return dict.fromkeys(words.split(), mixture)


# Colour words: shares of the basic terms that such a surface shows.
COLOUR_WORDS: Final[Mapping[str, Mixture]] = MappingProxyType(
    {name: {name: 1.0} for name in COLOURS}
    | _same("ebony jet", black=1.0)
    | _same("ivory snowy", white=1.0)
    | _same("cream", white=0.8, yellow=0.2)
    | _same("gray greyish grayish", grey=1.0)
    | _same("silver silvery", grey=0.8, white=0.2)
    | _same("charcoal", grey=0.6, black=0.4)
    | _same("reddish crimson scarlet ruby vermilion", red=1.0)
    | _same("maroon burgundy", red=0.8, brown=0.2)
    | _same("coral salmon", pink=0.6, orange=0.4)
    | _same("orangish amber", orange=1.0)
    | _same("yellowish lemon", yellow=1.0)
    | _same("gold golden", yellow=0.6, orange=0.2, brown=0.2)
    | _same("greenish lime emerald", green=1.0)
    | _same("olive khaki", green=0.7, brown=0.3)
    | _same("teal turquoise aqua", cyan=1.0)
    | _same("bluish navy azure cobalt ultramarine", blue=1.0)
    | _same("violet lilac indigo purplish", purple=1.0)
    | _same("lavender", purple=0.6, white=0.4)
    | _same("magenta fuchsia", purple=0.7, pink=0.3)
    | _same("pinkish rose", pink=1.0)
    | _same("brownish chestnut tan wooden", brown=1.0)
    | _same("beige", brown=0.6, white=0.4)
)

# "dark red", "pale blue": what a shade before a colour adds to it, as a share.
SHADES: Final[Mapping[str, tuple[str, float]]] = MappingProxyType(
    {"dark": ("black", 0.2), "deep": ("black", 0.1), "light": ("white", 0.2)}
    | {"pale": ("white", 0.3), "bright": ("white", 0.0), "vivid": ("white", 0.0)}
)

# Words for a place in the picture: (row, column) of a 3 x 3 grid, None for any.
_ROWS: Final = {"top": 0, "upper": 0, "bottom": 2, "lower": 2}
_COLUMNS: Final = {"left": 0, "lefthand": 0, "right": 2, "righthand": 2}
_CENTRE: Final = ("middle", "centre", "center", "central")
CORNER: Final = "corner"


def _places() -> dict[str, frozenset[int]]:
    rows = {
        word: frozenset(cell_index(row, column) for column in range(CELL_COLUMNS))
        for word, row in _ROWS.items()
    }
    columns = {
        word: frozenset(cell_index(row, column) for row in range(CELL_ROWS))
        for word, column in _COLUMNS.items()
    }
    centre = {word: frozenset({cell_index(1, 1)}) for word in _CENTRE}
    ends = (0, CELL_ROWS - 1), (0, CELL_COLUMNS - 1)
    corners = frozenset(cell_index(row, column) for row in ends[0] for column in ends[1])
    return rows | columns | centre | dict.fromkeys((CORNER, "corners"), corners)


PLACES: Final[Mapping[str, frozenset[int]]] = MappingProxyType(_places())
EVERYWHERE: Final = frozenset(range(CELL_ROWS * CELL_COLUMNS))

# Words that say a colour fills the picture.
WHOLE_WORDS: Final = _set(
    "screen background backdrop mostly mainly entirely completely fully whole entire full all "
    "everything everywhere predominantly"
)

# Nouns that are a layout of colours: the mixture and the cells it is usually seen in.
_TOP, _BOTTOM = PLACES["top"], PLACES["bottom"]
SCENES: Final[Mapping[str, tuple[Mixture, frozenset[int]]]] = MappingProxyType(
    dict.fromkeys(["grass", "lawn", "meadow", "field"], ({"green": 1.0}, _BOTTOM))
    | {"forest": ({"green": 0.8, "brown": 0.2}, EVERYWHERE)}
    | {"sky": ({"blue": 0.8, "white": 0.2}, _TOP)}
    | dict.fromkeys(["snow", "snowfield"], ({"white": 1.0}, _BOTTOM))
    | dict.fromkeys(["sea", "ocean", "lake", "water"], ({"blue": 0.8, "cyan": 0.2}, _BOTTOM))
    | dict.fromkeys(["sunset", "sunrise"], ({"orange": 0.7, "red": 0.3}, _TOP))
    | dict.fromkeys(
        ["fire", "flame", "flames"],
        ({"orange": 0.6, "yellow": 0.2, "red": 0.2}, frozenset[int]()),
    )
)


def _group(block: str, names: tuple[str, ...], **words: str) -> dict[str, tuple[str, str]]:
    pairs = {word: name for name, text in words.items() for word in text.split()}
    spoken = {name.replace(" ", "_"): name for name in names}
    return {word: (block, spoken[name]) for word, name in pairs.items()}


# Words for light, saturation, texture and motion: (block, name within it).
ASPECTS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    _group(
        "light",
        LIGHTS,
        dark="dark dim dimly night nighttime darkness gloomy unlit",
        bright="bright day daytime daylight brightly well-lit overexposed",
        high_contrast="contrasty high-contrast silhouette",
        low_contrast="low-contrast foggy hazy misty fog haze mist",
    )
    | _group(
        "saturation",
        SATURATIONS,
        colourful="colourful colorful saturated rainbow multicoloured multicolored",
        colourless="colourless colorless monochrome greyscale grayscale desaturated",
    )
    | _group(
        "texture",
        TEXTURES,
        smooth="smooth plain flat blank empty uniform solid",
        busy="busy noisy noise textured texture cluttered detailed grainy rough",
        horizontal_stripes="horizontal-stripes",
        vertical_stripes="vertical-stripes",
        checkered="checkered chequered checkerboard chequerboard checked chessboard",
    )
    | _group(
        "motion",
        MOTIONS,
        still="still static frozen motionless unmoving stationary freeze",
        moving="moving motion moves move movement running flying bouncing rolling sliding",
    )
)

# "striped" alone asks for either direction.
STRIPES: Final = _set("striped stripes stripe stripy")
HORIZONTAL: Final = frozenset(("horizontal", "horizontally"))
VERTICAL: Final = frozenset(("vertical", "vertically"))

# Several words that mean one thing, rewritten before the words are looked up.
PHRASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "black and white": "monochrome",
        "high contrast": "high-contrast",
        "low contrast": "low-contrast",
        "well lit": "well-lit",
        "static noise": "noise",
        "left hand": "left",
        "right hand": "right",
    }
)

# Said without asking for an appearance: function words, and nouns that every picture fits.
IGNORED: Final = _set(
    "a an the of in on at to is are was were be there it its this that these those and or with "
    "by from for into as has have which where when some any something anything thing things "
    "object objects item items side part area half edge place colour color coloured colored "
    "shade tone hue scene scenes picture pictures image images frame frames video videos clip "
    "camera shot view light lights very really lit hand looking shown shows show seen see "
    "visible appears appear appearing toward towards one"
)
# Where a thought ends: a place belongs to the colour on its side of these.
SEPARATORS: Final = frozenset(("and", "with", "or", "on", ",", ";", "."))

LABELS: Final = (
    *(f"mostly {name}" for name in COLOURS),
    *(f"something {name}" for name in COLOURS),
    *("dark", "bright", "high contrast", "low contrast", "colourful", "black and white"),
    *("plain", "busy", "horizontal stripes", "vertical stripes", "checkered"),
    *("still", "moving"),
)
