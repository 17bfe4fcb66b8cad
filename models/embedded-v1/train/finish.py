"""From a checkpoint to what is shipped: weights, words, background, manifest, and the figures.

    python models/embedded-v1/train/finish.py --teachers DIR --work DIR [--checkpoint FILE]...

Of several checkpoints the best one over validation pictures is shipped; without any, that of the
work folder. `measured.json` there says how each did.
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from background import (
    WEIGHT_OF_GUESS,
    absent_scores,
    clips_of,
    design,
    fit_spread,
    found_shares,
    pools,
)
from export import Measures, export_tower, export_words, load_student, word_vectors
from measure import (
    MIN_SHOWN,
    Measured,
    NounFound,
    agreement,
    coco_precision,
    measure,
    noun_precisions,
)
from numpy.typing import NDArray
from pictures import COMPOSED
from safetensors.numpy import save_file
from solve import sums_of_views
from student import DIM, IMAGE_SIZE_PX, Student
from torch.nn import functional
from views import load_vocabulary
from words import Vocabulary

from streammem.core.types import Background
from streammem.encoders._descriptor import DescriptorEncoder
from streammem.encoders._embedded import LEARNED_SHARE, EmbeddedEncoder
from streammem.encoders.digests import file_digest
from streammem.encoders.embedded_check import CHECK_FILE, EXACT, check_vectors
from streammem.encoders.embedded_tower import ImageTower

HERE = Path(__file__).resolve().parents[1]
# The weights of a checkpoint that are tried: where the rate fell fast, the average lags behind.
TAKEN = ("averaged", "student")
# Ways to a word's vector that are tried: the share of its classes' own vectors in the learned one,
# the share of a fully trusted solved vector in the whole, and the ridge for solving.
CLASS_SHARES = (0.0, 0.25, 0.5)
SOLVED_PARTS = (0.0, 0.25, 0.5, 0.75)
RIDGES = (0.03, 0.3)

FILES = ("background.safetensors", "weights.safetensors", "words.safetensors", "words.txt")

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Weights of a checkpoint with a way to word vectors, and how they find validation pictures.

    `seen` are the nouns that one of them shows, `composed` those that one composed of them does.
    """

    file: Path
    way: tuple[float, float, float]
    student: Student
    measured: Measured
    measured_composed: Measured
    vectors: Floats
    seen: dict[str, NounFound]
    composed: dict[str, NounFound]

    @property
    def nouns(self) -> dict[str, NounFound]:
        """Those seen often enough to call a noun known or not."""
        return {noun: found for noun, found in self.seen.items() if found.shown >= MIN_SHOWN}

    @property
    def mean_precision(self) -> float:
        """What candidates are compared by; nouns seen once count too, most questions are rare.

        Composed pictures count as much as the others: video is nearer to them.
        """
        return (_mean(self.seen) + _mean(self.composed)) / 2


@dataclass(frozen=True, slots=True)
class Calibration:
    """The background `[N D]`, the factor on its learned part, and what is found over it.

    `found` is the share of made-up clips with a noun that it is found in, per known concept;
    `finds` counts clips of all nouns.
    """

    background: Floats
    spread: float
    found: dict[int, float]
    finds: dict[str, int]


def _candidates(
    checkpoints: Sequence[Path], work: Path, weights: Path, vocabulary: Vocabulary
) -> list[Candidate]:
    """The best way for each of the weights, the better weights first."""
    found = []
    for checkpoint, which in product(checkpoints, TAKEN):
        student = load_student(checkpoint, vocabulary, which)
        file = work / f"{checkpoint.stem}-{which}.safetensors"
        export_tower(student.tower, file)
        tower = ImageTower(file, threads=2)
        measured = measure(tower, work, weights, vocabulary)
        composed = measure(tower, work, weights, vocabulary, split=COMPOSED)
        sums = sums_of_views(tower, work, weights, vocabulary)
        tried = []
        for way in product(CLASS_SHARES, SOLVED_PARTS, RIDGES):
            share, part, ridge = way
            if part == 0 and ridge != RIDGES[0]:
                # Nothing is solved, so that the ridge changes nothing.
                continue
            learned = word_vectors(student, vocabulary, share)
            solved = part * sums.trust
            vectors = _unit((1 - solved) * learned + solved * sums.vectors(ridge))
            both = (
                noun_precisions(each, vocabulary, vectors, min_shown=1)
                for each in (measured, composed)
            )
            tried.append(Candidate(file, way, student, measured, composed, vectors, *both))
        found.append(max(tried, key=lambda each: each.mean_precision))
    return sorted(found, key=lambda each: -each.mean_precision)


def _mean(found: dict[str, NounFound]) -> float:
    return float(np.mean([each.precision for each in found.values()]))


