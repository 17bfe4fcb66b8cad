"""The trained encoder's vectors of five pictures and ten texts, as they were when it was shipped.

    python tests/golden/test_embedded_vectors.py

writes them anew, after a change of the weights that was meant.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from streammem.encoders.embedded_check import EXACT
from streammem.encoders.load import load_encoder

GOLDEN = Path(__file__).with_name("embedded_vectors.json")
TEXTS = (
    "dog",
    "a red car",
    "people at a table",
    "animal",
    "something blue",
    "bottle on the left",
    "dark",
    "laptop and book",
    "polar bears",
    "gobbledygook",
)
# Machines round sums differently; weights are shipped in half precision.
TOLERANCE = 1e-3
DIGITS = 4


def pictures() -> dict[str, Any]:
    """Five pictures uint8 `[3 120 160]` that follow from arithmetic alone."""
    row, column = np.mgrid[0:120, 0:160]
    disc = (row - 60) ** 2 + (column - 50) ** 2 < 900
    checks = (row // 15 + column // 20) % 2
    noise = (row * 7919 + column * 104_729 + row * column * 31) % 251
    drawn = {
        "black": np.zeros((3, 120, 160)),
        "gradient": np.stack([column * 1.6, row * 2.1, 255 - column * 1.6]),
        "red disc": np.stack([np.where(disc, 220, 235), *[np.where(disc, 30, 235)] * 2]),
        "checks": np.stack([checks * 255] * 3),
        "noise": np.stack([noise, np.roll(noise, 11, 0), np.roll(noise, 17, 1)]),
    }
    return {name: np.clip(values, 0, 255).astype(np.uint8) for name, values in drawn.items()}


def vectors() -> dict[str, Any]:
    """What the shipped encoder says now."""
    encoder = load_encoder("embedded-v1", runtime=EXACT)
    found: dict[str, Any] = {"digest": encoder.spec.digest, "pictures": {}, "texts": {}}
    for name, picture in pictures().items():
        features = encoder.encode_images(picture[np.newaxis])
        assert features.tokens is not None
        found["pictures"][name] = {
            "embedding": features.embeddings[0],
            "token 0": features.tokens[0, 0],
            "token 21": features.tokens[0, 21],
        }
    for text in TEXTS:
        read = encoder.encode_text(text)
        found["texts"][text] = {"embedding": read.embedding, "unknown": list(read.unknown_words)}
    return found


def test_vectors_are_those_that_were_shipped():
    """Weights, preprocessing and text side together: any drift makes old memories unreadable."""
    golden, now = json.loads(GOLDEN.read_text(encoding="utf-8")), vectors()

    assert now["digest"] == golden["digest"]
    for name, expected in golden["pictures"].items():
        for part, values in expected.items():
            found = now["pictures"][name][part]
            np.testing.assert_allclose(found, values, atol=TOLERANCE, err_msg=f"{name}, {part}")
    for text, expected in golden["texts"].items():
        found = now["texts"][text]
        assert found["unknown"] == expected["unknown"]
        np.testing.assert_allclose(
            found["embedding"], expected["embedding"], atol=TOLERANCE, err_msg=text
        )


def test_golden_vectors_say_something():
    """Pictures and texts differ from each other, so that a constant encoder would fail here."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    rows = np.array([each["embedding"] for each in golden["pictures"].values()])
    texts = np.array([each["embedding"] for each in golden["texts"].values()])

    assert len(rows) == 5
    assert len(texts) == 10
    assert (rows @ rows.T - np.eye(5)).max() < 0.95
    assert not texts[TEXTS.index("gobbledygook")].any()


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        return [round(float(each), DIGITS) for each in value]
    return value


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(_rounded(vectors())) + "\n", encoding="utf-8")
