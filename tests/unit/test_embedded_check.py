"""The check that `doctor` runs on the shipped weights: it passes here, and it can fail."""

import numpy as np
import pytest

from streammem.core.errors import MissingError
from streammem.encoders import embedded_check
from streammem.encoders._embedded import EmbeddedEncoder
from streammem.encoders.embedded_check import EXACT, TOLERANCES, check_picture, deviations
from streammem.runtime.doctor import _shipped_weights


def test_shipped_weights_give_the_shipped_vectors():
    """Exactly, and in the number type that encoding takes on this machine."""
    found = deviations()

    assert {EXACT.dtype, EmbeddedEncoder().runtime.dtype} == set(found)
    assert all(deviation <= TOLERANCES[dtype] for dtype, deviation in found.items())


def test_another_preprocessing_is_noticed(monkeypatch):
    """Channels swapped, a common mistake, must not pass as the same model."""
    swapped = check_picture()[:, ::-1]
    monkeypatch.setattr(embedded_check, "check_picture", lambda: swapped)

    assert deviations()[EXACT.dtype] > 10 * TOLERANCES[EXACT.dtype]
    assert [check.status for check in _shipped_weights()] == ["failed"]


def test_damaged_files_are_a_failed_check_not_a_crash(monkeypatch):
    def damaged(self, pixels):
        raise MissingError("digest", hint="reinstall streammem", code="digest_mismatch")

    monkeypatch.setattr(EmbeddedEncoder, "encode_images", damaged)
    (check,) = _shipped_weights()

    assert check.status == "failed"
    assert check.fix == "reinstall streammem"


def test_the_check_picture_is_a_picture():
    picture = check_picture()

    assert picture.shape == (1, 3, 240, 320)
    assert picture.dtype == np.uint8
    assert pytest.approx(255, abs=60) == int(picture.max())
