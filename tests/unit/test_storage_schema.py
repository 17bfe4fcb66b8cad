import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from streammem.core.budget import plan_budget
from streammem.core.errors import MemoryFileError, MissingError
from streammem.core.types import Channel, Cue, EncoderSpec, RuntimeChoice
from streammem.storage.chunks import digest
from streammem.storage.cue_index import CueIndex
from streammem.storage.database import database_facts
from streammem.storage.memory_file import MemoryWriter, read_memory, read_meta, read_with_cues
from streammem.storage.records import Commit, MemoryMeta, Progress, dump_json
from streammem.storage.rows import crc, settings_to_json
from streammem.storage.schema import SCHEMA_VERSION, create_database, has_full_text_search
from streammem.storage.verify import verify_memory
from streammem.text.rows import CueRow

BUDGET = 512 * 1024
SPEC = EncoderSpec("tiny", "0" * 64, 8, (0.5,) * 3, (0.5,) * 3, "bilinear", 8, None)
META = MemoryMeta(
    "old", "f" * 64, "old.mp4", None, 2.0, None, None, "streammem", BUDGET,
    ("vision",), SPEC, None, RuntimeChoice(), {}, 1.0, None, "0.1.0",
)  # fmt: skip
PLAN = plan_budget(BUDGET)

SCHEMA_1 = """
PRAGMA page_size=1024;
PRAGMA application_id=0x534D454D;
PRAGMA user_version=1;
CREATE TABLE record(id INTEGER PRIMARY KEY,crc INT NOT NULL,body BLOB NOT NULL);
CREATE TABLE state(id INTEGER PRIMARY KEY,body BLOB NOT NULL);
CREATE TABLE thumbnail(pts_us INTEGER PRIMARY KEY,crc INT NOT NULL,webp BLOB NOT NULL);
"""

SCHEMA_2 = """
PRAGMA user_version=2;
CREATE TABLE cue(id INTEGER PRIMARY KEY,start_s REAL NOT NULL,end_s REAL NOT NULL,channel TEXT NOT NULL,crc INT NOT NULL,text TEXT NOT NULL);
CREATE VIRTUAL TABLE cue_text USING fts5(text,content='cue',content_rowid='id',detail='none',columnsize=0,tokenize='unicode61 remove_diacritics 2');
"""  # noqa: E501


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "old.smem"


