"""Digests of facts and files; that of large weights is remembered while they are unchanged."""

import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from streammem.core.config import default_digests_folder

_BLOCK_BYTES = 1 << 20
# Smaller files are read in less time than it takes to notice.
_REMEMBERED_FROM_BYTES = 32 << 20
# A file may change twice within one tick of its clock: what changed just now is not remembered.
_SETTLED_S = 2.0


def digest_of(facts: Mapping[str, Any], *, files: Mapping[str, Path] | None = None) -> str:
    """Hex SHA-256 over JSON-able facts and the content of named files."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, path in sorted((files or {}).items()):
        digest.update(f"\n{name}:{remembered_digest(path)}".encode())
    return digest.hexdigest()


def file_digest(path: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    """Hex SHA-256 of a file's bytes; `on_bytes` hears how many were read so far."""
    digest = hashlib.sha256()
    done = 0
    for block in _blocks(path):
        digest.update(block)
        done += len(block)
        if on_bytes is not None:
            on_bytes(done)
    return digest.hexdigest()


def remembered_digest(path: Path, folder: Path | None = None) -> str:
    """`file_digest`, read from `folder` (the user's cache) where this very file was read before.

    Reading 600 MB of weights takes a second, at every start. A file counts as the same while its
    path, size, inode and both change times are; the system sets the last one, so that copying an
    old time onto new weights does not hide them. A cache that cannot be used costs only time.
    """
    state = path.stat()
    if state.st_size < _REMEMBERED_FROM_BYTES:
        return file_digest(path)
    facts = (state.st_size, state.st_ino, state.st_dev, state.st_mtime_ns, state.st_ctime_ns)
    named = hashlib.sha256(f"{path.resolve()}|{facts}".encode()).hexdigest()
    entry = (folder or default_digests_folder()) / named
    known = _read(entry)
    if known is not None:
        return known
    found = file_digest(path)
    after = path.stat()
    unchanged = (after.st_size, after.st_ctime_ns) == (state.st_size, state.st_ctime_ns)
    if unchanged and time.time() - state.st_ctime > _SETTLED_S:
        _write(entry, found)
    return found


def _read(entry: Path) -> str | None:
    try:
        text = entry.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None
    return text if re.fullmatch(r"[0-9a-f]{64}", text) else None


def _write(entry: Path, digest: str) -> None:
    """Whole or not at all: two processes may learn the same digest at once."""
    unfinished = entry.with_name(f"{entry.name}.{secrets.token_hex(4)}")
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(digest, encoding="ascii")
        unfinished.replace(entry)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block
