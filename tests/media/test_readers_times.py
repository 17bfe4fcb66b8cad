"""Times as containers give them: variable rates, reordering, delays, edit lists, rotation."""

import itertools
import struct
from pathlib import Path

import av
import numpy as np
import pytest

from streammem.video.reader import FrameReader, ReaderOptions, SampledFrame, open_reader
from tests.media import _clips
from tests.media._clips import Recipe

VARIABLE_MS = [0, 40, 80, 500, 520, 1300, 1310, 2000, 2600, 2640, 2680, 5000, 5040, 5080]
CONTAINERS = {
    "mkv": _clips.H264_MKV,
    "mp4": _clips.H264_MP4,
    "webm": _clips.VP9_WEBM,
    "nut": Recipe(".nut", "mpeg4", b_frames=0),
}


def read(path: Path, **options: object) -> tuple[list[SampledFrame], FrameReader]:
    """All frames of a clip at a rate that takes every one, none skipped."""
    settings = {"sample_hz": 1000.0, "skip_nonref": False, **options}
    with open_reader(str(path), ReaderOptions(**settings)) as reader:  # type: ignore[arg-type]
        return list(reader.frames()), reader


def shown(frames: list[SampledFrame]) -> list[tuple[int, int]]:
    """(time in ms, number in the picture) of each frame."""
    return [(round(i.frame.pts_s * 1000), _clips.number_in(i.frame.pixels)) for i in frames]


@pytest.mark.parametrize("recipe", CONTAINERS.values(), ids=CONTAINERS)
def test_pyav_reader_keeps_variable_times(tmp_path: Path, recipe: Recipe):
    """Each picture comes at its own time, reordered ones included, and last for a while."""
    path = _clips.render(tmp_path / "vfr", recipe, pts_ms=VARIABLE_MS)
    frames, reader = read(path)
    assert shown(frames) == [(ms, n) for n, ms in enumerate(VARIABLE_MS)]
    assert all(item.frame.duration_s > 0 for item in frames)
    assert reader.report().gaps == ()
    sampled, _ = read(path, sample_hz=1.0)
    assert [ms for ms, _ in shown(sampled)] == [0, 1300, 2000, 5000]


@pytest.mark.parametrize("recipe", [_clips.H264_MKV, _clips.VP9_WEBM], ids=["h264", "vp9"])
def test_pyav_reader_reports_a_delayed_start_as_it_is(tmp_path: Path, recipe: Recipe):
    """Times are the container's, not counted from the first frame."""
    path = _clips.render(tmp_path / "late", recipe, pts_ms=[5000 + 40 * n for n in range(20)])
    frames, reader = read(path)
    assert shown(frames) == [(5000 + 40 * n, n) for n in range(20)]
    assert reader.info.start_s == 5.0
    report = reader.report()
    assert report.first_pts_s == 5.0
    assert report.covered_s == pytest.approx(0.8, abs=0.002)
    assert not report.partial


@pytest.mark.parametrize(
    "recipe",
    [_clips.H264_MP4, _clips.H264_TS, _clips.HEVC_MP4, _clips.MPEG4_B_AVI, _clips.RAW_H264],
    ids=["mp4", "ts", "hevc", "avi", "raw"],
)
def test_pyav_reader_orders_reordered_frames(tmp_path: Path, recipe: Recipe):
    """B-frames come in order of display, 40 ms apart, whatever the container's clock says."""
    path = _clips.render(tmp_path / "b", recipe, frames=40)
    frames, reader = read(path)
    times = [ms for ms, _ in shown(frames)]
    assert [n for _, n in shown(frames)] == list(range(40))
    assert np.diff(times).tolist() == [40] * 39
    assert reader.report().covered_s == pytest.approx(1.6, abs=0.001)


