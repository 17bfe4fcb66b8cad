"""The committed sample clips, their truth files and the script that makes them agree."""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from samples import render

CLIPS = ("scenes", "vfr_delayed")

# Mean (red, green, blue) and spread of grey values that make a scene what its label says.
SCENE_LOOKS = {
    "red room": lambda mean, spread: mean[0] > 2.5 * max(mean[1], mean[2]),
    "blue night sky": lambda mean, spread: mean[2] > 2.0 * max(mean[0], mean[1]) and mean[2] > 90,
    "green meadow": lambda mean, spread: mean[1] > 1.5 * max(mean[0], mean[2]),
    "striped wall": lambda mean, spread: np.ptp(mean) < 8 and 80 < spread < 110,
    "yellow screen": lambda mean, spread: min(mean[0], mean[1]) > 180 and mean[2] < 60,
    "checkerboard": lambda mean, spread: np.ptp(mean) < 8 and 95 < spread < 125,
    "snowstorm": lambda mean, spread: np.ptp(mean) < 8 and 40 < spread < 80,
    "dark scene": lambda mean, spread: max(mean) < 25,
    "purple curtain": lambda mean, spread: min(mean[0], mean[2]) > 2.0 * mean[1],
    "white screen": lambda mean, spread: min(mean) > 225,
    "blue screen": lambda mean, spread: mean[2] > 3.0 * max(mean[0], mean[1]),
    "orange screen": lambda mean, spread: mean[0] > 1.5 * mean[1] > 4.0 * mean[2],
    "green screen": lambda mean, spread: mean[1] > 2.0 * max(mean[0], mean[2]),
}
OBJECT_COLORS = {
    "white disc": (245, 245, 245), "red ball": (220, 25, 25), "orange square": (255, 140, 0),
}  # fmt: skip


def _truth(samples: Path, name: str) -> dict[str, Any]:
    return dict(json.loads((samples / f"{name}.truth.json").read_text(encoding="utf-8")))


def _events(truth: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [event for event in truth["events"] if event["kind"] == kind]


@pytest.fixture(scope="module", params=CLIPS)
def clip(request: pytest.FixtureRequest) -> tuple[dict[str, Any], list[tuple[float, float, Any]]]:
    """(truth, every frame as (pts_s, duration_s, pixels [90 160 3])) of one committed clip."""
    samples = Path(render.__file__).parent
    truth = _truth(samples, request.param)
    with av.open(str(samples / truth["video"])) as container:
        frames = [
            (float(frame.time), float(frame.duration * frame.time_base), _small_rgb(frame))
            for frame in container.decode(video=0)
        ]
    return truth, frames


def _small_rgb(frame: Any) -> NDArray[np.uint8]:
    small = frame.reformat(width=160, height=90, format="rgb24", interpolation="AREA")
    return np.asarray(small.to_ndarray())


def test_truth_duration_is_that_of_the_frames(clip: Any) -> None:
    """Start and length in the truth are those of the decoded frames, within a millisecond."""
    truth, frames = clip

    assert frames[0][0] == pytest.approx(truth["start_s"], abs=1e-3)
    length_s = frames[-1][0] + frames[-1][1] - frames[0][0]
    assert length_s == pytest.approx(truth["duration_s"], abs=1e-3)


def test_scenes_cover_the_clip_without_gap_or_overlap(clip: Any) -> None:
    """Every instant belongs to exactly one scene."""
    truth, _ = clip
    scenes = _events(truth, "scene")

    edges = [event["start_s"] for event in scenes] + [scenes[-1]["end_s"]]
    assert edges[0] == truth["start_s"]
    assert edges[-1] == truth["start_s"] + truth["duration_s"]
    assert [event["end_s"] for event in scenes] == edges[1:]


def test_every_frame_looks_like_its_scene(clip: Any) -> None:
    """Mean colour and contrast of each frame are those of the scene the truth puts it in."""
    truth, frames = clip
    scenes = _events(truth, "scene")

    strange = []
    for pts_s, _, pixels in frames:
        label = next(e["label"] for e in scenes if e["start_s"] <= pts_s + 1e-3 < e["end_s"])
        mean, spread = pixels.reshape(-1, 3).mean(axis=0), pixels.mean(axis=-1).std()
        if not SCENE_LOOKS[label](mean, spread):
            strange.append((pts_s, label, mean.round(), round(float(spread))))

    assert strange == []


def _near(pixels: NDArray[np.uint8], color: tuple[int, int, int]) -> int:
    distance = np.abs(pixels.astype(np.int16) - np.array(color)).max(axis=-1)
    return int((distance < 40).sum())


def test_objects_are_seen_in_their_events_only(clip: Any) -> None:
    """In the middle of its event an object's colour fills an area that it lacks just before."""
    truth, frames = clip

    for event in _events(truth, "object"):
        color = OBJECT_COLORS[event["label"]]
        before_s, middle_s = event["start_s"] - 1 / 12, (event["start_s"] + event["end_s"]) / 2
        before, middle = (
            min(frames, key=lambda f: abs(f[0] - at_s)) for at_s in (before_s, middle_s)
        )
        assert _near(middle[2], color) - _near(before[2], color) > 200, event


def test_screen_words_start_and_end_on_time(samples: Path) -> None:
    """The middle of the picture changes exactly at the first and last frame with the word."""
    hello = next(e for e in _truth(samples, "scenes")["events"] if e["label"] == "HELLO")
    with av.open(str(samples / "scenes.mp4")) as container:
        dark = [
            float(frame.time)
            for frame in container.decode(video=0)
            if 15.5 <= frame.time < 19.5 and frame.to_ndarray(format="gray").min() < 90
        ]

    assert dark[0] == pytest.approx(hello["start_s"])
    assert dark[-1] == pytest.approx(hello["end_s"] - 1 / 12)


def test_subtitle_track_holds_the_truth(samples: Path) -> None:
    """The mov_text track has the cues of the truth with their times."""
    expected = [
        (e["start_s"], e["end_s"], e["label"])
        for e in _events(_truth(samples, "scenes"), "subtitle")
    ]
    cues = []
    with av.open(str(samples / "scenes.mp4")) as container:
        for packet in container.demux(container.streams.subtitles[0]):
            text = bytes(packet)[2:].decode() if packet.size else ""
            if text:
                start_s = float(packet.pts * packet.time_base)
                cues.append((start_s, start_s + float(packet.duration * packet.time_base), text))

    assert cues == expected


def test_sample_has_b_frames(samples: Path) -> None:
    """Decoding order differs from presentation order, as in most real files."""
    with av.open(str(samples / "scenes.mp4")) as container:
        pts = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]

    assert pts != sorted(pts)


