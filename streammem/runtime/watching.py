"""One watch of a live source: read it for as long as wanted, remember it, commit as it goes."""

import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np

from streammem.core.budget import plan_budget
from streammem.core.errors import Interrupted, SourceError, UsageError
from streammem.core.results import IngestRequest, IngestResult
from streammem.core.timebase import format_time
from streammem.core.types import Gap, StreamInfo
from streammem.core.watches import (
    ObserverFactory,
    OnWatchEvent,
    StreamObserver,
    WatchEvent,
    WatchOptions,
    WatchStatus,
)
from streammem.encoders.base import Encoder
from streammem.encoders.load import choose_encoder, load_encoder
from streammem.runtime.describing import describe
from streammem.runtime.watching_memory import (
    check_same_weights,
    find_memory,
    identity_of,
    new_meta,
    stem_of,
)
from streammem.runtime.watching_recorder import LiveRecorder, LiveState
from streammem.storage.library import LibraryFolder
from streammem.storage.memory_file import MemoryWriter
from streammem.video.identity import redact
from streammem.video.live import LiveOptions, LiveReader
from streammem.video.live_clock import Segment
from streammem.video.live_queue import POLICIES, LiveFrame
from streammem.video.live_source import check_watchable

# Frames wait for each other for at most this share of the time between commits.
_FLUSH_SHARE = 0.25
_FPS_WINDOW_S = 5.0
_WHEN_BEHIND = ("auto", *POLICIES)


def watch_source(
    source: str,
    library: LibraryFolder,
    request: IngestRequest,
    options: WatchOptions,
    *,
    observe: ObserverFactory | None,
    on_event: OnWatchEvent,
    should_stop: Callable[[], bool],
) -> IngestResult:
    """Remember a live source until it ends, a time is reached or somebody says so.

    Raises:
        StreamMemError: of the kinds in `core.errors`; whatever was committed stays.
        Interrupted: `should_stop` said so; everything up to there is committed.
    """
    if options.when_behind not in _WHEN_BEHIND:
        raise UsageError(
            f"no way {options.when_behind!r} to be behind", hint=f"one of {', '.join(_WHEN_BEHIND)}"
        )
    check_watchable(source, options.transport)
    request = replace(request, commit_s=options.commit_s, start_s=None, end_s=None)
    with ExitStack() as closing_:
        watch = _Watch(source, library, request, options, on_event)
        closing_.callback(watch.close)
        watch.begin(observe)
        return watch.run(should_stop)


class InterruptedWatch(Interrupted):
    """A stop of a watch; `result` is what it has become, None where nothing was seen."""

    def __init__(self, message: str, result: IngestResult | None) -> None:
        super().__init__(message, hint="run the same command again to go on")
        self.result = result


