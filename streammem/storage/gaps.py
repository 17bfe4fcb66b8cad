"""Keeps the list of gaps bounded: a stream that breaks for ever must not fill its memory file.

Neighbouring gaps are joined where the least seen time lies between them, so the longest seen
stretches stay apart. What was joined early would be joined later too; so a run that was stopped
and resumed stores the same gaps.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate

from streammem.core.types import Gap

MIN_GAPS = 16
_BYTES_PER_GAP = 32 * 1024
_REASON_BYTES = 120
_MIXED = "several reasons"


def gap_limit(budget_bytes: int) -> int:
    """How many gaps a memory of this budget lists one by one: 16, and 1024 from 32 MiB on."""
    return max(MIN_GAPS, min(1024, budget_bytes // _BYTES_PER_GAP))


def bound_gaps(gaps: Iterable[Gap], limit: int) -> tuple[Gap, ...]:
    """At most `limit` gaps in time order that cover all of the given ones.

    Up to `limit` gaps come back as they are.
    """
    bounded = tuple(gaps)
    if len(bounded) > limit:
        bounded = _join(sorted(bounded, key=lambda gap: (gap.start_s, gap.end_s)), limit)
    return tuple(_short(gap) for gap in bounded)


def _join(gaps: Sequence[Gap], limit: int) -> tuple[Gap, ...]:
    """Gaps sorted by start, joined but for the `limit - 1` longest seen stretches between them.

    Of equal stretches the earlier stay.
    """
    reached = accumulate((gap.end_s for gap in gaps), max)
    seen_s = [gap.start_s - end_s for gap, end_s in zip(gaps[1:], reached, strict=False)]
    longest = sorted(range(len(seen_s)), key=lambda place: (-seen_s[place], place))
    apart = set(longest[: limit - 1])
    joined = [gaps[0]]
    for place, gap in enumerate(gaps[1:]):
        last = joined[-1]
        if place in apart:
            joined.append(gap)
        else:
            reason = last.reason if last.reason == gap.reason else _MIXED
            joined[-1] = Gap(last.start_s, max(last.end_s, gap.end_s), reason)
    return tuple(joined)


def _short(gap: Gap) -> Gap:
    return Gap(gap.start_s, gap.end_s, shorten(gap.reason, _REASON_BYTES))


def shorten(text: str, limit_bytes: int) -> str:
    """The text, or as much of its beginning as fits into that many UTF-8 bytes, marked so."""
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) <= limit_bytes:
        return text
    return encoded[: limit_bytes - 3].decode("utf-8", "ignore") + "..."
