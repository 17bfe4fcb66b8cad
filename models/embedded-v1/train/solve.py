"""Word vectors solved in closed form on the finished tower, which gradient steps only approach.

For every concept the vector whose score follows its presence best over training views: ridge
regression of presence on embeddings. Views come from the training run, so that the teachers'
answers about them are already known. A solved vector is trusted as far as views have shown its
concept: rare things are told better by gradients, which learn them together with their kin.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from teachers import Classifier
from train import Plan, Targets
from views import Views
from words import Vocabulary

from streammem.encoders.embedded_tower import ImageTower

Floats = NDArray[np.float32]
VIEWS = 8_000
# How many views have to show a concept for half of the trust in its solved vector.
HALF_TRUSTED = 100.0
_BATCH = 50


@dataclass(frozen=True, slots=True)
class Sums:
    """What the regression needs: products of embeddings, and of embeddings and presence.

    `shown` is how many views show each concept, in shares of a view where that is not sure.
    """

    squares: Floats
    products: Floats
    shown: Floats
    views: int

    @property
    def trust(self) -> Floats:
        """How far each concept's vector is to be trusted, `[C 1]`: up to 1, 0 for one not shown."""
        share: Floats = self.shown / (self.shown + HALF_TRUSTED)
        return share[:, None]

    def vectors(self, ridge: float) -> Floats:
        """Unit vectors `[C D]`; `ridge` is in shares of the mean square of an embedding."""
        width = len(self.squares)
        level = ridge * float(np.trace(self.squares)) / width
        solved = np.linalg.solve(self.squares + level * np.eye(width), self.products.T).T
        lengths = np.linalg.norm(solved, axis=1, keepdims=True)
        unit: Floats = (solved / np.maximum(lengths, 1e-12)).astype(np.float32)
        return unit


def sums_of_views(tower: ImageTower, work: Path, weights: Path, vocabulary: Vocabulary) -> Sums:
    """Encode views of the run and gather the sums, both sides centred."""
    plan = Plan()
    views = Views(work, weights, plan.seed)
    numbers = range(min(VIEWS, len(views)))
    loader = torch.utils.data.DataLoader(
        views, _BATCH, sampler=numbers, num_workers=plan.workers, drop_last=True
    )
    targets = Targets(vocabulary, Classifier(weights))
    whole, presence = [], []
    for batch in loader:
        whole.append(tower.encode(batch["pixels"].numpy())[0])
        truth = batch["logits"].softmax(-1)
        seen, known = targets.presence(truth, batch["whole_boxes"], batch["words"])
        presence.append(torch.where(known, seen, torch.nan).numpy())
    embeddings, shown = np.concatenate(whole), np.concatenate(presence)
    # Where presence is not known, its mean says nothing either way.
    mean = np.nanmean(shown, axis=0)
    centred = np.where(np.isnan(shown), 0.0, shown - mean)
    moved = embeddings - embeddings.mean(axis=0)
    count = np.nansum(shown, axis=0)
    return Sums(moved.T @ moved, centred.T @ moved, count, len(embeddings))