class _Watch:
    """One run over a live source. Used once, by one thread."""

    def __init__(
        self,
        source: str,
        library: LibraryFolder,
        request: IngestRequest,
        options: WatchOptions,
        on_event: OnWatchEvent,
    ) -> None:
        self._source, self._shown = source, redact(source)
        self._library = library
        self._request = request
        self._options = options
        self._on_event = on_event
        self._identity = identity_of(source, request.name)
        self._memory_id = find_memory(library, request, self._identity)
        self._began_s = time.monotonic()
        self._writer: MemoryWriter | None = None
        self._recorder: LiveRecorder | None = None
        self._observer: StreamObserver | None = None
        self._reader: LiveReader
        self._encoder: Encoder
        self._pending: list[LiveFrame] = []
        self._decoded_before = 0
        self._held_before: tuple[int, int] | None = None
        self._recorded_at = 0.0
        self._segments = 0
        self._blind: Gap | None = None
        self._first_s: float | None = None
        self._newest_at_s: float | None = None
        self._committed_s = self._told_s = time.monotonic()
        self._rates: deque[tuple[float, int]] = deque()

    def begin(self, observe: ObserverFactory | None) -> None:
        """Load the encoder, open the memory that exists, and start to read."""
        state, zero_s = LiveState(b""), None
        if self._memory_id is None:
            choice = choose_encoder(
                self._request.encoder, self._request.auto_encoders, self._request.weights
            )
            self._tell("note", message=f"encoder {choice.id}: {choice.reason}")
            self._encoder = load_encoder(choice, device=self._request.device)
            self._choice = choice
        else:
            self._writer = MemoryWriter.open(self._library.path_of(self._memory_id))
            meta = self._writer.stored.meta
            self._encoder = load_encoder(
                meta.encoder.id, weights=meta.weights_hint, runtime=meta.runtime
            )
            check_same_weights(meta, self._encoder)
            state = LiveState(self._writer.stored.listening)
            zero_s = self._go_on(self._writer)
        if observe is not None:
            self._observer = observe(self._encoder)
            self._observer.restore(state.observer)
        self._start_reading(state, zero_s)

    def run(self, should_stop: Callable[[], bool]) -> IngestResult:
        """Remember what comes until it is over."""
        ending = None
        while not self._reader.ended:
            if should_stop():
                ending = "stopped"
                break
            if self._is_time_up():
                break
            self._step()
        self._finish()
        if ending is not None:
            raise InterruptedWatch(
                f"stopped at {format_time(self._position_s)}; everything up to there is kept",
                self._result(),
            )
        result = self._result()
        if result is None:
            raise SourceError(
                f"no frame came from {self._shown} in that time",
                hint="watch it for longer, or check that it is sending",
                code="unreachable",
            )
        return result

    def _result(self) -> IngestResult | None:
        """What became of it; None where nothing was seen."""
        if self._writer is None:
            return None
        stored = self._writer.current()
        status = "unchanged" if self._held() == self._held_before else stored.progress.status
        result = describe(stored, status=status)
        elapsed_s = time.monotonic() - self._began_s
        self._tell("done", end_s=self._position_s)
        return replace(result, source=self._shown, elapsed_s=elapsed_s)

    def close(self) -> None:
        """Let go of everything; safe at any moment."""
        if hasattr(self, "_reader"):
            self._reader.close()
        if self._observer is not None:
            self._observer.close()
        if self._writer is not None:
            self._writer.close()

    def _go_on(self, writer: MemoryWriter) -> float | None:
        """Continue the books of an earlier run; when its memory time 0 was, monotonic."""
        self._recorder = LiveRecorder(writer, plan_budget(writer.plan.total_bytes), self._request)
        self._decoded_before = self._recorder.decoded
        self._held_before = self._held()
        recorded_at = writer.stored.meta.recorded_at
        self._recorded_at = recorded_at or 0.0
        return None if recorded_at is None else time.monotonic() - (time.time() - recorded_at)

    def _start_reading(self, state: LiveState, zero_s: float | None) -> None:
        options, clock = self._options, state.clock
        if clock is not None and self._recorder is not None:
            clock = replace(clock, end_s=max(clock.end_s, self._recorder.end_s))
        live = LiveOptions(
            rate_hz=self._request.fps,
            short_side_px=self._encoder.spec.image_size_px,
            transport=options.transport,
            when_behind=options.when_behind,
            stall_s=options.stall_s,
            open_s=options.open_s,
            give_up_s=options.give_up_s,
            longest_wait_s=options.longest_wait_s,
        )
        self._reader = LiveReader(self._source, live, clock, zero_s=zero_s)
        same_file = state.head is not None and state.head == self._reader.head
        self._reader.trust(same_file=same_file)
        # The first batch takes longest; live frames should not have to wait for it.
        side_px = self._encoder.spec.image_size_px
        self._encoder.encode_images(np.zeros((1, 3, side_px, side_px), np.uint8))
        self._tell("started", start_s=None if clock is None else clock.end_s)
        self._reader.start()

    def _is_time_up(self) -> bool:
        duration_s, until = self._options.duration_s, self._options.until
        if duration_s is not None and time.monotonic() - self._counts_from_s() >= duration_s:
            return True
        return until is not None and time.time() >= until

    def _counts_from_s(self) -> float:
        """When a duration begins: with the first new frame, for which there is a limit."""
        if self._first_s is not None:
            return self._first_s
        latest_s = self._began_s + self._options.give_up_s
        # A source that has nothing new gives what is known, and then rests.
        came_at_s = self._reader.standing().came_at_s
        return latest_s if came_at_s is None else min(came_at_s, latest_s)

    def _step(self) -> None:
        """Take what has come, and do what is due."""
        flush_s = _FLUSH_SHARE * self._options.commit_s
        batch_size = self._encoder.runtime.batch_size
        for item in self._reader.take(min(flush_s, 0.1), batch_size):
            if isinstance(item, LiveFrame):
                self._take(item)
            elif isinstance(item, Gap):
                self._flush(item.start_s)
                self._close_gap(item)
            else:
                self._note_segment(item)
        now_s = time.monotonic()
        if self._pending and now_s - self._pending[0].at_s >= flush_s:
            self._flush(self._reader.standing().seen_end_s)
        if self._recorder is not None and now_s - self._committed_s >= self._options.commit_s:
            self._commit(self._recorder)
        if now_s - self._told_s >= self._options.status_s:
            self._told_s = now_s
            self._on_event(WatchEvent("status", self._shown, self._memory_id, status=self.status()))

    def _take(self, frame: LiveFrame) -> None:
        if self._pending and frame.pixels.shape != self._pending[0].pixels.shape:
            self._flush(frame.time_s)
        self._pending.append(frame)
        if len(self._pending) >= self._encoder.runtime.batch_size:
            self._flush(frame.end_s)

    def _flush(self, seen_end_s: float) -> None:
        """Encode and remember the frames at hand."""
        if not self._pending:
            return
        frames, self._pending = self._pending, []
        recorder = self._recorder or self._create(frames[0])
        pixels = np.stack([frame.pixels for frame in frames])
        features = self._encoder.encode_images(pixels)
        if self._observer is not None:
            times_s = np.array([frame.time_s for frame in frames], np.float64)
            self._observer.observe(times_s, features.embeddings, pixels)
        recorder.drop(self._drops())
        recorder.remember(frames, features, self._decoded_before, seen_end_s)
        self._first_s = self._first_s or time.monotonic()
        self._newest_at_s = frames[-1].at_s

    def _drops(self) -> list[tuple[float, float, int]]:
        dropped = self._reader.dropped()
        for start_s, end_s, count in dropped:
            self._tell("dropped", start_s=start_s, end_s=end_s, count=count)
        return dropped

    def _commit(self, recorder: LiveRecorder) -> None:
        """Put everything on disk, an outage that goes on included."""
        self._flush(self._reader.standing().seen_end_s)
        recorder.drop(self._drops())
        blind = self._reader.standing().blind
        if (blind is None) != (self._blind is None) and blind is not None:
            self._tell("gap", start_s=blind.start_s, message=blind.reason)
        self._blind = blind
        recorder.blind(blind)
        observer = b"" if self._observer is None else self._observer.to_bytes()
        recorder.keep_state(self._reader.head, observer)
        recorder.commit()
        self._committed_s = time.monotonic()

    def _finish(self) -> None:
        """Keep what is there and close the books of this run."""
        for item in self._reader.rest():
            if isinstance(item, LiveFrame):
                self._take(item)
            elif isinstance(item, Gap):
                self._flush(item.start_s)
                self._close_gap(item)
        self._flush(self._reader.standing().seen_end_s)
        if self._recorder is not None:
            decoded = self._decoded_before + self._reader.standing().decoded
            self._recorder.saw(decoded, self._reader.state())
            self._commit(self._recorder)
            self._recorder.end()

    def _close_gap(self, gap: Gap) -> None:
        if self._recorder is not None:
            self._recorder.gap(gap)
        self._blind = None
        self._tell("gap", start_s=gap.start_s, end_s=gap.end_s, message=gap.reason)

    def _note_segment(self, segment: Segment) -> None:
        self._segments += 1
        self._tell("segment", start_s=segment.start_s, message=segment.reason)

    def _create(self, first: LiveFrame) -> LiveRecorder:
        """Begin the memory, now that there is something to remember."""
        zero_s = self._reader.zero_s
        assert zero_s is not None
        self._recorded_at = time.time() - (time.monotonic() - zero_s)
        plan = plan_budget(self._request.budget_bytes)
        stem = self._request.name or stem_of(self._source)
        self._memory_id = self._library.claim(stem, self._identity)
        path = self._library.path_of(self._memory_id)
        meta = new_meta(
            self._memory_id,
            self._source,
            self._request,
            self._encoder,
            choice=self._choice,
            recorded_at=self._recorded_at,
        )
        self._writer = MemoryWriter.create(path, meta, plan)
        self._recorder = LiveRecorder(self._writer, plan, self._request)
        width, height = first.size
        self._recorder.describe_stream(
            StreamInfo(self._shown, width, height, None, None, 0.0, 0, "live")
        )
        self._tell("note", message=f"memory {self._memory_id} begins")
        return self._recorder

    def _held(self) -> tuple[int, int] | None:
        """Frames and gaps in memory, by which it is known whether anything came."""
        recorder = self._recorder
        return None if recorder is None else (recorder.written_frames, recorder.gaps)

    @property
    def _position_s(self) -> float:
        return 0.0 if self._recorder is None else self._recorder.end_s

    def status(self) -> WatchStatus:
        """How it stands now."""
        standing, now_s = self._reader.standing(), time.monotonic()
        self._rates.append((now_s, standing.decoded))
        while now_s - self._rates[0][0] > _FPS_WINDOW_S:
            self._rates.popleft()
        (then_s, before) = self._rates[0]
        recorder, blind = self._recorder, standing.blind
        counts: dict[str, Any] = {"encoded": 0, "dropped": 0, "gaps": 0, "bytes": {}}
        if recorder is not None:
            counts = {
                "encoded": recorder.written_frames,
                "dropped": recorder.dropped,
                "gaps": recorder.gaps,
                "bytes": recorder.bytes_by_tier(),
            }
        return WatchStatus(
            position_s=self._position_s,
            behind_s=0.0 if self._newest_at_s is None else now_s - self._newest_at_s,
            fps=(standing.decoded - before) / max(now_s - then_s, 1e-3),
            decoded=self._decoded_before + standing.decoded,
            waiting=standing.waiting,
            segments=self._segments,
            connections=standing.connections,
            blind_s=0.0 if blind is None else blind.end_s - blind.start_s,
            **counts,
        )

    def _tell(self, kind: str, **facts: Any) -> None:
        self._on_event(WatchEvent(kind, self._shown, self._memory_id, **facts))
