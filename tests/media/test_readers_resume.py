"""Resuming: a reader that goes on from a mark equals one that was never stopped."""

import random
from pathlib import Path

import pytest

from streammem.core.errors import SourceError
from streammem.core.types import ReaderMark
from streammem.video import _pyav
from streammem.video.reader import FrameReader, ReaderOptions, SampledFrame, open_reader
from tests.media import _clips

OPTIONS = ReaderOptions(sample_hz=3.0, short_side_px=32)


def facts(item: SampledFrame) -> tuple[object, ...]:
    """Everything that has to agree, pixels as bytes."""
    frame = item.frame
    return (
        frame.pts_s, frame.duration_s, frame.index, frame.rotation_deg,
        frame.pixels.tobytes(), item.mark,
    )  # fmt: skip


def check_resumes(source: str, options: ReaderOptions, marks: int | None = None) -> FrameReader:
    """Resume after every mark, or after a sample of them, and compare with the whole pass."""
    with open_reader(source, options) as reader:
        whole = [facts(item) for item in reader.frames()]
        report = reader.report()
    numbers = list(range(len(whole)))
    if marks is not None and len(numbers) > marks:
        numbers = sorted({0, *random.Random(1).sample(numbers, marks - 2), numbers[-1]})
    for at in numbers:
        mark = whole[at][-1]
        assert isinstance(mark, ReaderMark)
        with open_reader(source, options) as again:
            assert [facts(item) for item in again.frames(mark)] == whole[at + 1 :]
            assert again.report() == report
    return reader


@pytest.mark.parametrize("recipe", _clips.ALL.values(), ids=_clips.ALL)
@pytest.mark.parametrize("skip_nonref", [False, None], ids=["all", "reference"])
def test_resumed_equals_uninterrupted(
    tmp_path: Path, recipe: _clips.Recipe, skip_nonref: bool | None
):
    """For every codec and container: pixels, times, counts, marks and report are the same."""
    path = _clips.render(tmp_path / "clip", recipe, frames=60)
    options = ReaderOptions(sample_hz=3.0, short_side_px=32, skip_nonref=skip_nonref)
    check_resumes(str(path), options)


@pytest.mark.parametrize("recipe", [_clips.H264_MP4, _clips.H264_MKV, _clips.VP9_WEBM])
def test_resumed_equals_uninterrupted_at_variable_rates(tmp_path: Path, recipe: _clips.Recipe):
    """Uneven times change nothing."""
    draw = random.Random(5)
    pts_ms = [0]
    for _ in range(70):
        pts_ms.append(pts_ms[-1] + draw.choice([10, 20, 40, 40, 40, 300, 900]))
    path = _clips.render(tmp_path / "vfr", recipe, pts_ms=pts_ms)
    check_resumes(str(path), OPTIONS, marks=10)


def test_resumed_equals_uninterrupted_over_gaps(tmp_path: Path):
    """Gaps before and after the mark are the same, and so is what is covered."""
    recipe = _clips.Recipe(".mkv", "libx264", gop=1)
    clean = _clips.render(tmp_path / "clean", recipe, frames=60)
    path = _clips.remux(clean, tmp_path / "hurt.mkv", damaged=[10, 11, 30, 45, 59])
    reader = check_resumes(str(path), OPTIONS)
    assert len(reader.report().gaps) == 4


def test_resume_seeks_instead_of_decoding_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Near the end of an indexed file only the last pictures are decoded again."""
    path = _clips.render(tmp_path / "long", _clips.H264_MP4, frames=500)
    with open_reader(str(path), OPTIONS) as reader:
        marks = [item.mark for item in reader.frames()]
    decoded = []
    shown = _pyav.Pass._picture

    def counted(self: _pyav.Pass, *args: object) -> object:
        picture = shown(self, *args)  # type: ignore[arg-type]
        decoded.append(picture.pts_s)
        return picture

    monkeypatch.setattr(_pyav.Pass, "_picture", counted)
    with open_reader(str(path), OPTIONS) as again:
        rest = list(again.frames(marks[-3]))
    assert len(rest) == 2
    assert len(decoded) < 100


def test_resume_starts_over_where_a_seek_lands_on_other_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A seek that ends at a picture with the right time but other pixels is not believed."""
    path = _clips.render(tmp_path / "clip", _clips.H264_MP4, frames=60)
    with open_reader(str(path), OPTIONS) as reader:
        whole = [facts(item) for item in reader.frames()]
    honest = _pyav.Pass.pictures_from

    def shifted(self: _pyav.Pass, from_s: float) -> object:
        pictures = honest(self, from_s)
        assert pictures is not None
        held = None
        for picture in pictures:
            if held is not None:
                yield picture._replace(content=held)
            held = picture.content

    monkeypatch.setattr(_pyav.Pass, "pictures_from", shifted)
    with open_reader(str(path), OPTIONS) as again:
        mark = whole[3][-1]
        assert isinstance(mark, ReaderMark)
        assert [facts(item) for item in again.frames(mark)] == whole[4:]
        assert again.report().notes == ()


def test_resume_in_another_file_says_that_the_source_changed(tmp_path: Path):
    """A mark whose frame does not exist is refused with a code."""
    long = _clips.render(tmp_path / "long", _clips.H264_MP4, frames=100)
    short = _clips.render(tmp_path / "short", _clips.H264_MP4, frames=30)
    with open_reader(str(long), OPTIONS) as reader:
        mark = list(reader.frames())[-1].mark
    with (
        open_reader(str(short), OPTIONS) as other,
        pytest.raises(SourceError, match="has no frame at") as error,
    ):
        list(other.frames(mark))
    assert error.value.code == "source_changed"


def test_resume_notes_pixels_that_decode_differently(tmp_path: Path):
    """From the beginning the frame is known by its time; other pixels are remarked upon."""
    path = _clips.render(tmp_path / "clip", _clips.H264_MP4, frames=60)
    with open_reader(str(path), OPTIONS) as reader:
        whole = [facts(item) for item in reader.frames()]
    mark = whole[2][-1]
    assert isinstance(mark, ReaderMark)
    other = ReaderMark.from_json({**mark.to_json(), "pixels_digest": "0" * 32})
    with open_reader(str(path), OPTIONS) as again:
        rest = [facts(item) for item in again.frames(other)]
        assert again.report().notes == ("the last frame read decodes to other pixels than before",)
    assert rest == whole[3:]


def test_resume_of_real_clips(real_clips: Path):
    """The recorded clips resume exactly, at the first mark, the last and some between."""
    names = [
        "intel_bottles.mp4", "gbike_ride.webm", "highway_monitor.avi", "camtrap_gorilla.avi",
        "nasa_mirrors.mp4", "asl/again.mkv", "swing_playground.mp4", "odd/no_duration.webm",
        "odd/decord_corrupted.mp4", "odd/hdr_10bit.mp4", "odd/rotated_90.mov", "odd/av1_video.mkv",
    ]  # fmt: skip
    options = ReaderOptions(sample_hz=1.0, short_side_px=64)
    for name in names:
        check_resumes(str(real_clips / name), options, marks=4)
