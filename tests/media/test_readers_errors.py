"""Damaged, cut off, foreign and missing sources: each with its own gap or error."""

import itertools
import os
import random
from pathlib import Path

import pytest
from PIL import Image

from streammem.core.errors import MissingError, SourceError, UsageError
from streammem.core.types import Gap
from streammem.video import _decord
from streammem.video.reader import ReaderOptions, ReadReport, open_reader
from tests.media import _clips

ALL_KEY = _clips.Recipe(".mkv", "libx264", gop=1)
EVERY = ReaderOptions(sample_hz=1000.0, skip_nonref=False)


def report_of(path: Path, options: ReaderOptions = EVERY) -> ReadReport:
    """The report of a whole pass."""
    with open_reader(str(path), options) as reader:
        for _ in reader.frames():
            pass
        return reader.report()


def refusal(source: object, **options: object) -> SourceError:
    """The error with which a source is refused."""
    with pytest.raises(SourceError) as error:
        open_reader(str(source), ReaderOptions(**options))  # type: ignore[arg-type]
    assert error.value.exit_code == 8
    return error.value


def test_damaged_packets_become_gaps_between_good_frames(tmp_path: Path):
    """Frames 10 to 12 and 20 of 30 are lost: two gaps of their length, the rest is covered."""
    clean = _clips.render(tmp_path / "clean", ALL_KEY, frames=30)
    report = report_of(_clips.remux(clean, tmp_path / "hurt.mkv", damaged=[10, 11, 12, 20]))
    reason = "the data cannot be decoded"
    assert [(round(g.start_s, 6), round(g.end_s, 6), g.reason) for g in report.gaps] == [
        (0.4, 0.52, reason),
        (0.8, 0.84, reason),
    ]
    assert report.decoded == 26
    assert report.covered_s == pytest.approx(26 / 25)
    assert report.partial


@pytest.mark.parametrize("recipe", [_clips.H264_MP4, _clips.H264_MKV, _clips.HEVC_MP4])
def test_damage_shows_also_where_pictures_are_skipped(tmp_path: Path, recipe: _clips.Recipe):
    """A second of zeros is the same gap whether or not pictures nobody needs are decoded."""
    closed = _clips.Recipe(recipe.suffix, recipe.codec, 25, recipe.b_frames, recipe.options)
    clean = _clips.render(tmp_path / "clean", closed, frames=100)
    hurt = _clips.remux(clean, tmp_path / f"hurt{recipe.suffix}", damaged=range(25, 50))
    every = report_of(hurt, ReaderOptions(sample_hz=3.0, skip_nonref=False))
    part = report_of(hurt, ReaderOptions(sample_hz=3.0, skip_nonref=True))
    assert part.decoded < every.decoded
    for report in (every, part):
        lost_s = sum(gap.end_s - gap.start_s for gap in report.gaps)
        assert lost_s == pytest.approx(1.0, abs=0.17)
        assert report.covered_s == pytest.approx(3.0, abs=0.17)


def test_a_damaged_head_is_a_gap_before_the_first_frame(tmp_path: Path):
    """The stream begins with its first good frame; what came before is told."""
    clean = _clips.render(tmp_path / "clean", ALL_KEY, frames=30)
    report = report_of(_clips.remux(clean, tmp_path / "hurt.mkv", damaged=[0, 1]))
    assert report.gaps == (Gap(0.0, 0.08, "the data cannot be decoded"),)
    assert report.first_pts_s == 0.08
    assert report.covered_s == pytest.approx(28 / 25)


def test_a_damaged_tail_is_a_gap_up_to_the_end(tmp_path: Path):
    """Errors after the last good frame reach to the end of what was there."""
    clean = _clips.render(tmp_path / "clean", ALL_KEY, frames=30)
    report = report_of(_clips.remux(clean, tmp_path / "hurt.mkv", damaged=[28, 29]))
    assert [(g.start_s, round(g.end_s, 6)) for g in report.gaps] == [(1.12, 1.2)]
    assert report.last_end_s == 1.12


def test_missing_packets_without_damage_are_no_gap(tmp_path: Path):
    """A recorder that leaves frames out makes a variable rate, not a gap."""
    clean = _clips.render(tmp_path / "clean", ALL_KEY, frames=30)
    report = report_of(_clips.remux(clean, tmp_path / "thin.mkv", missing=range(5, 20)))
    assert not report.partial
    assert report.decoded == 15


