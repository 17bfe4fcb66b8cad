"""What an ingest says about a memory."""

from streammem.core.results import IngestResult
from streammem.storage.records import MemoryMeta, StoredMemory

BEFORE_WORDS_NOTE = (
    "it was made by an earlier streammem, which remembered pictures only; "
    "for words and sounds, too: add --force"
)


def describe(stored: StoredMemory, *, status: str) -> IngestResult:
    """The result document of a memory as it lies on disk."""
    progress = stored.progress
    partial = progress.status == "partial"
    return IngestResult(
        source=stored.meta.source,
        status=status,
        memory_id=stored.meta.memory_id,
        memory_path=str(stored.path),
        duration_s=progress.duration_s,
        covered_s=progress.covered_s,
        frames=progress.frames,
        gaps=progress.gaps,
        bytes={
            "budget": stored.meta.budget_bytes,
            "file": stored.file_bytes,
            **stored.tier_bytes,
            "cues": stored.cue_bytes,
            "thumbnails": stored.thumbnail_bytes,
        },
        cells=stored.cell_counts,
        cues=stored.cue_counts,
        encoder=stored.meta.encoder.id,
        policy=stored.meta.policy,
        fully_readable=not partial,
        notes=_notes(stored.meta),
    )


def _notes(meta: MemoryMeta) -> tuple[str, ...]:
    """What was not heard or read when it was made."""
    told = tuple(meta.perception.get("notes", ()))
    return told if meta.holds_words else (BEFORE_WORDS_NOTE, *told)
