"""The default reader: files and URLs through FFmpeg."""

import math
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

from streammem.core.errors import SourceError
from streammem.core.types import AudioChunk, Cue, Pixels
from streammem.video import _pyav
from streammem.video.container_facts import describe
from streammem.video.container_text import (
    ContainerWords,
    StreamMetadata,
    metadata_of,
    pick_subtitles,
)
from streammem.video.first_picture import up_to_picture
from streammem.video.identity import redact
from streammem.video.protocols import plan_open
from streammem.video.reader import FrameReader, Picture, ReaderOptions, scaled_size
from streammem.video.sampling import StreamEnd
from streammem.video.sound import SoundOptions, SoundReader
from streammem.video.sound_beside import SoundBeside
from streammem.video.source_errors import NO_SOUND_TRACK, live_cannot_resume, nothing_decodes


class PyAvReader(FrameReader):
    """Reads what FFmpeg can demux and decode."""

    def __init__(
        self, source: str, options: ReaderOptions, sound: SoundBeside | None = None
    ) -> None:
        super().__init__(options)
        self._shown = redact(source)
        self._plan = plan_open(source)
        self._scaler = _pyav.Scaler()
        self._pass = _pyav.Pass(self._plan, self._shown, options, sound)
        container = self._pass.container
        self._said = ContainerWords.of(container)
        self._has_text = pick_subtitles(container.streams.subtitles, None) is not None
        # The first pass is decoded up to its first picture here, which tells rotation and size and
        # that anything decodes at all; a read from the beginning continues it.
        pictures = self._pass.pictures()
        head = up_to_picture(pictures)
        if not head or head[-1].content is None:
            self.close()
            raise nothing_decodes(
                self._shown, self._pass.codec, self._pass.pieces, encrypted=self._pass.encrypted
            )
        self._started: tuple[list[Picture], Generator[Picture, None, None]] | None
        self._started = (head, pictures)
        opened = self._pass
        self.info = describe(self._shown, opened.container, opened.track, head[-1].content)
        whole = self.info.width, self.info.height
        self._size = scaled_size(*whole, options.short_side_px)
        self._detail_size = scaled_size(*whole, options.detail_short_side_px)
        self._detail_scaler = _pyav.Scaler()

    @property
    def skips_nonref(self) -> bool:
        """Whether pictures that no other picture needs stay undecoded."""
        return self._pass.sparse

    @property
    def declared_duration_s(self) -> float | None:
        """The video track's own length; the container's only where there is no sound beside it."""
        return self._pass.declared_s

    def close(self) -> None:
        """Release the source; frames that are still being read end with an error."""
        self._pass.close()

    def audio(self, sample_rate_hz: int = 16000) -> Iterator[AudioChunk]:
        """The first audio track, mono and resampled; damaged packets are left out."""
        options = SoundOptions(sample_rate_hz, self.options.start_s, self.options.end_s)
        try:
            sound = SoundReader(self._plan, self._shown, options)
        except SourceError as error:
            if error.code != NO_SOUND_TRACK:
                raise
            return
        with sound:
            yield from sound.chunks()

    @property
    def rereadable(self) -> bool:
        """Whether the source can be opened again; a live stream gives what is new then."""
        return not self._plan.live

    def metadata(self) -> StreamMetadata:
        """Titles, chapters, recording date and place, as the container has them."""
        info = self.info
        end_s = None if info.duration_s is None else info.start_s + info.duration_s
        return metadata_of(self._said, end_s)

    def subtitles(self, language: str | None = None) -> Iterator[Cue]:
        """The events of the text track that fits best, without markup."""
        if not self._has_text:
            return
        start_s, end_s = self._range()
        with closing(_pyav.open_container(self._plan, self._shown)) as container:
            track = pick_subtitles(container.streams.subtitles, language)
            for cue in () if track is None else _pyav.cues(container, track):
                if cue.start_s < end_s and cue.end_s > start_s:
                    yield cue

    def _range(self) -> tuple[float, float]:
        start_s, end_s = self.options.start_s, self.options.end_s
        return -math.inf if start_s is None else start_s, math.inf if end_s is None else end_s

    def _pictures(self, from_s: float | None) -> Generator[Picture, None, None]:
        if from_s is None or from_s <= self.info.start_s:
            return self._from_beginning()
        if self._plan.live:
            if from_s != self.options.start_s:
                raise live_cannot_resume(self._shown)
            return self._from_beginning()
        opened = _pyav.Pass(self._plan, self._shown, self.options)
        pictures = opened.pictures_from(from_s)
        if pictures is None:
            opened.close()
            return self._from_beginning()
        self._take(opened)
        return pictures

    def _from_beginning(self) -> Generator[Picture, None, None]:
        if self._started is not None:
            head, pictures = self._started
            self._started = None
            yield from head
        else:
            self._take(_pyav.Pass(self._plan, self._shown, self.options))
            pictures = self._pass.pictures()
        yield from pictures

    def _take(self, opened: _pyav.Pass) -> None:
        self._started = None
        self._pass.close()
        self._pass = opened

    def _pixels(self, content: Any) -> Pixels:
        return self._scaler.pixels(content, self._size)

    def _detail(self, content: Any) -> Pixels | None:
        return self._detail_scaler.pixels(content, self._detail_size)

    def _end(self) -> StreamEnd:
        return self._pass.end()
