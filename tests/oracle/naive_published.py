"""The published policies once more: lists, loops over everything, whole numbers.

Frames come every half second, so that a frame is seen until the next one. A keeper here gets one
closed stretch at a time and holds its cells in a list, oldest first.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from math import exp, sqrt

import numpy as np
from numpy.typing import NDArray

from streammem.memory.codes import RowCode, to_fixed_point

STEP_S = 0.5
SAME = 0.9995


@dataclass
class NaiveCell:
    """A cell; `values` are its code's whole numbers, `scale` their unit."""

    id: int
    frames: list[int]
    spans: list[tuple[float, float]]
    exemplar_s: float
    values: NDArray[np.float64]
    scale: float
    visits: int = 1
    mass: int = 0
    received: int = 0
    born: int = 0

    def __post_init__(self) -> None:
        self.mass = self.mass or len(self.frames)

    @property
    def row(self) -> NDArray[np.float64]:
        """The key in fixed point."""
        return self.values * self.scale


def cosine(a: NaiveCell, b: NaiveCell) -> float:
    """1 for two keys of length 0."""
    squares = [float(np.sum(cell.values**2)) for cell in (a, b)]
    if squares == [0.0, 0.0]:
        return 1.0
    inverse = [1 / sqrt(square) if square else 0.0 for square in squares]
    return float(np.sum(a.values * b.values)) * (inverse[0] * inverse[1])


