"""The memory of one stream: what the outside writes to, reads from and stores."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from streammem.core.errors import MemoryFileError
from streammem.core.types import Tier, Times
from streammem.memory import state
from streammem.memory.batch import Batch, check_batch
from streammem.memory.cells import LONG_TERM, WORKING
from streammem.memory.codes import rows_per_block, to_fixed_point
from streammem.memory.event import Event, Intake
from streammem.memory.governor import MemoryPlan, plan_memory
from streammem.memory.ledger import Ledger
from streammem.memory.policies import PolicySet, choose_policy
from streammem.memory.sensory import SensoryRing
from streammem.memory.snapshot import MemorySnapshot
from streammem.memory.spans import SPAN
from streammem.memory.tiers import Tiers
from streammem.memory.timing import ClockSettings
from streammem.memory.view import take_snapshot


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What one `write` did: frames taken, events closed, cells merged, cells evicted."""

    frames: int
    events_closed: int
    merged: int
    evicted: int


class MemoryStore:
    """A memory of one stream that never exceeds its byte budget.

    Owns all state of the three tiers. One thread writes; snapshots may be read by any. It never
    sees pictures or words, only embeddings, tokens and times. Invariants: `nbytes` is the
    length of `to_bytes()` and at most `budget_bytes` after every call; mass, visits and sums of
    time add up over live cells and the ledger; equal calls give equal bytes, however frames are
    divided into batches.
    """

    def __init__(
        self,
        dim: int,
        budget_bytes: int,
        policy: str | PolicySet = "streammem",
        seed: int = 0,
        *,
        tokens_per_frame: int = 0,
    ) -> None:
        """An empty memory.

        Args:
            dim: Width of embeddings and tokens.
            budget_bytes: What `nbytes` may reach.
            policy: Name of a policy set, or one of those sets with other settings, which are
                stored with the memory.
            seed: Fixes whatever a policy draws at random, and the rotation of narrow codes.
            tokens_per_frame: Tokens that come with each frame; 0 keeps none.

        Raises:
            BudgetError: the budget is too small for this width; the hint has the smallest.
            UsageError: there is no such policy.
            ValueError: a number is out of range.
        """
        if dim < 1 or tokens_per_frame < 0 or not -(1 << 63) <= seed < 1 << 63:
            raise ValueError(f"dim {dim}, tokens_per_frame {tokens_per_frame} or seed out of range")
        chosen = choose_policy(policy) if isinstance(policy, str) else policy
        plan = plan_memory(dim, budget_bytes, tokens_per_frame, state.FIXED_BYTES)
        self._set_up(plan, chosen, seed)

    def _set_up(self, plan: MemoryPlan, policy: PolicySet, seed: int) -> None:
        self._plan, self._policy, self._seed = plan, policy, seed
        self._closed = False
        self._usage_events = 0
        self._ledger = Ledger(plan.ledger)
        self._sensory = SensoryRing(plan.sensory, plan.sensory_dtype)
        self._tiers = Tiers(plan, policy, seed, self._ledger)
        settings = policy.settings
        empty = Event(
            sums=np.zeros(plan.dim), tokens=np.zeros((plan.tokens_per_cell, plan.dim), np.uint8)
        )
        self._intake = Intake(
            rule=policy.boundary(settings),
            clock_settings=ClockSettings(
                settings.hole_factor, settings.first_step_s, settings.longest_first_step_s
            ),
            event=empty,
            on_close=self._tiers.close_event,
            on_end=self._sensory.set_end,
            last_frame=np.zeros(plan.dim),
        )

    @property
    def dim(self) -> int:
        """Width of embeddings."""
        return self._plan.dim

    @property
    def budget_bytes(self) -> int:
        """The limit of `nbytes`."""
        return self._plan.budget_bytes

    @property
    def plan(self) -> MemoryPlan:
        """Capacities of every part, fixed before the first frame."""
        return self._plan

    @property
    def policy(self) -> PolicySet:
        """How this memory consolidates."""
        return self._policy

    @property
    def frames(self) -> int:
        """Frames written so far."""
        return self._intake.frames_seen

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def ledger(self) -> Ledger:
        """What is not in a cell, to be read only."""
        return self._ledger

    def write(
        self,
        embeddings: ArrayLike,
        pts_seconds: ArrayLike,
        *,
        durations_s: ArrayLike | None = None,
        tokens: ArrayLike | None = None,
    ) -> WriteReport:
        """Take the next frames; all of them or, where one is refused, none.

        Args:
            embeddings: `[B D]` of any length; they are normalised here. Zero rows are allowed.
            pts_seconds: `[B]`, not decreasing, not before the last frame written.
            durations_s: `[B]`; where absent a frame lasts until the next one.
            tokens: `[B P D]` with P the store's `tokens_per_frame`, or None.

        Raises:
            ValueError: the store is closed, or a shape, a time or a value is refused.
        """
        if self._closed:
            raise ValueError("the memory is closed; only writing is refused")
        last_s = self._intake.clock.pts_s if self._intake.clock.has_frame else None
        batch = check_batch(
            Batch.of(embeddings, pts_seconds, durations_s, tokens),
            self._plan.dim,
            self._plan.tokens_per_frame,
            last_s,
        )
        before = (self._tiers.tally.events, self._tiers.tally.merges, self._ledger.evicted.cells)
        for block in batch.blocks(max(1, rows_per_block(self._plan.dim) // 2)):
            self._write_block(block)
        after = (self._tiers.tally.events, self._tiers.tally.merges, self._ledger.evicted.cells)
        return WriteReport(len(batch), *(b - a for a, b in zip(before, after, strict=True)))

    def _write_block(self, block: Batch) -> None:
        frames = to_fixed_point(block.embeddings.astype(np.float32))
        first_frame = self._intake.frames_seen + 1
        ends_s = self._intake.take(frames, block.pts_s, block.durations_s, block.tokens)
        self._sensory.append(frames, block.pts_s, ends_s, first_frame, self._tiers.code)

    def record(
        self, start_s: float, end_s: float, kind: str, count: int = 0, reason: str = ""
    ) -> None:
        """Enter a stretch that was not seen into the ledger.

        Args:
            start_s: Where it begins.
            end_s: Where it ends, half-open.
            kind: `gap`, `dropped`, `sampled_out` or `evicted`.
            count: Frames concerned.
            reason: In words; the first 47 bytes are kept.

        Raises:
            ValueError: the kind is unknown, or the stretch or the count is not one.
        """
        self._ledger.record(start_s, end_s, kind, count, reason)

    def absorb_usage(self, returned: Mapping[int, int], reads: int) -> None:
        """Take over what reading did: `reads` reads, each cell id returned so many times.

        Ids of cells that were merged into others meanwhile, and of sensory frames, count for
        nothing. Changes usage and nothing else.

        Raises:
            ValueError: a number is negative.
        """
        if reads < 0 or any(times < 0 for times in returned.values()):
            raise ValueError("usage counts are never negative")
        self._tiers.use(returned, reads, self._intake.event)
        self._usage_events += 1

    def close(self) -> None:
        """Close the open event. Afterwards only `write` is refused."""
        if self._intake.event.frames:
            event = self._intake.event
            event.end_s = self._intake.open_end_s
            self._tiers.close_event(event)
            self._intake.event = Event(
                sums=np.zeros_like(event.sums), tokens=np.zeros_like(event.tokens)
            )
        self._closed = True

    def snapshot(self) -> MemorySnapshot:
        """An immutable copy of all live cells, the open event and the sensory frames."""
        return take_snapshot(self._tiers, self._intake, self._sensory)

    def exemplars(self) -> Times:
        """The pts of the frames that stand for the working and long-term cells, increasing."""
        pts_s = self._tiers.table.rows["exemplar_s"][self._tiers.table.slots]
        if self._intake.event.frames:
            pts_s = np.append(pts_s, self._intake.event.exemplar_s)
        return np.sort(pts_s).astype(np.float64)

    def counts_by_tier(self) -> dict[Tier, int]:
        """Cells in each tier; the open event is a working cell."""
        open_events = 1 if self._intake.event.frames else 0
        working = len(self._tiers.working)
        return {
            Tier.SENSORY: self._sensory.size,
            Tier.WORKING: working + open_events,
            Tier.LONG_TERM: self._tiers.table.live - working,
        }

    def bytes_by_tier(self) -> dict[Tier, int]:
        """Bytes of each tier's slots and spans; working includes the open event's section.

        The rest of `nbytes` is header, counters, ledger and slots that are free for reuse.
        """
        tiers = self._tiers
        tier_of_slot = tiers.table.rows["tier"][: tiers.table.size]
        owners = tiers.spans.entries["owner"][: tiers.spans.size]
        tier_of_span = tier_of_slot[owners[owners >= 0]]

        def of(tier: int) -> int:
            cells = int(np.count_nonzero(tier_of_slot == tier)) * tiers.table.bytes_per_cell
            return cells + int(np.count_nonzero(tier_of_span == tier)) * SPAN.itemsize

        return {
            Tier.SENSORY: self._sensory.nbytes,
            Tier.WORKING: of(WORKING) + self._plan.open_dtype.itemsize,
            Tier.LONG_TERM: of(LONG_TERM),
        }

    @property
    def nbytes(self) -> int:
        """Length of `to_bytes()`, without making it."""
        tiers = self._tiers
        return (
            state.empty_bytes(self._plan)
            + self._sensory.nbytes
            + tiers.table.size * tiers.table.bytes_per_cell
            + tiers.spans.size * SPAN.itemsize
            + self._ledger.nbytes
        )

    def sections(self) -> dict[str, bytes]:
        """The state in named parts of which a call changes few bytes, at stable positions."""
        head = state.write_head(
            self._plan, self._policy, self._seed, self._tiers, self._intake, self._ledger
        )
        head["closed"], head["usage_events"] = self._closed, self._usage_events
        return {
            "head": state.head_bytes(head, self._plan, self._tiers.working),
            "open": state.event_bytes(self._intake, self._plan.open_dtype),
            "sensory": self._sensory.to_bytes(),
            **self._tiers.table.to_sections(),
            "spans": self._tiers.spans.to_bytes(),
            "ledger": self._ledger.to_bytes(),
        }

    def to_bytes(self) -> bytes:
        """The whole state; `from_bytes` goes on from it bit for bit."""
        return state.pack(self.sections())

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The memory that `to_bytes` wrote.

        Raises:
            MemoryFileError: the bytes are not a memory, are damaged or of a newer format.
        """
        return cls.from_sections(state.unpack(data))

    @classmethod
    def from_sections(cls, sections: Mapping[str, bytes]) -> Self:
        """The memory that `sections` gave.

        Raises:
            MemoryFileError: a section is absent, damaged or of a newer format.
        """
        missing = [name for name in state.SECTIONS if name not in sections]
        if missing:
            raise MemoryFileError(f"the memory lacks the section {missing[0]!r}")
        head, working = state.read_head(sections["head"])
        store = cls.__new__(cls)
        store._set_up(state.read_plan(head), state.read_policy(head), int(head["seed"]))
        store._load(sections, head, working)
        return store

    def _load(self, sections: Mapping[str, bytes], head: np.void, working: list[int]) -> None:
        tiers = self._tiers
        tiers.table.load(sections["cells"], sections["links"], int(head["first_free_cell"]))
        tiers.spans.load(sections["spans"], int(head["first_free_span"]))
        self._sensory.load(sections["sensory"])
        self._ledger.load(sections["ledger"])
        self._intake.event, self._intake.last_frame = state.read_event(sections["open"], self._plan)
        state.restore_counters(head, tiers, self._intake, self._ledger)
        tiers.working = working
        self._closed, self._usage_events = bool(head["closed"]), int(head["usage_events"])
