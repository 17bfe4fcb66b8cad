"""The writing half of a watch: what a live source has shown goes into a memory that never closes.

A watch can go on another day, so the open event stays open and the memory can always be written.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from streammem.core.budget import KIB, BudgetPlan
from streammem.core.results import IngestRequest
from streammem.core.types import FrameFeatures, Gap, ReaderMark, StreamInfo
from streammem.runtime.batches import Batch, EncodedBatch
from streammem.runtime.recorder import Recorder, covered_seconds
from streammem.storage.gaps import bound_gaps, gap_limit
from streammem.storage.memory_file import MemoryWriter
from streammem.video.live_clock import ClockState
from streammem.video.live_queue import LiveFrame

BEHIND = "frames came faster than they could be remembered"
_CLOCK, _HEAD, _OBSERVER = "clock", "head", "observer"
_MAX_STATE_BYTES = 64 * KIB


def live_state_bytes(plan: BudgetPlan) -> int:
    """How much may be stored to go on from: a live source has no timed text to share with."""
    return min(_MAX_STATE_BYTES, plan.cue_bytes // 2)


class LiveRecorder(Recorder):
    """A recorder for frames without an end. One owner, one thread."""

    def __init__(self, writer: MemoryWriter, plan: BudgetPlan, request: IngestRequest) -> None:
        super().__init__(writer, plan, request)
        self._gap_limit = gap_limit(plan.total_bytes)
        self._state_bytes = live_state_bytes(plan)
        self._longest_s = 1.5 / writer.stored.meta.fps
        self._clock: ClockState | None = LiveState(writer.stored.listening).clock
        mark = self._progress.mark
        known = () if mark is None else mark.gaps
        # Of the run before, what was still open when it ended is now known to be a gap.
        for gap in self._progress.gaps[len(known) :]:
            self.gap(gap)
        self._progress = replace(self._progress, status="running")

    @property
    def gaps(self) -> int:
        """Gaps so far, the open one included."""
        return len(self._progress.gaps)

    @property
    def dropped(self) -> int:
        """Frames dropped so far."""
        return self._progress.frames.dropped

    @property
    def decoded(self) -> int:
        """Frames that the source gave so far."""
        return self._progress.frames.decoded

    def bytes_by_tier(self) -> dict[str, int]:
        """What the tiers take at present."""
        return {tier.value: count for tier, count in self._store.bytes_by_tier().items()}

    def remember(
        self,
        frames: Sequence[LiveFrame],
        features: FrameFeatures,
        decoded_before: int,
        end_s: float,
    ) -> None:
        """Write frames of one size in order.

        Args:
            frames: What was taken.
            features: What the encoder says of them.
            decoded_before: Frames that earlier runs decoded.
            end_s: Memory time up to which the source was seen without a gap.
        """
        last, before = frames[-1], self._progress.mark
        pts_s = np.array([frame.time_s for frame in frames], np.float64)
        own_s = np.array([frame.lasts_s for frame in frames], np.float64)
        seen_s = max(last.end_s, min(end_s, last.time_s + self._longest_s), last.time_s + 1e-6)
        mark = ReaderMark(
            origin_s=float(pts_s[0]) if before is None else before.origin_s,
            last_slot=0,
            last_sampled_pts_s=last.pts_s,
            last_pts_s=last.time_s,
            last_end_s=seen_s,
            decoded=decoded_before + last.decoded - self.dropped,
            pixels_digest="",
            gaps=() if before is None else before.gaps,
        )
        durations_s = np.minimum(np.diff(pts_s, append=seen_s), np.maximum(own_s, self._longest_s))
        pixels = np.stack([frame.pixels for frame in frames])
        batch = Batch(pixels, pts_s, durations_s, mark, full=False)
        self.write(EncodedBatch(batch, features), listening=self._listening)
        self._clock = ClockState(last.pts_s, last.time_s - last.pts_s, seen_s)

    def saw(self, decoded: int, clock: ClockState | None) -> None:
        """Note how far the source was seen, where every frame that was taken is remembered."""
        mark = self._progress.mark
        if mark is None or clock is None or clock.end_s < mark.last_end_s:
            return
        self._clock = clock
        mark = replace(mark, decoded=decoded - self.dropped, last_end_s=clock.end_s)
        covered_s = covered_seconds(mark.origin_s, mark.last_end_s, mark.gaps)
        self._progress = replace(
            self._progress,
            mark=mark,
            frames=replace(self._progress.frames, decoded=decoded),
            last_end_s=clock.end_s,
            covered_s=covered_s,
        )

    def gap(self, gap: Gap) -> None:
        """Enter a stretch in which nothing was seen."""
        self._record_gap(gap)
        mark, progress = self._progress.mark, self._progress
        gaps = bound_gaps((*(mark.gaps if mark else progress.gaps), gap), self._gap_limit)
        self._progress = replace(
            progress,
            gaps=gaps,
            mark=None if mark is None else replace(mark, gaps=gaps),
            last_end_s=max(progress.last_end_s or 0.0, gap.end_s),
        )

    def blind(self, gap: Gap | None) -> None:
        """Show a gap that is still open, None for none; it may yet turn out shorter."""
        mark = self._progress.mark
        if mark is None:
            return
        gaps = mark.gaps if gap is None else (*mark.gaps, gap)
        end_s = mark.last_end_s if gap is None else max(mark.last_end_s, gap.end_s)
        self._progress = replace(
            self._progress,
            gaps=gaps,
            last_end_s=end_s,
            covered_s=covered_seconds(mark.origin_s, end_s, gaps),
        )

    def drop(self, stretches: Sequence[tuple[float, float, int]]) -> None:
        """Enter stretches (start, end, frames) whose frames were let go."""
        for start_s, end_s, count in stretches:
            self._store.record(start_s, max(start_s, end_s), "dropped", count, BEHIND)
            frames = self._progress.frames
            self._progress = replace(
                self._progress, frames=replace(frames, dropped=frames.dropped + count)
            )

    def keep_state(self, head: str | None, observer: bytes) -> None:
        """Take along with the next commit what a later run needs to go on."""
        clock = None if self._clock is None else asdict(self._clock)
        state: dict[str, Any] = {_CLOCK: clock, _HEAD: head}
        packed = json.dumps({**state, _OBSERVER: base64.b64encode(observer).decode()}).encode()
        self._listening = packed if len(packed) <= self._state_bytes else json.dumps(state).encode()

    def describe_stream(self, info: StreamInfo) -> None:
        """What the source is like at present."""
        self._progress = replace(self._progress, info=info)

    def end(self) -> None:
        """Commit for the last time of this run."""
        status = "partial" if self._progress.gaps else "done"
        self._progress = replace(self._progress, status=status)
        self.commit()


class LiveState:
    """What an earlier run left for the next one."""

    def __init__(self, packed: bytes) -> None:
        """Read what `LiveRecorder.keep_state` wrote; nothing where there is nothing."""
        state: dict[str, Any] = json.loads(packed) if packed else {}
        clock = state.get(_CLOCK)
        self.clock = None if clock is None else ClockState(**clock)
        self.head: str | None = state.get(_HEAD)
        self.observer = base64.b64decode(state.get(_OBSERVER) or "")
