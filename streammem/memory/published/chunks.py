"""Keeps recent frames one by one and older ones as the mean of their chunk."""

from dataclasses import dataclass

from streammem.memory.published.table import LONG_TERM, WORKING, CellTable, Closed


@dataclass(frozen=True, slots=True)
class ChunkKeeper:
    """Half the cells are the last frames, the other half means of the chunks before them.

    Source: HCAM (Lampinen and others, 2021, arXiv:2105.14039, section 2): a memory of chunks,
    each found by the mean of its contents, then read in detail. Deviations: the contents of old
    chunks are given up and only their means stay, so that the memory reaches further back; recent
    chunks are searched in detail at once, which finds whatever a search by their means would
    find; scores are cosines.
    """

    chunk: int = 16
    most_cells: int = 0

    @property
    def merging(self) -> bool:
        """A chunk stands for many frames."""
        return True

    @property
    def spans(self) -> int:
        """A chunk is one span."""
        return 1

    def keep(self, table: CellTable, closed: Closed, seed: int) -> None:
        """Take frames; where the memory is full, the oldest frames become a chunk."""
        frames = table.in_tier(WORKING).tolist()
        chunks = table.in_tier(LONG_TERM).tolist()
        most_chunks = table.capacity // 2
        size = min(self.chunk, most_chunks)
        for item in range(len(closed)):
            if table.full:
                if len(chunks) == most_chunks:
                    table.drop(chunks.pop(0))
                oldest, frames = frames[:size], frames[size:]
                for slot in oldest[1:]:
                    table.merge(oldest[0], slot)
                table.rows["tier"][oldest[0]] = LONG_TERM
                chunks.append(oldest[0])
            frames.append(table.add(closed, item, WORKING))
