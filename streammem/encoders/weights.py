"""Finds weights that are already on this machine by reading folders; it fetches nothing."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from streammem.core.config import model_cache_folder
from streammem.core.errors import MissingError
from streammem.encoders.names import EncoderName
from streammem.encoders.registry import published

# Written last by a pull, so that a folder without it is an unfinished one.
PULL_RECORD: Final = "pulled.json"


@dataclass(frozen=True, slots=True)
class FoundWeights:
    """A weights file and where it was found, in words."""

    path: Path
    place: str


def pull_folder(name: EncoderName) -> Path:
    """Where `models pull` keeps the files of a model."""
    return model_cache_folder() / name.slug


def find_weights(name: EncoderName) -> FoundWeights | None:
    """The weights of exactly this model: pulled, or in the Hugging Face cache; else None."""
    if not name.tag:
        return None
    record = read_pull_record(pull_folder(name))
    if record is not None:
        path = pull_folder(name) / str(record["file"])
        if path.is_file():
            return FoundWeights(path, "pulled")
    entry = published(name.id)
    if entry is None:
        return None
    for snapshot in _snapshots(entry.repository):
        for file in entry.weights:
            if (snapshot / file).is_file():
                return FoundWeights(snapshot / file, "in the Hugging Face cache")
    return None


def read_pull_record(folder: Path) -> dict[str, Any] | None:
    """What a finished pull wrote about itself, None where there is none."""
    path = folder / PULL_RECORD
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return {"file": str(record["file"]), "sha256": str(record["sha256"])}
    except (ValueError, KeyError, TypeError) as error:
        raise MissingError(
            f"{path} is damaged: {error!r}",
            hint=f"remove the folder {folder} and pull the model again",
            code="weights_unusable",
        ) from error


def _snapshots(repository: str) -> list[Path]:
    """Cached revisions of a repository, the one its main branch points to first."""
    folder = hub_cache_folder() / f"models--{repository.replace('/', '--')}"
    snapshots = sorted((folder / "snapshots").glob("*"))
    main = folder / "refs" / "main"
    current = main.read_text(encoding="utf-8").strip() if main.is_file() else ""
    return sorted(snapshots, key=lambda path: path.name != current)


def hub_cache_folder() -> Path:
    """Where huggingface_hub keeps its files, by the same variables that it reads."""
    if folder := os.environ.get("HF_HUB_CACHE"):
        return Path(folder).expanduser()
    if home := os.environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "huggingface" / "hub"
