"""The engine of the published policies: an intake, a table of cells and a keeper."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, TypeVar

import numpy as np

from streammem.core.errors import MemoryFileError
from streammem.core.types import Tier, Times
from streammem.memory.batch import Batch
from streammem.memory.codes import to_fixed_point
from streammem.memory.engine import BOUNDED, Engine, EngineRequest, Tally
from streammem.memory.ledger import Ledger
from streammem.memory.published import state
from streammem.memory.published.plan import Plan, Shape, check_plan, plan_cells
from streammem.memory.published.stretches import Intake, Open, StretchRule
from streammem.memory.published.table import LONG_TERM, MOST_COUNTED, WORKING, CellTable, Closed
from streammem.memory.published.view import take_snapshot
from streammem.memory.snapshot import MemorySnapshot


class Keeper(Protocol):
    """Decides which cells remain; a frozen record of numbers whose state is the table."""

    @property
    def merging(self) -> bool:
        """Whether cells may be merged."""
        ...

    @property
    def spans(self) -> int:
        """Most spans of a cell."""
        ...

    @property
    def most_cells(self) -> int:
        """Cells that are kept however much room there is; 0 is as many as there is room for."""
        ...

    def keep(self, table: CellTable, closed: Closed, seed: int) -> None:
        """Take stretches that ended, one after the other."""
        ...


_Record = TypeVar("_Record", StretchRule, Keeper)


@dataclass(frozen=True)
class PublishedPolicy:
    """A rule that closes stretches and a keeper of cells, with keys of one kind.

    The numbers of rule and keeper are stored with each memory. `code_cells` is as in `Shape`.
    """

    name: str
    traits: frozenset[str]
    rule: StretchRule
    keeper: Keeper
    code_cells: int = 0

    @property
    def section_names(self) -> tuple[str, ...]:
        """Names of the engine's sections."""
        return state.SECTIONS

    @property
    def shape(self) -> Shape:
        """What the cells are made of."""
        return Shape(
            code_cells=self.code_cells,
            merging=self.keeper.merging,
            spans=self.keeper.spans,
            bounded=BOUNDED in self.traits,
            compares=self.rule.compares,
            most_cells=self.keeper.most_cells,
        )

    def build(self, request: EngineRequest) -> Engine:
        """An empty engine.

        Raises:
            BudgetError: the budget is too small; the hint has the smallest.
        """
        plan = plan_cells(request, self.shape, state.HEAD.itemsize)
        return PublishedEngine(plan, self, request.seed)

    def restore(self, request: EngineRequest, sections: Mapping[str, bytes]) -> Engine:
        """The engine that `sections` came from, with the numbers it was made with.

        Raises:
            MemoryFileError: a section is damaged.
        """
        head = state.read_head(sections["head"])
        made_with = replace(
            self,
            rule=_with_numbers(self.rule, head["rule"].tolist()),
            keeper=_with_numbers(self.keeper, head["keeper"].tolist()),
        )
        plan = Plan(request.dim, int(head["bits"]), int(head["cells"]), int(head["ledger"]))
        check_plan(plan, request, made_with.shape)
        engine = PublishedEngine(plan, made_with, request.seed)
        engine.load(sections, head)
        return engine


def _numbers(record: Any) -> tuple[float, ...]:
    """The fields of a rule or keeper as they are stored."""
    row = tuple(float(getattr(record, name)) for name in _number_names(record))
    return row + (0.0,) * (state.NUMBERS - len(row))


def _with_numbers(record: _Record, row: list[float]) -> _Record:
    """A rule or keeper like `record` with the numbers that `_numbers` gave."""
    stored: Any = record
    values = {
        name: type(getattr(record, name))(value)
        for name, value in zip(_number_names(record), row, strict=False)
    }
    changed: _Record = replace(stored, **values)
    return changed


def _number_names(record: Any) -> list[str]:
    """Fields that hold a number; what else a record holds belongs to the policy's name."""
    names = [one.name for one in fields(record)]
    return [name for name in names if isinstance(getattr(record, name), int | float)]


