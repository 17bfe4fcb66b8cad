import multiprocessing
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streammem.core.budget import plan_budget
from streammem.core.errors import MemoryLockedError, UsageError
from streammem.core.types import EncoderSpec, FrameCounts, RuntimeChoice
from streammem.storage import library as storage_library
from streammem.storage.library import LibraryFolder, safe_id
from streammem.storage.library_index import INDEX_NAME, stamp
from streammem.storage.memory_file import MemoryWriter, read_memory
from streammem.storage.records import Commit, MemoryMeta, Progress
from streammem.storage.usage import append_usage

BUDGET = 256 * 1024
SPEC = EncoderSpec("tiny", "0" * 64, 8, (0.5,) * 3, (0.5,) * 3, "bilinear", 8, None)
META = MemoryMeta(
    "m", "f" * 64, "m.mp4", None, 2.0, None, None, "streammem", BUDGET,
    ("vision",), SPEC, None, RuntimeChoice(), {}, 1.0, None, "0.1.0",
)  # fmt: skip
DONE = Progress("done", duration_s=9.0, covered_s=8.5, frames=FrameCounts(9, 3, 0), commits=1)


@pytest.fixture
def library(tmp_path: Path) -> LibraryFolder:
    return LibraryFolder(tmp_path / "library")


def _remember(library: LibraryFolder, stem: str, fingerprint: str) -> str:
    memory_id = library.claim(stem, fingerprint)
    meta = replace(META, memory_id=memory_id, fingerprint=fingerprint)
    with MemoryWriter.create(library.path_of(memory_id), meta, plan_budget(BUDGET)) as writer:
        writer.commit(Commit({"cells": b"x" * 99}, DONE, cell_counts={"working": 1}))
    return memory_id


def _age(library: LibraryFolder, seconds: float = 10.0) -> None:
    """Make the memories old enough for the index to trust their times."""
    for file in library.folder.glob("*.smem"):
        when = file.stat().st_mtime - seconds
        os.utime(file, (when, when))


def _names(library: LibraryFolder) -> list[str]:
    return sorted(file.name for file in library.folder.iterdir())


def test_a_folder_that_is_not_there_is_an_empty_library(library: LibraryFolder) -> None:
    """Looking makes nothing."""
    assert (library.ids(), library.entries(), library.find("x")) == ([], [], None)
    assert not library.folder.exists()


def test_equal_stems_get_numbers_and_the_same_source_its_name(library: LibraryFolder) -> None:
    """clip, clip-2, clip-3 by source; asking again for a source gives its name again."""
    assert [_remember(library, "clip", f) for f in ("a", "b")] == ["clip", "clip-2"]
    assert library.claim("clip", "b") == "clip-2"
    assert library.claim("clip", "c") == "clip-3"
    assert library.claim("clip", "c") == "clip-3"
    assert library.claim("clip", "d") == "clip-4"
    assert library.ids() == ["clip", "clip-2"]
    assert library.find("b") == "clip-2"
    assert library.find("c") is None


def test_ids_are_sorted_by_name_and_hidden_files_are_none(library: LibraryFolder) -> None:
    """Upper and lower case stay; other files in the folder do not matter."""
    for stem in ("b", "a", "a-b", "Zoo", "v1.2"):
        _remember(library, stem, stem)
    (library.folder / ".x.smem").write_bytes(b"")
    (library.folder / "notes.txt").write_bytes(b"")
    (library.folder / "folder.smem").mkdir()

    assert library.ids() == ["Zoo", "a", "a-b", "b", "v1.2"]


def test_entries_say_what_a_listing_needs(library: LibraryFolder) -> None:
    """One entry per memory, the same with and without the index."""
    _remember(library, "clip", "a")
    _age(library)
    (entry,) = library.entries()

    assert (entry.memory_id, entry.fingerprint, entry.status) == ("clip", "a", "done")
    assert entry.settings == META.settings_key()
    assert entry.file_bytes == entry.path.stat().st_size
    assert (entry.duration_s, entry.covered_s, entry.budget_bytes) == (9.0, 8.5, BUDGET)
    assert (entry.cell_counts, entry.encoder, entry.policy) == ({"working": 1}, "tiny", "streammem")
    assert entry.problem is None
    assert INDEX_NAME in _names(library)
    assert library.entries() == [entry]
    assert LibraryFolder(library.folder).entries() == [entry]


