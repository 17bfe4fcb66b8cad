"""The bounded ledger."""

import numpy as np
import pytest

from streammem.core.errors import MemoryFileError
from streammem.memory.ledger import Evicted, Ledger, LedgerEntry


def test_stretches_that_touch_become_one_entry() -> None:
    """Batches of frames that were passed over do not fill the ledger."""
    ledger = Ledger(8)
    for i in range(50):
        ledger.record(i * 2.0, i * 2.0 + 2.0, "sampled_out", 14, "")
    ledger.record(30.0, 31.0, "gap", 0, "cannot be decoded")

    assert list(ledger) == [
        LedgerEntry(0.0, 100.0, "sampled_out", 700, ""),
        LedgerEntry(30.0, 31.0, "gap", 0, "cannot be decoded"),
    ]


def test_a_full_ledger_joins_the_closest_of_one_kind_and_keeps_totals() -> None:
    """Old entries coalesce; counts never do."""
    ledger = Ledger(8)
    for i in range(20):
        ledger.record(i * 10.0 + i * i, i * 10.0 + i * i + 1, "dropped", i, f"reason {i % 2}")
    ledger.record(5.0, 6.0, "gap", 0, "x")

    entries = list(ledger)
    assert len(entries) == 8
    assert sum(entry.count for entry in entries) == ledger.counts["dropped"] == 190
    assert (entries[0].start_s, entries[-1].end_s) == (0.0, 552.0)


def test_reasons_that_differ_are_named_so() -> None:
    """An entry made of two reasons does not claim one of them."""
    ledger = Ledger(8)
    for i in range(9):
        ledger.record(i * 10.0, i * 10.0 + 1, "gap", 0, f"reason {i}")

    assert next(iter(ledger)) == LedgerEntry(0.0, 11.0, "gap", 0, "several reasons")


def test_a_long_reason_is_cut_between_characters() -> None:
    """The kept part is valid text of at most 47 bytes."""
    ledger = Ledger(8)

    ledger.record(0.0, 1.0, "gap", 0, "é" * 60)

    assert next(iter(ledger)).reason == "é" * 23


@pytest.mark.parametrize(
    ("start_s", "end_s", "kind", "count", "message"),
    [
        (0.0, 1.0, "lost", 0, "kind is 'lost'; expected one of gap"),
        (2.0, 1.0, "gap", 0, "not a stretch"),
        (0.0, np.nan, "gap", 0, "not a stretch"),
        (0.0, 1.0, "dropped", -1, "count is -1"),
    ],
)
def test_record_refuses(start_s: float, end_s: float, kind: str, count: int, message: str) -> None:
    """What is no stretch of time is refused and changes nothing."""
    ledger = Ledger(8)

    with pytest.raises(ValueError, match=message):
        ledger.record(start_s, end_s, kind, count, "")
    assert (len(ledger), sum(ledger.counts.values())) == (0, 0)


def test_evict_adds_exact_totals() -> None:
    """Sums of times are exact beyond 64 bits."""
    ledger = Ledger(8)

    for _ in range(3):
        ledger.evict(mass=5, visits=2, time_sum_us=1 << 70)

    assert ledger.evicted == Evicted(cells=3, mass=15, visits=6, time_sum_us=3 << 70)


def test_load_takes_the_bytes_back_and_refuses_others() -> None:
    """The entries survive; bytes that do not fit are refused."""
    ledger, again = Ledger(8), Ledger(8)
    ledger.record(1.0, 2.0, "dropped", 3, "late")

    again.load(ledger.to_bytes())

    assert list(again) == list(ledger)
    assert ledger.nbytes == len(ledger.to_bytes())
    with pytest.raises(MemoryFileError, match="ledger does not fit"):
        again.load(bytes(7))
