"""The boundary rule on streams of surprises, without any frames."""

import numpy as np
import pytest

from streammem.memory.boundary import (
    BoundaryState,
    EventLimits,
    frames_of_wild_events,
    least_surprise,
)
from streammem.memory.registry import POLICIES

POLICY = POLICIES["streammem"]
RULE = POLICY.boundary(POLICY.settings)


def cuts(frames: np.ndarray, wild_frames: int = 64, least: float = 0.004) -> list[int]:
    """Where the rule cuts a stream of unit frames, in clear loops."""
    state, first, found = BoundaryState(), 0, []
    for i in range(1, len(frames)):
        members = frames[first:i]
        surprise = float(np.mean(np.sum((members - frames[i]) ** 2, axis=1)) / 2)
        change = float(np.sum((frames[i] - frames[i - 1]) ** 2) / 2)
        cut, state = RULE.step(state, surprise, change, i - first, EventLimits(wild_frames, least))
        if cut:
            found.append(i)
            first = i
    return found


def stream(
    lengths: list[int], dim: int, noise: float, cone: float, seed: int = 0
) -> tuple[np.ndarray, list[int]]:
    """Unit frames of scenes of the given lengths, and where the scenes begin."""
    rng = np.random.default_rng(seed)
    common = cone * np.abs(rng.standard_normal(dim)) / np.sqrt(dim)
    scenes = np.repeat(rng.standard_normal((len(lengths), dim)) / np.sqrt(dim), lengths, axis=0)
    frames = common + scenes + noise * rng.standard_normal(scenes.shape) / np.sqrt(dim)
    frames /= np.linalg.norm(frames, axis=1, keepdims=True)
    return frames, np.cumsum(lengths)[:-1].tolist()


@pytest.mark.parametrize(
    ("dim", "noise", "cone"),
    [(512, 0.25, 0.0), (512, 0.6, 1.0), (128, 0.25, 3.0), (128, 0.1, 6.0)],
    ids=["far apart", "noisy cone", "cosines near 0.9", "cosines near 0.97"],
)
def test_two_frame_events_are_found_between_long_ones(dim: int, noise: float, cone: float) -> None:
    """Scenes of 25 frames and needles of two are cut where they begin, hardly anywhere else."""
    frames, truth = stream([25, 2, 25, 25, 2, 20, 2, 30, 25, 2, 25], dim, noise, cone)

    found = cuts(frames)
    assert set(truth) <= set(found)
    assert len(found) <= len(truth) + 3


def test_one_odd_frame_is_an_event() -> None:
    """A flash of one frame does not join the scenes around it."""
    frames, truth = stream([20, 1, 20], 512, 0.25, 0.5)

    assert cuts(frames) == truth


def test_equal_frames_are_cut_by_length_only() -> None:
    """A still stream is cut every `max_event_frames` frames."""
    frames = np.tile(stream([1], 64, 0, 0)[0], (200, 1))

    assert cuts(frames) == [64, 128, 192]


def test_a_still_scene_is_not_cut_by_faint_noise() -> None:
    """Noise that moves the cosine by less than the floor is no surprise."""
    frames, _ = stream([60], 128, 0.02, 1.0)
    frames[40:] += 0.02 * frames[0][::-1]

    assert cuts(frames / np.linalg.norm(frames, axis=1, keepdims=True)) == []


def test_slow_drift_is_cut_at_the_latest_by_length() -> None:
    """A scene that turns slowly does not stay one event for ever."""
    angle = np.linspace(0, np.pi, 400)
    frames = np.stack([np.cos(angle), np.sin(angle)], axis=1)

    found = [0, *cuts(frames), 400]

    assert max(np.diff(found)) <= 64


@pytest.mark.parametrize("length", [2, 3, 4])
def test_quick_cuts_are_all_found(length: int) -> None:
    """A montage of shots of two to four frames stays as many events, however long it runs."""
    frames, truth = stream([length] * 300, 256, 0.3, 0.5)

    missed = set(truth) - set(cuts(frames))

    assert len(missed) <= 6


def test_a_stream_of_nothing_but_noise_is_learned() -> None:
    """Frames that all differ alike soon end up inside events instead of one event a frame."""
    frames, _ = stream([1] * 300, 256, 0.5, 0.5)

    found = np.array(cuts(frames))

    assert np.count_nonzero(found >= 150) <= 150 // 10


def test_a_montage_does_not_blind_the_rule() -> None:
    """A scene after a stretch of single frames is enough to see short events again."""
    frames, truth = stream([1] * 100 + [30, 2, 25, 2, 25, 2, 25], 256, 0.3, 0.5)

    assert set(truth[102:]) <= set(cuts(frames))


