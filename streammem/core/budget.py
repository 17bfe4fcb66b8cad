"""Bytes as users write them, and how one byte budget is split before the first frame.

The main file must never exceed the budget, so everything that ends up in it has a share that
already includes the pages SQLite spends around it. Shares are capacities: what one part does
not use is not lent to another, so that the worst case is known from the start.
"""

import re
from dataclasses import dataclass

from streammem.core.errors import BudgetError, UsageError

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

MIN_BUDGET_BYTES = 256 * KIB
MAX_BUDGET_BYTES = 1024 * GIB
SMALL_PAGE_BYTES = 1 * KIB
LARGE_PAGE_BYTES = 4 * KIB
LARGE_PAGE_FROM_BYTES = 8 * MIB
MIN_WAL_BYTES = 4 * MIB

# Schema, settings, the resume point and half-filled pages need this many pages at any budget.
SYSTEM_PAGES = 28
# Of what is left after that; three hundredths stay for the trees between the pages.
STORE_SHARE = 0.69
THUMBNAIL_SHARE = 0.18
CUE_SHARE = 0.10

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)(b?)\s*", re.IGNORECASE)
_FACTOR = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


@dataclass(frozen=True, slots=True)
class BudgetPlan:
    """One stream's byte budget and its shares.

    `store_bytes` holds cells of all tiers and the ledger (`MemoryStore`), `thumbnail_bytes`
    pictures, `cue_bytes` timed text with its index; the rest is for schema, settings, the
    resume point and half-filled pages. `wal_bytes` is scratch beside the main file.
    """

    total_bytes: int
    page_bytes: int
    store_bytes: int
    thumbnail_bytes: int
    cue_bytes: int
    wal_bytes: int

    @property
    def system_bytes(self) -> int:
        """What is left for schema, settings and half-filled pages."""
        return self.total_bytes - self.store_bytes - self.thumbnail_bytes - self.cue_bytes

    @property
    def max_pages(self) -> int:
        """SQLite's page limit for the main file."""
        return self.total_bytes // self.page_bytes


def plan_budget(total_bytes: int) -> BudgetPlan:
    """Split a stream's budget into shares.

    Raises:
        BudgetError: `total_bytes` is below the smallest accepted budget, 256 KiB.
    """
    if total_bytes < MIN_BUDGET_BYTES:
        raise BudgetError(
            f"a budget of {format_bytes(total_bytes)} is too small",
            hint=f"the smallest accepted budget is {format_bytes(MIN_BUDGET_BYTES)}",
            code="budget_too_small",
        )
    large = total_bytes >= LARGE_PAGE_FROM_BYTES
    page_bytes = LARGE_PAGE_BYTES if large else SMALL_PAGE_BYTES
    shared_bytes = total_bytes - SYSTEM_PAGES * page_bytes
    return BudgetPlan(
        total_bytes=total_bytes,
        page_bytes=page_bytes,
        store_bytes=int(shared_bytes * STORE_SHARE),
        thumbnail_bytes=int(shared_bytes * THUMBNAIL_SHARE),
        cue_bytes=int(shared_bytes * CUE_SHARE),
        wal_bytes=max(MIN_WAL_BYTES, total_bytes // 4),
    )


def parse_bytes(text: str) -> int:
    """Bytes written as `1048576`, `64k`, `32MiB` (1024) or `32MB` (1000).

    Raises:
        UsageError: the text is not a size.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is not a size", hint="write for example 32MiB, 512KiB, 1GB")
    number, prefix, binary, unit = match.groups()
    decimal = unit in ("B", "b") and not binary and prefix != ""
    size = float(number) * (1000 if decimal else 1024) ** _FACTOR[prefix.lower()]
    if size > MAX_BUDGET_BYTES:
        raise UsageError(f"{text[:40]!r} is more than {format_bytes(MAX_BUDGET_BYTES)}")
    return int(size)


def format_bytes(count: int) -> str:
    """A size in the largest binary unit that keeps it at least 1: `1.5 MiB`, `256 KiB`."""
    size, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if size == int(size) else f"{size:.1f} {unit}"
