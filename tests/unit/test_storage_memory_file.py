import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from streammem.core.budget import BudgetPlan, plan_budget
from streammem.core.errors import (
    BudgetError,
    MemoryFileError,
    MemoryLockedError,
    UsageError,
)
from streammem.core.types import Channel, Cue, EncoderSpec, FrameCounts, Gap, RuntimeChoice
from streammem.storage.connection import reading, use_log
from streammem.storage.memory_file import (
    MemoryWriter,
    read_memory,
    read_meta,
    read_thumbnail,
    thumbnail_charge,
)
from streammem.storage.records import Commit, MemoryMeta, Progress
from streammem.storage.usage import append_usage, read_usage
from streammem.storage.verify import verify_memory
from streammem.text.rows import CueRow

BUDGET = 512 * 1024
SPEC = EncoderSpec("tiny", "0" * 64, 8, (0.5,) * 3, (0.5,) * 3, "bilinear", 8, (2, 2))
META = MemoryMeta(
    "clip", "f" * 64, "clip.mp4", "/videos/clip.mp4", 2.0, None, 60.0, "streammem", BUDGET,
    ("vision",), SPEC, None, RuntimeChoice(), {"threads": 1}, 1.7e9, None, "0.1.0",
)  # fmt: skip
PLAN = plan_budget(BUDGET)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "library" / "clip.smem"


