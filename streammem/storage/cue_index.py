"""The cues of one snapshot, copied out of the file, and full-text search over them."""

import sqlite3
import threading
from collections.abc import Iterable

from streammem.storage.cue_rows import get_cues
from streammem.storage.schema import CREATE_CUE_TEXT
from streammem.text.rows import CueRow

_MATCH = "SELECT rowid,-bm25(cue_text) FROM cue_text WHERE cue_text MATCH ?"
_PROBE = "SELECT rowid FROM cue_text WHERE cue_text MATCH ? LIMIT 1"
# The tables in which FTS5 keeps an index; a copy of their rows is a copy of the index.
_INDEX_TABLES = ("cue_text_data", "cue_text_idx", "cue_text_config")


class CueIndex:
    """Immutable cues with their full-text index. Safe to use from several threads.

    The index is copied, not built: opening costs reading its share of the budget once.
    """

    def __init__(self, source: sqlite3.Connection) -> None:
        """Copy the cues that an opened memory file's transaction sees.

        Raises:
            MemoryFileError: a cue is not what was written.
        """
        self.rows: tuple[CueRow, ...] = get_cues(source)
        self._lock = threading.Lock()
        self._copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._copy.execute("CREATE TABLE cue(id INTEGER PRIMARY KEY,text TEXT NOT NULL)")
        self._copy.execute(CREATE_CUE_TEXT)
        for table in _INDEX_TABLES:
            rows = source.execute(f"SELECT * FROM {table}").fetchall()
            self._copy.execute(f"DELETE FROM {table}")
            if rows:
                marks = ",".join("?" * len(rows[0]))
                self._copy.executemany(f"INSERT INTO {table} VALUES({marks})", rows)
        self._copy.executemany(
            "INSERT INTO cue(id,text) VALUES(?,?)", ((row.id, row.cue.text) for row in self.rows)
        )

    def match(self, words: Iterable[str], prefixes: Iterable[str] = ()) -> list[tuple[int, float]]:
        """Numbers of the cues that hold any of the words, or a word that begins with a prefix.

        Each comes with its BM25 score, larger is better, best first; ties by number. What the
        index sees as several words, or as none, matches nothing.
        """
        terms = [_quoted(word) for word in words]
        terms += [f"{_quoted(prefix)}*" for prefix in prefixes]
        with self._lock:
            usable = [term for term in terms if self._is_one_word(term)]
            if not usable:
                return []
            found: Iterable[tuple[int, float]] = self._copy.execute(_MATCH, (" OR ".join(usable),))
            return sorted(found, key=lambda item: (-item[1], item[0]))

    def _is_one_word(self, term: str) -> bool:
        """Whether the index sees one word in a term; for several it would need positions."""
        try:
            self._copy.execute(_PROBE, (term,)).fetchone()
        except sqlite3.OperationalError:
            return False
        return True


def _quoted(word: str) -> str:
    """A word as an FTS5 string, whatever is in it."""
    return '"' + word.replace('"', '""').replace("\0", "") + '"'
