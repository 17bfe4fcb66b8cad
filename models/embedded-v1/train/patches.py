"""Views with a piece of another view laid over them, as things stand before each other in video.

Pieces are whole tokens, so that pixels, the teacher's map and the boxes move together and every
token keeps its exact target.
"""

from dataclasses import dataclass

import torch

# The share of a batch that gets a piece, and how much of a view a piece may cover.
PATCHED = 0.375
LARGEST = 0.4


@dataclass(frozen=True, slots=True)
class Pieces:
    """What was laid over the last rows of a batch: their share of the view, map mean and boxes."""

    shares: torch.Tensor
    maps: torch.Tensor
    boxes: torch.Tensor

    def __len__(self) -> int:
        return len(self.shares)


def lay_pieces(
    batch: dict[str, torch.Tensor], rng: torch.Generator
) -> tuple[dict[str, torch.Tensor], Pieces]:
    """The batch with pieces laid over its last rows, taken from the rows before them."""
    views, places = batch["map"].shape[:2]
    grid = round(places**0.5)
    cell = batch["pixels"].shape[-1] // grid
    count = int(PATCHED * views)
    pixels = batch["pixels"].clone()
    maps = batch["map"].clone().unflatten(1, (grid, grid))
    boxes = batch["token_boxes"].clone().unflatten(1, (grid, grid))
    given = {"pixels": batch["pixels"]}
    for name in ("map", "token_boxes"):
        given[name] = batch[name].unflatten(1, (grid, grid))
    shares, means, held = [], [], []
    for row in range(views - count, views):
        high, wide, *offsets = _piece(grid, rng)
        top, left, from_top, from_left = offsets
        source = row - count
        here = (row, slice(top, top + high), slice(left, left + wide))
        there = (source, slice(from_top, from_top + high), slice(from_left, from_left + wide))
        maps[here], boxes[here] = given["map"][there], given["token_boxes"][there]
        pixels[row, :, top * cell : (top + high) * cell, left * cell : (left + wide) * cell] = (
            given["pixels"][
                source,
                :,
                from_top * cell : (from_top + high) * cell,
                from_left * cell : (from_left + wide) * cell,
            ]
        )
        shares.append(high * wide / places)
        means.append(given["map"][there].float().mean((0, 1)))
        held.append(given["token_boxes"][there].float().amax((0, 1)) / 255)
    changed = {"pixels": pixels, "map": maps.flatten(1, 2), "token_boxes": boxes.flatten(1, 2)}
    return batch | changed, Pieces(torch.tensor(shares), torch.stack(means), torch.stack(held))


def _piece(grid: int, rng: torch.Generator) -> tuple[int, ...]:
    """Height and width in tokens, then where it goes and where it comes from."""

    def drawn(end: int) -> int:
        return int(torch.randint(end, (), generator=rng))

    while True:
        high, wide = 1 + drawn(grid - 1), 1 + drawn(grid - 1)
        if high * wide <= LARGEST * grid * grid:
            rows, columns = grid - high + 1, grid - wide + 1
            return high, wide, drawn(rows), drawn(columns), drawn(rows), drawn(columns)
