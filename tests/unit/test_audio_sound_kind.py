"""The kind of rendered sounds."""

import numpy as np
import pytest
from numpy.typing import NDArray

from streammem.audio.options import BLOCK_SAMPLES, SAMPLE_RATE_HZ
from streammem.audio.sound_kind import MEMORY_BLOCKS, BlockSound, SoundKind

Samples = NDArray[np.float32]


def chords(seconds: float) -> Samples:
    """Chords of three notes with overtones, a new one every 0.8 s."""
    times = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    sound = np.zeros(len(times))
    roots = (220.0, 261.6, 196.0, 246.9, 174.6)
    for number in range(int(seconds / 0.8) + 1):
        here = (times >= number * 0.8) & (times < (number + 1) * 0.8)
        for ratio in (1.0, 1.25, 1.5, 2.0, 3.0):
            root = roots[number % len(roots)] * ratio
            sound[here] += np.sin(2 * np.pi * root * times[here]) / (6 * ratio)
    return sound.astype(np.float32) * 0.5


def noise(seconds: float, level: float = 0.05) -> Samples:
    """White noise."""
    random = np.random.default_rng(3)
    return (random.standard_normal(round(seconds * SAMPLE_RATE_HZ)) * level).astype(np.float32)


def _look(sound: Samples) -> list[BlockSound]:
    kind = SoundKind()
    whole = len(sound) - len(sound) % BLOCK_SAMPLES
    return [kind.look(sound[at : at + BLOCK_SAMPLES]) for at in range(0, whole, BLOCK_SAMPLES)]


def test_sound_kind_knows_held_notes():
    """Chords are music from the third second on, noise never is."""
    assert min(seen.music for seen in _look(chords(12.0))[6:]) > 0.6
    assert max(seen.music for seen in _look(noise(6.0))) < 0.2


def test_sound_kind_does_not_take_a_hum_for_music():
    """A tone that never changes is no music once it has lasted for some seconds."""
    times = np.arange(15 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    hum = (0.3 * np.sin(2 * np.pi * 400 * times)).astype(np.float32)

    assert max(seen.music for seen in _look(hum)[16:]) == 0.0


def test_sound_kind_does_not_take_a_gliding_voice_for_music():
    """Harmonics that glide like those of a voice are not held."""
    times = np.arange(10 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    pitch_hz = 140 + 40 * np.sin(2 * np.pi * 1.3 * times)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ
    voice = sum(np.sin(n * phase) / n for n in range(1, 20)) * 0.1

    assert max(seen.music for seen in _look(voice.astype(np.float32))[4:]) < 0.45


def test_sound_kind_knows_silence_and_levels():
    """Zeros are silent; a full sine has a power of -3 dBFS."""
    times = np.arange(BLOCK_SAMPLES) / SAMPLE_RATE_HZ
    tone = np.sin(2 * np.pi * 500 * times).astype(np.float32)

    silent, loud = _look(np.concatenate([np.zeros(BLOCK_SAMPLES, np.float32), tone]))

    assert silent.silent
    assert silent.music == silent.voice == silent.loud == 0.0
    assert not loud.silent
    assert loud.levels_dbfs == pytest.approx(-3.01, abs=0.05)
    assert loud.loud == 1.0


def test_sound_kind_remembers_no_more_than_it_says():
    """A verdict is the same whatever was heard before the blocks it depends on."""
    late = np.concatenate([chords(6.0), noise(6.0, 0.2)])[: (MEMORY_BLOCKS + 2) * BLOCK_SAMPLES]
    early = noise(20 * BLOCK_SAMPLES / SAMPLE_RATE_HZ, 0.4)

    alone, after = _look(late), _look(np.concatenate([early, late]))[20:]

    for one, other in zip(alone[MEMORY_BLOCKS:], after[MEMORY_BLOCKS:], strict=True):
        assert (one.held, one.modulation_db, one.step_db) == (
            other.held,
            other.modulation_db,
            other.step_db,
        )