@pytest.fixture
def schema_1(path: Path) -> Path:
    """A memory as the first schema wrote it: one section, one picture, no cues."""
    cells = bytes(range(256)) * 30
    record = {
        "progress": Progress(commits=3, written_frames=12).to_json(),
        "cell_counts": {"working": 2},
        "tier_bytes": {"working": 80},
        "usage_absorbed": 5,
        "sections": {"cells": {"slot": 0, "length": len(cells), "digest": digest(cells)}},
        "thumbnail_count": 1,
        "thumbnail_bytes": 4,
    }
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(SCHEMA_1)
        for row, data in ((1, settings_to_json(META, PLAN)), (2, record)):
            body = json.dumps(data, sort_keys=True).encode()
            connection.execute("INSERT INTO record VALUES(?,?,?)", (row, crc(body), body))
        for number in range(0, len(cells), 4044):
            chunk = cells[number : number + 4044]
            connection.execute("INSERT INTO state VALUES(?,?)", (number // 4044, chunk))
        connection.execute("INSERT INTO thumbnail VALUES(?,?,?)", (1500, crc(b"webp"), b"webp"))
    return path


def _pragma(path: Path, name: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def test_a_new_file_says_what_it_is(path: Path) -> None:
    """Application id, schema version and page size are in the file's header."""
    MemoryWriter.create(path, META, PLAN).close()

    assert _pragma(path, "application_id") == int.from_bytes(b"SMEM", "big")
    assert _pragma(path, "user_version") == SCHEMA_VERSION == 4
    assert _pragma(path, "page_size") == PLAN.page_bytes == 1024
    assert path.read_bytes()[:16] == b"SQLite format 3\x00"


def test_an_empty_memory_takes_at_most_12_pages(path: Path) -> None:
    """The schema with its full-text index leaves the budget to the memory."""
    create_database(path, META, PLAN)

    assert path.stat().st_size <= 12 * 1024


def test_a_memory_of_schema_1_is_migrated_when_it_is_written(schema_1: Path) -> None:
    """Its content stays, its tables become today's, and it can be written on."""
    before = read_memory(schema_1)
    with MemoryWriter.open(schema_1) as writer:
        assert writer.stored.sections == before.sections
        cue = Cue(0.0, 1.0, "hello", Channel.SUBTITLE)
        commit = Commit(before.sections, before.progress, cues=(CueRow(1, cue),), cue_next_id=2)
        writer.commit(commit)

    assert _pragma(schema_1, "user_version") == SCHEMA_VERSION
    assert verify_memory(schema_1).problems == ()
    assert read_memory(schema_1).sections == before.sections
    assert read_memory(schema_1).cue_counts == {"subtitle": 1}


def test_a_memory_of_schema_1_is_read_without_changing_it(schema_1: Path) -> None:
    """Readers bring a copy up to date; the file keeps its bytes."""
    data = schema_1.read_bytes()
    stored = read_memory(schema_1)

    assert stored.sections == {"cells": bytes(range(256)) * 30}
    assert (stored.progress.commits, stored.usage_absorbed) == (3, 5)
    assert (stored.thumbnail_keys, stored.cue_counts) == ((1500,), {})
    assert read_meta(schema_1).meta == META
    assert verify_memory(schema_1).problems == ()
    assert schema_1.read_bytes() == data


def test_a_newer_schema_is_refused_by_readers_and_writers(path: Path) -> None:
    """Exit code 6, code memory_newer, and what to do about it."""
    MemoryWriter.create(path, META, PLAN).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    for action in (read_memory, read_meta, verify_memory, MemoryWriter.open):
        with pytest.raises(MemoryFileError, match="has schema 5; this streammem knows") as refusal:
            action(path)
        assert (refusal.value.exit_code, refusal.value.code) == (6, "memory_newer")
        assert "upgrade" in (refusal.value.hint or "")


def test_another_database_is_no_memory(path: Path) -> None:
    """Some program's SQLite file is left alone."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t(a)")
    data = path.read_bytes()
    for action in (read_memory, MemoryWriter.open):
        with pytest.raises(MemoryFileError, match="is not a memory") as refusal:
            action(path)
        assert refusal.value.code == "not_a_memory"
    assert path.read_bytes() == data


@pytest.fixture
def schema_2(schema_1: Path) -> Path:
    """A memory as the second schema wrote it: the one above, and a cue without details."""
    cue_sum = crc(dump_json([1.5, 2.5, "speech", "grey cardigan"]))
    with closing(sqlite3.connect(schema_1, isolation_level=None)) as connection:
        connection.executescript(SCHEMA_2)
        connection.execute(
            "INSERT INTO cue VALUES(1,1.5,2.5,'speech',?,'grey cardigan')", (cue_sum,)
        )
        connection.execute("INSERT INTO cue_text(rowid,text) VALUES(1,'grey cardigan')")
        (body,) = connection.execute("SELECT body FROM record WHERE id=2").fetchone()
        counted = json.loads(body) | {
            "cue_counts": {"speech": 1}, "cue_bytes": 13, "cue_charge": 100,
            "cue_next_id": 2,
        }  # fmt: skip
        body = dump_json(counted)
        connection.execute("UPDATE record SET body=?,crc=? WHERE id=2", (body, crc(body)))
    return schema_1


def test_a_memory_of_schema_2_keeps_its_cues(schema_2: Path) -> None:
    """Cues from before details were stored are read as they were, and written on."""
    row = CueRow(1, Cue(1.5, 2.5, "grey cardigan", Channel.SPEECH))
    _, index = read_with_cues(schema_2)
    assert isinstance(index, CueIndex)
    assert index.rows == (row,)
    assert verify_memory(schema_2).problems == ()
    more = CueRow(2, Cue(3.0, 4.0, "a hat", Channel.SPEECH, 0.2, "en", ((3.0, 3.5), (3.6, 4.0))))
    with MemoryWriter.open(schema_2) as writer:
        before = writer.stored
        writer.commit(Commit(before.sections, before.progress, cues=(more,), cue_next_id=3))
        assert writer.cue_rows() == (row, more)

    assert _pragma(schema_2, "user_version") == SCHEMA_VERSION
    assert verify_memory(schema_2).problems == ()
    assert read_memory(schema_2).cue_counts == {"speech": 2}


def test_the_text_index_finds_cues_by_words_and_ranks_them(path: Path) -> None:
    """The smallest form of the index still finds, folds accents, completes words and ranks."""
    texts = ("The grey cardigan leaves", "a café at noon", "grey grey grey sky")
    rows = tuple(
        CueRow(n, Cue(n, n + 1.0, text, Channel.SPEECH)) for n, text in enumerate(texts, 1)
    )
    with MemoryWriter.create(path, META, PLAN) as writer:
        assert read_with_cues(path)[1] is None
        writer.commit(Commit({}, Progress(), cues=rows, cue_next_id=4))
        again = CueRow(4, rows[0].cue)
        writer.commit(Commit({}, Progress(), cues=(again,), cue_next_id=5))
        _, index = read_with_cues(path)
        writer.commit(Commit({}, Progress(), cues_dropped=frozenset({1}), cue_next_id=5))
        _, after = read_with_cues(path)

    def found(index: CueIndex | None, *words: str, prefix: str = "") -> list[int]:
        assert index is not None
        return [number for number, _ in index.match(words, [prefix] if prefix else [])]

    assert found(index, "cafe") == [2]
    assert found(index, "grey") == [3, 1, 4]
    assert found(index, prefix="cardi") == [1, 4]
    assert found(index, 'a" OR "grey') == found(index) == found(index, "") == []
    # The first index is a copy: what happens in the file later does not reach it.
    assert found(after, "grey") == [3, 4]
    assert found(index, "grey") == [3, 1, 4]


def test_without_full_text_search_the_remedy_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A SQLite without FTS5 is a missing dependency, exit code 5, and no file is left."""
    assert has_full_text_search()
    assert database_facts() == (sqlite3.sqlite_version, True)
    monkeypatch.setattr("streammem.storage.schema.has_full_text_search", lambda: False)
    with pytest.raises(MissingError, match="lacks FTS5") as refusal:
        MemoryWriter.create(path, META, PLAN)
    assert refusal.value.exit_code == 5
    assert list(path.parent.iterdir()) == []


def test_records_are_json_with_sorted_keys(path: Path) -> None:
    """Nothing in the file is code; equal content is equal bytes."""
    MemoryWriter.create(path, META, PLAN).close()
    with closing(sqlite3.connect(path)) as connection:
        bodies = [row[0] for row in connection.execute("SELECT body FROM record ORDER BY id")]

    assert [dump_json(json.loads(body)) for body in bodies] == bodies
    assert list(json.loads(bodies[0])) == ["meta", "plan"]