class PublishedEngine:
    """Owns the intake, the table and the ledger of one memory.

    Invariants: mass, visits and sums of time add up over live cells and the ledger, for policies
    whose traits say so; equal frames give equal bytes, however they are divided into blocks.
    """

    def __init__(self, plan: Plan, policy: PublishedPolicy, seed: int) -> None:
        self.plan, self.policy, self._seed = plan, policy, seed
        self.ledger = Ledger(plan.ledger)
        self.table = CellTable(plan.cells, plan.dtype(policy.shape), plan.code(seed), self.ledger)
        self.intake = Intake(
            rule=policy.rule,
            code=self.table.code,
            open=Open(np.zeros(plan.dim)),
            last_frame=np.zeros(plan.dim),
        )

    @property
    def tally(self) -> Tally:
        """Stretches closed and cells merged since the beginning."""
        return self.table.tally

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
            state.HEAD.itemsize
            + state.open_bytes(self.plan.dim, self.policy.rule.compares)
            + self.table.size * self.table.rows.dtype.itemsize
            + self.ledger.nbytes
        )

    def take(self, block: Batch) -> None:
        """Take frames that were checked; a block of any size gives the same state."""
        frames = to_fixed_point(block.embeddings.astype(np.float32))
        self._keep(self.intake.take(frames, block.pts_s, block.durations_s))

    def close(self) -> None:
        """Close the open stretch."""
        last = self.intake.open
        if last.frames:
            last.end_s = self.intake.open_end_s
            self.intake.open = Open(np.zeros(self.plan.dim))
            self._keep(self.intake.encode([last]))

    def _keep(self, closed: Closed) -> None:
        self.table.tally.events += len(closed)
        if len(closed):
            self.policy.keeper.keep(self.table, closed, self._seed)

    def snapshot(self) -> MemorySnapshot:
        """All cells, and the open stretch as the working cell that it would be."""
        return take_snapshot(self.table, self.intake)

    def use(self, returned: Mapping[int, int], reads: int) -> None:
        """Note what reading returned; ids that are gone count for nothing."""
        table = self.table
        slots = table.slots
        slot_of = dict(zip(table.rows["id"][slots].tolist(), slots.tolist(), strict=True))
        opened = self.intake.open
        for cell_id, times in returned.items():
            if cell_id in slot_of:
                used = int(table.rows["use"][slot_of[cell_id]])
                table.rows["use"][slot_of[cell_id]] = min(used + times, MOST_COUNTED)
            elif cell_id == table.next_id and opened.frames:
                opened.use = min(opened.use + times, MOST_COUNTED)
        counted = min(reads, MOST_COUNTED - table.reads)
        table.reads += counted
        if opened.frames:
            opened.reads += counted

    def exemplars(self) -> Times:
        """The pts of the frames that stand for the cells, increasing."""
        pts_s = self.table.rows["exemplar_s" if self.table.merging else "start_s"]
        pts_s = pts_s[self.table.slots]
        if self.intake.open.frames:
            pts_s = np.append(pts_s, self.intake.open.exemplar_s)
        return np.sort(pts_s).astype(np.float64)

    def counts_by_tier(self) -> dict[Tier, int]:
        """Cells in each tier; the open stretch is a working cell."""
        return {
            Tier.SENSORY: 0,
            Tier.WORKING: self._count(WORKING) + (1 if self.intake.open.frames else 0),
            Tier.LONG_TERM: self._count(LONG_TERM),
        }

    def bytes_by_tier(self) -> dict[Tier, int]:
        """Bytes of each tier's slots; working includes the open stretch."""
        per_cell = self.table.rows.dtype.itemsize
        opened = state.open_bytes(self.plan.dim, self.policy.rule.compares)
        return {
            Tier.SENSORY: 0,
            Tier.WORKING: self._count(WORKING) * per_cell + opened,
            Tier.LONG_TERM: self._count(LONG_TERM) * per_cell,
        }

    def _count(self, tier: int) -> int:
        return int(np.count_nonzero(self.table.rows["tier"][: self.table.size] == tier))

    def sections(self) -> dict[str, bytes]:
        """The state in named parts; a cell stays in its slot of `cells` for life."""
        numbers = _numbers(self.policy.rule), _numbers(self.policy.keeper)
        return {
            "head": state.head_bytes(self.plan, numbers, self.table, self.intake),
            "open": state.stretch_bytes(self.intake),
            "cells": self.table.to_bytes(),
            "ledger": self.ledger.to_bytes(),
        }

    def load(self, sections: Mapping[str, bytes], head: np.void) -> None:
        """Take over what `sections` gave.

        Raises:
            MemoryFileError: a section does not fit the plan.
        """
        if len(sections["open"]) != state.open_bytes(self.plan.dim, self.policy.rule.compares):
            raise MemoryFileError("the memory's open section has the wrong length")
        self.table.load(sections["cells"])
        self.ledger.load(sections["ledger"])
        state.restore(head, sections["open"], self.table, self.intake)
