"""The writing half of the pipeline: batches go into the memory and into the file, in step.

Everything that decides what the memory holds happens per batch; commits only copy it to disk.
So the memory does not depend on when commits fall, and a run that is killed and started again
ends with the same bytes as one that was not.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from streammem.core.budget import KIB, BudgetPlan
from streammem.core.results import IngestRequest
from streammem.core.types import Cue, FrameCounts, Gap, StreamInfo
from streammem.memory.store import MemoryStore
from streammem.runtime.batches import EncodedBatch
from streammem.runtime.thumbnails import ThumbnailShelf
from streammem.storage.cue_cost import CueCost
from streammem.storage.memory_file import MemoryWriter
from streammem.storage.pages import row_charge
from streammem.storage.records import Commit
from streammem.storage.usage import read_usage
from streammem.text.memory import CueMemory
from streammem.text.tally import WordTally
from streammem.video.reader import ReadReport

# What the readers of text and sound may store to go on from: a part of the cues' room.
_LISTENING_SHARE = 8
# How often each word was said takes another part of it.
_TALLY_SHARE = 16
_MAX_TALLY_BYTES = 32 * KIB
_MAX_LISTENING_BYTES = 8 * KIB


def listening_bytes(plan: BudgetPlan) -> int:
    """How much the readers of text and sound may store at a resume point."""
    return min(_MAX_LISTENING_BYTES, plan.cue_bytes // _LISTENING_SHARE)


class Recorder:
    """Writes encoded batches into one memory and commits them. One owner, one thread."""

    def __init__(
        self,
        writer: MemoryWriter,
        plan: BudgetPlan,
        request: IngestRequest,
        embed: Callable[[str], bytes] | None = None,
    ) -> None:
        stored = writer.stored
        spec = stored.meta.encoder
        self._writer = writer
        self._request = request
        self._progress = stored.progress
        self._shelf = ThumbnailShelf(plan, stored.thumbnail_keys)
        self._added: dict[int, bytes] = {}
        self._dropped: set[int] = set()
        self._uncommitted_frames = 0
        self._last_commit_at = time.monotonic()
        self._listening = stored.listening
        tally_bytes = min(_MAX_TALLY_BYTES, plan.cue_bytes // _TALLY_SHARE)
        states = sum(row_charge(n, plan.page_bytes) for n in (listening_bytes(plan), tally_bytes))
        self._cues = CueMemory(
            plan.cue_bytes - states,
            CueCost(plan.page_bytes),
            writer.cue_rows(),
            next_id=stored.cue_next_id,
            tally=WordTally(tally_bytes, stored.word_tally),
            embed=embed,
        )
        self._store = (
            MemoryStore.from_sections(stored.sections)
            if stored.sections
            else MemoryStore(
                spec.dim,
                plan.store_bytes,
                stored.meta.policy,
                tokens_per_frame=spec.token_count,
            )
        )

    @property
    def written_frames(self) -> int:
        """Sampled frames in the memory."""
        return self._progress.written_frames

    @property
    def end_s(self) -> float:
        """Stream time up to which the memory has seen, in seconds."""
        return self._progress.last_end_s or 0.0

    def write(
        self, encoded: EncodedBatch, cues: Iterable[Cue] = (), listening: bytes = b""
    ) -> None:
        """Remember one batch; commits after enough frames or seconds if the batch allows it.

        Args:
            encoded: The frames.
            cues: What was said and shown in words up to the end of the batch.
            listening: What the readers of text and sound need to go on behind the batch.
        """
        self._cues.write(cues)
        self._listening = listening
        batch, before = encoded.batch, self._progress
        known_gaps = len(before.mark.gaps) if before.mark else 0
        decoded_before = before.mark.decoded if before.mark else 0
        for gap in batch.mark.gaps[known_gaps:]:
            self._record_gap(gap)
        count = len(batch.pts_s)
        passed_over = batch.mark.decoded - decoded_before - count
        if passed_over > 0:
            self._store.record(
                float(batch.pts_s[0]),
                float(batch.pts_s[-1] + batch.durations_s[-1]),
                "sampled_out",
                count=passed_over,
            )
        self._store.write(
            encoded.features.embeddings,
            batch.pts_s,
            durations_s=batch.durations_s,
            tokens=encoded.features.tokens,
        )
        added, dropped = self._shelf.update(self._store.exemplars(), batch.pts_s, batch.pixels)
        self._added = {k: v for k, v in self._added.items() if k not in dropped} | added
        self._dropped |= dropped
        first_s = before.first_pts_s
        self._progress = replace(
            before,
            first_pts_s=float(batch.pts_s[0]) if first_s is None else first_s,
            last_end_s=batch.mark.last_end_s,
            covered_s=covered_seconds(batch.mark.origin_s, batch.mark.last_end_s, batch.mark.gaps),
            frames=FrameCounts(
                batch.mark.decoded + before.frames.dropped,
                before.written_frames + count,
                before.frames.dropped,
            ),
            gaps=batch.mark.gaps,
            mark=batch.mark,
            written_frames=before.written_frames + count,
        )
        self._uncommitted_frames += count
        due_s = time.monotonic() - self._last_commit_at
        if batch.full and (
            self._uncommitted_frames >= self._request.commit_frames
            or due_s >= self._request.commit_s
        ):
            self.commit()

    def write_words(
        self, cues: Iterable[Cue], listening: bytes, start_s: float, end_s: float
    ) -> None:
        """Remember what was heard up to a time of a source without pictures; commits when due."""
        self._cues.write(cues)
        self._listening = listening
        self._progress = replace(
            self._progress,
            first_pts_s=start_s,
            last_end_s=end_s,
            covered_s=max(0.0, end_s - start_s),
        )
        if time.monotonic() - self._last_commit_at >= self._request.commit_s:
            self.commit()

    def commit(self) -> None:
        """Put everything remembered so far on disk in one transaction."""
        usage_offset = self._absorb_usage()
        changes = self._cues.take_changes()
        self._progress = replace(self._progress, commits=self._progress.commits + 1)
        self._writer.commit(
            Commit(
                sections=self._store.sections(),
                progress=self._progress,
                thumbnails_added=self._added,
                thumbnails_dropped=frozenset(self._dropped),
                cell_counts={t.value: n for t, n in self._store.counts_by_tier().items()},
                tier_bytes={t.value: n for t, n in self._store.bytes_by_tier().items()},
                usage_absorbed=usage_offset,
                cues=changes.added,
                cues_dropped=changes.dropped,
                cue_next_id=self._cues.next_id,
                listening=self._listening,
                word_tally=self._cues.tally.to_bytes() if self._cues.next_id > 1 else b"",
            )
        )
        self._added, self._dropped = {}, set()
        self._uncommitted_frames = 0
        self._last_commit_at = time.monotonic()

    def finish(
        self,
        report: ReadReport,
        info: StreamInfo,
        cues: Iterable[Cue] = (),
        *,
        whole: bool = True,
    ) -> None:
        """Close the open event, note what could not be read, and commit for the last time.

        `whole` is False where something besides the pictures could be read only partly.
        """
        self._cues.write(cues)
        self._listening = b""
        known_gaps = len(self._progress.gaps)
        for gap in report.gaps[known_gaps:]:
            self._record_gap(gap)
        self._store.close()
        self._progress = replace(
            self._progress,
            status="partial" if report.partial or not whole else "done",
            info=info,
            duration_s=report.duration_s,
            covered_s=report.covered_s,
            first_pts_s=report.first_pts_s,
            last_end_s=report.last_end_s,
            frames=FrameCounts(report.decoded, self._progress.written_frames, 0),
            gaps=report.gaps,
        )
        self.commit()

    def _record_gap(self, gap: Gap) -> None:
        self._store.record(gap.start_s, gap.end_s, "gap", reason=gap.reason)

    def _absorb_usage(self) -> int:
        offset, entries = read_usage(self._writer.path, self._writer.usage_absorbed)
        for returned, reads in entries:
            self._store.absorb_usage(returned, reads)
        return offset


def covered_seconds(start_s: float, end_s: float, gaps: tuple[Gap, ...]) -> float:
    """Seconds of a stretch that no gap lies in."""
    inside = sum(max(0.0, min(g.end_s, end_s) - max(g.start_s, start_s)) for g in gaps)
    return max(0.0, end_s - start_s - inside)
