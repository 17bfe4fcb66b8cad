"""faster-whisper's own code on a tiny model with a known sentence, and on real weights if given."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("faster_whisper", reason="the extra `speech` is not installed")

from streammem.audio._faster_whisper import FasterWhisper, find_weights
from streammem.audio.options import HOP_S, HOP_SAMPLES, ListenOptions
from streammem.audio.passages import Heard, Passages
from streammem.audio.speech_spans import HopSpan
from streammem.audio.transcript import Transcriber
from streammem.core.errors import MissingError
from streammem.core.types import Channel, Floats
from tests.unit._audio_scripted_whisper import write_model

WORDS = ("ask", "not", "what", "your", "country", "can", "do")
WEIGHTS = os.environ.get("STREAMMEM_WHISPER_WEIGHTS", "")


def murmur(seconds: float) -> NDArray[np.float32]:
    random = np.random.default_rng(1)
    return (random.standard_normal(round(seconds * 16000)) * 0.05).astype(np.float32)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("whisper") / "scripted", WORDS)


@pytest.fixture(scope="module")
def whisper(model: Path) -> FasterWhisper:
    return FasterWhisper(str(model), threads=1)


def test_transcribe_gives_words_with_times_and_the_language(whisper: FasterWhisper):
    """Every word, its begin and end, and the detected language."""
    told = whisper.transcribe(murmur(4.0), None)

    assert told.text == " ".join(WORDS)
    assert (told.language, told.language_probability) == ("en", pytest.approx(1.0))
    (line,) = told.lines
    assert [word.start_s for word in line.words] == pytest.approx(
        [0.5 * number for number in range(len(WORDS))], abs=0.05
    )
    assert line.words[-1].end_s == pytest.approx(3.5, abs=0.05)
    assert line.confidence > 0.9


def test_transcribe_detects_another_language(tmp_path: Path):
    """The language is the model's own finding, not an assumption."""
    german = FasterWhisper(
        str(write_model(tmp_path / "de", ("guten", "Tag"), language="de")), threads=1
    )

    told = german.transcribe(murmur(2.0), None)

    assert (told.text, told.language) == ("guten Tag", "de")


def test_transcribe_twice_gives_the_same(whisper: FasterWhisper):
    """There is one temperature: nothing is drawn by chance."""
    assert whisper.transcribe(murmur(4.0), "en") == whisper.transcribe(murmur(4.0), "en")


def test_passages_put_words_back_where_they_were_said(whisper: FasterWhisper):
    """Two spans are transcribed in one go; no word is put into the silence between them."""
    spans = [HopSpan(100, 140, 0.9), HopSpan(190, 290, 0.9)]
    sound = murmur(12.0)
    heard = Heard(lambda hop: 7.0 + hop * HOP_S, _between(sound))
    passages = Passages(lambda: whisper, None, collects=True)

    cues = passages.add(spans, 300, None, heard) + passages.close(heard)

    (cue,) = cues
    assert cue.text == " ".join(WORDS)
    assert cue.channel is Channel.SPEECH
    assert cue.language == "en"
    assert len(cue.word_times_s) == len(WORDS)
    first, second = (7.0 + 100 * HOP_S, 7.0 + 140 * HOP_S), (7.0 + 190 * HOP_S, 7.0 + 290 * HOP_S)
    for number, (start_s, end_s) in enumerate(cue.word_times_s):
        said_in = first if number * 0.5 < 40 * HOP_S else second
        assert said_in[0] <= start_s <= end_s <= said_in[1] + 1e-9
    assert (cue.start_s, cue.end_s) == (cue.word_times_s[0][0], cue.word_times_s[-1][1])


def test_passages_wait_for_each_other_but_not_for_long(whisper: FasterWhisper):
    """Spans near each other share a window of Whisper; three seconds of silence end it."""
    heard = Heard(lambda hop: hop * HOP_S, _between(murmur(20.0)))
    passages = Passages(lambda: whisper, None, collects=True)

    assert passages.add([HopSpan(0, 60, 0.9)], 90, None, heard) == []
    assert passages.open_from == 0
    assert passages.add([], 120, 110, heard) == []
    assert len(passages.add([HopSpan(108, 180, 0.9)], 300, None, heard)) == 1
    assert passages.open_from is None


