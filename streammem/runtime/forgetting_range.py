"""Forgets a stretch of one memory, erases it from the files, and proves that it is gone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from streammem.core.errors import StreamMemError, UsageError
from streammem.core.keeping import Proof, RangeForgotten
from streammem.core.timebase import format_time
from streammem.core.types import Channel, Cue, Floats, Gap
from streammem.memory.forgetting import (
    LEAST_TRACE,
    REASON,
    ForgottenCells,
    Stretch,
    TouchedCell,
    forget_stretch,
    live_codes,
    touched,
    traces,
)
from streammem.memory.snapshot import MemorySnapshot
from streammem.memory.store import MemoryStore
from streammem.runtime.asking import EncoderCache, encoder_for
from streammem.runtime.reading_again import read_again
from streammem.storage.erasing import files_of, found_in, rewrite
from streammem.storage.event_keys import EventKeyIndex
from streammem.storage.library import LibraryFolder
from streammem.storage.memory_file import MemoryWriter, read_thumbnail
from streammem.storage.records import Commit, MemoryMeta, Progress, dump_json
from streammem.storage.usage import read_usage

# A window of a picture that no other one has.
_PICTURE_TRACE = 48
# The cosine of a key with itself in a narrower code.
_SAME_KEY = 0.95


def forget_range(
    library: LibraryFolder,
    memory: str,
    between_s: tuple[float, float],
    *,
    remove: bool,
    encoders: EncoderCache,
) -> RangeForgotten:
    """Forget what a memory holds of a stretch, or without `remove` say what that would be.

    Raises:
        UsageError: there is no such memory, it is unfinished, or the stretch lies outside of it.
        MemoryLockedError: a process is writing it.
    """
    path = library.resolve(memory)
    with MemoryWriter.open(path) as writer:
        work = _Forgetting(writer, between_s)
        if not remove:
            return work.preview()
        result = work.run(encoders)
    return replace(result, file_bytes=path.stat().st_size)


class _Forgetting:
    """One stretch of one opened memory. Used once."""

    def __init__(self, writer: MemoryWriter, between_s: tuple[float, float]) -> None:
        self._writer = writer
        self._meta, progress = writer.stored.meta, writer.stored.progress
        self._start_s, self._end_s = _clipped(self._meta, progress, between_s)
        stored = writer.stored
        self._store = MemoryStore.from_sections(stored.sections) if stored.sections else None
        self._rows = writer.cue_rows()
        self._going = [row for row in self._rows if self._holds(row.cue)]
        cells: tuple[TouchedCell, ...] = ()
        if self._store is not None:
            cells = touched(self._store, self._start_s, self._end_s)
        self._cells = cells

    def preview(self) -> RangeForgotten:
        """What would go."""
        lost_s = sum(end_s - start_s for cell in self._cells for start_s, end_s in cell.kept)
        return RangeForgotten(
            memory_id=self._meta.memory_id,
            memory_path=str(self._writer.path),
            start_s=self._start_s,
            end_s=self._end_s,
            removed=False,
            cells=len(self._cells),
            rebuilt=0,
            dropped=0,
            lost_s=lost_s,
            frames=0,
            cues=len(self._going),
            thumbnails=len(self._pictures(frozenset(cell.id for cell in self._cells))),
            file_bytes=self._writer.path.stat().st_size,
        )

    def run(self, encoders: EncoderCache) -> RangeForgotten:
        """Forget, erase, and look for what may be left."""
        again, why = self._frames_again(encoders)
        before = self._store.snapshot() if self._store is not None else None
        looked_for = self._traces()
        pictures = self._pictures(frozenset(again))
        files = files_of(self._writer.path)
        found_before = found_in(looked_for, [file.read_bytes() for file in files])
        cells = ForgottenCells(0, 0, 0, 0, 0)
        if self._store is not None:
            cells = forget_stretch(self._store, self._start_s, self._end_s, again)
        self._commit(pictures)
        EventKeyIndex(self._writer.path.parent).remove([self._writer.path.stem])
        rewrite(self._writer)
        lost = [cell for cell in self._cells if not again.get(cell.id)]
        proof = self._proof(looked_for - self._explained(), found_before, before)
        return replace(
            self.preview(),
            removed=True,
            cells=cells.cells,
            rebuilt=cells.rebuilt,
            dropped=cells.dropped,
            lost_s=sum(end_s - start_s for cell in lost for start_s, end_s in cell.kept),
            frames=cells.frames,
            cues=len(self._going),
            thumbnails=len(pictures),
            why_dropped=why,
            proof=proof,
        )

    def _holds(self, cue: Cue) -> bool:
        """Whether a cue tells of the stretch; a title of the whole only where it lies inside."""
        if cue.channel is Channel.METADATA:
            return self._start_s <= cue.start_s and cue.end_s <= self._end_s
        return cue.start_s < self._end_s and max(cue.end_s, cue.start_s + 1e-9) > self._start_s

    def _frames_again(
        self, encoders: EncoderCache
    ) -> tuple[Mapping[int, Sequence[Stretch]], str | None]:
        """The frames outside of the stretch that touched cells stand for, from the source."""
        if not any(cell.kept for cell in self._cells):
            return {}, None
        try:
            encoder = encoder_for(self._meta, encoders, "", "auto")
            spans = [span for cell in self._cells for span in cell.kept]
            first_s = self._writer.stored.progress.first_pts_s or 0.0
            stretches = read_again(self._meta, first_s, encoder, spans)
        except StreamMemError as error:
            return {}, error.message
        again: dict[int, Sequence[Stretch]] = {}
        for cell in self._cells:
            parts = [stretches[span] for span in cell.kept if len(stretches[span].pts_s)]
            if parts:
                again[cell.id] = parts
        return again, None

    def _pictures(self, rebuilt: frozenset[int]) -> frozenset[int]:
        """Thumbnails of the stretch, and of cells that are not rebuilt."""
        keys = self._writer.stored.thumbnail_keys
        gone = {key for key in keys if self._start_s <= key / 1e6 < self._end_s}
        for cell in self._cells:
            if cell.id not in rebuilt:
                gone.update(
                    key
                    for key in keys
                    if any(start_s <= key / 1e6 < end_s for start_s, end_s in cell.kept)
                )
        return frozenset(gone)

    def _traces(self) -> frozenset[bytes]:
        """Byte strings that only what is to go has: texts, meanings, pictures, codes."""
        staying = [row for row in self._rows if not self._holds(row.cue)]
        plain = dump_json(self._meta.to_json()) + dump_json(
            [[row.cue.text for row in staying], [row.vector.hex() for row in staying]]
        )
        found = set()
        for row in self._going:
            text = row.cue.text.encode()
            if len(text) >= LEAST_TRACE and row.cue.text.encode() not in plain:
                found.add(text)
            if len(row.vector) >= LEAST_TRACE and row.vector.hex().encode() not in plain:
                found.add(row.vector)
        keys = self._writer.stored.thumbnail_keys
        going = {key for key in keys if self._start_s <= key / 1e6 < self._end_s}
        others = b"".join(self._picture(key) for key in keys if key not in going)
        for key in going:
            picture = self._picture(key)
            middle = len(picture) // 2
            window = picture[middle : middle + _PICTURE_TRACE]
            if len(window) == _PICTURE_TRACE and window not in others:
                found.add(window)
        if self._store is not None:
            found |= traces(self._store, self._start_s, self._end_s)
        return frozenset(found)

    def _picture(self, key: int) -> bytes:
        return read_thumbnail(self._writer.path, key) or b""

    def _explained(self) -> frozenset[bytes]:
        """Codes that cells outside of the stretch have as well: pictures that did not change."""
        return frozenset() if self._store is None else live_codes(self._store)

    def _commit(self, pictures: frozenset[int]) -> None:
        """Put the memory without the stretch on disk."""
        stored, store = self._writer.current(), self._store
        offset, entries = read_usage(self._writer.path, self._writer.usage_absorbed)
        if store is not None:
            for returned, reads in entries:
                store.absorb_usage(returned, reads)
        self._writer.commit(
            Commit(
                sections=stored.sections if store is None else store.sections(),
                progress=self._progress(stored.progress),
                thumbnails_dropped=pictures,
                cell_counts=stored.cell_counts
                if store is None
                else {t.value: n for t, n in store.counts_by_tier().items()},
                tier_bytes=stored.tier_bytes
                if store is None
                else {t.value: n for t, n in store.bytes_by_tier().items()},
                usage_absorbed=offset,
                cues_dropped=frozenset(row.id for row in self._going),
                cue_next_id=stored.cue_next_id,
                listening=b"",
                # How often words were said is counted without saying when.
                word_tally=b"",
            )
        )

    def _progress(self, progress: Progress) -> Progress:
        """The progress with the stretch as a gap, also where a later run would go on from."""
        gap = Gap(self._start_s, self._end_s, REASON)
        missed_s = sum(
            max(0.0, min(one.end_s, gap.end_s) - max(one.start_s, gap.start_s))
            for one in progress.gaps
        )
        mark = progress.mark
        return replace(
            progress,
            covered_s=max(0.0, progress.covered_s - max(0.0, gap.end_s - gap.start_s - missed_s)),
            gaps=(*progress.gaps, gap),
            mark=None if mark is None else replace(mark, gaps=(*mark.gaps, gap)),
            commits=progress.commits + 1,
        )

    def _proof(
        self,
        looked_for: frozenset[bytes],
        found_before: frozenset[bytes],
        before: MemorySnapshot | None,
    ) -> Proof:
        """What a search for what went finds in the files, and near it among what is left."""
        path = self._writer.path
        files = files_of(path)
        contents = [file.read_bytes() for file in files]
        contents += list(self._writer.current().sections.values())
        near: tuple[float | None, float | None, float | None] = (None, None, None)
        if before is not None and self._store is not None:
            near = _probe(before, self._store.snapshot(), self._start_s, self._end_s)
        return Proof(
            traces=len(looked_for),
            found_before=len(found_before & looked_for),
            found_after=len(found_in(looked_for, contents)),
            files=tuple(file.name for file in files),
            nearest=near[0],
            nearest_unexplained=near[1],
            allowed=near[2],
        )


def _clipped(
    meta: MemoryMeta, progress: Progress, between_s: tuple[float, float]
) -> tuple[float, float]:
    """The part of a stretch that a memory covers.

    Raises:
        UsageError: none, or the memory is unfinished.
    """
    if progress.status == "running":
        raise UsageError(
            f"{meta.memory_id!r} is unfinished, and a part of it cannot be forgotten yet",
            hint=f"finish it with: streammem ingest {meta.source}",
            code="unfinished_memory",
        )
    first_s, last_s = progress.first_pts_s or 0.0, progress.last_end_s or 0.0
    start_s, end_s = max(between_s[0], first_s), min(between_s[1], last_s)
    if start_s >= end_s:
        raise UsageError(
            f"{meta.memory_id!r} holds nothing of that stretch: it covers {format_time(first_s)} "
            f"to {format_time(last_s)}",
            hint="name a stretch inside of it",
            code="outside_memory",
        )
    # The end of the last frame belongs to the stretch that reaches it.
    return start_s, float(np.nextafter(end_s, np.inf)) if end_s == last_s else end_s


def _probe(
    before: MemorySnapshot, after: MemorySnapshot, start_s: float, end_s: float
) -> tuple[float | None, float | None, float | None]:
    """The nearest of what is left to what went: of all, of what nothing explains, and allowed.

    A key is explained where it was there before for other times, perhaps in a wider code, or is new
    and stands for other times only. Others may come as near as explained ones do, or as unrelated
    ones by chance.
    """
    gone_ids = before.span_cell[(before.span_start_s < end_s) & (before.span_end_s > start_s)]
    gone = before.keys[np.isin(before.ids, gone_ids)]
    if not len(gone) or not len(after.ids):
        return None, None, None
    nearest = (after.keys @ gone.T).max(axis=1)
    inside = after.span_cell[(after.span_start_s < end_s) & (after.span_end_s > start_s)]
    known = {
        int(cell): key for cell, key in zip(before.ids, before.keys, strict=True)
        if cell not in set(gone_ids.tolist())
    }  # fmt: skip
    newest = int(before.ids.max(initial=0))
    explained = np.array(
        [
            cell not in inside and (cell > newest or _same(known.get(int(cell)), key))
            for cell, key in zip(after.ids, after.keys, strict=True)
        ],
        np.bool_,
    )
    chance = 4.0 / float(np.sqrt(after.keys.shape[1]))
    allowed = max(chance, float(nearest[explained].max(initial=-1.0)))
    unexplained = float(nearest[~explained].max()) if (~explained).any() else None
    return float(nearest.max()), unexplained, allowed


def _same(key: Floats | None, other: Floats) -> bool:
    return key is not None and (float(key @ other) > _SAME_KEY or not (key.any() or other.any()))