@pytest.mark.parametrize("skip_nonref", [False, None])
def test_a_cut_off_file_is_partial_up_to_its_declared_end(tmp_path: Path, skip_nonref: bool | None):
    """60 % of a file covers what decodes; the rest up to the declared end is a gap."""
    path = _clips.render(tmp_path / "clip", _clips.H264_MKV, frames=200)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    report = report_of(path, ReaderOptions(skip_nonref=skip_nonref))
    assert report.duration_s == pytest.approx(8.0)
    assert 3.0 < report.covered_s < 7.0
    assert len(report.gaps) == 1
    assert report.gaps[0].start_s == report.last_end_s
    assert report.gaps[0].end_s == pytest.approx(8.0)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_longer_sound_does_not_make_the_video_partial(tmp_path: Path, suffix: str):
    """Video that ends before the sound is whole."""
    path = _clips.render_with_sound(tmp_path / f"clip{suffix}", video_s=2.0, sound_s=5.0)
    report = report_of(path)
    assert not report.partial
    assert report.covered_s == pytest.approx(2.0, abs=0.002)


def test_a_container_length_from_sound_alone_is_not_the_videos(tmp_path: Path):
    """FLV states one length for all: the shorter video is whole and its own length unknown."""
    path = tmp_path / "clip.flv"
    _clips.render_with_sound(path, video_s=2.0, sound_s=5.0)
    report = report_of(path)
    assert report.duration_s is None
    assert not report.partial


def test_a_cut_off_file_with_sound_is_partial(tmp_path: Path):
    """Where no track reaches the container's end, the file is cut off."""
    path = _clips.render_with_sound(tmp_path / "clip.flv", video_s=6.0, sound_s=6.0)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    report = report_of(path)
    assert report.partial
    assert report.gaps[-1].end_s == pytest.approx(6.0, abs=0.2)


def test_an_mp4_cut_before_its_index_says_so(tmp_path: Path):
    """Without its index nothing of an MP4 can be read."""
    path = _clips.render(tmp_path / "clip", _clips.H264_MP4, frames=50)
    path.write_bytes(path.read_bytes()[:3000])
    error = refusal(path)
    assert error.code == "undecodable"
    assert "MP4 or QuickTime" in error.message


def test_sources_that_are_no_video_say_what_they_are(tmp_path: Path):
    """Texts, sounds, empty files, folders and missing ones have codes of their own."""
    text = tmp_path / "notes.mp4"
    text.write_text("just some notes\n" * 50)
    empty = tmp_path / "empty.mp4"
    empty.touch()
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(random.Random(3).randbytes(20_000))
    folder = tmp_path / "folder"
    folder.mkdir()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    codes = {
        text: "not_media", noise: "not_media", empty: "empty_file", folder: "no_media",
        pipe: "not_media", tmp_path / "gone.mp4": "not_found",
    }  # fmt: skip
    for source, code in codes.items():
        error = refusal(source)
        assert (source.name, error.code) == (source.name, code)
        assert str(source) in error.message


def test_a_source_of_sound_alone_has_no_video_track(tmp_path: Path):
    """The message says that there is only audio."""
    path = _clips.render_with_sound(tmp_path / "clip.mkv", video_s=1.0, sound_s=1.0)
    only = tmp_path / "only.mkv"
    import av

    with av.open(str(path)) as source, av.open(str(only), "w") as target:
        track = source.streams.audio[0]
        copy = target.add_stream_from_template(track)
        for packet in source.demux(track):
            if packet.dts is not None:
                packet.stream = copy
                target.mux(packet)
    error = refusal(only)
    assert error.code == "no_video_track"
    assert "only audio" in error.message


def test_a_range_without_frames_says_where_the_video_is(tmp_path: Path):
    """A start after the end is an error that names the length."""
    path = _clips.render(tmp_path / "clip", _clips.H264_MP4, frames=50)
    with (
        open_reader(str(path), ReaderOptions(start_s=60.0)) as reader,
        pytest.raises(SourceError, match="no frame from 60 s") as error,
    ):
        list(reader.frames())
    assert error.value.code == "no_frames_in_range"
    assert "lasts 2 s" in str(error.value.hint)


