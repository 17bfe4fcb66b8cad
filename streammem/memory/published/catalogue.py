"""The published policies and the baselines by name, each with half-precision keys and with codes.

What each does, its source and where it departs from it: `docs/policies.md`.
"""

from dataclasses import replace

from streammem.memory.engine import BOUNDED, CELLULAR, MERGING
from streammem.memory.published.bipartite import TokenMergingKeeper
from streammem.memory.published.boundaries import DepthRule, SimilarityRule, SurpriseRule
from streammem.memory.published.chunks import ChunkKeeper
from streammem.memory.published.clusters import CentroidKeeper
from streammem.memory.published.continuous import ContinuousKeeper
from streammem.memory.published.engine import PublishedPolicy
from streammem.memory.published.events import (
    ClosestNeighboursKeeper,
    FragmentKeeper,
    LeastUsedKeeper,
)
from streammem.memory.published.retention import (
    RankKeeper,
    drawn,
    evenly_spaced,
    newest,
    stretched,
)
from streammem.memory.published.stretches import EveryFrame
from streammem.memory.published.table import LONG_TERM, WORKING
from streammem.memory.published.usage import PrototypeKeeper

CODES_SUFFIX = "+codes"
_FRAMES = frozenset({BOUNDED, CELLULAR})
_MERGING = frozenset({BOUNDED, CELLULAR, MERGING})

RECENT = PublishedPolicy("recent", _FRAMES, EveryFrame(), RankKeeper((newest,), WORKING, 3))
"""The last 4 frames, one of them open: the window of SimpleStream (2026, arXiv:2604.02317)."""

FIFO = PublishedPolicy("fifo", _FRAMES, EveryFrame(), RankKeeper((newest,), WORKING))
"""The last frames, as many as the budget holds."""

UNIFORM = PublishedPolicy("uniform", _FRAMES, EveryFrame(), RankKeeper((evenly_spaced,), LONG_TERM))
"""Frames spread evenly over the stream so far."""

RESERVOIR = PublishedPolicy("reservoir", _FRAMES, EveryFrame(), RankKeeper((drawn,), LONG_TERM))
"""A uniform random sample of all frames so far (Vitter, 1985), by the lowest of drawn numbers."""

DSTREAM = PublishedPolicy(
    "dstream", _FRAMES, EveryFrame(), RankKeeper((evenly_spaced, stretched), LONG_TERM)
)
"""Half the cells spread evenly, half densely at the start: DStream's hybrid of both."""

UNBOUNDED = PublishedPolicy(
    "unbounded", frozenset({CELLULAR}), EveryFrame(), RankKeeper((newest,), LONG_TERM)
)
"""Every frame for ever, whatever the budget: the upper bound that a memory is compared with."""

XMEM = PublishedPolicy("xmem", _FRAMES, EveryFrame(), PrototypeKeeper())
"""Prototypes by usage, potentiation, least used first."""

MOVIECHAT = PublishedPolicy("moviechat", _MERGING, EveryFrame(), FragmentKeeper())
"""The most alike neighbours become one."""

FLASH_VSTREAM = PublishedPolicy("flash-vstream", _MERGING, EveryFrame(), CentroidKeeper())
"""Weighted k-means with a real frame for every centroid."""

IXC = PublishedPolicy("ixc", _MERGING, SimilarityRule(), ClosestNeighboursKeeper())
"""Stretches of 3 to 16 frames by the similarity of neighbours."""

INFINITE = PublishedPolicy("infinite-video", frozenset({BOUNDED}), EveryFrame(), ContinuousKeeper())
"""A continuous signal with sticky resampling."""

VIDEOLLAMB = PublishedPolicy("videollamb", _MERGING, DepthRule(), ClosestNeighboursKeeper())
"""Events by the depth of valleys in the similarity of neighbours."""

LONGVLM = PublishedPolicy("longvlm", _MERGING, EveryFrame(), TokenMergingKeeper())
"""Segments merged by bipartite matching."""

EM_LLM = PublishedPolicy("em-llm", _FRAMES, SurpriseRule(), LeastUsedKeeper())
"""Events by surprise, least recently used first."""

HCAM = PublishedPolicy("hcam", _FRAMES, EveryFrame(), ChunkKeeper())
"""Recent frames one by one, older ones by chunks."""

_ALL = (
    RECENT, FIFO, UNIFORM, RESERVOIR, DSTREAM, UNBOUNDED,
    XMEM, MOVIECHAT, FLASH_VSTREAM, IXC, INFINITE, VIDEOLLAMB, LONGVLM, EM_LLM, HCAM,
)  # fmt: skip


def _coded(policy: PublishedPolicy) -> PublishedPolicy:
    """The form with codes. Narrow ones cost MovieChat's comparison of single frames most."""
    code_cells = 256 if policy is MOVIECHAT else 1024
    return replace(policy, name=policy.name + CODES_SUFFIX, code_cells=code_cells)


PUBLISHED = tuple(form for policy in _ALL for form in (policy, _coded(policy)))
"""All of them, in both forms."""
