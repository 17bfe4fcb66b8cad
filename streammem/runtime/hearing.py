"""The sound of a source beside its pictures: heard as far as they are seen, cue by cue."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from streammem.audio.listener import Listener
from streammem.audio.options import SAMPLE_RATE_HZ, ListenOptions, ListenState
from streammem.core.errors import SourceError
from streammem.core.results import IngestRequest
from streammem.core.timebase import format_time
from streammem.core.types import AudioChunk, Cue
from streammem.video.container_text import StreamMetadata
from streammem.video.sound import SoundOptions, SoundReader, SoundReport, open_sound
from streammem.video.sound_clock import SoundMark

# Samples whose times differ by less than this from a border lie before it.
_HALF_SAMPLE_S = 0.5 / SAMPLE_RATE_HZ


def listen_options(request: IngestRequest) -> ListenOptions:
    """What a request asks to hear."""
    return ListenOptions(
        whisper=request.speech_model,
        language=request.speech_language or None,
        tagger=request.sound_model,
    )


class Hearing:
    """Listens to one source. What was heard up to a time depends on the sound alone.

    Used by one thread; close it. A source without sound is silent: there is nothing to say.
    """

    def __init__(self, source: str, request: IngestRequest, state: Mapping[str, Any]) -> None:
        """Open the sound and go on from a state that `state` returned, or begin for an empty one.

        Raises:
            SourceError: the source cannot be opened.
        """
        self._trouble: str | None = None
        self._reader = open_sound(
            source, SoundOptions(SAMPLE_RATE_HZ, request.start_s, request.end_s)
        )
        self._listener: Listener | None = None
        self._held: AudioChunk | None = None
        self._chunks: Iterator[AudioChunk] = iter(())
        if self._reader is None:
            return
        listened = state.get("listen")
        self._listener = Listener(
            listen_options(request), ListenState.from_json(listened) if listened else None
        )
        mark = state.get("sound")
        self._chunks = self._reader.chunks(SoundMark.from_json(mark) if mark else None)

    @property
    def reader(self) -> SoundReader | None:
        """The sound that is listened to, None for a source without."""
        return self._reader

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not heard, and what broke off, one line each."""
        told = () if self._listener is None else self._listener.report().notes
        broken = () if self._trouble is None else (self._trouble,)
        return (*told, *broken, *self._holes())

    def until(self, end_s: float) -> list[Cue]:
        """The cues that are known once everything before a time was heard."""
        cues: list[Cue] = []
        listener = self._listener
        while listener is not None:
            chunk = self._held if self._held is not None else self._next()
            self._held = None
            if chunk is None:
                break
            before, self._held = _split(chunk, end_s)
            if before is not None:
                cues += listener.feed(before)
            if self._held is not None:
                break
        return cues

    def rest(self) -> list[Cue]:
        """Everything up to the end of the sound."""
        if self._listener is None:
            return []
        cues = self.until(float("inf"))
        return [*cues, *self._listener.close()]

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to hear."""
        if self._held is None and self._listener is not None:
            self._held = self._next()
        return self._held is None

    def metadata(self) -> StreamMetadata:
        """What the container of a source of sound says in words."""
        return StreamMetadata() if self._reader is None else self._reader.metadata()

    def state(self) -> dict[str, Any]:
        """What a later run needs to go on from here."""
        if self._listener is None or self._reader is None:
            return {}
        listened = self._listener.state()
        if listened.resume_s is None:
            return {}
        mark = self._reader.mark(listened.resume_s)
        return {"listen": listened.to_json(), "sound": mark.to_json()}

    def report(self) -> SoundReport | None:
        """What was heard of the sound; final after `rest`."""
        return None if self._reader is None else self._reader.report()

    def close(self) -> None:
        """Release the source."""
        if self._reader is not None:
            self._reader.close()

    def _next(self) -> AudioChunk | None:
        """The next chunk, None at the end or where the sound breaks off."""
        try:
            return next(self._chunks, None)
        except SourceError as error:
            if error.code == "source_changed":
                raise
            self._trouble = f"the sound was not heard to its end: {error.message}"
            return None

    def _holes(self) -> tuple[str, ...]:
        report = self.report()
        if report is None or not report.gaps:
            return ()
        first = report.gaps[0]
        more = f" and {len(report.gaps) - 1} more gaps" if len(report.gaps) > 1 else ""
        span = f"from {format_time(first.start_s)} to {format_time(first.end_s)}"
        return (f"the sound is missing {span} ({first.reason}){more}",)


def _split(chunk: AudioChunk, at_s: float) -> tuple[AudioChunk | None, AudioChunk | None]:
    """What of a chunk lies before a time and what at or after it."""
    if chunk.pts_s + _HALF_SAMPLE_S > at_s:
        return None, chunk
    whole = len(chunk.samples) / chunk.sample_rate_hz
    if chunk.pts_s + whole <= at_s + _HALF_SAMPLE_S:
        return chunk, None
    count = round((at_s - chunk.pts_s) * chunk.sample_rate_hz)
    if not 0 < count < len(chunk.samples):
        return (None, chunk) if count <= 0 else (chunk, None)
    later_s = chunk.pts_s + count / chunk.sample_rate_hz
    return (
        replace(chunk, samples=chunk.samples[:count]),
        replace(chunk, samples=chunk.samples[count:], pts_s=later_s),
    )
