"""Every reader keeps one contract: the same test bodies over each of them."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from streammem.core.types import ReaderMark
from streammem.video.reader import (
    FrameReader,
    ReaderOptions,
    SampledFrame,
    decoding_settings,
    open_reader,
    with_settings,
)
from streammem.video.sampling import slot_of
from tests.media import _clips

Open = Callable[[ReaderOptions], FrameReader]

# What every source below shows: 75 frames; at 25 a second, images at 1, the synthetic at 10.
RATE_HZ = {"pyav": 25.0, "pyav-webm": 25.0, "decord": 25.0, "images": 1.0, "synthetic": 10.0}
SHAPE = {
    "pyav": (3, 48, 64),
    "pyav-webm": (3, 48, 64),
    "decord": (3, 48, 64),
    "images": (3, 48, 64),
    "synthetic": (3, 48, 64),
}
FRAMES = 75


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One source for each reader, each of 75 frames of 64 x 48."""
    folder = tmp_path_factory.mktemp("sources")
    clip = _clips.render(folder / "clip", _clips.H264_MP4, frames=FRAMES)
    images = folder / "images"
    images.mkdir()
    for number in range(FRAMES):
        Image.fromarray(_clips.picture(number)).save(images / f"frame{number}.png")
    return {
        "pyav": str(clip),
        "pyav-webm": str(_clips.render(folder / "web", _clips.VP9_WEBM, frames=FRAMES)),
        "decord": str(clip),
        "images": str(images),
        "synthetic": "synthetic:4?duration=7.5&fps=10&size=64x48",
    }


@pytest.fixture(params=list(RATE_HZ))
def name(request: pytest.FixtureRequest) -> str:
    """The reader under test."""
    if request.param == "decord":
        pytest.importorskip("decord")
    return str(request.param)


@pytest.fixture
def opened(name: str, sources: dict[str, str]) -> Open:
    """Opens the reader's source with given options."""
    return lambda options: open_reader(sources[name], options, reader=name.partition("-")[0])


def read(opened: Open, options: ReaderOptions) -> tuple[list[SampledFrame], FrameReader]:
    """All frames and the reader, its report final."""
    with opened(options) as reader:
        return list(reader.frames()), reader


def same(one: SampledFrame, other: SampledFrame) -> bool:
    """Whether two sampled frames agree in every bit."""
    a, b = one.frame, other.frame
    facts = (a.pts_s, a.duration_s, a.index, a.rotation_deg, one.mark)
    return (
        facts == (b.pts_s, b.duration_s, b.index, b.rotation_deg, other.mark)
        and a.pixels.shape == b.pixels.shape
        and bool((a.pixels == b.pixels).all())
    )


def test_readers_deliver_every_frame_in_order(opened: Open, name: str):
    """At full rate all frames come, increasing in time, counted from 0, for their duration."""
    rate_hz = RATE_HZ[name]
    frames, reader = read(opened, ReaderOptions(sample_hz=rate_hz, skip_nonref=False))
    assert [item.frame.index for item in frames] == list(range(FRAMES))
    assert [item.frame.pts_s for item in frames] == pytest.approx(np.arange(FRAMES) / rate_hz)
    durations = [item.frame.duration_s for item in frames]
    assert durations == pytest.approx([1 / rate_hz] * FRAMES, abs=2e-3)
    report = reader.report()
    assert report.decoded == FRAMES
    assert report.first_pts_s == frames[0].frame.pts_s
    assert report.covered_s == pytest.approx(FRAMES / rate_hz, abs=2e-3)
    assert report.gaps == ()
    assert not report.partial


def test_readers_give_upright_pixels_of_one_size(opened: Open, name: str):
    """Pixels are uint8 [3 H W] as the container says, and shrink by their shorter side."""
    frames, reader = read(opened, ReaderOptions(sample_hz=2.0))
    assert {item.frame.pixels.shape for item in frames} == {SHAPE[name]}
    assert {item.frame.pixels.dtype for item in frames} == {np.dtype(np.uint8)}
    assert (reader.info.height, reader.info.width) == SHAPE[name][1:]
    small, _ = read(opened, ReaderOptions(sample_hz=2.0, short_side_px=24))
    assert {item.frame.pixels.shape for item in small} == {(3, 24, 32)}
    large, _ = read(opened, ReaderOptions(sample_hz=2.0, short_side_px=480))
    assert {item.frame.pixels.shape for item in large} == {SHAPE[name]}


