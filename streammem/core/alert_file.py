"""Reads `alerts.toml`: rules in words and units of the user, errors with the line they are in."""

import difflib
import math
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from streammem.core.alerts import BY_FRAMES, MAX_PER_DAY, MAX_RULES, AlertRule
from streammem.core.errors import ConfigError
from streammem.core.timebase import parse_time

TABLE, DEFAULTS = "alert", "defaults"
MAX_NAME_CHARS = 80
_HEADER = re.compile(r"\s*\[{1,2}\s*([\w.-]+)\s*\]{1,2}")


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a rule: the field it sets, how its value is read, and what it means."""

    field: str
    read: Callable[[Any], Any]
    meaning: str


def seconds(low_s: float, high_s: float) -> Callable[[Any], float]:
    """The reader of a length of time: seconds, or a text such as `5m`."""

    def read(value: Any) -> float:
        if isinstance(value, str):
            value = parse_time(value)
        return number(low_s, high_s)(value)

    return read


def number(low: float, high: float) -> Callable[[Any], float]:
    """The reader of a number in a closed range."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError("it must be a number")
        if not math.isfinite(value) or not low <= value <= high:
            raise ValueError(f"it must lie between {low:g} and {high:g}")
        return float(value)

    return read


def whole(low: int, high: int) -> Callable[[Any], int]:
    """The reader of a whole number in a closed range."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError("it must be a whole number")
        return int(number(low, high)(value))

    return read


def text(value: Any) -> str:
    """The reader of words."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("it must be a text that is not empty")
    return value.strip()


def confirmation(value: Any) -> str:
    """The reader of who confirms."""
    name = text(value)
    kind, _, place = name.partition(":")
    if name != BY_FRAMES and (kind not in {"openai", "transformers"} or not place):
        raise ValueError("it must be frames, openai:URL#MODEL or transformers:FOLDER")
    return name


KEYS: Mapping[str, Key] = {
    "name": Key("name", text, "what it is called in reports; the text or the picture's name"),
    "text": Key("text", text, "what to look for, in words"),
    "image": Key("image", text, "what to look for, as a picture; beside the file if relative"),
    "threshold": Key(
        "threshold", number(1, 1000), "deviations above this camera's usual score to begin"
    ),
    "release": Key("release", number(0, 1000), "deviations below which it ends"),
    "min_strength": Key(
        "min_strength", number(-100, 100), "least deviations above unrelated pictures"
    ),
    "confirm_frames": Key("confirm_frames", whole(1, 100), "so many frames must reach both ..."),
    "confirm_of": Key("confirm_of", whole(1, 100), "... of so many frames in a row ..."),
    "confirm_window": Key("confirm_window_s", seconds(0, 3600), "... within this time"),
    "warm_up": Key("warm_up_s", seconds(0, 86_400), "time for learning the camera's usual score"),
    "adapt": Key("adapt_s", seconds(60, 30 * 86_400), "time the usual score is taken over"),
    "cool_down": Key("cool_down_s", seconds(0, 86_400), "least time between two reports"),
    "max_per_day": Key("max_per_day", whole(1, MAX_PER_DAY), "most reports in 24 hours"),
    "absent_for": Key(
        "absent_for_s", seconds(0.001, 86_400), "report that it was not seen for so long instead"
    ),
    "confirm": Key("confirm", confirmation, "frames, openai:URL#MODEL or transformers:FOLDER"),
    "confirm_timeout": Key("confirm_timeout_s", seconds(0.1, 600), "time an answerer may take"),
}
_OF_ONE_RULE = frozenset({"name", "text", "image"})


def read_rules(path: Path) -> tuple[AlertRule, ...]:
    """The rules of an alert file, in its order.

    Raises:
        ConfigError: it cannot be read, or a key or a value of it means nothing.
    """
    try:
        source = path.read_text(encoding="utf-8")
        data = tomllib.loads(source)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(
            f"cannot read {path}: {reason}", hint="see docs/alerts.md for an example"
        ) from error
    place = _Place(path, source)
    for name in data:
        if name not in {TABLE, DEFAULTS}:
            raise place.unknown(name, (TABLE, DEFAULTS), table=None, index=0)
    tables, defaults = data.get(TABLE, []), data.get(DEFAULTS, {})
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{path}: alerts are tables", hint="begin each one with [[alert]]")
    if not isinstance(defaults, dict):
        raise ConfigError(f"{path}: defaults are a table", hint="write [defaults]")
    if not tables:
        raise ConfigError(f"{path} holds no alert", hint="begin each one with [[alert]]")
    common = _fields(defaults, place, DEFAULTS, 0)
    return tuple(
        _rule(common | _fields(table, place, TABLE, index), place, index)
        for index, table in enumerate(tables)
    )


