"""Views made of others, as video frames hold many things, most of them small.

A piece of another view, all of it made small, or a thing cut out of a picture is laid over a view;
and views are put side by side in mosaics. Pieces are whole tokens, so that pixels, the teacher's
map and the boxes move together and every token keeps its exact target. What is made small has the
mean of its map, which is what the teacher's own head sees of a whole picture.
"""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

# The share of a batch that gets a piece, and how much of a view a piece may cover.
PATCHED = 0.45
LARGEST = 0.4
# How many of the pieces are things, and how many are whole views made small.
THINGS, SMALL = 0.5, 0.2
# How many mosaics of four views are added to a batch, as shares of it.
MOSAICS = 0.125

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Pieces:
    """What was laid over the last rows of a batch: their share of the view, map mean and boxes."""

    shares: torch.Tensor
    maps: torch.Tensor
    boxes: torch.Tensor

    def __len__(self) -> int:
        return len(self.shares)


@dataclass(frozen=True, slots=True)
class _Part:
    """What is laid over a view: bytes `[3 h w]`, the map `[H W C]` and the boxes `[H W 80]`."""

    pixels: torch.Tensor
    map: torch.Tensor
    boxes: torch.Tensor


@dataclass(frozen=True, slots=True)
class Mosaics:
    """Pictures `[N 3 S S]`, each of the next `views_each` views; maps and boxes of their tokens."""

    pixels: torch.Tensor
    maps: torch.Tensor
    boxes: torch.Tensor
    views_each: int

    def __len__(self) -> int:
        return len(self.pixels)

    def of_views(self, values: torch.Tensor) -> torch.Tensor:
        """Rows of the views as `[N views_each ...]`."""
        used = len(self) * self.views_each
        return values[:used].unflatten(0, (len(self), self.views_each))


def lay_pieces(batch: Batch, rng: torch.Generator) -> tuple[Batch, Pieces]:
    """The batch with pieces laid over its last rows, taken from the rows before them."""
    views, places = batch["map"].shape[:2]
    grid = math.isqrt(places)
    cell = batch["pixels"].shape[-1] // grid
    count = int(PATCHED * views)
    pixels = batch["pixels"].clone()
    maps, boxes = (_on_grid(batch[name].clone(), grid) for name in ("map", "token_boxes"))
    shares, means, held = [], [], []
    for row in range(views - count, views):
        part = _part(batch, row - count, grid, rng)
        high, wide = part.map.shape[:2]
        top, left = _drawn(grid - high + 1, rng), _drawn(grid - wide + 1, rng)
        here = (row, slice(top, top + high), slice(left, left + wide))
        maps[here], boxes[here] = part.map, part.boxes
        rows, columns = (slice(cell * each.start, cell * each.stop) for each in here[1:])
        pixels[row, :, rows, columns] = part.pixels
        shares.append(high * wide / places)
        means.append(part.map.float().mean((0, 1)))
        held.append(part.boxes.float().amax((0, 1)) / 255)
    changed = {"pixels": pixels, "map": maps.flatten(1, 2), "token_boxes": boxes.flatten(1, 2)}
    return batch | changed, Pieces(torch.tensor(shares), torch.stack(means), torch.stack(held))


