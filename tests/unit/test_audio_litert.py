"""What is refused as a sound classifier."""

import zipfile
from pathlib import Path

import pytest

pytest.importorskip("ai_edge_litert", reason="the extra `sound` is not installed")

from streammem.audio._litert import LiteRtTagger
from streammem.core.errors import MissingError


def test_a_file_that_is_no_model_is_refused(tmp_path: Path):
    """The message names the file."""
    path = tmp_path / "noise.tflite"
    path.write_bytes(b"nothing of that kind" * 100)

    with pytest.raises(MissingError, match=r"noise\.tflite cannot be used: it is not a TFLite"):
        LiteRtTagger(str(path))


def test_a_missing_file_is_named():
    """The path is in the message, and so is what to do."""
    with pytest.raises(MissingError, match=r"/nowhere/at/all\.tflite does not exist"):
        LiteRtTagger("/nowhere/at/all.tflite")


def test_a_classifier_of_pictures_is_refused(shared: Path):
    """It takes other inputs than windows of samples."""
    path = shared / "weights" / "imagenet_tf2_mobilenet_v2_ptq.tflite"
    if not path.is_file():
        pytest.skip("the shared weights are absent")

    with pytest.raises(MissingError, match="cannot be used"):
        LiteRtTagger(str(path))


def test_a_model_without_labels_is_refused(shared: Path, tmp_path: Path):
    """Scores without names say nothing."""
    packed = shared / "weights" / "yamnet_audio_classifier.tflite"
    if not packed.is_file():
        pytest.skip("the shared weights are absent")
    with zipfile.ZipFile(packed) as labels:
        begins = min(entry.header_offset for entry in labels.infolist())
    path = tmp_path / "bare.tflite"
    path.write_bytes(packed.read_bytes()[:begins])

    with pytest.raises(MissingError, match="no list of labels"):
        LiteRtTagger(str(path))
