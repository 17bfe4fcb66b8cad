"""Finds out how pictures must be prepared for weights; where nothing says so, it is not guessed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from streammem.core.errors import UsageError
from streammem.encoders.manifest import installed_manifest
from streammem.encoders.names import EncoderName
from streammem.encoders.preprocess import Preprocessing

# The file beside published checkpoints that says how they were trained.
SIDE_FILE: Final = "open_clip_config.json"


def stated_preprocessing(
    name: EncoderName, weights: Path, size_px: int, published: Mapping[str, Mapping[str, Any]]
) -> Preprocessing:
    """What the weights were trained with: from their side file, our manifest or their tag.

    Without any of these, what all published weights of the architecture agree on.

    Args:
        name: Architecture and tag.
        weights: The checkpoint; its folder may hold a side file.
        size_px: Side of the pictures that the architecture takes.
        published: What open_clip states for each tag of the architecture.

    Raises:
        UsageError: nothing says so.
    """
    side_file = weights.parent / SIDE_FILE
    if side_file.is_file():
        stated = json.loads(side_file.read_text(encoding="utf-8")).get("preprocess_cfg", {})
        if {"mean", "std"} <= stated.keys():
            return _from_open_clip(stated, size_px)
    manifest = installed_manifest(name.arch)
    if manifest and manifest.preprocessing:
        return manifest.preprocessing
    if name.tag in published:
        return _from_open_clip(published[name.tag], size_px)
    found = {_from_open_clip(stated, size_px) for stated in published.values()}
    if len(found) == 1:
        return found.pop()
    reason = "its published weights differ" if found else "no weights of it are published"
    tags = f", or name the tag they come from: {', '.join(published)}" if published else ""
    raise UsageError(
        f"how pictures must be prepared for {weights} is not known: {reason}",
        hint=f"put the model's {SIDE_FILE} beside the file{tags}",
        code="unknown_preprocessing",
    )


def _from_open_clip(stated: Mapping[str, Any], size_px: int) -> Preprocessing:
    return Preprocessing(
        image_size_px=size_px,
        mean=tuple(stated["mean"]),
        std=tuple(stated["std"]),
        interpolation=stated.get("interpolation", "bicubic"),
        resize_mode=stated.get("resize_mode", "shortest"),
    )
