"""Training that goes on from shipped files: a larger tower computes at first what they compute."""

import importlib
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

TRAIN = Path(__file__).resolve().parents[2] / "models" / "embedded-v1" / "train"
MODULES = ("student", "words", "views", "halves", "optimiser", "train", "export", "grow")
SMALL = (((8, 4, 1), (16, 8, 1), (24, 8, 2), (32, 16, 1)), 40)
LARGE = (((8, 8, 1), (24, 8, 2), (24, 12, 2), (48, 16, 3)), 56)


@pytest.fixture
def training(monkeypatch):
    """The modules of the training folder, forgotten again afterwards."""
    monkeypatch.syspath_prepend(str(TRAIN))
    before = set(sys.modules)
    yield {name: importlib.import_module(name) for name in MODULES}
    for name in set(sys.modules) - before:
        if str(TRAIN) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


def _tower(training, monkeypatch, shape):
    tower = _fresh(training, monkeypatch, shape)
    for part in tower.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.weight, 0.5, 1.5)
            torch.nn.init.normal_(part.bias, 0.0, 0.2)
            torch.nn.init.normal_(part.running_mean, 0.0, 0.2)
            torch.nn.init.uniform_(part.running_var, 0.5, 1.5)
    return tower.eval()


def _shipped(training, monkeypatch, path, shape=SMALL):
    """A trained tower, and what is read from the file that it is shipped in."""
    tower = _tower(training, monkeypatch, shape)
    training["export"].export_tower(tower, path)
    return tower, training["grow"].stages_of(load_file(path))


def _fresh(training, monkeypatch, shape):
    stages, head = shape
    monkeypatch.setattr(training["student"], "STAGES", stages)
    monkeypatch.setattr(training["student"], "HEAD", head)
    return training["student"].Tower()


def test_a_larger_tower_starts_as_the_shipped_one(training, monkeypatch, tmp_path):
    """Wider stages, more channels inside, more bottlenecks: the same vectors."""
    torch.manual_seed(1)
    small, stages = _shipped(training, monkeypatch, tmp_path / "weights.safetensors")
    large = _fresh(training, monkeypatch, LARGE)
    pictures = torch.randn(24, 3, 64, 64)

    training["grow"].grow(large, stages, pictures)

    with torch.inference_mode():
        expected, expected_tokens = (functional.normalize(each, dim=-1) for each in small(pictures))
        for tower in (large.train(), large.eval()):
            found, tokens = (functional.normalize(each, dim=-1) for each in tower(pictures))
            assert (found * expected).sum(-1).min() > 0.9999
            assert (tokens * expected_tokens).sum(-1).min() > 0.999


def test_all_that_is_new_can_learn(training, monkeypatch, tmp_path):
    """New channels are read by nothing at first, but every weight gets a gradient in two steps."""
    torch.manual_seed(2)
    _, stages = _shipped(training, monkeypatch, tmp_path / "weights.safetensors")
    large = _fresh(training, monkeypatch, LARGE)
    pictures = torch.randn(8, 3, 64, 64)
    training["grow"].grow(large, stages, pictures)
    optimiser = torch.optim.SGD(large.parameters(), lr=0.1)
    moved = {name: torch.zeros_like(each) for name, each in large.named_parameters()}
    for _ in range(3):
        optimiser.zero_grad()
        large(pictures)[0].square().sum(1).mean().backward()
        for name, each in large.named_parameters():
            moved[name] += each.grad.abs()
        optimiser.step()

    assert all(each.amax() > 0 for each in moved.values())


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((((8, 4, 1), (16, 8, 1), (24, 8, 1), (32, 16, 1)), 40), "bottlenecks more than"),
        ((((8, 4, 1), (12, 8, 1), (24, 8, 2), (32, 16, 1)), 40), "does not fit"),
    ],
)
def test_a_tower_that_is_too_small_is_refused(training, monkeypatch, tmp_path, shape, reason):
    _, stages = _shipped(training, monkeypatch, tmp_path / "weights.safetensors")
    tower = _fresh(training, monkeypatch, shape)

    with pytest.raises(ValueError, match=reason):
        training["grow"].grow(tower, stages, torch.randn(4, 3, 64, 64))


def test_words_start_with_their_shipped_vectors(training, monkeypatch, tmp_path):
    """By name, whatever row they have; words that are new start as in any run."""
    from safetensors.torch import save_file

    vocabulary = training["words"].Vocabulary(
        leaves=("dog", "cat"),
        concepts=(frozenset({0}), frozenset({1}), frozenset({0, 1})),
        words={"dog": 0, "cat": 1, "animal": 2, "beast": 2},
        picture_leaf={},
    )
    (tmp_path / "words.txt").write_text("animal,beast\ndog\nunicorn\n")
    codes = torch.zeros(3, training["student"].DIM, dtype=torch.int8)
    codes[0, 5], codes[1, 3], codes[2, 1] = 100, 50, 10
    save_file({"codes": codes, "scales": torch.ones(3)}, tmp_path / "words.safetensors")
    monkeypatch.setattr(training["grow"], "CLASSES", 2)
    monkeypatch.setattr(training["train"], "CLASSES", 2)

    concepts, singles = training["grow"].word_vectors_of(tmp_path, vocabulary, 4)
    drawn, _ = training["train"].first_vectors(vocabulary, 4)

    assert concepts[2].argmax() == 5
    assert concepts[0].argmax() == 3
    assert torch.equal(concepts[1], drawn[1])
    assert torch.equal(singles[0], concepts[0])
    torch.testing.assert_close(concepts.norm(dim=1), torch.ones(3))


def test_a_soup_is_the_mean_of_both(training, tmp_path, monkeypatch):
    """Of all that is a number; what only counts is taken from the later checkpoint."""
    soup = importlib.import_module("soup")
    first = {"weight": torch.tensor([0.0, 4.0]), "count": torch.tensor(3)}
    second = {"weight": torch.tensor([2.0, 0.0]), "count": torch.tensor(5)}
    for name, weights in (("first", first), ("second", second)):
        torch.save({"averaged": weights}, tmp_path / f"{name}.pt")
    out = tmp_path / "checkpoint.pt"
    files = [str(tmp_path / "first.pt"), str(tmp_path / "second.pt")]
    monkeypatch.setattr(sys, "argv", ["soup.py", *files, "--out", str(out)])

    soup.main()

    made = torch.load(out, weights_only=True)
    assert made["averaged"]["weight"].tolist() == [1.0, 2.0]
    assert made["averaged"]["count"] == 5
    assert torch.equal(made["student"]["weight"], second["weight"])
    with pytest.raises(ValueError, match="different networks"):
        soup.mean_of(first, {"weight": torch.zeros(3), "count": torch.tensor(1)})
