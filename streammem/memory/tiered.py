"""Cells in three tiers, consolidated by the rules of a policy set: the engine of the default."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from streammem.core.types import Tier, Times
from streammem.memory import state
from streammem.memory.batch import Batch
from streammem.memory.cells import LONG_TERM, WORKING
from streammem.memory.codes import to_fixed_point
from streammem.memory.engine import Engine, EngineRequest, Tally
from streammem.memory.event import Event, Intake
from streammem.memory.governor import MemoryPlan, plan_memory
from streammem.memory.ledger import Ledger
from streammem.memory.policies import PolicySet
from streammem.memory.sensory import SensoryRing
from streammem.memory.snapshot import MemorySnapshot
from streammem.memory.tiers import Tiers
from streammem.memory.timing import ClockSettings
from streammem.memory.view import take_snapshot


@dataclass(frozen=True)
class TieredPolicy(PolicySet):
    """A policy set whose cells live in tiers."""

    @property
    def section_names(self) -> tuple[str, ...]:
        """Names of the engine's sections."""
        return state.SECTIONS

    def build(self, request: EngineRequest) -> Engine:
        """An empty engine.

        Raises:
            BudgetError: the budget is too small; the hint has the smallest.
        """
        plan = plan_memory(
            request.dim, request.budget_bytes, request.tokens_per_frame, state.FIXED_BYTES
        )
        return TieredEngine(plan, self, request.seed)

    def restore(self, request: EngineRequest, sections: Mapping[str, bytes]) -> Engine:
        """The engine that `sections` came from, with the settings it was made with.

        Raises:
            MemoryFileError: a section is damaged.
        """
        head, working = state.read_head(sections["head"])
        made_with = replace(self, settings=state.read_settings(head))
        engine = TieredEngine(state.read_plan(head), made_with, request.seed)
        engine.load(sections, head, working)
        return engine