@pytest.mark.parametrize("share", [0.1, 0.37, 1.0])
def test_readers_sample_on_the_grid(opened: Open, name: str, share: float):
    """The first frame of every interval comes, the same one whatever the reader."""
    rate_hz = RATE_HZ[name]
    sample_hz = share * rate_hz
    frames, _ = read(opened, ReaderOptions(sample_hz=sample_hz, skip_nonref=False))
    every, _ = read(opened, ReaderOptions(sample_hz=rate_hz, skip_nonref=False))
    times = [item.frame.pts_s for item in every]
    first_of: dict[int, float] = {}
    for pts_s in times:
        first_of.setdefault(slot_of(pts_s, times[0], sample_hz), pts_s)
    assert [item.frame.pts_s for item in frames] == list(first_of.values())
    by_time = {item.frame.pts_s: item.frame for item in every}
    for item in frames:
        assert (item.frame.pixels == by_time[item.frame.pts_s].pixels).all()
        assert item.frame.index == by_time[item.frame.pts_s].index


@pytest.mark.parametrize("skip_nonref", [False, None])
def test_readers_resume_exactly(opened: Open, name: str, skip_nonref: bool | None):
    """After any mark, also one that went through JSON, the rest is that of an unbroken pass."""
    options = ReaderOptions(sample_hz=RATE_HZ[name] / 9, short_side_px=32, skip_nonref=skip_nonref)
    whole, reader = read(opened, options)
    for at, item in enumerate(whole):
        mark = ReaderMark.from_json(json.loads(json.dumps(item.mark.to_json())))
        with opened(options) as again:
            rest = list(again.frames(mark))
            assert len(rest) == len(whole) - at - 1
            assert all(map(same, rest, whole[at + 1 :]))
            assert again.report() == reader.report()


def test_readers_read_a_range(opened: Open, name: str):
    """Frames from start to end, half-open; resuming inside the range is exact as well."""
    rate_hz = RATE_HZ[name]
    start_s, end_s = 30 / rate_hz, 60 / rate_hz
    options = ReaderOptions(sample_hz=rate_hz, start_s=start_s, end_s=end_s, skip_nonref=False)
    frames, reader = read(opened, options)
    assert [item.frame.pts_s for item in frames] == pytest.approx(np.arange(30, 60) / rate_hz)
    assert frames[0].frame.index == 0
    report = reader.report()
    assert report.covered_s == pytest.approx(end_s - start_s, abs=2e-3)
    assert not report.partial
    with opened(options) as again:
        rest = list(again.frames(frames[7].mark))
    assert all(map(same, rest, frames[8:]))
    assert len(rest) == 22


def test_readers_can_be_read_twice_and_left_early(opened: Open, name: str):
    """A second pass equals the first, also after one that was given up in the middle."""
    options = ReaderOptions(sample_hz=RATE_HZ[name] / 5)
    with opened(options) as reader:
        whole = list(reader.frames())
        for item in reader.frames():
            if item.frame.index > 20:
                break
        again = list(reader.frames())
    assert len(again) == len(whole)
    assert all(map(same, again, whole))


def test_readers_repeat_their_stored_settings(opened: Open):
    """The settings survive JSON and, given back, lead to the same frames."""
    options = ReaderOptions(sample_hz=1.5, short_side_px=32)
    whole, reader = read(opened, options)
    stored = json.loads(json.dumps(decoding_settings(reader)))
    again, _ = read(opened, with_settings(ReaderOptions(), stored))
    assert all(map(same, again, whole))
    assert len(again) == len(whole)


def test_readers_mark_times_increase(opened: Open, name: str):
    """Marks point at their own frame and move forward."""
    frames, _ = read(opened, ReaderOptions(sample_hz=RATE_HZ[name] / 3))
    for item in frames:
        assert item.mark.last_sampled_pts_s == item.frame.pts_s
        assert item.mark.decoded == item.frame.index + 1
        assert item.mark.origin_s == frames[0].frame.pts_s
    slots = [item.mark.last_slot for item in frames]
    assert all(b > a for a, b in pairwise(slots))


def test_readers_without_sound_or_text_yield_none(opened: Open):
    """Sources without such tracks give empty iterators, before and after the frames."""
    with opened(ReaderOptions(sample_hz=1.0)) as reader:
        assert list(reader.audio()) == []
        assert list(reader.subtitles()) == []


def test_pyav_and_decord_show_the_same_frames(sources: dict[str, str]):
    """Both decoders agree on which frame is shown when."""
    pytest.importorskip("decord")
    options = ReaderOptions(sample_hz=4.0, skip_nonref=False)
    shown = {}
    for reader in ("pyav", "decord"):
        with open_reader(sources["pyav"], options, reader=reader) as opened:
            shown[reader] = [
                (round(i.frame.pts_s, 4), _clips.number_in(i.frame.pixels)) for i in opened.frames()
            ]
    assert shown["pyav"] == shown["decord"]
    assert [number for _, number in shown["pyav"]][:4] == [0, 7, 13, 19]


def test_images_show_their_numbers(sources: dict[str, str], tmp_path: Path):
    """Images come in natural order: frame2 before frame10."""
    with open_reader(sources["images"], ReaderOptions(sample_hz=1.0)) as reader:
        numbers = [_clips.number_in(item.frame.pixels) for item in reader.frames()]
    assert numbers == list(range(FRAMES))
