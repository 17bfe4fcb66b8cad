"""Every setting with its default, and the order in which the places that set it are read.

The classes below are the one place for defaults; `configs/default.toml` states the same values
with their meaning, and a test compares the two. Later places win:
built-in, user file, project file (`streammem.toml`), environment (`STREAMMEM_*`), flags.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from streammem.core.budget import MIB, MIN_BUDGET_BYTES, format_bytes, parse_bytes
from streammem.core.errors import ConfigError
from streammem.core.languages import two_letters

PROJECT_FILE = "streammem.toml"
ENV_PREFIX = "STREAMMEM_"
# Set by tests, the benchmarks and the debug switch; they are not settings.
_ENV_NOT_SETTINGS = frozenset({"STREAMMEM_SHARED", "STREAMMEM_DEBUG", "STREAMMEM_REQUIRE_CUDA"})
_DEVICE = re.compile(r"auto|cpu|mps|cuda(?::\d{1,3})?")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LibraryConfig(_Section):
    """Where memories live."""

    folder: str = ""
    copies: int = 32 * 1024 * MIB

    @field_validator("copies", mode="before")
    @classmethod
    def _read_size(cls, value: object) -> object:
        return parse_bytes(value) if isinstance(value, str) else value


class IngestConfig(_Section):
    """How a source becomes a memory."""

    fps: float = Field(default=2.0, gt=0, le=240)
    budget: int = 32 * MIB
    policy: str = "streammem"
    encoder: str = "auto"
    weights: str = ""
    device: str = "auto"
    reader: str = "auto"
    subtitles: str = "auto"
    subtitle_language: str = ""
    audio: bool = True
    screen_text: bool = True
    speech_model: str = "auto"
    speech_language: str = ""
    sound_model: str = ""
    commit_frames: int = Field(default=64, ge=1, le=4096)
    commit_seconds: float = Field(default=5.0, gt=0)

    @field_validator("device")
    @classmethod
    def _read_device(cls, value: str) -> str:
        # Not every encoder looks at it, and a word that means nothing must not pass unseen.
        if not _DEVICE.fullmatch(value):
            raise ValueError("it must be auto, cpu, cuda or cuda:N")
        return value

    @field_validator("subtitle_language", "speech_language")
    @classmethod
    def _read_language(cls, value: str) -> str:
        if value and two_letters(value) is None:
            raise ValueError("it must be a language code such as en, or empty")
        return two_letters(value) or ""

    @field_validator("budget", mode="before")
    @classmethod
    def _read_size(cls, value: object) -> object:
        size = parse_bytes(value) if isinstance(value, str) else value
        if isinstance(size, int) and size < MIN_BUDGET_BYTES:
            raise ValueError(f"the smallest accepted budget is {format_bytes(MIN_BUDGET_BYTES)}")
        return size


class EncodersConfig(_Section):
    """Which encoders `auto` tries, first to last; the first whose weights are here is used."""

    auto: tuple[str, ...] = (
        "open_clip:ViT-B-16-SigLIP2/webli",
        "open_clip:MobileCLIP2-S2/dfndr2b",
        "open_clip:ViT-B-32/laion2b_s34b_b79k",
        "embedded",
    )

    @field_validator("auto", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return tuple(value) if isinstance(value, list) else value


class QueryConfig(_Section):
    """How questions are answered."""

    top_k: int = Field(default=5, ge=1, le=1000)
    min_confidence: float = Field(default=0.5, ge=0, le=1)
    answerer: str = "evidence"
    second_look: bool = False


class AnswerConfig(_Section):
    """How an answerer with a language model is asked."""

    model: str = ""
    key_file: str = ""
    timeout_seconds: float = Field(default=60.0, gt=0, le=3600)
    max_tokens: int = Field(default=400, ge=1, le=32_768)
    pictures: int = Field(default=8, ge=0, le=64)
    picture_px: int = Field(default=512, ge=32, le=4096)
    cue_chars: int = Field(default=4000, ge=0, le=200_000)


class Config(_Section):
    """The whole configuration tree."""

    library: LibraryConfig = LibraryConfig()
    ingest: IngestConfig = IngestConfig()
    encoders: EncodersConfig = EncodersConfig()
    query: QueryConfig = QueryConfig()
    answer: AnswerConfig = AnswerConfig()


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration with, for each dotted key, the place its value came from."""

    config: Config
    origins: Mapping[str, str]

    def rows(self) -> list[tuple[str, Any, str]]:
        """(key, value, origin) of every setting, in the order of the classes."""
        rows: list[tuple[str, Any, str]] = []
        for section, content in self.config.model_dump(mode="json").items():
            for key, value in content.items():
                dotted = f"{section}.{key}"
                rows.append((dotted, value, self.origins.get(dotted, "built-in")))
        return rows


