"""One source becomes one memory: find it, go on with it, or begin it."""

import re
import time
from collections.abc import Callable
from dataclasses import replace

from streammem.core.errors import UsageError
from streammem.core.results import IngestEvent, IngestRequest, IngestResult, OnEvent
from streammem.encoders.load import EncoderChoice, choose_encoder
from streammem.memory.registry import choose_policy
from streammem.runtime.describing import describe
from streammem.runtime.encoder_keeper import EncoderKeeper
from streammem.runtime.ingestion import Ingestion, Job, channels_of
from streammem.runtime.tracks import AUTO, NONE, SubtitleChoice, choose_subtitles, unread_files
from streammem.storage.library import LibraryFolder, safe_id
from streammem.storage.memory_file import read_memory, read_meta
from streammem.storage.records import MemoryMeta
from streammem.video.identity import fingerprint, redact, source_stem


def ingest_source(
    source: str,
    library: LibraryFolder,
    request: IngestRequest,
    encoders: EncoderKeeper,
    *,
    on_event: OnEvent,
    should_stop: Callable[[], bool],
    shown: str | None = None,
) -> IngestResult:
    """Remember one source, go on where an earlier run stopped, or say that nothing changed.

    `shown` is what to call it where `source` is only a copy that goes again.

    Raises:
        StreamMemError: of the kinds in `core.errors`; whatever was committed stays.
        Interrupted: `should_stop` said so; everything up to the last full batch is committed.
    """
    started_at = time.monotonic()
    identity, name = fingerprint(source), shown or source
    # Before any memory is begun or replaced.
    choose_policy(request.policy)
    choice = choose_encoder(request.encoder, request.auto_encoders, request.weights)
    subtitles = choose_subtitles(source, request)
    found = _found(library, source, identity, request)
    same = (
        one
        for one in (found if len(found) > 1 and not request.force else ())
        if _difference(_meta(library, one), identity, request, choice, subtitles) is None
    )
    existing = next(same, next(iter(found), None))
    resume_id = None
    if existing is not None:
        view = read_meta(library.path_of(existing))
        meta, progress = view.meta, view.progress
        if not (meta.holds_words or request.force):
            request = replace(request, audio=False, screen_text=False)
            subtitles = SubtitleChoice(NONE) if request.subtitles == AUTO else subtitles
        problem = _difference(meta, identity, request, choice, subtitles)
        if problem is None and not request.force:
            resume_id = existing
            if progress.status != "running":
                result = describe(read_memory(library.path_of(existing)), status="unchanged")
                notes = (*result.notes, *unread_files(meta.perception, subtitles))
                return _timed(replace(result, notes=notes), name, started_at)
        elif not request.force:
            raise UsageError(
                f"{existing!r} is already a memory {problem}",
                hint="add --force to make it anew, or --name to keep both",
                code="settings_differ",
            )
    on_event(IngestEvent("note", redact(name), message=f"encoder {choice.id}: {choice.reason}"))
    job = Job(source, identity, request, choice, subtitles, shown)
    ingestion = Ingestion(job, library, encoders, on_event)
    replaced = existing if resume_id is None else None
    result = ingestion.run(resume_id, replaced, should_stop)
    return _timed(result, name, started_at)


def _timed(result: IngestResult, source: str, started_at: float) -> IngestResult:
    return replace(result, source=redact(source), elapsed_s=time.monotonic() - started_at)


def _found(library: LibraryFolder, source: str, identity: str, request: IngestRequest) -> list[str]:
    """The memory that is named, else those of the same content, first those with its own name.

    Several are of one content where others were given names with --name.

    Raises:
        UsageError: one of several is to be made anew, and nothing says which.
    """
    if request.name is not None:
        library.check_name(request.name)
        return [request.name] if request.name in library.ids() else []
    own = re.compile(rf"{re.escape(safe_id(source_stem(source)))}(?:-\d+)?")
    found = library.find_all(identity)
    ordered = sorted(found, key=lambda memory_id: own.fullmatch(memory_id) is None)
    if request.force and len(ordered) > 1 and own.fullmatch(ordered[0]) is None:
        raise UsageError(
            f"several memories are of this content: {', '.join(ordered)}",
            hint="say with --name which of them to make anew",
        )
    return ordered


def _meta(library: LibraryFolder, memory_id: str) -> MemoryMeta:
    return read_meta(library.path_of(memory_id)).meta


def _difference(
    meta: MemoryMeta,
    identity: str,
    request: IngestRequest,
    choice: EncoderChoice,
    subtitles: SubtitleChoice,
) -> str | None:
    """What keeps the request from being the memory that exists, in words; None if nothing."""
    if meta.fingerprint != identity:
        return "of another source"
    asked: dict[str, tuple[object, object]] = {
        "fps": (meta.fps, request.fps),
        "start": (meta.start_s, request.start_s),
        "end": (meta.end_s, request.end_s),
        "policy": (meta.policy, request.policy),
        "budget": (meta.budget_bytes, request.budget_bytes),
        "encoder": (meta.encoder.id, choice.id),
        "subtitles": (meta.perception.get("subtitles", NONE), subtitles.setting),
    }
    if meta.holds_words:
        asked["channels"] = (tuple(meta.channels), channels_of(request))
    changed = [f"{name} {old}, not {new}" for name, (old, new) in asked.items() if old != new]
    return f"of this source with other settings ({'; '.join(changed)})" if changed else None