def mosaics(batch: Batch, pixels: torch.Tensor) -> list[Mosaics]:
    """Views four at a time, and all of them in the smallest tiles that hold whole tokens.

    `pixels` are those of the batch as the student takes them.
    """
    views, grid = len(pixels), math.isqrt(batch["map"].shape[1])
    most = max(side for side in (2, 3, 4) if grid % side == 0)
    counts = {2: int(MOSAICS * views)} | {most: max(1, views // most**2)}
    return [_mosaics(batch, pixels, side, count) for side, count in counts.items()]


def _mosaics(batch: Batch, pixels: torch.Tensor, side: int, count: int) -> Mosaics:
    grid, each = math.isqrt(batch["map"].shape[1]), side * side
    small = functional.avg_pool2d(pixels[: count * each], side)
    maps = _smaller(_on_grid(batch["map"][: count * each].float(), grid), side)
    boxes = _smaller(_on_grid(batch["token_boxes"][: count * each], grid), side, most=True)
    return Mosaics(
        _tiled(small.movedim(1, -1), side).movedim(-1, 1).contiguous(
            memory_format=torch.channels_last
        ),
        _tiled(maps, side).flatten(1, 2),
        _tiled(boxes, side).flatten(1, 2),
        each,
    )  # fmt: skip


def _tiled(tiles: torch.Tensor, side: int) -> torch.Tensor:
    """`[N side*side h w C]`, rows first, as `[N side*h side*w C]`; views are along one axis."""
    grid = tiles.unflatten(0, (-1, side, side))
    return grid.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def _part(batch: Batch, source: int, grid: int, rng: torch.Generator) -> _Part:
    """A thing, all of a view made small, or a piece of it."""
    kind = float(torch.rand((), generator=rng))
    if kind < THINGS:
        return _thing(batch, source, grid, rng)
    view = _Part(
        batch["pixels"][source],
        _on_grid(batch["map"][source : source + 1], grid)[0],
        _on_grid(batch["token_boxes"][source : source + 1], grid)[0],
    )
    if kind < THINGS + SMALL:
        factors = [each for each in range(2, grid + 1) if grid % each == 0]
        return _made_small(view, factors[_drawn(len(factors), rng)])
    return _cut_out(view, rng)


def _thing(batch: Batch, source: int, grid: int, rng: torch.Generator) -> _Part:
    """The thing that came with a view, at most half as wide and as high as a view is."""
    cell = batch["pixels"].shape[-1] // grid
    high, wide = 1 + _drawn(grid // 2, rng), 1 + _drawn(grid // 2, rng)
    pixels = functional.interpolate(
        batch["thing_pixels"][source][None].float(),
        (high * cell, wide * cell),
        mode="bilinear",
        antialias=True,
    )
    return _Part(
        pixels[0].round().to(torch.uint8),
        batch["thing_map"][source].expand(high, wide, -1),
        batch["thing_boxes"][source].expand(high, wide, -1),
    )


def _made_small(view: _Part, by: int) -> _Part:
    pixels = functional.avg_pool2d(view.pixels[None].float(), by)[0].round().to(torch.uint8)
    small = _smaller(view.map[None].float(), by)[0].to(view.map.dtype)
    return _Part(pixels, small, _smaller(view.boxes[None], by, most=True)[0])


def _cut_out(view: _Part, rng: torch.Generator) -> _Part:
    grid = len(view.map)
    cell = view.pixels.shape[-1] // grid
    while True:
        high, wide = 1 + _drawn(grid - 1, rng), 1 + _drawn(grid - 1, rng)
        if high * wide <= LARGEST * grid * grid:
            break
    top, left = _drawn(grid - high + 1, rng), _drawn(grid - wide + 1, rng)
    rows, columns = slice(top, top + high), slice(left, left + wide)
    of_pixels = (slice(cell * each.start, cell * each.stop) for each in (rows, columns))
    return _Part(view.pixels[:, *of_pixels], view.map[rows, columns], view.boxes[rows, columns])


def _smaller(values: torch.Tensor, by: int, *, most: bool = False) -> torch.Tensor:
    """Grids `[N H W C]` with one place for every `by` times `by`: their mean, or the most."""
    parts = values.unflatten(2, (-1, by)).unflatten(1, (-1, by))
    return parts.amax((2, 4)) if most else parts.mean((2, 4))


def _on_grid(values: torch.Tensor, grid: int) -> torch.Tensor:
    """Tokens `[N P C]` as `[N grid grid C]`."""
    return values.unflatten(1, (grid, grid))


def _drawn(end: int, rng: torch.Generator) -> int:
    return int(torch.randint(end, (), generator=rng))
