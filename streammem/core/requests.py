"""What callers ask for: the options of a question, and an ingest as the configuration has it."""

from dataclasses import dataclass, replace
from typing import Any

from streammem.core.config import Config
from streammem.core.results import IngestRequest


@dataclass(frozen=True, slots=True)
class AskOptions:
    """How a question is asked.

    `memories` empty means the whole library. `at_s` and `between_s` restrict the stream time.
    `thumbnails` is a folder that receives a picture of each piece of evidence.
    """

    memories: tuple[str, ...] = ()
    at_s: float | None = None
    between_s: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    top_k: int = 5
    min_confidence: float = 0.5
    answerer: str = "evidence"
    second_look: bool = False
    thumbnails: str | None = None
    explain: bool = False
    weights: str = ""
    device: str = "auto"


def questions_from_config(config: Config) -> AskOptions:
    """How questions are asked where the caller says nothing."""
    query = config.query
    return AskOptions(
        top_k=query.top_k,
        min_confidence=query.min_confidence,
        answerer=query.answerer,
        second_look=query.second_look,
    )


def request_from_config(config: Config, **overrides: Any) -> IngestRequest:
    """The ingest request that the configuration describes, with single fields replaced."""
    ingest = config.ingest
    request = IngestRequest(
        fps=ingest.fps,
        budget_bytes=ingest.budget,
        policy=ingest.policy,
        encoder=ingest.encoder,
        weights=ingest.weights,
        device=ingest.device,
        reader=ingest.reader,
        commit_frames=ingest.commit_frames,
        commit_s=ingest.commit_seconds,
        auto_encoders=config.encoders.auto,
        subtitles=ingest.subtitles,
        subtitle_language=ingest.subtitle_language,
        audio=ingest.audio,
        screen_text=ingest.screen_text,
        speech_model=ingest.speech_model,
        speech_language=ingest.speech_language,
        sound_model=ingest.sound_model,
    )
    return replace(request, **overrides)
