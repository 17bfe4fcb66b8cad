"""What a question is asked of, and how: the values that enter the question engine."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import Gap, Times
from streammem.encoders.base import Encoder
from streammem.memory.snapshot import MemorySnapshot
from streammem.query.cues import CueBook

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class QueryMemory:
    """One memory as a question sees it: a snapshot, its encoder, and what the stream covers.

    `start_s`, `end_s` are the first and the last instant seen; `recorded_at` is Unix seconds of
    `start_s`; `cues` what was said and shown in words, None where nothing was. `derived` keeps
    what is computed once from the snapshot; it holds no answers.
    """

    memory_id: str
    source: str
    snapshot: MemorySnapshot
    encoder: Encoder
    start_s: float
    end_s: float
    gaps: tuple[Gap, ...] = ()
    recorded_at: float | None = None
    cues: CueBook | None = None
    derived: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def span_rows(self) -> Rows:
        """For each span the row of its cell in the snapshot, `[S]`."""
        if "span_rows" not in self.derived:
            order = np.argsort(self.snapshot.ids, kind="stable")
            places = np.searchsorted(self.snapshot.ids[order], self.snapshot.span_cell)
            self.derived["span_rows"] = order[places].astype(np.int64)
        rows: Rows = self.derived["span_rows"]
        return rows

    def row_at(self, time_s: float) -> int:
        """The row of a cell that shows an instant, else of the last exemplar before; -1 without."""
        if not len(self.snapshot.ids):
            return -1
        order, starts = self._lasting_by_start()
        place = int(np.searchsorted(starts, time_s, side="right")) - 1
        if place >= 0 and self.snapshot.span_end_s[order[place]] > time_s:
            return int(self.span_rows[order[place]])
        spans = (self.snapshot.span_start_s <= time_s) & (self.snapshot.span_end_s > time_s)
        if spans.any():
            return int(self.span_rows[int(np.argmax(spans))])
        exemplars = self.snapshot.exemplar_s
        if (exemplars <= time_s).any():
            return int(np.argmax(np.where(exemplars <= time_s, exemplars, -np.inf)))
        return int(np.argmin(exemplars))

    def _lasting_by_start(self) -> tuple[Rows, Times]:
        """Spans of lasting cells by start, and their starts; spans overlap in the ring alone."""
        if "by_start" not in self.derived:
            lasting = np.flatnonzero(~self.sensory[self.span_rows])
            order = lasting[np.argsort(self.snapshot.span_start_s[lasting], kind="stable")]
            self.derived["by_start"] = (order, self.snapshot.span_start_s[order])
        found: tuple[Rows, Times] = self.derived["by_start"]
        return found

    @property
    def sensory(self) -> NDArray[np.bool_]:
        """Which rows of the snapshot are copies in the sensory ring, `[N]`."""
        if "sensory" not in self.derived:
            self.derived["sensory"] = np.array(
                [str(tier) == "sensory" for tier in self.snapshot.tiers], dtype=np.bool_
            )
        mask: NDArray[np.bool_] = self.derived["sensory"]
        return mask

    @property
    def interval_s(self) -> float:
        """The usual time between two remembered frames, from what the cells stand for."""
        if "interval_s" not in self.derived:
            self.derived["interval_s"] = self._interval_s()
        return float(self.derived["interval_s"])

    def _interval_s(self) -> float:
        snapshot = self.snapshot
        lengths: Times = snapshot.span_end_s - snapshot.span_start_s
        lasting = ~self.sensory[self.span_rows] if len(lengths) else np.zeros(0, np.bool_)
        frames = int(snapshot.mass[~self.sensory].sum()) if len(snapshot.ids) else 0
        if frames > 0 and lasting.any():
            return max(1e-3, float(lengths[lasting].sum()) / frames)
        positive = lengths[lengths > 0]
        return float(np.median(positive)) if len(positive) else 0.5


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """How much is returned, from how strong a match on, and from which part of the stream.

    `at_s` is the instant at which the question is asked: nothing after it is used. `start_s`,
    `end_s` bound the stream time besides what the question itself says.
    """

    top_k: int = 5
    min_confidence: float = 0.5
    start_s: float | None = None
    end_s: float | None = None
    at_s: float | None = None
    explain: bool = False
