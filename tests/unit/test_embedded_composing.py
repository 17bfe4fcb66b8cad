"""Pictures composed of others: of which, how often, and what may be learned from them."""

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

TRAIN = Path(__file__).resolve().parents[2] / "models" / "embedded-v1" / "train"
RED, BLUE = (200, 0, 0), (0, 0, 200)
COUNTS = {"train": 6, "val": 3}
CUP = 41


@pytest.fixture
def training(monkeypatch):
    """The modules by name, forgotten again afterwards with those that they import."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(TRAIN))
    names = ("compose", "detect", "finish", "measure", "pictures", "views")
    modules = SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    monkeypatch.setattr(modules.compose, "COUNTS", COUNTS)
    yield modules
    for name in set(sys.modules) - before:
        if (TRAIN / f"{name}.py").is_file():
            del sys.modules[name]


def store_of(folder: Path, training: SimpleNamespace) -> Path:
    """Red pictures to train on and blue ones to validate with, a cup in each."""
    folder.mkdir()
    rows, pixels = [], []
    for number, (split, colour) in enumerate([("train", RED), ("val", BLUE)] * 3):
        pixels.append(np.full((80, 100 + number, 3), colour, np.uint8))
        rows.append({
            "file": f"{number}.jpg", "split": split, "set": "coco_cc", "label": "",
            "offset": sum(each.size for each in pixels[:-1]),
            "height": 80, "width": 100 + number,
        })  # fmt: skip
    (folder / "pictures.bin").write_bytes(b"".join(each.tobytes() for each in pixels))
    (folder / "pictures.json").write_text(json.dumps(rows))
    boxes = np.tile(np.float32([0.2, 0.2, 0.8, 0.9, 0.9, CUP]), (len(rows), 1))
    np.savez(folder / "boxes.npz", boxes=boxes, starts=np.arange(len(rows) + 1))
    return folder


def test_pictures_are_composed_of_their_own_split_alone(training, tmp_path):
    """What validates is never seen in training, not even in part."""
    folder = store_of(tmp_path / "work", training)
    training.compose.compose(folder)
    store = training.pictures.PictureStore(folder)

    for split, name, other in (("train", "train", 2), ("composed", "val", 0)):
        rows = [row for row in store.of_split(split) if store.pictures[row].set == "composed"]
        assert len(rows) == COUNTS[name]
        for row in rows:
            pixels = store.pixels(row)
            assert pixels.shape[0] == 192
            assert 1.09 < pixels.shape[1] / 192 < 1.91
            assert pixels[..., other].max() == 0
            assert pixels[..., 2 - other].max() >= 199
    assert len(store.of_split("val")) == 3


def test_pictures_are_composed_once_and_after_a_kill_as_without_it(training, tmp_path):
    """Bytes that a killed run left behind are written over; the first pictures stay."""
    whole, killed = (store_of(tmp_path / name, training) for name in ("whole", "killed"))
    before = (whole / "pictures.bin").read_bytes()
    with (killed / "pictures.bin").open("ab") as out:
        out.write(bytes(3_000_000))
    for folder in (whole, killed, whole):
        training.compose.compose(folder)

    made = (whole / "pictures.bin").read_bytes()
    assert made.startswith(before)
    assert len(made) > len(before)
    assert (killed / "pictures.bin").read_bytes() == made
    assert (killed / "pictures.json").read_text() == (whole / "pictures.json").read_text()


def test_of_a_composed_picture_no_label_is_known(training):
    """What was laid into it may be hidden: the teachers alone say what it shows."""
    vocabulary = SimpleNamespace(picture_leaf=("cup", "street"))
    words = training.views.Views._words(SimpleNamespace(_vocabulary=vocabulary), "composed", "")

    assert (words == training.views.UNKNOWN).all()


def test_candidates_are_compared_over_composed_pictures_as_much_as_over_others(training):
    """A noun seen once counts there too; it is not enough to call the noun known or not."""
    found = training.measure.NounFound
    seen = {"dog": found(0.9, 0.1, 8), "squirrel": found(0.5, 0.1, 1)}
    composed = {"dog": found(0.3, 0.1, 2)}
    nothing = np.zeros((0, 0), np.float32)

    candidate = training.finish.Candidate(
        Path("weights"), (0.0, 0.5, 0.3), None, None, None, nothing, seen, composed
    )

    assert candidate.mean_precision == pytest.approx((0.7 + 0.3) / 2)
    assert list(candidate.nouns) == ["dog"]


def test_pictures_that_come_later_are_detected_and_no_others(training, tmp_path, shared):
    """Boxes of the first pictures stay as they are."""
    pytest.importorskip("onnxruntime")
    folder = store_of(tmp_path / "work", training)
    training.compose.compose(folder)
    with np.load(folder / "boxes.npz") as file:
        first = dict(file)

    training.detect.detect(folder, shared / "weights", processes=1)

    with np.load(folder / "boxes.npz") as file:
        held = dict(file)
    count = len(first["starts"])
    assert len(held["starts"]) == count + sum(COUNTS.values())
    np.testing.assert_array_equal(held["starts"][:count], first["starts"])
    np.testing.assert_array_equal(held["boxes"][: len(first["boxes"])], first["boxes"])
    assert held["starts"][-1] == len(held["boxes"])
