"""A byte-bounded memory of embeddings: a data structure that knows arrays and times only."""

from streammem.memory.ledger import Evicted, Ledger, LedgerEntry
from streammem.memory.policies import PolicySet, PolicySettings
from streammem.memory.registry import POLICIES
from streammem.memory.snapshot import Hit, MemorySnapshot
from streammem.memory.store import MemoryStore, WriteReport

__all__ = [
    "POLICIES",
    "Evicted",
    "Hit",
    "Ledger",
    "LedgerEntry",
    "MemorySnapshot",
    "MemoryStore",
    "PolicySet",
    "PolicySettings",
    "WriteReport",
]