def test_noise_does_not_cut_often() -> None:
    """In a scene of plain noise fewer than one frame in fifty cuts besides the length."""
    frames, _ = stream([3000], 256, 0.5, 0.5)

    assert len(cuts(frames)) <= 3000 // 64 + 3000 // 50


@pytest.mark.parametrize("wild", ["noise", "flicker"])
@pytest.mark.parametrize("seed", range(4))
def test_a_calm_scene_after_a_wild_one_is_cut_and_shows_its_needle(wild: str, seed: int) -> None:
    """What noise or flicker made usual is forgotten within two changes of a calm scene."""
    rng = np.random.default_rng(seed)
    calm, _ = stream([30, 12, 2, 20], 512, 0.25, 0.5, seed)
    middle = rng.standard_normal((25, 512))
    if wild == "flicker":
        middle = np.tile(rng.standard_normal((2, 512)), (13, 1))[:25]
    middle += 0.5 * rng.standard_normal(512)
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)

    found = cuts(np.concatenate([calm[:30], middle, calm[30:]]))

    assert any(55 <= cut <= 57 for cut in found)
    assert {67, 69} <= set(found)
    assert found[-1] == 69


@pytest.mark.parametrize("seed", range(4))
def test_a_wild_scene_is_few_events(seed: int) -> None:
    """Noise after calm is not one event for each frame."""
    rng = np.random.default_rng(seed)
    calm, _ = stream([30], 512, 0.25, 0.5, seed)
    noise = rng.standard_normal((40, 512))
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)

    assert len(cuts(np.concatenate([calm, noise]))) <= 6


@pytest.mark.parametrize("cone", [0.0, 1.0, 2.0])
def test_unlike_pictures_are_an_event_each_where_there_is_room(cone: float) -> None:
    """An album is not one event; where room is short its pictures share some."""
    pictures, _ = stream([1] * 60, 256, 0.0, cone)

    assert cuts(pictures, wild_frames=1)[-50:] == list(range(10, 60))
    assert len(cuts(pictures, wild_frames=4)) < 30


def test_scenes_are_not_wild() -> None:
    """Frames of scenes are not taken apart."""
    frames, truth = stream([25, 30, 20, 25, 40], 256, 0.4, 0.5)

    assert cuts(frames, wild_frames=1) == truth


def test_noise_is_an_album_only_where_events_are_short() -> None:
    """A change of 0.55 of what begins an event: noise in scenes that last, else an album."""
    state = BoundaryState(usual_mean=0.275, far_mean=0.5)

    assert not RULE.is_wild(state._replace(length=12.0))
    assert RULE.is_wild(state._replace(length=3.0))
    assert RULE.is_wild(state._replace(usual_mean=0.31))


def test_wild_events_grow_as_they_take_up_room() -> None:
    """Single frames first, then twice as many at once, step by step."""
    shares = (0, 0.49, 0.5, 0.57, 0.63, 0.7, 0.75)

    assert [frames_of_wild_events(share, 64) for share in shares] == [1, 1, 2, 4, 8, 16, 64]


def test_a_memory_short_of_bytes_overlooks_moves_inside_a_scene() -> None:
    """Each cut of looks raises what a frame must surprise by; scenes are still told apart."""
    frames, truth = stream([25, 25, 25], 512, 0.1, 0.5)
    frames[10:15] += 0.25 * np.roll(frames[10], 7)
    frames /= np.linalg.norm(frames, axis=1, keepdims=True)
    least = [least_surprise(0.004, cuts) for cuts in range(5)]

    assert least == pytest.approx([0.004, 0.02, 0.08, 0.08, 0.08])
    assert cuts(frames, least=least[0]) == [10, 15, *truth]
    assert cuts(frames, least=least[2]) == truth


def test_a_still_scene_after_a_slow_pan_is_not_wild() -> None:
    """What begins an event in a pan is too little to call noise unlike scenes."""
    rng = np.random.default_rng(0)
    steps = 0.05 * rng.standard_normal((200, 256)) / 16
    pan = rng.standard_normal(256) / 16 + np.cumsum(steps, axis=0)
    still = pan[-1] + 0.1 * rng.standard_normal((600, 256)) / 16
    frames = np.concatenate([pan, still])
    frames /= np.linalg.norm(frames, axis=1, keepdims=True)

    found = cuts(frames, wild_frames=1)

    assert sum(cut > 250 for cut in found) < 20
