"""A library that lies in a store such as s3: the copy of it here, and how the two are kept alike.

Memories are files of one writer each, and stores know no locks: so a memory is written here and
moved there whole, and what is there is read from a copy. The copy is a folder like any library.
"""

import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streammem.core import SCHEMA_VERSION
from streammem.core.budget import format_bytes
from streammem.core.errors import (
    BudgetError,
    MemoryFileError,
    MemoryLockedError,
    StreamMemError,
    UsageError,
)
from streammem.runtime.inspecting import verify
from streammem.runtime.store_errors import told
from streammem.storage.library import SUFFIX, LibraryFolder, safe_id
from streammem.storage.lock import WriterLock, folder_lock, lock_owner
from streammem.storage.memory_file import MemoryWriter, read_meta
from streammem.storage.side_files import remove_side_files
from streammem.video.identity import redact

if TYPE_CHECKING:
    from streammem.runtime.batch._fsspec import StoredFile, StoreFolder

CATALOGUE = "library.json"
_STATE, _LOCK, _ASIDE = ".store.json", ".store.lock", "aside"
_AT_ONCE = 8
# Whoever copies a large library first makes others wait, who would have to copy it as well.
_PATIENCE_S = 3600.0
_CATALOGUE_TRIES = 3
_WEB = re.compile(r"(?i)https?://")
_DIGEST = re.compile("[0-9a-f]{64}")
# Another library that was looked at within this time may be in use.
_IN_USE_S = 3600.0

# Is told how many memories were fetched, and of how many.
OnFetch = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Copied:
    """A memory that lies there and here: its mark there, its file here, its digest."""

    mark: str
    size_bytes: int
    changed_ns: int
    sha256: str

    def is_at(self, path: Path) -> bool:
        """Whether the file here is still the one that was copied."""
        try:
            facts = path.stat()
        except OSError:
            return False
        return (facts.st_size, facts.st_mtime_ns) == (self.size_bytes, self.changed_ns)


