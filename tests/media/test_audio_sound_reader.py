"""The sound of rendered sources: real times, holes, damage, ranges, exact resuming."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from streammem.core.errors import SourceError, UsageError
from streammem.core.types import AudioChunk
from streammem.video.reader import open_reader
from streammem.video.sound import SoundOptions, SoundReader, open_sound
from streammem.video.sound_beside import SoundBeside
from streammem.video.sound_clock import NO_SOUND, SoundMark
from tests.media import _clips

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Format:
    """How a sound file is written."""

    suffix: str
    codec: str
    rate_hz: int
    layout: str = "stereo"
    sample_format: str = "fltp"


FORMATS = {
    "aac-mp4": Format(".mp4", "aac", 44100),
    "aac-ts": Format(".ts", "aac", 48000),
    "mp3": Format(".mp3", "mp3", 44100),
    "mp3-mono-low": Format(".mp3", "mp3", 22050, "mono"),
    "flac": Format(".flac", "flac", 44100, sample_format="s16"),
    "pcm-wav": Format(".wav", "pcm_s16le", 16000, "mono", "s16"),
    "pcm-surround": Format(".wav", "pcm_f32le", 48000, "5.1", "flt"),
    "opus-webm": Format(".webm", "libopus", 48000, sample_format="flt"),
    "vorbis-webm": Format(".webm", "vorbis", 44100),
    "ac3-mkv": Format(".mkv", "ac3", 48000, "5.1"),
}
SECONDS = 17.3
CENTRE = 2


def melody(seconds: float, rate_hz: int) -> Samples:
    """A tone that changes every 0.7 s, under noise, so that no two places sound alike."""
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    pitch_hz = 220 * 2 ** ((times // 0.7 * 5 % 12) / 12)
    noise = np.random.default_rng(7).standard_normal(len(times)) * 0.05
    return (0.3 * np.sin(2 * np.pi * pitch_hz * times) + noise).astype(np.float32)


def write_sound(
    path: Path, kind: Format, seconds: float = SECONDS, *, missing: Sequence[float] = ()
) -> Path:
    """A file with sound only; blocks that begin in the span `missing` are left out."""
    sound = melody(seconds, kind.rate_hz)
    with av.open(str(path), "w") as container:
        track = container.add_stream(
            kind.codec, rate=kind.rate_hz, layout=kind.layout, options={"strict": "experimental"}
        )
        channels = track.codec_context.channels
        resampler = av.AudioResampler(
            format=track.codec_context.format or kind.sample_format,
            layout=kind.layout,
            rate=kind.rate_hz,
            frame_size=track.codec_context.frame_size,
        )
        for at in range(0, len(sound), 1024):
            if missing and missing[0] <= at / kind.rate_hz < missing[1]:
                continue
            block = np.zeros((channels, len(sound[at : at + 1024])), np.float32)
            # In surround sound people speak in the middle.
            block[CENTRE if channels == 6 else slice(None)] = sound[at : at + 1024]
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=kind.layout)
            frame.sample_rate, frame.pts = kind.rate_hz, at
            frame.time_base = Fraction(1, kind.rate_hz)
            for ready in resampler.resample(frame):
                container.mux(track.encode(ready))
        container.mux(track.encode(None))
    return path


def damage(path: Path, out: Path, numbers: Iterable[int]) -> Path:
    """A copy in which the data of some packets is garbage."""
    broken = set(numbers)
    with av.open(str(path)) as source, av.open(str(out), "w") as target:
        track = source.streams.audio[0]
        copy = target.add_stream_from_template(track)
        for number, packet in enumerate(source.demux(track)):
            if packet.size == 0:
                continue
            if number in broken:
                garbage = av.Packet(b"\xff" * packet.size)
                garbage.pts, garbage.dts = packet.pts, packet.dts
                garbage.duration, garbage.time_base = packet.duration, packet.time_base
                packet = garbage
            packet.stream = copy
            target.mux(packet)
    return out


def _open(path: Path, options: SoundOptions | None = None) -> SoundReader:
    reader = open_sound(str(path), options)
    assert reader is not None
    return reader


def _joined(chunks: Sequence[AudioChunk]) -> Samples:
    return np.concatenate([chunk.samples for chunk in chunks])


@pytest.mark.parametrize("name", FORMATS)
def test_sound_files_without_pictures_are_sources(tmp_path: Path, name: str):
    """Length, level and pitch come through, and the chunks follow each other."""
    kind = FORMATS[name]
    with _open(write_sound(tmp_path / f"clip{kind.suffix}", kind)) as reader:
        chunks = list(reader.chunks())
        report = reader.report()

    sound = _joined(chunks)
    assert sound.dtype == np.float32
    assert np.abs(sound).max() <= 1.0
    assert len(sound) / 16000 == pytest.approx(SECONDS, abs=0.12)
    level = 0.218 * (0.707 if kind.layout == "5.1" else 1.0)
    assert float(np.sqrt((sound[16000:] ** 2).mean())) == pytest.approx(level, rel=0.12)
    for one, after in itertools.pairwise(chunks):
        assert after.pts_s == pytest.approx(one.pts_s + len(one.samples) / 16000, abs=1e-9)
    assert report.covered_s == pytest.approx(len(sound) / 16000, abs=0.01)
    assert (report.damaged, report.gaps, report.partial) == (0, (), False)
    assert report.duration_s == pytest.approx(SECONDS, abs=0.15)
    spectrum = np.abs(np.fft.rfft(sound[2300:10300]))
    assert spectrum.argmax() * 2 == pytest.approx(220, abs=4)


@pytest.mark.parametrize("name", FORMATS)
def test_resumed_sound_is_that_of_an_undisturbed_pass(tmp_path: Path, name: str):
    """From marks all over the stream, through JSON, exactly the samples that are missing come."""
    kind = FORMATS[name]
    path = write_sound(tmp_path / f"clip{kind.suffix}", kind)
    marks: list[SoundMark] = []
    with _open(path) as reader:
        chunks: list[AudioChunk] = []
        for chunk in reader.chunks():
            chunks.append(chunk)
            ends_s = chunk.pts_s + len(chunk.samples) / 16000
            if ends_s > 1.9 * len(marks):
                marks.append(reader.mark(ends_s - 0.01 * len(marks)))
        report = reader.report()
    whole = _joined(chunks)
    begins_s = chunks[0].pts_s

    assert len(marks) == 10
    for mark in marks:
        with _open(path) as reader:
            rest = list(reader.chunks(SoundMark.from_json(mark.to_json())))
            assert reader.report() == report
        at = round((mark.at_s - begins_s) * 16000)
        assert rest[0].pts_s == pytest.approx(mark.at_s, abs=1 / 16000)
        assert abs(len(whole) - len(_joined(rest)) - at) <= 1
        assert np.array_equal(_joined(rest), whole[len(whole) - len(_joined(rest)) :])


def test_a_file_that_changed_is_not_resumed(tmp_path: Path):
    """Other samples where the mark was are an error, never a silent mixture."""
    kind = FORMATS["flac"]
    path = write_sound(tmp_path / "clip.flac", kind)
    with _open(path) as reader:
        list(reader.chunks())
        mark = reader.mark(9.0)
    other = write_sound(tmp_path / "other.flac", kind, missing=(2.0, 8.0))

    with (
        _open(other) as reader,
        pytest.raises(SourceError, match=r"differs from what it was at 9\.000 s"),
    ):
        list(reader.chunks(mark))


def test_a_hole_in_the_times_is_a_gap_and_a_jump(tmp_path: Path):
    """What is not in the file is told; what follows has its real time."""
    kind = FORMATS["aac-mp4"]
    path = write_sound(tmp_path / "clip.mkv", kind, missing=(5.0, 8.0))
    with _open(path) as reader:
        chunks = list(reader.chunks())
        report = reader.report()
        marks = [reader.mark(at_s) for at_s in (4.0, 8.5, 12.0)]

    (gap,) = report.gaps
    assert gap.reason == NO_SOUND
    assert (gap.start_s, gap.end_s) == (pytest.approx(5.0, abs=0.1), pytest.approx(8.0, abs=0.1))
    assert report.partial
    assert report.covered_s == pytest.approx(SECONDS - 3.0, abs=0.2)
    assert chunks[-1].pts_s == pytest.approx(SECONDS, abs=0.15)
    late = _joined([chunk for chunk in chunks if chunk.pts_s >= gap.end_s])
    truth = melody(SECONDS, 16000)[round(gap.end_s * 16000) :]
    pitches = [np.abs(np.fft.rfft(x[22400:30400])).argmax() * 2 for x in (late, truth)]
    assert pitches[0] == pytest.approx(pitches[1], abs=4)
    for mark in marks:
        with _open(path) as reader:
            rest = _joined(list(reader.chunks(mark)))
            assert reader.report() == report
        assert np.array_equal(rest, _joined(chunks)[-len(rest) :])


@pytest.mark.parametrize("name", ["aac-mp4", "flac", "mp3", "vorbis-webm"])
def test_corrupt_packets_are_counted_and_never_fatal(tmp_path: Path, name: str):
    """A stretch of garbage costs that stretch only; where it lies is told."""
    kind = FORMATS[name]
    whole = write_sound(tmp_path / "whole.mkv", kind)
    with av.open(str(whole)) as container:
        sizes = [packet.duration for packet in container.demux(audio=0) if packet.size]
    begins, ends = len(sizes) // 3, len(sizes) // 2
    path = damage(whole, tmp_path / "damaged.mkv", range(begins, ends))

    with _open(path) as reader:
        chunks = list(reader.chunks())
        report = reader.report()

    ends_s = chunks[-1].pts_s + len(chunks[-1].samples) / 16000
    assert ends_s == pytest.approx(SECONDS, abs=0.15)
    assert report.damaged + len(report.gaps) > 0
    assert report.partial
    for gap in report.gaps:
        assert SECONDS * 0.3 <= gap.start_s < gap.end_s <= SECONDS * 0.53
    lost_s = sum(gap.end_s - gap.start_s for gap in report.gaps)
    assert lost_s == pytest.approx(SECONDS / 6, rel=0.2)
    assert report.covered_s == pytest.approx(SECONDS - lost_s, abs=0.15)


def test_a_range_gives_exactly_its_samples(tmp_path: Path):
    """Chunks are cut at both ends; the samples are those of the whole pass."""
    path = write_sound(tmp_path / "clip.flac", FORMATS["flac"])
    with _open(path) as reader:
        whole = _joined(list(reader.chunks()))
    with _open(path, SoundOptions(start_s=6.5, end_s=9.25)) as reader:
        chunks = list(reader.chunks())
        report = reader.report()

    assert chunks[0].pts_s == pytest.approx(6.5, abs=1 / 16000)
    assert len(_joined(chunks)) == pytest.approx(2.75 * 16000, abs=1)
    at = round(chunks[0].pts_s * 16000)
    # The mixer of the range began at another sample than that of the whole, between its samples.
    assert np.corrcoef(_joined(chunks), whole[at : at + len(_joined(chunks))])[0, 1] > 0.98
    assert (report.first_pts_s, report.last_end_s) == (6.5, 9.25)
    assert report.covered_s == pytest.approx(2.75)


def test_a_cut_off_file_tells_what_is_missing(tmp_path: Path):
    """A file that ends early has a gap up to the length that it announces."""
    whole = write_sound(tmp_path / "whole.wav", FORMATS["pcm-wav"])
    path = tmp_path / "cut.wav"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])

    with _open(path) as reader:
        sound = _joined(list(reader.chunks()))
        report = reader.report()

    assert len(sound) / 16000 == pytest.approx(SECONDS / 2, abs=0.2)
    assert not report.gaps or report.gaps[-1].end_s <= SECONDS + 0.1


def test_sound_of_a_video_is_read_while_its_frames_are(tmp_path: Path):
    """One source, two passes at the same time, each with its own times."""
    path = _clips.render_with_sound(tmp_path / "clip.mp4", video_s=2.0, sound_s=3.0)
    with open_reader(str(path)) as frames, _open(path) as sound:
        alone_s = [item.frame.pts_s for item in frames.frames()]
        pairs = list(zip(frames.frames(), sound.chunks(), strict=False))
        alone = _joined(list(sound.chunks()))

    assert [item.frame.pts_s for item, _ in pairs] == alone_s
    assert len(alone) / 16000 == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_sound_is_heard_in_the_pass_of_the_frames(tmp_path: Path, suffix: str):
    """The samples of a pass of its own, and the frames that come without listening."""
    path = _clips.render_with_sound(tmp_path / f"clip{suffix}", video_s=3.0, sound_s=3.5)
    with _open(path) as alone, open_reader(str(path)) as frames:
        expected = list(alone.chunks())
        frames_s = [item.frame.pts_s for item in frames.frames()]
    heard: list[AudioChunk] = []
    beside = SoundBeside(heard.append)

    with open_reader(str(path), sound=beside) as reader:
        assert [item.frame.pts_s for item in reader.frames()] == frames_s
        assert not reader.report().gaps
        beside.finish()

    assert np.array_equal(_joined(heard), _joined(expected))
    assert heard[0].pts_s == expected[0].pts_s
    assert beside.report().covered_s == pytest.approx(3.5, abs=0.1)
    assert beside.report().gaps == ()


def test_sound_beside_the_frames_is_bounded(tmp_path: Path):
    """Chunks come while frames are read, not all at the end."""
    path = _clips.render_with_sound(tmp_path / "clip.mkv", video_s=8.0, sound_s=8.0)
    heard: list[AudioChunk] = []
    with open_reader(str(path), sound=SoundBeside(heard.append)) as reader:
        behind_s = [abs(item.frame.pts_s - heard[-1].pts_s) for item in reader.frames() if heard]

    assert len(behind_s) >= 15
    assert max(behind_s) < 3.0


def test_a_film_without_sound_can_be_listened_to(tmp_path: Path):
    """Nothing is heard, nothing fails."""
    film = _clips.write_subtitles(tmp_path / "film.mkv", "subrip", [(0, 1000, "x")])
    heard: list[AudioChunk] = []
    beside = SoundBeside(heard.append)

    with open_reader(str(film), sound=beside) as reader:
        assert len(list(reader.frames())) > 0
    beside.finish()

    assert heard == []
    assert beside.report().covered_s == 0.0


def test_sources_without_sound_have_no_reader(tmp_path: Path):
    """A silent film, pictures and made-up streams are no error."""
    film = _clips.write_subtitles(tmp_path / "film.mkv", "subrip", [(0, 1000, "x")])

    assert open_sound(str(film)) is None
    assert open_sound("synthetic:scenes") is None
    assert open_sound(str(tmp_path)) is None


def test_a_file_that_is_no_media_is_an_error(tmp_path: Path):
    """The source is named."""
    path = tmp_path / "note.txt"
    path.write_text("no sound in here\n" * 100)

    with pytest.raises(SourceError, match=r"note\.txt"):
        open_sound(str(path))


def test_an_impossible_rate_is_refused():
    """Zero samples a second is nothing to listen to."""
    with pytest.raises(UsageError, match="0 Hz"):
        SoundOptions(sample_rate_hz=0)
