"""What a listener is asked to hear, and what it tells about what it heard."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from streammem.core.errors import UsageError

SAMPLE_RATE_HZ = 16000
# The voice model looks at hops of 32 ms; everything else happens once a block of 15 of them.
HOP_SAMPLES = 512
BLOCK_HOPS = 15
BLOCK_SAMPLES = HOP_SAMPLES * BLOCK_HOPS
HOP_S = HOP_SAMPLES / SAMPLE_RATE_HZ
BLOCK_S = BLOCK_SAMPLES / SAMPLE_RATE_HZ

STATE_VERSION = 1


@dataclass(frozen=True, slots=True)
class ListenOptions:
    """What is listened for and with which weights.

    `whisper` is the folder of a CTranslate2 Whisper model, `auto` for the first of the well-known
    ones in the user's cache, or empty for no transcripts; `language` a two-letter code, None to
    detect it; `tagger` the `.tflite` file of an AudioSet classifier, empty for none; `threads` for
    transcription, 0 for one a core.
    """

    speech: bool = True
    whisper: str = "auto"
    language: str | None = None
    device: str = "cpu"
    threads: int = 0
    sound: bool = True
    tagger: str = ""


@dataclass(frozen=True, slots=True)
class ListenState:
    """Where a listener can go on: feed it the samples from `resume_s` on, and it says what follows.

    `data` is plain JSON of two to ten kilobytes. `resume_s` lies 10 s behind the last sample
    heard, or where unfinished speech begins (up to a minute); None before anything was heard.
    """

    resume_s: float | None
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` turns back into an equal state."""
        return {"version": STATE_VERSION, "resume_s": self.resume_s, "data": dict(self.data)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The state that `to_json` wrote.

        Raises:
            UsageError: another version wrote it.
        """
        if data.get("version") != STATE_VERSION:
            raise UsageError(
                "the listening state was written by another version",
                hint="start again with --force",
                code="state_version",
            )
        return cls(data["resume_s"], data["data"])


@dataclass(frozen=True, slots=True)
class HearingReport:
    """What was heard so far, in seconds, and remarks for the user, one line each.

    `loudness_dbfs` is the mean power of what was not silent, None where all was silent.
    `cues` counts what was said by channel.
    """

    heard_s: float
    silent_s: float
    speech_s: float
    loudness_dbfs: float | None
    cues: Mapping[str, int]
    notes: tuple[str, ...]
