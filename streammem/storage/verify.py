"""Checks a memory file against everything it says about itself.

The checks run on a copy in memory: the file is only read, its writer is not held up, and the
full-text index can be asked to check itself, which SQLite regards as writing.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from streammem.core.budget import BudgetPlan, format_bytes
from streammem.core.errors import MemoryFileError
from streammem.storage.connection import copy_to_memory, reading, translated
from streammem.storage.cue_cost import CueCost
from streammem.storage.cue_rows import find_bad_cues, get_cues
from streammem.storage.pages import thumbnail_charge
from streammem.storage.records import CommitRecord, MemoryMeta, Progress
from streammem.storage.rows import (
    get_commit_record,
    get_file_bytes,
    get_memory,
    get_settings,
    get_thumbnail,
    get_thumbnail_lengths,
)
from streammem.storage.schema import MIGRATIONS

InspectSections = Callable[[Mapping[str, bytes]], Iterable[str]]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was checked in a memory file and what is wrong with it."""

    path: Path
    ok: bool
    problems: tuple[str, ...]
    checks: tuple[str, ...]
    file_bytes: int
    wal_bytes: int


def verify_memory(path: Path, inspect_sections: InspectSections | None = None) -> VerifyReport:
    """Check one memory; problems come back in words.

    Args:
        path: The .smem file.
        inspect_sections: Called with the sections once they are known to be what was written;
            yields a line for each problem with what is inside them.

    Raises:
        UsageError: there is no such file.
        MemoryFileError: it is not a memory, newer, or too damaged to be opened.
    """
    file_bytes = path.stat().st_size if path.is_file() else 0
    with ExitStack() as stack:
        with reading(path) as connection:
            copy = copy_to_memory(connection, stack)
        wal_bytes = _wal_bytes(path)
        problems: list[str] = []
        names = []
        for name, check in _checks(path, wal_bytes, inspect_sections):
            names.append(name)
            try:
                with translated(path):
                    problems += check(copy)
            except MemoryFileError as error:
                problems.append(error.message)
    unique = tuple(dict.fromkeys(problems))
    return VerifyReport(path, not unique, unique, tuple(names), file_bytes, wal_bytes)


_Check = Callable[[sqlite3.Connection], Iterable[str]]


def _checks(
    path: Path, wal_bytes: int, inspect_sections: InspectSections | None
) -> Iterator[tuple[str, _Check]]:
    yield "pages", _check_pages
    yield "schema", _check_schema_objects
    yield "budget", lambda connection: _check_budget(connection, wal_bytes)
    yield "progress", _check_progress
    yield "sections", lambda connection: _check_sections(connection, path, inspect_sections)
    yield "thumbnails", _check_thumbnails
    yield "cues", _check_cues


def _wal_bytes(path: Path) -> int:
    try:
        return path.with_name(path.name + "-wal").stat().st_size
    except OSError:
        return 0


def _check_pages(connection: sqlite3.Connection) -> Iterator[str]:
    for (line,) in connection.execute("PRAGMA integrity_check(20)").fetchall():
        if line != "ok":
            yield f"the database is damaged: {line}"


def _check_schema_objects(connection: sqlite3.Connection) -> Iterator[str]:
    """Tables that no migration made have no business in a memory."""
    expected = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for step in MIGRATIONS:
            step(expected)
        wanted = _objects(expected)
    finally:
        expected.close()
    found = _objects(connection)
    for name in sorted(wanted.keys() - found.keys()):
        yield f"the table {name} is missing"
    for name in sorted(found.keys() - wanted.keys()):
        yield f"there is something foreign in the file: {name}"
    for name in sorted(found.keys() & wanted.keys()):
        if found[name] != wanted[name]:
            yield f"the table {name} is not what was created"


def _objects(connection: sqlite3.Connection) -> dict[str, str | None]:
    return dict(connection.execute("SELECT name,sql FROM sqlite_master").fetchall())


