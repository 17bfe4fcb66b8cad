"""The pipeline over one source: open it, run it, commit as it goes, close it."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from streammem import __version__
from streammem.core.budget import plan_budget
from streammem.core.errors import Interrupted, SourceError, UsageError
from streammem.core.results import IngestEvent, IngestRequest, IngestResult, OnEvent
from streammem.core.timebase import format_time
from streammem.core.types import Channel
from streammem.encoders.base import Encoder
from streammem.encoders.load import EncoderChoice
from streammem.runtime.batches import EncodedBatch, EncodingPipeline
from streammem.runtime.describing import BEFORE_WORDS_NOTE, describe
from streammem.runtime.encoder_keeper import EncoderKeeper
from streammem.runtime.hearing import Hearing
from streammem.runtime.reading import (
    DETAIL_SHORT_SIDE_PX,
    MISSING_NOTE,
    ScreenReading,
    ocr_identity,
)
from streammem.runtime.recorder import Recorder, listening_bytes
from streammem.runtime.sound_only import SOUND_ONLY, SoundSteps, sound_info, sound_report
from streammem.runtime.tracks import NONE, SubtitleChoice, TextTracks, check_same_subtitles
from streammem.runtime.words import READING, Words, unpack_state
from streammem.storage.gaps import shorten
from streammem.storage.library import LibraryFolder
from streammem.storage.memory_file import MemoryWriter, read_meta
from streammem.storage.placeholder import read_placeholder
from streammem.storage.records import MemoryMeta
from streammem.text.meaning import MISSING_NOTE as NO_MEANING_NOTE
from streammem.text.meaning import TEXT_ENCODER_ID, load_text_encoder, text_encoder_folder
from streammem.video.container_text import StreamMetadata
from streammem.video.identity import redact, source_stem
from streammem.video.reader import (
    FrameReader,
    ReaderOptions,
    decoding_settings,
    open_reader,
    with_settings,
)

# What was not heard or read is stored, so that a later run can say it again.
MAX_NOTES = 6
MAX_NOTE_BYTES = 240
NO_VIDEO_TRACK = "no_video_track"
LIVE_NOTE = "the sound and the text track of a live stream are not read"


@dataclass(frozen=True, slots=True)
class Job:
    """A source with everything that was decided about it before it is opened.

    `shown` is what to call it where `source` is only a copy that goes again.
    """

    source: str
    identity: str
    request: IngestRequest
    choice: EncoderChoice
    subtitles: SubtitleChoice
    shown: str | None = None


def channels_of(request: IngestRequest) -> tuple[str, ...]:
    """What a request asks to perceive, whether or not this machine can."""
    asked = {
        Channel.VISION: True,
        Channel.SPEECH: request.audio,
        Channel.SCREEN_TEXT: request.screen_text,
        Channel.SUBTITLE: request.subtitles != NONE,
        Channel.SOUND: request.audio,
        Channel.METADATA: True,
    }
    return tuple(channel.value for channel in Channel if asked[channel])


def reason_to_store(choice: EncoderChoice) -> str:
    """Why this encoder was chosen, in bounded space."""
    return shorten(choice.reason, MAX_NOTE_BYTES)


class Ingestion:
    """One run of the pipeline over one source. Used once, by one thread."""

    def __init__(
        self, job: Job, library: LibraryFolder, encoders: EncoderKeeper, on_event: OnEvent
    ) -> None:
        self._job = job
        self._source = job.source
        self._shown = redact(job.shown or job.source)
        self._library = library
        self._request = job.request
        self._encoders = encoders
        self._on_event = on_event
        self._plan = plan_budget(job.request.budget_bytes)
        self._done = "done"
        self._reading: ScreenReading | None = None
        self._reads = job.request.screen_text and ocr_identity() is not None

    def run(
        self, resume_id: str | None, replaced_id: str | None, should_stop: Callable[[], bool]
    ) -> IngestResult:
        """Everything between opening the source and closing the memory."""
        if resume_id is None:
            return self._run_new(replaced_id, should_stop)
        self._done = "resumed"
        with MemoryWriter.open(self._library.path_of(resume_id)) as writer:
            return self._go_on(writer, should_stop)

    def _go_on(self, writer: MemoryWriter, should_stop: Callable[[], bool]) -> IngestResult:
        """A run over a memory that an earlier run left unfinished."""
        meta, progress = writer.stored.meta, writer.stored.progress
        if progress.status != "running":
            # Another process finished it between our look and our lock.
            return describe(writer.current(), status="unchanged")
        check_same_subtitles(meta.perception, self._job.subtitles, meta.memory_id)
        state = unpack_state(writer.stored.listening)
        if meta.reader.get(SOUND_ONLY):
            with closing(Hearing(self._source, self._request, state)) as hearing:
                return self._hear(hearing, hearing.metadata(), writer, should_stop)
        encoder = self._encoders.load(
            meta.encoder.id, self._job.choice.weights, meta.runtime.device, meta.runtime
        )
        if encoder.spec.digest != meta.encoder.digest:
            raise UsageError(
                f"{meta.memory_id!r} was begun with other weights of {meta.encoder.id}",
                hint="name the same --weights, or add --force to make it anew",
                code="settings_differ",
            )
        self._reads = self._reads and meta.perception.get("ocr") is not None
        with self._open_reader(encoder, meta.reader) as reader:
            metadata = reader.metadata() if meta.holds_words else StreamMetadata()
            words = self._words(reader, metadata, state)
            with closing(words):
                if progress.mark is not None:
                    words.pass_over(progress.mark.last_end_s, anew="listen" not in state)
                screens = self._screens(state.get(READING, {}))
                pipeline = EncodingPipeline(reader, encoder, progress.mark, meta.fps, screens)
                return self._remember(pipeline, reader, words, writer, should_stop)

    def _run_new(self, replaced_id: str | None, should_stop: Callable[[], bool]) -> IngestResult:
        choice = self._job.choice
        encoder = self._encoders.load(choice.id, choice.weights, self._request.device, None)
        try:
            reader = self._open_reader(encoder, {})
        except SourceError as error:
            if error.code != NO_VIDEO_TRACK or not self._request.audio:
                raise
            with closing(Hearing(self._source, self._request, {})) as hearing:
                if hearing.reader is None:
                    raise
                metadata = hearing.metadata()
                meta = self._meta(encoder, {SOUND_ONLY: True}, metadata, hearing.notes)
                with self._created(meta, replaced_id) as writer:
                    return self._hear(hearing, metadata, writer, should_stop)
        with reader:
            metadata = reader.metadata()
            with closing(self._words(reader, metadata, {})) as words:
                notes = (*words.notes, *self._unread())
                meta = self._meta(encoder, decoding_settings(reader), metadata, notes)
                screens = self._screens({})
                pipeline = EncodingPipeline(reader, encoder, None, self._request.fps, screens)
                brief = self._fits_a_batch(reader.info.duration_s, encoder)
                if replaced_id is not None:
                    # What goes to make room goes only for a source that shows something.
                    pipeline.begin()
                with self._created(meta, replaced_id, brief=brief) as writer:
                    return self._remember(pipeline, reader, words, writer, should_stop)

    def _fits_a_batch(self, duration_s: float | None, encoder: Encoder) -> bool:
        """Whether a source says that it ends before the first place where a commit may fall."""
        request, most = self._request, encoder.runtime.batch_size - 1
        return duration_s is not None and duration_s * request.fps < most

    @contextmanager
    def _created(
        self, meta: MemoryMeta, replaced_id: str | None, *, brief: bool = False
    ) -> Iterator[MemoryWriter]:
        """A new memory under a free name, or under that of the one it replaces.

        It goes again where nothing at all could be read. The file of a `brief` source appears with
        its first commit.
        """
        if replaced_id is not None:
            self._library.forget(replaced_id)
        memory_id = self._library.claim(
            self._request.name or replaced_id or source_stem(self._source), self._job.identity
        )
        path = self._library.path_of(memory_id)
        try:
            begin = MemoryWriter.draft if brief else MemoryWriter.create
            with begin(path, replace(meta, memory_id=memory_id), self._plan) as new:
                yield new
        except SourceError:
            # Where nothing could be read there is nothing to keep; the rest stays resumable.
            if read_placeholder(path) is not None or read_meta(path).progress.commits == 0:
                self._library.forget(memory_id)
            raise

    def _open_reader(self, encoder: Encoder, settings: Mapping[str, Any]) -> FrameReader:
        options = ReaderOptions(
            sample_hz=self._request.fps,
            start_s=self._request.start_s,
            end_s=self._request.end_s,
            short_side_px=encoder.spec.image_size_px,
            detail_short_side_px=DETAIL_SHORT_SIDE_PX if self._reads else None,
        )
        return open_reader(
            self._source, with_settings(options, settings), reader=self._request.reader
        )

    def _screens(self, state: Mapping[str, Any]) -> ScreenReading | None:
        limit_bytes = listening_bytes(self._plan) // 2
        self._reading = ScreenReading(state, limit_bytes) if self._reads else None
        return self._reading

    def _unread(self) -> tuple[str, ...]:
        """The line that says why the pictures are not read, where they should be."""
        if self._reading is not None:
            return self._reading.notes
        return (MISSING_NOTE,) if self._request.screen_text and not self._reads else ()

    def _words(
        self, reader: FrameReader, metadata: StreamMetadata, state: Mapping[str, Any]
    ) -> Words:
        tracks = TextTracks(reader, self._job.subtitles, metadata, self._request)
        if not reader.rereadable:
            tracks.notes.append(LIVE_NOTE)
        listens = self._request.audio and reader.rereadable
        return Words(tracks, Hearing(self._source, self._request, state) if listens else None)

    def _meta(
        self,
        encoder: Encoder,
        reading: dict[str, Any],
        metadata: StreamMetadata,
        notes: tuple[str, ...],
    ) -> MemoryMeta:
        """The settings of a new memory; its name is found when it is created."""
        request, local = self._request, Path(self._source)
        stays = self._job.shown is None and local.exists()
        recorded_at = metadata.recorded_at if request.recorded_at is None else request.recorded_at
        return MemoryMeta(
            memory_id="",
            fingerprint=self._job.identity,
            source=self._shown,
            source_path=str(local.resolve()) if stays else None,
            fps=request.fps,
            start_s=request.start_s,
            end_s=request.end_s,
            policy=request.policy,
            budget_bytes=request.budget_bytes,
            channels=channels_of(request),
            encoder=encoder.spec,
            weights_hint=self._job.choice.weights,
            runtime=encoder.runtime,
            reader=reading,
            created_at=time.time(),
            recorded_at=recorded_at,
            version=__version__,
            perception={
                "encoder_choice": reason_to_store(self._job.choice),
                **self._job.subtitles.to_json(),
                "ocr": ocr_identity() if self._reads else None,
                "text_encoder": TEXT_ENCODER_ID if text_encoder_folder() else None,
                "notes": [shorten(note, MAX_NOTE_BYTES) for note in notes[:MAX_NOTES]],
            },
        )

    def _remember(
        self,
        pipeline: EncodingPipeline,
        reader: FrameReader,
        words: Words,
        writer: MemoryWriter,
        should_stop: Callable[[], bool],
    ) -> IngestResult:
        """See, hear and read everything, and commit."""
        recorder = self._recorder(writer)
        info, limit_bytes = reader.info, listening_bytes(self._plan)
        end_s = None if info.duration_s is None else info.start_s + info.duration_s
        self._started(writer, info.start_s, end_s)
        try:
            for encoded in pipeline:
                batch = encoded.batch
                cues = [*words.until(batch.mark.last_end_s), *batch.cues]
                recorder.write(encoded, cues, words.state(batch.reading, limit_bytes))
                self._report(writer, encoded, recorder, info.start_s, end_s)
                self._stop_if_asked(recorder, should_stop)
        finally:
            pipeline.stop()
        report = reader.report()
        recorder.finish(report, info, words.rest(), whole=words.whole)
        return self._result(writer, (*report.notes, *words.notes, *self._unread()))

    def _hear(
        self,
        hearing: Hearing,
        metadata: StreamMetadata,
        writer: MemoryWriter,
        should_stop: Callable[[], bool],
    ) -> IngestResult:
        """The same for a source without pictures: step by step through its sound."""
        recorder = self._recorder(writer)
        words = Words(TextTracks(None, self._job.subtitles, metadata, self._request), hearing)
        info, limit_bytes = sound_info(hearing), listening_bytes(self._plan)
        steps = SoundSteps(hearing, writer.stored.progress)
        if steps.begun:
            words.pass_over(steps.reached_s, anew=not writer.stored.listening)
        end_s = None if info.duration_s is None else info.start_s + info.duration_s
        self._started(writer, info.start_s, end_s)
        for reached_s in steps:
            cues = words.until(reached_s)
            recorder.write_words(cues, words.state(None, limit_bytes), info.start_s, reached_s)
            self._on_event(
                IngestEvent("progress", self._shown, writer.stored.meta.memory_id,
                            position_s=reached_s, start_s=info.start_s, end_s=end_s)
            )  # fmt: skip
            self._stop_if_asked(recorder, should_stop)
        cues = words.rest()
        report = sound_report(hearing)
        recorder.finish(report, info, cues, whole=words.whole)
        return self._result(writer, (*report.notes, *words.notes))

    def _recorder(self, writer: MemoryWriter) -> Recorder:
        embed = _embedding(writer.stored.meta.perception)
        return Recorder(writer, self._plan, self._request, embed)

    def _result(self, writer: MemoryWriter, notes: tuple[str, ...]) -> IngestResult:
        stored = writer.current()
        self._library.know(stored.meta.memory_id, self._job.identity)
        if stored.cue_counts and stored.meta.perception.get("text_encoder") is None:
            notes = (*notes, NO_MEANING_NOTE)
        if not stored.meta.holds_words:
            notes = (BEFORE_WORDS_NOTE, *notes)
        partial = stored.progress.status == "partial"
        result = describe(stored, status="partial" if partial else self._done)
        return replace(result, notes=tuple(dict.fromkeys(notes)))

    def _started(self, writer: MemoryWriter, start_s: float, end_s: float | None) -> None:
        end_s = self._request.end_s if self._request.end_s is not None else end_s
        memory_id = writer.stored.meta.memory_id
        self._on_event(IngestEvent("started", self._shown, memory_id, start_s=start_s, end_s=end_s))

    def _stop_if_asked(self, recorder: Recorder, should_stop: Callable[[], bool]) -> None:
        if should_stop():
            recorder.commit()
            raise Interrupted(
                f"stopped at {format_time(recorder.end_s)}; everything up to there is kept",
                hint="run the same command again to go on",
            )

    def _report(
        self,
        writer: MemoryWriter,
        encoded: EncodedBatch,
        recorder: Recorder,
        start_s: float,
        end_s: float | None,
    ) -> None:
        self._on_event(
            IngestEvent(
                "progress",
                self._shown,
                writer.stored.meta.memory_id,
                position_s=float(encoded.batch.pts_s[-1]),
                start_s=start_s,
                end_s=self._request.end_s if self._request.end_s is not None else end_s,
                encoded=recorder.written_frames,
            )
        )


def _embedding(perception: Mapping[str, Any]) -> Callable[[str], bytes] | None:
    """What makes the codes of meanings, if the memory was begun with it; loaded at the first."""
    if perception.get("text_encoder") != TEXT_ENCODER_ID or text_encoder_folder() is None:
        return None

    def embed(text: str) -> bytes:
        encoder = load_text_encoder()
        return b"" if encoder is None else encoder.code(text)

    return embed
