"""Sound and subtitles of the same source, read independently of its frames."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from streammem.core.types import Channel, Cue
from streammem.video.reader import ReaderOptions, open_reader
from tests.media import _clips

EVENTS = [(500, 1500, "Hello there"), (2000, 3000, "second\nline"), (4000, 4500, "end")]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("sample_rate_hz", [16000, 8000])
def test_audio_is_mono_float_at_the_rate_asked_for(
    tmp_path: Path, suffix: str, sample_rate_hz: int
):
    """A tone of 440 Hz comes back as one, of the right length, chunks following each other."""
    path = _clips.render_with_sound(tmp_path / f"clip{suffix}", video_s=1.0, sound_s=3.0)
    with open_reader(str(path)) as reader:
        chunks = list(reader.audio(sample_rate_hz))
    sound = np.concatenate([chunk.samples for chunk in chunks])
    assert sound.dtype == np.float32
    assert len(sound) == pytest.approx(3.0 * sample_rate_hz, rel=0.03)
    assert chunks[0].pts_s == pytest.approx(0.0, abs=0.05)
    for one, following in itertools.pairwise(chunks):
        ends_s = one.pts_s + len(one.samples) / sample_rate_hz
        assert following.pts_s == pytest.approx(ends_s)
    spectrum = np.abs(np.fft.rfft(sound[: 2 * sample_rate_hz]))
    assert spectrum.argmax() / 2 == pytest.approx(440, abs=1)
    middle = sound[sample_rate_hz : 2 * sample_rate_hz]
    assert float(np.sqrt((middle**2).mean())) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)


def test_audio_respects_the_range(tmp_path: Path):
    """Only chunks that overlap the range come."""
    path = _clips.render_with_sound(tmp_path / "clip.mkv", video_s=3.0, sound_s=3.0)
    with open_reader(str(path), ReaderOptions(start_s=1.0, end_s=2.0)) as reader:
        chunks = list(reader.audio())
    assert chunks[0].pts_s == pytest.approx(1.0, abs=0.1)
    assert chunks[-1].pts_s == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mp4", "mov_text"), (".mkv", "subrip"), (".mkv", "webvtt")]
)
def test_subtitles_give_their_words_and_times(tmp_path: Path, suffix: str, codec: str):
    """Every event is a cue with its start, end and plain text."""
    path = _clips.write_subtitles(tmp_path / f"clip{suffix}", codec, EVENTS)
    with open_reader(str(path)) as reader:
        cues = list(reader.subtitles())
    assert [(round(c.start_s, 3), round(c.end_s, 3), c.text) for c in cues] == [
        (start_ms / 1000, end_ms / 1000, text) for start_ms, end_ms, text in EVENTS
    ]
    assert {cue.channel for cue in cues} == {Channel.SUBTITLE}


def test_subtitles_lose_their_markup(tmp_path: Path):
    """Styling is not part of the words."""
    events = [(0, 1000, "<i>soft</i> <b>loud</b>")]
    path = _clips.write_subtitles(tmp_path / "clip.mkv", "subrip", events)
    with open_reader(str(path)) as reader:
        assert list(reader.subtitles()) == [Cue(0.0, 1.0, "soft loud", Channel.SUBTITLE)]


def test_tracks_can_be_read_while_frames_are(tmp_path: Path):
    """Frames, sound and text do not disturb each other."""
    path = _clips.write_subtitles(tmp_path / "clip.mkv", "subrip", EVENTS)
    with open_reader(str(path), ReaderOptions(sample_hz=10.0)) as reader:
        alone = [item.frame.pts_s for item in reader.frames()]
        pairs = list(zip(reader.frames(), reader.subtitles(), strict=False))
        assert [cue.text for _, cue in pairs] == [text for _, _, text in EVENTS]
        assert [item.frame.pts_s for item, _ in pairs] == alone[:3]


def test_info_lists_every_track(tmp_path: Path):
    """Kinds and codecs of all tracks are told."""
    path = _clips.write_subtitles(tmp_path / "clip.mkv", "subrip", EVENTS)
    with open_reader(str(path)) as reader:
        assert [(t.kind, t.codec) for t in reader.info.tracks] == [
            ("video", "h264"),
            ("subtitle", "subrip"),
        ]
        assert reader.info.frame_rate_hz == 10.0
