"""Cells in fixed slots, and what can happen to them: to be added, merged or given up."""

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from operator import neg
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streammem.core.errors import MemoryFileError
from streammem.memory.codes import FIXED_ONE, Bytes, EncodedRows, RowCode, Wide, rows_per_block
from streammem.memory.engine import Tally
from streammem.memory.ledger import Ledger
from streammem.memory.published.keys import HALF_BITS

FREE, WORKING, LONG_TERM = 0, 1, 2
MOST_COUNTED = (1 << 32) - 1
"""What a count of four bytes holds."""

SPANS_PER_CELL = 4
"""Most spans of a cell that merges with cells from elsewhere in the stream."""

Slots = NDArray[np.int64]
_FIRST_SLOTS = 1024
_HALF_SUM = 64
_LOW = (1 << _HALF_SUM) - 1


def cell_dtype(code_bytes: int, merging: bool, spans: int) -> np.dtype[np.void]:
    """One cell: its key's code and the numbers that this way to remember needs.

    A cell that never merges is one frame, which its start stands for. `note` and `partner` are
    the keeper's.
    """
    columns: list[Any] = [
        ("start_s", "<f8"), ("end_s", "<f8"), ("id", "<u4"), ("square_sum", "<u4"),
        ("use", "<u4"), ("born_reads", "<u4"),
    ]  # fmt: skip
    if merging:
        columns += [
            ("time_low", "<u8"), ("time_high", "<i8"), ("exemplar_s", "<f8"), ("note", "<f8"),
            ("partner", "<u4"), ("mass", "<u4"), ("visits", "<u4"), ("scale", "<f4"),
        ]  # fmt: skip
    if spans > 1:
        columns += [("spans", "<f8", (spans, 2)), ("span_count", "u1")]
    columns += [("tier", "u1"), ("key", "u1", (code_bytes,))]
    return np.dtype(columns)


@dataclass(frozen=True, slots=True)
class Closed:
    """Stretches that ended, oldest first, with the encoded mean of their frames."""

    keys: EncodedRows
    mass: Sequence[int]
    start_s: Sequence[float]
    end_s: Sequence[float]
    exemplar_s: Sequence[float]
    time_sum_us: Sequence[int]
    use: Sequence[int]
    reads: Sequence[int]

    def __len__(self) -> int:
        return len(self.mass)


@dataclass(frozen=True, slots=True)
class Decoded:
    """Code values `[M D]` of rows, in a float that holds their products, and inverse lengths."""

    values: NDArray[Any]
    inverse: Wide

    def cosines(self, others: "Decoded") -> Wide:
        """Cosines `[N M]`; a row of length 0 has 1 with another, else 0.

        Every partial sum is a whole number that the chosen float holds, so the order of
        additions, which differs between shapes, changes nothing.
        """
        cosines: Wide = (self.values @ others.values.T).astype(np.float64, copy=False)
        cosines *= self.inverse[:, None] * others.inverse
        nothing = others.inverse == 0
        if nothing.any():
            cosines[np.ix_(self.inverse == 0, nothing)] = 1.0
        return cosines


