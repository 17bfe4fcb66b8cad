"""Stores reached through fsspec; the only module that imports it."""

import hashlib
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs

_KEY_BYTES = 7


class RemoteStore:
    """The store that an address names. Errors are whatever its package raises."""

    def __init__(self, address: str) -> None:
        """Raises ImportError where the package of its kind is missing."""
        found: tuple[Any, str] = url_to_fs(address)
        self._files, self._path = found
        self._scheme = address.partition("://")[0]

    def below(self, *, pattern: bool) -> list[str] | None:
        """The addresses of all files below a folder or of a pattern; None for a single file."""
        if pattern:
            paths = self._files.glob(self._path)
        elif self._files.isdir(self._path):
            paths = self._files.find(self._path)
        else:
            return None
        # A store may have several names; it keeps the one that was used.
        places = (str(self._files.unstrip_protocol(path)).partition("://")[2] for path in paths)
        return [f"{self._scheme}://{place}" for place in places]

    def head(self, size_bytes: int) -> bytes:
        """The first bytes of the file."""
        return bytes(self._files.cat_file(self._path, start=0, end=size_bytes))

    def mark(self) -> tuple[int, int]:
        """The file's size, and a number that changes when the file does."""
        key = str(self._files.ukey(self._path)).encode()
        digest = hashlib.sha256(key).digest()[:_KEY_BYTES]
        return int(self._files.info(self._path).get("size") or 0), int.from_bytes(digest)

    def copy_to(self, target: Path) -> None:
        """Copy the file."""
        self._files.get_file(self._path, str(target))
