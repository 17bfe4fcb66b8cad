import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from streammem.core.budget import plan_budget
from streammem.core.errors import MemoryFileError
from streammem.core.types import Channel, Cue, EncoderSpec, Gap, RuntimeChoice
from streammem.storage.memory_file import MemoryWriter
from streammem.storage.records import Commit, MemoryMeta, Progress
from streammem.storage.verify import verify_memory
from streammem.text.rows import CueRow

BUDGET = 512 * 1024
SPEC = EncoderSpec("tiny", "0" * 64, 8, (0.5,) * 3, (0.5,) * 3, "bilinear", 8, None)
META = MemoryMeta(
    "m", "f" * 64, "m.mp4", None, 2.0, None, None, "streammem", BUDGET,
    ("vision",), SPEC, None, RuntimeChoice(), {}, 1.0, None, "0.1.0",
)  # fmt: skip
# Whole numbers and stray characters are stored as times and as text.
CUES = tuple(
    CueRow(n + 1, Cue(n, n + 1.0, f"word{n} spoken here \udcff", Channel.SPEECH, 0.5, "en"))
    for n in range(20)
)
COMMIT = Commit(
    {"cells": os.urandom(9000), "links": b"links" * 9},
    Progress(covered_s=3.0, commits=1),
    {n: os.urandom(700) for n in range(5)},
    cell_counts={"working": 3},
    cues=CUES,
    cue_next_id=21,
    listening=b"where it was",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "m.smem"
    with MemoryWriter.create(file, META, plan_budget(BUDGET)) as writer:
        writer.commit(COMMIT)
    return file


def _change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_whole_memory_has_no_problems(path: Path) -> None:
    """Every check ran, also while a writer has the file open, and nothing was changed."""
    data = path.read_bytes()
    report = verify_memory(path)

    assert (report.ok, report.problems) == (True, ())
    assert report.checks == (
        "pages", "schema", "budget", "progress", "sections", "thumbnails", "cues",
    )  # fmt: skip
    assert (report.file_bytes, report.wal_bytes) == (len(data), 0)
    assert path.read_bytes() == data
    with MemoryWriter.open(path) as writer:
        writer.commit(replace(COMMIT, cues=()))
        report = verify_memory(path)
        assert report.ok
        assert report.wal_bytes > 0


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DELETE FROM thumbnail WHERE pts_us=3", "there are 4 pictures, 5 were recorded"),
        ("UPDATE thumbnail SET webp=zeroblob(700) WHERE pts_us=3", "the picture at 3 us is not"),
        ("UPDATE state SET body=zeroblob(length(body)) WHERE id=1", "section 'cells' is not what"),
        ("DELETE FROM state WHERE id=(SELECT max(id) FROM state)", "section 'links' is not what"),
        ("INSERT INTO state VALUES(99999999999,x'00')", "belong to no section"),
        ("UPDATE cue SET text='other words' WHERE id=7", "cue 7 is not what was written"),
        ("UPDATE cue SET channel='smell' WHERE id=7", "cue 7 is not what was written"),
        ("UPDATE cue SET details=x'ff' WHERE id=7", "cue 7 is not what was written"),
        ("UPDATE cue SET id=21 WHERE id=20", "the number of the next cue is taken"),
        ("UPDATE record SET body='x' WHERE id=3", "the state of listening is not what was"),
        ("UPDATE cue SET text='other words' WHERE id=7", "the full-text index does not match"),
        ("DELETE FROM cue WHERE id=20", "there are cues {'speech': 19}, {'speech': 20} were"),
        ("DELETE FROM cue_text_data WHERE id>10", "the full-text index does not match"),
        ("UPDATE record SET body=replace(body,'3.0','4.0') WHERE id=2", "the last commit is not"),
        ("DELETE FROM record WHERE id=1", "the settings is not what was written"),
        ("CREATE TABLE extra(a)", "there is something foreign in the file: extra"),
        ("CREATE TRIGGER t AFTER DELETE ON cue BEGIN SELECT 1; END", "foreign in the file: t"),
        ("DROP TABLE thumbnail", "the table thumbnail is missing"),
    ],
)
def test_a_change_is_found_and_put_into_words(path: Path, statement: str, problem: str) -> None:
    """What somebody changed behind the writer's back is reported, not raised."""
    _change(path, statement)
    report = verify_memory(path)

    assert not report.ok
    assert any(problem in line for line in report.problems), report.problems


def test_counts_and_times_that_make_no_sense_are_found(tmp_path: Path) -> None:
    """Whoever wrote them, a gap does not end before it starts."""
    path = tmp_path / "m.smem"
    with MemoryWriter.create(path, META, plan_budget(BUDGET)) as writer:
        writer.commit(
            Commit(
                {},
                Progress("odd", covered_s=-1.0, first_pts_s=2.0, last_end_s=1.0,
                         gaps=(Gap(2.0, 1.0, "x"),)),
            )
        )  # fmt: skip

    assert verify_memory(path).problems == (
        "the status 'odd' is unknown",
        "covered time or frames are negative",
        "a gap ends before it starts",
        "the memory ends before it starts",
    )


def test_a_file_beyond_its_budget_and_a_long_log_are_found(path: Path) -> None:
    """The bounds of the plan are checked against the sizes on disk."""
    _change(path, "CREATE TABLE extra(a)", f"INSERT INTO extra VALUES(zeroblob({2 * BUDGET}))")
    report = verify_memory(path)
    assert any("exceeds its budget of 512 KiB" in line for line in report.problems)

    path.with_name("m.smem-wal").write_bytes(bytes(5 << 20))
    report = verify_memory(path)
    assert "the log of 5 MiB exceeds its bound of 4 MiB" in report.problems


def test_the_caller_can_look_into_the_sections(path: Path) -> None:
    """Storage knows no cells; whoever does adds what is wrong with them."""
    report = verify_memory(path, lambda sections: [f"{name} is odd" for name in sorted(sections)])

    assert report.problems == ("cells is odd", "links is odd")


def test_sections_are_not_inspected_when_they_are_damaged(path: Path) -> None:
    """A look into bytes that are not what was written would only confuse."""
    _change(path, "UPDATE state SET body=zeroblob(length(body)) WHERE id=1")
    seen = []
    report = verify_memory(path, lambda sections: seen.append(sections) or ())

    assert (seen, len(report.problems)) == ([], 1)


@pytest.mark.parametrize("damage", [lambda d: b"", lambda d: d[:700], lambda d: os.urandom(len(d))])
def test_what_cannot_be_opened_is_raised(path: Path, damage: Callable[[bytes], bytes]) -> None:
    """No memory at all is an error with exit code 6, not a list of problems."""
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(MemoryFileError) as refusal:
        verify_memory(path)
    assert refusal.value.exit_code == 6


def test_every_damaged_page_is_found_or_holds_nothing(path: Path) -> None:
    """Overwriting any one page is reported as a problem or refused."""
    data = path.read_bytes()
    for first in range(0, len(data), 1024):
        path.write_bytes(data[:first] + os.urandom(1024) + data[first + 1024 :])
        try:
            report = verify_memory(path)
        except MemoryFileError:
            continue
        assert not report.ok, f"page {first // 1024}"
