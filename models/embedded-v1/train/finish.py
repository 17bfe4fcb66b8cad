"""From a checkpoint to what is shipped: weights, words, background, manifest, and the figures.

python models/embedded-v1/train/finish.py --teachers DIR --work DIR
"""

import argparse
import json
import shutil
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from background import choose_vectors, clip_strengths, fit_spread, pools
from export import export_tower, export_words, load_student, word_vectors
from measure import (
    Measured,
    NounFound,
    agreement,
    coco_precision,
    measure,
    noun_precisions,
)
from numpy.typing import NDArray
from safetensors.numpy import save_file
from solve import sums_of_views
from student import DIM, IMAGE_SIZE_PX, Student
from torch.nn import functional
from views import load_vocabulary
from words import Vocabulary

from streammem.encoders._descriptor import DescriptorEncoder
from streammem.encoders._embedded import LEARNED_SHARE, EmbeddedEncoder
from streammem.encoders.digests import file_digest
from streammem.encoders.embedded_check import CHECK_FILE, EXACT, check_vectors
from streammem.encoders.embedded_tower import ImageTower

HERE = Path(__file__).resolve().parents[1]
# The weights of a checkpoint that are tried: where the rate fell fast, the average lags behind.
TAKEN = ("averaged", "student")
# Ways to a word's vector that are tried: the share of its classes' own vectors in the learned one,
# the share of that in the whole, the rest being solved, and the ridge for solving.
CLASS_SHARES = (0.0, 0.25, 0.5)
LEARNED_PARTS = (0.0, 0.5, 0.75, 1.0)
RIDGES = (0.03, 0.1, 0.3)

