"""What happens in the event scripts: names in English, events, and scripts made of them."""

from collections.abc import Sequence
from dataclasses import dataclass

LOOKS = (
    "red", "blue", "striped", "burning", "broken", "spinning", "golden", "rusty", "silver",
    "melting", "frozen", "empty", "yellow", "folded", "ripe", "knitted", "pink", "steaming",
    "parked", "tiny", "muddy", "square", "velvet", "floating", "heavy", "purple", "wooden",
    "green", "hollow", "crooked", "wet", "shiny",
)  # fmt: skip
THINGS = (
    "kite", "van", "tent", "candle", "vase", "wheel", "bell", "tractor", "trumpet", "icicle",
    "boat", "tower", "taxi", "blanket", "melon", "scarf", "chimney", "kettle", "scooter",
    "beetle", "boots", "lantern", "sofa", "feather", "anchor", "umbrella", "bridge", "parrot",
    "barrel", "ladder", "towel", "spoon",
)  # fmt: skip
NAMES: tuple[str, ...] = tuple(f"{look} {thing}" for look in LOOKS for thing in THINGS)
"""1,024 phrases of two words. A red kite looks a little like a blue kite, and like a red van."""

TYPES = 24
"""How many names a script uses."""
ABSENT = 6
"""How many more are asked for and never occur: one name in five."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One event of a script: what is seen, from `start_s` up to `end_s`."""

    name: str
    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class Script:
    """Events in time order, and names that do not occur. The stream ends at `end_s`."""

    visits: Sequence[Visit]
    absent: Sequence[str]
    end_s: float

    @property
    def names(self) -> tuple[str, ...]:
        """The names that occur, by their first event."""
        return tuple(dict.fromkeys(visit.name for visit in self.visits))

    def of(self, name: str) -> list[Visit]:
        """The events of a name in time order."""
        return [visit for visit in self.visits if visit.name == name]

    def once(self) -> list[str]:
        """The names that occur exactly once, so that they can fix a time."""
        return [name for name in self.names if len(self.of(name)) == 1]