class CellTable:
    """Owns the slots, the ledger's totals of what was given up, and the exact sums."""

    def __init__(self, capacity: int, dtype: np.dtype[np.void], code: RowCode, ledger: Ledger):
        """`capacity` 0 is no limit."""
        self.capacity, self.code, self.ledger = capacity, code, ledger
        self.rows: NDArray[np.void] = np.zeros(capacity or _FIRST_SLOTS, dtype)
        names = dtype.names or ()
        self.merging = "mass" in names
        self.spans_per_cell = int(dtype["spans"].shape[0]) if "spans" in names else 1
        self.size, self.next_id, self.reads = 0, 1, 0
        self.tally = Tally()
        self._free: list[int] = []

    @property
    def live(self) -> int:
        """Cells."""
        return self.size - len(self._free)

    @property
    def full(self) -> bool:
        """Whether one more cell needs a slot that is taken."""
        return self.capacity > 0 and self.live >= self.capacity

    @property
    def slots(self) -> Slots:
        """Slots that hold a cell, increasing."""
        return np.flatnonzero(self.rows["tier"][: self.size]).astype(np.int64)

    def squares(self, slots: Slots) -> Wide:
        """Squared lengths of cells' keys, where a frame has 1."""
        scale = self.rows["scale"][slots].astype(np.float64) / FIXED_ONE
        squares: Wide = np.square(scale) * self.rows["square_sum"][slots]
        return squares

    def in_tier(self, tier: int) -> Slots:
        """Slots of one tier's cells, by id."""
        slots = np.flatnonzero(self.rows["tier"][: self.size] == tier).astype(np.int64)
        return slots[np.argsort(self.rows["id"][slots])]

    def add(self, closed: Closed, item: int, tier: int) -> int:
        """Give a stretch a slot; the slot.

        Raises:
            IndexError: the table is full.
        """
        if self._free:
            slot = self._free.pop()
        else:
            if self.full:
                raise IndexError("the cell table is full")
            slot, self.size = self.size, self.size + 1
            if slot == self.rows.shape[0]:
                self.rows = np.concatenate((self.rows, np.zeros_like(self.rows)))
        keys, start_s, end_s = closed.keys, closed.start_s[item], closed.end_s[item]
        born_reads = self.reads - closed.reads[item]
        values: list[Any] = [
            start_s, end_s, self.next_id, keys.square_sum[item], closed.use[item], born_reads,
        ]  # fmt: skip
        if self.merging:
            total = closed.time_sum_us[item]
            values += [
                total & _LOW, total >> _HALF_SUM, closed.exemplar_s[item], 0.0, 0,
                closed.mass[item], 1, keys.scale[item],
            ]  # fmt: skip
        if self.spans_per_cell > 1:
            spans = np.zeros((self.spans_per_cell, 2))
            spans[0] = start_s, end_s
            values += [spans, 1]
        self.rows[slot] = (*values, tier, keys.codes[item])
        self.next_id += 1
        return slot

    def put(self, rows: NDArray[np.void]) -> None:
        """Give whole rows the lowest free slots and new ids; there must be as many free slots."""
        rows["id"] = np.arange(self.next_id, self.next_id + rows.size)
        self.next_id += rows.size
        slots = [self._free.pop() for _ in range(rows.size)]
        self.rows[slots] = rows

    def time_sum_us(self, slot: int) -> int:
        """The exact sum of a cell's frame times."""
        row = self.rows[slot]
        if not self.merging:
            return round(float(row["start_s"]) * 1e6)
        return (int(row["time_high"]) << _HALF_SUM) | int(row["time_low"])

    def spans(self, slot: int) -> list[tuple[float, float]]:
        """A cell's spans by start."""
        row = self.rows[slot]
        if self.spans_per_cell == 1:
            return [(float(row["start_s"]), float(row["end_s"]))]
        pairs = row["spans"][: int(row["span_count"])].tolist()
        return [(start_s, end_s) for start_s, end_s in pairs]

    def drop(self, slot: int) -> None:
        """Give a cell up and account for it."""
        row = self.rows[slot]
        mass, visits = (int(row["mass"]), int(row["visits"])) if self.merging else (1, 1)
        for number, (start_s, end_s) in enumerate(self.spans(slot)):
            count = 0 if number else mass
            self.ledger.record(start_s, end_s, "evicted", count, "the budget is full")
        self.ledger.evict(mass, visits, self.time_sum_us(slot))
        self.release(slot)

    def refuse(self, closed: Closed, item: int) -> None:
        """Account for a stretch that never gets a slot; its id is used up."""
        mass = closed.mass[item]
        self.ledger.record(
            closed.start_s[item], closed.end_s[item], "evicted", mass, "not chosen to be kept"
        )
        self.ledger.evict(mass, 1, closed.time_sum_us[item])
        self.next_id += 1

    def release(self, slot: int) -> None:
        """Clear a slot for reuse."""
        self.rows[slot : slot + 1].view(np.uint8)[:] = 0
        insort(self._free, slot, key=neg)

    def merge(self, first: int, second: int, weights: tuple[int, int] | None = None) -> int:
        """Make one cell of two: the older keeps its slot and id; that slot.

        The key is the mean of both by mass (or by `weights`), the exemplar the one whose key lies
        nearer to it, ties to the older.
        """
        rows = self.rows
        if rows["id"][second] < rows["id"][first]:
            first, second = second, first
            weights = None if weights is None else (weights[1], weights[0])
        pair = np.array([first, second])
        older, younger = rows[first], rows[second]
        masses = int(older["mass"]), int(younger["mass"])
        share = masses if weights is None else weights
        values = self.values(pair)
        scaled = values * rows["scale"][pair, None].astype(np.float64)
        mean = np.rint((share[0] * scaled[0] + share[1] * scaled[1]) / (share[0] + share[1]))
        fit = values @ mean * _inverse(rows["square_sum"][pair])
        exemplar_s = float((younger if fit[1] > fit[0] else older)["exemplar_s"])
        total = self.time_sum_us(first) + self.time_sum_us(second)
        spans = _joined(self.spans(first) + self.spans(second), self.spans_per_cell)
        self._write_spans(first, spans)
        older["time_high"], older["time_low"] = total >> _HALF_SUM, total & _LOW
        older["exemplar_s"] = exemplar_s
        older["mass"] = sum(masses)
        older["visits"] += younger["visits"]
        older["use"] = min(int(older["use"]) + int(younger["use"]), MOST_COUNTED)
        self.write_key(first, mean)
        self.release(second)
        self.tally.merges += 1
        return first

    def write_key(self, slot: int, mean: Wide) -> None:
        """Replace a cell's key by the code of a fixed-point row in the space of the codes."""
        encoded = self.code.encode(mean[None])
        row = self.rows[slot]
        row["key"], row["square_sum"] = encoded.codes[0], encoded.square_sum[0]
        row["scale"] = encoded.scale[0]

    def _write_spans(self, slot: int, spans: list[tuple[float, float]]) -> None:
        row = self.rows[slot]
        start_s, end_s = spans[0][0], spans[-1][1]
        row["start_s"], row["end_s"] = start_s, end_s
        if self.spans_per_cell > 1:
            row["spans"] = 0
            row["spans"][: len(spans)] = spans
            row["span_count"] = len(spans)

    def values(self, slots: Slots) -> Wide:
        """Code values of cells as float64 whole numbers `[N D]`, in the space of the codes."""
        values: Wide = self.code.values(self.rows["key"][slots]).astype(np.float64)
        return values

    def cosines(self, slots: Slots, others: Slots) -> Wide:
        """Cosines `[N M]` of cells with `others`; a key of length 0 has 1 with another, else 0."""
        return self.cosines_with(
            slots, self.decode(self.rows["key"][others], self.rows["square_sum"][others])
        )

    def cosine(self, first: int, second: int) -> float:
        """The cosine of two cells, as `cosines` has it."""
        pair = [first, second]
        values = self.code.values(self.rows["key"][pair]).astype(np.float64)
        squares = self.rows["square_sum"][pair].tolist()
        inverse = [1 / sqrt(square) if square else 0.0 for square in squares]
        if squares == [0, 0]:
            return 1.0
        return float(values[0] @ values[1]) * (inverse[0] * inverse[1])

    def decode(self, codes: Bytes, square_sum: NDArray[np.uint32]) -> Decoded:
        """Encoded rows, ready to be compared with; they should be few."""
        exact: type[np.floating[Any]] = np.float64 if self.code.bits == HALF_BITS else np.float32
        values: NDArray[Any] = self.code.values(codes).astype(exact, copy=False)
        return Decoded(values, _inverse(square_sum))

    def cosines_with(self, slots: Slots, others: Decoded) -> Wide:
        """Cosines `[N M]` of cells with rows; a row of length 0 has 1 with another, else 0.

        Cells are decoded in blocks, so that the scratch does not grow with their number.
        """
        cosines: Wide = np.empty((slots.size, others.inverse.size))
        step = rows_per_block(self.code.dim)
        for first in range(0, slots.size, step):
            part = slots[first : first + step]
            cells = self.decode(self.rows["key"][part], self.rows["square_sum"][part])
            cosines[first : first + step] = cells.cosines(others)
        return cosines

    def to_bytes(self) -> bytes:
        """Used slots as bytes."""
        return self.rows[: self.size].tobytes()

    def load(self, data: bytes) -> None:
        """Take over what `to_bytes` gave.

        Raises:
            MemoryFileError: the bytes do not fit this table.
        """
        size, rest = divmod(len(data), self.rows.dtype.itemsize)
        if rest or (self.capacity and size > self.capacity):
            raise MemoryFileError("the cells do not fit the memory's plan")
        if size > self.rows.shape[0]:
            self.rows = np.zeros(size, self.rows.dtype)
        self.rows[:size] = np.frombuffer(data, self.rows.dtype)
        self.size = size
        self._free = np.flatnonzero(self.rows["tier"][:size] == FREE)[::-1].tolist()


def _inverse(square_sum: NDArray[np.uint32]) -> Wide:
    """One over the length of rows with these squared lengths; 0 for rows of length 0."""
    lengths = np.sqrt(square_sum.astype(np.float64))
    return np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)


def _joined(spans: list[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most `most` spans that cover the given ones: touching ones joined, then closest gaps."""
    whole: list[tuple[float, float]] = []
    for start_s, end_s in sorted(spans):
        if whole and start_s <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(whole[-1][1], end_s))
        else:
            whole.append((start_s, end_s))
    while len(whole) > most:
        gaps = [whole[i + 1][0] - whole[i][1] for i in range(len(whole) - 1)]
        at = gaps.index(min(gaps))
        whole[at : at + 2] = [(whole[at][0], whole[at + 1][1])]
    return whole