def test_the_index_is_used_and_follows_every_change(
    library: LibraryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unchanged memory is not opened again; a changed one is; a removed one is gone."""
    _remember(library, "one", "a")
    _remember(library, "two", "b")
    _age(library)
    before = library.entries()

    def refuse(path: Path) -> None:
        raise AssertionError(f"{path} was opened")

    with monkeypatch.context() as patch:
        patch.setattr("streammem.storage.library.read_meta", refuse)
        assert library.entries() == before
    with MemoryWriter.open(library.path_of("one")) as writer:
        writer.commit(Commit({}, replace(DONE, covered_s=99.0)))
        assert library.entries()[0].covered_s == 99.0
    assert library.entries()[0].covered_s == 99.0
    library.forget("two")
    assert [entry.memory_id for entry in library.entries()] == ["one"]


def test_fresh_files_are_not_trusted_to_the_index(library: LibraryFolder) -> None:
    """Two commits within a tick of the clock look alike, so the index waits."""
    _remember(library, "clip", "a")
    assert stamp(library.path_of("clip")) is None
    _age(library)
    assert stamp(library.path_of("clip")) is not None


@pytest.mark.parametrize("content", [b"", b"garbage" * 500, None])
def test_a_damaged_index_is_made_anew(library: LibraryFolder, content: bytes | None) -> None:
    """The index never decides; it may be anything, even a folder."""
    _remember(library, "clip", "a")
    _age(library)
    expected = library.entries()
    index = library.folder / INDEX_NAME
    index.unlink()
    if content is None:
        index.mkdir()
    else:
        index.write_bytes(content)

    assert library.entries() == expected
    assert library.entries() == expected


def test_a_damaged_memory_is_listed_as_damaged(library: LibraryFolder) -> None:
    """One bad file does not hide the others, and an empty file is damage."""
    for stem in ("a", "b", "c"):
        _remember(library, stem, stem)
    library.path_of("a").write_bytes(os.urandom(5000))
    library.path_of("c").write_bytes(b"")
    entries = library.entries()

    assert [entry.status for entry in entries] == ["damaged", "done", "damaged"]
    assert "is not a memory" in (entries[0].problem or "")
    assert (entries[0].file_bytes, entries[2].file_bytes) == (5000, 0)
    assert library.claim("a", "a") == "a-2"


def test_resolve_takes_names_and_paths_and_suggests(library: LibraryFolder, tmp_path: Path) -> None:
    """A memory is named by id, by file name, or by a path anywhere."""
    _remember(library, "kitchen", "a")
    path = library.path_of("kitchen")
    elsewhere = tmp_path / "else.smem"
    elsewhere.write_bytes(path.read_bytes())

    assert library.resolve("kitchen") == library.resolve("kitchen.smem") == path
    assert library.resolve(str(elsewhere)) == elsewhere
    with pytest.raises(UsageError, match="no memory 'kitchn'") as refusal:
        library.resolve("kitchn")
    assert refusal.value.hint == "did you mean kitchen?"
    assert (refusal.value.code, refusal.value.exit_code) == ("unknown_memory", 2)
    library.claim("taken", "t")
    for name in ("taken", "../kitchen", "", "x" * 9999, str(tmp_path)):
        with pytest.raises(UsageError, match="there is no memory"):
            library.resolve(name)


def test_forget_removes_a_memory_with_everything_beside_it(library: LibraryFolder) -> None:
    """Nothing of it stays; names that are only taken can be forgotten, too."""
    _remember(library, "clip", "a")
    _remember(library, "other", "b")
    path = library.path_of("clip")
    append_usage(path, {1: 1})
    for suffix in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).write_bytes(b"left over")
    library.claim("clip", "c")
    size = path.stat().st_size

    assert library.forget("clip") == size
    assert library.forget("clip-2") > 0
    assert _names(library) == [".library.lock", "other.smem"]
    with pytest.raises(UsageError, match="there is no memory 'clip'"):
        library.forget("clip")
    assert library.claim("clip", "z") == "clip"


def test_forget_is_refused_while_a_memory_is_written(library: LibraryFolder) -> None:
    """The writer keeps its file."""
    _remember(library, "clip", "a")
    with MemoryWriter.open(library.path_of("clip")) as writer:
        with pytest.raises(MemoryLockedError, match="is being written"):
            library.forget("clip")
        writer.commit(Commit({}, DONE))
    assert read_memory(library.path_of("clip")).progress == DONE


def _claim_many(folder: str, fingerprint: str) -> list[str]:
    library = LibraryFolder(Path(folder))
    return [library.claim("clip", f"{fingerprint}-{n}") for n in range(8)]


def test_processes_that_claim_at_once_get_different_names(library: LibraryFolder) -> None:
    """No name is given to two sources, and no number is left out."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(3) as pool:
        found = pool.starmap(_claim_many, [(str(library.folder), f) for f in ("a", "b", "c")])
    claimed = [name for names in found for name in names]

    assert sorted(claimed) == sorted(["clip", *(f"clip-{n}" for n in range(2, 25))])


@given(st.text(max_size=300))
def test_names_are_safe_on_every_file_system(text: str) -> None:
    """No separator, no control character, not hidden, short enough, and stable."""
    name = safe_id(text)

    assert safe_id(name) == name
    assert name
    assert len(name.encode()) <= 210
    assert not set(name) & set('/\\:*?"<>|\0\n')
    assert not name.startswith((".", "-"))
    assert not name.endswith((".", " "))
    assert Path(name).name == name


def test_names_stay_readable() -> None:
    """Only what cannot stay is replaced."""
    cases = {
        "My Holiday (2).v1": "My Holiday (2).v1",
        "Küche": "Küche",
        "a/b\\c:d": "a-b-c-d",
        "..": "memory",
        "-rf": "rf",
        "CON": "CON-memory",
        os.fsdecode(b"a\xff"): "a",
    }
    assert {text: safe_id(text) for text in cases} == cases


def test_an_unsafe_name_is_refused(library: LibraryFolder) -> None:
    """A name given by the user is not changed behind their back, and stays in the folder."""
    for check in (library.path_of, library.check_name):
        with pytest.raises(UsageError, match="'a/b' cannot be the name of a memory") as refusal:
            check("a/b")
        assert refusal.value.hint == "use for example 'a-b'"
    with pytest.raises(UsageError, match="cannot be the name"):
        library.check_name("what?")
    library.check_name("My Holiday (2)")


def test_long_stems_keep_room_for_numbers(library: LibraryFolder) -> None:
    """The number behind a stem of the greatest length still makes a file name."""
    ids = [library.claim("ü" * 300, str(n)) for n in range(3)]

    assert ids == ["ü" * 100, "ü" * 100 + "-2", "ü" * 100 + "-3"]
    with pytest.raises(UsageError, match="there is no memory"):
        library.resolve("ü" * 300 + ".smem")


def test_a_foreign_file_with_an_odd_name_is_listed(library: LibraryFolder) -> None:
    """Whatever somebody copies into the folder does not stop a listing."""
    _remember(library, "clip", "a")
    library.path_of("clip").rename(library.folder / "-what?.smem")

    assert [entry.memory_id for entry in library.entries()] == ["-what?"]
    assert library.path_of("-what?").is_file()


def test_a_large_library_lists_quickly(
    library: LibraryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """300 memories list from the index alone, in well under a second of the processor."""
    _remember(library, "m", "f")
    data = library.path_of("m").read_bytes()
    for number in range(300):
        library.path_of(f"m-{number}").write_bytes(data)
    _age(library)
    library.entries()
    read: list[str] = []
    monkeypatch.setattr(storage_library, "_read_entry", lambda name, _path: read.append(name))
    started_at = time.process_time()
    assert len(library.entries()) == 301
    assert time.process_time() - started_at < 0.5
    assert read == []


def test_a_memory_that_is_being_begun_is_not_begun_twice(library: LibraryFolder) -> None:
    """While its writer lives; a name that a dead one took means nothing."""
    assert library.find_all("a" * 64) == []
    path = library.path_of(library.claim("clip", "a" * 64))
    assert library.find_all("a" * 64) == []
    with MemoryWriter.draft(path, replace(META, fingerprint="a" * 64), plan_budget(BUDGET)) as new:
        with pytest.raises(MemoryLockedError, match="is being written by"):
            library.find_all("a" * 64)
        assert library.find_all("b" * 64) == []
        new.commit(Commit({"cells": b"x"}, DONE))
        assert library.find_all("a" * 64) == ["clip"]
    assert library.find_all("a" * 64) == ["clip"]


def test_a_memory_in_the_place_of_another_is_found_by_its_own_source(
    library: LibraryFolder,
) -> None:
    """Also by who knew the one before it, and in a library too large to read one by one."""
    for number in range(20):
        _remember(library, f"clip{number}", f"{number:064}")
    assert library.find_all(f"{7:064}") == ["clip7"]
    library.forget("clip7")
    assert library.find_all(f"{7:064}") == []
    _remember(library, "clip7", f"{8:064}")

    assert library.find_all(f"{7:064}") == []
    assert library.find_all(f"{8:064}") == ["clip7", "clip8"]


def test_who_wrote_a_memory_does_not_read_it_to_tell_its_source(tmp_path: Path) -> None:
    """And believes it only as long as the same file lies there."""
    library = LibraryFolder(tmp_path)
    (tmp_path / "a.smem").write_bytes(b"no memory that could be read" * 40)
    library.know("a", "fingerprint")
    library.know("gone", "fingerprint")
    assert library.find_all("fingerprint") == ["a"]

    (tmp_path / "new").write_bytes(b"another file" * 80)
    (tmp_path / "new").replace(tmp_path / "a.smem")
    assert library.find_all("fingerprint") == []
