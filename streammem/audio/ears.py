"""What this machine can hear with: the adapters that the options ask for and that are here."""

import importlib.util
from functools import lru_cache
from pathlib import Path

from streammem.audio.options import ListenOptions
from streammem.audio.sound_tags import SoundTagger
from streammem.audio.transcript import Transcriber
from streammem.audio.voice import VoiceModel
from streammem.core.errors import MissingError

NO_VOICE = "speech is not recognised"
NO_TRANSCRIPTS = "speech is marked but not transcribed"
NO_TAGS = "sounds are not named"


class Ears:
    """The models of one listener. What is missing is told in `notes`, one line each.

    The transcriber is loaded when there is the first speech to transcribe.
    """

    def __init__(self, options: ListenOptions) -> None:
        self._options = options
        self._transcriber: Transcriber | None = None
        self.notes: list[str] = []
        self.voice = self._find_voice() if options.speech else None
        self._weights = self._find_weights() if self.voice and options.whisper else None
        self.tagger = self._find_tagger() if options.sound and options.tagger else None

    @property
    def transcribes(self) -> bool:
        """Whether there are weights to transcribe with."""
        return self._weights is not None

    def transcriber(self) -> Transcriber | None:
        """The transcriber, loaded now if need be; None where it turns out to be unusable."""
        if self._transcriber is None and self._weights is not None:
            options = self._options
            try:
                self._transcriber = _load(str(self._weights), options.device, options.threads)
            except MissingError as error:
                self._weights = None
                self.notes.append(_note(NO_TRANSCRIPTS, error))
        return self._transcriber

    def identity(self) -> dict[str, str | None]:
        """What decides what is heard, as plain JSON; equal for listeners that hear the same."""
        transcriber = None
        if self._weights is not None:
            from streammem.audio._faster_whisper import cores, describe

            threads = self._options.threads or cores()
            transcriber = f"{describe(self._weights)}, {self._options.device}, {threads} threads"
        return {
            "voice": self.voice.id if self.voice else None,
            "transcriber": transcriber,
            "language": self._options.language if transcriber else None,
            "sound": "spectrum-1" if self._options.sound else None,
            "tagger": self.tagger.id if self.tagger else None,
        }

    def _find_voice(self) -> VoiceModel | None:
        from streammem.audio._silero import SileroVoice

        try:
            return SileroVoice()
        except MissingError as error:
            self.notes.append(_note(NO_VOICE, error))
            return None

    def _find_weights(self) -> Path | None:
        from streammem.audio._faster_whisper import INSTALL, find_weights

        if importlib.util.find_spec("faster_whisper") is None:
            self.notes.append(f"{NO_TRANSCRIPTS}: faster-whisper is not installed; {INSTALL}")
            return None
        try:
            return find_weights(self._options.whisper)
        except MissingError as error:
            self.notes.append(_note(NO_TRANSCRIPTS, error))
            return None

    def _find_tagger(self) -> SoundTagger | None:
        from streammem.audio._litert import LiteRtTagger

        try:
            return LiteRtTagger(self._options.tagger)
        except MissingError as error:
            self.notes.append(_note(NO_TAGS, error))
            return None


@lru_cache(maxsize=1)
def _load(weights: str, device: str, threads: int) -> Transcriber:
    """The transcriber, which the sources of one run share: it takes seconds to load."""
    from streammem.audio._faster_whisper import FasterWhisper

    return FasterWhisper(weights, device=device, threads=threads)


def _note(what: str, error: MissingError) -> str:
    return f"{what}: {error.message}; {error.hint}"
