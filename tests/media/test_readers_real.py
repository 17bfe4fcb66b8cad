"""Recorded clips and odd files: what is covered, and a clear word for what cannot be read."""

import csv
from pathlib import Path

import pytest

from streammem.core.errors import SourceError
from streammem.video.reader import ReaderOptions, ReadReport, open_reader

SMALL = ReaderOptions(sample_hz=0.5, short_side_px=64)
ODD_READABLE = {
    "audio_only_metadata.mp4": 0.04,
    "av1_video.mkv": 5.0,
    "bitmap_1687b.mp4": 5.0,
    "delayed_start.mp4": 0.96,
    "fades.mp4": 10.0,
    "failing_audio.mp4": 11.2,
    "hdr_10bit.mp4": 2.0,
    "hevc_white_frame.mp4": 0.04,
    "no_duration.webm": 4.938,
    "rotated_90.mov": 0.1,
}
ODD_REFUSED = {
    "bad.wav": ("undecodable", "header or index is damaged"),
    "null.wav": ("no_video_track", "only audio"),
    "chunk_out_of_range.mp4": ("undecodable", "MP4 or QuickTime"),
    "encrypted_short_cenc.mp4": ("undecodable", "is encrypted"),
    "invalid_userdata.mp4": ("undecodable", "holds no data"),
}


def read(path: Path, options: ReaderOptions = SMALL) -> ReadReport:
    """The report of a whole pass."""
    with open_reader(str(path), options) as reader:
        for _ in reader.frames():
            pass
        return reader.report()


def test_every_real_clip_is_covered_whole(real_clips: Path):
    """Covered time is within one frame of what the manifest measured; nothing is missing."""
    with (real_clips / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["resolution"] and row["duration_s"]]
    clips = [row for row in rows if not row["file"].startswith("odd/")]
    assert len(clips) == 34
    for row in clips:
        report = read(real_clips / row["file"])
        frame_s = 1 / float(row["fps"])
        lasting_s = float(row["duration_s"])
        assert report.gaps == (), row["file"]
        # A track that begins with its second frame lasts one frame less than its file says.
        assert abs(report.covered_s - lasting_s) <= 1.01 * frame_s + 0.001, row["file"]
        assert report.last_end_s == pytest.approx(lasting_s, abs=1.01 * frame_s + 0.001)


@pytest.mark.parametrize("name", ODD_READABLE)
def test_odd_files_that_decode_are_covered(real_clips: Path, name: str):
    """Odd but sound files are read to their end without a gap."""
    report = read(real_clips / "odd" / name)
    assert report.gaps == ()
    assert report.covered_s == pytest.approx(ODD_READABLE[name], abs=0.001)


@pytest.mark.parametrize("name", ODD_REFUSED)
def test_odd_files_without_a_frame_say_why(real_clips: Path, name: str):
    """Each file that shows nothing is refused with a code and words of its own."""
    code, words = ODD_REFUSED[name]
    with pytest.raises(SourceError, match=words) as error:
        open_reader(str(real_clips / "odd" / name), SMALL)
    assert error.value.code == code
    assert error.value.exit_code == 8


def test_odd_sound_files_have_no_video(real_clips: Path):
    """Sources of sound alone say that there is only audio."""
    for name in ("jfk.flac", "animal_sounds.mp3", "physicsworks_lecture.webm"):
        with pytest.raises(SourceError, match="only audio") as error:
            open_reader(str(real_clips / "audio" / name))
        assert error.value.code == "no_video_track"


def test_odd_corrupted_file_has_one_gap_of_one_frame(real_clips: Path):
    """One packet of fifty is damaged: 4.9 of 5 seconds are covered."""
    report = read(real_clips / "odd" / "decord_corrupted.mp4", ReaderOptions(skip_nonref=False))
    assert [(round(g.start_s, 6), round(g.end_s, 6)) for g in report.gaps] == [(3.0, 3.1)]
    assert report.covered_s == pytest.approx(4.9)
    assert report.decoded == 49


def test_odd_file_without_time_scale_is_partial(real_clips: Path):
    """Damage all over the file leaves many gaps and still most of it covered."""
    report = read(real_clips / "odd" / "no_timescale.mp4", ReaderOptions(skip_nonref=False))
    assert report.partial
    assert len(report.gaps) >= 10
    assert 4.0 < report.covered_s < 6.0


def test_rotated_clip_comes_upright(real_clips: Path):
    """A phone clip stored lying down is shown standing, its rotation told."""
    with open_reader(str(real_clips / "odd" / "rotated_90.mov"), ReaderOptions()) as reader:
        frame = next(iter(reader.frames())).frame
    assert frame.pixels.shape == (3, 568, 320)
    assert frame.rotation_deg == reader.info.rotation_deg == 90
    decord = pytest.importorskip("decord")
    other = decord.VideoReader(str(real_clips / "odd" / "rotated_90.mov"))[0].asnumpy()
    difference = frame.pixels.transpose(1, 2, 0).astype(int) - other.astype(int)
    assert abs(difference).mean() < 8


def test_delayed_start_keeps_its_container_times(real_clips: Path):
    """The first frame is at 1.075 s, where the container puts it."""
    report = read(real_clips / "odd" / "delayed_start.mp4")
    assert report.first_pts_s == pytest.approx(1.075)


def test_subtitles_of_a_real_clip(real_clips: Path):
    """The first text track of the clip with several comes as cues in order."""
    with open_reader(str(real_clips / "nasa_mirrors.mp4"), SMALL) as reader:
        cues = list(reader.subtitles())
        assert [t.kind for t in reader.info.tracks].count("video") == 2
    assert all(cue.end_s > cue.start_s and cue.text for cue in cues)
    assert [cue.start_s for cue in cues] == sorted(cue.start_s for cue in cues)


def test_nothing_of_ffmpeg_reaches_the_terminal(
    real_clips: Path, capfd: pytest.CaptureFixture[str]
):
    """Reading a badly damaged file prints nothing on either stream."""
    read(real_clips / "odd" / "no_timescale.mp4")
    with pytest.raises(SourceError):
        open_reader(str(real_clips / "odd" / "bad.wav"))
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")
