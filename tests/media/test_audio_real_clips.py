"""Real clips heard from end to end: spans of speech, silence, animals, interruptions, questions."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra `speech` is not installed")
pytest.importorskip("silero_vad", reason="the extra `speech` is not installed")

from streammem.audio.listener import Listener
from streammem.audio.options import ListenOptions, ListenState
from streammem.core.errors import MissingError, SourceError, UsageError
from streammem.core.timebase import TimeSpan, parse_time
from streammem.core.types import Channel, Cue
from streammem.runtime.spoken import transcribe_file
from streammem.video.sound import open_sound
from streammem.video.sound_clock import SoundMark

REPOSITORY = Path(__file__).resolve().parents[2]
PLAIN = ListenOptions(whisper="")
SILENT = (
    "sam2_dog.mp4",
    "sam2_cups.mp4",
    "sam2_blocks.mp4",
    "squirrel.mp4",
    "odd/no_duration.webm",
)
EMPTY = ("odd/null.wav", "odd/encrypted_short_cenc.mp4", "odd/invalid_userdata.mp4")


def hear(path: Path, options: ListenOptions = PLAIN) -> tuple[list[Cue], Listener]:
    """All cues of a clip and the listener that heard them."""
    reader = open_sound(str(path))
    assert reader is not None
    listener = Listener(options)
    with reader:
        cues = [cue for chunk in reader.chunks() for cue in listener.feed(chunk)]
    return cues + listener.close(), listener


def spans(cues: list[Cue], channel: Channel = Channel.SPEECH) -> list[TimeSpan]:
    return [TimeSpan(cue.start_s, cue.end_s) for cue in cues if cue.channel is channel]


def tenths(stretches: list[TimeSpan], count: int) -> np.ndarray:
    """Which frames of 0.1 s have their middle in one of the stretches."""
    middles = (np.arange(count) + 0.5) / 10
    inside = [(middles >= s.start_s) & (middles < s.end_s) for s in stretches]
    return np.logical_or.reduce([np.zeros(count, bool), *inside])


def test_speech_of_a_lecture_agrees_with_its_transcript(real_clips: Path):
    """F1 of at least 0.9 over frames of 0.1 s; the transcript is another machine's."""
    text = (real_clips / "subtitles" / "physicsworks_lecture.srt").read_text(encoding="utf-8")
    lines = [
        TimeSpan(parse_time(start), parse_time(end))
        for start, end in re.findall(r"(\S+) --> (\S+)", text)
    ]

    cues, listener = hear(real_clips / "audio" / "physicsworks_lecture.webm")

    truth, found = tenths(lines, 2033), tenths(spans(cues), 2033)
    f1 = 2 * (truth & found).sum() / (truth.sum() + found.sum())
    assert f1 >= 0.9
    assert {cue.text for cue in cues if cue.channel is Channel.SPEECH} == {""}
    assert listener.report().heard_s == pytest.approx(203.28, abs=0.05)


def test_speech_of_a_famous_sentence_is_found_where_it_is_said(real_clips: Path):
    """Words at known times lie in spans, the pauses between the clauses do not."""
    cues, _ = hear(real_clips / "audio" / "jfk.flac")

    said = spans(cues)
    for start_s, end_s in ((1.63, 2.15), (10.01, 10.45)):
        word = TimeSpan(start_s, end_s)
        assert max(word.overlap_s(span) for span in said) == pytest.approx(word.duration_s)
    assert all(span.overlap_s(TimeSpan(2.6, 3.0)) == 0.0 for span in said)


def test_narration_over_music_is_speech(real_clips: Path):
    """The narrator of the mirrors speaks most of the time."""
    cues, _ = hear(real_clips / "nasa_mirrors.mp4")

    assert 9.0 < sum(span.duration_s for span in spans(cues)) < 13.1


def test_music_without_words_is_music_and_no_speech(real_clips: Path):
    """A score is told as music by its spectrum alone."""
    cues, _ = hear(real_clips / "bbb_opening_30s.webm")

    assert spans(cues) == []
    music = [cue for cue in cues if cue.text == "music"]
    assert sum(cue.end_s - cue.start_s for cue in music) > 20.0


@pytest.mark.parametrize("name", SILENT)
def test_silent_tracks_have_no_cues(real_clips: Path, name: str):
    """A track of zeros says nothing."""
    cues, listener = hear(real_clips / name)

    assert cues == []
    report = listener.report()
    assert report.silent_s == report.heard_s > 1.0


@pytest.mark.parametrize("name", EMPTY)
def test_tracks_without_samples_have_no_cues(real_clips: Path, name: str):
    """A track that holds nothing, or nothing that can be decoded, is no crash."""
    cues, listener = hear(real_clips / name)

    assert cues == []
    assert listener.report().heard_s == 0.0


