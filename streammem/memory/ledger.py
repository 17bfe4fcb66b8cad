"""Accounts for every stretch of the stream that is not in a cell, within a fixed size.

Totals are exact for ever; the list of stretches is bounded, and when it is full the two of one
kind that lie closest become one.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streammem.core.errors import MemoryFileError

KINDS = ("gap", "dropped", "sampled_out", "evicted")
REASON_BYTES = 47
_SEVERAL = "several reasons"

ENTRY = np.dtype(
    [("start_s", "<f8"), ("end_s", "<f8"), ("count", "<u8"), ("kind", "u1"),
     ("reason", f"S{REASON_BYTES}")]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A half-open stretch, what happened to it, how many frames it concerns, and why."""

    start_s: float
    end_s: float
    kind: str
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class Evicted:
    """Exact totals of all cells ever evicted."""

    cells: int = 0
    mass: int = 0
    visits: int = 0
    time_sum_us: int = 0


class Ledger:
    """The bounded list of stretches and the exact totals; `MemoryStore` is its only writer."""

    def __init__(self, capacity: int) -> None:
        self._entries: NDArray[np.void] = np.zeros(capacity, ENTRY)
        self._size = 0
        self.evicted = Evicted()
        self.counts: dict[str, int] = dict.fromkeys(KINDS, 0)

    def __iter__(self) -> Iterator[LedgerEntry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return self._size

    @property
    def entries(self) -> tuple[LedgerEntry, ...]:
        """All stretches, by start."""
        rows = self._entries[: self._size]
        order = np.lexsort((rows["kind"], rows["end_s"], rows["start_s"]))
        return tuple(
            LedgerEntry(
                start_s=float(row["start_s"]),
                end_s=float(row["end_s"]),
                kind=KINDS[int(row["kind"])],
                count=int(row["count"]),
                reason=bytes(row["reason"]).decode(),
            )
            for row in rows[order]
        )

    def record(self, start_s: float, end_s: float, kind: str, count: int, reason: str) -> None:
        """Note a stretch; it extends an entry of the same kind and reason that it touches.

        Raises:
            ValueError: the kind is unknown, or the stretch or the count is not one.
        """
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}; expected one of {', '.join(KINDS)}")
        if not (math.isfinite(start_s) and math.isfinite(end_s) and start_s <= end_s):
            raise ValueError(f"[{start_s}, {end_s}) is not a stretch of time")
        if not 0 <= count < 1 << 63:
            raise ValueError(f"count is {count}; expected a number of frames")
        self.counts[kind] += count
        code, short = KINDS.index(kind), _shorten(reason)
        rows = self._entries[: self._size]
        alike = (rows["kind"] == code) & (rows["reason"] == short)
        touching = alike & (rows["start_s"] <= end_s) & (rows["end_s"] >= start_s)
        found = np.flatnonzero(touching)
        if found.size:
            entry = rows[found[0]]
            entry["start_s"] = min(float(entry["start_s"]), start_s)
            entry["end_s"] = max(float(entry["end_s"]), end_s)
            entry["count"] += np.uint64(count)
            return
        slot = self._size
        if slot == self._entries.shape[0]:
            slot = self._join_closest()
        else:
            self._size += 1
        self._entries[slot] = (start_s, end_s, count, code, short)

    def evict(self, mass: int, visits: int, time_sum_us: int) -> None:
        """Add a cell that is given up to the totals."""
        past = self.evicted
        self.evicted = Evicted(
            cells=past.cells + 1,
            mass=past.mass + mass,
            visits=past.visits + visits,
            time_sum_us=past.time_sum_us + time_sum_us,
        )

    def _join_closest(self) -> int:
        """Join the two entries of one kind with the closest gap; the slot that becomes free.

        Entries with the same reason go first, then the earlier ones.
        """
        rows = self._entries[: self._size]
        order = np.lexsort((rows["end_s"], rows["start_s"], rows["kind"]))
        left, right = rows[order[:-1]], rows[order[1:]]
        gap = right["start_s"] - left["end_s"]
        gap[left["kind"] != right["kind"]] = np.inf
        reasons_differ = left["reason"] != right["reason"]
        best = int(np.lexsort((left["start_s"], gap, reasons_differ, np.isinf(gap)))[0])
        kept, freed = int(order[best]), int(order[best + 1])
        rows["end_s"][kept] = max(rows["end_s"][kept], rows["end_s"][freed])
        rows["count"][kept] += rows["count"][freed]
        if reasons_differ[best]:
            rows["reason"][kept] = _SEVERAL.encode()
        return freed

    def to_bytes(self) -> bytes:
        """Used entries as bytes."""
        return self._entries[: self._size].tobytes()

    @property
    def nbytes(self) -> int:
        """Length of `to_bytes`."""
        return self._size * ENTRY.itemsize

    def load(self, data: bytes) -> None:
        """Take over what `to_bytes` gave.

        Raises:
            MemoryFileError: the bytes do not fit this ledger.
        """
        size, rest = divmod(len(data), ENTRY.itemsize)
        if rest or size > self._entries.shape[0]:
            raise MemoryFileError("the ledger does not fit the memory's plan")
        self._entries[:size] = np.frombuffer(data, ENTRY)
        self._size = size


def _shorten(reason: str) -> bytes:
    """At most `REASON_BYTES` of a reason, cut between characters."""
    cleaned = reason.replace("\0", " ").encode("utf-8", "replace")[:REASON_BYTES]
    return cleaned.decode("utf-8", "ignore").encode()
