"""`transformers:FOLDER`: a vision-language model on this machine, on the processor or a GPU."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from streammem.answer.base import OnProgress
from streammem.answer.language import LanguageAnswerer
from streammem.answer.prompt import Prompt
from streammem.core.errors import MissingError, UsageError

EXTRA = "pip install 'streammem[vlm]'"


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """Where a model runs and how much it may write; `cue_chars` of the stream's words are told."""

    device: str = "auto"
    max_tokens: int = 400
    cue_chars: int = 4000


class LocalModel(LanguageAnswerer):
    """A folder with a model as answerer. Loaded once; its own code is never run."""

    def __init__(self, folder: str, settings: LocalSettings) -> None:
        """Load the model of a folder.

        Raises:
            UsageError: there is no such folder.
            MissingError: the extra is not installed, the folder holds no model that can be used,
                or the device is not here.
        """
        super().__init__(settings.cue_chars)
        path = Path(folder).expanduser()
        check_folder(path)
        from streammem.answer._transformers import VisionLanguageModel

        self._folder = folder
        self._max_tokens = settings.max_tokens
        self._model = VisionLanguageModel(path, settings.device)

    @property
    def name(self) -> str:
        """`transformers:` and the folder."""
        return f"transformers:{self._folder}"

    def _write(self, prompt: Prompt, on_progress: OnProgress) -> str:
        written = self._model.write(prompt, self._max_tokens)
        on_progress(len(written))
        return written


def check_folder(path: Path) -> None:
    """Say what is wrong with a folder before anything heavy is imported.

    Raises:
        UsageError: there is no such folder.
        MissingError: transformers is not installed, or this is no model with safe weights.
    """
    if not path.is_dir():
        raise UsageError(
            f"there is no folder {path}",
            hint="transformers:FOLDER names a model that lies on this machine",
            code="no_model",
        )
    if importlib.util.find_spec("transformers") is None:
        raise MissingError(
            "local models need the extra `vlm`", hint=EXTRA, code="missing_dependency"
        )
    if not (path / "config.json").is_file():
        raise MissingError(
            f"{path} holds no model: config.json is missing",
            hint="name the folder of a vision-language model as the hub lays it out",
            code="missing_weights",
        )
    if not any(path.glob("*.safetensors")):
        raise MissingError(
            f"{path} holds no weights as safetensors",
            hint="other formats can hold code and are not read; convert them first",
            code="missing_weights",
        )
