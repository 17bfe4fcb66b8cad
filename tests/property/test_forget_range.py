"""Whatever stretch of a memory file is forgotten: no byte of it is left, and the file is whole."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streammem.core.budget import plan_budget
from streammem.core.errors import MemoryLockedError, UsageError
from streammem.core.types import Channel, Cue, FrameCounts, RuntimeChoice
from streammem.encoders.load import load_encoder
from streammem.memory.store import MemoryStore
from streammem.runtime import forgetting_range
from streammem.runtime.forgetting_range import forget_range
from streammem.storage.event_keys import EventKeyIndex
from streammem.storage.library import LibraryFolder
from streammem.storage.memory_file import MemoryWriter, read_memory
from streammem.storage.records import Commit, MemoryMeta, Progress
from streammem.storage.usage import append_usage
from streammem.storage.verify import verify_memory
from streammem.text.rows import CueRow

BUDGET, FRAME_S, FRAMES = 512 * 1024, 0.5, 80
LENGTH_S = FRAMES * FRAME_S


def _write(folder: Path, seed: int, status: str = "done", *, sees: bool = True) -> LibraryFolder:
    """A memory of scenes that come again, with a sentence every two seconds and pictures."""
    spec, plan = load_encoder("descriptor", device="cpu").spec, plan_budget(BUDGET)
    rng = np.random.default_rng(seed)
    places = rng.standard_normal((5, spec.dim))
    vectors = np.repeat(places[rng.integers(0, 5, FRAMES // 8)], 8, axis=0)
    vectors = vectors + 0.05 * rng.standard_normal(vectors.shape)
    store = MemoryStore(spec.dim, plan.store_bytes)
    store.write(vectors.astype(np.float32), np.arange(FRAMES) * FRAME_S)
    store.close()
    meta = MemoryMeta(
        "clip", "f" * 64, "clip.mp4", None, 1 / FRAME_S, None, None, "streammem", BUDGET,
        ("vision", "subtitle", "metadata"), spec, None, RuntimeChoice(), {}, 1.0, None, "0.1.0",
    )  # fmt: skip
    cues = tuple(
        CueRow(n, Cue(2.0 * n, 2.0 * n + 1.5, _sentence(seed, n), Channel.SUBTITLE), b"")
        for n in range(1, int(LENGTH_S / 2) - 1)
    )
    progress = Progress(
        status=status, covered_s=LENGTH_S, first_pts_s=0.0, last_end_s=LENGTH_S,
        frames=FrameCounts(FRAMES, FRAMES, 0), commits=1,
    )  # fmt: skip
    pictures = (
        {}
        if not sees
        else {int(pts_s * 1e6): rng.bytes(400) for pts_s in store.exemplars().tolist()}
    )
    with MemoryWriter.create(folder / "clip.smem", meta, plan) as writer:
        writer.commit(
            Commit(
                store.sections() if sees else {}, progress, thumbnails_added=pictures, cues=cues,
                cue_next_id=len(cues) + 1,
            )
        )  # fmt: skip
    append_usage(folder / "clip.smem", {1: 2, 3: 1})
    return LibraryFolder(folder)


def _sentence(seed: int, number: int) -> str:
    return f"sentence{seed}x{number} about secret{number}"


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), start=st.floats(0, 0.98), share=st.floats(0.01, 1))
def test_no_byte_of_the_stretch_is_left(seed: int, start: float, share: float) -> None:
    """Texts, pictures, codes: found before, gone now; the rest stays, and the file verifies."""
    start_s = start * LENGTH_S
    end_s = min(LENGTH_S, start_s + share * LENGTH_S)
    with TemporaryDirectory() as place:
        library = _write(Path(place), seed)
        path = library.path_of("clip")
        result = forget_range(library, "clip", (start_s, end_s), remove=True, encoders={})
        assert result.proof is not None
        assert result.proof.holds
        assert result.proof.found_before > 0
        everything = b"".join(file.read_bytes() for file in Path(place).iterdir() if file.is_file())
        for number in range(1, int(LENGTH_S / 2) - 1):
            inside = 2.0 * number < result.end_s and 2.0 * number + 1.5 > result.start_s
            assert (_sentence(seed, number).encode() in everything) is not inside
        report = verify_memory(path)
        assert report.ok, report.problems
        stored = read_memory(path)
        assert stored.progress.gaps[-1].reason == "forgotten"
        snapshot = MemoryStore.from_sections(stored.sections).snapshot()
        assert not np.any(
            (snapshot.span_start_s < result.end_s) & (snapshot.span_end_s > result.start_s)
        )
        assert path.stat().st_size <= BUDGET


def test_the_proof_fails_where_the_file_is_not_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleting alone leaves texts in free pages, and the search finds them there."""
    library = _write(tmp_path, 3)
    monkeypatch.setattr(forgetting_range, "rewrite", lambda _writer: None)
    result = forget_range(library, "clip", (4.0, 30.0), remove=True, encoders={})
    assert result.proof is not None
    assert result.proof.found_after > 0
    assert not result.proof.holds


def test_the_index_of_the_library_forgets_too(tmp_path: Path) -> None:
    from streammem.runtime.asking import open_memories
    from streammem.runtime.library_keys import event_keys_of

    library = _write(tmp_path, 4)
    opened, _ = open_memories(library.paths(), {}, weights="", device="cpu", named=True)
    index = EventKeyIndex(tmp_path)
    index.save([((1, 2, 3, 4), event_keys_of(opened[0]))])
    assert b"sentence4x5" in index.file.read_bytes()
    forget_range(library, "clip", (8.0, 14.0), remove=True, encoders={})
    assert b"sentence4x5" not in index.file.read_bytes()
    assert index.stamps() == {}


def test_what_is_unfinished_or_being_written_is_refused(tmp_path: Path) -> None:
    library = _write(tmp_path, 5, status="running")
    with pytest.raises(UsageError, match="unfinished"):
        forget_range(library, "clip", (1.0, 2.0), remove=True, encoders={})
    with MemoryWriter.open(library.path_of("clip")), pytest.raises(MemoryLockedError):
        forget_range(library, "clip", (1.0, 2.0), remove=True, encoders={})


def test_a_memory_of_words_alone_forgets_them(tmp_path: Path) -> None:
    library = _write(tmp_path, 7, sees=False)
    result = forget_range(library, "clip", (3.0, 9.0), remove=True, encoders={})
    assert (result.cells, result.cues) == (0, 4)
    assert result.proof is not None
    assert (result.proof.found_before, result.proof.found_after) == (4, 0)
    assert verify_memory(library.path_of("clip")).ok


def test_a_second_stretch_may_be_forgotten_after_the_first(tmp_path: Path) -> None:
    """Gaps add up once where they overlap, and what was forgotten stays so."""
    library = _write(tmp_path, 6)
    forget_range(library, "clip", (2.0, 10.0), remove=True, encoders={})
    result = forget_range(library, "clip", (6.0, 20.0), remove=True, encoders={})
    assert result.proof is not None
    assert result.proof.holds
    progress = read_memory(library.path_of("clip")).progress
    assert progress.covered_s == pytest.approx(LENGTH_S - 18.0)
    assert verify_memory(library.path_of("clip")).ok
