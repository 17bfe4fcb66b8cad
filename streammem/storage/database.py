"""What the database library of this machine can do, for `streammem doctor`."""

import sqlite3

from streammem.storage.schema import has_full_text_search


def database_facts() -> tuple[str, bool]:
    """The version of SQLite, and whether it has the full-text search that cues need."""
    return sqlite3.sqlite_version, has_full_text_search()
