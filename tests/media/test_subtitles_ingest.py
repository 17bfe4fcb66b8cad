"""Subtitles and metadata become cues of a memory, whichever way they come with a video."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import av
import pytest

from streammem.api import Library, request_from_config
from streammem.core.config import load_config
from streammem.core.errors import Interrupted
from streammem.core.results import IngestRequest, IngestResult
from streammem.storage.checksum import crc
from streammem.storage.records import dump_json
from streammem.storage.verify import verify_memory
from tests.media import _clips

SRT = "1\n00:00:01,000 --> 00:00:02,000\n{}\n"
EVENTS = [(500, 1500, "Hello there"), (2000, 3000, "second\nline"), (4000, 4500, "end")]


def _request(tmp_path: Path, **fields: object) -> IngestRequest:
    config = load_config(environ={}, project_folder=tmp_path).config
    plain = request_from_config(
        config, encoder="descriptor", device="cpu", audio=False, screen_text=False
    )
    return replace(plain, **fields)


def _ingest(tmp_path: Path, source: Path, **fields: object) -> IngestResult:
    (result,) = Library(tmp_path / "lib").ingest([str(source)], _request(tmp_path, **fields))
    return result


def _cues(result: IngestResult) -> list[tuple[float, float, str, str]]:
    assert result.error is None, result.error
    assert result.memory_path is not None
    assert verify_memory(Path(result.memory_path)).problems == ()
    with closing(sqlite3.connect(result.memory_path)) as connection:
        return connection.execute(
            "SELECT round(start_s,3),round(end_s,3),channel,text FROM cue ORDER BY id"
        ).fetchall()


def test_the_containers_track_becomes_cues(tmp_path: Path) -> None:
    """Words, times and the count of the result."""
    clip = _clips.write_subtitles(tmp_path / "clip.mkv", "subrip", EVENTS)
    result = _ingest(tmp_path, clip)
    assert _cues(result) == [
        (start_ms / 1000, end_ms / 1000, "subtitle", text) for start_ms, end_ms, text in EVENTS
    ]
    assert (result.cues["subtitle"], result.bytes["cues"]) == (3, 25)
    assert result.notes == ()


def test_files_beside_the_video_and_its_own_track_go_together(tmp_path: Path) -> None:
    """What both say is one cue; what only one says is there."""
    clip = _clips.write_subtitles(tmp_path / "clip.mp4", "mov_text", EVENTS[:1])
    (tmp_path / "clip.en.srt").write_text(SRT.format("A line of its own"))
    (tmp_path / "clip.srt").write_text(SRT.format("Hello THERE"))
    assert _cues(_ingest(tmp_path, clip)) == [
        (0.5, 1.5, "subtitle", "Hello there"),
        (1.0, 2.0, "subtitle", "A line of its own"),
    ]


@pytest.mark.parametrize(
    ("setting", "words"),
    [("none", []), ("auto", ["Hello there", "beside"]), ("elsewhere.srt", ["elsewhere"])],
)
def test_subtitles_are_chosen_by_the_setting(
    tmp_path: Path, setting: str, words: list[str]
) -> None:
    """`auto` takes what belongs to the video, a path that file alone, `none` nothing."""
    clip = _clips.write_subtitles(tmp_path / "clip.mkv", "subrip", EVENTS[:1])
    (tmp_path / "clip.srt").write_text(SRT.format("beside"))
    other = tmp_path / "elsewhere.srt"
    other.write_text(SRT.format("elsewhere"))
    given = str(other) if setting.endswith(".srt") else setting
    result = _ingest(tmp_path, clip, subtitles=given)
    assert [text for *_, text in _cues(result)] == words
    assert _ingest(tmp_path, clip, subtitles=given).status == "unchanged"
    other.write_text(SRT.format("changed"))
    again = _ingest(tmp_path, clip, subtitles=given)
    if words == ["elsewhere"]:
        assert again.error is not None
        assert "subtitles" in again.error.message
    else:
        assert again.status == "unchanged"


def test_an_absent_file_fails_and_a_broken_neighbour_does_not(tmp_path: Path) -> None:
    """The named file must be there; one that only lies there is told in a note."""
    clip = _clips.render(tmp_path / "clip", frames=25)
    absent = _ingest(tmp_path, clip, subtitles=str(tmp_path / "absent.srt"))
    assert absent.error is not None
    assert absent.error.exit_code == 2
    (tmp_path / "clip.srt").write_bytes(b"x" * (33 * 1024 * 1024))
    result = _ingest(tmp_path, clip)
    assert result.status == "done"
    assert "larger than any subtitle file" in " ".join(result.notes)


def test_the_language_chooses_the_track(tmp_path: Path) -> None:
    """Of two tracks the one asked for is read; without a choice the default one."""
    clip = tmp_path / "clip.mkv"
    plain = _clips.render(tmp_path / "plain", _clips.H264_MKV, frames=75)
    with av.open(str(plain)) as source, av.open(str(clip), "w") as target:
        video = target.add_stream_from_template(source.streams.video[0])
        tracks = []
        for language in ("fre", "ger"):
            track = target.add_mux_stream("subrip")
            track.metadata["language"] = language
            tracks.append(track)
        packets = [packet for packet in source.demux(video=0) if packet.size]
        for packet in packets:
            packet.stream = video
            target.mux(packet)
        for track, words in zip(tracks, ("bonjour", "guten Tag"), strict=True):
            packet = av.Packet(words.encode())
            packet.stream, packet.time_base = track, _clips.MILLISECONDS
            packet.pts = packet.dts = 1000
            packet.duration = 1000
            target.mux(packet)
    texts = {
        language: [text for *_, text in _cues(_ingest(tmp_path, clip, subtitle_language=language,
                                                      name=f"m{language}"))]
        for language in ("", "de", "fr", "es")
    }  # fmt: skip
    assert texts == {"": ["bonjour"], "de": ["guten Tag"], "fr": ["bonjour"], "es": []}


def test_titles_chapters_and_dates_are_cues(tmp_path: Path) -> None:
    """What the container knows about itself can be searched, and tells the time of day."""
    clip = tmp_path / "clip.mkv"
    plain = _clips.render(tmp_path / "plain", _clips.H264_MKV, frames=75)
    with av.open(str(plain)) as source, av.open(str(clip), "w") as target:
        target.metadata.update(
            {
                "title": "A walk", "creation_time": "2021-05-04T10:30:00Z",
                "location": "+48.8577+002.2950/", "encoder": "someone",
            }
        )  # fmt: skip
        target.set_chapters(
            [
                {"id": 1, "start": 0, "end": 1000, "time_base": _clips.MILLISECONDS,
                 "metadata": {"title": "The gate"}},
                {"id": 2, "start": 1000, "end": 3000, "time_base": _clips.MILLISECONDS,
                 "metadata": {"title": "The garden"}},
            ]
        )  # fmt: skip
        video = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = video
                target.mux(packet)
    result = _ingest(tmp_path, clip)
    found = _cues(result)
    assert [text for *_, channel, text in found if channel == "metadata"] == [
        "The gate",
        "place: 48.8577, 2.295",
        "recorded: 2021-05-04 10:30:00 UTC",
        "title: A walk",
        "The garden",
    ]
    assert (found[0][:2], found[-1][:2]) == ((0.0, 1.0), (1.0, 3.0))
    library = Library(tmp_path / "lib")
    assert library.show("clip").settings["recorded_at"] == 1620124200.0
    moved = _ingest(tmp_path, clip, recorded_at=1000.0, name="moved")
    assert library.show(moved.memory_id or "").settings["recorded_at"] == 1000.0


@pytest.mark.parametrize("stop_after", [1, 3])
def test_a_stopped_run_goes_on_to_the_same_cues(tmp_path: Path, stop_after: int) -> None:
    """Numbers, texts and times equal those of a run that was not stopped, under eviction, too."""
    clip = _clips.render(tmp_path / "clip", _clips.H264_MP4, frames=1500)
    lines = [
        f"{n}\n00:00:{n // 5:02d},{n % 5}00 --> 00:00:{n // 5:02d},{n % 5}90\n"
        f"line number {n} says word{n * 7919 % 97} and other{n * 31 % 11}\n"
        for n in range(290)
    ]
    (tmp_path / "clip.srt").write_text("\n".join(lines))
    settings = {"budget_bytes": 256 * 1024, "commit_frames": 1}
    whole = _cues(_ingest(tmp_path, clip, **settings))
    assert 20 < len(whole) < 200

    library = Library(tmp_path / "second")
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > stop_after + 1

    with pytest.raises(Interrupted):
        library.ingest([str(clip)], _request(tmp_path, **settings), should_stop=should_stop)
    (resumed,) = library.ingest([str(clip)], _request(tmp_path, **settings))
    assert resumed.status == "resumed"
    assert _cues(resumed) == whole


def test_resuming_with_other_subtitles_is_refused(tmp_path: Path) -> None:
    """A memory is made of one text, not of two halves."""
    clip = _clips.render(tmp_path / "clip", frames=1500)
    beside = tmp_path / "clip.srt"
    beside.write_text(SRT.format("first"))
    library = Library(tmp_path / "lib")
    calls = iter([False, False, True])
    with pytest.raises(Interrupted):
        library.ingest(
            [str(clip)], _request(tmp_path, commit_frames=1), should_stop=lambda: next(calls)
        )
    beside.write_text(SRT.format("second"))
    (result,) = library.ingest([str(clip)], _request(tmp_path, commit_frames=1))
    assert result.error is not None
    assert result.error.code == "settings_differ"


def test_real_clips_bring_their_words(tmp_path: Path, real_clips: Path) -> None:
    """A mov_text track, and descriptions beside a film."""
    nasa = _cues(_ingest(tmp_path, real_clips / "nasa_mirrors.mp4"))
    assert nasa[2][3] == "at NASA’s Goddard Space Flight Center in Greenbelt, Maryland."
    descriptions = real_clips / "subtitles" / "chrome_hammock.descriptions.vtt"
    found = _cues(_ingest(tmp_path, real_clips / "chrome_hammock.mp4", subtitles=str(descriptions)))
    assert (9.0, 10.0, "subtitle", "Opens Chrome.") in found
    assert "recorded: 2010-04-04 05:54:17 UTC" in [text for *_, text in found]


def test_files_that_came_later_or_hold_nothing_are_told(tmp_path: Path) -> None:
    """A finished memory stays as it is, and says what it has not read; junk is named, too."""
    clip = _clips.render(tmp_path / "clip", frames=25)
    (tmp_path / "clip.srt").write_bytes(bytes(range(256)))
    first = _ingest(tmp_path, clip)
    assert (first.status, first.notes) == (
        "done",
        ("clip.srt holds no subtitles that can be read",),
    )
    (tmp_path / "clip.en.srt").write_text(SRT.format("it came later"))
    again = _ingest(tmp_path, clip)
    assert again.status == "unchanged"
    assert again.notes[-1] == "not in the memory yet: clip.en.srt; to read it add --force"
    assert [text for *_, text in _cues(_ingest(tmp_path, clip, force=True))] == ["it came later"]
    assert _ingest(tmp_path, clip).notes == first.notes


SCHEMA_1 = """
PRAGMA page_size={page_bytes};
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


