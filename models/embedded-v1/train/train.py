"""Trains the student; started again it goes on from its last checkpoint.

Losses of one view: the classifier's distribution over 1,000 classes for the whole and for each
token, its feature map, presence of the detector's classes for each token, and presence of every
concept, from both teachers, for the whole and for some tokens.
"""

import json
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from halves import HALVES, Halves, keep_memory
from optimiser import Orthogonal
from patches import lay_pieces, mosaics
from picture_words import COCO_NAMES
from student import DIM, Student
from teachers import MAP_CHANNELS, Classifier
from torch import nn
from torch.nn import functional
from views import UNKNOWN, Views, load_vocabulary, relit
from words import Vocabulary

CLASSES = 1000
MEAN = (0.48, 0.45, 0.41)
STD = (0.27, 0.26, 0.27)
TOKENS_FOR_CONCEPTS = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard; `decay_from` is the share of the steps after which the rate falls."""

    steps: int = 5700
    small_share: float = 0.9
    batch: int = 64
    rate: float = 3.0e-3
    decay: float = 0.03
    warm_up: int = 200
    decay_from: float = 0.45
    average: float = 0.998
    seed: int = 9
    workers: int = 2
    save_every: int = 100

    def rate_at(self, step: int) -> float:
        """Rises, stays, and falls to nothing along a cosine."""
        start = self.decay_from * self.steps
        falling = max(0.0, (step - start) / max(1.0, self.steps - start))
        return (
            self.rate
            * min(1.0, (step + 1) / self.warm_up)
            * 0.5
            * (1 + math.cos(math.pi * falling))
        )


class Targets(nn.Module):
    """Turns what the teachers say into targets for concepts."""

    def __init__(self, vocabulary: Vocabulary, teacher: Classifier) -> None:
        super().__init__()
        count = len(vocabulary.concepts)
        held = torch.zeros(count, len(vocabulary.leaves))
        for row, leaves in enumerate(vocabulary.concepts):
            held[row, list(leaves)] = 1.0
        self.register_buffer("of_classes", held[:, :CLASSES].T.contiguous())
        self.register_buffer("of_others", held[:, CLASSES:].T.contiguous())
        self.detected = torch.tensor([vocabulary.words[name] for name in COCO_NAMES])
        matrix, offset = teacher.head()
        self.register_buffer("matrix", torch.from_numpy(matrix))
        self.register_buffer("offset", torch.from_numpy(offset))

    def token_logits(self, features: torch.Tensor) -> torch.Tensor:
        """The classifier's head on each token's features."""
        return features @ self.matrix.T + self.offset

    def presence(
        self, probabilities: torch.Tensor, boxes: torch.Tensor, words: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Per concept how surely it is shown `[B C]`, and where that is known."""
        known = words != UNKNOWN
        shown = torch.where(known, words.float(), torch.zeros(()))
        absent = (1 - torch.cat([boxes, shown], dim=1)).clamp_min(1e-4)
        missed, summed = absent.log() @ self.of_others, probabilities @ self.of_classes
        target = torch.maximum(summed.float().clamp(0, 1), 1 - missed.float().exp())
        doubtful = torch.cat([torch.zeros_like(boxes), (~known).float()], dim=1)
        unsure = doubtful @ self.of_others > 0
        return target, ~(unsure & (target < 0.5))

    def detected_in_parts(self, probabilities: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        """Presence in parts of pictures of the concepts that the detector has a name for."""
        of_boxes = self.of_others[: boxes.shape[-1], self.detected]
        missed = (1 - boxes).clamp_min(1e-4).log() @ of_boxes
        summed = (probabilities @ self.of_classes[:, self.detected]).float().clamp(0, 1)
        return torch.maximum(summed, 1 - missed.float().exp())

    def presence_of_parts(
        self, probabilities: torch.Tensor, boxes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The same for parts of pictures, of which the pictures' own words say nothing."""
        words = self.of_others.shape[0] - boxes.shape[1]
        unknown = torch.full((len(boxes), words), UNKNOWN, dtype=torch.uint8)
        return self.presence(probabilities, boxes, unknown)


def first_vectors(vocabulary: Vocabulary, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Concepts start near those they share leaves with: a sum of random vectors of their leaves."""
    generator = torch.Generator().manual_seed(seed)
    leaves = functional.normalize(
        torch.randn(len(vocabulary.leaves), DIM, generator=generator), dim=-1
    )
    # A leaf leans towards the broader concepts that hold it.
    lean = leaves.clone()
    for held in vocabulary.concepts:
        if 1 < len(held) < 200:
            direction = functional.normalize(torch.randn(DIM, generator=generator), dim=0)
            lean[list(held)] += 0.5 * direction
    lean = functional.normalize(lean, dim=-1)
    concepts = torch.stack([lean[sorted(held)].mean(0) for held in vocabulary.concepts])
    return functional.normalize(concepts, dim=-1), lean[:CLASSES].clone()


def losses(
    targets: Targets, student: Student, batch: dict[str, torch.Tensor], rng: torch.Generator
) -> dict[str, torch.Tensor]:
    """The weighted parts of the loss of one batch of views, some patched, and mosaics of them."""
    batch, pieces = lay_pieces(batch, rng)
    # Sums of bits over leaves: half precision is exact enough for a target.
    in_short = torch.autocast("cpu", torch.bfloat16)
    presence_of, presence_of_parts = in_short(targets.presence), in_short(targets.presence_of_parts)
    views = len(batch["pixels"])
    pixels = scaled(relit(batch["pixels"], rng))
    tiled = mosaics(batch, pixels)
    with in_short:
        said = student(torch.cat([pixels, *(each.pixels for each in tiled)]))
    teacher_map = batch["map"].float()
    maps = torch.cat([teacher_map, *(each.maps for each in tiled)])
    boxes = torch.cat([batch["token_boxes"], *(each.boxes for each in tiled)]).float() / 255
    with in_short:
        token_truth = targets.token_logits(maps).float().softmax(-1)
        piece_truth = targets.token_logits(pieces.maps).float().softmax(-1)
    truth = batch["logits"].softmax(-1)
    mixed = truth.clone()
    mixed[-len(pieces) :].lerp_(piece_truth, pieces.shares[:, None])
    parts = {"whole": _cross(student.class_logits(said["whole"][:views]), mixed)}
    parts["tokens"] = 0.5 * _cross(student.class_logits(said["tokens"]), token_truth)
    guess = functional.relu(said["map"][:views].float())
    parts["map"] = 1.0 * functional.mse_loss(guess, teacher_map) / teacher_map.var().clamp_min(1e-3)
    presence, known = presence_of(truth, batch["whole_boxes"], batch["words"])
    _add_pieces(presence, known, presence_of_parts(piece_truth, pieces.boxes))
    logits = student.concept_logits(said["whole"])
    parts["concepts"] = 0.1 * _presence(logits[:views], presence, known)
    # A mosaic shows what its views show.
    shown = torch.cat([each.of_views(presence).amax(1) for each in tiled])
    certain = torch.cat([each.of_views(known).all(1) for each in tiled])
    parts["mosaics"] = 0.02 * _presence(logits[views:], shown, certain)
    picked = torch.randint(
        teacher_map.shape[1], (len(said["tokens"]), TOKENS_FOR_CONCEPTS), generator=rng
    )
    rows = torch.arange(len(picked))[:, None]
    presence, known = presence_of_parts(
        token_truth[rows, picked].flatten(0, 1), boxes[rows, picked].flatten(0, 1)
    )
    logits = student.concept_logits(said["tokens"][rows, picked].flatten(0, 1))
    shown = in_short(targets.detected_in_parts)(token_truth, boxes)
    logits_of_detected = student.concept_logits(said["tokens"], targets.detected)
    each = functional.binary_cross_entropy_with_logits(logits_of_detected, shown, reduction="none")
    parts["detected"] = 0.3 * each.sum(-1).mean()
    parts["token_concepts"] = 0.1 * _presence(logits, presence, known)
    return parts


def _add_pieces(
    presence: torch.Tensor, known: torch.Tensor, pieces: tuple[torch.Tensor, torch.Tensor]
) -> None:
    """A view with a piece over it shows what both show."""
    count = len(pieces[0])
    presence[-count:] = torch.maximum(presence[-count:], pieces[0])
    known[-count:] &= pieces[1]


def scaled(pixels: torch.Tensor) -> torch.Tensor:
    """Values up to 1 as what the tower takes."""
    mean = torch.tensor(MEAN).reshape(1, 3, 1, 1)
    std = torch.tensor(STD).reshape(1, 3, 1, 1)
    return pixels.sub(mean).div_(std).contiguous(memory_format=torch.channels_last)


def _cross(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    scale = truth.sum(-1, keepdim=True).clamp_min(1e-6)
    return -(truth / scale * logits.log_softmax(-1)).sum(-1).mean()


def _presence(logits: torch.Tensor, truth: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    each = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return (each * known).sum(1).mean()


def train(work: Path, weights: Path, plan: Plan) -> Path:
    """Run all steps, and return the file with the averaged weights."""
    torch.manual_seed(plan.seed)
    torch.set_num_threads(1)
    keep_memory()
    vocabulary = load_vocabulary(work, weights)
    concepts, singles = first_vectors(vocabulary, plan.seed)
    student = Student(concepts, singles, MAP_CHANNELS).to(memory_format=torch.channels_last)
    targets = Targets(vocabulary, Classifier(weights))
    averaged = {name: value.detach().clone() for name, value in student.state_dict().items()}
    pool = ThreadPoolExecutor(HALVES, initializer=torch.set_num_threads, initargs=(1,))
    optimisers = optimisers_of(student, plan, pool)
    halves, losses_of = Halves(student, pool), partial(losses, targets)
    path, first = work / "checkpoint.pt", 0
    if path.is_file():
        state = torch.load(path, weights_only=True)
        student.load_state_dict(state["student"])
        for optimiser, held in zip(optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(held)
        averaged, first = state["averaged"], int(state["step"])
    start = time.perf_counter()
    with (work / "log.jsonl").open("a", encoding="utf-8") as log:
        for step, batch in enumerate(batches(work, weights, plan, first), first):
            for optimiser in optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = plan.rate_at(step)
            seed = HALVES * (plan.seed * 1_000_003 + step)
            parts = halves.gradients(losses_of, batch, (seed, seed + 1))
            nn.utils.clip_grad_norm_(student.parameters(), 2.0)
            for optimiser in optimisers:
                optimiser.step()
            _average(averaged, student, min(plan.average, (step + 1) / (step + 20)))
            if (step + 1) % 20 == 0:
                row: dict[str, Any] = {name: round(part.item(), 4) for name, part in parts.items()}
                row |= {"step": step + 1, "seconds": round(time.perf_counter() - start, 1)}
                log.write(json.dumps(row) + "\n")
                log.flush()
            if (step + 1) % plan.save_every == 0 or step + 1 == plan.steps:
                save(path, step + 1, student, optimisers, averaged)
    return path


def optimisers_of(
    student: Student, plan: Plan, pool: ThreadPoolExecutor
) -> list[torch.optim.Optimizer]:
    """Orthogonal updates for the tower's matrices, Adam for tables, norms and offsets."""
    convolutions = [p for p in student.tower.parameters() if p.ndim > 1]
    own = {id(p) for p in convolutions}
    tables = [p for p in student.parameters() if p.ndim > 1 and id(p) not in own]
    rest = [p for p in student.parameters() if p.ndim <= 1]
    return [
        Orthogonal(convolutions, plan.rate, pool, momentum=0.9, decay=plan.decay),
        torch.optim.AdamW(
            [{"params": tables, "weight_decay": plan.decay}, {"params": rest, "weight_decay": 0.0}],
            lr=plan.rate,
            betas=(0.9, 0.98),
        ),
    ]


def _average(averaged: dict[str, torch.Tensor], student: Student, keep: float) -> None:
    with torch.no_grad():
        for name, value in student.state_dict().items():
            if value.is_floating_point():
                averaged[name].lerp_(value, 1 - keep)
            else:
                averaged[name].copy_(value)


def save(
    path: Path,
    step: int,
    student: Student,
    optimisers: list[torch.optim.Optimizer],
    averaged: dict[str, torch.Tensor],
) -> None:
    """Write a checkpoint, whole or not at all."""
    state = {
        "step": step,
        "student": student.state_dict(),
        "optimisers": [each.state_dict() for each in optimisers],
        "averaged": averaged,
    }
    unfinished = path.with_suffix(".part")
    torch.save(state, unfinished)
    unfinished.replace(path)


def batches(work: Path, weights: Path, plan: Plan, first: int) -> Any:
    """Batches of views from step `first` on, made by workers."""
    small_until = int(plan.small_share * plan.steps) * plan.batch
    views = Views(work, weights, plan.seed, small_until=small_until)
    numbers = range(first * plan.batch, plan.steps * plan.batch)
    return torch.utils.data.DataLoader(
        views, plan.batch, sampler=numbers, num_workers=plan.workers, prefetch_factor=3,
        drop_last=True, worker_init_fn=_one_thread,
    )  # fmt: skip


def _one_thread(_: int) -> None:
    torch.set_num_threads(1)
