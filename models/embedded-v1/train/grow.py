"""Starts a student from files that were shipped before, even from those of a smaller tower.

At first it computes what they compute: new channels are read by nothing, and new bottlenecks add
nothing. What is not shipped is found again: the norms from views, and the readouts that only
training has by fitting them while the tower stands still.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any

import torch
from halves import HALVES, Halves, keep_memory
from safetensors.torch import load_file
from student import Bottleneck, Convolution, Student, Tower
from teachers import MAP_CHANNELS, Classifier
from torch import nn
from train import (
    CLASSES,
    Plan,
    Targets,
    batches,
    first_vectors,
    losses,
    optimisers_of,
    save,
    scaled,
)
from views import load_vocabulary
from words import Vocabulary

# Batches that the norms are found from, and steps and rate of fitting the readouts.
_BATCHES_FOR_NORMS = 8
_READOUT_STEPS, _READOUT_RATE = 400, 1.0e-2
# Rows of weights settle at this length, in shares of the root of their matrix's longer side: steps
# of one size against the plan's decay.
_ROW_LENGTH = 0.045

# Weights with the norm folded in, and their offsets.
Folded = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Stage:
    """A patch convolution, or the last one, and the bottlenecks behind it."""

    patch: Folded
    bottlenecks: tuple[tuple[Folded, ...], ...]


def start_from(shipped: Path, work: Path, weights: Path, plan: Plan) -> Path:
    """Write the checkpoint of step 0 from the files in `shipped`, unless there is a checkpoint."""
    path = work / "checkpoint.pt"
    if path.is_file():
        return path
    torch.manual_seed(plan.seed)
    torch.set_num_threads(1)
    keep_memory()
    vocabulary = load_vocabulary(work, weights)
    targets = Targets(vocabulary, Classifier(weights))
    concepts, singles = word_vectors_of(shipped, vocabulary, plan.seed)
    student = Student(concepts, singles, MAP_CHANNELS).to(memory_format=torch.channels_last)
    some = islice(batches(work, weights, plan, 0), _BATCHES_FOR_NORMS)
    pixels = scaled(torch.cat([batch["pixels"] for batch in some]).float() / 255)
    grow(student.tower, stages_of(load_file(shipped / "weights.safetensors")), pixels)
    with ThreadPoolExecutor(HALVES, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        drawn = islice(batches(work, weights, plan, 0), _READOUT_STEPS)
        _fit_readouts(student, Halves(student, pool), partial(losses, targets), drawn)
        averaged = {name: value.detach().clone() for name, value in student.state_dict().items()}
        save(path, 0, student, optimisers_of(student, plan, pool), averaged)
    return path


def word_vectors_of(
    shipped: Path, vocabulary: Vocabulary, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Vectors of concepts and of single classes, as shipped where they are, else as drawn."""
    concepts, singles = first_vectors(vocabulary, seed)
    held = load_file(shipped / "words.safetensors")
    vectors = nn.functional.normalize(held["codes"].float() * held["scales"][:, None], dim=-1)
    lines = (shipped / "words.txt").read_text(encoding="utf-8").splitlines()
    for line, vector in zip(lines, vectors, strict=True):
        concept = vocabulary.words.get(line.split(",")[0])
        if concept is not None:
            concepts[concept] = vector
            own = [leaf for leaf in vocabulary.concepts[concept] if leaf < CLASSES]
            if len(own) == 1:
                singles[own[0]] = vector
    return concepts, singles


def stages_of(tensors: dict[str, torch.Tensor]) -> list[Stage]:
    """What a shipped weights file holds, in the order of the tower's body."""
    stages: list[tuple[Folded, list[tuple[Folded, ...]]]] = []
    for number in count():
        name = f"body.{number}"
        if f"{name}.weight" in tensors:
            stages.append((_folded(tensors, name), []))
        elif f"{name}.branch.0.weight" in tensors:
            branch = tuple(_folded(tensors, f"{name}.branch.{place}") for place in range(3))
            stages[-1][1].append(branch)
        else:
            break
    project = tensors["project.weight"].float(), tensors["project.bias"]
    return [*(Stage(patch, tuple(rest)) for patch, rest in stages), Stage(project, ())]


@torch.no_grad()
def grow(tower: Tower, stages: list[Stage], pixels: torch.Tensor) -> None:
    """Have `tower` compute what the stages do; `pixels` `[N 3 S S]` are what norms are found from.

    Raises:
        ValueError: the stages are more, longer or wider than those of the tower.
    """
    *body, (project, _) = ((each.patch, each.bottlenecks) for each in stages)
    given = iter(body)
    waiting: list[tuple[Folded, ...]] = []
    norms = [part for part in tower.modules() if isinstance(part, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    values: Any = pixels
    tower.train()
    for part in tower.body:
        if isinstance(part, Convolution):
            if waiting:
                raise ValueError(f"{len(waiting)} bottlenecks more than the tower has")
            patch, bottlenecks = next(given)
            waiting = list(bottlenecks)
            _take(part, patch, values)
        elif isinstance(part, Bottleneck) and waiting:
            inner = values
            for each, folded in zip(part.branch, waiting.pop(0), strict=True):
                _take(each, folded, inner)
                inner = each(inner)
        values = part(values)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    weight, bias = project
    tower.project.weight.zero_()
    tower.project.weight[:, : weight.shape[1]] = weight
    tower.project.bias.copy_(bias)


def _folded(tensors: dict[str, torch.Tensor], name: str) -> Folded:
    return tensors[f"{name}.weight"].float(), tensors[f"{name}.bias"]


def _take(part: Convolution, folded: Folded, values: torch.Tensor) -> None:
    """Put folded weights into a convolution that is as wide or wider, and undo their folding."""
    convolution, norm = part[0], part[1]
    weight, bias = folded
    rows, columns = weight.shape[:2]
    if rows > convolution.out_channels or columns > convolution.in_channels:
        raise ValueError(f"{tuple(weight.shape)} does not fit {tuple(convolution.weight.shape)}")
    lengths = weight.flatten(1).norm(dim=1).clamp_min(1e-6)
    longer = max(convolution.out_channels, convolution.weight[0].numel())
    scale = _ROW_LENGTH * longer**0.5 / lengths
    convolution.weight[:rows] = 0
    convolution.weight[:rows, :columns] = weight * scale[:, None, None, None]
    found = convolution(values)[:, :rows]
    mean, variance = found.mean((0, 2, 3)), found.var((0, 2, 3), correction=0)
    norm.weight[:rows] = (variance + norm.eps).sqrt() / scale
    norm.bias[:rows] = bias + mean / scale


def _fit_readouts(student: Student, halves: Halves, losses_of: Any, drawn: Any) -> None:
    """Fit all but the tower."""
    student.tower.requires_grad_(requires_grad=False)
    halves.copied.tower.requires_grad_(requires_grad=False)
    readouts = [each for each in student.parameters() if each.requires_grad]
    optimiser = torch.optim.AdamW(readouts, lr=_READOUT_RATE, weight_decay=0.0)
    falling = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.05, _READOUT_STEPS)
    for step, batch in enumerate(drawn):
        parts = halves.gradients(losses_of, batch, (HALVES * step, HALVES * step + 1))
        nn.utils.clip_grad_norm_(readouts, 2.0)
        optimiser.step()
        falling.step()
        if step % 20 == 0:
            print(step, {name: round(part.item(), 3) for name, part in parts.items()}, flush=True)
    student.tower.requires_grad_(requires_grad=True)
