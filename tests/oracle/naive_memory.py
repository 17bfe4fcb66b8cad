"""The default policy once more, in clear loops over every pair and with Python integers."""

import itertools
from dataclasses import dataclass, field, replace
from math import pi, sqrt

import numpy as np
from numpy.typing import NDArray

from streammem.memory.cells import CELL_BYTES
from streammem.memory.codes import FIXED_ONE, to_fixed_point
from streammem.memory.fine_keys import FineCode, narrow_rows, write_rows
from streammem.memory.governor import MemoryPlan
from streammem.memory.policies import PolicySettings
from streammem.memory.signs import FLAT, SignCode
from streammem.memory.spans import span_dtype

NaiveKey = NDArray[np.void]
"""A fine key, as the detail that would hold it, `[1]`."""


@dataclass
class NaiveSpan:
    """A visit: when it was and how it looked, with signs as a string of 0 and 1."""

    start_s: float
    end_s: float
    reach: int
    fits: list[int]
    signs: str


@dataclass
class NaiveCell:
    """A cell; `key` is the fine key where there is one."""

    id: int
    mass: int
    visits: int
    time_sum_us: int
    spans: list[NaiveSpan]
    exemplar_s: float
    key: NaiveKey | None
    pinned: bool
    use: int = 0

    @property
    def look(self) -> NaiveSpan:
        """The span that stands for the cell: the exemplar's, else the first."""
        holding = [span for span in self.spans if span.start_s <= self.exemplar_s < span.end_s]
        return (holding or self.spans)[0]


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
        self.row_codes = list(plan.fine_codes(seed))
        self.detail_dtypes = list(plan.detail_dtypes)
        self.sign_code: SignCode = plan.sign_code(seed)
        self.most_cells = self.most_spans = 0
        self.steps = plan.look_steps
        self.centre: NDArray[np.float64] | None = None
        self.events = 0
        self.working: list[NaiveCell] = []
        self.long_term: list[NaiveCell] = []
        self.evicted: list[NaiveCell] = []
        self.event = NaiveEvent()
        self.usual = (0.1, 0.0009, 1.0)
        self.before = (0.1, 0.1)
        self.far, self.far_count = 0.2, 1
        self.length = 16.0
        self.wild = 0
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
        cuts = len(self.plan.look_steps) - len(self.steps)
        surprising = surprise - expected > max(limit, s.surprise_floor * (1, 5, 20, 20, 20)[cuts])
        was_wild = self._is_wild()
        frames, before = len(self.event.rows), self.before
        if surprising and frames >= s.min_event_frames:
            self.far_count = min(self.far_count + 1, 8)
            self.far += (surprise - self.far) / self.far_count
            self.length += (frames - self.length) / 8
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
        cut = surprising and frames >= s.min_event_frames
        cut = cut or frames >= s.max_event_frames or (was_wild and frames >= self._wild_frames())
        self.wild += cut and self._is_wild()
        return cut

    def _is_wild(self) -> bool:
        return self.usual[0] > (0.5 if self.length < 4 else 0.6) * max(self.far, 0.1)

    def _wild_frames(self) -> int:
        share = self.wild / self.plan.spans
        ladder = {1 / 2: 1, 9 / 16: 2, 5 / 8: 4, 11 / 16: 8, 3 / 4: 16}
        steps = [frames for most, frames in ladder.items() if share < most]
        return [*steps, self.settings.max_event_frames][0]

    def _close_event(self, end_s: float) -> None:
        event, self.event = self.event, NaiveEvent()
        if len(self.working) == self.plan.working:
            self._promote(self.working.pop(0))
        if len(self._live()) == self.plan.cells:
            self._free_a_slot()
        else:
            self._spare_details()
        self._limit_pool()
        self._drop_details(self._growth_bytes() + self._detail_bytes())
        self.most_cells = max(self.most_cells, len(self._live()) + 1)
        self.most_spans = max(self.most_spans, self._span_count() + 1)
        cell = self._cell_of(event, end_s)
        if self._free_bytes() >= self._detail_bytes():
            cell.key = self._fine_key(np.sum(event.rows, axis=0).astype(np.float64), cell.mass)
        self.events += 1
        if self.events == 16:
            self._fix_centre(cell)
        if self.working and self._distance(self.working[-1], cell) <= self.settings.same_distance:
            self.working[-1] = self._merged(self.working[-1], cell)
        else:
            self.working.append(cell)

    def _fix_centre(self, new: NaiveCell | None = None) -> None:
        """The mean of all keys, rounded to steps of a 127th of its largest coordinate."""
        if self.centre is not None:
            return
        cells = self._live() + ([new] if new else [])
        self.centre = np.zeros(self.plan.dim)
        if any(cell.key is None for cell in cells):
            return
        keys = [self._fixed_key(cell) for cell in cells]
        mean = np.rint(np.sum(keys, axis=0) / len(keys))
        step = max(1, -int(-np.abs(mean).max() // 127))
        self.centre = np.rint(mean / step) * step
        for cell, key in zip(cells, keys, strict=True):
            for span in cell.spans:
                span.reach, span.fits, span.signs = self._look(key)

    def _fine(self) -> FineCode:
        """The code of fine keys today: across the centre once they were narrowed."""
        narrowed = len(self.row_codes) < len(self.plan.detail_dtypes)
        return FineCode(self.row_codes[0], self.centre if narrowed else None)

    def _narrow_keys(self) -> None:
        wide = self._fine()
        self.row_codes, self.detail_dtypes = self.row_codes[1:], self.detail_dtypes[1:]
        for cell in self._live():
            if cell.key is not None:
                narrow: NaiveKey = np.zeros(1, self.detail_dtypes[0])
                narrow_rows(wide, self._fine(), cell.key, narrow)
                cell.key = narrow

    def _fixed_key(self, cell: NaiveCell) -> NDArray[np.float64]:
        """A whole fine key as a vector of fixed-point length 1."""
        assert cell.key is not None
        turned = self._fine().rows(cell.key).astype(np.float32)
        key = self._fine().row.rotate_back(turned)[0].astype(np.float64)
        length = float(np.sqrt(key @ key))
        return np.rint(key * (FIXED_ONE / length if length else 0.0))

    def _look(self, row: NDArray[np.float64]) -> tuple[int, list[int], str]:
        """Reach, fits and signs of a vector, cut to the width of today."""
        centre = np.zeros(self.plan.dim) if self.centre is None else self.centre
        looks = self.sign_code.encode(row[None], centre, self.plan.look_steps)
        bits = "".join(f"{int(limb):064b}"[::-1] for limb in looks.signs[0])
        fits = looks.fits[0].tolist()[len(self.plan.look_steps) - len(self.steps) :]
        return int(looks.reach[0]), fits, bits[: 64 * self.steps[0]]

    def _cut_looks(self) -> None:
        self.steps = self.steps[1:]
        for cell in self._live():
            for span in cell.spans:
                span.fits, span.signs = span.fits[1:], span.signs[: 64 * self.steps[0]]

    def _span_bytes(self) -> int:
        return span_dtype(self.steps[0], len(self.steps)).itemsize

    def _most_spans_now(self) -> int:
        return self.plan.span_bytes // self._span_bytes()

    def _live(self) -> list[NaiveCell]:
        return self.working + self.long_term

    def _span_count(self) -> int:
        return sum(len(cell.spans) for cell in self._live())

    def _details(self) -> int:
        return sum(cell.key is not None for cell in self._live())

    def _detail_bytes(self) -> int:
        return self.detail_dtypes[0].itemsize

    def _free_bytes(self) -> int:
        """What is left of the shared bytes; places once used stay taken."""
        used = self.most_cells * CELL_BYTES + self.most_spans * self._span_bytes()
        return self.plan.shared_bytes - used - self._details() * self._detail_bytes()

    def _growth_bytes(self) -> int:
        cell = CELL_BYTES if len(self._live()) == self.most_cells else 0
        grows = self._span_count() == self.most_spans < self._most_spans_now()
        return cell + (self._span_bytes() if grows else 0)

    def _spare_details(self) -> None:
        if self._free_bytes() < self._growth_bytes() + self._detail_bytes():
            whole = len(self.row_codes) == len(self.plan.detail_dtypes)
            if whole and len(self.row_codes) > 1 and self._details():
                self._fix_centre()
                self._narrow_keys()
                return
            pair = self._cheapest()
            if pair and self._distance(*pair) <= self.settings.near_distance:
                self._merge(*pair)

    def _drop_details(self, wanted_bytes: int) -> None:
        """Usage never differs here: the oldest lose their details first."""
        if wanted_bytes > self._free_bytes() and self._details():
            self._fix_centre()
        while wanted_bytes > self._free_bytes() and len(self.row_codes) > 1:
            self._narrow_keys()
        missing = wanted_bytes - self._free_bytes()
        if missing > 0 and self._details():
            detailed = [cell for cell in self._live() if cell.key is not None]
            detailed.sort(key=lambda cell: cell.id)
            count = max(-(-missing // self._detail_bytes()), len(detailed) // 64)
            for cell in detailed[:count]:
                cell.key = None

    def _fine_key(self, total: NDArray[np.float64], mass: int) -> NaiveKey:
        whole = self._fine().centre is None
        unit = mass * FIXED_ONE if whole else np.sqrt(np.square(total).sum())
        return self._key_of(self._fine().row.rotate(total[None]), float(unit))

    def _key_of(self, rotated: NDArray[np.float64], unit: float) -> NaiveKey:
        key: NaiveKey = np.zeros(1, self.detail_dtypes[0])
        write_rows(key, self._fine().encode(rotated, np.array([float(unit)])))
        return key

    def _cell_of(self, event: NaiveEvent, end_s: float) -> NaiveCell:
        total = np.sum(event.rows, axis=0).astype(np.float64)
        best = 0
        if event.surprises:
            best = 1 + min(range(len(event.surprises)), key=lambda i: (event.surprises[i], i))
        self.next_id += 1
        return NaiveCell(
            id=self.next_id - 1,
            mass=len(event.rows),
            visits=1,
            time_sum_us=sum(round(pts_s * 1e6) for pts_s in event.pts_s),
            spans=[NaiveSpan(event.pts_s[0], end_s, *self._look(total))],
            exemplar_s=event.pts_s[best],
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
        """Squared distance of the unit vectors that two cells look like."""
        return self._apart(a.look, b.look)

    def _apart(self, a: NaiveSpan, b: NaiveSpan) -> np.float32:
        if FLAT in (a.reach, b.reach):
            return np.float32(a.reach != b.reach)
        count = self.sign_code.signs(self.steps[0])
        unlike = (int(a.signs, 2) ^ int(b.signs, 2)).bit_count()
        cosine = np.cos(np.array([pi * unlike / count])).astype(np.float32)[0]
        left, right = (np.float32(look.reach) / np.float32(FIXED_ONE) for look in (a, b))
        spread = np.float32(2) - np.float32(2) * cosine
        return np.float32((left - right) * (left - right) + left * right * spread)

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
        shown = younger if younger.mass > older.mass else older
        key, exemplar_s = shown.key, shown.exemplar_s
        if older.key is not None and younger.key is not None:
            mean, exemplar_s = self._mean(older, younger)
            key = self._key_of(mean[None], FIXED_ONE)
        return NaiveCell(
            id=older.id,
            mass=older.mass + younger.mass,
            visits=older.visits + younger.visits,
            time_sum_us=older.time_sum_us + younger.time_sum_us,
            spans=self._joined(older.spans + younger.spans, self.settings.spans_per_cell),
            exemplar_s=exemplar_s,
            key=key,
            pinned=older.pinned or younger.pinned,
            use=older.use + younger.use,
        )

    def _mean(self, older: NaiveCell, younger: NaiveCell) -> tuple[NDArray[np.float64], float]:
        """The mean key in fixed point, and the exemplar of the cell closer to it."""
        assert older.key is not None
        assert younger.key is not None
        keys = [self._fine().rows(key)[0] for key in (older.key, younger.key)]
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
        """0 to 3: one picture, one view, one scene, or none of them."""
        distance = self._apart(span, other)
        picture = min(0.04, 5 / self.sign_code.signs(self.steps[0]))
        return sum(bool(distance > np.float32(limit)) for limit in (picture, 0.16, 0.58))

    def _limit_pool(self) -> None:
        """Where all spans are taken, cut looks, else join neighbours: alike ones, then closest."""
        while self._span_count() == self._most_spans_now() and len(self.steps) > 1:
            self._cut_looks()
        if self._span_count() < self._most_spans_now():
            return
        neighbours = sorted(
            (self._unlikeness(left, right), right.start_s - left.end_s, right.start_s)
            for cell in self._live()
            for left, right in itertools.pairwise(cell.spans)
        )
        closed = {start_s for *_, start_s in neighbours[: max(1, self._most_spans_now() // 32)]}
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


def _one(group: list[NaiveSpan]) -> NaiveSpan:
    """One span for several, with the look of the longest, the first on ties."""
    longest = max(group, key=lambda span: span.end_s - span.start_s)
    end_s = max(span.end_s for span in group)
    return replace(longest, start_s=group[0].start_s, end_s=end_s)
