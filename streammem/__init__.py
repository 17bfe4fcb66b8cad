"""A memory under a fixed byte budget for any video stream, and answers with measured times.

    from streammem import Library, MemoryStore, parse_question

Names are loaded on first use, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streammem.api import AskOptions, Library, Memory
    from streammem.core.errors import StreamMemError
    from streammem.memory.store import MemoryStore
    from streammem.query.parse import parse_question

__version__ = "0.1.0"

__all__ = ["AskOptions", "Library", "Memory", "MemoryStore", "StreamMemError", "parse_question"]

_HOMES = {
    "AskOptions": "streammem.api",
    "Library": "streammem.api",
    "Memory": "streammem.api",
    "MemoryStore": "streammem.memory.store",
    "StreamMemError": "streammem.core.errors",
    "parse_question": "streammem.query.parse",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'streammem' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
