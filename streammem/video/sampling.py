"""Which frames are taken and which times count as seen, worked out from presentation times alone.

Nothing here knows a decoder, so every reader keeps the same books and continues them from a mark.
"""

import math
from dataclasses import dataclass, replace

from streammem.core.types import Gap, ReaderMark

SLOT_SLACK = 1e-6
TOUCHING_S = 1e-6
# A mark is stored with every commit, so the list of gaps in it is bounded: beyond this many, the
# two that lie closest together become one.
MAX_GAPS = 100
MAX_PENDING_DAMAGE = 1000
# Frames whose times go back are not usable; this much of them in a row is told as a gap.
STALL_S = 1.0

# Decoding only reference frames leaves one picture in two to four. With at least this many frames
# per sample, the picture taken is still within half a sampling interval of the one asked for.
NONREF_RATE_RATIO = 8.0
NONREF_CODECS = frozenset({"h264", "hevc"})


def slot_of(pts_s: float, origin_s: float, sample_hz: float) -> int:
    """The number of the sampling interval that `pts_s` lies in, counted from `origin_s`."""
    return math.floor((pts_s - origin_s) * sample_hz + SLOT_SLACK)


def may_skip_nonref(codec: str, frame_rate_hz: float | None, sample_hz: float) -> bool:
    """Whether pictures that no other picture refers to can stay undecoded at this sampling rate."""
    if frame_rate_hz is None or codec not in NONREF_CODECS:
        return False
    return frame_rate_hz >= NONREF_RATE_RATIO * sample_hz


def tail_tolerance_s(duration_s: float, frame_s: float) -> float:
    """How far the last frame may end before the declared end without being called incomplete.

    Containers round to their own clock and count the last frame's duration differently; over the
    reference clips that is under one frame. One percent (at most 2 s) allows for headers that were
    written by estimate.
    """
    return max(2.0 * frame_s, 0.25, min(0.01 * duration_s, 2.0))


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """What is known when the last picture is out.

    `seen_end_s` is the end of the last packet that passed without an error, decoded or skipped on
    purpose; `declared_end_s` where the container says the track ends; `frame_s` one frame's length.
    """

    seen_end_s: float | None = None
    declared_end_s: float | None = None
    frame_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Damage:
    start_s: float
    end_s: float
    reason: str


