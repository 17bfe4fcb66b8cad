"""A library: a folder of memories, their names, and what a listing says of them."""

import difflib
import os
import re
import unicodedata
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from streammem.core.errors import (
    MemoryFileError,
    MemoryLockedError,
    StreamMemError,
    UsageError,
)
from streammem.storage.event_keys import EventKeyIndex
from streammem.storage.library_index import LibraryIndex, Stamp, stamp
from streammem.storage.lock import WriterLock, folder_lock, lock_owner
from streammem.storage.memory_file import read_meta
from streammem.storage.placeholder import (
    is_no_placeholder,
    read_placeholder,
    write_placeholder,
)
from streammem.storage.records import MetaView
from streammem.storage.side_files import remove_side_files
from streammem.storage.usage import usage_path

SUFFIX = ".smem"
_LOCK_NAME = ".library.lock"
# Leaves room for "-2" and for the suffixes of side files in names of at most 255 bytes.
_MAX_NAME_BYTES = 200
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')
_SEPARATOR = re.compile(r"[\x00/\\]")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_DAMAGED = "damaged"
# So many new memories are read one by one, more through the index.
_FEW = 16

# A file's name and its number in the file system.
_File = tuple[str, int]


@dataclass(frozen=True, slots=True)
class LibraryEntry:
    """One memory in a listing.

    `status` is that of its progress, or `damaged` where the file cannot be read; `problem` then
    says why. `settings` is `MemoryMeta.settings_key()`. `file_bytes` is the main file's size.
    """

    memory_id: str
    path: Path
    file_bytes: int
    status: str
    fingerprint: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    source: str | None = None
    duration_s: float | None = None
    covered_s: float = 0.0
    budget_bytes: int = 0
    cell_counts: dict[str, int] = field(default_factory=dict)
    cue_counts: dict[str, int] = field(default_factory=dict)
    encoder: str | None = None
    policy: str | None = None
    created_at: float | None = None
    recorded_at: float | None = None
    problem: str | None = None