def test_an_encrypted_track_is_told_as_damage(real_clips: Path):
    """Packets that do not decode are counted and leave a gap."""
    reader = open_sound(str(real_clips / "odd" / "encrypted_short_cenc.mp4"))
    assert reader is not None
    with reader:
        assert list(reader.chunks()) == []
        report = reader.report()

    assert report.damaged == 21
    assert report.partial
    assert report.covered_s == 0.0


def test_failing_audio_is_read_to_its_end(real_clips: Path):
    """The track that made another reader fail is heard whole."""
    cues, listener = hear(real_clips / "odd" / "failing_audio.mp4")

    assert listener.report().heard_s == pytest.approx(11.23, abs=0.05)
    assert all(0.0 <= cue.start_s < cue.end_s <= 11.24 for cue in cues)


def test_bad_sound_files_are_errors_with_their_names(real_clips: Path):
    """A header of nonsense is refused."""
    with pytest.raises(SourceError, match=r"bad\.wav"):
        open_sound(str(real_clips / "odd" / "bad.wav"))


def test_films_without_sound_have_no_reader(real_clips: Path):
    """No sound track: nothing to hear, no error."""
    assert open_sound(str(real_clips / "intel_bottles.mp4")) is None


def test_the_dog_is_heard_when_it_barks(real_clips: Path, shared: Path):
    """An AudioSet classifier given by its path tells bark and purr at their times."""
    pytest.importorskip("ai_edge_litert", reason="the extra `sound` is not installed")
    weights = shared / "weights" / "yamnet_audio_classifier.tflite"
    if not weights.is_file():
        pytest.skip("the shared weights are absent")

    cues, listener = hear(
        real_clips / "audio" / "animal_sounds.mp3", ListenOptions(whisper="", tagger=str(weights))
    )

    told = {cue.text: TimeSpan(cue.start_s, cue.end_s) for cue in cues}
    assert told["Bark"].iou(TimeSpan(3.9, 4.3)) > 0.8
    assert told["Dog"].iou(TimeSpan(3.9, 4.3)) > 0.8
    assert told["Purr"].iou(TimeSpan(0.2, 1.8)) > 0.8
    assert "Silence" not in told
    assert "music" not in told
    assert listener.identity()["tagger"] is not None


@pytest.mark.parametrize(
    "name", ["audio/jfk.flac", "nasa_mirrors.mp4", "chrome_hammock.mp4", "bbb_opening_30s.webm"]
)
def test_hearing_goes_on_exactly_after_any_commit(real_clips: Path, name: str):
    """Reader and listener together, through JSON: every cue once, the report of a whole pass."""
    path = real_clips / name
    expected, whole = hear(path)
    for seconds in (1.0, 4.2, 7.7, 10.9):
        reader = open_sound(str(path))
        assert reader is not None
        first = Listener(PLAIN)
        cues: list[Cue] = []
        with reader:
            for chunk in reader.chunks():
                cues += first.feed(chunk)
                if chunk.pts_s >= seconds:
                    break
            state = json.loads(json.dumps(first.state().to_json()))
            mark = json.loads(json.dumps(reader.mark(state["resume_s"]).to_json()))
        again = Listener(PLAIN, ListenState.from_json(state))
        reader = open_sound(str(path))
        assert reader is not None
        with reader:
            for chunk in reader.chunks(SoundMark.from_json(mark)):
                cues += again.feed(chunk)
        cues += again.close()

        assert cues == expected
        assert again.report() == whole.report()


_HEAR_AND_COMMIT = """
import json, os, sys
from streammem.audio.listener import Listener
from streammem.audio.options import ListenOptions, ListenState
from streammem.video.sound import open_sound
from streammem.video.sound_clock import SoundMark
source, store = sys.argv[1:]
saved = json.load(open(store)) if os.path.exists(store) else None
state = ListenState.from_json(saved["state"]) if saved else None
mark = SoundMark.from_json(saved["mark"]) if saved else None
cues = saved["cues"] if saved else []
listener, reader = Listener(ListenOptions(whisper=""), state), open_sound(source)
tell = lambda new: cues.extend([c.start_s, c.end_s, c.text, str(c.channel)] for c in new)
for chunk in reader.chunks(mark):
    tell(listener.feed(chunk))
    state = listener.state()
    if state.resume_s is None or listener.report().heard_s % 1 > 0.3:
        continue
    saved = {"state": state.to_json(), "mark": reader.mark(state.resume_s).to_json(), "cues": cues}
    json.dump(saved, open(store + ".new", "w"))
    os.replace(store + ".new", store)
tell(listener.close())
print(json.dumps(cues))
"""