def _check_budget(connection: sqlite3.Connection, wal_bytes: int) -> Iterator[str]:
    meta, plan = get_settings(connection)
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    file_bytes = get_file_bytes(connection)
    if plan.total_bytes != meta.budget_bytes:
        yield "the budget and its shares do not belong together"
    if page_bytes != plan.page_bytes:
        yield f"pages have {page_bytes} bytes, not {plan.page_bytes}"
    if file_bytes > plan.total_bytes:
        yield (
            f"the file of {format_bytes(file_bytes)} exceeds its budget of "
            f"{format_bytes(plan.total_bytes)}"
        )
    if wal_bytes > plan.wal_bytes:
        yield (
            f"the log of {format_bytes(wal_bytes)} exceeds its bound of "
            f"{format_bytes(plan.wal_bytes)}"
        )


def _check_progress(connection: sqlite3.Connection) -> Iterator[str]:
    meta, _ = get_settings(connection)
    progress = get_commit_record(connection).progress
    yield from _progress_problems(meta, progress)


def _progress_problems(meta: MemoryMeta, progress: Progress) -> Iterator[str]:
    if progress.status not in ("running", "done", "partial"):
        yield f"the status {progress.status!r} is unknown"
    if progress.covered_s < 0 or progress.written_frames < 0:
        yield "covered time or frames are negative"
    if any(gap.end_s < gap.start_s for gap in progress.gaps):
        yield "a gap ends before it starts"
    first_s, last_s = progress.first_pts_s, progress.last_end_s
    if first_s is not None and last_s is not None and last_s < first_s:
        yield "the memory ends before it starts"
    if meta.fps <= 0:
        yield f"the sampling rate {meta.fps} is not positive"


def _check_sections(
    connection: sqlite3.Connection, path: Path, inspect_sections: InspectSections | None
) -> Iterator[str]:
    stored = get_memory(connection, path)
    store_bytes = sum(map(len, stored.sections.values()))
    if store_bytes > stored.plan.store_bytes:
        yield f"the cells take {store_bytes} bytes, their share is {stored.plan.store_bytes}"
    if inspect_sections is not None:
        yield from inspect_sections(stored.sections)


def _check_thumbnails(connection: sqlite3.Connection) -> Iterator[str]:
    _, plan = get_settings(connection)
    record = get_commit_record(connection)
    lengths = get_thumbnail_lengths(connection)
    if len(lengths) != record.thumbnail_count:
        yield f"there are {len(lengths)} pictures, {record.thumbnail_count} were recorded"
    if sum(lengths.values()) != record.thumbnail_bytes:
        yield "the pictures do not have the size that was recorded"
    charge = sum(thumbnail_charge(length, plan.page_bytes) for length in lengths.values())
    if charge > plan.thumbnail_bytes:
        yield f"the pictures take {charge} bytes, their share is {plan.thumbnail_bytes}"
    for key in lengths:
        try:
            get_thumbnail(connection, key)
        except MemoryFileError as error:
            yield error.message


def _check_cues(connection: sqlite3.Connection) -> Iterator[str]:
    _, plan = get_settings(connection)
    record = get_commit_record(connection)
    yield from _cue_problems(connection, record, plan)
    try:
        connection.execute("INSERT INTO cue_text(cue_text,rank) VALUES('integrity-check',1)")
    except sqlite3.DatabaseError as error:
        yield f"the full-text index does not match the text: {error}"


def _cue_problems(
    connection: sqlite3.Connection, record: CommitRecord, plan: BudgetPlan
) -> Iterator[str]:
    bad = list(find_bad_cues(connection))
    yield from bad
    if bad:
        return
    cost = CueCost(plan.page_bytes).changed(get_cues(connection), ())
    sizes = cost.sizes
    counts = dict(Counter(size.channel for size in sizes.values()))
    if counts != record.cue_counts:
        yield f"there are cues {counts}, {record.cue_counts} were recorded"
    if sum(size.text_bytes for size in sizes.values()) != record.cue_bytes:
        yield "the cues do not have the size that was recorded"
    if cost.bytes > plan.cue_bytes:
        yield f"the cues take {cost.bytes} bytes, their share is {plan.cue_bytes}"
    if sizes and max(sizes) >= record.cue_next_id:
        yield "the number of the next cue is taken"