def user_config_path() -> Path:
    """The user's configuration file, whether or not it exists."""
    return Path(platformdirs.user_config_dir("streammem")) / "config.toml"


def default_library_folder() -> Path:
    """The platform's data folder for memories."""
    return Path(platformdirs.user_data_dir("streammem")) / "library"


def model_cache_folder() -> Path:
    """Where pulled weights live."""
    return Path(platformdirs.user_cache_dir("streammem")) / "models"


def store_copies_folder() -> Path:
    """Where copies of libraries in stores such as s3 live."""
    return Path(platformdirs.user_cache_dir("streammem")) / "stores"


def default_digests_folder() -> Path:
    """Where the digests of large files of weights are remembered."""
    return Path(platformdirs.user_cache_dir("streammem")) / "digests"


def load_config(
    *,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    project_folder: Path | None = None,
) -> LoadedConfig:
    """Read every place and return the validated result.

    Args:
        flags: Dotted keys set on the command line, e.g. `{"ingest.fps": 1.0}`; None is unset.
        environ: The environment, `os.environ` by default.
        project_folder: Where `streammem.toml` is looked for, the working folder by default.

    Raises:
        ConfigError: a key is unknown, a value is out of range or a file cannot be read.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}

    def put(dotted: str, value: Any, origin: str) -> None:
        _check_key(dotted, origin)
        values[dotted] = value
        origins[dotted] = origin

    project_file = (project_folder or Path.cwd()) / PROJECT_FILE
    for path in (user_config_path(), project_file):
        for dotted, value in _read_file(path).items():
            put(dotted, value, str(path))
    for name, text in environ.items():
        found = _env_key(name)
        if found is not None:
            put(found, text, name)
    for dotted, value in (flags or {}).items():
        if value is not None:
            put(dotted, value, "flag")
    return LoadedConfig(_validate(values, origins), origins)


def _env_key(name: str) -> str | None:
    """The dotted key that an environment variable sets, None for one that sets nothing."""
    if not name.startswith(ENV_PREFIX) or name in _ENV_NOT_SETTINGS:
        return None
    if name == "STREAMMEM_LIBRARY":
        return "library.folder"
    section, _, key = name.removeprefix(ENV_PREFIX).lower().partition("_")
    return f"{section}.{key}" if section in Config.model_fields and key else None


def _known_keys() -> list[str]:
    tree = Config().model_dump()
    return [f"{section}.{key}" for section, content in tree.items() for key in content]


def _check_key(dotted: str, origin: str) -> None:
    known = _known_keys()
    if dotted not in known:
        near = difflib.get_close_matches(dotted, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "see `streammem config show`"
        raise ConfigError(f"unknown setting {dotted!r} in {origin}", hint=hint)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}", hint="it must be a TOML file") from error
    flat: dict[str, Any] = {}
    for section, content in data.items():
        if isinstance(content, dict):
            flat.update({f"{section}.{key}": value for key, value in content.items()})
        else:
            flat[section] = content
    return flat


def _validate(values: Mapping[str, Any], origins: Mapping[str, str]) -> Config:
    tree: dict[str, dict[str, Any]] = {}
    for dotted, value in values.items():
        section, _, key = dotted.partition(".")
        tree.setdefault(section, {})[key] = value
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        dotted = ".".join(str(part) for part in first["loc"][:2])
        raise ConfigError(
            f"{dotted} is {values.get(dotted)!r} (from {origins.get(dotted, '?')}): "
            f"{_sentence(first['msg'])}",
            hint="see `streammem config show` for every setting and its value",
        ) from error


def _sentence(message: str) -> str:
    """The validator's words, to go on a sentence with."""
    plain = message.removeprefix("Value error, ")
    return f"{plain[0].lower()}{plain[1:]}"
