"""Times as users write and read them: one place that parses and prints seconds."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_UNITS_S = {
    "h": 3600.0, "hr": 3600.0, "hrs": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "m": 60.0, "min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0,
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0,
    "ms": 0.001,
}  # fmt: skip
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,3}):(\d{1,2}(?:[.,]\d+)?)")
_PLAIN = re.compile(r"\d+(?:\.\d+)?")
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)\s*")


@dataclass(frozen=True, slots=True, order=True)
class TimeSpan:
    """A half-open stretch [start_s, end_s) of stream time, in seconds."""

    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """Length in seconds, never negative."""
        return max(0.0, self.end_s - self.start_s)

    def overlap_s(self, other: "TimeSpan") -> float:
        """Seconds that both spans cover."""
        return max(0.0, min(self.end_s, other.end_s) - max(self.start_s, other.start_s))

    def iou(self, other: "TimeSpan") -> float:
        """Intersection over union of two spans; 0 when both are empty."""
        union_s = max(self.end_s, other.end_s) - min(self.start_s, other.start_s)
        return self.overlap_s(other) / union_s if union_s > 0 else 0.0


def parse_time(text: str) -> float:
    """Seconds written as `90`, `90s`, `1:30`, `00:01:30.5` or `1m30s`.

    Raises:
        ValueError: the text is not a time.
    """
    cleaned = text.strip().lower()
    if _PLAIN.fullmatch(cleaned):
        return float(cleaned)
    clock = _CLOCK.fullmatch(cleaned)
    if clock:
        hours, minutes, seconds = clock.groups()
        return int(hours or 0) * 3600.0 + int(minutes) * 60.0 + float(seconds.replace(",", "."))
    total_s, position = 0.0, 0
    while position < len(cleaned):
        part = _PART.match(cleaned, position)
        if part is None or part.group(2) not in _UNITS_S:
            raise ValueError(f"{text!r} is not a time; write 90, 90s, 1:30 or 00:01:30.5")
        total_s += float(part.group(1)) * _UNITS_S[part.group(2)]
        position = part.end()
    if not cleaned:
        raise ValueError("an empty text is not a time")
    return total_s


def format_time(seconds: float) -> str:
    """`HH:MM:SS.mmm`, with a leading minus for times before zero."""
    total_ms = round(abs(seconds) * 1000)
    sign = "-" if seconds < 0 and total_ms else ""
    hours, rest_ms = divmod(total_ms, 3_600_000)
    minutes, rest_ms = divmod(rest_ms, 60_000)
    whole_s, ms = divmod(rest_ms, 1000)
    return f"{sign}{hours:02d}:{minutes:02d}:{whole_s:02d}.{ms:03d}"


def merge_spans(spans: Iterable[TimeSpan], *, gap_s: float = 0.0) -> list[TimeSpan]:
    """Sorted spans in which no two are closer than `gap_s`; touching ones are joined."""
    merged: list[TimeSpan] = []
    for span in sorted(spans):
        if merged and span.start_s <= merged[-1].end_s + gap_s:
            last = merged[-1]
            merged[-1] = TimeSpan(last.start_s, max(last.end_s, span.end_s))
        else:
            merged.append(span)
    return merged
