"""The memory of one stream: what the outside writes to, reads from and stores."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streammem.core.errors import MemoryFileError, UsageError
from streammem.core.types import Tier, Times
from streammem.memory import container
from streammem.memory.batch import Batch, check_batch
from streammem.memory.codes import rows_per_block
from streammem.memory.engine import Engine, EngineRequest, Policy
from streammem.memory.ledger import Ledger
from streammem.memory.registry import choose_policy
from streammem.memory.snapshot import MemorySnapshot


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
        policy: str | Policy = "streammem",
        seed: int = 0,
        *,
        tokens_per_frame: int = 0,
    ) -> None:
        """An empty memory.

        Args:
            dim: Width of embeddings and tokens.
            budget_bytes: What `nbytes` may reach.
            policy: Name of a policy, or one with other settings, which are stored with the
                memory.
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
        request = _request(chosen, dim, budget_bytes, tokens_per_frame, seed)
        self._set_up(chosen, request, chosen.build(request))

    def _set_up(self, policy: Policy, request: EngineRequest, engine: Engine) -> None:
        self._policy, self._made_for, self._engine = policy, request, engine
        self._closed = False
        self._usage_events = 0

    @property
    def dim(self) -> int:
        """Width of embeddings."""
        return self._made_for.dim

    @property
    def budget_bytes(self) -> int:
        """The limit of `nbytes`."""
        return self._made_for.budget_bytes

    @property
    def engine(self) -> Engine:
        """The state behind this memory, to be read only; what it is depends on the policy."""
        return self._engine

    @property
    def policy(self) -> Policy:
        """How this memory consolidates."""
        return self._policy

    @property
    def frames(self) -> int:
        """Frames written so far."""
        return self._engine.frames

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def ledger(self) -> Ledger:
        """What is not in a cell, to be read only."""
        return self._engine.ledger

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
        batch = check_batch(
            Batch.of(embeddings, pts_seconds, durations_s, tokens),
            self.dim,
            self._made_for.tokens_per_frame,
            self._engine.last_pts_s,
        )
        before = self._counts()
        for block in batch.blocks(max(1, rows_per_block(self.dim) // 2)):
            self._engine.take(block)
        after = self._counts()
        return WriteReport(len(batch), *(b - a for a, b in zip(before, after, strict=True)))

    def _counts(self) -> tuple[int, int, int]:
        tally = self._engine.tally
        return tally.events, tally.merges, self.ledger.evicted.cells

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
        self.ledger.record(start_s, end_s, kind, count, reason)

    def absorb_usage(self, returned: Mapping[int, int], reads: int) -> None:
        """Take over what reading did: `reads` reads, each cell id returned so many times.

        Ids of cells that were merged into others meanwhile, and of sensory frames, count for
        nothing. Changes usage and nothing else.

        Raises:
            ValueError: a number is negative.
        """
        if reads < 0 or any(times < 0 for times in returned.values()):
            raise ValueError("usage counts are never negative")
        self._engine.use(returned, reads)
        self._usage_events += 1

    def close(self) -> None:
        """Close the open event. Afterwards only `write` is refused."""
        if not self._closed:
            self._engine.close()
        self._closed = True

    def snapshot(self) -> MemorySnapshot:
        """An immutable copy of all live cells, the open event and the sensory frames."""
        return self._engine.snapshot()

    def exemplars(self) -> Times:
        """The pts of the frames that stand for the working and long-term cells, increasing."""
        return self._engine.exemplars()

    def counts_by_tier(self) -> dict[Tier, int]:
        """Cells in each tier; the open event is a working cell."""
        return self._engine.counts_by_tier()

    def bytes_by_tier(self) -> dict[Tier, int]:
        """Bytes of each tier; the rest of `nbytes` is headers, counters, ledger and free slots."""
        return self._engine.bytes_by_tier()

    @property
    def nbytes(self) -> int:
        """Length of `to_bytes()`, without making it."""
        return self._made_for.overhead_bytes + self._engine.nbytes

    def sections(self) -> dict[str, bytes]:
        """The state in named parts of which a call changes few bytes, at stable positions."""
        record = np.zeros(1, container.STORE_RECORD)
        request = self._made_for
        values: dict[str, object] = {
            "format": container.FORMAT_VERSION, "dim": request.dim, "seed": request.seed,
            "budget_bytes": request.budget_bytes, "tokens_per_frame": request.tokens_per_frame,
            "policy": self._policy.name.encode("ascii"), "closed": self._closed,
            "usage_events": self._usage_events,
        }  # fmt: skip
        for name, value in values.items():
            record[name][0] = value
        parts = self._engine.sections()
        ordered = {name: parts[name] for name in self._policy.section_names}
        return {container.STORE: record.tobytes(), **ordered}

    def to_bytes(self) -> bytes:
        """The whole state; `from_bytes` goes on from it bit for bit."""
        return container.pack(self.sections())

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The memory that `to_bytes` wrote.

        Raises:
            MemoryFileError: the bytes are not a memory, are damaged or of a newer format.
        """
        parts = container.unpack(data)
        policy = _policy_of(container.read_store_record(parts[0] if parts else b""))
        names = (container.STORE, *policy.section_names)
        if len(names) != len(parts):
            raise MemoryFileError(f"the memory has {len(parts)} sections, not {len(names)}")
        return cls.from_sections(dict(zip(names, parts, strict=True)))

    @classmethod
    def from_sections(cls, sections: Mapping[str, bytes]) -> Self:
        """The memory that `sections` gave.

        Raises:
            MemoryFileError: a section is absent, damaged or of a newer format.
        """
        record = container.read_store_record(sections.get(container.STORE, b""))
        policy = _policy_of(record)
        missing = [name for name in policy.section_names if name not in sections]
        if missing:
            raise MemoryFileError(f"the memory lacks the section {missing[0]!r}")
        numbers = (int(record[name][0]) for name in _REQUEST_FIELDS)
        store = cls.__new__(cls)
        request = _request(policy, *numbers)
        engine = policy.restore(request, sections)
        # It may have been made with other settings than the name stands for today.
        store._set_up(engine.policy, request, engine)
        store._closed = bool(record["closed"][0])
        store._usage_events = int(record["usage_events"][0])
        return store


_REQUEST_FIELDS = ("dim", "budget_bytes", "tokens_per_frame", "seed")


def _request(
    policy: Policy, dim: int, budget_bytes: int, tokens_per_frame: int, seed: int
) -> EngineRequest:
    overhead = container.overhead_bytes(len(policy.section_names))
    return EngineRequest(dim, budget_bytes, overhead, tokens_per_frame, seed)


def _policy_of(record: NDArray[np.void]) -> Policy:
    name = bytes(record["policy"][0]).decode("ascii", "replace")
    try:
        return choose_policy(name)
    except UsageError as error:
        raise MemoryFileError(
            f"the memory was made with the policy {name!r}, which this version does not have",
            hint="upgrade streammem",
        ) from error
