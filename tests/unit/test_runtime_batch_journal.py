"""What a batch remembers of files from run to run."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from streammem.storage.batch_journal import JOURNAL_NAME, BatchJournal, DoneFile, FileMark


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A file that has not changed for long."""
    path = tmp_path / "video.mp4"
    path.write_bytes(b"video")
    os.utime(path, (1.6e9, 1.6e9))
    return path


def mark_of(path: Path) -> FileMark:
    """The mark of a file that is there."""
    mark = FileMark.of(str(path))
    assert mark is not None
    return mark


def done_file(folder: Path) -> DoneFile:
    """What became of a file in the library of a folder."""
    path = folder / "library" / "video.smem"
    return DoneFile("video", FileMark(str(path.resolve()), 5, 7, settled=True), "{}")


def test_only_local_files_have_a_mark(tmp_path: Path, video: Path) -> None:
    """Folders, addresses and what is not there are looked at each time."""
    assert FileMark.of(str(tmp_path)) is None
    assert FileMark.of("https://a.b/c.mp4") is None
    assert FileMark.of("synthetic:1") is None
    assert FileMark.of("a" * 5000) is None
    assert mark_of(video).settled


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_file_has_one_mark_whatever_it_is_called(
    tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a relative name, through linked folders and links to it, with detours."""
    (tmp_path / "inside").mkdir()
    (tmp_path / "folder").symlink_to(tmp_path / "inside")
    (tmp_path / "inside" / "link.mp4").symlink_to(video)
    (tmp_path / "inside" / "gone.mp4").symlink_to(tmp_path / "nothing.mp4")
    monkeypatch.chdir(tmp_path / "inside")

    mark = mark_of(video)
    names = ("../video.mp4", "link.mp4", "./link.mp4", f"{tmp_path}/folder/../video.mp4")
    assert {FileMark.of(name) for name in names} == {mark}
    assert mark.path == str(video.resolve())
    assert FileMark.of("gone.mp4") is None
    monkeypatch.chdir(tmp_path)
    assert FileMark.of("video.mp4") == mark


def test_done_holds_for_the_same_file_and_settings_only(tmp_path: Path, video: Path) -> None:
    """Another size, another time or other settings, and it has to be looked at."""
    journal, done = BatchJournal(tmp_path / "library"), done_file(tmp_path)
    journal.note_done(mark_of(video), "settings", done, 10.0, 2.0)

    again = BatchJournal(tmp_path / "library")
    assert again.done(mark_of(video), "settings") == done
    assert again.done(mark_of(video), "others") is None
    os.utime(video, (1.5e9, 1.5e9))
    assert again.done(mark_of(video), "settings") is None
    video.write_bytes(b"longer than before")
    os.utime(video, (1.6e9, 1.6e9))
    assert again.done(mark_of(video), "settings") is None


def test_a_file_that_was_changed_just_now_is_not_trusted(tmp_path: Path, video: Path) -> None:
    """It may change again without another time of change."""
    os.utime(video)
    journal = BatchJournal(tmp_path / "library")
    journal.note_done(mark_of(video), "settings", done_file(tmp_path), 10.0, 2.0)

    assert not mark_of(video).settled
    assert journal.done(mark_of(video), "settings") is None


def test_strikes_add_up_over_runs_until_the_file_changes_or_is_done(
    tmp_path: Path, video: Path
) -> None:
    """A success, forgiveness and another content each end them."""
    library = tmp_path / "library"
    mark = mark_of(video)
    assert BatchJournal(library).strikes(mark) == (0, "")
    assert BatchJournal(library).strike(mark, "signal 11") == 1
    assert BatchJournal(library).strike(mark, "signal 9") == 2
    assert BatchJournal(library).strikes(mark) == (2, "signal 9")
    os.utime(video, (1.5e9, 1.5e9))
    assert BatchJournal(library).strikes(mark_of(video)) == (0, "")
    assert BatchJournal(library).strike(mark_of(video), "timeout") == 1
    BatchJournal(library).forgive(mark_of(video))
    assert BatchJournal(library).strikes(mark_of(video)) == (0, "")
    BatchJournal(library).strike(mark_of(video), "timeout")
    BatchJournal(library).note_done(mark_of(video), "s", done_file(tmp_path), 1.0, 1.0)
    assert BatchJournal(library).strikes(mark_of(video)) == (0, "")


def test_speeds_are_those_of_the_settings_and_unmeasured_runs_keep_them(
    tmp_path: Path, video: Path
) -> None:
    """A later run that changed nothing does not replace what was measured."""
    journal, done = BatchJournal(tmp_path / "library"), done_file(tmp_path)
    journal.note_done(mark_of(video), "settings", done, 10.0, 2.0)
    journal.note_done(mark_of(video), "settings", done, 10.0, 0.0)

    assert journal.speeds("sett", 5) == [(10.0, 2.0)]
    assert journal.speeds("others", 5) == []


def test_a_damaged_or_unwritable_journal_stops_nothing(tmp_path: Path, video: Path) -> None:
    """Damage is removed and begun anew; without a place to write strikes hold for the run."""
    library = tmp_path / "library"
    library.mkdir()
    (library / JOURNAL_NAME).write_bytes(b"no database" * 500)
    journal = BatchJournal(library)
    assert journal.done(mark_of(video), "settings") is None
    assert journal.strike(mark_of(video), "signal 9") == 1
    assert BatchJournal(library).strikes(mark_of(video)) == (1, "signal 9")

    nowhere = BatchJournal(video / "library")
    assert nowhere.strike(mark_of(video), "signal 9") == 1
    assert nowhere.strike(mark_of(video), "signal 9") == 2
    assert nowhere.strikes(mark_of(video)) == (2, "signal 9")


def test_an_entered_journal_writes_many_at_a_time_and_knows_them_before(
    tmp_path: Path, video: Path
) -> None:
    """What it keeps back it says itself; others see it once it is written out, or left."""
    library, done, mark = tmp_path / "library", done_file(tmp_path), mark_of(video)
    marks = [replace(mark, path=f"{mark.path}{number}") for number in range(50)]
    with BatchJournal(library) as journal:
        journal.note_done(mark, "s", done, 1.0, 1.0)
        for one in marks:
            journal.note_done(one, "s", done, 1.0, 1.0)
        assert BatchJournal(library).done(marks[-1], "s") is None
        assert journal.done(marks[-1], "s") == done
        assert BatchJournal(library).done(marks[0], "s") == done
        journal.note_done(mark, "t", done, 1.0, 1.0)
        assert journal.strike(mark, "signal 9") == 1
        assert BatchJournal(library).strikes(mark) == (1, "signal 9")
        journal.note_done(mark, "u", done, 1.0, 1.0)
        assert journal.strikes(mark) == (0, "")
        journal.note_done(mark, "v", done, 1.0, 1.0)

    assert BatchJournal(library).done(mark, "v") == done
    with BatchJournal(library) as later:
        assert later.done(mark, "v") == done
        assert later.strikes(mark) == (0, "")
        assert later.strike(mark, "signal 9") == 1


def test_an_entered_journal_may_be_deleted(tmp_path: Path, video: Path) -> None:
    """What was noted before is looked at again; what is noted then is known."""
    library, done, mark = tmp_path / "library", done_file(tmp_path), mark_of(video)
    with BatchJournal(library) as journal:
        journal.note_done(mark, "s", done, 1.0, 1.0)
        journal.write_out()
        (library / JOURNAL_NAME).unlink()
        assert journal.done(mark, "s") is None
        journal.note_done(mark, "t", done, 1.0, 1.0)
        journal.write_out()
        assert BatchJournal(library).done(mark, "t") == done


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are Unicode")
def test_a_name_that_is_no_text_is_known_again(tmp_path: Path) -> None:
    """File names are bytes; those that are no Unicode must not stop the batch of all others."""
    path = tmp_path / os.fsdecode(b"\xff\xfebad.avi")
    path.write_bytes(b"video")
    os.utime(path, (1.6e9, 1.6e9))
    journal, mark = BatchJournal(tmp_path / "library"), mark_of(path)

    assert journal.done(mark, "s") is None
    journal.note_done(mark, "s", done_file(tmp_path), 1.0, 1.0)

    assert journal.done(mark, "s") == done_file(tmp_path)
    assert journal.done(mark_of(path), "other") is None
