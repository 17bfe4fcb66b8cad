"""One source becomes one memory: find or create it, run the pipeline, commit as it goes."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from streammem import __version__
from streammem.core.budget import plan_budget
from streammem.core.errors import Interrupted, SourceError, UsageError
from streammem.core.results import IngestEvent, IngestRequest, IngestResult, OnEvent
from streammem.core.timebase import format_time
from streammem.core.types import RuntimeChoice
from streammem.encoders.base import Encoder
from streammem.encoders.load import EncoderChoice, choose_encoder, load_encoder
from streammem.runtime.batches import EncodedBatch, EncodingPipeline
from streammem.runtime.recorder import Recorder
from streammem.storage.library import LibraryFolder
from streammem.storage.memory_file import MemoryWriter, read_memory, read_meta
from streammem.storage.records import MemoryMeta, StoredMemory
from streammem.video.identity import fingerprint, redact, source_stem
from streammem.video.reader import (
    FrameReader,
    ReaderOptions,
    decoding_settings,
    open_reader,
    with_settings,
)

CHANNELS = ("vision",)


class EncoderKeeper:
    """Loads encoders and keeps the last one, so that the sources of one run share it."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] | None = None
        self._encoder: Encoder | None = None

    def load(
        self, encoder_id: str, weights: str | None, device: str, runtime: RuntimeChoice | None
    ) -> Encoder:
        """The encoder, loaded only if it is not the one used last."""
        key = (encoder_id, weights, device, runtime)
        if self._encoder is None or key != self._key:
            self._encoder = load_encoder(
                encoder_id, weights=weights, device=device, runtime=runtime
            )
            self._key = key
        return self._encoder


def ingest_source(
    source: str,
    library: LibraryFolder,
    request: IngestRequest,
    encoders: EncoderKeeper,
    *,
    on_event: OnEvent,
    should_stop: Callable[[], bool],
) -> IngestResult:
    """Remember one source, go on where an earlier run stopped, or say that nothing changed.

    Raises:
        StreamMemError: of the kinds in `core.errors`; whatever was committed stays.
        Interrupted: `should_stop` said so; everything up to the last full batch is committed.
    """
    started_at = time.monotonic()
    identity = fingerprint(source)
    choice = choose_encoder(request.encoder, request.auto_encoders, request.weights)
    existing = _find(library, identity, request)
    resume_id = None
    if existing is not None:
        view = read_meta(library.path_of(existing))
        meta, progress = view.meta, view.progress
        problem = _difference(meta, identity, request, choice)
        if problem is None and not request.force:
            resume_id = existing
            if progress.status != "running":
                result = describe(read_memory(library.path_of(existing)), status="unchanged")
                return _timed(result, source, started_at)
        elif not request.force:
            raise UsageError(
                f"{existing!r} is already a memory {problem}",
                hint="add --force to make it anew, or --name to keep both",
                code="settings_differ",
            )
    on_event(IngestEvent("note", redact(source), message=f"encoder {choice.id}: {choice.reason}"))
    ingestion = _Ingestion(source, identity, library, request, choice, encoders, on_event)
    replaced = existing if resume_id is None else None
    result = ingestion.run(resume_id, replaced, should_stop)
    return _timed(result, source, started_at)


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
    )


def _timed(result: IngestResult, source: str, started_at: float) -> IngestResult:
    return replace(result, source=redact(source), elapsed_s=time.monotonic() - started_at)


def _find(library: LibraryFolder, identity: str, request: IngestRequest) -> str | None:
    """The memory this source belongs to: the one named, else one of the same content."""
    if request.name is not None:
        library.check_name(request.name)
        return request.name if request.name in library.ids() else None
    return library.find(identity)


def _difference(
    meta: MemoryMeta, identity: str, request: IngestRequest, choice: EncoderChoice
) -> str | None:
    """What keeps the request from being the memory that exists, in words; None if nothing."""
    if meta.fingerprint != identity:
        return "of another source"
    asked = {
        "fps": (meta.fps, request.fps),
        "start": (meta.start_s, request.start_s),
        "end": (meta.end_s, request.end_s),
        "policy": (meta.policy, request.policy),
        "budget": (meta.budget_bytes, request.budget_bytes),
        "encoder": (meta.encoder.id, choice.id),
        "channels": (tuple(meta.channels), CHANNELS),
    }
    changed = [f"{name} {old}, not {new}" for name, (old, new) in asked.items() if old != new]
    return f"of this source with other settings ({'; '.join(changed)})" if changed else None