def _agreement(candidate: Candidate) -> dict[str, float]:
    singles = functional.normalize(candidate.student.singles.detach(), dim=-1).numpy()
    return agreement(candidate.measured, singles)


def finish(work: Path, weights: Path, checkpoints: Sequence[Path] = ()) -> None:
    """Write all shipped files, and `measured.json` into the work folder."""
    torch.set_num_threads(2)
    vocabulary = load_vocabulary(work, weights)
    # The shipped folder stays whole until everything is known that goes there.
    tried = _candidates(checkpoints or [work / "checkpoint.pt"], work, weights, vocabulary)
    best = tried[0]
    measured, vectors, nouns = best.measured, best.vectors, best.nouns
    tower = ImageTower(best.file, threads=2)
    known = [noun for noun, found in nouns.items() if found.known]
    concepts = [vocabulary.words[noun] for noun in known]
    precision = {vocabulary.words[noun]: nouns[noun].precision for noun in known}
    frequent = frozenset(json.loads((weights / "glove_50d_5k.json").read_text("utf-8")))
    shipped = _shipped_background()
    made = _calibration(best, concepts, shipped, pools(tower, work))
    shutil.copyfile(best.file, HERE / "weights.safetensors")
    export_words(vocabulary, vectors, Measures(precision, made.found), frequent, HERE)
    save_file({"vectors": made.background.astype(np.float16)}, HERE / "background.safetensors")
    (HERE / "background.safetensors").chmod(0o644)
    _write_manifest(nouns, shipped.midpoint, shipped.scale, FILES)
    save_file(check_vectors(EmbeddedEncoder(EXACT)), HERE / CHECK_FILE)
    (HERE / CHECK_FILE).chmod(0o644)
    _write_manifest(nouns, shipped.midpoint, shipped.scale, (*FILES, CHECK_FILE))
    coco = coco_precision(measured, vocabulary, vectors)
    report: dict[str, Any] = {
        "chosen": [
            {
                "weights": each.file.stem,
                "class_share, solved_part, ridge": each.way,
                "seen_precision": _mean(each.seen),
                "seen": len(each.seen),
                "composed_precision": _mean(each.composed),
                "composed": len(each.composed),
                "noun_precision": _mean(each.nouns),
                "agreement": _agreement(each),
            }
            for each in tried
        ],
        "agreement": _agreement(best),
        "coco_map": float(np.mean(list(coco.values()))),
        "coco": coco,
        "nouns": {noun: asdict(found) for noun, found in nouns.items()},
        "found": {noun: made.found[vocabulary.words[noun]] for noun in known},
        "spread": made.spread,
        "clips": made.finds,
    }
    (work / "measured.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    for name in ("log.jsonl", "run.json"):
        shutil.copyfile(work / name, HERE / "train" / name)
    print(json.dumps({key: value for key, value in report.items() if key != "nouns"}, indent=1))


def _calibration(
    best: Candidate, concepts: list[int], shipped: Background, natural: Floats
) -> Calibration:
    """The background for all concepts, those that are known above all, and what it finds."""
    measured = (best.measured, best.measured_composed)
    every = range(len(best.vectors))
    weights = np.full(len(best.vectors), WEIGHT_OF_GUESS, np.float32)
    weights[concepts] = 1.0
    wanted = absent_scores(measured, every, best.vectors)
    learned = design(natural, best.vectors, wanted, weights, len(shipped.vectors))
    clips = clips_of(measured, concepts, best.vectors[concepts], learned)
    spread = fit_spread(clips, shipped.midpoint)
    centre = learned.mean(axis=0)
    spread_out = centre + spread * (learned - centre)
    joined = np.concatenate(
        [spread_out * np.sqrt(LEARNED_SHARE), shipped.vectors * np.sqrt(1 - LEARNED_SHARE)], axis=1
    )
    needed = spread * shipped.midpoint
    passed = clips.strengths >= needed
    shares = found_shares(clips, needed, len(concepts))
    return Calibration(
        background=joined,
        spread=spread,
        found={concept: float(share) for concept, share in zip(concepts, shares, strict=True)},
        finds={
            "shown": int(clips.shown.sum()),
            "shown_found": int(passed[clips.shown].sum()),
            "absent": int((~clips.shown).sum()),
            "absent_found": int(passed[~clips.shown].sum()),
        },
    )


def _shipped_background() -> Background:
    """The descriptor's, whose scale of confidence is that of nouns too."""
    background = DescriptorEncoder().background()
    assert background is not None
    return background


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
    parser.add_argument("--checkpoint", type=Path, action="append", default=[])
    options = parser.parse_args()
    finish(options.work, options.teachers, options.checkpoint)
