"""The encoders on real footage: shots are told apart, quick and slow preparation agree."""

import json
from pathlib import Path

import av
import numpy as np
import pytest

from streammem.encoders._descriptor import DescriptorEncoder
from streammem.encoders.preprocess import Preprocessing, fit, normalise, prepare_reference

SHORT_SIDE_PX = 224


def sampled(path: Path, step_s: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Times and frames uint8 [B 3 H W] at two a second, scaled by the video library."""
    times, frames, wanted_s = [], [], None
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            wanted_s = frame.time if wanted_s is None else wanted_s
            if frame.time + 1e-6 < wanted_s:
                continue
            wanted_s += step_s
            scale = SHORT_SIDE_PX / min(frame.width, frame.height)
            size = round(frame.width * scale), round(frame.height * scale)
            frames.append(frame.reformat(*size, "rgb24").to_ndarray().transpose(2, 0, 1))
            times.append(frame.time)
    return np.array(times), np.stack(frames)


@pytest.mark.parametrize(
    ("clip", "largest"),
    [("bbb_opening_30s.webm", 0.75), ("chrome_hammock.mp4", 0.90), ("nasa_mirrors.mp4", 0.90)],
)
def test_shots_are_told_apart(real_clips, clip, largest):
    """Over an annotated cut the cosine is lower than between nearly all frames of a shot."""
    times, frames = sampled(real_clips / clip)
    annotations = json.loads((real_clips / "annotations" / f"{Path(clip).stem}.json").read_text())
    shots = [entry for entry in annotations if entry["kind"] == "shot"]
    shot = np.full(len(times), -1)
    for index, entry in enumerate(shots):
        shot[(times >= entry["start_s"]) & (times < entry["end_s"])] = index

    vectors = DescriptorEncoder().encode_images(frames).embeddings
    cosines = (vectors[1:] * vectors[:-1]).sum(axis=1)
    inside = (shot[1:] == shot[:-1]) & (shot[1:] >= 0)
    across = (shot[1:] != shot[:-1]) & (shot[1:] >= 0) & (shot[:-1] >= 0)

    assert across.sum() >= 2
    assert np.median(cosines[inside]) > 0.99
    assert cosines[across].max() < largest


@pytest.mark.parametrize(
    ("clip", "present", "absent"),
    [
        ("sam2_cups.mp4", "a red cup", "a purple cup"),
        ("webrtc_two_men_office.webm", "a man in a red sweater", "a man in an orange sweater"),
        ("sam2_juggle.mp4", "green grass", "a cyan shirt"),
        ("bbb_opening_30s.webm", "a pink sky", "a red sky"),
        ("camtrap_waterhole.avi", "something blue", "something orange"),
    ],
)
def test_colours_of_real_clips_are_present_and_others_absent(real_clips, clip, present, absent):
    """Confidence over 0.5 for what the clip shows, under 0.5 for what it does not."""
    encoder = DescriptorEncoder()
    background = encoder.background()
    features = encoder.encode_images(sampled(real_clips / clip, 1.0)[1])

    def confidence(text: str) -> float:
        query = encoder.encode_text(text).embedding
        usual = background.vectors @ query
        best = max((features.embeddings @ query).max(), (features.tokens @ query).max())
        strength = (best - usual.mean()) / usual.std()
        return float(1 / (1 + np.exp(-(strength - background.midpoint) / background.scale)))

    assert confidence(present) > 0.5
    assert confidence(absent) < 0.5


def test_quick_preparation_agrees_with_the_reference(real_clips):
    """Frames scaled by the video library embed like full-size frames scaled by PIL."""
    encoder = DescriptorEncoder()
    wanted = Preprocessing(SHORT_SIDE_PX, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    with av.open(str(real_clips / "sam2_dog.mp4")) as container:
        frame = next(container.decode(video=0))
        full = frame.to_ndarray(format="rgb24").transpose(2, 0, 1)
        size = round(frame.width * SHORT_SIDE_PX / frame.height), SHORT_SIDE_PX
        scaled = frame.reformat(*size, "rgb24").to_ndarray().transpose(2, 0, 1)

    reference = prepare_reference(full, wanted)
    quick = normalise(fit(scaled[np.newaxis], wanted), wanted)[0]
    slow, fast = (
        encoder.encode_images(fit(picture[np.newaxis], wanted)).embeddings[0]
        for picture in (full, scaled)
    )

    assert np.abs(reference - quick).mean() < 0.1
    assert float(slow @ fast) > 0.99