class Quantiser:
    """Fixed-point rows as what is stored of them."""

    def __init__(self, code: RowCode) -> None:
        self._code = code

    def __call__(self, row: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Values and scale of a row in the space of the code."""
        if self._code.bits == 16:
            return np.rint(row).astype(np.float16).astype(np.float64), 1.0
        encoded = self._code.encode(row[None])
        return self._code.values(encoded.codes)[0].astype(np.float64), float(encoded.scale[0])

    def rotate(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """A frame's row in the space of the code."""
        return self._code.rotate(row[None])[0]


def joined(spans: list[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """Touching spans joined, then the closest until at most `most`."""
    spans = sorted(spans)
    while True:
        gaps = [right[0] - left[1] for left, right in pairwise(spans)]
        if not gaps or (min(gaps) > 0 and len(spans) <= most):
            return spans
        at = gaps.index(min(gaps))
        spans[at : at + 2] = [(spans[at][0], max(spans[at][1], spans[at + 1][1]))]


@dataclass
class NaiveMemory:
    """What every policy has: room for so many cells, and a way to store keys."""

    capacity: int
    quantise: Quantiser
    spans_per_cell: int = 1
    cells: list[NaiveCell] = field(default_factory=list)
    waiting: list[NaiveCell] = field(default_factory=list)
    dropped: list[NaiveCell] = field(default_factory=list)
    next_id: int = 1

    @property
    def full(self) -> bool:
        """Whether a further cell needs room."""
        return len(self.cells) + len(self.waiting) >= self.capacity

    def merged(
        self, a: NaiveCell, b: NaiveCell, weights: tuple[int, int] | None = None
    ) -> NaiveCell:
        """One cell of two."""
        if b.id < a.id:
            a, b, weights = b, a, weights and (weights[1], weights[0])
        share = weights or (a.mass, b.mass)
        mean = np.rint((share[0] * a.row + share[1] * b.row) / sum(share))
        nearness = []
        for cell in (a, b):
            square = float(np.sum(cell.values**2))
            nearness.append(float(np.sum(cell.values * mean)) / sqrt(square) if square else 0.0)
        values, scale = self.quantise(mean)
        return NaiveCell(
            id=a.id,
            frames=a.frames + b.frames,
            spans=joined(a.spans + b.spans, self.spans_per_cell),
            exemplar_s=b.exemplar_s if nearness[1] > nearness[0] else a.exemplar_s,
            values=values,
            scale=scale,
            visits=a.visits + b.visits,
            received=a.received + b.received,
            born=min(a.born, b.born),
        )

    def merge_at(
        self, cells: list[NaiveCell], at: int, weights: tuple[int, int] | None = None
    ) -> None:
        """Make one of a cell and the next."""
        cells[at : at + 2] = [self.merged(cells[at], cells[at + 1], weights)]

    def keep(self, cell: NaiveCell) -> None:
        """Take a stretch that ended."""
        raise NotImplementedError


def closest(cells: list[NaiveCell]) -> int:
    """The first of the most alike neighbours."""
    likeness = [cosine(a, b) for a, b in pairwise(cells)]
    return likeness.index(max(likeness))


class Ranked(NaiveMemory):
    """Of all frames ever, those of the highest rank."""

    rank: Callable[[int], tuple[int, ...]]
    parts = 1

    def keep(self, cell: NaiveCell) -> None:
        """Choose among all frames anew."""
        every = [*self.cells, *self.dropped, cell]
        kept: list[NaiveCell] = []
        for part in range(self.parts):
            room = self.capacity // self.parts + (part < self.capacity % self.parts)
            mine = [one for one in every if (one.id - 1) % self.parts == part]
            mine.sort(key=lambda one, part=part: self.ranked(part, (one.id - 1) // self.parts))
            kept += mine[-room:]
        self.cells = kept
        self.dropped = [one for one in every if all(one is not other for other in kept)]

    def ranked(self, part: int, number: int) -> tuple[int, ...]:
        """The rank of a part's frame."""
        raise NotImplementedError


class Newest(Ranked):
    """`recent`, `fifo`."""

    def ranked(self, part: int, number: int) -> tuple[int, ...]:
        """Later is higher."""
        return (number,)


class Even(Ranked):
    """`uniform`."""

    def ranked(self, part: int, number: int) -> tuple[int, ...]:
        """How often 2 divides the number."""
        return even_rank(number)


def even_rank(number: int) -> tuple[int, ...]:
    """How often 2 divides a number, then the number; 0 is divided for ever."""
    times = 0
    while number and number % 2 ** (times + 1) == 0:
        times += 1
    return (times if number else 1000, number)


class Hybrid(Ranked):
    """`dstream`."""

    parts = 2

    def ranked(self, part: int, number: int) -> tuple[int, ...]:
        """Even in one part; in the other the first of each power of two."""
        if part == 0:
            return even_rank(number)
        times = even_rank(number + 1)[0]
        alike = [n for n in range(1, number + 1) if even_rank(n)[0] == times]
        return (-len(alike), times)


class Drawn(Ranked):
    """`reservoir`."""

    seed = 0

    def ranked(self, part: int, number: int) -> tuple[int, ...]:
        """SplitMix64, its upper 31 bits, then the number."""
        mask = 2**64 - 1
        state = ((number + 1) * 0x9E3779B97F4A7C15 + self.seed) & mask
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
        return ((state ^ (state >> 31)) >> 33, number)


class Everything(NaiveMemory):
    """`unbounded`."""

    def keep(self, cell: NaiveCell) -> None:
        """For ever."""
        self.cells.append(cell)


class LeastUsed(NaiveMemory):
    """`em-llm`: nothing is read here, so the oldest goes."""

    def keep(self, cell: NaiveCell) -> None:
        """The oldest makes room."""
        if self.full:
            self.dropped.append(self.cells.pop(0))
        self.cells.append(cell)


class NeighbourMerging(NaiveMemory):
    """`ixc`, `videollamb`."""

    def keep(self, cell: NaiveCell) -> None:
        """The most alike neighbours make room."""
        if self.full:
            self.merge_at(self.cells, closest(self.cells))
        self.cells.append(cell)
        if len(self.cells) > 1 and cosine(*self.cells[-2:]) >= SAME:
            self.merge_at(self.cells, len(self.cells) - 2)


class Fragments(NaiveMemory):
    """`moviechat`."""

    fragment, units, faithful = 8, 2, False

    def keep(self, cell: NaiveCell) -> None:
        """Every fragment becomes a few units."""
        weights = (1, 1) if self.faithful else None
        if self.full and self.faithful:
            self.dropped.append(self.cells.pop(0))
        elif self.full:
            self.merge_at(self.cells, closest(self.cells))
        self.waiting.append(cell)
        if len(self.waiting) < min(self.fragment, self.capacity // 2):
            return
        while len(self.waiting) > self.units:
            self.merge_at(self.waiting, closest(self.waiting), weights)
        for unit in self.waiting:
            self.cells.append(unit)
            if len(self.cells) > 1 and cosine(*self.cells[-2:]) >= SAME:
                self.merge_at(self.cells, len(self.cells) - 2, weights)
        self.waiting = []


class Matching(NaiveMemory):
    """`longvlm`."""

    segment, units = 16, 4

    def match(self, cells: list[NaiveCell], count: int) -> list[NaiveCell]:
        """One bipartite soft matching that merges `count` pairs."""
        pairs = []
        for a in cells[::2]:
            likeness = [cosine(a, b) for b in cells[1::2]]
            b = cells[1::2][likeness.index(max(likeness))]
            pairs.append((-max(likeness), a.id, a, b.id))
        current = {cell.id: cell for cell in cells[1::2]}
        taken = sorted(pairs, key=lambda pair: pair[:2])[:count]
        for _, _, a, b_id in taken:
            current[b_id] = self.merged(a, current[b_id])
        alone = [a for _, _, a, _ in pairs if all(a is not one for _, _, one, _ in taken)]
        return sorted([*current.values(), *alone], key=lambda cell: cell.id)

    def keep(self, cell: NaiveCell) -> None:
        """Every segment becomes a few units."""
        if self.full:
            self.cells = self.match(self.cells, max(1, len(self.cells) // 8))
        self.waiting.append(cell)
        if len(self.waiting) < min(self.segment, self.capacity // 2):
            return
        while len(self.waiting) > self.units:
            half = len(self.waiting) // 2
            self.waiting = self.match(self.waiting, min(half, len(self.waiting) - self.units))
        for unit in self.waiting:
            self.cells.append(unit)
            if len(self.cells) > 1 and cosine(*self.cells[-2:]) >= SAME:
                self.merge_at(self.cells, len(self.cells) - 2)
        self.waiting = []


class Chunks(NaiveMemory):
    """`hcam`: `waiting` are the frames, `cells` the chunks."""

    chunk = 16

    def keep(self, cell: NaiveCell) -> None:
        """The oldest frames become a chunk."""
        if self.full:
            if len(self.cells) == self.capacity // 2:
                self.dropped.append(self.cells.pop(0))
            size = min(self.chunk, self.capacity // 2)
            chunk, self.waiting = self.waiting[:size], self.waiting[size:]
            while len(chunk) > 1:
                self.merge_at(chunk, 0)
            self.cells += chunk
        self.waiting.append(cell)


class Prototypes(NaiveMemory):
    """`xmem`: `waiting` are the working frames."""

    ratio, sharpness = 4, 16.0

    def usage(self, cell: NaiveCell) -> float:
        """Affinity received per frame of life, when the next frame comes."""
        return cell.received / (self.next_id - cell.born)

    def keep(self, cell: NaiveCell) -> None:
        """The frame reads, then joins the working cells."""
        self.next_id = cell.id
        if self.full:
            worst = min(self.cells, key=lambda one: (self.usage(one), one.mass, one.id))
            self.cells.remove(worst)
            self.dropped.append(worst)
        every = self.cells + self.waiting
        likeness = sorted((cosine(one, cell) for one in every), reverse=True)[:30]
        total = sum(exp(self.sharpness * (one - likeness[0])) for one in likeness)
        for one in every:
            if cosine(one, cell) >= likeness[-1]:
                affinity = exp(self.sharpness * (cosine(one, cell) - likeness[0])) / total
                one.received += round(2**20 * affinity)
        cell.born = cell.id
        self.waiting.append(cell)
        self.next_id = cell.id + 1
        if len(self.waiting) >= max(4, min(512, self.capacity // 4)):
            self.consolidate()

    def consolidate(self) -> None:
        """The older half but the first: prototypes and those that join them."""
        half = len(self.waiting) - len(self.waiting) // 2
        candidates = self.waiting[1:half]
        self.waiting = self.waiting[:1] + self.waiting[half:]
        count = max(1, len(candidates) // self.ratio)
        best = sorted(candidates, key=lambda one: (-self.usage(one), one.id))[:count]
        best.sort(key=lambda one: one.id)
        nearest = {}
        for one in candidates:
            likeness = [cosine(prototype, one) for prototype in best]
            nearest[one.id] = best[likeness.index(max(likeness))].id
        for prototype in best:
            nearest[prototype.id] = prototype.id
        for prototype in best:
            key = self.potentiated(prototype, candidates)
            result = prototype
            for one in candidates:
                if nearest[one.id] == prototype.id and one is not prototype:
                    result = self.merged(result, one)
                    result.exemplar_s = prototype.exemplar_s
            result.values, result.scale = self.quantise(key)
            self.cells.append(result)

    def potentiated(self, prototype: NaiveCell, candidates: list[NaiveCell]) -> NDArray[np.float64]:
        """The mean of all candidates by affinity."""
        weights = [exp(self.sharpness * cosine(prototype, one)) for one in candidates]
        rows = [w * one.row for w, one in zip(weights, candidates, strict=True)]
        return np.rint(sum(rows) / sum(weights))


class Centroids(NaiveMemory):
    """`flash-vstream`."""

    def cost(self, a: NaiveCell, b: NaiveCell) -> float:
        """Ward's."""
        rows = a.row / 2**14, b.row / 2**14
        return a.mass * b.mass / (a.mass + b.mass) * float(np.sum((rows[0] - rows[1]) ** 2))

    def keep(self, cell: NaiveCell) -> None:
        """Cluster when enough frames wait."""
        self.waiting.append(cell)
        most_waiting = max(1, min(64, self.capacity // 8))
        if len(self.waiting) < most_waiting:
            return
        self.cells += self.waiting
        self.waiting = []
        while self.round(self.capacity - most_waiting):
            pass

    def round(self, most: int) -> bool:
        """Merge pairs that are each other's cheapest; whether any was."""
        partner = {}
        for cell in self.cells:
            others = [other for other in self.cells if other is not cell]
            if others:
                best = min(others, key=lambda one, cell=cell: (self.cost(cell, one), one.id))
                partner[cell.id] = best
        pairs = [
            (self.cost(cell, partner[cell.id]), cell.id, cell, partner[cell.id])
            for cell in self.cells
            if cell.id in partner
            and partner[partner[cell.id].id] is cell
            and cell.id < partner[cell.id].id
        ]
        done = False
        for cost, _, a, b in sorted(pairs, key=lambda pair: pair[:2]):
            if len(self.cells) <= most and cost > 1e-3:
                break
            self.cells = [one for one in self.cells if one is not a and one is not b]
            self.cells.append(self.merged(a, b))
            self.cells.sort(key=lambda one: one.id)
            done = True
        return done


class Signal(NaiveMemory):
    """`infinite-video`: `cells` are the bins in order."""

    sharpness = 4.0

    def keep(self, cell: NaiveCell) -> None:
        """Contract by every chunk; ids are the table's own."""
        cell.id = 0
        self.waiting.append(cell)
        size = max(1, self.capacity // 5)
        if len(self.waiting) < size:
            return
        if len(self.cells) + 2 * size > self.capacity:
            self.contract(self.capacity - 2 * size)
        self.cells += self.waiting
        self.waiting = []

    def contract(self, count: int) -> None:
        """Every new bin is the mean of the old signal over its part."""
        density = [0.0] * len(self.cells)
        for frame in self.waiting:
            weights = [exp(self.sharpness * cosine(bin_, frame)) for bin_ in self.cells]
            density = [d + w / sum(weights) for d, w in zip(density, weights, strict=True)]
        edges = [sum(density[:i]) / sum(density) for i in range(len(density) + 1)]
        count = max(1, min(count, len(self.cells)))
        bins = []
        for part in range(count):
            shares = []
            for (low, high), old in zip(pairwise(edges), self.cells, strict=True):
                shared = min((part + 1) / count, high) - max(part / count, low)
                if shared > 0:
                    shares.append((shared, shared / (high - low), old))
            mean = sum(share * old.row for share, _, old in shares)
            values, scale = self.quantise(np.rint(mean / sum(share for share, _, _ in shares)))
            heaviest = max(shares, key=lambda one: one[0])[2]
            spans = [(shares[0][2].spans[0][0], shares[-1][2].spans[0][1])]
            mass = max(1, round(sum(portion * old.mass for _, portion, old in shares)))
            bins.append(NaiveCell(0, [], spans, heaviest.exemplar_s, values, scale, mass=mass))
        self.cells = bins


def stretches(
    frames: NDArray[np.float32], cuts: Callable[[list[NDArray[np.float64]]], list[int]]
) -> list[list[int]]:
    """Frames grouped at the indices that `cuts` names; the open group last."""
    rows = list(to_fixed_point(frames))
    bounds = [0, *cuts(rows), len(rows)]
    return [list(range(first, last)) for first, last in pairwise(bounds)]


def every_frame(rows: list[NDArray[np.float64]]) -> list[int]:
    """Each frame is a stretch."""
    return list(range(1, len(rows)))


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    lengths = float(np.sum(a * a)) * float(np.sum(b * b))
    return float(np.sum(a * b)) / sqrt(lengths) if lengths else 0.0


def by_similarity(rows: list[NDArray[np.float64]]) -> list[int]:
    """`ixc`: at most 0.9 to the last frame, 3 to 16 frames."""
    cuts, begin = [], 0
    for i in range(1, len(rows)):
        length = i - begin
        if length >= 16 or (length >= 3 and _cosine(rows[i], rows[i - 1]) <= 0.9):
            cuts.append(i)
            begin = i
    return cuts


def by_depth(rows: list[NDArray[np.float64]], alpha: float = 2.0, longest: int = 256) -> list[int]:
    """`videollamb`: climb left from each similarity, compare with all depths before."""
    cuts, begin = [], 0
    similarity = [_cosine(a, b) for a, b in pairwise(rows)]
    depths: list[float] = []
    for i, now in enumerate(similarity):
        peak = i
        while peak > 0 and similarity[peak - 1] >= similarity[peak]:
            peak -= 1
        depth = similarity[peak] - now
        deep = len(depths) > 1 and depth > np.mean(depths) + alpha * np.std(depths)
        depths.append(depth)
        if deep or i + 1 - begin >= longest:
            cuts.append(i + 1)
            begin = i + 1
    return cuts


def by_surprise(
    rows: list[NDArray[np.float64]], gamma: float = 1.0, shortest: int = 1
) -> list[int]:
    """`em-llm`: one minus the cosine with the sum of the event, against its fading mean."""
    cuts, begin = [], 0
    count, mean, variance = 0, 0.0, 0.0
    for i in range(1, len(rows)):
        surprise = 1 - _cosine(rows[i], np.sum(rows[begin:i], axis=0))
        length = i - begin
        high = count > 1 and surprise > mean + gamma * sqrt(variance)
        count = min(count + 1, 256)
        weight = 1 / count
        variance = (1 - weight) * (variance + weight * (surprise - mean) ** 2)
        mean += weight * (surprise - mean)
        if (high and length >= shortest) or length >= 128:
            cuts.append(i)
            begin = i
    return cuts


def exemplar(rows: list[NDArray[np.float64]], group: list[int]) -> int:
    """The frame nearest to the sum of those before it; the first where there is no other."""
    best, fit = group[0], -2.0
    for place in range(1, len(group)):
        likeness = _cosine(rows[group[place]], np.sum([rows[i] for i in group[:place]], axis=0))
        if likeness > fit:
            best, fit = group[place], likeness
    return best


def remember(
    memory: NaiveMemory,
    frames: NDArray[np.float32],
    cuts: Callable[[list[NDArray[np.float64]]], list[int]],
) -> None:
    """Give a memory all closed stretches of a stream."""
    rows = list(to_fixed_point(frames))
    for number, group in enumerate(stretches(frames, cuts)[:-1], 1):
        mean = np.rint(np.sum([rows[i] for i in group], axis=0) / len(group))
        values, scale = memory.quantise(memory.quantise.rotate(mean))
        best = exemplar(rows, group)
        span = (group[0] * STEP_S, (group[-1] + 1) * STEP_S)
        memory.keep(NaiveCell(number, group, [span], best * STEP_S, values, scale))