def _commit(number: int, size: int = 3000) -> Commit:
    """Commit `number` of a series in which every part says which commit it belongs to."""
    text = f"commit {number} ".encode()
    return Commit(
        sections={
            "cells": text * (size // len(text)) + os.urandom(16),
            "ledger": text * (1 + number % 50),
        },
        progress=Progress(
            covered_s=number / 3,
            frames=FrameCounts(10 * number, number, 0),
            gaps=(Gap(0.1, 0.1 + 0.2, "undecodable"),),
            written_frames=number,
            commits=number,
        ),
        thumbnails_added={number * 1000 + i: text * 40 for i in range(3)},
        thumbnails_dropped=frozenset((number - 4) * 1000 + i for i in range(3)),
        cell_counts={"working": number},
        tier_bytes={"working": 100 * number},
        usage_absorbed=0,
    )


def _write(path: Path, *commits: Commit) -> None:
    with MemoryWriter.create(path, META, PLAN) as writer:
        for commit in commits:
            writer.commit(commit)


def _row(number: int, text: str) -> CueRow:
    return CueRow(number, Cue(number, number + 1, text, Channel.SPEECH))


def _names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_read_gives_back_what_was_committed(path: Path) -> None:
    """Every field of the last commit comes back equal, pictures and counts of cues included."""
    cue = Cue(1 / 3, 0.1 + 0.2, "a grey cardigan", Channel.SPEECH)
    row = CueRow(3, cue, b"\x0fcode")
    last = replace(
        _commit(2),
        cues=(row,),
        cue_next_id=4,
        listening=b"\x00heard",
        word_tally=b"\x01\x02",
        usage_absorbed=7,
    )
    _write(path, _commit(1), last)
    stored = read_memory(path)

    assert stored.meta == META
    assert stored.plan == PLAN
    assert stored.progress == last.progress
    assert stored.sections == dict(last.sections)
    assert stored.thumbnail_keys == (1000, 1001, 1002, 2000, 2001, 2002)
    assert stored.thumbnail_lengths == (360,) * 6
    assert stored.thumbnail_bytes == 6 * 360
    assert (stored.cell_counts, stored.tier_bytes) == ({"working": 2}, {"working": 200})
    assert (stored.cue_counts, stored.cue_bytes) == ({"speech": 1}, 15)
    assert (stored.cue_next_id, stored.listening) == (4, b"\x00heard")
    assert stored.word_tally == b"\x01\x02"
    with MemoryWriter.open(path) as writer:
        assert writer.cue_rows() == (row,)
    assert stored.usage_absorbed == 7
    assert stored.file_bytes == path.stat().st_size <= BUDGET
    assert read_thumbnail(path, 2001) == b"commit 2 " * 40
    assert read_thumbnail(path, 2003) is None


def test_read_meta_gives_settings_and_progress_without_sections(path: Path) -> None:
    """A listing needs no cells."""
    _write(path, _commit(5))
    meta, progress, cell_counts, tier_bytes, cue_counts, file_bytes = read_meta(path)

    assert (meta, progress) == (META, _commit(5).progress)
    assert (cell_counts, tier_bytes, cue_counts) == ({"working": 5}, {"working": 500}, {})
    assert file_bytes == path.stat().st_size


def test_a_new_memory_has_settings_and_no_cells(path: Path) -> None:
    """Before the first commit a memory is running and empty, and can be opened."""
    _write(path)
    stored = read_memory(path)

    assert (stored.sections, stored.thumbnail_keys, stored.progress) == ({}, (), Progress())
    with MemoryWriter.open(path) as writer:
        assert writer.stored == stored


def test_open_continues_from_the_last_commit(path: Path) -> None:
    """`stored` is the memory at open, `current` follows the commits."""
    _write(path, _commit(1))
    with MemoryWriter.open(path) as writer:
        assert writer.stored.sections == read_memory(path).sections
        writer.commit(_commit(2))
        assert writer.current() == read_memory(path)
        assert writer.stored.progress.commits == 1


def test_a_closed_memory_is_one_plain_file(path: Path) -> None:
    """The log is emptied and removed, and so is the lock."""
    _write(path, *(_commit(n) for n in range(1, 20)))

    assert _names(path.parent) == ["clip.smem"]


def test_create_refuses_an_existing_memory(path: Path) -> None:
    """Nothing is overwritten by accident."""
    _write(path, _commit(1))
    with pytest.raises(UsageError, match=r"there is a memory .* already"):
        MemoryWriter.create(path, META, PLAN)
    assert read_memory(path).progress.commits == 1


def test_a_second_writer_is_refused_and_named(path: Path) -> None:
    """One writer at a time; the refusal says who it is."""
    with MemoryWriter.create(path, META, PLAN):
        with pytest.raises(MemoryLockedError, match=f"process {os.getpid()} since"):
            MemoryWriter.open(path)
        with pytest.raises(MemoryLockedError, match="is being written"):
            MemoryWriter.create(path, META, PLAN)
    MemoryWriter.open(path).close()


def test_dropping_and_adding_the_same_picture_keeps_the_added_one(path: Path) -> None:
    """Dropped ones go first; unknown keys are no error; an added one replaces."""
    _write(
        path,
        Commit({}, Progress(), {1: b"one", 2: b"two"}),
        Commit({}, Progress(), {1: b"new", 2: b"newer"}, frozenset({1, 99})),
    )
    assert (read_thumbnail(path, 1), read_thumbnail(path, 2)) == (b"new", b"newer")
    assert verify_memory(path).problems == ()


@pytest.mark.parametrize(
    ("commit", "match"),
    [
        (Commit({"cells": bytes(PLAN.store_bytes + 1)}, Progress()), "bytes of cells"),
        (Commit({str(n): b"x" for n in range(13)}, Progress()), "13 sections"),
        (Commit({}, Progress(), {1: bytes(PLAN.thumbnail_bytes)}), "bytes of pictures"),
        (
            Commit({}, Progress(), cues=(_row(1, "w " * PLAN.cue_bytes),)),
            "bytes of timed text",
        ),
    ],
)
def test_a_commit_beyond_its_share_is_refused_and_the_last_one_stays(
    path: Path, commit: Commit, match: str
) -> None:
    """The refusal has exit code 7; the writer goes on from the last commit."""
    with MemoryWriter.create(path, META, PLAN) as writer:
        writer.commit(_commit(1))
        with pytest.raises(BudgetError, match=match) as refusal:
            writer.commit(commit)
        assert (refusal.value.exit_code, refusal.value.code) == (7, "budget_full")
        assert writer.current() == read_memory(path)
        writer.commit(_commit(2))
    assert read_memory(path).progress.commits == 2
    assert verify_memory(path).problems == ()


def test_the_page_limit_holds_even_if_the_shares_were_wrong(path: Path) -> None:
    """SQLite's own limit is the last guard: budget_full, and the last commit is intact."""
    wrong = BudgetPlan(BUDGET, 1024, 10 * BUDGET, BUDGET, 0, 4 << 20)
    with MemoryWriter.create(path, META, wrong) as writer:
        writer.commit(_commit(0))
        before = writer.current()
        with pytest.raises(BudgetError, match="reached its budget of 512 KiB") as refusal:
            writer.commit(Commit({"cells": os.urandom(BUDGET)}, Progress(commits=9)))
        assert refusal.value.code == "budget_full"
        assert read_memory(path) == before
        writer.commit(_commit(3))
    assert path.stat().st_size <= BUDGET
    assert read_memory(path).progress.commits == 3


DISK_FULL = """
import resource, sys, os
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_storage_memory_file import META, PLAN, _commit
from streammem.core.errors import BudgetError
from streammem.storage.memory_file import MemoryWriter
with MemoryWriter.create(Path(sys.argv[1]), META, PLAN) as writer:
    writer.commit(_commit(1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (writer.wal_bytes + 20000, resource.RLIM_INFINITY))
    for number in range(2, 100):
        try:
            writer.commit(_commit(number))
        except BudgetError as error:
            print(error.code, error.exit_code, number - 1, writer.current().progress.commits)
            resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
            break
"""


def _run(code: str, *arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
    script = code.replace("{tests!r}", repr(str(Path(__file__).parent)))
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
        **options,
    )  # fmt: skip


def test_a_full_disk_is_reported_and_the_last_commit_stays(path: Path) -> None:
    """A failing write has exit code 7 and code disk_full, and loses nothing committed."""
    done = _run(DISK_FULL, str(path))
    code, exit_code, expected, current = done.stdout.split()

    assert (done.stderr, code, exit_code) == ("", "disk_full", "7")
    assert expected == current == str(read_memory(path).progress.commits)
    assert verify_memory(path).problems == ()


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_storage_memory_file import META, PLAN, _commit
from streammem.storage.memory_file import MemoryWriter
path = Path(sys.argv[1])
writer = MemoryWriter.open(path) if path.exists() else MemoryWriter.create(path, META, PLAN)
number = writer.stored.progress.commits
while True:
    number += 1
    writer.commit(_commit(number, 60_000))
    print(number, flush=True)
"""


def _is_commit(path: Path, number: int) -> bool:
    """Whether the memory is, in every part, the commit of that number."""
    stored, expected = read_memory(path), _commit(number, 60_000)
    text = f"commit {number} ".encode()
    return (
        stored.progress == expected.progress
        and stored.sections["ledger"] == expected.sections["ledger"]
        and stored.sections["cells"][:-16] == expected.sections["cells"][:-16]
        and set(expected.thumbnails_added) <= set(stored.thumbnail_keys)
        and read_thumbnail(path, number * 1000) == text * 40
    )


def test_kill_at_random_moments_leaves_a_commit_that_was_made(path: Path) -> None:
    """After SIGKILL the memory is whole, no older than what was reported, and free to write."""
    for round_number in range(10):
        script = KILLED.replace("{tests!r}", repr(str(Path(__file__).parent)))
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(path)],
            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert child.stdout is not None
        reported = int(child.stdout.readline())
        time.sleep(0.0137 * round_number % 0.05)
        child.kill()
        rest = child.stdout.read().split("\n")
        child.stdout.close()
        child.wait()
        reported = max([reported, *(int(line) for line in rest[:-1])])

        kept = read_memory(path).progress.commits
        assert reported <= kept <= reported + 1
        assert _is_commit(path, kept)
        assert verify_memory(path).problems == ()
    with MemoryWriter.open(path) as writer:
        assert _is_commit(path, writer.stored.progress.commits)
    assert _names(path.parent) == ["clip.smem"]


def test_readers_see_whole_commits_while_the_writer_commits(path: Path) -> None:
    """Each of many reads during 200 commits is one commit in every part, never a mixture."""
    seen: list[int] = []
    failures: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            stored = read_memory(path)
            number = stored.progress.commits
            text = f"commit {number} ".encode()
            whole = (
                stored.sections["ledger"] == text * (1 + number % 50)
                and stored.sections["cells"].startswith(text)
                and stored.cell_counts == {"working": number}
                and set(stored.thumbnail_keys)
                == {n * 1000 + i for n in range(max(1, number - 3), number + 1) for i in range(3)}
            )
            seen.append(number)
            if not whole:
                failures.append(f"commit {number} is mixed")

    with MemoryWriter.create(path, META, PLAN) as writer:
        writer.commit(_commit(1))
        reader = threading.Thread(target=read)
        reader.start()
        number = 1
        # On a busy machine the reader may get its turns late.
        while number < 201 or (len(set(seen)) <= 5 and reader.is_alive()):
            number += 1
            writer.commit(_commit(number))
            assert writer.wal_bytes <= PLAN.wal_bytes
        done.set()
        reader.join()

    assert failures == []
    assert seen == sorted(seen)
    assert len(set(seen)) > 5


def test_reading_from_another_process_while_the_writer_opens_and_closes(path: Path) -> None:
    """Switching the log on and off never makes a reader fail."""
    _write(path, _commit(1))
    enough = path.with_name("enough")
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from streammem.storage.memory_file import read_memory\n"
        "path, enough = map(Path, sys.argv[1:])\ncount = 0\n"
        "print('ready', flush=True)\n"
        "while count < 100 or not enough.exists():\n    read_memory(path); count += 1\n"
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", code, str(path), str(enough)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert reader.stdout is not None
    assert reader.stdout.readline() == "ready\n"
    number, over_at = 1, time.monotonic() + 2.0
    while reader.poll() is None:
        with MemoryWriter.open(path) as writer:
            number += 1
            writer.commit(_commit(number))
        # However slow the machine, so much of both goes on at the same time.
        if number > 20 and time.monotonic() > over_at:
            enough.touch()
    _, errors = reader.communicate()

    assert (reader.returncode, errors) == (0, "")
    assert number > 20


def test_the_log_stays_within_its_bound(path: Path) -> None:
    """Many commits that rewrite everything never let the log outgrow 4 MiB."""
    largest = 0
    with MemoryWriter.create(path, META, PLAN) as writer:
        for number in range(60):
            writer.commit(Commit({"cells": os.urandom(300_000)}, Progress(commits=number)))
            largest = max(largest, writer.wal_bytes)
            assert path.stat().st_size <= BUDGET
    assert 1_000_000 < largest <= PLAN.wal_bytes == 4 << 20


def test_a_slow_reader_does_not_stop_the_writer(path: Path) -> None:
    """With a transaction held open commits go on, and the reader keeps its commit."""
    _write(path, _commit(1))
    with MemoryWriter.open(path) as writer:
        with reading(path) as connection:
            connection.execute("SELECT count(*) FROM state").fetchone()
            writer.commit(_commit(2))
            (body,) = connection.execute("SELECT body FROM record WHERE id=2").fetchone()
            assert b'"commits":1,' in body
        assert read_memory(path).progress.commits == 2


def test_small_changes_cost_a_few_pages(path: Path) -> None:
    """One changed byte in a large section costs the log a few pages, not the section."""
    section = bytearray(os.urandom(250_000))
    with MemoryWriter.create(path, META, PLAN) as writer:
        writer.commit(Commit({"cells": bytes(section)}, Progress()))
        before = writer.wal_bytes
        section[123_456] ^= 1
        writer.commit(Commit({"cells": bytes(section)}, Progress(commits=1)))
        assert writer.wal_bytes - before < 10_000
        assert read_memory(path).sections["cells"] == section


def test_a_copy_elsewhere_needs_no_path_and_a_leftover_log_is_read(
    path: Path, tmp_path: Path
) -> None:
    """A memory copied with the log of a killed writer holds its last commit."""
    elsewhere = tmp_path / "else where" / "renämed ? 100%.smem"
    elsewhere.parent.mkdir()
    with MemoryWriter.create(path, META, PLAN) as writer:
        writer.commit(_commit(1))
        shutil.copy(path, elsewhere)
        shutil.copy(f"{path}-wal", f"{elsewhere}-wal")
        assert Path(f"{elsewhere}-wal").stat().st_size > 0
    stored = read_memory(elsewhere)

    assert stored.progress.commits == 1
    assert verify_memory(elsewhere).problems == ()
    assert stored.sections == read_memory(path).sections


READ_ONLY = """
import os, sys
from pathlib import Path
from streammem.storage.memory_file import read_memory
from streammem.storage.usage import append_usage
from streammem.storage.verify import verify_memory
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
path = Path(sys.argv[1])
assert not os.access(path.parent, os.W_OK)
print(read_memory(path).progress.commits, verify_memory(path).ok, append_usage(path, {1: 1}))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no write permission there")
@pytest.mark.parametrize("log", ["none", "missing", "leftover"])
def test_reading_works_on_read_only_media(path: Path, log: str) -> None:
    """A closed memory, one cut off from its log, and one with the log of a killed writer."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "copy.smem"
        with MemoryWriter.create(path, META, PLAN) as writer:
            writer.commit(_commit(1))
            if log == "missing":
                writer._empty_log(1.0)
            shutil.copy(path, copy)
            if log == "leftover":
                shutil.copy(f"{path}-wal", f"{copy}-wal")
        if log == "none":
            shutil.copy(path, copy)
        copy.parent.chmod(0o555)
        done = _run(READ_ONLY, str(copy))
        copy.parent.chmod(0o755)

    assert (done.stderr, done.stdout) == ("", "1 True False\n")


def test_a_log_of_a_removed_memory_is_not_replayed_into_a_new_one(path: Path) -> None:
    """Leftovers beside a file that is gone are removed before a memory is made there."""
    with MemoryWriter.create(path, META, PLAN) as writer:
        writer.commit(_commit(7))
        leftover = Path(f"{path}-wal").read_bytes()
    path.unlink()
    Path(f"{path}-wal").write_bytes(leftover)
    path.with_name(".clip.smem.new").write_bytes(b"interrupted")

    _write(path, _commit(1))
    assert read_memory(path).progress.commits == 1
    assert _names(path.parent) == ["clip.smem"]


def test_usage_is_trimmed_after_it_was_absorbed(path: Path) -> None:
    """The offset in the commit and the log agree, whatever happens between the two."""
    with MemoryWriter.create(path, META, PLAN) as writer:
        append_usage(path, {3: 1})
        offset, entries = read_usage(path, writer.usage_absorbed)
        assert [entry.returned for entry in entries] == [{3: 1}]
        append_usage(path, {4: 2})
        writer.commit(replace(_commit(1), usage_absorbed=offset))
        assert writer.usage_absorbed == offset
    again, entries = read_usage(path, read_memory(path).usage_absorbed)
    assert [entry.returned for entry in entries] == [{4: 2}]
    assert again > offset


def test_without_a_log_everything_works_with_the_rollback_journal(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that cannot have a write-ahead log is written with the older journal."""
    monkeypatch.setattr("streammem.storage.connection.use_log", lambda connection: False)
    with MemoryWriter.create(path, META, PLAN) as writer:
        for number in range(1, 6):
            writer.commit(_commit(number))
            assert writer.wal_bytes == 0
            assert read_memory(path).progress.commits == number
    assert verify_memory(path).problems == ()


def test_an_interrupt_right_after_a_commit_does_not_confuse_the_next(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C may strike when the transaction is made but not yet noted; nothing is mixed up."""
    with MemoryWriter.create(path, META, PLAN) as writer:
        writer.commit(_commit(1))
        sections = dict(writer.current().sections)
        connection = writer._connection

        class _Interrupted:
            def __getattr__(self, name: str) -> object:
                return getattr(connection, name)

            def execute(self, statement: str, *arguments: object) -> object:
                done = connection.execute(statement, *arguments)
                if statement == "COMMIT":
                    raise KeyboardInterrupt
                return done

        monkeypatch.setattr(writer, "_connection", _Interrupted())
        with pytest.raises(KeyboardInterrupt):
            writer.commit(_commit(2))
        monkeypatch.setattr(writer, "_connection", connection)
        third = replace(_commit(3), sections={**sections, "ledger": b"third"})
        writer.commit(third)

    assert read_memory(path).sections == third.sections
    assert verify_memory(path).problems == ()


@pytest.mark.skipif(sys.platform == "win32", reason="a lock style of unix")
def test_use_log_says_where_there_is_none(path: Path) -> None:
    """SQLite cannot share memory with this lock style, as on some network folders."""
    _write(path)
    connection = sqlite3.connect(f"{path.as_uri()}?vfs=unix-dotfile", uri=True)
    assert use_log(connection) is False
    connection.close()


def _random_bytes(data: bytes) -> bytes:
    return os.urandom(len(data))


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda data: b"", "not_a_memory"),
        (lambda data: b"hello", "not_a_memory"),
        (_random_bytes, "not_a_memory"),
        (lambda data: data[:100], "memory_damaged"),
        (lambda data: data[:1024], "memory_damaged"),
        (lambda data: data[: len(data) // 2], "memory_damaged"),
        (lambda data: data[:1024] + _random_bytes(data[1024:]), "memory_damaged"),
        (lambda data: data.replace(b'"policy":"streammem"', b'"policy":"streamnem"'),
         "memory_damaged"),
        (lambda data: data.replace(b"commit 3 commit 3", b"commit 3 cOmmit 3"), "memory_damaged"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_memory_or_damaged_is_refused_with_a_reason(
    path: Path, damage: object, code: str
) -> None:
    """Exit code 6, a stable code, the file in the message and a hint; never SQLite's error."""
    _write(path, _commit(3))
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    for action in (read_memory, MemoryWriter.open):
        with pytest.raises(MemoryFileError) as refusal:
            action(path)
        assert (refusal.value.exit_code, refusal.value.code) == (6, code)
        assert str(path) in refusal.value.message
        assert refusal.value.hint
    assert not path.with_name("clip.lock").exists()


def test_flipping_any_byte_gives_our_error_or_the_same_memory(path: Path) -> None:
    """No single damaged byte leads to another exception or to other content."""
    _write(path, _commit(1, 9000))
    data, stored = path.read_bytes(), read_memory(path)
    refused = 0
    for position in range(0, len(data), 211):
        damaged = bytearray(data)
        damaged[position] ^= 0x5A
        path.write_bytes(damaged)
        try:
            again = read_memory(path)
        except MemoryFileError:
            refused += 1
            continue
        assert again.sections == stored.sections
        assert again.progress == stored.progress
    assert refused > len(data) // 211 // 3


def test_a_missing_memory_is_a_usage_error(path: Path) -> None:
    """Reading, opening and verifying what is not there has exit code 2."""
    for action in (read_memory, read_meta, verify_memory, MemoryWriter.open):
        with pytest.raises(UsageError, match="there is no memory") as refusal:
            action(path)
        assert refusal.value.code == "unknown_memory"
    with pytest.raises(MemoryFileError, match="is not a file"):
        read_memory(path.parent.parent)


def test_a_picture_charge_is_known_before_it_is_written(path: Path) -> None:
    """The charge of pictures bounds what the file grows by."""
    with MemoryWriter.create(path, META, PLAN) as writer:
        before = writer.file_bytes
        lengths = [1999, 500, 979, 2050]
        writer.commit(Commit({}, Progress(), {n: os.urandom(n) for n in lengths}))
        grown = writer.file_bytes - before
    assert grown <= sum(thumbnail_charge(n, PLAN.page_bytes) for n in lengths) + 1024


def test_the_file_of_a_draft_appears_whole_with_its_first_commit(path: Path) -> None:
    """Nothing lies there before; what lies there then is what any other memory would hold."""
    _write(path.with_name("other.smem"), _commit(1))
    with MemoryWriter.draft(path, META, PLAN) as writer:
        assert _names(path.parent) == ["clip.lock", "other.smem"]
        commit = _commit(1)
        writer.commit(commit)
        assert read_memory(path).sections == commit.sections
        assert writer.current() == replace(read_memory(path), sections=dict(commit.sections))
        assert _names(path.parent) == ["clip.lock", "clip.smem", "other.smem"]

    stored, other = read_memory(path), read_memory(path.with_name("other.smem"))
    assert _names(path.parent) == ["clip.smem", "other.smem"]
    assert (stored.meta, stored.plan, stored.progress) == (other.meta, other.plan, other.progress)
    assert stored.file_bytes == path.stat().st_size == other.file_bytes
    assert verify_memory(path).problems == ()


def test_a_draft_goes_on_in_its_file(path: Path) -> None:
    """A source that was longer than it said: further commits add to the first, and it is closed."""
    with MemoryWriter.draft(path, META, PLAN) as writer:
        for number in range(1, 6):
            last = _commit(number, 60_000)
            writer.commit(last)
            assert read_memory(path).sections == last.sections
        assert "clip.smem-wal" in _names(path.parent)

    assert _names(path.parent) == ["clip.smem"]
    assert _is_commit(path, 5)
    assert read_memory(path).thumbnail_keys[0] == 2000
    assert verify_memory(path).problems == ()


def test_a_draft_that_ends_before_its_first_commit_leaves_nothing(path: Path) -> None:
    """Whether it is closed or killed; the next one begins anew."""
    MemoryWriter.draft(path, META, PLAN).close()
    assert _names(path.parent) == []
    done = _run(DRAFT_KILLED, str(path))
    assert (done.returncode, done.stderr) == (9, "")
    assert _names(path.parent) == ["clip.lock"]

    with MemoryWriter.draft(path, META, PLAN) as writer:
        writer.commit(_commit(1, 60_000))
    with pytest.raises(UsageError, match="already"):
        MemoryWriter.draft(path, META, PLAN)
    assert _is_commit(path, 1)


DRAFT_KILLED = """
import os, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_storage_memory_file import META, PLAN
from streammem.storage.memory_file import MemoryWriter
writer = MemoryWriter.draft(Path(sys.argv[1]), META, PLAN)
os._exit(9)
"""


def test_a_draft_that_cannot_be_written_is_tried_again_with_the_next_commit(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk leaves no piece of a file behind, and the writer can go on."""
    with MemoryWriter.draft(path, META, PLAN) as writer:
        with monkeypatch.context() as patch:
            patch.setattr("streammem.storage.schema.os.fsync", _no_space)
            with pytest.raises(BudgetError, match="disk is full") as refusal:
                writer.commit(_commit(1))
        assert refusal.value.code == "disk_full"
        assert _names(path.parent) == ["clip.lock"]
        writer.commit(_commit(2, 60_000))

    assert _is_commit(path, 2)
    assert verify_memory(path).problems == ()


def _no_space(_: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")