def check_rules(rules: Sequence[AlertRule]) -> tuple[AlertRule, ...]:
    """The rules of all places together.

    Raises:
        ConfigError: there are too many, or two of one name.
    """
    if len(rules) > MAX_RULES:
        raise ConfigError(
            f"{len(rules)} alerts are more than {MAX_RULES}",
            hint="watch the source a second time with the others",
        )
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two alerts are called {name!r}", hint="give each a name of its own")
    return tuple(rules)


def rule_of_text(words: str) -> AlertRule:
    """The rule of `--alert`.

    Raises:
        ConfigError: it is empty.
    """
    if not words.strip():
        raise ConfigError("an alert of no words", hint='--alert "a person lies on the ground"')
    return AlertRule(name=_short(words.strip()), text=words.strip())


def rule_of_image(path: str) -> AlertRule:
    """The rule of `--alert-image`."""
    return AlertRule(name=_short(Path(path).stem), image=path)


@dataclass(frozen=True, slots=True)
class _Place:
    """An alert file and its lines, to say where something is wrong."""

    path: Path
    source: str

    def line_of(self, key: str, table: str | None, index: int) -> int | None:
        """The line of a key in the table of that name and number; None where it is not found."""
        wanted = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=")
        current: str | None = None
        seen = -1
        for number_, line in enumerate(self.source.splitlines(), start=1):
            header = _HEADER.match(line)
            if header is not None:
                current = header.group(1)
                seen += current == table
                if table is None and current == key:
                    return number_
            elif current == table and (table is None or seen == index) and wanted.match(line):
                return number_
        return None

    def error(
        self, key: str, message: str, hint: str, table: str | None, index: int
    ) -> ConfigError:
        line = self.line_of(key, table, index)
        where = f"{self.path}, line {line}" if line else str(self.path)
        return ConfigError(f"{where}: {message}", hint=hint)

    def unknown(
        self, key: str, known: Sequence[str], *, table: str | None, index: int
    ) -> ConfigError:
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(known)}"
        return self.error(key, f"unknown key {key!r}", hint, table, index)


def _fields(table: Mapping[str, Any], place: _Place, name: str, index: int) -> dict[str, Any]:
    """The fields that a table sets."""
    known = [key for key in KEYS if name == TABLE or key not in _OF_ONE_RULE]
    fields = {}
    for key, value in table.items():
        if key not in known:
            raise place.unknown(key, known, table=name, index=index)
        try:
            fields[KEYS[key].field] = KEYS[key].read(value)
        except ValueError as error:
            raise place.error(
                key, f"{key} = {value!r}: {error}", f"{key}: {KEYS[key].meaning}", name, index
            ) from error
    return fields


def _rule(fields: dict[str, Any], place: _Place, index: int) -> AlertRule:
    looks_for = [key for key in ("text", "image") if key in fields]
    if len(looks_for) != 1:
        raise ConfigError(
            f"{place.path}: alert {index + 1} needs a text or an image, exactly one of them",
            hint='text = "a person lies on the ground"',
        )
    if "image" in fields:
        fields["image"] = str(place.path.parent / fields["image"])
    default = fields.get("text") or Path(fields["image"]).stem
    rule = replace(AlertRule(name=_short(default)), **fields)
    rule = replace(rule, name=_short(rule.name))
    if "release" not in fields:
        rule = replace(rule, release=0.5 * rule.threshold)
    if rule.release > rule.threshold:
        raise place.error(
            "release", f"release {rule.release:g} is above the threshold {rule.threshold:g}",
            "it ends where the score falls below release", TABLE, index,
        )  # fmt: skip
    if rule.confirm_frames > rule.confirm_of:
        raise place.error(
            "confirm_frames",
            f"{rule.confirm_frames} of {rule.confirm_of} frames cannot be reached",
            "confirm_frames must not exceed confirm_of", TABLE, index,
        )  # fmt: skip
    return rule


def _short(name: str) -> str:
    return " ".join(name.split())[:MAX_NAME_CHARS]