@pytest.mark.parametrize("seed", range(4))
def test_random_damage_never_escapes_as_another_error(tmp_path: Path, seed: int):
    """Cut, flipped, zeroed and shifted files: frames in order, or an error of this project."""
    draw = random.Random(seed)
    recipes = [_clips.H264_MP4, _clips.H264_TS, _clips.VP9_WEBM, _clips.MPEG4_B_AVI]
    for recipe in recipes:
        clean = _clips.render(tmp_path / f"clean{seed}", recipe, frames=40).read_bytes()
        for attempt in range(6):
            data = bytearray(clean)
            at = draw.randrange(len(data))
            match attempt % 3:
                case 0:
                    del data[at:]
                case 1:
                    for _ in range(30):
                        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
                case _:
                    data[at : at + 2000] = draw.randbytes(draw.randrange(3000))
            path = tmp_path / f"hurt{recipe.suffix}"
            path.write_bytes(data)
            try:
                with open_reader(str(path), ReaderOptions(sample_hz=5.0)) as reader:
                    times = [item.frame.pts_s for item in reader.frames()]
                    report = reader.report()
                    list(reader.audio())
            except SourceError:
                continue
            assert all(b > a for a, b in itertools.pairwise(times))
            assert report.covered_s >= 0
            assert all(gap.end_s > gap.start_s for gap in report.gaps)


def test_an_unreadable_image_is_a_gap(tmp_path: Path):
    """One damaged picture of five leaves a gap of its second; five stop the source."""
    for number in range(5):
        Image.new("RGB", (40, 30), (number * 40, 0, 0)).save(tmp_path / f"{number}.png")
    (tmp_path / "2.png").write_bytes(b"broken")
    report = report_of(tmp_path, ReaderOptions(sample_hz=1.0))
    assert report.gaps == (Gap(2.0, 3.0, "2.png cannot be read"),)
    assert report.covered_s == 4.0
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(b"broken")
    assert refusal(tmp_path).code == "undecodable"


def test_images_are_turned_upright_and_keep_the_first_size(tmp_path: Path):
    """EXIF orientation is applied; a picture of another shape is fitted in, with black beside."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30), "red").save(tmp_path / "1.jpg", exif=exif)
    Image.new("RGB", (60, 60), "white").save(tmp_path / "2.png")
    with open_reader(str(tmp_path), ReaderOptions(sample_hz=1.0)) as reader:
        first, second = (item.frame for item in reader.frames())
    assert (reader.info.width, reader.info.height, reader.info.rotation_deg) == (30, 40, 90)
    assert first.pixels.shape == second.pixels.shape == (3, 40, 30)
    assert second.pixels[:, 0].max() == 0
    assert second.pixels[:, 20].min() == 255


@pytest.mark.parametrize(
    ("source", "reader"),
    [("-", "auto"), ("a.mp4", "synthetic"), ("synthetic:1", "pyav"), ("a.mp4", "opencv")],
)
def test_open_reader_refuses_combinations_that_mean_nothing(source: str, reader: str):
    """Standard input, the wrong reader and unknown readers are usage errors."""
    with pytest.raises(UsageError):
        open_reader(source, reader=reader)


@pytest.mark.parametrize(
    "options",
    [
        {"sample_hz": 0.0},
        {"sample_hz": float("nan")},
        {"short_side_px": 0},
        {"start_s": 5.0, "end_s": 5.0},
    ],
)
def test_reader_options_refuse_impossible_values(options: dict[str, float]):
    """A rate of zero, a picture without pixels or an empty range mean nothing."""
    with pytest.raises(UsageError):
        ReaderOptions(**options)  # type: ignore[arg-type]


def test_missing_decord_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without the package, the error says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "decord", None)
    with pytest.raises(MissingError) as error:
        _decord.DecordReader(str(tmp_path / "a.mp4"), ReaderOptions())
    assert error.value.hint == "pip install 'streammem[decord]'"
    assert error.value.exit_code == 5


def test_decord_refuses_what_it_cannot_read(tmp_path: Path):
    """Addresses are refused by kind, damaged files with a code."""
    pytest.importorskip("decord")
    with pytest.raises(UsageError, match="only local video files"):
        open_reader("https://a.b/c.mp4", reader="decord")
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\0\0\0\x18ftypisom" + bytes(100))
    with pytest.raises(SourceError, match="decord cannot open") as error:
        open_reader(str(path), reader="decord")
    assert error.value.code == "undecodable"
