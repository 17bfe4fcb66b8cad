"""Sound and on-screen text of real and rendered sources in one memory with their pictures."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from streammem.api import AskOptions, Library, request_from_config
from streammem.core.config import load_config
from streammem.core.errors import Interrupted
from streammem.core.results import IngestRequest, IngestResult
from streammem.runtime.words import unpack_state
from streammem.storage.memory_file import read_memory
from streammem.storage.verify import verify_memory
from tests.media import _clips

SLIDES = "extra `ocr` is not installed"
pytest.importorskip("silero_vad", reason="the extra `speech` is not installed")


def _request(tmp_path: Path, **fields: object) -> IngestRequest:
    config = load_config(environ={}, project_folder=tmp_path).config
    plain = request_from_config(config, encoder="descriptor", device="cpu", speech_model="")
    return replace(plain, **fields)


def _ingest(tmp_path: Path, source: Path, **fields: object) -> IngestResult:
    (result,) = Library(tmp_path / "lib").ingest([str(source)], _request(tmp_path, **fields))
    return result


def _cues(result: IngestResult) -> list[tuple[object, ...]]:
    assert result.error is None, result.error
    assert result.memory_path is not None
    assert verify_memory(Path(result.memory_path)).problems == ()
    with closing(sqlite3.connect(result.memory_path)) as connection:
        return connection.execute(
            "SELECT id,start_s,end_s,channel,text,details FROM cue ORDER BY id"
        ).fetchall()


def test_a_source_of_sound_alone_is_a_memory(tmp_path: Path, real_clips: Path) -> None:
    """Covered time is that of the sound; it is listed, verified, asked and left unchanged."""
    result = _ingest(tmp_path, real_clips / "audio" / "jfk.flac")
    assert (result.status, result.covered_s, result.duration_s) == ("done", 11.0, 11.0)
    assert sum(result.cells.values()) == result.frames.encoded == 0
    spans = [(start, end) for _, start, end, channel, *_ in _cues(result) if channel == "speech"]
    assert len(spans) == result.cues["speech"] >= 3
    assert 7.0 < sum(end - start for start, end in spans) < 10.5
    library = Library(tmp_path / "lib")
    answer = library.ask("when is somebody speaking?")
    assert {item.channel.value for item in answer.evidence} == {"speech"}
    assert library.ask("when does the red ball appear?").abstained
    assert library.show("jfk").summary.covered_s == 11.0
    assert _ingest(tmp_path, real_clips / "audio" / "jfk.flac").status == "unchanged"


def test_without_listening_a_source_of_sound_holds_nothing(
    tmp_path: Path, real_clips: Path
) -> None:
    """The error is that of a source without pictures, and no memory is left."""
    result = _ingest(tmp_path, real_clips / "audio" / "jfk.flac", audio=False)
    assert result.error is not None
    assert (result.error.code, result.error.exit_code) == ("no_video_track", 8)
    assert Library(tmp_path / "lib").memories() == []


@pytest.mark.parametrize("stop_after", [1, 4])
def test_sound_goes_on_exactly_after_a_stop(
    tmp_path: Path, real_clips: Path, stop_after: int
) -> None:
    """Cues, their numbers and times equal those of a run that was not stopped."""
    source = real_clips / "audio" / "physicsworks_lecture.webm"
    subtitles = str(real_clips / "subtitles" / "physicsworks_lecture.srt")
    settings = {"subtitles": subtitles, "end_s": 100.0, "commit_s": 0.001}
    whole = _cues(_ingest(tmp_path, source, **settings))
    library = Library(tmp_path / "second")
    calls = iter([False] * stop_after + [True] * 99)
    with pytest.raises(Interrupted):
        library.ingest(
            [str(source)], _request(tmp_path, **settings), should_stop=lambda: next(calls)
        )
    (resumed,) = library.ingest([str(source)], _request(tmp_path, **settings))
    assert resumed.status == "resumed"
    assert _cues(resumed) == whole
    assert resumed.covered_s == 100.0


def test_pictures_sound_and_text_go_on_exactly_after_a_stop(tmp_path: Path, samples: Path) -> None:
    """With a state of every reader at the resume point, kept within its bytes."""
    settings = {"commit_frames": 1}
    whole = _ingest(tmp_path, samples / "scenes.mp4", **settings)
    for stop_after in (2, 3):
        library = Library(tmp_path / f"stopped{stop_after}")
        calls = iter([False] * stop_after + [True] * 99)
        with pytest.raises(Interrupted):
            library.ingest(
                [str(samples / "scenes.mp4")], _request(tmp_path, **settings),
                should_stop=lambda calls=calls: next(calls),
            )  # fmt: skip
        stored = read_memory(tmp_path / f"stopped{stop_after}" / "scenes.smem")
        assert len(stored.listening) <= 8192
        assert set(unpack_state(stored.listening)) <= {"listen", "sound", "reading"}
        (resumed,) = library.ingest([str(samples / "scenes.mp4")], _request(tmp_path, **settings))
        assert _cues(resumed) == _cues(whole)


def test_what_is_not_installed_is_named_once_and_again_later(
    tmp_path: Path, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest goes on; a run that changes nothing says it, too; switched off says nothing."""
    monkeypatch.setattr("streammem.runtime.ingestion.ocr_identity", lambda: None)
    result = _ingest(tmp_path, samples / "scenes.mp4")
    assert result.status == "done"
    assert [note for note in result.notes if SLIDES in note] == [
        "text in the pictures was not read: the extra `ocr` is not installed; "
        "pip install 'streammem[ocr]'"
    ]
    again = _ingest(tmp_path, samples / "scenes.mp4")
    assert (again.status, again.notes) == ("unchanged", result.notes)
    off = _ingest(tmp_path, samples / "scenes.mp4", name="off", screen_text=False, audio=False)
    assert off.notes == ()