class TieredEngine:
    """Owns the tiers, the open event, the sensory ring and the ledger of one memory.

    Invariants: mass, visits and sums of time add up over live cells and the ledger; equal
    frames give equal bytes, however they are divided into blocks.
    """

    def __init__(self, plan: MemoryPlan, policy: TieredPolicy, seed: int) -> None:
        self.plan, self.policy = plan, policy
        self.ledger = Ledger(plan.ledger)
        self.sensory = SensoryRing(plan.sensory, plan.sensory_dtype)
        self.tiers = Tiers(plan, policy, seed, self.ledger)
        settings = policy.settings
        empty = Event(
            sums=np.zeros(plan.dim), tokens=np.zeros((plan.tokens_per_cell, plan.dim), np.uint8)
        )
        self.intake = Intake(
            rule=policy.boundary(settings),
            clock_settings=ClockSettings(
                settings.hole_factor, settings.first_step_s, settings.longest_first_step_s
            ),
            event=empty,
            on_close=self.tiers.close_event,
            on_end=self.sensory.set_end,
            limits=self.tiers.event_limits,
            last_frame=np.zeros(plan.dim),
        )

    @property
    def tally(self) -> Tally:
        """Events closed and cells merged since the beginning."""
        return self.tiers.tally

    @property
    def frames(self) -> int:
        """Frames taken since the beginning."""
        return self.intake.frames_seen

    @property
    def last_pts_s(self) -> float | None:
        """Time of the last frame taken, None before the first."""
        return self.intake.clock.pts_s if self.intake.clock.has_frame else None

    @property
    def nbytes(self) -> int:
        """The sum of the lengths of `sections`, without making them."""
        return (
            state.empty_bytes(self.plan)
            + self.sensory.nbytes
            + self.tiers.nbytes
            + self.ledger.nbytes
        )

    def take(self, block: Batch) -> None:
        """Take frames that were checked; a block of any size gives the same state."""
        frames = to_fixed_point(block.embeddings.astype(np.float32))
        first_frame = self.intake.frames_seen + 1
        ends_s = self.intake.take(frames, block.pts_s, block.durations_s, block.tokens)
        self.sensory.append(frames, block.pts_s, ends_s, first_frame, self.tiers.frame_code)

    def close(self) -> None:
        """Close the open event."""
        if self.intake.event.frames:
            event = self.intake.event
            event.end_s = self.intake.open_end_s
            self.tiers.close_event(event)
            self.intake.event = Event(
                sums=np.zeros_like(event.sums), tokens=np.zeros_like(event.tokens)
            )

    def snapshot(self) -> MemorySnapshot:
        """All live cells, the open event and the sensory frames."""
        return take_snapshot(self.tiers, self.intake, self.sensory)

    def use(self, returned: Mapping[int, int], reads: int) -> None:
        """Note what reading returned; ids that are gone count for nothing."""
        self.tiers.use(returned, reads, self.intake.event)

    def exemplars(self) -> Times:
        """The pts of the frames that stand for the working and long-term cells, increasing."""
        pts_s = self.tiers.table.rows["exemplar_s"][self.tiers.table.slots]
        if self.intake.event.frames:
            pts_s = np.append(pts_s, self.intake.event.exemplar_s)
        return np.sort(pts_s).astype(np.float64)

    def counts_by_tier(self) -> dict[Tier, int]:
        """Cells in each tier; the open event is a working cell."""
        open_events = 1 if self.intake.event.frames else 0
        working = len(self.tiers.working)
        return {
            Tier.SENSORY: len(self.sensory.rows),
            Tier.WORKING: working + open_events,
            Tier.LONG_TERM: self.tiers.table.live - working,
        }

    def bytes_by_tier(self) -> dict[Tier, int]:
        """Bytes of each tier's slots, spans and details; working includes the open event's section.

        The rest is header, counters, ledger and slots that are free for reuse.
        """
        tiers = self.tiers
        tier_of_slot = tiers.table.rows["tier"][: tiers.table.size]
        owners = tiers.spans.entries["owner"][: tiers.spans.size]
        tier_of_span = tier_of_slot[owners[owners >= 0]]
        tier_of_detail = tier_of_slot[tiers.details.records["owner"][: tiers.details.size]]

        def of(tier: int) -> int:
            parts = (
                (tier_of_slot, tiers.table.bytes_per_cell),
                (tier_of_span, tiers.spans.bytes_per_span),
                (tier_of_detail, tiers.details.bytes_per_detail),
            )
            return sum(int(np.count_nonzero(of_part == tier)) * size for of_part, size in parts)

        return {
            Tier.SENSORY: self.sensory.nbytes,
            Tier.WORKING: of(WORKING) + self.plan.open_dtype.itemsize,
            Tier.LONG_TERM: of(LONG_TERM),
        }

    def sections(self) -> dict[str, bytes]:
        """The state in named parts of which a call changes few bytes, at stable positions."""
        tiers = self.tiers
        return {
            "head": state.head_bytes(
                self.plan, self.policy.settings, tiers, self.intake, self.ledger
            ),
            "open": state.event_bytes(self.intake, tiers, self.plan.open_dtype),
            "sensory": self.sensory.to_bytes(),
            **tiers.table.to_sections(),
            "spans": tiers.spans.to_bytes(),
            "details": tiers.details.to_bytes(),
            "ledger": self.ledger.to_bytes(),
        }

    def load(self, sections: Mapping[str, bytes], head: np.void, working: list[int]) -> None:
        """Take over what `sections` gave.

        Raises:
            MemoryFileError: a section does not fit the plan.
        """
        tiers = self.tiers
        tiers.table.load(sections["cells"], sections["links"], int(head["first_free_cell"]))
        tiers.spans.load(sections["spans"], int(head["first_free_span"]), int(head["look_step"]))
        tiers.details.load(sections["details"], int(head["fine_step"]))
        self.sensory.load(sections["sensory"])
        self.ledger.load(sections["ledger"])
        self.intake.event, self.intake.last_frame = state.read_event(
            sections["open"], self.plan, tiers
        )
        state.restore_counters(head, tiers, self.intake, self.ledger)
        tiers.working = working
