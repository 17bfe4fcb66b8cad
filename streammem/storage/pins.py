"""Which memories of a library stay whatever their age: their names in a short text file."""

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from streammem.core.errors import MemoryFileError

PINS_NAME = "pins.json"


def read_pins(folder: Path) -> frozenset[str]:
    """The names of the pinned memories.

    Raises:
        MemoryFileError: the file is damaged: nothing may be removed on a guess.
    """
    file = folder / PINS_NAME
    try:
        names = json.loads(file.read_text("utf-8"))
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("not a list of names")
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError) as error:
        raise MemoryFileError(
            f"{file} cannot be read: {error}",
            hint="repair it, or remove it and pin again",
            code="pins_unreadable",
        ) from error
    return frozenset(names)


def write_pins(folder: Path, names: Iterable[str]) -> None:
    """Pin these memories and no others. The caller holds the library's lock."""
    file = folder / PINS_NAME
    kept = sorted(set(names))
    try:
        if not kept:
            with suppress(FileNotFoundError):
                file.unlink()
            return
        unfinished = file.with_name(f".{PINS_NAME}.new")
        unfinished.write_text(json.dumps(kept, ensure_ascii=False), "utf-8")
        unfinished.replace(file)
    except OSError as error:
        raise MemoryFileError(
            f"{file} cannot be written: {error.strerror}",
            hint="check the permissions of the folder",
            code="memory_unwritable",
        ) from error
