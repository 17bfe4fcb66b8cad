"""A small BERT sentence encoder in NumPy: it answers a question before torch would be imported.

Source: all-MiniLM-L6-v2 (Reimers and Gurevych, Sentence-BERT, EMNLP 2019; Wang et al., MiniLM,
NeurIPS 2020): six layers of twelve heads, mean of the last states, unit length.
"""

import functools
import importlib.util
import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from streammem.core.types import Floats
from streammem.text.wordpiece import WordPieces

_LONGEST = 256
_EPSILON = np.float32(1e-12)


class MiniLM:
    """The model of a folder as sentence-transformers writes it. Immutable; any thread."""

    def __init__(self, folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self._heads = int(config["num_attention_heads"])
        self._pieces = WordPieces.read(folder / "vocab.txt")
        weights = _mapped(folder / "model.safetensors")
        prefix = "" if "embeddings.word_embeddings.weight" in weights else "bert."

        def pair(place: str) -> tuple[Floats, Floats]:
            return weights[f"{prefix}{place}.weight"], weights[f"{prefix}{place}.bias"]

        self._words = weights[f"{prefix}embeddings.word_embeddings.weight"]
        kinds = weights[f"{prefix}embeddings.token_type_embeddings.weight"]
        self._positions = weights[f"{prefix}embeddings.position_embeddings.weight"] + kinds[0]
        self._norm = pair("embeddings.LayerNorm")
        self._layers = [
            {name: pair(f"encoder.layer.{number}.{place}") for name, place in _PLACES.items()}
            for number in range(int(config["num_hidden_layers"]))
        ]

    @property
    def dim(self) -> int:
        """D, the width of an embedding."""
        return int(self._words.shape[1])

    def embed(self, text: str) -> Floats:
        """The unit vector `[D]` of a text; of one longer than 256 pieces the beginning."""
        numbers = self._pieces.encode(text, _LONGEST)
        with _one_thread():
            states = _normed(self._words[numbers] + self._positions[: len(numbers)], *self._norm)
            for layer in self._layers:
                states = self._layer(states, layer)
            mean = states.mean(axis=0)
        return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), np.float32)

    def _layer(self, states: Floats, layer: dict[str, tuple[Floats, Floats]]) -> Floats:
        attended = _linear(self._attend(states, layer), *layer["out"])
        states = _normed(states + attended, *layer["out_norm"])
        inner = _gelu(_linear(states, *layer["up"]))
        return _normed(states + _linear(inner, *layer["down"]), *layer["down_norm"])

    def _attend(self, states: Floats, layer: dict[str, tuple[Floats, Floats]]) -> Floats:
        count, width = states.shape
        shape = (count, self._heads, width // self._heads)
        queries, keys, values = (
            _linear(states, *layer[name]).reshape(shape).transpose(1, 0, 2)
            for name in ("query", "key", "value")
        )
        scores = queries @ keys.transpose(0, 2, 1) / np.float32(np.sqrt(shape[2]))
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        return np.asarray((weights @ values).transpose(1, 0, 2).reshape(count, width), np.float32)


_PLACES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "out": "attention.output.dense",
    "out_norm": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "down_norm": "output.LayerNorm",
}


def _one_thread() -> AbstractContextManager[object]:
    """Matrices this small take longer on several threads, and their last digits would depend on it.

    threadpoolctl comes with the extra that brings the model; without it NumPy does as it is set.
    """
    controller = _thread_controller()
    if controller is None:
        return nullcontext()
    limited: AbstractContextManager[object] = controller.limit(limits=1, user_api="blas")
    return limited


@functools.cache
def _thread_controller() -> Any:
    if importlib.util.find_spec("threadpoolctl") is None:
        return None
    return importlib.import_module("threadpoolctl").ThreadpoolController()


def _mapped(path: Path) -> dict[str, Floats]:
    """The float32 arrays of a safetensors file, mapped: only what is used is read from the disk.

    The file is a length, that many bytes of JSON that say where each array lies, and the arrays.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    data = np.memmap(path, np.uint8, "r", 8 + length)
    arrays = {}
    for name, about in header.items():
        if name != "__metadata__" and about["dtype"] == "F32":
            first, last = about["data_offsets"]
            arrays[name] = data[first:last].view(np.float32).reshape(about["shape"])
    return arrays


def _linear(states: Floats, weight: Floats, bias: Floats) -> Floats:
    return np.asarray(states @ weight.T + bias, np.float32)


def _normed(states: Floats, weight: Floats, bias: Floats) -> Floats:
    centred = states - states.mean(axis=-1, keepdims=True)
    spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + _EPSILON)
    return np.asarray(centred / spread * weight + bias, np.float32)


def _gelu(values: Floats) -> Floats:
    """Half of x times one plus the error function of x over the root of two.

    Source: Abramowitz and Stegun 7.1.26, whose error is below 1.5e-7.
    """
    scaled = np.abs(values) * np.float32(np.sqrt(0.5))
    t = 1.0 / (1.0 + np.float32(0.3275911) * scaled)
    series = np.zeros_like(t)
    for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + np.float32(factor)) * t
    error = np.sign(values) * (1.0 - series * np.exp(-scaled * scaled))
    return np.asarray(0.5 * values * (1.0 + error), np.float32)