def test_pyav_reader_respects_edit_lists(tmp_path: Path):
    """An edit list that starts the film one second in drops what lies before."""
    path = _clips.render(tmp_path / "edit", _clips.H264_MP4, frames=75)
    data = bytearray(path.read_bytes())
    at = data.index(b"elst")
    length, media_time = struct.unpack_from(">Ii", data, at + 12)
    with av.open(str(path)) as container:
        ticks = round(1 / container.streams.video[0].time_base)
    struct.pack_into(">Ii", data, at + 12, length - 1000, media_time + ticks)
    path.write_bytes(data)
    frames, reader = read(path)
    assert shown(frames) == [(40 * n, 25 + n) for n in range(50)]
    assert reader.report().duration_s == pytest.approx(2.0)
    assert reader.report().covered_s == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("recipe", "fewer"),
    [(_clips.H264_MP4, True), (_clips.HEVC_MP4, True), (_clips.VP9_WEBM, False)],
)
def test_pyav_reader_covers_the_same_without_nonreference_frames(
    tmp_path: Path, recipe: Recipe, fewer: bool
):
    """Skipping pictures nobody needs saves decoding and changes neither times nor gaps."""
    path = _clips.render(tmp_path / "skip", recipe, frames=74)
    full, whole = read(path, sample_hz=2.0, skip_nonref=False)
    part, sparse = read(path, sample_hz=2.0, skip_nonref=None)
    assert sparse.skips_nonref is fewer
    assert (sparse.report().decoded < whole.report().decoded) is fewer
    assert sparse.report().covered_s == whole.report().covered_s
    assert sparse.report().last_end_s == whole.report().last_end_s
    assert sparse.report().gaps == whole.report().gaps == ()
    assert len(part) == len(full)
    for one, other in zip(part, full, strict=True):
        assert 0 <= one.frame.pts_s - other.frame.pts_s <= 0.25
    limited = [read(path, sample_hz=2.0, end_s=2.1, skip_nonref=s)[1] for s in (False, None)]
    assert limited[0].report().covered_s == pytest.approx(limited[1].report().covered_s, abs=0.04)


def test_pyav_reader_keeps_the_first_size_when_the_picture_changes(tmp_path: Path):
    """A stream that switches its resolution goes on in the size it began with."""
    one = _clips.render(tmp_path / "a", _clips.H264_TS, frames=10)
    two = _clips.render(tmp_path / "b", _clips.H264_TS, frames=10, sizes=[(96, 72)])
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one.read_bytes() + two.read_bytes())
    frames, _ = read(joined)
    assert {item.frame.pixels.shape for item in frames} == {(3, 48, 64)}
    backwards = tmp_path / "other.ts"
    backwards.write_bytes(two.read_bytes() + one.read_bytes())
    frames, _ = read(backwards)
    assert {item.frame.pixels.shape for item in frames} == {(3, 72, 96)}


@pytest.mark.parametrize("size", [(1, 1), (3, 1), (17, 33), (63, 47)])
def test_pyav_reader_reads_odd_sizes(tmp_path: Path, size: tuple[int, int]):
    """Pictures of one pixel and of odd sides keep their size and shape."""
    recipe = Recipe(".mkv", "ffv1")
    path = _clips.render(tmp_path / "odd", recipe, frames=3, sizes=[size], pix_fmt="yuv444p")
    frames, _ = read(path)
    assert {item.frame.pixels.shape for item in frames} == {(3, size[1], size[0])}
    small, _ = read(path, short_side_px=16)
    assert {min(item.frame.pixels.shape[1:]) for item in small} == {min(16, *size)}


def test_pyav_reader_converts_colours_right(tmp_path: Path):
    """Lossless pictures come back within the rounding of the colour conversion."""
    path = _clips.render(tmp_path / "exact", Recipe(".mkv", "ffv1"), frames=5, pix_fmt="yuv444p")
    frames, _ = read(path)
    for number, item in enumerate(frames):
        expected = _clips.picture(number).transpose(2, 0, 1).astype(int)
        assert np.abs(item.frame.pixels.astype(int) - expected).max() <= 4


def test_pyav_reader_never_yields_a_time_twice(tmp_path: Path):
    """Two streams joined end to end restart their clock; what goes back is told, not given."""
    one = _clips.render(tmp_path / "a", _clips.H264_TS, frames=50)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one.read_bytes() * 2)
    frames, reader = read(joined)
    times = [item.frame.pts_s for item in frames]
    assert all(b > a for a, b in itertools.pairwise(times))
    assert reader.report().decoded == 100
    assert "go back" in reader.report().gaps[-1].reason
