"""Speech to text by faster-whisper with weights that are on this machine; its only importer.

Nothing is downloaded: the package is only ever given a folder, and that has to hold the tokenizer,
which the package would fetch from the network otherwise.
"""

import importlib.metadata
import importlib.util
import os
from pathlib import Path
from typing import Any, Final

from streammem.audio.transcript import SpokenLine, SpokenWord, Transcript, whole_words
from streammem.core.errors import MissingError
from streammem.core.types import Floats

AUTO: Final = "auto"
# Tried in this order in the user's cache: what two cores keep up with comes first.
KNOWN_MODELS: Final = ("small", "base", "medium", "large-v3-turbo", "large-v3", "large-v2", "tiny")
INSTALL: Final = "pip install 'streammem[speech]'"
GET_WEIGHTS: Final = (
    "fetch one once with `hf download Systran/faster-whisper-small`, or name the folder of a "
    "CTranslate2 Whisper model in the setting ingest.speech_model"
)
_FILES = ("model.bin", "config.json", "tokenizer.json")
# Whisper's own limits: what compresses better repeats itself, what is less likely is noise.
_LOOP_RATIO = 2.4
_NO_SPEECH = 0.6
_NO_SPEECH_LOGPROB = -1.0


class FasterWhisper:
    """Whisper on CTranslate2, with one temperature and no context: equal speech gives equal text.

    Raises:
        MissingError: the package or the weights are not here, or they cannot be used.
    """

    def __init__(self, weights: str, *, device: str = "cpu", threads: int = 0) -> None:
        if importlib.util.find_spec("faster_whisper") is None:
            raise MissingError(
                "faster-whisper is not installed", hint=INSTALL, code="missing_dependency"
            )
        folder = find_weights(weights)
        try:
            import faster_whisper
        except ImportError as error:
            raise MissingError(
                f"faster-whisper cannot be loaded: {error}",
                hint=INSTALL,
                code="missing_dependency",
            ) from error
        try:
            self._model: Any = faster_whisper.WhisperModel(
                str(folder),
                device=device,
                compute_type="int8" if device == "cpu" else "default",
                cpu_threads=threads or cores(),
                local_files_only=True,
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise MissingError(
                f"the Whisper model in {folder} cannot be used: {error}",
                hint=GET_WEIGHTS,
                code="weights_unusable",
            ) from error
        self.id = describe(folder)

    def transcribe(self, samples: Floats, language: str | None) -> Transcript:
        """The words in float32 `[S]` at 16 kHz, at most 30 s; `language` None detects it."""
        lines, facts = self._model.transcribe(
            samples,
            language=language if language in self._model.supported_languages else None,
            beam_size=5,
            temperature=[0.0],
            condition_on_previous_text=False,
            word_timestamps=True,
            vad_filter=False,
        )
        spoken = tuple(line for line in map(_line, lines) if line.words)
        return Transcript(spoken, facts.language, float(facts.language_probability))


def find_weights(wanted: str) -> Path:
    """The folder of a model: the one named, or of `auto` or a model's name one in the cache.

    Raises:
        MissingError: there is none.
    """
    folder = Path(wanted).expanduser()
    if wanted != AUTO and folder.is_dir():
        missing = [name for name in _FILES if not (folder / name).is_file()]
        if not missing:
            return folder
        raise MissingError(
            f"{folder} is no CTranslate2 Whisper model: {', '.join(missing)} is missing",
            hint=GET_WEIGHTS,
            code="weights_unusable",
        )
    names = KNOWN_MODELS if wanted == AUTO else (wanted,)
    for name in names:
        for snapshot in _snapshots(name):
            if all((snapshot / file).is_file() for file in _FILES):
                return snapshot
    what = "no Whisper model is" if wanted == AUTO else f"the Whisper model {wanted} is not"
    raise MissingError(f"{what} on this machine", hint=GET_WEIGHTS, code="missing_weights")


def describe(folder: Path) -> str:
    """Engine and weights in words, without loading them."""
    size = (folder / "model.bin").stat().st_size
    version = importlib.metadata.version("faster-whisper")
    return f"faster-whisper {version} {_name(folder)} {size}"


def _line(segment: Any) -> SpokenLine:
    silence = segment.no_speech_prob > _NO_SPEECH and segment.avg_logprob < _NO_SPEECH_LOGPROB
    if silence or segment.compression_ratio > _LOOP_RATIO:
        return SpokenLine(())
    words = segment.words or ()
    pieces = [SpokenWord(w.word, float(w.start), float(w.end), float(w.probability)) for w in words]
    return SpokenLine(whole_words(pieces))


def _snapshots(name: str) -> list[Path]:
    """The cached revisions of a model, newest first."""
    owner = "mobiuslabsgmbh" if name == "large-v3-turbo" else "Systran"
    slug = f"models--{owner}--faster-whisper-{name}" if "/" not in name else _slug(name)
    found = (_hub_cache() / slug / "snapshots").glob("*")
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def _slug(repository: str) -> str:
    return f"models--{repository.replace('/', '--')}"


def _hub_cache() -> Path:
    """Where huggingface_hub keeps its files, by the same variables that it reads."""
    if folder := os.environ.get("HF_HUB_CACHE"):
        return Path(folder).expanduser()
    if home := os.environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "huggingface" / "hub"


def _name(folder: Path) -> str:
    return folder.parent.parent.name if folder.parent.name == "snapshots" else folder.name


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
