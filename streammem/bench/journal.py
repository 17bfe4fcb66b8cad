"""Finished measurements on disk, one JSON line each, so that a stopped run goes on."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import streammem
from streammem.bench.trials import Key, Row, row_from_json
from streammem.core.errors import UsageError

NAME = "journal.jsonl"
_FORMAT = 1
MEASURED = ("bench", "memory", "encoders", "core")
"""The folders of code that figures of memories depend on."""


def code_digest(folders: Sequence[str] = MEASURED) -> str:
    """Identifies the code that a measurement depends on: its figures hold for no other."""
    package = Path(streammem.__file__).parent
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted((package / folder).rglob("*.py")):
            digest.update(path.relative_to(package).as_posix().encode() + b"\0")
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


class Journal:
    """The rows of one output folder. Use as a context; failed measurements are not kept.

    A line that was cut off by a kill is dropped; every line before it counts.
    """

    def __init__(self, folder: Path, *, fresh: bool, folders: Sequence[str] = MEASURED) -> None:
        """Open or begin the journal of a folder; `folders` of code decide its figures.

        Raises:
            UsageError: it was written by other code.
        """
        self._path, self._folders = folder / NAME, folders
        folder.mkdir(parents=True, exist_ok=True)
        if fresh:
            self._path.unlink(missing_ok=True)
        self.rows: dict[Key, Row] = self._read()
        lines = [self._header(), *(json.dumps(row.to_json()) for row in self.rows.values())]
        self._path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._file = self._path.open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, row: Row) -> None:
        """Write one row; it survives a kill of this process from here on."""
        self._file.write(json.dumps(row.to_json()) + "\n")
        self._file.flush()

    def _header(self) -> str:
        return json.dumps({"journal": _FORMAT, "code": code_digest(self._folders)})

    def _read(self) -> dict[Key, Row]:
        if not self._path.exists():
            return {}
        text = self._path.read_text(encoding="utf-8", errors="replace")
        header, *lines = text.split("\n")
        if header != self._header():
            raise UsageError(
                f"{self._path} was written by other code, whose figures do not mix with these",
                hint="add --fresh to measure everything anew, or choose another --out",
                code="other_code",
            )
        rows = {}
        for line in lines[:-1]:
            row = row_from_json(json.loads(line))
            rows[row.key] = row
        return rows