class StoreCopy:
    """The copy of one library in a store. For one thread; several processes may share it."""

    def __init__(
        self, address: str, root: Path, most_bytes: int, on_fetch: OnFetch | None = None
    ) -> None:
        """A copy below `root`, where all copies together take `most_bytes`; nothing is fetched."""
        self.address = address.rstrip("/")
        self.shown = redact(self.address)
        key = hashlib.sha256(self.shown.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        self.folder = root / f"{safe_id(self.shown.rpartition('/')[2])[:40]}-{key}"
        self._root = root
        self._most_bytes = most_bytes
        self._on_fetch = on_fetch
        self._library = LibraryFolder(self.folder)
        self._opened: StoreFolder | None = None

    @property
    def writable(self) -> bool:
        """Whether memories can be moved there: pages of the web are read only."""
        return _WEB.match(self.address) is None

    def place_of(self, memory_id: str) -> str:
        """The address of a memory."""
        return f"{self.shown}/{memory_id}{SUFFIX}"

    def refresh(self, memories: Collection[str] = ()) -> None:
        """Fetch what is new or has changed there, of the named memories or of all.

        A memory that is no longer there goes here, too. One that was made here under a name that
        is taken there by now is laid aside.

        Raises:
            SourceError: the store cannot be reached.
            BudgetError: there is more than copies may take.
        """
        wanted = {name.removesuffix(SUFFIX) for name in memories}
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._changing() as copied, told(self.address):
            for left in self.folder.glob(".*.part"):
                left.unlink()
            there = self._there()
            chosen = {name for name in there if not wanted or name in wanted}
            self._make_room(sum(there[name].size_bytes for name in chosen))
            stale = [
                name
                for name in sorted(chosen)
                if not self._is_alike(name, copied.get(name), there[name])
                and lock_owner(self._library.path_of(name)) is None
            ]
            self._fetch(stale, there, copied)
            for name in [name for name in copied if name not in there]:
                self._drop(name, copied.pop(name))

    def unpublished(self) -> list[str]:
        """Finished memories that were made or changed here and are not there yet, by name."""
        copied = _read_state(self.folder)
        return [name for name in self._library.ids() if self._is_ripe(name, copied.get(name))]

    def publish(self, memory_id: str) -> bool:
        """Move a memory there as it is here; False where it is unfinished or there already.

        Raises:
            MemoryFileError: it is damaged, or is being written.
            UsageError: somebody else has put another memory of that name there.
            SourceError: the store cannot be written.
        """
        before = _read_state(self.folder).get(memory_id)
        if not self._is_ripe(memory_id, before):
            return False
        path, name = self._library.path_of(memory_id), f"{memory_id}{SUFFIX}"
        if _size_of_file(path.with_name(f"{path.name}-wal")):
            # Its last commit lies in the log, where a killed writer left it.
            MemoryWriter.open(path).close()
        with WriterLock(path):
            (checked,) = verify(self._library, [memory_id])
            if not checked.ok:
                raise MemoryFileError(f"{path} is damaged: {'; '.join(checked.problems)}")
            with told(self.address):
                there = self._store().look(name)
                if there is not None and (before is None or there.mark != before.mark):
                    raise UsageError(
                        f"{self.place_of(memory_id)} was put there by somebody else meanwhile",
                        hint="run the same command again: it gets another name",
                        code="name_taken",
                    )
                self._store().put(path, name, f".{name}.{uuid.uuid4().hex}.part")
                put = self._store().look(name)
            assert put is not None
            now = _copied(path, put.mark)
        with self._changing() as copied:
            copied[memory_id] = now
        return True

    def write_catalogue(self) -> None:
        """List the memories that are there in a file beside them, for readers that cannot list.

        Two who do so at once may leave out each other's last one: so it is looked at again.

        Raises:
            SourceError: the store cannot be written.
        """
        with told(self.address):
            there = self._there()
            for _ in range(_CATALOGUE_TRIES):
                self._put_catalogue(there)
                before, there = there, self._there()
                if there == before:
                    return

    def _put_catalogue(self, there: Mapping[str, "StoredFile"]) -> None:
        copied = _read_state(self.folder)
        rows = {}
        for name, stored in sorted(there.items()):
            here = copied.get(name)
            known = here is not None and here.mark == stored.mark
            rows[name] = {
                "bytes": stored.size_bytes,
                "sha256": here.sha256 if here is not None and known else None,
            }
        document = {"schema_version": SCHEMA_VERSION, "memories": rows}
        file = self.folder / f".{CATALOGUE}.{uuid.uuid4().hex}"
        file.write_text(json.dumps(document, indent=1, sort_keys=True), encoding="utf-8")
        try:
            self._store().put(file, CATALOGUE, f"{file.name}.part")
        finally:
            file.unlink()

    def _store(self) -> "StoreFolder":
        if self._opened is None:
            from streammem.runtime.batch._fsspec import StoreFolder

            self._opened = StoreFolder(self.address)
        return self._opened

    def _there(self) -> dict[str, "StoredFile"]:
        """The memories in the store by name; on the web by the catalogue, where there is one."""
        store = self._store()
        if not self.writable:
            listed = self._by_catalogue(store)
            if listed is not None:
                return listed
        found = {}
        for file, stored in store.names().items():
            name = file.removesuffix(SUFFIX)
            # Names that could lead out of a folder are none of ours.
            if file.endswith(SUFFIX) and safe_id(name) == name:
                found[name] = stored
        if self.writable:
            return found
        # Pages list names only.
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            looked = pool.map(lambda name: (name, store.look(f"{name}{SUFFIX}")), found)
            return {name: stored for name, stored in looked if stored is not None}

    def _by_catalogue(self, store: "StoreFolder") -> dict[str, "StoredFile"] | None:
        from streammem.runtime.batch._fsspec import StoredFile

        file = self.folder / f".{CATALOGUE}.{uuid.uuid4().hex}"
        try:
            store.get(CATALOGUE, file)
            rows = json.loads(file.read_bytes())["memories"]
            return {
                name: StoredFile(int(row["bytes"]), str(row["sha256"] or row["bytes"]))
                for name, row in rows.items()
                if safe_id(name) == name
            }
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return None
        finally:
            file.unlink(missing_ok=True)

    def _is_alike(self, name: str, here: _Copied | None, there: "StoredFile") -> bool:
        return (
            here is not None and here.mark == there.mark and here.is_at(self._library.path_of(name))
        )

    def _is_ripe(self, name: str, here: _Copied | None) -> bool:
        path = self._library.path_of(name)
        if here is not None and here.is_at(path):
            return False
        try:
            return read_meta(path).progress.status != "running"
        except StreamMemError:
            # Of one that cannot be read the check before its move tells more.
            return path.exists()

    def _fetch(
        self, names: Sequence[str], there: Mapping[str, "StoredFile"], copied: dict[str, _Copied]
    ) -> None:
        """Copy memories from there, several at a time."""
        done = 0
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            fetched = pool.map(lambda name: self._fetch_one(name, there[name]), names)
            for name, (part, one) in zip(names, fetched, strict=True):
                self._take_in(name, part, copied.get(name))
                copied[name] = one
                done += 1
                if self._on_fetch is not None:
                    self._on_fetch(done, len(names))

    def _fetch_one(self, name: str, stored: "StoredFile") -> tuple[Path, _Copied]:
        part = self.folder / f".{name}.{uuid.uuid4().hex}.part"
        try:
            self._store().get(f"{name}{SUFFIX}", part)
            size = part.stat().st_size
            one = _copied(part, stored.mark)
            # A catalogue gives the digest as the mark.
            if _DIGEST.fullmatch(stored.mark) and stored.mark != one.sha256:
                raise OSError(f"{name}{SUFFIX} is not what the catalogue says")
            if size != stored.size_bytes:
                raise OSError(f"{size} of {stored.size_bytes} bytes of {name}{SUFFIX} arrived")
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return part, one

    def _take_in(self, name: str, part: Path, before: _Copied | None) -> None:
        """Put a fetched memory in its place; what was made here under that name is laid aside."""
        path = self._library.path_of(name)
        with WriterLock(path):
            if path.exists() and (before is None or not before.is_at(path)):
                aside = self.folder / _ASIDE
                aside.mkdir(exist_ok=True)
                path.replace(aside / f"{name}-{uuid.uuid4().hex[:8]}{SUFFIX}")
            remove_side_files(path)
            part.replace(path)

    def _drop(self, name: str, before: _Copied) -> None:
        """Forget the copy of a memory that is no longer there; one that was changed here stays."""
        if before.is_at(self._library.path_of(name)):
            with suppress(MemoryLockedError):
                self._library.forget(name)

    def _make_room(self, wanted_bytes: int) -> None:
        """Remove copies of other libraries, the longest unused first, where there is too much."""
        if wanted_bytes > self._most_bytes:
            raise BudgetError(
                f"the memories in {self.shown} take {format_bytes(wanted_bytes)}, and copies here "
                f"may take {format_bytes(self._most_bytes)}",
                hint="name some of them with --in, or raise library.copies in the configuration",
                code="copies_full",
            )
        others = [one.parent for one in self._root.glob(f"*/{_STATE}") if one.parent != self.folder]
        others.sort(key=_used_at)
        taken = {one: _size_of(one) for one in others}
        for one in others:
            if wanted_bytes + sum(taken.values()) <= self._most_bytes:
                return
            if time.time() - _used_at(one) > _IN_USE_S and _is_only_copies(one):
                shutil.rmtree(one)
                del taken[one]

    @contextmanager
    def _changing(self) -> Iterator[dict[str, _Copied]]:
        """What lies there and here, to be changed by one process at a time."""
        with folder_lock(self.folder / _LOCK, _PATIENCE_S):
            copied = _read_state(self.folder)
            try:
                yield copied
            finally:
                _write_state(self.folder, copied)


def _copied(path: Path, mark: str) -> _Copied:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        facts = os.fstat(file.fileno())
    return _Copied(mark, facts.st_size, facts.st_mtime_ns, digest)


def _read_state(folder: Path) -> dict[str, _Copied]:
    """What was copied; without a state that can be read everything is copied again."""
    try:
        rows: dict[str, dict[str, Any]] = json.loads((folder / _STATE).read_bytes())
        return {name: _Copied(**row) for name, row in rows.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write_state(folder: Path, copied: Mapping[str, _Copied]) -> None:
    rows = {name: asdict(one) for name, one in sorted(copied.items())}
    new = folder / f"{_STATE}.new"
    new.write_text(json.dumps(rows), encoding="utf-8")
    new.replace(folder / _STATE)


def _used_at(folder: Path) -> float:
    return (folder / _STATE).stat().st_mtime


def _size_of_file(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _is_only_copies(folder: Path) -> bool:
    """Whether nothing in a copy would be lost with it, and nobody is writing there."""
    copied = _read_state(folder)
    memories = list(folder.rglob(f"*{SUFFIX}"))
    return all(
        one.parent == folder and one.stem in copied and copied[one.stem].is_at(one)
        for one in memories
    ) and not any(lock_owner(one) for one in memories)
