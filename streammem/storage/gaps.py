"""Keeps the list of gaps bounded: a stream that breaks for ever must not fill its memory file.

Neighbouring gaps are joined where less than a threshold of seen time lies between them; the
threshold is the first step of a fixed ladder that leaves few enough. Joining in steps gives
what joining at once gives, so a run that was stopped and resumed stores the same gaps.
"""

from collections.abc import Iterable

from streammem.core.types import Gap

MIN_GAPS = 16
_BYTES_PER_GAP = 32 * 1024
_REASON_BYTES = 120
_MIXED = "several reasons"
_FIRST_HOLE_S = 2.0**-6
_LAST_HOLE_S = 2.0**40


def gap_limit(budget_bytes: int) -> int:
    """How many gaps a memory of this budget lists one by one: 16, and 1024 from 32 MiB on."""
    return max(MIN_GAPS, min(1024, budget_bytes // _BYTES_PER_GAP))


def bound_gaps(gaps: Iterable[Gap], limit: int) -> tuple[Gap, ...]:
    """At most `limit` gaps in time order that cover all of the given ones.

    Up to `limit` gaps come back as they are.
    """
    bounded = tuple(gaps)
    if len(bounded) > limit:
        bounded = tuple(sorted(bounded, key=lambda gap: (gap.start_s, gap.end_s)))
    hole_s = _FIRST_HOLE_S
    while len(bounded) > limit:
        bounded = _join(bounded, hole_s)
        hole_s = hole_s * 2 if hole_s < _LAST_HOLE_S else float("inf")
    return tuple(_short(gap) for gap in bounded)


def _join(gaps: Iterable[Gap], hole_s: float) -> tuple[Gap, ...]:
    joined: list[Gap] = []
    for gap in gaps:
        last = joined[-1] if joined else None
        if last is not None and gap.start_s - last.end_s <= hole_s:
            reason = last.reason if last.reason == gap.reason else _MIXED
            joined[-1] = Gap(last.start_s, max(last.end_s, gap.end_s), reason)
        else:
            joined.append(gap)
    return tuple(joined)


def _short(gap: Gap) -> Gap:
    return Gap(gap.start_s, gap.end_s, shorten(gap.reason, _REASON_BYTES))


def shorten(text: str, limit_bytes: int) -> str:
    """The text, or as much of its beginning as fits into that many UTF-8 bytes, marked so."""
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) <= limit_bytes:
        return text
    return encoded[: limit_bytes - 3].decode("utf-8", "ignore") + "..."