class Timeline:
    """The books of one pass: what was sampled, what was seen, what could not be.

    `sparse` says that frames between two delivered ones were skipped on purpose, so that a hole
    between their times is damage only as far as damaged packets reach.
    """

    def __init__(self, sample_hz: float, *, sparse: bool = False) -> None:
        self.sample_hz = sample_hz
        self.sparse = sparse
        self.origin_s: float | None = None
        self.last_slot = -1
        self.last_pts_s = -math.inf
        self.last_end_s = -math.inf
        self.decoded = 0
        self.gaps: tuple[Gap, ...] = ()
        self._due_s = -math.inf
        self._damage: list[_Damage] = []
        self._stalled_s = 0.0
        self._stalled = 0

    @classmethod
    def after(cls, mark: ReaderMark, sample_hz: float, *, sparse: bool = False) -> "Timeline":
        """The books as they stood when `mark` was made."""
        books = cls(sample_hz, sparse=sparse)
        books.origin_s = mark.origin_s
        books.last_pts_s = mark.last_pts_s
        books.last_end_s = mark.last_end_s
        books.decoded = mark.decoded
        books.gaps = mark.gaps
        books._set_slot(mark.last_slot)
        return books

    def mark(self, pixels_digest: str) -> ReaderMark:
        """The position right after the frame that was sampled last."""
        assert self.origin_s is not None
        return ReaderMark(
            origin_s=self.origin_s,
            last_slot=self.last_slot,
            last_sampled_pts_s=self.last_pts_s,
            last_pts_s=self.last_pts_s,
            last_end_s=self.last_end_s,
            decoded=self.decoded,
            pixels_digest=pixels_digest,
            gaps=self.gaps,
        )

    def takes(self, pts_s: float) -> bool:
        """Whether a frame at `pts_s` is the first one of its sampling interval."""
        if pts_s < self._due_s or pts_s <= self.last_pts_s:
            return False
        return self.origin_s is None or self._slot(pts_s) > self.last_slot

    def sample(self, pts_s: float, duration_s: float) -> None:
        """Enter a frame that was taken."""
        self.advance(pts_s, duration_s)
        self._set_slot(self._slot(pts_s))

    def advance(self, pts_s: float, duration_s: float) -> None:
        """Enter a frame that the decoder delivered."""
        self.decoded += 1
        if pts_s <= self.last_pts_s:
            self._stalled += 1
            self._stalled_s += duration_s
            return
        if self._damage:
            self._close_gap(pts_s)
        if self.origin_s is None:
            self.origin_s = pts_s
        self._stalled = 0
        self._stalled_s = 0.0
        self.last_pts_s = pts_s
        self.last_end_s = pts_s + duration_s

    def damaged(self, pts_s: float, duration_s: float, reason: str) -> None:
        """Enter a packet or picture at `pts_s` that cannot be used."""
        if pts_s <= self.last_pts_s:
            return
        self._damage.append(_Damage(pts_s, pts_s + duration_s, reason))
        if len(self._damage) > MAX_PENDING_DAMAGE:
            start_s, end_s = min(d.start_s for d in self._damage), _end(self._damage)
            self._damage = [_Damage(start_s, end_s, self._damage[0].reason)]

    def finish(
        self, end: StreamEnd, *, limit_s: float = math.inf, reached_limit: bool = False
    ) -> None:
        """Enter the end of the pass: the stream ended, or a frame at or after `limit_s` came."""
        if self.origin_s is None:
            return
        damage = [d for d in self._damage if d.start_s < limit_s]
        self._damage = []
        if self.sparse and end.seen_end_s is not None:
            clean_end_s = min([end.seen_end_s, limit_s, *(d.start_s for d in damage)])
            self.last_end_s = max(self.last_end_s, clean_end_s)
        stop_s, reason = self.last_end_s, ""
        if damage:
            stop_s, reason = min(_end(damage), limit_s), damage[0].reason
        if end.declared_end_s is not None and not reached_limit:
            declared_s = min(end.declared_end_s, limit_s)
            tolerance_s = tail_tolerance_s(declared_s - self.origin_s, end.frame_s)
            if declared_s - max(stop_s, self.last_end_s) > tolerance_s:
                stop_s, reason = declared_s, reason or "the track ends before its declared end"
        if self._stalled_s > STALL_S:
            stop_s = max(stop_s, self.last_end_s + self._stalled_s)
            reason = reason or f"the times of the last {self._stalled} frames go back"
        if stop_s - self.last_end_s > TOUCHING_S:
            self._add_gap(Gap(self.last_end_s, stop_s, reason))

    def covered_s(self) -> float:
        """Seconds between the first frame and the end of the last one, less the gaps inside."""
        if self.origin_s is None:
            return 0.0
        inside_s = sum(
            max(0.0, min(gap.end_s, self.last_end_s) - max(gap.start_s, self.origin_s))
            for gap in self.gaps
        )
        return max(0.0, self.last_end_s - self.origin_s - inside_s)

    def _slot(self, pts_s: float) -> int:
        return 0 if self.origin_s is None else slot_of(pts_s, self.origin_s, self.sample_hz)

    def _set_slot(self, slot: int) -> None:
        assert self.origin_s is not None
        self.last_slot = slot
        # A bound that spares most frames the exact test; the slack keeps it on the early side.
        next_s = self.origin_s + (slot + 1) / self.sample_hz
        self._due_s = next_s - 2.0 * SLOT_SLACK / self.sample_hz - 1e-9 * abs(next_s)

    def _close_gap(self, pts_s: float) -> None:
        inside = [d for d in self._damage if d.start_s < pts_s]
        if not inside:
            return
        self._damage = [d for d in self._damage if d.start_s >= pts_s]
        first_s = min(d.start_s for d in inside)
        # Among frames skipped on purpose, damage reaches only as far as its own packets; else all
        # between the neighbours is lost, packets that never arrived included.
        start_s, end_s = first_s, pts_s
        if self.sparse:
            end_s = min(pts_s, _end(inside))
        elif self.origin_s is not None:
            start_s = min(self.last_end_s, first_s)
        if end_s - start_s > TOUCHING_S:
            self._add_gap(Gap(start_s, end_s, inside[0].reason))

    def _add_gap(self, gap: Gap) -> None:
        self.gaps = bounded_gaps((*self.gaps, gap))


def bounded_gaps(gaps: tuple[Gap, ...], limit: int = MAX_GAPS) -> tuple[Gap, ...]:
    """At most `limit` gaps in order of time; those closest together are joined first."""
    joined = list(gaps)
    while len(joined) > limit:
        at = min(range(len(joined) - 1), key=lambda i: joined[i + 1].start_s - joined[i].end_s)
        joined[at : at + 2] = [replace(joined[at], end_s=joined[at + 1].end_s)]
    return tuple(joined)


def _end(damage: list[_Damage]) -> float:
    return max(d.end_s for d in damage)