def test_silent_and_absent_sound_make_no_cues(tmp_path: Path) -> None:
    """A track of zeros, and none."""
    silent = tmp_path / "silent.mkv"
    with av.open(str(silent), "w") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        for number in range(60):
            frame = av.VideoFrame.from_ndarray(_clips.picture(number), format="rgb24")
            frame.pts = number
            container.mux(video.encode(frame))
        for start in range(0, 6 * 16000, 1600):
            chunk = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), "s16", "mono")
            chunk.sample_rate, chunk.pts = 16000, start
            container.mux(sound.encode(chunk))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
    result = _ingest(tmp_path, silent)
    assert (result.status, _cues(result)) == ("done", [])
    plain = _clips.render(tmp_path / "plain", frames=50)
    assert _cues(_ingest(tmp_path, plain)) == []


def test_a_folder_of_slides_is_read(tmp_path: Path) -> None:
    """Pictures that stand for a second each; every text with its time."""
    pytest.importorskip("rapidocr", reason=SLIDES)
    from tests.unit.test_text_screen import slide

    folder = tmp_path / "slides"
    folder.mkdir()
    from PIL import Image

    for number, words in enumerate(("Opening remarks", "Quarterly results", "Thank you all")):
        for copy in range(4):
            image = Image.fromarray(slide([words]).transpose(1, 2, 0))
            image.save(folder / f"{number}{copy}.png")
    result = _ingest(tmp_path, folder, audio=False)
    assert [(start, end, text) for _, start, end, _, text, _ in _cues(result)] == [
        (0.0, 4.0, "Opening remarks"),
        (4.0, 8.0, "Quarterly results"),
        (8.0, 12.0, "Thank you all"),
    ]
    options = AskOptions(memories=("slides",))
    answer = Library(tmp_path / "lib").ask("what does the slide say about results?", options)
    assert [item.text for item in answer.evidence] == ["Quarterly results"]
    assert answer.evidence[0].channel.value == "screen_text"


def test_times_of_day_come_from_the_container_or_the_user(tmp_path: Path, real_clips: Path) -> None:
    """A question by the clock, local time, finds the words that were said then."""
    source = real_clips / "nasa_mirrors.mp4"
    from datetime import datetime

    begun = datetime(2024, 5, 4, 15, 0, 0).timestamp()
    _ingest(tmp_path, source, recorded_at=begun, audio=False, screen_text=False)
    answer = Library(tmp_path / "lib").ask("what is said at 3:00:06 pm?")
    assert [item.text for item in answer.evidence] == [
        "space telescope in one of the largest cleanrooms in the world"
    ]


def _with_hurt_sound(source: Path, target: Path, span_s: tuple[float, float]) -> None:
    """Copy a clip; the sound packets of a span become noise."""
    drawn = np.random.default_rng(1)
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        tracks = {
            stream.index: made.add_stream_from_template(stream)
            for stream in (given.streams.video[0], given.streams.audio[0])
        }
        for packet in given.demux(given.streams.video[0], given.streams.audio[0]):
            if not packet.size:
                continue
            out = packet
            hurt = span_s[0] <= float(packet.pts * packet.time_base) < span_s[1]
            if packet.stream.type == "audio" and hurt:
                out = av.Packet(drawn.bytes(packet.size))
                out.pts, out.dts, out.time_base = packet.pts, packet.dts, packet.time_base
                out.duration = packet.duration
            out.stream = tracks[packet.stream.index]
            made.mux(out)


def test_sound_that_fails_in_the_middle_makes_the_memory_partial_not_failed(
    tmp_path: Path, real_clips: Path
) -> None:
    """What is said before and after is there, all pictures are, and a note says what is missing."""
    hurt = tmp_path / "hurt.mp4"
    _with_hurt_sound(real_clips / "nasa_mirrors.mp4", hurt, (4.0, 8.0))
    result = _ingest(tmp_path, hurt, screen_text=False)
    assert (result.status, result.fully_readable, result.error) == ("partial", False, None)
    assert (result.covered_s, result.gaps) == (13.0, ())
    spans = [(start, end) for _, start, end, channel, *_ in _cues(result) if channel == "speech"]
    assert [round(edge) for span in spans for edge in span] == [1, 4, 8, 12]
    assert "the sound is missing from 00:00:04" in " ".join(result.notes)
    again = _ingest(tmp_path, hurt, screen_text=False)
    assert (again.status, again.fully_readable) == ("unchanged", False)


def test_a_moment_that_somebody_names_goes_before_that_of_the_file(
    tmp_path: Path, real_clips: Path
) -> None:
    """In the words that can be asked for as well as in the clock."""
    result = _ingest(
        tmp_path, real_clips / "chrome_hammock.mp4", recorded_at=1714835395.0, audio=False,
        screen_text=False, end_s=4.0,
    )  # fmt: skip
    told = [text for _, _, _, channel, text, _ in _cues(result) if channel == "metadata"]
    assert told == ["recorded: 2024-05-04 15:09:55 UTC"]
    answer = Library(tmp_path / "lib").ask("when was it filmed?")
    assert [item.text for item in answer.evidence] == told
