"""The voice model of the wheel: block sizes, interruptions, and its two forms."""

import json

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnxruntime", reason="the extra `speech` is not installed")
pytest.importorskip("silero_vad", reason="the extra `speech` is not installed")

from streammem.audio import _silero
from streammem.audio._silero import SileroVoice
from streammem.audio.options import HOP_SAMPLES


def murmur(hops: int) -> NDArray[np.float32]:
    """Gliding harmonics in bursts, which the model takes for a voice now and then."""
    times = np.arange(hops * HOP_SAMPLES) / 16000
    phase = 2 * np.pi * np.cumsum(130 + 30 * np.sin(2 * np.pi * 0.9 * times)) / 16000
    voice = sum(np.sin(n * phase) / n for n in range(1, 15)) * 0.1
    bursts = 0.5 + 0.5 * np.sin(2 * np.pi * 3.1 * times)
    noise = np.random.default_rng(2).standard_normal(len(times)) * 0.01
    return np.asarray(voice * bursts + noise, np.float32)


def _probabilities(voice: SileroVoice, samples: NDArray[np.float32], hops: int) -> list[float]:
    size = hops * HOP_SAMPLES
    parts = (samples[at : at + size] for at in range(0, len(samples), size))
    return [p for part in parts for p in voice.probabilities(part).tolist()]


@pytest.mark.parametrize("hops", [1, 15, 60])
def test_probabilities_do_not_depend_on_the_block(hops: int):
    """Bit for bit the same, one hop or sixty at a time."""
    samples = murmur(120)

    assert _probabilities(SileroVoice(), samples, hops) == _probabilities(
        SileroVoice(), samples, 120
    )


def test_probabilities_tell_silence():
    """Zeros are no voice."""
    assert max(_probabilities(SileroVoice(), np.zeros(60 * HOP_SAMPLES, np.float32), 15)) < 0.2


def test_voice_goes_on_from_its_state():
    """Through JSON the same probabilities follow, also in a model that heard something else."""
    samples = murmur(90)
    one, two = SileroVoice(), SileroVoice()
    one.probabilities(samples[: 45 * HOP_SAMPLES])
    two.probabilities(murmur(7) * 3)

    two.restore(json.loads(json.dumps(one.state())))

    rest = samples[45 * HOP_SAMPLES :]
    assert two.probabilities(rest).tolist() == one.probabilities(rest).tolist()


def test_voice_forgets_on_reset():
    """After a reset a stretch sounds like the first one."""
    samples = murmur(45)
    voice = SileroVoice()
    first = voice.probabilities(samples).tolist()

    voice.reset()

    assert voice.probabilities(samples).tolist() == first


def test_the_stepwise_model_says_the_same(monkeypatch: pytest.MonkeyPatch):
    """Wheels without the model for whole blocks have one for single hops."""
    samples = murmur(90)
    blocks = SileroVoice()
    monkeypatch.setattr(_silero, "_SEQUENCE", "not_in_this_wheel.onnx")
    hops = SileroVoice()

    assert hops.id != blocks.id
    assert _probabilities(hops, samples, 15) == pytest.approx(
        _probabilities(blocks, samples, 15), abs=1e-4
    )
    again = SileroVoice()
    again.restore(json.loads(json.dumps(hops.state())))
    assert again.probabilities(samples).tolist() == hops.probabilities(samples).tolist()
