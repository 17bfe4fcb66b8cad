"""The default policy once more, in clear loops over every pair and with Python integers."""

import itertools
from dataclasses import dataclass, field
from math import cos, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from streammem.memory.codes import FIXED_ONE, EncodedRows, RowCode, to_fixed_point
from streammem.memory.governor import MemoryPlan
from streammem.memory.policies import PolicySettings
from streammem.memory.signs import SignCode


@dataclass
class NaiveKey:
    """A fine key: `values` are its code's integers, `scale` their unit."""

    code: bytes
    values: NDArray[np.float32]
    scale: np.float32


@dataclass
class NaiveSpan:
    """A visit: when it was and the first signs of its key, as a string of 0 and 1."""

    start_s: float
    end_s: float
    sketch: str


@dataclass
class NaiveCell:
    """A cell; `signs` is a string of 0 and 1, `key` the fine key where there is one."""

    id: int
    mass: int
    visits: int
    time_sum_us: int
    spans: list[NaiveSpan]
    exemplar_s: float
    signs: str
    flat: bool
    key: NaiveKey | None
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
        self.fine: RowCode = plan.fine_code(seed)
        self.sign_code: SignCode = plan.sign_code(seed)
        self.most_cells = self.most_spans = 0
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
        frames, before = len(self.event.rows), self.before
        self.before = (change, before[0])
        pair, least = max(change, before[0]), min(change, *before)
        own_or_usual = max(mean, own_mean if own else 0.0)
        if frames >= 2 and own_or_usual / 4 > max(pair, s.surprise_floor):
            mean = (change + before[0]) / 2
            self.usual = (mean, (0.3 * mean) ** 2, 2.0)
            surprising = surprising or frames > 2
        elif least > 4 * max(mean, s.surprise_floor):
            self.usual = (least, (0.3 * least) ** 2, 1.0)
        else:
            step = max(1 / (count + 1), 1 / s.memory_frames)
            delta = least - mean
            self.usual = (
                mean + step * delta,
                (1 - step) * (variance + step * delta**2),
                min(count + 1, s.memory_frames),
            )
        return (surprising and frames >= s.min_event_frames) or frames >= s.max_event_frames

    def _close_event(self, end_s: float) -> None:
        event, self.event = self.event, NaiveEvent()
        if len(self.working) == self.plan.working:
            self._promote(self.working.pop(0))
        while len(self._live()) == self.plan.cells:
            self._free_a_slot()
        self._spare_details()
        self._drop_details(self._growth_bytes())
        cell = self._cell_of(event, end_s)
        self.most_cells = max(self.most_cells, len(self._live()) + 1)
        self._limit_pool()
        self.most_spans = max(self.most_spans, self._span_count() + 1)
        if self._details() < self.plan.details:
            self._drop_details(self._detail_bytes())
        if self._free_bytes() >= self._detail_bytes():
            cell.key = self._fine_key(np.sum(event.rows, axis=0).astype(np.float64), cell.mass)
        if self.working and self._distance(self.working[-1], cell) <= self.settings.same_distance:
            self.working[-1] = self._merged(self.working[-1], cell)
        else:
            self.working.append(cell)

    def _live(self) -> list[NaiveCell]:
        return self.working + self.long_term

    def _span_count(self) -> int:
        return sum(len(cell.spans) for cell in self._live())

    def _details(self) -> int:
        return sum(cell.key is not None for cell in self._live())

    def _detail_bytes(self) -> int:
        return self.plan.detail_dtype.itemsize

    def _free_bytes(self) -> int:
        """What is left of the shared bytes; places once used stay taken."""
        used = self.most_cells * self.plan.cell_bytes + self.most_spans * self.plan.span_bytes
        return self.plan.shared_bytes - used - self._details() * self._detail_bytes()

    def _growth_bytes(self) -> int:
        cell = self.plan.cell_bytes if len(self._live()) == self.most_cells else 0
        grows = self._span_count() == self.most_spans < self.plan.spans
        return cell + (self.plan.span_bytes if grows else 0)

    def _spare_details(self) -> None:
        if self._free_bytes() < self._growth_bytes() + self._detail_bytes():
            pair = self._cheapest()
            if pair and self._distance(*pair) <= self.settings.near_distance:
                self._merge(*pair)

    def _drop_details(self, wanted_bytes: int) -> None:
        """Usage never differs here: the oldest lose their details first."""
        missing = wanted_bytes - self._free_bytes()
        if missing > 0:
            detailed = sorted((c for c in self._live() if c.key), key=lambda c: c.id)
            count = max(-(-missing // self._detail_bytes()), len(detailed) // 64)
            for cell in detailed[:count]:
                cell.key = None

    def _fine_key(self, total: NDArray[np.float64], mass: int) -> NaiveKey:
        encoded = self.fine.encode(self.fine.rotate(total[None]))
        return self._key_of(encoded, mass * FIXED_ONE)

    def _key_of(self, encoded: EncodedRows, unit: float) -> NaiveKey:
        return NaiveKey(
            encoded.codes[0].tobytes(),
            self.fine.values(encoded.codes)[0],
            np.float32(encoded.scale[0] / unit),
        )

    def _signs(self, row: NDArray[np.float64]) -> str:
        limbs = self.sign_code.encode(row[None])[0]
        bits = "".join(f"{int(limb):064b}"[::-1] for limb in limbs)
        return bits[: self.sign_code.signs]

    def _cell_of(self, event: NaiveEvent, end_s: float) -> NaiveCell:
        total = np.sum(event.rows, axis=0).astype(np.float64)
        signs = self._signs(total)
        sketch = signs[: 64 * self.plan.sketch_limbs]
        best = 0
        if event.surprises:
            best = 1 + min(range(len(event.surprises)), key=lambda i: (event.surprises[i], i))
        self.next_id += 1
        return NaiveCell(
            id=self.next_id - 1,
            mass=len(event.rows),
            visits=1,
            time_sum_us=sum(round(pts_s * 1e6) for pts_s in event.pts_s),
            spans=[NaiveSpan(event.pts_s[0], end_s, sketch)],
            exemplar_s=event.pts_s[best],
            signs=signs,
            flat=not total.any(),
            key=None,
            pinned=self.next_id == 2,
        )

    def _promote(self, cell: NaiveCell) -> None:
        self.long_term.append(cell)
        if cell.pinned:
            return
        partners = [other for other in self._free() if other is not cell]
        if partners:
            cheapest = min(partners, key=lambda other: (self._cost(cell, other), other.id))
            if self._distance(cell, cheapest) <= self.settings.same_distance:
                self._merge(cheapest, cell)

    def _cheapest(self) -> tuple[NaiveCell, NaiveCell] | None:
        cells = sorted(self._free(), key=lambda cell: cell.id)
        pairs = [(a, b) for i, a in enumerate(cells) for b in cells[i + 1 :]]
        return min(pairs, key=lambda p: (self._cost(*p), p[0].id, p[1].id)) if pairs else None

    def _free_a_slot(self) -> None:
        pair = self._cheapest()
        if pair and self._distance(*pair) <= self.settings.max_merge_distance:
            self._merge(*pair)
        else:
            self._evict()

    def _free(self) -> list[NaiveCell]:
        return [cell for cell in self.long_term if not cell.pinned]

    def _distance(self, a: NaiveCell, b: NaiveCell) -> np.float32:
        """Squared distance of unit keys by the angle that their signs tell."""
        if a.flat or b.flat:
            return np.float32(a.flat != b.flat)
        return np.float32(2 - 2 * cos(pi * _unlike(a.signs, b.signs) / self.sign_code.signs))

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
        look = younger if younger.mass > older.mass else older
        signs, flat, key, exemplar_s = look.signs, look.flat, look.key, look.exemplar_s
        if older.key and younger.key:
            mean, exemplar_s = self._mean(older, younger)
            key = self._key_of(self.fine.encode(mean[None]), FIXED_ONE)
            turned = np.rint(self.fine.rotate_back(mean[None]))[0]
            signs, flat = self._signs(turned), not turned.any()
        return NaiveCell(
            id=older.id,
            mass=older.mass + younger.mass,
            visits=older.visits + younger.visits,
            time_sum_us=older.time_sum_us + younger.time_sum_us,
            spans=self._joined(older.spans + younger.spans, self.settings.spans_per_cell),
            exemplar_s=exemplar_s,
            signs=signs,
            flat=flat,
            key=key,
            pinned=older.pinned or younger.pinned,
            use=older.use + younger.use,
        )

    @staticmethod
    def _mean(older: NaiveCell, younger: NaiveCell) -> tuple[NDArray[np.float64], float]:
        """The mean key in fixed point, and the exemplar of the cell closer to it."""
        assert older.key
        assert younger.key
        keys = [
            key.values.astype(np.float64) * (float(key.scale) * FIXED_ONE)
            for key in (older.key, younger.key)
        ]
        mass = older.mass + younger.mass
        mean = np.rint((older.mass * keys[0] + younger.mass * keys[1]) / mass)
        lengths = [float(np.sqrt(key @ key)) for key in keys]
        fit = [
            float(key @ mean) / length if length else 0.0
            for key, length in zip(keys, lengths, strict=True)
        ]
        return mean, younger.exemplar_s if fit[1] > fit[0] else older.exemplar_s

    def _joined(self, spans: list[NaiveSpan], most: int) -> list[NaiveSpan]:
        """Spans in order; what overlaps, or touches and is alike, joined; then the closest."""
        groups = [[span] for span in sorted(spans, key=lambda span: span.start_s)]

        def gap_s(at: int) -> float:
            return groups[at + 1][0].start_s - max(span.end_s for span in groups[at])

        def join(at: int) -> None:
            groups[at : at + 2] = [groups[at] + groups[at + 1]]

        at = 0
        while at + 1 < len(groups):
            touches = gap_s(at) <= 0 and self._alike(groups[at][-1], groups[at + 1][0])
            if gap_s(at) < 0 or touches:
                join(at)
            else:
                at += 1
        while len(groups) > most:
            gaps = [gap_s(at) for at in range(len(groups) - 1)]
            join(gaps.index(min(gaps)))
        return [_one(group) for group in groups]

    def _alike(self, span: NaiveSpan, other: NaiveSpan) -> bool:
        return self._unlikeness(span, other) == 0

    def _unlikeness(self, span: NaiveSpan, other: NaiveSpan) -> int:
        """0 to 3: unlike in up to a sixteenth, an eighth, a quarter of the signs, or in more."""
        signs = 64 * self.plan.sketch_limbs
        unlike = _unlike(span.sketch, other.sketch)
        return sum(unlike > signs // part for part in (16, 8, 4))

    def _limit_pool(self) -> None:
        """Where all spans are taken, join neighbours of all cells: alike ones, then the closest."""
        if self._span_count() < self.plan.spans:
            return
        neighbours = sorted(
            (self._unlikeness(left, right), right.start_s - left.end_s, right.start_s)
            for cell in self._live()
            for left, right in itertools.pairwise(cell.spans)
        )
        closed = {start_s for *_, start_s in neighbours[: max(1, self.plan.spans // 32)]}
        for cell in self._live():
            groups: list[list[NaiveSpan]] = []
            for span in cell.spans:
                if groups and span.start_s in closed:
                    groups[-1].append(span)
                else:
                    groups.append([span])
            cell.spans = [_one(group) for group in groups]

    def _evict(self) -> None:
        live = self._live()
        order = sorted(self._free(), key=lambda c: (c.use, c.mass, c.spans[0].start_s, c.id))
        every = [(span.start_s, span.end_s) for cell in live for span in cell.spans]
        length_s = max(end for _, end in every) - min(start for start, _ in every)
        longest_s = self.settings.coverage_fraction * length_s
        victim = order[0]
        for cell in order:
            rest = sorted(
                (span.start_s, span.end_s)
                for other in live
                if other is not cell
                for span in other.spans
            )
            gap_s, reached_s = 0.0, rest[0][0]
            for start_s, end_s in rest:  # joined spans may lie over others
                gap_s = max(gap_s, start_s - reached_s)
                reached_s = max(reached_s, end_s)
            if gap_s <= longest_s:
                victim = cell
                break
        self.long_term.remove(victim)
        self.evicted.append(victim)


def _unlike(signs: str, others: str) -> int:
    return (int(signs, 2) ^ int(others, 2)).bit_count()


def _one(group: list[NaiveSpan]) -> NaiveSpan:
    """One span for several, with the sketch of the longest, the first on ties."""
    longest = max(group, key=lambda span: span.end_s - span.start_s)
    return NaiveSpan(group[0].start_s, max(span.end_s for span in group), longest.sketch)