def test_variable_rate_clip_has_the_steps_it_claims(samples: Path) -> None:
    """The time between frames takes the four stated values, in order."""
    with av.open(str(samples / "vfr_delayed.mkv")) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]

    steps = np.diff(times)
    assert sorted({round(step, 2) for step in steps.tolist()}) == [0.04, 0.08, 0.25, 0.5]


def test_render_makes_the_committed_files(samples: Path, tmp_path: Path) -> None:
    """One command gives the same truth, and pictures equal to the eye (encoders may differ)."""
    render.render_all(tmp_path)

    for name in CLIPS:
        assert _truth(tmp_path, name) == _truth(samples, name)
    for name in ("scenes.mp4", "vfr_delayed.mkv"):
        for old, new in zip(_thumbs(samples / name), _thumbs(tmp_path / name), strict=True):
            assert np.abs(old - new).mean() < 3.0


def _thumbs(path: Path) -> list[NDArray[np.int16]]:
    with av.open(str(path)) as container:
        return [
            frame.to_ndarray(format="gray").astype(np.int16)
            for index, frame in enumerate(container.decode(video=0))
            if index % 20 == 0
        ]


def test_truth_asks_every_kind_of_question(samples: Path) -> None:
    """At least 25 questions, over all intents of this stage, with yes, no and abstention."""
    questions = [q for name in CLIPS for q in _truth(samples, name)["questions"]]

    assert len(_truth(samples, "scenes")["questions"]) >= 25
    assert {q["intent"] for q in questions} == {
        "when", "what_at", "exists", "count", "duration", "order", "now", "choose", "describe",
    }  # fmt: skip
    assert {q["value"] for q in questions if q["intent"] == "exists"} == {True, False}
    assert sum(q["abstain"] for q in questions) >= 4
    for question in questions:
        answerable = bool(question["expected_spans"]) or question["value"] is False
        assert answerable is not question["abstain"], question["question"]


def test_committed_samples_are_small(samples: Path) -> None:
    """Clips and truth together stay under 1.5 MB."""
    assert sum(path.stat().st_size for path in samples.iterdir() if path.is_file()) < 1_500_000