class _Ingestion:
    """One run of the pipeline over one source. Used once, by one thread."""

    def __init__(
        self,
        source: str,
        identity: str,
        library: LibraryFolder,
        request: IngestRequest,
        choice: EncoderChoice,
        encoders: EncoderKeeper,
        on_event: OnEvent,
    ) -> None:
        self._source = source
        self._shown = redact(source)
        self._identity = identity
        self._library = library
        self._request = request
        self._choice = choice
        self._encoders = encoders
        self._on_event = on_event
        self._plan = plan_budget(request.budget_bytes)

    def run(
        self, resume_id: str | None, replaced_id: str | None, should_stop: Callable[[], bool]
    ) -> IngestResult:
        """Everything between opening the source and closing the memory."""
        if resume_id is None:
            return self._run_new(replaced_id, should_stop)
        with MemoryWriter.open(self._library.path_of(resume_id)) as writer:
            meta = writer.stored.meta
            encoder = self._encoders.load(
                meta.encoder.id, self._choice.weights, meta.runtime.device, meta.runtime
            )
            if encoder.spec.digest != meta.encoder.digest:
                raise UsageError(
                    f"{resume_id!r} was begun with other weights of {meta.encoder.id}",
                    hint="name the same --weights, or add --force to make it anew",
                    code="settings_differ",
                )
            with self._open_reader(encoder, meta.reader) as reader:
                pipeline = EncodingPipeline(reader, encoder, writer.stored.progress.mark, meta.fps)
                return self._remember(pipeline, reader, writer, should_stop, "resumed")

    def _run_new(self, replaced_id: str | None, should_stop: Callable[[], bool]) -> IngestResult:
        encoder = self._encoders.load(
            self._choice.id, self._choice.weights, self._request.device, None
        )
        with self._open_reader(encoder, {}) as reader:
            if replaced_id is not None:
                self._library.forget(replaced_id)
            memory_id = self._library.claim(
                self._request.name or source_stem(self._source), self._identity
            )
            path = self._library.path_of(memory_id)
            pipeline = EncodingPipeline(reader, encoder, None, self._request.fps)
            try:
                with MemoryWriter.create(
                    path, self._meta(memory_id, encoder, reader), self._plan
                ) as writer:
                    return self._remember(pipeline, reader, writer, should_stop, "done")
            except SourceError:
                # Where nothing could be read there is nothing to keep; the rest stays resumable.
                if not path.exists() or read_meta(path).progress.written_frames == 0:
                    self._library.forget(memory_id)
                raise

    def _open_reader(self, encoder: Encoder, settings: Mapping[str, Any]) -> FrameReader:
        options = ReaderOptions(
            sample_hz=self._request.fps,
            start_s=self._request.start_s,
            end_s=self._request.end_s,
            short_side_px=encoder.spec.image_size_px,
        )
        return open_reader(
            self._source, with_settings(options, settings), reader=self._request.reader
        )

    def _meta(self, memory_id: str, encoder: Encoder, reader: FrameReader) -> MemoryMeta:
        request = self._request
        local = Path(self._source)
        return MemoryMeta(
            memory_id=memory_id,
            fingerprint=self._identity,
            source=self._shown,
            source_path=str(local.resolve()) if local.exists() else None,
            fps=request.fps,
            start_s=request.start_s,
            end_s=request.end_s,
            policy=request.policy,
            budget_bytes=request.budget_bytes,
            channels=CHANNELS,
            encoder=encoder.spec,
            weights_hint=self._choice.weights,
            runtime=encoder.runtime,
            reader=decoding_settings(reader),
            created_at=time.time(),
            recorded_at=request.recorded_at,
            version=__version__,
        )

    def _remember(
        self,
        pipeline: EncodingPipeline,
        reader: FrameReader,
        writer: MemoryWriter,
        should_stop: Callable[[], bool],
        status: str,
    ) -> IngestResult:
        recorder = Recorder(writer, self._plan, self._request)
        self._on_event(
            IngestEvent("started", self._shown, writer.stored.meta.memory_id,
                        start_s=reader.info.start_s, end_s=self._end_s(reader))
        )  # fmt: skip
        try:
            for encoded in pipeline:
                recorder.write(encoded)
                self._report(writer, reader, encoded, recorder)
                if should_stop():
                    recorder.commit()
                    raise Interrupted(
                        f"stopped at {format_time(recorder.end_s)}; everything up to there is kept",
                        hint="run the same command again to go on",
                    )
        finally:
            pipeline.stop()
        report = reader.report()
        recorder.finish(report, reader.info)
        result = describe(writer.current(), status="partial" if report.partial else status)
        return replace(result, notes=tuple(report.notes))

    def _end_s(self, reader: FrameReader) -> float | None:
        info = reader.info
        if self._request.end_s is not None:
            return self._request.end_s
        return None if info.duration_s is None else info.start_s + info.duration_s

    def _report(
        self, writer: MemoryWriter, reader: FrameReader, encoded: EncodedBatch, recorder: "Recorder"
    ) -> None:
        self._on_event(
            IngestEvent(
                "progress",
                self._shown,
                writer.stored.meta.memory_id,
                position_s=float(encoded.batch.pts_s[-1]),
                start_s=reader.info.start_s,
                end_s=self._end_s(reader),
                encoded=recorder.written_frames,
            )
        )
