"""Writes what is shipped: folded weights, the words, and the table of their vectors."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from picture_words import FREQUENT_NOUNS
from safetensors.numpy import save_file
from student import Bottleneck, Convolution, Student, Tower
from torch.nn import functional
from train import CLASSES, MEAN, STD
from words import Vocabulary

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Measures:
    """Of the known concepts: average precision, and the share of clips with one that are found."""

    precision: dict[int, float]
    found: dict[int, float]


def load_student(checkpoint: Path, vocabulary: Vocabulary, weights: str) -> Student:
    """The `averaged` weights of a checkpoint, or those of its last step, `student`."""
    held = torch.load(checkpoint, weights_only=True)[weights]
    count, width = held["concepts"].shape
    if count != len(vocabulary.concepts):
        raise ValueError(f"{checkpoint} has {count} concepts, the words {len(vocabulary.concepts)}")
    student = Student(
        torch.zeros(count, width), torch.zeros(CLASSES, width), len(held["imitate.weight"])
    )
    student.load_state_dict(held)
    return student.eval()


def export_tower(tower: Tower, path: Path) -> None:
    """Half-precision weights with norms folded in; offsets and the input's scale in float32."""
    mean, std = np.array(MEAN, np.float32), np.array(STD, np.float32)
    tensors: dict[str, NDArray[np.generic]] = {
        "input.scale": (1 / (255 * std)).reshape(1, 3, 1, 1).astype(np.float32),
        "input.shift": (-mean / std).reshape(1, 3, 1, 1).astype(np.float32),
        "project.weight": tower.project.weight.detach().numpy().astype(np.float16),
        "project.bias": tower.project.bias.detach().numpy(),
    }
    for number, part in enumerate(tower.body):
        if isinstance(part, Convolution):
            _fold(tensors, f"body.{number}", part)
        elif isinstance(part, Bottleneck):
            for place, each in enumerate(part.branch):
                _fold(tensors, f"body.{number}.branch.{place}", each)
    save_file(tensors, path)
    path.chmod(0o644)


def _fold(tensors: dict[str, NDArray[np.generic]], name: str, part: Convolution) -> None:
    convolution, norm = part[0], part[1]
    gain = norm.weight / (norm.running_var + norm.eps).sqrt()
    weight = convolution.weight * gain[:, None, None, None]
    bias = norm.bias - norm.running_mean * gain
    tensors[f"{name}.weight"] = weight.detach().numpy().astype(np.float16)
    tensors[f"{name}.bias"] = bias.detach().numpy().astype(np.float32)


def word_vectors(student: Student, vocabulary: Vocabulary, share: float) -> Floats:
    """Unit vectors of concepts; `share` of each is the mean of its classes' own vectors."""
    concepts = functional.normalize(student.concepts.detach(), dim=-1)
    singles = functional.normalize(student.singles.detach(), dim=-1)
    rows = []
    for concept, held in zip(concepts, vocabulary.concepts, strict=True):
        classes = [leaf for leaf in sorted(held) if leaf < CLASSES]
        if classes:
            own = functional.normalize(singles[classes].mean(0), dim=0)
            concept = (1 - share) * concept + share * own
        rows.append(functional.normalize(concept, dim=0))
    return torch.stack(rows).numpy()


def export_words(
    vocabulary: Vocabulary,
    vectors: Floats,
    measures: Measures,
    frequent: frozenset[str],
    folder: Path,
) -> None:
    """`words.txt`, one line of words per vector, and `words.safetensors` with their codes.

    Concepts without `measures` are shipped as guesses. Of the `frequent` words of English, most of
    which are no nouns or have other senses, only those are shipped that somebody read.
    """
    lines: list[list[str]] = [[] for _ in vocabulary.concepts]
    for word, concept in sorted(vocabulary.words.items()):
        if word not in frequent or word in FREQUENT_NOUNS:
            lines[concept].append(word)
    rows = [row for row, words in enumerate(lines) if words]
    text = "\n".join(",".join(lines[row]) for row in rows) + "\n"
    (folder / "words.txt").write_text(text, encoding="utf-8")
    scales = np.abs(vectors[rows]).max(axis=1) / 127
    tensors = {
        "codes": np.round(vectors[rows] / scales[:, None]).astype(np.int8),
        "scales": scales.astype(np.float32),
        "precision": np.array([measures.precision.get(row, 0.0) for row in rows], np.float32),
        "found": np.array([measures.found.get(row, 0.0) for row in rows], np.float32),
    }
    path = folder / "words.safetensors"
    save_file(tensors, path)
    path.chmod(0o644)
