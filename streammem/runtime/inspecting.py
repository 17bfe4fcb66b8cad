"""Looking at memories without changing them: lists, details, checks."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from streammem.core.errors import MemoryFileError, StreamMemError
from streammem.core.results import (
    CellView,
    MemoryDetails,
    MemorySummary,
    ModelSummary,
    Verification,
)
from streammem.memory.snapshot import MemorySnapshot
from streammem.memory.store import MemoryStore
from streammem.runtime.describing import describe
from streammem.storage.library import LibraryFolder
from streammem.storage.memory_file import read_memory
from streammem.storage.records import StoredMemory
from streammem.storage.verify import verify_memory


def summarise(library: LibraryFolder) -> list[MemorySummary]:
    """One line per memory, by id; a file that cannot be read says why."""
    return [
        MemorySummary(
            memory_id=entry.memory_id,
            memory_path=str(entry.path),
            source=entry.source,
            status=entry.status,
            duration_s=entry.duration_s,
            covered_s=entry.covered_s,
            file_bytes=entry.file_bytes,
            budget_bytes=entry.budget_bytes,
            cells=entry.cell_counts,
            encoder=entry.encoder,
            policy=entry.policy,
            created_at=entry.created_at,
            problem=entry.problem,
        )
        for entry in library.entries()
    ]


def _summary(stored: StoredMemory) -> MemorySummary:
    return MemorySummary(
        memory_id=stored.meta.memory_id,
        memory_path=str(stored.path),
        source=stored.meta.source,
        status=stored.progress.status,
        duration_s=stored.progress.duration_s,
        covered_s=stored.progress.covered_s,
        file_bytes=stored.file_bytes,
        budget_bytes=stored.meta.budget_bytes,
        cells=stored.cell_counts,
        encoder=stored.meta.encoder.id,
        policy=stored.meta.policy,
        created_at=stored.meta.created_at,
    )


def details(path: Path) -> MemoryDetails:
    """Everything about one memory."""
    stored = read_memory(path)
    meta = stored.meta
    store = MemoryStore.from_sections(stored.sections) if stored.sections else None
    return MemoryDetails(
        summary=_summary(stored),
        frames=stored.progress.frames,
        gaps=stored.progress.gaps,
        bytes=describe(stored, status=stored.progress.status).bytes,
        settings={
            "fps": meta.fps,
            "start_s": meta.start_s,
            "end_s": meta.end_s,
            "channels": list(meta.channels),
            "encoder_choice": meta.perception.get("encoder_choice"),
            "runtime": meta.runtime.to_json(),
            "recorded_at": meta.recorded_at,
            "version": meta.version,
        },
        cells=tuple(view_cells(store.snapshot())) if store else (),
        ledger=tuple(_ledger_rows(store)) if store else (),
    )


def view_cells(snapshot: MemorySnapshot) -> Iterable[CellView]:
    """The cells of a snapshot in time order."""
    order = np.lexsort((snapshot.ids, snapshot.start_s))
    for row in order:
        mine = snapshot.span_cell == snapshot.ids[row]
        spans = zip(snapshot.span_start_s[mine], snapshot.span_end_s[mine], strict=True)
        yield CellView(
            id=int(snapshot.ids[row]),
            tier=snapshot.tiers[row].value,
            start_s=float(snapshot.start_s[row]),
            end_s=float(snapshot.end_s[row]),
            spans=tuple((float(start_s), float(end_s)) for start_s, end_s in spans),
            mass=int(snapshot.mass[row]),
            visits=int(snapshot.visits[row]),
            exemplar_s=float(snapshot.exemplar_s[row]),
        )


def _ledger_rows(store: MemoryStore) -> Iterable[Mapping[str, object]]:
    for entry in store.ledger.entries:
        yield {
            "start_s": entry.start_s,
            "end_s": entry.end_s,
            "kind": entry.kind,
            "count": entry.count,
            "reason": entry.reason,
        }


def verify(library: LibraryFolder, memories: Sequence[str]) -> list[Verification]:
    """Check the named memories, or all, each on its own."""
    names = list(memories) or list(library.ids())
    return [_verify_one(library.resolve(name)) for name in names]


def _verify_one(path: Path) -> Verification:
    try:
        report = verify_memory(path, inspect_sections=_inspect)
    except StreamMemError as error:
        return Verification(path.stem, str(path), ok=False, problems=(error.message,), error=error)
    problems = tuple(report.problems)
    if report.ok:
        return Verification(path.stem, str(path), ok=True, problems=problems)
    damage = MemoryFileError(
        f"{path} has {len(problems)} {'problem' if len(problems) == 1 else 'problems'}",
        hint="restore the file, or ingest the source again",
    )
    return Verification(path.stem, str(path), ok=False, problems=problems, error=damage)


def _inspect(sections: Mapping[str, bytes]) -> Iterable[str]:
    """Problems of the cells inside a memory that is otherwise whole."""
    if not sections:
        return
    try:
        store = MemoryStore.from_sections(sections)
    except (ValueError, KeyError) as error:
        yield f"the cells cannot be read: {error}"
        return
    for cell in view_cells(store.snapshot()):
        if any(start_s < cell.start_s or end_s > cell.end_s for start_s, end_s in cell.spans):
            yield f"cell {cell.id} has a span outside its extent"
        if not cell.start_s <= cell.exemplar_s < cell.end_s:
            yield f"cell {cell.id} shows a frame outside its extent"


def models() -> list[ModelSummary]:
    """Every encoder that can be used or pulled."""
    from streammem.encoders.pull import list_models

    return [
        ModelSummary(
            id=entry.id,
            available=entry.available,
            location=entry.where,
            licence=entry.licence,
            note=entry.summary,
        )
        for entry in list_models()
    ]