def test_passages_tell_spans_in_which_no_word_was_made_out(whisper: FasterWhisper):
    """The sentence is over after 3.5 s; that somebody speaks later is not lost."""
    heard = Heard(lambda hop: hop * HOP_S, _between(murmur(20.0)))
    passages = Passages(lambda: whisper, None, collects=True)
    passages.add([HopSpan(0, 150, 0.9)], 150, None, heard)
    passages.add([HopSpan(200, 260, 0.8)], 260, None, heard)

    told, untold = passages.close(heard)

    assert told.text == " ".join(WORDS)
    assert (untold.text, untold.start_s, untold.confidence) == ("", 200 * HOP_S, 0.8)


def test_passages_go_on_after_an_interruption(whisper: FasterWhisper):
    """A waiting span survives in plain JSON."""
    heard = Heard(lambda hop: hop * HOP_S, _between(murmur(8.0)))
    one, two = (Passages(lambda: whisper, None, collects=True) for _ in range(2))
    one.add([HopSpan(10, 120, 0.9)], 130, None, heard)

    two.restore(json.loads(json.dumps(one.state())))

    assert two.close(heard) == one.close(heard) != []


def test_passages_without_a_transcriber_still_tell_that_somebody_speaks():
    """A span without words is a cue without text, at once."""
    heard = Heard(lambda hop: hop * HOP_S, _between(murmur(4.0)))
    passages = Passages(_no_transcriber, None, collects=False)

    (cue,) = passages.add([HopSpan(10, 60, 0.75)], 70, None, heard)

    assert (cue.text, cue.word_times_s, cue.confidence) == ("", (), 0.75)
    assert (cue.start_s, cue.end_s) == (10 * HOP_S, 60 * HOP_S)


def test_find_weights_names_what_a_folder_lacks(model: Path, tmp_path: Path):
    """Without a tokenizer the package would go to the network, so such a folder is refused."""
    for name in ("model.bin", "config.json"):
        (tmp_path / name).symlink_to(model / name)

    with pytest.raises(MissingError, match=r"tokenizer\.json is missing"):
        find_weights(str(tmp_path))


def test_find_weights_says_how_to_get_some():
    """Nothing in the cache: what is missing and what to do."""
    with pytest.raises(MissingError, match="no Whisper model is on this machine") as caught:
        find_weights("auto")

    assert "Systran/faster-whisper-small" in (caught.value.hint or "")


def test_find_weights_takes_the_first_known_model_of_the_cache(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """`auto` prefers its list's order; a name asks for that one."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for size in ("tiny", "base"):
        folder = tmp_path / f"models--Systran--faster-whisper-{size}" / "snapshots" / "abc"
        folder.mkdir(parents=True)
        for name in ("model.bin", "config.json", "tokenizer.json"):
            (folder / name).symlink_to(model / name)

    assert "whisper-base" in str(find_weights("auto"))
    assert "whisper-tiny" in str(find_weights("tiny"))


def test_damaged_weights_are_named(model: Path, tmp_path: Path):
    """A file that is no model is an error with the folder's name, not a traceback."""
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).symlink_to(model / name)
    (tmp_path / "model.bin").write_bytes(b"nothing of that kind")

    with pytest.raises(MissingError, match="cannot be used"):
        FasterWhisper(str(tmp_path))


def test_transcribing_never_reaches_for_the_network(model: Path, monkeypatch: pytest.MonkeyPatch):
    """No connection is even tried."""

    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)

    assert FasterWhisper(str(model), threads=1).transcribe(murmur(1.0), "en").text


@pytest.mark.skipif(not WEIGHTS, reason="no real weights; set STREAMMEM_WHISPER_WEIGHTS")
def test_real_weights_understand_a_speech(real_clips: Path):
    """The words of a famous sentence, each at its time."""
    from streammem.runtime.spoken import transcribe_file

    told = transcribe_file(str(real_clips / "audio" / "jfk.flac"), ListenOptions(whisper=WEIGHTS))

    assert told.language == "en"
    assert "your country can do for you" in told.text.lower()
    times = [time for cue in told.cues for time in cue.word_times_s]
    words = [word.lower().strip(",.") for cue in told.cues for word in cue.text.split()]
    assert times[words.index("americans")][0] == pytest.approx(1.63, abs=0.3)


def _between(sound: NDArray[np.float32]) -> Callable[[int, int], Floats]:
    def between(start: int, end: int) -> Floats:
        return sound[start * HOP_SAMPLES : end * HOP_SAMPLES]

    return between


def _no_transcriber() -> Transcriber | None:
    return None
