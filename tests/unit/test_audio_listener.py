"""A listener on rendered sound: the same cues however it is cut, and after interruptions."""

import importlib.util
import itertools
import json
from collections.abc import Sequence
from importlib.machinery import ModuleSpec

import numpy as np
import pytest
from numpy.typing import NDArray

from streammem.audio.ears import Ears
from streammem.audio.listener import Listener
from streammem.audio.options import ListenOptions, ListenState
from streammem.core.errors import UsageError
from streammem.core.types import AudioChunk, Channel, Cue
from tests.unit.test_audio_sound_kind import chords, noise

Samples = NDArray[np.float32]
ORIGIN_S = 3.25
# Neither transcripts nor a tagger: what these tests need has no weights outside the wheels.
PLAIN = ListenOptions(whisper="")
DEAF = ListenOptions(speech=False)
EXTRAS = ("silero_vad", "onnxruntime", "faster_whisper", "ai_edge_litert")
needs_extras = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in EXTRAS),
    reason="the extras `speech` and `sound` are not installed",
)


def _stream() -> Samples:
    """Silence, noise, chords, silence, a bang, chords."""
    parts = [np.zeros(40000), noise(7.3, 0.01), chords(9.0), np.zeros(90000), noise(0.4, 0.6)]
    return np.concatenate([*parts, noise(3.0, 0.005), 0.1 * chords(6.1)]).astype(np.float32)


def _chunks(sound: Samples, sizes: Sequence[int], origin_s: float = ORIGIN_S) -> list[AudioChunk]:
    chunks, at = [], 0
    for size in itertools.cycle(sizes):
        if at >= len(sound):
            break
        chunks.append(AudioChunk(sound[at : at + size], origin_s + at / 16000, 16000))
        at += size
    return chunks


def _hear(chunks: list[AudioChunk], options: ListenOptions = PLAIN) -> list[Cue]:
    listener = Listener(options)
    cues = [cue for chunk in chunks for cue in listener.feed(chunk)]
    return cues + listener.close()


@needs_extras
def test_listener_tells_music_and_sudden_noise_with_their_times():
    """Rendered chords and a bang are found where they are, silence and noise are not told."""
    cues = _hear(_chunks(_stream(), [1600]))

    told = [(cue.text, cue.start_s - ORIGIN_S, cue.end_s - ORIGIN_S) for cue in cues]
    assert [text for text, _, _ in told] == ["music", "loud sound", "music"]
    assert {cue.channel for cue in cues} == {Channel.SOUND}
    assert told[0][1:] == (pytest.approx(9.8, abs=1.2), pytest.approx(18.8, abs=1.2))
    assert told[1][1] == pytest.approx(24.4, abs=0.5)
    assert told[2][1:] == (
        pytest.approx(27.8, abs=1.2),
        pytest.approx(len(_stream()) / 16000, abs=1e-9),
    )


@pytest.mark.parametrize("sizes", [[1], [511, 513], [7680], [123_456], [10**9]])
def test_listener_does_not_depend_on_how_the_sound_is_cut(sizes: list[int]):
    """Bit for bit the same cues from single samples to one chunk."""
    sound = _stream()[: 90_000 if sizes == [1] else None]

    assert _hear(_chunks(sound, sizes)) == _hear(_chunks(sound, [4000]))


@pytest.mark.parametrize("killed_after", [1, 3, 20, 61, 88, 140, 200, 270])
def test_listener_goes_on_after_a_kill_as_if_nothing_had_been(killed_after: int):
    """The state of any moment, through JSON, gives the missing cues and none twice."""
    sound = _stream()
    chunks = _chunks(sound, [2000, 1, 2999])
    whole = Listener(PLAIN)
    expected = [cue for chunk in chunks for cue in whole.feed(chunk)] + whole.close()

    first = Listener(PLAIN)
    cues = [cue for chunk in chunks[:killed_after] for cue in first.feed(chunk)]
    state = ListenState.from_json(json.loads(json.dumps(first.state().to_json())))
    again = Listener(PLAIN, state)
    assert state.resume_s is not None
    at = round((state.resume_s - ORIGIN_S) * 16000)
    rest = _chunks(sound[at:], [3333], ORIGIN_S + at / 16000)
    cues += [cue for chunk in rest for cue in again.feed(chunk)] + again.close()

    assert cues == expected
    assert again.report() == whole.report()


