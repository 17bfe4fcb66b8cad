"""What the driver of a batch does for each file, and what it lets the next run believe."""

import os
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streammem.api import request_from_config
from streammem.core.batches import BatchOptions
from streammem.core.config import load_config
from streammem.core.results import IngestRequest, IngestResult
from streammem.runtime.batch.desk import Desk
from streammem.storage.batch_journal import FileMark
from streammem.storage.library import LibraryFolder

LONG_AGO = (1.6e9, 1.6e9)


@pytest.fixture
def request_() -> IngestRequest:
    """A request for what everybody has."""
    config = load_config(flags={"ingest.encoder": "descriptor"}).config
    return request_from_config(config)


def desk_of(tmp_path: Path, request: IngestRequest) -> Desk:
    """A desk over the library beside the videos."""
    return Desk(LibraryFolder(tmp_path / "library"), request, BatchOptions())


def done(tmp_path: Path, video: Path, request: IngestRequest) -> tuple[Desk, FileMark, str]:
    """A desk that was told of a finished video; its mark and what its result depended on."""
    video.write_bytes(b"video")
    os.utime(video, LONG_AGO)
    memory = tmp_path / "library" / f"{video.stem}.smem"
    memory.parent.mkdir(exist_ok=True)
    memory.write_bytes(b"memory")
    os.utime(memory, LONG_AGO)
    desk, mark = desk_of(tmp_path, request), FileMark.of(str(video))
    settings = desk.settings_of(str(video))
    assert mark is not None
    assert settings is not None
    result = IngestResult(
        source=str(video), status="done", memory_id=video.stem, memory_path=str(memory)
    )
    desk.note_done(mark, settings, result)
    return desk, mark, settings


def test_a_done_file_is_known_until_anything_it_depends_on_changes(
    tmp_path: Path, request_: IngestRequest
) -> None:
    """Its memory, the request, and a subtitle file that appears while it is being read."""
    video = tmp_path / "talk.mp4"
    _, mark, settings = done(tmp_path, video, request_)
    again = desk_of(tmp_path, request_)
    known = again.known(str(video), mark, again.settings_of(str(video)))
    faster = desk_of(tmp_path, replace(request_, fps=4.0))
    forced = desk_of(tmp_path, replace(request_, force=True))

    assert known is not None
    assert (known.status, known.memory_id) == ("unchanged", "talk")
    assert faster.known(str(video), mark, faster.settings_of(str(video))) is None
    assert forced.settings_of(str(video)) == settings
    assert forced.known(str(video), mark, settings) is None

    video.with_suffix(".srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    late = again.settings_of(str(video))
    assert late != settings
    assert again.known(str(video), mark, late) is None

    video.with_suffix(".srt").unlink()
    assert again.known(str(video), mark, again.settings_of(str(video))) is not None
    (tmp_path / "library" / "talk.smem").write_bytes(b"another memory")
    assert again.known(str(video), mark, settings) is None


def test_a_file_costs_the_same_among_few_and_among_many(
    tmp_path: Path, request_: IngestRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is listed once for all of them, and a batch without questions opens no memory."""
    folder = tmp_path / "in"
    folder.mkdir()
    videos = [folder / f"clip{number:02}.mp4" for number in range(40)]
    for video in videos:
        video.write_bytes(b"video")
    os.utime(folder, LONG_AGO)
    listed: list[Path] = []
    opened: list[str] = []
    scandir, connect = os.scandir, sqlite3.connect

    def noted_scandir(path: Path) -> Any:
        listed.append(path)
        return scandir(path)

    def noted_connect(file: str, **how: Any) -> sqlite3.Connection:
        opened.append(str(file))
        connection: sqlite3.Connection = connect(file, **how)
        return connection

    monkeypatch.setattr(os, "scandir", noted_scandir)
    monkeypatch.setattr(sqlite3, "connect", noted_connect)
    desk = desk_of(tmp_path, request_)

    digests = {desk.settings_of(str(video)) for video in videos}
    left = [
        desk.questions_left(IngestResult(source=str(video), status="done", memory_id=video.stem))
        for video in videos
    ]

    assert len(digests) == 1
    assert listed == [folder]
    assert left == [[]] * len(videos)
    assert opened == []
    (folder / "clip07.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    assert len({desk.settings_of(str(video)) for video in videos}) == 2
