"""The tables of a memory file, and the numbered steps from each schema to the next."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import cache, lru_cache
from pathlib import Path

from streammem.core.budget import BudgetPlan
from streammem.core.errors import MemoryFileError, MissingError
from streammem.storage.records import CommitRecord, MemoryMeta, Progress
from streammem.storage.rows import COMMIT_ROW, SETTINGS_ROW, put_record, settings_to_json

# Of schema 2, never edited: without positions and lengths the index takes a third of the text.
CREATE_CUE_TEXT = (
    "CREATE VIRTUAL TABLE cue_text USING fts5(text,content='cue',content_rowid='id',"
    "detail='none',columnsize=0,tokenize='unicode61 remove_diacritics 2')"
)
APPLICATION_ID = int.from_bytes(b"SMEM", "big")


def _create_base(connection: sqlite3.Connection) -> None:
    """Schema 1: settings and progress, chunks of the cells, pictures."""
    for statement in (
        "CREATE TABLE record(id INTEGER PRIMARY KEY,crc INT NOT NULL,body BLOB NOT NULL)",
        "CREATE TABLE state(id INTEGER PRIMARY KEY,body BLOB NOT NULL)",
        "CREATE TABLE thumbnail(pts_us INTEGER PRIMARY KEY,crc INT NOT NULL,webp BLOB NOT NULL)",
    ):
        connection.execute(statement)


def _create_cues(connection: sqlite3.Connection) -> None:
    """Schema 2: timed text and its full-text index.

    The index refers to the text in `cue` and keeps neither positions nor lengths: on speech it
    takes a third of the text instead of all of it. Phrases are checked in the text itself.
    """
    for statement in (
        "CREATE TABLE cue(id INTEGER PRIMARY KEY,start_s REAL NOT NULL,end_s REAL NOT NULL,"
        "channel TEXT NOT NULL,crc INT NOT NULL,text TEXT NOT NULL)",
        CREATE_CUE_TEXT,
    ):
        connection.execute(statement)


def _add_cue_details(connection: sqlite3.Connection) -> None:
    """Schema 3: confidence, language, word times and the code of the meaning of a cue."""
    connection.execute("ALTER TABLE cue ADD COLUMN details BLOB NOT NULL DEFAULT x''")


def _keep_index_whole(connection: sqlite3.Connection) -> None:
    """Schema 4: the full-text index is merged when the writer says so, and then all of it.

    FTS5's own merging holds old and new pieces at once, which would have to be paid for. A piece
    is written when 64 MiB of the index are in memory, so most indexes are one.
    """
    for name, value in (("automerge", 0), ("crisismerge", 1999), ("hashsize", 64 * 1024 * 1024)):
        connection.execute("INSERT INTO cue_text(cue_text,rank) VALUES(?,?)", (name, value))
    connection.execute("INSERT INTO cue_text(cue_text) VALUES('rebuild')")


# Step n leads from schema n to schema n + 1. Steps that were released are never edited.
MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _create_base,
    _create_cues,
    _add_cue_details,
    _keep_index_whole,
)
SCHEMA_VERSION = len(MIGRATIONS)


def check_schema(connection: sqlite3.Connection, path: Path) -> int:
    """The schema version of an opened file.

    Raises:
        MemoryFileError: it is some other database, or of a newer streammem.
    """
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application_id != APPLICATION_ID or version < 1:
        raise MemoryFileError(
            f"{path} is not a memory",
            hint="memories are the .smem files that `streammem ingest` writes",
            code="not_a_memory",
        )
    if version > SCHEMA_VERSION:
        raise MemoryFileError(
            f"{path} has schema {version}; this streammem knows schemas up to {SCHEMA_VERSION}",
            hint="upgrade streammem: pip install --upgrade streammem",
            code="memory_newer",
        )
    return int(version)


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring an opened file of an older schema up to date, each step in its own transaction."""
    for number in range(version, SCHEMA_VERSION):
        connection.execute("BEGIN IMMEDIATE")
        try:
            MIGRATIONS[number](connection)
            connection.execute(f"PRAGMA user_version={number + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def create_database(path: Path, meta: MemoryMeta, plan: BudgetPlan) -> None:
    """Write a memory without cells to a path where no file is.

    Raises:
        MissingError: this Python's SQLite has no full-text search.
    """
    with closing(new_database(meta, plan)) as connection:
        write_database(connection, path)


def new_database(meta: MemoryMeta, plan: BudgetPlan) -> sqlite3.Connection:
    """A memory without cells that lies in no file; its pages count as those of a file.

    Raises:
        MissingError: this Python's SQLite has no full-text search.
    """
    if not has_full_text_search():
        raise MissingError(
            f"SQLite {sqlite3.sqlite_version} of this Python lacks FTS5",
            hint="use a Python whose sqlite3 has FTS5, for example from python.org or uv",
            code="missing_fts5",
        )
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        _template(plan.page_bytes).backup(connection)
        connection.execute(f"PRAGMA max_page_count={plan.max_pages}")
        connection.execute("PRAGMA secure_delete=FAST")
        connection.execute("BEGIN")
        put_record(connection, SETTINGS_ROW, settings_to_json(meta, plan))
        empty = CommitRecord(Progress(), {}, {}, 0, {})
        put_record(connection, COMMIT_ROW, empty.to_json())
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def write_database(connection: sqlite3.Connection, path: Path) -> None:
    """Copy an opened database to a path where no file is, and bring the file to disk."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as file:
            # No journal beside a file that nobody knows yet: if this is interrupted it is redone.
            # For the same reason it is brought to disk once, at the end.
            file.execute("PRAGMA journal_mode=OFF")
            file.execute("PRAGMA synchronous=OFF")
            connection.backup(file)
        with path.open("rb+") as written:
            os.fsync(written.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@lru_cache(maxsize=4)
def _template(page_bytes: int) -> sqlite3.Connection:
    """The empty tables, which are copied quicker than made; nobody changes them."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA page_size={page_bytes}")
    connection.execute("PRAGMA auto_vacuum=NONE")
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    migrate(connection, 0)
    return connection


@cache
def has_full_text_search() -> bool:
    """Whether this Python's SQLite has FTS5."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE VIRTUAL TABLE probe USING fts5(text)")
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
    return True
