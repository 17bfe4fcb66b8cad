"""Stores reached through fsspec; the only module that imports it."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote

from fsspec.core import url_to_fs

_KEY_BYTES = 7
# What stores say of a file that changes with it; the first one that is there counts.
_CHANGES = (
    "ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "updated", "modified",
    "Last-Modified", "created",
)  # fmt: skip


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


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in a folder of a store: its size, and a text that changes when the file does."""

    size_bytes: int
    mark: str


class StoreFolder:
    """A folder in a store. Errors are whatever its package raises."""

    def __init__(self, address: str) -> None:
        """Raises ImportError where the package of its kind is missing, ValueError for no kind."""
        found: tuple[Any, str] = url_to_fs(address.rstrip("/"))
        self._files, self._path = found
        # Pages of the web list names only, each of which has to be looked at.
        self._listed_bare = address.lower().startswith(("http://", "https://"))

    def names(self) -> dict[str, StoredFile]:
        """The files in the folder itself by name; none where there is no such folder."""
        self._files.invalidate_cache()
        try:
            rows = self._files.ls(self._path + "/" * self._listed_bare, detail=True)
        except FileNotFoundError:
            if self._listed_bare:
                raise
            return {}
        found = {}
        for row in rows:
            name = PurePosixPath(str(row["name"])).name
            if row.get("type") == "file" and name:
                found[unquote(name) if self._listed_bare else name] = _stored_file(row)
        return found

    def look(self, name: str) -> StoredFile | None:
        """One file as it is now; None where it is not there."""
        self._files.invalidate_cache()
        try:
            return _stored_file(self._files.info(self._place(name)))
        except FileNotFoundError:
            return None

    def get(self, name: str, target: Path) -> None:
        """Copy a file from there."""
        self._files.get_file(self._place(name), str(target))

    def put(self, source: Path, name: str, passing: str) -> None:
        """Copy a file there whole, at first under a `passing` name that is no file of a library."""
        self._files.makedirs(self._path, exist_ok=True)
        place = self._place(passing)
        try:
            self._files.put_file(str(source), place)
            size, sent = int(self._files.info(place)["size"]), source.stat().st_size
            if size != sent:
                raise OSError(f"{size} of {sent} bytes arrived")
            self._files.mv(place, self._place(name))
        except Exception:
            with suppress(Exception):
                self._files.rm_file(place)
            raise

    def _place(self, name: str) -> str:
        return f"{self._path}/{quote(name) if self._listed_bare else name}"


def _stored_file(row: dict[str, Any]) -> StoredFile:
    size = int(row.get("size") or 0)
    for key in _CHANGES:
        value = row.get(key)
        if value:
            stamp = value.timestamp() if hasattr(value, "timestamp") else str(value).strip('"')
            return StoredFile(size, f"{size} {stamp}")
    return StoredFile(size, str(size))
