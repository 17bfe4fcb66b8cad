"""The image tower of the trained encoder: what its weights file says, run by torch."""

import math
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from streammem.core.types import Floats, Pixels

_Layer = Callable[[Any], Any]
_BRANCH = 3
# How much of the whole picture is in a token, beside one of its own place and one of those around.
_OF_WHOLE = 2.0
_DTYPES = ("float32", "bfloat16")


class ImageTower:
    """Convolutions and bottlenecks over fitted pictures, in the order of the file's tensors.

    `body.N` is a convolution, a patch one where its side is its stride; `body.N.branch.M` are the
    three convolutions of a bottleneck. Norms are folded into the weights. torch is imported when
    a tower is made, because questions need none of this.

    A batch is cut into one part a thread. torch's own threads wait for each other after every
    layer, which on a busy machine takes ten times as long as the arithmetic.

    A token leans on its surroundings: it is the sum of the unit vectors of its own place, of the
    mean of the places around it, and, twice, of the whole picture. The best of 36 tokens that each
    speak for themselves is too often one that is wrong.

    The convolutions compute in `dtype`, float32 or bfloat16; all else is float32.
    """

    def __init__(self, weights: Path, *, threads: int, dtype: str = "float32") -> None:
        import torch
        from safetensors.torch import load_file

        if dtype not in _DTYPES:
            raise ValueError(f"{dtype!r} is none of {', '.join(_DTYPES)}")
        self._torch = torch
        self._threads = threads
        self._dtype = getattr(torch, dtype)
        self._pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
        tensors = {
            name: _laid_out(torch, value.float()) for name, value in load_file(weights).items()
        }
        self._scale, self._shift = tensors["input.scale"], tensors["input.shift"]
        self._project, self._offset = tensors["project.weight"], tensors["project.bias"]
        body = {name: value.to(self._dtype) for name, value in tensors.items()}
        self._layers = _layers(torch, body)

    def encode(self, fitted: Pixels) -> tuple[Floats, Floats]:
        """Unit embeddings `[B D]` and unit tokens `[B P D]` of uint8 `[B 3 S S]`."""
        return self.start(fitted, lambda part: part)()

    def start(
        self, pictures: Pixels, fit: Callable[[Pixels], Pixels]
    ) -> Callable[[], tuple[Floats, Floats]]:
        """The same in the background, of pictures that `fit` makes fit; the result waits for it."""
        parts = np.array_split(pictures, min(self._threads, len(pictures)))
        running = [self._pool.submit(self._encode_part, part, fit) for part in parts]

        def finish() -> tuple[Floats, Floats]:
            found = [each.result() for each in running]
            whole, tokens = (np.concatenate(each) for each in zip(*found, strict=True))
            return whole, tokens

        return finish

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def _encode_part(self, part: Pixels, fit: Callable[[Pixels], Pixels]) -> tuple[Floats, Floats]:
        torch = self._torch
        with torch.inference_mode():
            pictures = torch.from_numpy(np.ascontiguousarray(fit(part))).float()
            values = (pictures * self._scale + self._shift).to(
                self._dtype, memory_format=torch.channels_last
            )
            for layer in self._layers:
                values = layer(values)
            features = values.float().flatten(2).transpose(1, 2)
            tokens = features @ self._project.T + self._offset
            # The projection is linear, so the mean may be taken after it.
            whole = _unit(torch, tokens.mean(1))
            units = _unit(torch, tokens)
            leaning = units + _unit(torch, _around(torch, units)) + _OF_WHOLE * whole[:, None]
            return whole.numpy(), _unit(torch, leaning).numpy()


def _unit(torch: Any, vectors: Any) -> Any:
    return torch.nn.functional.normalize(vectors, dim=-1)


def _around(torch: Any, tokens: Any) -> Any:
    """Means of `[B P D]` over each place of the square grid with those that touch it."""
    side = math.isqrt(tokens.shape[1])
    grid = tokens.transpose(1, 2).unflatten(2, (side, side))
    means = torch.nn.functional.avg_pool2d(grid, 3, 1, 1, count_include_pad=False)
    return means.flatten(2).transpose(1, 2)


def _laid_out(torch: Any, tensor: Any) -> Any:
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def _layers(torch: Any, tensors: Mapping[str, Any]) -> list[_Layer]:
    layers: list[_Layer] = []
    for number in count():
        if f"body.{number}.weight" in tensors:
            layers.append(_convolution(torch, tensors, f"body.{number}", patches=True))
        elif f"body.{number}.branch.0.weight" in tensors:
            layers.append(_bottleneck(torch, tensors, f"body.{number}.branch"))
        else:
            break
    held = [name for name in tensors if re.match(r"body\.\d+", name)]
    used = {name.split(".")[1] for name in held}
    if len(used) != len(layers):
        raise ValueError(f"{len(used)} layers in the weights, {len(layers)} in a row")
    return layers


def _convolution(
    torch: Any, tensors: Mapping[str, Any], name: str, *, patches: bool, last: bool = False
) -> _Layer:
    weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
    side = weight.shape[-1]
    stride, padding = (side, 0) if patches else (1, side // 2)

    def run(values: Any) -> Any:
        found = torch.nn.functional.conv2d(values, weight, bias, stride=stride, padding=padding)
        return found if last else found.relu_()

    return run


def _bottleneck(torch: Any, tensors: Mapping[str, Any], name: str) -> _Layer:
    parts = [
        _convolution(torch, tensors, f"{name}.{place}", patches=False, last=place == _BRANCH - 1)
        for place in range(_BRANCH)
    ]

    def run(values: Any) -> Any:
        found = values
        for part in parts:
            found = part(found)
        return found.add_(values).relu_()

    return run
