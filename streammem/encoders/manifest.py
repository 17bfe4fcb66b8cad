"""Reads `models/<id>/manifest.toml`, so that what belongs to a model is data and is checked."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from streammem.core.assets import asset_folder
from streammem.core.errors import MissingError
from streammem.core.types import Background
from streammem.encoders.digests import file_digest
from streammem.encoders.preprocess import Preprocessing

MANIFEST_FILE = "manifest.toml"
BACKGROUND_FILE = "background.safetensors"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Constants of the confidence: midpoint and scale in standard deviations over a background."""

    kind: str
    midpoint: float
    scale: float


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a model folder says about itself.

    `kind` is `embedded` (usable as it is) or `architecture` (a configuration without weights).
    `files` maps the name of each data file to its hex SHA-256. `dim` is None where only the
    loaded weights can tell. `nouns` maps the nouns that a trained model was measured on to their
    average precision.
    """

    id: str
    kind: str
    licence: str
    summary: str
    folder: Path
    dim: int | None = None
    preprocessing: Preprocessing | None = None
    calibration: Calibration | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    nouns: Mapping[str, float] = field(default_factory=dict)

    def file(self, name: str) -> Path:
        """The path of a listed file, after its digest was compared.

        Raises:
            MissingError: the file is not listed, not there or not the listed one.
        """
        path = self.folder / name
        if name not in self.files or not path.is_file():
            raise MissingError(
                f"model {self.id!r} has no file {name!r} in {self.folder}",
                hint="reinstall streammem",
                code="missing_assets",
            )
        found = file_digest(path)
        if found != self.files[name]:
            raise MissingError(
                f"{path} has digest {found[:12]}, its manifest says {self.files[name][:12]}",
                hint="reinstall streammem",
                code="digest_mismatch",
            )
        return path


def read_background(manifest: Manifest) -> Background | None:
    """The shipped background with its calibration, None where the model has none."""
    if manifest.calibration is None or BACKGROUND_FILE not in manifest.files:
        return None
    from safetensors.numpy import load_file

    vectors = load_file(manifest.file(BACKGROUND_FILE))["vectors"].astype(np.float32)
    calibration = manifest.calibration
    return Background(vectors, calibration.kind, calibration.midpoint, calibration.scale)


def read_manifests() -> tuple[Manifest, ...]:
    """The manifests of all model folders that are installed, by id."""
    found = sorted(asset_folder("models").glob(f"*/{MANIFEST_FILE}"))
    return tuple(read_manifest(path.parent) for path in found)


def installed_manifest(model_id: str) -> Manifest | None:
    """The manifest of `models/<model_id>`, None where there is no such folder."""
    folder = asset_folder("models") / model_id
    return read_manifest(folder) if (folder / MANIFEST_FILE).is_file() else None


def read_manifest(folder: Path) -> Manifest:
    """The manifest in `folder`.

    Raises:
        MissingError: it is not readable as TOML or lacks a field.
    """
    path = folder / MANIFEST_FILE
    try:
        return _parse(tomllib.loads(path.read_text(encoding="utf-8")), folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MissingError(
            f"cannot read the manifest {path}: {error!r}",
            hint="reinstall streammem",
            code="bad_manifest",
        ) from error


def _parse(data: Mapping[str, Any], folder: Path) -> Manifest:
    preprocessing, calibration = data.get("preprocessing"), data.get("calibration")
    return Manifest(
        id=data["id"],
        kind=data["kind"],
        licence=data["licence"],
        summary=data["summary"],
        folder=folder,
        dim=data.get("dim"),
        preprocessing=Preprocessing.from_json(preprocessing) if preprocessing else None,
        calibration=Calibration(**calibration) if calibration else None,
        files=data.get("files", {}),
        nouns=data.get("nouns", {}),
    )