FILES = ("background.safetensors", "weights.safetensors", "words.safetensors", "words.txt")

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Weights of a checkpoint with a way to word vectors, and how they find validation pictures."""

    file: Path
    way: tuple[float, float, float]
    student: Student
    measured: Measured
    vectors: Floats
    nouns: dict[str, NounFound]

    @property
    def mean_precision(self) -> float:
        """What candidates are compared by."""
        return float(np.mean([found.precision for found in self.nouns.values()]))


def _candidates(work: Path, weights: Path, vocabulary: Vocabulary) -> list[Candidate]:
    """The best way for each of the weights, the better weights first."""
    found = []
    for which in TAKEN:
        student = load_student(work / "checkpoint.pt", vocabulary, which)
        file = work / f"{which}.safetensors"
        export_tower(student.tower, file)
        tower = ImageTower(file, threads=2)
        measured = measure(tower, work, weights, vocabulary)
        sums = sums_of_views(tower, work, weights, vocabulary)
        tried = []
        for way in product(CLASS_SHARES, LEARNED_PARTS, RIDGES):
            share, part, ridge = way
            learned = word_vectors(student, vocabulary, share)
            vectors = _unit(part * learned + (1 - part) * sums.vectors(ridge))
            nouns = noun_precisions(measured, vocabulary, vectors)
            tried.append(Candidate(file, way, student, measured, vectors, nouns))
        found.append(max(tried, key=lambda each: each.mean_precision))
    return sorted(found, key=lambda each: -each.mean_precision)


def _agreement(candidate: Candidate) -> dict[str, float]:
    singles = functional.normalize(candidate.student.singles.detach(), dim=-1).numpy()
    return agreement(candidate.measured, singles)


def finish(work: Path, weights: Path) -> None:
    """Write all shipped files, and `measured.json` into the work folder."""
    torch.set_num_threads(2)
    vocabulary = load_vocabulary(work, weights)
    # The shipped folder stays whole until everything is known that goes there.
    best, other = _candidates(work, weights, vocabulary)
    measured, vectors, nouns = best.measured, best.vectors, best.nouns
    tower = ImageTower(best.file, threads=2)
    known = [noun for noun, found in nouns.items() if found.known]
    concepts = [vocabulary.words[noun] for noun in known]
    precision = {vocabulary.words[noun]: nouns[noun].precision for noun in known}
    frequent = frozenset(json.loads((weights / "glove_50d_5k.json").read_text("utf-8")))
    shipped = DescriptorEncoder().background()
    assert shipped is not None
    chosen = choose_vectors(pools(tower, work), vectors[concepts], len(shipped.vectors))
    strengths, shown = clip_strengths(measured, concepts, vectors[concepts], chosen)
    spread = fit_spread(strengths, shown, shipped.midpoint)
    centre = chosen.mean(axis=0)
    spread_out = centre + spread * (chosen - centre)
    joined = np.concatenate(
        [spread_out * np.sqrt(LEARNED_SHARE), shipped.vectors * np.sqrt(1 - LEARNED_SHARE)], axis=1
    )
    shutil.copyfile(best.file, HERE / "weights.safetensors")
    export_words(vocabulary, vectors, precision, frequent, HERE)
    save_file({"vectors": joined.astype(np.float16)}, HERE / "background.safetensors")
    (HERE / "background.safetensors").chmod(0o644)
    _write_manifest(nouns, shipped.midpoint, shipped.scale, FILES)
    save_file(check_vectors(EmbeddedEncoder(EXACT)), HERE / CHECK_FILE)
    (HERE / CHECK_FILE).chmod(0o644)
    _write_manifest(nouns, shipped.midpoint, shipped.scale, (*FILES, CHECK_FILE))
    coco = coco_precision(measured, vocabulary, vectors)
    found = strengths / spread > shipped.midpoint
    report: dict[str, Any] = {
        "chosen": [
            {
                "weights": each.file.stem,
                "class_share, learned_part, ridge": each.way,
                "noun_precision": each.mean_precision,
                "agreement": _agreement(each),
            }
            for each in (best, other)
        ],
        "agreement": _agreement(best),
        "coco_map": float(np.mean(list(coco.values()))),
        "coco": coco,
        "nouns": {noun: asdict(found) for noun, found in nouns.items()},
        "spread": spread,
        "clips": {
            "shown": int(shown.sum()), "shown_found": int(found[shown].sum()),
            "absent": int((~shown).sum()), "absent_found": int(found[~shown].sum()),
        },
    }  # fmt: skip
    (work / "measured.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    for name in ("log.jsonl", "run.json"):
        shutil.copyfile(work / name, HERE / "train" / name)
    print(json.dumps({key: value for key, value in report.items() if key != "nouns"}, indent=1))


def _unit(vectors: Floats) -> Floats:
    unit: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit.astype(np.float32)


def _write_manifest(
    nouns: dict[str, NounFound], midpoint: float, scale: float, files: tuple[str, ...]
) -> None:
    lines = [
        'id = "embedded-v1"',
        'kind = "embedded"',
        'licence = "Apache-2.0"',
        'summary = "nouns learned by a small network of our own, and the descriptor\'s colours"',
        f"dim = {DIM + DescriptorEncoder().spec.dim}",
        "",
        "[preprocessing]",
        f"image_size_px = {IMAGE_SIZE_PX}",
        "mean = [0.48, 0.45, 0.41]",
        "std = [0.27, 0.26, 0.27]",
        'interpolation = "bilinear"',
        'resize_mode = "squash"',
        "",
        "[calibration]",
        "# The descriptor's; nouns are brought to it by train/background.py.",
        'kind = "image"',
        f"midpoint = {midpoint}",
        f"scale = {scale}",
        "",
        "[nouns]",
        "# Average precision on validation pictures, against teachers and labels.",
        *(f'"{noun}" = {found.precision:.2f}' for noun, found in nouns.items() if found.known),
        "",
        "[files]",
        *(f'"{name}" = "{file_digest(HERE / name)}"' for name in files),
        "",
    ]
    (HERE / "manifest.toml").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teachers", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    finish(options.work, options.teachers)
