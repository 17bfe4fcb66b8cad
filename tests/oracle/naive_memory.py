"""The default policy once more, in clear loops over every pair and with Python integers."""

import itertools
from dataclasses import dataclass, field
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from streammem.memory.codes import FIXED_ONE, EncodedRows, RowCode, to_fixed_point
from streammem.memory.governor import MemoryPlan
from streammem.memory.policies import PolicySettings


@dataclass
class NaiveCell:
    """A cell; `values` are its code's integers, `scale` their unit."""

    id: int
    mass: int
    visits: int
    time_sum_us: int
    spans: list[tuple[float, float]]
    exemplar_s: float
    code: bytes
    values: NDArray[np.float32]
    scale: np.float32
    pinned: bool
    use: int = 0


@dataclass
class NaiveEvent:
    """Frames of the open event as integer rows, with their times."""

    rows: list[NDArray[np.int64]] = field(default_factory=list)
    pts_s: list[float] = field(default_factory=list)
    surprises: list[float] = field(default_factory=list)


class NaiveMemory:
    """Frames at regular times in, cells out; every decision looks at everything."""

    def __init__(self, plan: MemoryPlan, settings: PolicySettings, seed: int) -> None:
        self.plan, self.settings = plan, settings
        self.code: RowCode = plan.row_code(seed)
        self.working: list[NaiveCell] = []
        self.long_term: list[NaiveCell] = []
        self.evicted: list[NaiveCell] = []
        self.event = NaiveEvent()
        self.usual = (0.1, 0.0009, 1.0)
        self.before = (0.1, 0.1)
        self.next_id = 1

    def write(self, frame: NDArray[np.float32], pts_s: float) -> None:
        """Take one frame; frames come at one rate, so that none ends in a hole."""
        row = to_fixed_point(frame[None])[0].astype(np.int64)
        if self.event.rows:
            surprise = self._surprise(row)
            change = int(np.sum((row - self.event.rows[-1]) ** 2)) / 2 / FIXED_ONE**2
            if self._cuts(surprise, change):
                self._close_event(pts_s)
            else:
                self.event.surprises.append(surprise)
        self.event.rows.append(row)
        self.event.pts_s.append(pts_s)

    def _surprise(self, row: NDArray[np.int64]) -> float:
        """Half the mean squared distance to the frames of the event."""
        distances = [int(np.sum((row - member) ** 2)) for member in self.event.rows]
        return sum(distances) / 2 / len(distances) / FIXED_ONE**2

    def _cuts(self, surprise: float, change: float) -> bool:
        """The rule of the boundary, with the event's statistics computed anew."""
        s = self.settings
        mean, variance, count = self.usual
        own = self.event.surprises
        own_mean = sum(own) / len(own) if own else 0.0
        own_square = sum((value - own_mean) ** 2 for value in own)
        weight = len(own) + s.prior_frames
        deviation = min(sqrt(variance / 0.5595), mean / 2)
        usual = mean + 0.8463 * deviation
        expected = (len(own) * own_mean + s.prior_frames * usual) / weight
        spread = (own_square + s.prior_frames * deviation**2) / weight
        limit = s.gamma * sqrt(spread * (1 + 1 / len(self.event.rows)))
        surprising = surprise - expected > max(limit, s.surprise_floor)
        step = max(1 / (count + 1), 1 / s.memory_frames)
        delta = min(change, *self.before) - mean
        self.before = (change, self.before[0])
        self.usual = (
            mean + step * delta,
            (1 - step) * (variance + step * delta**2),
            min(count + 1, s.memory_frames),
        )
        frames = len(self.event.rows)
        return (surprising and frames >= s.min_event_frames) or frames >= s.max_event_frames

    def _close_event(self, end_s: float) -> None:
        event, self.event = self.event, NaiveEvent()
        if len(self.working) == self.plan.working:
            self._promote(self.working.pop(0))
        while len(self.working) + len(self.long_term) == self.plan.cells:
            self._free_a_slot()
        self._limit_pool()
        cell = self._cell_of(event, end_s)
        if self.working and self._distance(self.working[-1], cell) <= self.settings.same_distance:
            self.working[-1] = self._merged(self.working[-1], cell)
        else:
            self.working.append(cell)

    def _cell_of(self, event: NaiveEvent, end_s: float) -> NaiveCell:
        total = np.sum(event.rows, axis=0).astype(np.float64)
        encoded = self.code.encode(self.code.rotate(total[None]))
        best = 0
        if event.surprises:
            best = 1 + min(range(len(event.surprises)), key=lambda i: (event.surprises[i], i))
        self.next_id += 1
        return NaiveCell(
            id=self.next_id - 1,
            mass=len(event.rows),
            visits=1,
            time_sum_us=sum(round(pts_s * 1e6) for pts_s in event.pts_s),
            spans=[(event.pts_s[0], end_s)],
            exemplar_s=event.pts_s[best],
            code=encoded.codes[0].tobytes(),
            values=self._values(encoded),
            scale=np.float32(encoded.scale[0] / (len(event.rows) * FIXED_ONE)),
            pinned=self.next_id == 2,
        )

    def _values(self, encoded: EncodedRows) -> NDArray[np.float32]:
        """Code values; a zero key has none, whatever its code says."""
        values = self.code.values(encoded.codes)[0]
        return values if encoded.square_sum[0] else np.zeros_like(values)

    def _promote(self, cell: NaiveCell) -> None:
        self.long_term.append(cell)
        if cell.pinned:
            return
        partners = [other for other in self._free() if other is not cell]
        if partners:
            cheapest = min(partners, key=lambda other: (self._cost(cell, other), other.id))
            if self._distance(cell, cheapest) <= self.settings.same_distance:
                self._merge(cheapest, cell)

    def _free_a_slot(self) -> None:
        cells = sorted(self._free(), key=lambda cell: cell.id)
        pairs = [(a, b) for i, a in enumerate(cells) for b in cells[i + 1 :]]
        if pairs:
            a, b = min(pairs, key=lambda p: (self._cost(*p), p[0].id, p[1].id))
            if self._distance(a, b) <= self.settings.max_merge_distance:
                self._merge(a, b)
                return
        self._evict()

    def _free(self) -> list[NaiveCell]:
        return [cell for cell in self.long_term if not cell.pinned]

    def _distance(self, a: NaiveCell, b: NaiveCell) -> np.float32:
        """Squared distance of unit keys in single precision, as it is stored in links."""
        squares = [np.float32(np.sum(cell.values.astype(np.int64) ** 2)) for cell in (a, b)]
        product = np.float32(np.sum(a.values.astype(np.int64) * b.values.astype(np.int64)))
        inverse = [np.float32(1) / np.sqrt(s) if s else np.float32(0) for s in squares]
        lengths = np.float32(squares[0] > 0) + np.float32(squares[1] > 0)
        distance = lengths - np.float32(2) * (inverse[0] * inverse[1] * product)
        return max(np.float32(0), distance)

    def _cost(self, a: NaiveCell, b: NaiveCell) -> np.float32:
        distance = self._distance(a, b)
        if self.settings.mass_exponent == 0:
            return distance
        inverse = np.float32(1 / a.mass) + np.float32(1 / b.mass)
        harmonic = np.power(np.array([inverse]), np.float32(-self.settings.mass_exponent))[0]
        return np.float32(harmonic * distance)

    def _merge(self, a: NaiveCell, b: NaiveCell) -> None:
        older, younger = (a, b) if a.id < b.id else (b, a)
        merged = self._merged(older, younger)
        self.long_term = [c for c in self.long_term if c is not older and c is not younger]
        self.long_term.append(merged)

    def _merged(self, older: NaiveCell, younger: NaiveCell) -> NaiveCell:
        keys = [
            cell.values.astype(np.float64) * (float(cell.scale) * FIXED_ONE)
            for cell in (older, younger)
        ]
        mass = older.mass + younger.mass
        mean = np.rint((older.mass * keys[0] + younger.mass * keys[1]) / mass)
        lengths = [float(np.sqrt(key @ key)) for key in keys]
        fit = [
            float(key @ mean) / length if length else 0.0
            for key, length in zip(keys, lengths, strict=True)
        ]
        encoded = self.code.encode(mean[None])
        return NaiveCell(
            id=older.id,
            mass=mass,
            visits=older.visits + younger.visits,
            time_sum_us=older.time_sum_us + younger.time_sum_us,
            spans=self._joined(older.spans + younger.spans, self.settings.spans_per_cell),
            exemplar_s=younger.exemplar_s if fit[1] > fit[0] else older.exemplar_s,
            code=encoded.codes[0].tobytes(),
            values=self._values(encoded),
            scale=np.float32(encoded.scale[0] / FIXED_ONE),
            pinned=older.pinned or younger.pinned,
            use=older.use + younger.use,
        )

    @staticmethod
    def _joined(spans: list[tuple[float, float]], most: int) -> list[tuple[float, float]]:
        """Spans in order, touching ones joined, then the closest until at most `most`."""
        spans = sorted(spans)
        while True:
            gaps = [right[0] - left[1] for left, right in itertools.pairwise(spans)]
            if not gaps or (min(gaps) > 0 and len(spans) <= most):
                return spans
            at = gaps.index(min(gaps))
            spans[at : at + 2] = [(spans[at][0], max(spans[at][1], spans[at + 1][1]))]

    def _limit_pool(self) -> None:
        """Where all spans are taken, join the closest gaps of all cells, the earlier on ties."""
        cells = self.working + self.long_term
        if sum(len(cell.spans) for cell in cells) < self.plan.spans:
            return
        gaps = sorted(
            (right[0] - left[1], right[0])
            for cell in cells
            for left, right in zip(cell.spans, cell.spans[1:], strict=False)
        )
        closed = {start_s for _, start_s in gaps[: max(1, self.plan.spans // 32)]}
        for cell in cells:
            joined: list[tuple[float, float]] = []
            for start_s, end_s in cell.spans:
                if joined and start_s in closed:
                    joined[-1] = (joined[-1][0], end_s)
                else:
                    joined.append((start_s, end_s))
            cell.spans = joined

    def _evict(self) -> None:
        live = self.working + self.long_term
        order = sorted(self._free(), key=lambda c: (c.use, c.mass, c.spans[0][0], c.id))
        every = [span for cell in live for span in cell.spans]
        length_s = max(end for _, end in every) - min(start for start, _ in every)
        longest_s = self.settings.coverage_fraction * length_s
        victim = order[0]
        for cell in order:
            rest = sorted(span for other in live if other is not cell for span in other.spans)
            gap_s, reached_s = 0.0, rest[0][0]
            for start_s, end_s in rest:  # joined spans may lie over others
                gap_s = max(gap_s, start_s - reached_s)
                reached_s = max(reached_s, end_s)
            if gap_s <= longest_s:
                victim = cell
                break
        self.long_term.remove(victim)
        self.evicted.append(victim)