def test_listener_says_nothing_twice_after_the_end():
    """A stream that was heard to its end and is heard again from its last state has no news."""
    sound = _stream()[:200_123]
    whole = Listener(PLAIN)
    cues = [cue for chunk in _chunks(sound, [1777]) for cue in whole.feed(chunk)] + whole.close()
    state = ListenState.from_json(json.loads(json.dumps(whole.state().to_json())))
    assert state.resume_s is not None
    at = round((state.resume_s - ORIGIN_S) * 16000)

    again = Listener(PLAIN, state)
    rest = _chunks(sound[at:], [4000], ORIGIN_S + at / 16000)
    news = [cue for chunk in rest for cue in again.feed(chunk)] + again.close()

    assert len(cues) > 0
    assert news == []
    assert again.report() == whole.report()


def test_listener_state_is_small_and_near():
    """A few kilobytes, and little to hear again while nobody speaks."""
    listener = Listener(PLAIN)
    for chunk in _chunks(_stream(), [1600]):
        listener.feed(chunk)
        state = listener.state()
        ends_s = chunk.pts_s + len(chunk.samples) / 16000

        assert len(json.dumps(state.to_json())) < 12_000
        assert state.resume_s is not None
        assert ends_s - state.resume_s < 10.0


def test_listener_takes_a_hole_in_the_times_as_an_end():
    """What was going on ends at the hole and begins anew behind it, at the real times."""
    music = chords(8.0)
    chunks = _chunks(music, [1600], 0.0)
    chunks += _chunks(music, [1600], 100.0)

    spans = [(cue.start_s, cue.end_s) for cue in _hear(chunks) if cue.text == "music"]

    assert len(spans) == 2
    assert spans[0][1] == pytest.approx(8.0, abs=1.2)
    assert spans[0][1] <= 8.0
    assert 100.0 <= spans[1][0] <= 102.5


def test_listener_does_not_take_rounding_for_a_hole():
    """Chunks whose times are rounded to the microsecond follow each other."""
    chunks = [
        AudioChunk(c.samples, round(c.pts_s, 6), 16000) for c in _chunks(chords(8.0), [1001], 1 / 3)
    ]

    assert len([cue for cue in _hear(chunks) if cue.text == "music"]) == 1


def test_listener_without_a_voice_model_still_tells_music():
    """What the spectrum tells needs no package."""
    cues = _hear(_chunks(_stream(), [1600]), DEAF)

    assert [cue.text for cue in cues].count("music") == 2


def test_listener_says_nothing_about_silence():
    """A silent track has no cues, and its report says that it was silent."""
    listener = Listener(PLAIN)

    cues = listener.feed(AudioChunk(np.zeros(160_000, np.float32), 0.0, 16000)) + listener.close()

    report = listener.report()
    assert cues == []
    assert (report.heard_s, report.silent_s, report.speech_s) == (10.0, 10.0, 0.0)
    assert report.loudness_dbfs is None


def test_listener_survives_samples_that_are_no_numbers():
    """A stretch of NaN and infinities is silence and noise; what follows is heard as ever."""
    broken = np.full(16000, np.nan, np.float32)
    broken[8000:] = np.inf
    listener = Listener(PLAIN)

    cues = listener.feed(AudioChunk(np.concatenate([broken, chords(9.0)]), 0.0, 16000))
    cues += listener.close()

    assert [cue.text for cue in cues if cue.text == "music"] == ["music"]
    assert all(np.isfinite([cue.start_s, cue.end_s, cue.confidence]).all() for cue in cues)
    assert np.isfinite(listener.report().loudness_dbfs or np.nan)
    json.dumps(listener.state().to_json(), allow_nan=False)


