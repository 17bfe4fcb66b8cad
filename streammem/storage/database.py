"""What the database library of this machine can do, for `streammem doctor`."""

import sqlite3
from contextlib import closing


def database_facts() -> tuple[str, bool]:
    """The version of SQLite, and whether it has the full-text search that cues need."""
    with closing(sqlite3.connect(":memory:")) as connection:
        options = {row[0] for row in connection.execute("PRAGMA compile_options")}
    return sqlite3.sqlite_version, "ENABLE_FTS5" in options
