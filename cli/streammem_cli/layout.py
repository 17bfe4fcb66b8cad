"""How text looks on a terminal: what would steer it made visible, long lines folded."""

import re
import textwrap
from typing import Any

INDENT = 2
WIDTH = 80
# In the order in which frames pass through them.
TIERS = ("sensory", "working", "long_term")
# What a terminal obeys instead of showing it: control characters of both kinds (escape sequences
# begin with one), separators of lines, and what reverses the order of the text around it. Halves
# of surrogate pairs stand for undecodable bytes in file names and cannot be printed at all.
_LATER_STEERING = "\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_STEERING = re.compile(f"[\x00-\x1f{_LATER_STEERING}]")
# In a document everything below the blank is escaped already.
_STEERING_IN_JSON = re.compile(f"[{_LATER_STEERING}]")
# A command in a sentence is copied from there, so that no line ends inside it.
_QUOTED_COMMAND = re.compile("`[^`]*`")
# Neither does one between a number and its unit.
_UNIT = re.compile(r"(?<=\d) (?=(?:s|ms|min|h|B|[KMGT]iB|px|fps|%)(?!\w))")
_NO_BREAK = "\x00"


def visible(text: str) -> str:
    """The text with escapes for what would steer a terminal."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def escaped_in_json(text: str) -> str:
    """The JSON text with escapes for what would steer a terminal; its meaning stays the same."""
    return _STEERING_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def folded(text: str, head: str = "", indent: int | None = None) -> list[str]:
    """Lines of at most 80 columns, the later ones at `indent` or below the text after the head.

    They break at blanks outside of quoted commands, so a long word stays whole.
    """
    head, text = visible(head), visible(text)
    if len(head) + len(text) <= WIDTH:
        return [(head + text).rstrip()]
    if indent is None:
        indent = len(head) if 0 < len(head) <= WIDTH // 2 else INDENT
    lines = textwrap.wrap(
        _UNIT.sub(_NO_BREAK, _QUOTED_COMMAND.sub(_kept_together, text)),
        WIDTH,
        initial_indent=head,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_NO_BREAK, " ") for line in lines]


def _kept_together(found: re.Match[str]) -> str:
    return found[0].replace(" ", _NO_BREAK)


def counted(number: int, thing: str) -> str:
    """`1 cell`, `4 cells`, `4 memories`."""
    if number == 1:
        return f"1 {thing}"
    return f"{number} {thing[:-1]}ies" if thing.endswith("y") else f"{number} {thing}s"


def plain(value: Any) -> str:
    """A setting without the marks of a programming language."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return ", ".join(f"{name} {plain(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
