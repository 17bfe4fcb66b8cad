"""A library of many small memories, written through the storage interface in a second or two."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from streammem.core.budget import plan_budget
from streammem.core.types import Channel, Cue, FrameCounts, Gap, RuntimeChoice
from streammem.encoders.load import load_encoder
from streammem.memory.store import MemoryStore
from streammem.storage.memory_file import MemoryWriter
from streammem.storage.records import Commit, MemoryMeta, Progress
from streammem.text.rows import CueRow

BUDGET = 512 * 1024
FRAME_S = 0.5


def write_memory(
    folder: Path,
    name: str,
    *,
    shows: Sequence[str] = (),
    says: Sequence[str] = (),
    gaps: tuple[Gap, ...] = (),
    created_at: float = 1.0,
    recorded_at: float | None = None,
    frames: int = 24,
    scenes: int | None = None,
) -> Path:
    """A finished memory of pictures of the background, some of which show a thing with a name.

    `scenes` is how many different pictures there are at most.
    """
    encoder = load_encoder("descriptor", device="cpu")
    background, labels = encoder.background(), encoder.labels()
    assert background is not None
    rng = np.random.default_rng(sum(map(ord, name)) * 31 + len(shows))
    pictures = background.vectors[:scenes]
    vectors = pictures[rng.integers(0, len(pictures), frames // 4)]
    vectors = np.repeat(vectors, 4, axis=0) + 0.02 * rng.standard_normal((frames, encoder.spec.dim))
    for place, thing in enumerate(shows):
        vectors[8 * place + 2 : 8 * place + 6] = labels.vectors[labels.words.index(thing)]
    plan = plan_budget(BUDGET)
    store = MemoryStore(encoder.spec.dim, plan.store_bytes)
    store.write(vectors.astype(np.float32), np.arange(frames) * FRAME_S)
    store.close()
    end_s = frames * FRAME_S
    meta = MemoryMeta(
        name, f"{name:0>64}", f"{name}.mp4", None, 1 / FRAME_S, None, None, "streammem", BUDGET,
        ("vision", "subtitle", "metadata"), encoder.spec, None, RuntimeChoice(), {}, created_at,
        recorded_at, "0.1.0",
    )  # fmt: skip
    cues = tuple(
        CueRow(number, Cue(2.0 * number, 2.0 * number + 1.5, text, Channel.SUBTITLE), b"")
        for number, text in enumerate(says, 1)
    )
    path = folder / f"{name}.smem"
    with MemoryWriter.create(path, meta, plan) as writer:
        progress = Progress(
            status="done", duration_s=end_s, covered_s=end_s, first_pts_s=0.0, last_end_s=end_s,
            frames=FrameCounts(frames, frames, 0), gaps=gaps, commits=1,
        )  # fmt: skip
        writer.commit(
            Commit(
                store.sections(), progress,
                cell_counts={t.value: n for t, n in store.counts_by_tier().items()},
                tier_bytes={t.value: n for t, n in store.bytes_by_tier().items()},
                cues=cues, cue_next_id=len(cues) + 1,
            )
        )  # fmt: skip
    settle(path)
    return path


def settle(path: Path, seconds: float = 100.0) -> None:
    """Make a file old enough for its times to be trusted."""
    when = path.stat().st_mtime - seconds
    os.utime(path, (when, when))
