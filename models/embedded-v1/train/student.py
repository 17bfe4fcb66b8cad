"""The student: an image tower of dense bottlenecks, and a vector per concept for the text side."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

IMAGE_SIZE_PX = 192
GRID = 6
DIM = 192
# Per stage: channels, channels inside a bottleneck, bottlenecks. Dense 3 x 3 convolutions over few
# channels: on a CPU depthwise ones cost more time than their arithmetic.
STAGES = ((32, 32, 1), (96, 48, 2), (256, 128, 6), (512, 192, 4))
HEAD = 512
_FIRST_PATCH = 4
_NEXT_PATCH = 2


class Convolution(nn.Sequential):
    """Convolution, batch norm and, except at the end of a branch, a rectifier."""

    def __init__(
        self, inputs: int, outputs: int, size: int, stride: int = 1, *, last: bool = False
    ):
        padding = size // 2 if stride == 1 else 0
        parts: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, size, stride, padding, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        if not last:
            parts.append(nn.ReLU(inplace=True))
        super().__init__(*parts)


class Bottleneck(nn.Module):
    """Narrow, look around, widen, add."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            Convolution(channels, inner, 1),
            Convolution(inner, inner, 3),
            Convolution(inner, channels, 1, last=True),
        )
        nn.init.zeros_(self.branch[2][1].weight)

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Channels and size stay."""
        return functional.relu(given + self.branch(given))


class Tower(nn.Module):
    """Pictures `[B 3 192 192]` to features `[B 36 512]` and to the embedding space."""

    def __init__(self) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        channels = 3
        for stage, (width, inner, count) in enumerate(STAGES):
            patch = _NEXT_PATCH if stage else _FIRST_PATCH
            parts.append(Convolution(channels, width, patch, patch))
            parts.extend(Bottleneck(width, inner) for _ in range(count))
            channels = width
        parts.append(Convolution(channels, HEAD, 1))
        self.body = nn.Sequential(*parts)
        self.project = nn.Linear(HEAD, DIM)

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The whole picture `[B D]` and its tokens `[B 36 D]`, not yet of unit norm."""
        tokens = self.features(pictures)
        return self.project(tokens.mean(1)), self.project(tokens)

    def features(self, pictures: torch.Tensor) -> torch.Tensor:
        """What is projected, `[B 36 512]` at full size."""
        grid: torch.Tensor = self.body(pictures)
        return grid.flatten(2).transpose(1, 2)


class Student(nn.Module):
    """The tower with what only training needs: concept vectors, scales and the feature head."""

    def __init__(self, concepts: torch.Tensor, singles: torch.Tensor, channels: int) -> None:
        super().__init__()
        self.tower = Tower()
        self.concepts = nn.Parameter(concepts.clone())
        self.singles = nn.Parameter(singles.clone())
        self.offsets = nn.Parameter(torch.full((len(concepts),), -6.0))
        self.scale_of_classes = nn.Parameter(torch.tensor(3.0))
        self.scale_of_concepts = nn.Parameter(torch.tensor(2.7))
        self.imitate = nn.Linear(HEAD, channels)

    def forward(self, pictures: torch.Tensor) -> dict[str, Any]:
        """Unit embeddings and tokens, and the guess of the teacher's feature map."""
        features = self.tower.features(pictures)
        whole = self.tower.project(features.mean(1))
        return {
            "whole": functional.normalize(whole.float(), dim=-1),
            "tokens": functional.normalize(self.tower.project(features).float(), dim=-1),
            "map": self.imitate(features),
        }

    def class_logits(self, vectors: torch.Tensor) -> torch.Tensor:
        """Scores of the classifier's classes, before the softmax."""
        return self.scale_of_classes.exp() * vectors @ functional.normalize(self.singles, dim=-1).T

    def concept_logits(
        self, vectors: torch.Tensor, which: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Scores of all concepts or of some, before the sigmoid."""
        rows = slice(None) if which is None else which
        units = functional.normalize(self.concepts[rows], dim=-1)
        return self.scale_of_concepts.exp() * vectors @ units.T + self.offsets[rows]