def test_listener_reports_loudness():
    """A full sine has a mean power of -3 dBFS."""
    times = np.arange(160_000) / 16000
    listener = Listener(DEAF)

    listener.feed(AudioChunk(np.sin(2 * np.pi * 500 * times).astype(np.float32), 0.0, 16000))

    assert listener.report().loudness_dbfs == pytest.approx(-3.01, abs=0.02)


def test_listener_ends_cues_where_the_sound_ends():
    """The last, partly filled block does not make a cue longer than the stream."""
    cues = _hear(_chunks(chords(7.01), [1600], 0.0))

    assert cues[-1].text == "music"
    assert cues[-1].end_s <= 7.01


def test_listener_of_nothing_is_quiet():
    """No chunk, or only empty ones: no cue, no state, no error."""
    listener = Listener(PLAIN)

    assert listener.feed(AudioChunk(np.empty(0, np.float32), 0.0, 16000)) == []
    assert listener.close() == []
    assert listener.state() == ListenState(None)
    assert Listener(PLAIN, listener.state()).close() == []


def test_listener_refuses_another_sample_rate():
    """Sound of 48 kHz would be heard at a third of its speed."""
    with pytest.raises(UsageError, match="48000 Hz"):
        Listener(PLAIN).feed(AudioChunk(np.zeros(480, np.float32), 0.0, 48000))


def test_listener_refuses_to_go_on_too_late():
    """A resumed listener needs the samples from `resume_s` on."""
    listener = Listener(PLAIN)
    listener.feed(AudioChunk(chords(20.0), 0.0, 16000))
    again = Listener(PLAIN, listener.state())

    with pytest.raises(UsageError, match=r"goes on at 100\.000 s"):
        again.feed(AudioChunk(chords(1.0), 100.0, 16000))


def test_listen_state_of_another_version_is_refused():
    """A state is never guessed at."""
    with pytest.raises(UsageError, match="another version"):
        ListenState.from_json({"version": 0, "resume_s": 1.0, "data": {}})


@needs_extras
@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("silero_vad", "speech is not recognised: silero-vad is not installed"),
        ("onnxruntime", "speech is not recognised: onnxruntime is not installed"),
        ("faster_whisper", "speech is marked but not transcribed: faster-whisper is not installed"),
        ("ai_edge_litert", "sounds are not named: ai-edge-litert is not installed"),
    ],
)
def test_ears_name_a_missing_package_in_one_line(
    missing: str, expected: str, monkeypatch: pytest.MonkeyPatch
):
    """Listening goes on without what is not installed, and says which extra brings it."""
    found = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == missing else found(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    listener = Listener(ListenOptions(tagger="yamnet.tflite"))
    cues = listener.feed(AudioChunk(chords(8.0), 0.0, 16000)) + listener.close()

    notes = [note for note in listener.report().notes if note.startswith(expected)]
    assert len(notes) == 1
    assert "\n" not in notes[0]
    assert "pip install 'streammem[" in notes[0]
    assert "music" in [cue.text for cue in cues]


@needs_extras
def test_ears_say_how_to_get_transcripts_and_name_a_wrong_path():
    """Weights that are not here are one line each."""
    ears = Ears(ListenOptions(tagger="/nowhere/yamnet.tflite"))

    assert any("hf download Systran/faster-whisper-small" in note for note in ears.notes)
    assert any("/nowhere/yamnet.tflite does not exist" in note for note in ears.notes)
    assert ears.identity()["transcriber"] is None


@needs_extras
def test_ears_asked_for_nothing_have_nothing_to_say():
    """No note about what was not wanted."""
    assert Ears(ListenOptions(speech=False, sound=False)).notes == []
    assert Ears(PLAIN).notes == []


@needs_extras
def test_listener_notes_that_it_hears_with_other_ears():
    """A memory that goes on with other models says so."""
    listener = Listener(PLAIN)
    listener.feed(AudioChunk(chords(20.0), 0.0, 16000))

    again = Listener(DEAF, listener.state())

    assert again.report().notes[-1].startswith("sound is heard with other models")