@pytest.mark.slow
def test_hearing_survives_kills(real_clips: Path, tmp_path: Path):
    """Killed at random moments, again and again: in the end the cues of an undisturbed pass."""
    source = real_clips / "chrome_hammock.mp4"
    expected = [[c.start_s, c.end_s, c.text, str(c.channel)] for c in hear(source)[0]]
    command = [sys.executable, "-c", _HEAR_AND_COMMIT, str(source), str(tmp_path / "store.json")]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    random = np.random.default_rng(11)
    kills = 0
    while kills < 6:
        victim = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        while victim.poll() is None and not (tmp_path / "store.json").exists():
            time.sleep(0.005)
        time.sleep(float(random.uniform(0.0, 0.5)) + 0.3 * (kills > 0))
        if victim.poll() is not None:
            break
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        kills += 1

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    assert kills >= 1
    assert json.loads(done.stdout) == expected


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("faster_whisper", reason="the extra `speech` is not installed")
    from tests.unit._audio_scripted_whisper import write_model

    words = ("when", "does", "the", "dog", "bark")
    return write_model(tmp_path_factory.mktemp("whisper") / "scripted", words)


def test_a_spoken_question_becomes_text(real_clips: Path, scripted: Path):
    """Reader, voice activity and faster-whisper's own code, on a model with a known sentence."""
    told = transcribe_file(
        str(real_clips / "audio" / "jfk.flac"), ListenOptions(whisper=str(scripted), threads=1)
    )

    assert told.text.startswith("when does the dog bark")
    assert told.language == "en"
    assert all(len(cue.word_times_s) == len(cue.text.split()) for cue in told.cues)
    assert all(0.0 <= s <= e <= 11.0 for cue in told.cues for s, e in cue.word_times_s)


def test_silence_is_never_transcribed(real_clips: Path, scripted: Path):
    """A model that always says the same is not even asked about silence and music."""
    options = ListenOptions(whisper=str(scripted), threads=1)

    assert hear(real_clips / "squirrel.mp4", options)[0] == []
    assert spans(hear(real_clips / "bbb_opening_30s.webm", options)[0]) == []
    with pytest.raises(UsageError, match=r"nobody speaks in .*squirrel\.mp4"):
        transcribe_file(str(real_clips / "squirrel.mp4"), options)


def test_transcripts_go_on_exactly_after_a_commit(real_clips: Path, scripted: Path):
    """Words and their times are those of an undisturbed pass, each once."""
    options = ListenOptions(whisper=str(scripted), threads=1)
    path = real_clips / "audio" / "jfk.flac"
    expected, _ = hear(path, options)
    for seconds in (3.0, 8.0):
        reader = open_sound(str(path))
        assert reader is not None
        first = Listener(options)
        cues: list[Cue] = []
        with reader:
            for chunk in reader.chunks():
                cues += first.feed(chunk)
                if chunk.pts_s >= seconds:
                    break
        state = ListenState.from_json(json.loads(json.dumps(first.state().to_json())))
        again = Listener(options, state)
        reader = open_sound(str(path))
        assert reader is not None
        with reader:
            for chunk in reader.chunks(reader.mark(state.resume_s or 0.0)):
                cues += again.feed(chunk)

        assert cues + again.close() == expected


def test_a_listener_can_go_on_nearby_while_somebody_talks_on(real_clips: Path, scripted: Path):
    """A lecture without long pauses: little to hear again, and a state of a few kilobytes."""
    reader = open_sound(str(real_clips / "audio" / "physicsworks_lecture.webm"))
    assert reader is not None
    listener = Listener(ListenOptions(whisper=str(scripted), threads=1))
    behind_s, sizes = [], []
    with reader:
        for chunk in reader.chunks():
            listener.feed(chunk)
            state = listener.state()
            behind_s.append(chunk.pts_s - (state.resume_s or 0.0))
            sizes.append(len(json.dumps(state.to_json())))

    assert max(behind_s) < 60.0
    assert max(sizes) < 10_000


def test_a_spoken_question_needs_weights(real_clips: Path):
    """Without them the error says how to get some."""
    with pytest.raises(MissingError, match="a spoken question cannot be understood") as caught:
        transcribe_file(str(real_clips / "audio" / "jfk.flac"))

    assert "faster-whisper" in (caught.value.hint or "")


def test_a_spoken_question_needs_sound(real_clips: Path, scripted: Path):
    """A film without sound is no question."""
    with pytest.raises(SourceError, match=r"intel_bottles\.mp4 has no sound"):
        transcribe_file(str(real_clips / "intel_bottles.mp4"), ListenOptions(whisper=str(scripted)))