def _as_written_before(path: Path, schema: int) -> None:
    """Write the memory at a path as that schema did: pictures only, none of today's settings."""
    with closing(sqlite3.connect(path)) as today:
        (page_bytes,) = today.execute("PRAGMA page_size").fetchone()
        records = dict(today.execute("SELECT id,body FROM record").fetchall())
        cells = today.execute("SELECT id,body FROM state WHERE id>=0").fetchall()
        pictures = today.execute("SELECT * FROM thumbnail").fetchall()
    settings, commit = json.loads(records[1]), json.loads(records[2])
    settings["meta"] |= {"channels": ["vision"]}
    del settings["meta"]["perception"]
    for name in ("cue_counts", "cue_bytes", "cue_next_id"):
        del commit[name]
    path.unlink()
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.executescript(SCHEMA_1.format(page_bytes=page_bytes))
        if schema == 2:
            old.executescript(SCHEMA_2)
        for number, data in ((1, settings), (2, commit)):
            body = dump_json(data)
            old.execute("INSERT INTO record VALUES(?,?,?)", (number, crc(body), body))
        old.executemany("INSERT INTO state VALUES(?,?)", cells)
        old.executemany("INSERT INTO thumbnail VALUES(?,?,?)", pictures)


@pytest.mark.parametrize("schema", [1, 2])
def test_memories_from_before_words_are_listed_asked_and_left_alone(
    tmp_path: Path, schema: int
) -> None:
    """No --force is needed: the same command says `unchanged` and what such a memory lacks."""
    source = "synthetic:1?duration=20&fps=8&size=96x64"
    library = Library(tmp_path / "lib")
    (made,) = library.ingest([source], _request(tmp_path, name="old"))
    path = Path(str(made.memory_path))
    asked = ("when is the picture bright?", "how many times does a cut happen?")
    before = [(library.ask(text).text, library.ask(text).evidence) for text in asked]
    _as_written_before(path, schema)
    kept = path.read_bytes()

    assert verify_memory(path).problems == ()
    assert [(library.ask(text).text, library.ask(text).evidence) for text in asked] == before
    config = load_config(environ={}, project_folder=tmp_path).config
    default = request_from_config(config, encoder="descriptor", device="cpu", name="old")
    (again,) = library.ingest([source], default)
    assert again.status == "unchanged"
    assert again.cells == made.cells
    assert "pictures only" in again.notes[0]
    assert path.read_bytes() == kept

    (tmp_path / "clip.srt").write_text(SRT.format("new words"))
    named = replace(default, subtitles=str(tmp_path / "clip.srt"))
    (refused,) = library.ingest([source], named)
    assert refused.error is not None
    assert refused.error.code == "settings_differ"
    (forced,) = library.ingest([source], replace(named, force=True))
    assert (forced.status, forced.cues["subtitle"]) == ("done", 1)


def test_an_unfinished_memory_from_before_words_goes_on_as_it_was_begun(tmp_path: Path) -> None:
    """It ends with the cells of an undisturbed one, and without half of the words."""
    clip = _clips.render(tmp_path / "clip", frames=1500)
    (tmp_path / "clip.srt").write_text(SRT.format("hello"))
    bare = {"subtitles": "none", "commit_frames": 1}
    whole = _ingest(tmp_path, clip, name="whole", **bare)
    library = Library(tmp_path / "second")
    calls = iter([False, False, True])
    with pytest.raises(Interrupted):
        library.ingest([str(clip)], _request(tmp_path, **bare), should_stop=lambda: next(calls))
    _as_written_before(tmp_path / "second" / "clip.smem", 2)

    (resumed,) = library.ingest([str(clip)], _request(tmp_path, commit_frames=1))

    assert (resumed.status, resumed.cells, _cues(resumed)) == ("resumed", whole.cells, [])
    assert "pictures only" in " ".join(resumed.notes)