class LibraryFolder:
    """The memories in one folder. The folder need not exist until something is written."""

    def __init__(self, folder: Path) -> None:
        """The library in `folder`."""
        self.folder = folder
        self._index = LibraryIndex(folder)
        # Of which source a memory is never changes: who asks often reads each file once.
        self._fingerprints: dict[_File, str] = {}
        self._of_fingerprint: dict[str, set[_File]] = {}

    @property
    def lock_file(self) -> Path:
        """What whoever changes the library as a whole holds; see `folder_lock`."""
        return self.folder / _LOCK_NAME

    def ids(self) -> list[str]:
        """Names of the memories, sorted; names that are only taken do not count."""
        return [path.name.removesuffix(SUFFIX) for path in self.paths()]

    def paths(self) -> list[Path]:
        """The files of the memories, by name."""
        return [
            path
            for _name, path, size in self._files()
            if is_no_placeholder(size) or read_placeholder(path) is None
        ]

    def path_of(self, memory_id: str) -> Path:
        """Where the memory of that name lies, or would lie.

        Raises:
            UsageError: the name leads out of the folder.
        """
        if not memory_id or memory_id.startswith(".") or _SEPARATOR.search(memory_id):
            raise _bad_name(memory_id)
        return self.folder / f"{memory_id}{SUFFIX}"

    def check_name(self, memory_id: str) -> None:
        """Refuse a name that somebody chose and that could not be kept as it is.

        Raises:
            UsageError: it is not a file name everywhere, or too long.
        """
        if safe_id(memory_id) != memory_id:
            raise _bad_name(memory_id)

    def entries(self) -> list[LibraryEntry]:
        """Every memory by name; one that cannot be read is listed as damaged."""
        known = self._index.load()
        fresh: dict[str, tuple[Stamp, dict[str, Any]]] = {}
        entries = []
        for memory_id in self.ids():
            path = self.folder / f"{memory_id}{SUFFIX}"
            at = stamp(path)
            stored = known.pop(memory_id, None)
            entry = _from_index(stored[1], path) if stored is not None and stored[0] == at else None
            if entry is None:
                entry = _read_entry(memory_id, path)
                # Damage is looked at anew each time: it may be a permission that was repaired.
                if at is not None and entry.problem is None:
                    fresh[memory_id] = (at, _to_index(entry))
            entries.append(entry)
        if fresh or known:
            self._index.save(fresh, gone=known)
        return entries

    def find(self, fingerprint: str) -> str | None:
        """The first memory, by name, of the source with that fingerprint."""
        return next(iter(self.find_all(fingerprint)), None)

    def find_all(self, fingerprint: str) -> list[str]:
        """The memories of the source with that fingerprint, by name.

        Raises:
            MemoryLockedError: a process has begun one that is not in its file yet.
        """
        files = self._file_numbers()
        for gone in self._fingerprints.keys() - files:
            # Its number may become that of another file.
            self._of_fingerprint[self._fingerprints.pop(gone)].discard(gone)
        fresh = {
            file: file[0].removesuffix(SUFFIX)
            for file in files.difference(self._fingerprints)
            if file[0].endswith(SUFFIX) and not file[0].startswith(".")
        }
        if len(fresh) > _FEW:
            read = {entry.memory_id: entry.fingerprint for entry in self.entries()}
        else:
            read = {name: _fingerprint_of(self.path_of(name)) for name in fresh.values()}
        for file, name in fresh.items():
            held = read.get(name)
            if held is not None:
                self._fingerprints[file] = held
                self._of_fingerprint.setdefault(held, set()).add(file)
            else:
                _check_not_begun(self.path_of(name), fingerprint)
        found = self._of_fingerprint.get(fingerprint, set()) & files
        return sorted(name.removesuffix(SUFFIX) for name, _ in found)

    def know(self, memory_id: str, fingerprint: str) -> None:
        """A memory of that source was written here just now: it need not be read to tell."""
        path = self.path_of(memory_id)
        try:
            file = path.name, path.stat().st_ino
        except OSError:
            # Somebody has removed it already.
            return
        self._fingerprints[file] = fingerprint
        self._of_fingerprint.setdefault(fingerprint, set()).add(file)

    def _file_numbers(self) -> set[_File]:
        """What lies in the folder; another file of the same name has another number."""
        try:
            with os.scandir(self.folder) as listed:
                return {(entry.name, entry.inode()) for entry in listed}
        except (FileNotFoundError, NotADirectoryError):
            return set()

    def claim(self, stem: str, fingerprint: str) -> str:
        """A name for the memory of a source: the stem, or with -2, -3 where others have it.

        Characters that no file name may hold are replaced. The name is taken until the memory
        is created there or forgotten; the same source gets the same name again. Safe against
        other processes.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        stem = safe_id(stem)
        with folder_lock(self.lock_file):
            number = 1
            while True:
                memory_id = stem if number == 1 else f"{stem}-{number}"
                path = self.path_of(memory_id)
                if not os.path.lexists(path):
                    write_placeholder(path, fingerprint)
                    return memory_id
                if fingerprint in (read_placeholder(path), _fingerprint_of(path)):
                    return memory_id
                number += 1

    def resolve(self, name_or_path: str) -> Path:
        """The file of a memory named by its id or its path.

        Raises:
            UsageError: there is no such memory.
        """
        ids = self.ids()
        name = name_or_path.removesuffix(SUFFIX)
        for candidate in (name_or_path, name):
            if candidate in ids:
                return self.path_of(candidate)
        path = Path(name_or_path)
        if path.suffix == SUFFIX and _is_file(path) and read_placeholder(path) is None:
            return path
        near = difflib.get_close_matches(name, ids, n=3, cutoff=0.5)
        raise UsageError(
            f"there is no memory {name_or_path!r} in {self.folder}",
            hint=f"did you mean {', '.join(near)}?" if near else "see `streammem list`",
            code="unknown_memory",
        )

    def forget(self, memory_id: str) -> int:
        """Remove a memory and everything beside it; returns the bytes of its main file.

        Raises:
            UsageError: there is no such memory.
            MemoryLockedError: a process is writing it.
        """
        path = self.path_of(memory_id)
        if not path.is_file():
            self.resolve(memory_id)
        with WriterLock(path):
            try:
                size = path.stat().st_size
                # The memory goes first: a log without one is removed by whoever comes next,
                # a memory without its log would have lost commits.
                path.unlink(missing_ok=True)
                remove_side_files(path)
                usage_path(path).unlink(missing_ok=True)
                EventKeyIndex(self.folder).remove([memory_id])
            except OSError as error:
                raise MemoryFileError(
                    f"{path} cannot be removed: {error.strerror}",
                    hint="check the permissions of the folder",
                    code="memory_unwritable",
                ) from error
        return size

    def _files(self) -> list[tuple[str, Path, int]]:
        """Name, path and size of each file that may be a memory, by name."""
        found = []
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    name = entry.name
                    if name.endswith(SUFFIX) and not name.startswith(".") and entry.is_file():
                        # One that goes at this moment is told of when it is opened.
                        with suppress(FileNotFoundError):
                            size = entry.stat().st_size
                            found.append((name.removesuffix(SUFFIX), self.folder / name, size))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(found)


def safe_id(text: str) -> str:
    """The text as a name that is a file name on every system: no separators, not too long."""
    text = unicodedata.normalize("NFC", text)
    name = _UNSAFE.sub("-", text).rstrip(". ").lstrip("-. ")
    encoded = name.encode("utf-8", "surrogateescape")[:_MAX_NAME_BYTES]
    name = encoded.decode("utf-8", "ignore").rstrip(". ")
    if _RESERVED.fullmatch(name):
        name = f"{name}-memory"
    return name or "memory"


def _bad_name(memory_id: str) -> UsageError:
    return UsageError(
        f"{memory_id!r} cannot be the name of a memory",
        hint=f"use for example {safe_id(memory_id)!r}",
        code="bad_name",
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # A text too long for a name is no file either.
        return False


def _fingerprint_of(path: Path) -> str | None:
    try:
        return read_meta(path).meta.fingerprint
    except StreamMemError:
        return None


def _check_not_begun(path: Path, fingerprint: str) -> None:
    """Raise MemoryLockedError if a name is taken for a source and its memory is being written."""
    owner = lock_owner(path) if read_placeholder(path) == fingerprint else None
    if owner is not None:
        raise MemoryLockedError(
            f"{path} is being written by {owner}",
            hint="wait until it is done, or stop that process",
        )


def _read_entry(memory_id: str, path: Path) -> LibraryEntry:
    try:
        size = path.stat().st_size
        view = read_meta(path)
    except FileNotFoundError:
        return LibraryEntry(memory_id, path, 0, _DAMAGED, problem="it was removed just now")
    except StreamMemError as error:
        return LibraryEntry(memory_id, path, size, _DAMAGED, problem=error.message)
    return _entry(memory_id, path, view)


def _entry(memory_id: str, path: Path, view: MetaView) -> LibraryEntry:
    meta, progress = view.meta, view.progress
    return LibraryEntry(
        memory_id=memory_id,
        path=path,
        file_bytes=view.file_bytes,
        status=progress.status,
        fingerprint=meta.fingerprint,
        settings=meta.settings_key(),
        source=meta.source,
        duration_s=progress.duration_s,
        covered_s=progress.covered_s,
        budget_bytes=meta.budget_bytes,
        cell_counts=view.cell_counts,
        cue_counts=view.cue_counts,
        encoder=meta.encoder.id,
        policy=meta.policy,
        created_at=meta.created_at,
        recorded_at=meta.recorded_at,
    )


def _to_index(entry: LibraryEntry) -> dict[str, Any]:
    return {name: value for name, value in asdict(entry).items() if name != "path"}


def _from_index(data: dict[str, Any], path: Path) -> LibraryEntry | None:
    """The entry in the index, None where it has another form than today's."""
    try:
        return LibraryEntry(**data, path=path)
    except TypeError:
        return None
