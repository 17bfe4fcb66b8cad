"""The adapter for open_clip models: CLIP, SigLIP, MobileCLIP."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final
from zipfile import is_zipfile

import numpy as np
import open_clip
import torch
from torch.overrides import TorchFunctionMode
from torch.utils import serialization

from streammem.core.assets import asset_folder
from streammem.core.errors import MissingError
from streammem.core.types import (
    Background,
    EncoderSpec,
    Floats,
    FrameFeatures,
    Pixels,
    RuntimeChoice,
    TextFeatures,
)
from streammem.encoders._devices import (
    MemoryMeter,
    free_bytes,
    resolve_device,
    types_worth_timing,
)
from streammem.encoders.base import Encoder, Labels, check_pictures
from streammem.encoders.digests import digest_of
from streammem.encoders.manifest import installed_manifest, read_background
from streammem.encoders.names import EncoderName
from streammem.encoders.phrases import BACKGROUND_PHRASES, LABEL_PHRASES
from streammem.encoders.preprocess import Preprocessing, fit
from streammem.encoders.preprocess_facts import stated_preprocessing
from streammem.encoders.runtime_choice import pick_batch_size, pick_dtype

_DTYPES: Final = {name: getattr(torch, name) for name in ("float32", "bfloat16", "float16")}
_TIMED_PICTURES: Final = 4
_TEXT_BATCH: Final = 64
_SLOW_S: Final = 2.0
_RANDOM_FILLS: Final = (
    torch.Tensor.normal_, torch.Tensor.uniform_, torch.nn.init.normal_, torch.nn.init.uniform_,
    torch.nn.init.trunc_normal_, torch.nn.init.kaiming_normal_, torch.nn.init.kaiming_uniform_,
    torch.nn.init.xavier_normal_, torch.nn.init.xavier_uniform_,
)  # fmt: skip

_Encoded = tuple[torch.Tensor, torch.Tensor | None]


def load_open_clip(
    name: EncoderName, weights: Path, *, device: str = "auto", runtime: RuntimeChoice | None = None
) -> "OpenClipEncoder":
    """The encoder with the weights of a file.

    Raises:
        UsageError: it cannot be known how pictures must be prepared for these weights.
        MissingError: the file holds no such model, or the device is not here.
    """
    _register_own_architecture(name.arch)
    preprocessing = _preprocessing(name, weights)
    place = resolve_device(runtime.device if runtime else device)
    quick_gelu = bool(open_clip.get_pretrained_cfg(name.arch, name.tag).get("quick_gelu"))
    try:
        model = _load_model(name.arch, weights, quick_gelu=quick_gelu)
    except MemoryError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise MissingError(
            f"{weights} holds no usable weights of {name.arch}: "
            f"{reason[0] if reason else type(error).__name__}",
            hint="check that file and architecture belong together, or pull the model again",
            code="weights_unusable",
        ) from error
    return OpenClipEncoder(name, weights, model.to(place), preprocessing, runtime)


def _load_model(arch: str, weights: Path, *, quick_gelu: bool) -> Any:
    """The model in float32 with the weights of a file, mapped where its format allows.

    Mapped weights are read when used: a question never touches the image tower, and processes
    share the pages. Random numbers and a copy over them would take most of the loading time.
    """
    if weights.suffix != ".safetensors" and not is_zipfile(weights):
        return open_clip.create_model(
            arch, pretrained=str(weights), force_quick_gelu=quick_gelu, weights_only=True
        )
    with _NoRandomStart(), _no_word_of_random_weights():
        model = open_clip.create_model(arch, load_weights=False, force_quick_gelu=quick_gelu)
    model.load_state_dict = partial(model.load_state_dict, assign=True)
    with serialization.config.patch("load.mmap", True):  # type: ignore[attr-defined]
        open_clip.load_checkpoint(model, str(weights), strict=True, weights_only=True)
    del model.load_state_dict
    return model.to(torch.float32)


@contextmanager
def _no_word_of_random_weights() -> Iterator[None]:
    """Silence open_clip's warning that a model has no weights yet; they are loaded right after."""

    def quiet(record: logging.LogRecord) -> bool:
        return "No pretrained weights" not in record.getMessage()

    root = logging.getLogger()
    root.addFilter(quiet)
    try:
        yield
    finally:
        root.removeFilter(quiet)


class _NoRandomStart(TorchFunctionMode):
    """Leaves out the random numbers that a model starts with: strict loading replaces them all."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = kwargs or {}
        if func in _RANDOM_FILLS:
            return given["tensor"] if "tensor" in given else args[0]
        return func(*args, **given)


class OpenClipEncoder(Encoder):
    """Pictures in the number type chosen for this machine, texts always in float32.

    So a question's vector does not depend on how the memory was made. Without a given runtime
    the choice is made by a short self-timing when it is first needed; asking never needs it.
    """

    def __init__(
        self,
        name: EncoderName,
        weights: Path,
        model: Any,
        preprocessing: Preprocessing,
        runtime: RuntimeChoice | None,
    ) -> None:
        self._name, self._weights, self._preprocessing = name, weights, preprocessing
        self._model = model.eval().requires_grad_(False)
        self._device = next(model.parameters()).device
        self._tower = _Tower(model.visual)
        self._given_runtime = runtime
        self._spec = EncoderSpec(
            id=name.id,
            digest=digest_of(
                {"arch": name.arch, "preprocessing": preprocessing.to_json()},
                files={"weights": weights},
            ),
            image_size_px=preprocessing.image_size_px,
            mean=preprocessing.mean,
            std=preprocessing.std,
            interpolation=preprocessing.name,
            dim=int(open_clip.get_model_config(name.arch)["embed_dim"]),
            token_grid=self._tower.token_grid,
        )

    @property
    def spec(self) -> EncoderSpec:
        """The digest covers every byte of the weights file, the architecture and preprocessing."""
        return self._spec

    @cached_property
    def runtime(self) -> RuntimeChoice:
        """The given choice, else one made now by timing a few made-up pictures."""
        chosen = self._given_runtime or self._measured_runtime()
        if self._device.type == "cpu":
            torch.set_num_threads(chosen.threads)
        self._tower = self._tower.copy(_DTYPES[chosen.dtype])
        return chosen

    def encode_images(self, pixels: Pixels) -> FrameFeatures:
        """Embeddings `[B D]` and, where the architecture has them, patch tokens `[B P D]`."""
        check_pictures(pixels)
        dtype = _DTYPES[self.runtime.dtype]
        fitted = np.ascontiguousarray(fit(pixels, self._preprocessing))
        with torch.inference_mode():
            embeddings, tokens = self._tower.encode(self._scaled(self._staged(fitted)).to(dtype))
            kept = None if tokens is None else _unit(tokens).cpu().numpy()
            return FrameFeatures(_unit(embeddings).cpu().numpy(), kept)

    def encode_text(self, text: str) -> TextFeatures:
        """A unit vector; zeros for a blank text. The model accepts every word."""
        if not text.strip():
            return TextFeatures(np.zeros(self._spec.dim, np.float32))
        return TextFeatures(self._encode_texts([text])[0])

    def background(self) -> Background | None:
        """The calibrated one of the model's manifest, else generic phrases with usual constants."""
        return self._background

    def labels(self) -> Labels:
        """Common scenes, people, animals and things."""
        return self._labels

    def close(self) -> None:
        """Let go of the model, and of the device's memory that it held."""
        self._model = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    @cached_property
    def _background(self) -> Background:
        manifest = installed_manifest(self._name.slug)
        shipped = read_background(manifest) if manifest else None
        return shipped or Background(self._encode_texts(BACKGROUND_PHRASES), kind="text")

    @cached_property
    def _labels(self) -> Labels:
        words = tuple(dict.fromkeys(LABEL_PHRASES))
        return Labels(words, self._encode_texts(words))

    @cached_property
    def _tokenizer(self) -> Callable[[Sequence[str]], torch.Tensor]:
        return _tokenizer(self._name.arch, self._weights.parent)

    def _encode_texts(self, texts: Sequence[str]) -> Floats:
        rows = []
        with torch.inference_mode():
            for start in range(0, len(texts), _TEXT_BATCH):
                tokens = self._tokenizer(list(texts[start : start + _TEXT_BATCH]))
                rows.append(_unit(self._model.encode_text(tokens.to(self._device))))
            encoded: Floats = torch.cat(rows).cpu().numpy()
        return encoded

    def _staged(self, fitted: Pixels) -> torch.Tensor:
        """Pictures on the device, through pinned memory where that lets the copy overlap."""
        pictures = torch.from_numpy(fitted)
        if self._device.type == "cuda":
            return pictures.pin_memory().to(self._device, non_blocking=True)
        return pictures

    def _scaled(self, pictures: torch.Tensor) -> torch.Tensor:
        """Fitted uint8 pictures as the weights expect them, float32."""
        mean, std = self._mean_std
        return (pictures.to(torch.float32) / 255.0 - mean) / std

    @cached_property
    def _mean_std(self) -> tuple[torch.Tensor, torch.Tensor]:
        mean, std = (
            torch.tensor(values, dtype=torch.float32, device=self._device).reshape(1, 3, 1, 1)
            for values in (self._preprocessing.mean, self._preprocessing.std)
        )
        return mean, std

    def _measured_runtime(self) -> RuntimeChoice:
        """Number type by timing a few pictures in each, batch size by memory and time."""
        size = self._preprocessing.image_size_px
        noise = np.random.default_rng(0).integers(0, 256, (_TIMED_PICTURES, 3, size, size))
        pictures = self._scaled(self._staged(noise.astype(np.uint8)))
        seconds, needed = {}, {}
        for name in types_worth_timing(self._device):
            seconds[name], needed[name] = self._tower.copy(_DTYPES[name]).timed(pictures)
        chosen = pick_dtype(seconds)
        timings = ", ".join(f"{name} {1 / each:.0f}/s" for name, each in seconds.items())
        return RuntimeChoice(
            device=str(self._device),
            dtype=chosen,
            batch_size=pick_batch_size(seconds[chosen], needed[chosen], free_bytes(self._device)),
            threads=torch.get_num_threads(),
            reason=f"timed {_TIMED_PICTURES} pictures: {timings}",
        )


class _Tower:
    """An image tower with the way to its patch tokens, where the architecture has one.

    Patch tokens are brought into the text space by the map that the pooled vector goes through:
    CLIP's last norm and projection; SigLIP's attention pooling over one token alone.
    """

    def __init__(self, visual: Any) -> None:
        self.visual = visual
        self._encode: Callable[[torch.Tensor], _Encoded] = self._whole_only
        self.token_grid: tuple[int, int] | None = None
        trunk: Any = getattr(visual, "trunk", None)
        if isinstance(visual, open_clip.transformer.VisionTransformer):
            if visual.attn_pool is None and visual.pool_type in ("tok", "avg"):
                rows, columns = visual.grid_size
                self._encode, self.token_grid = self._vit, (rows, columns)
        elif getattr(trunk, "attn_pool", None) is not None and trunk.num_prefix_tokens == 0:
            rows, columns = trunk.patch_embed.grid_size
            self._encode, self.token_grid = self._attention_pooled, (rows, columns)

    def copy(self, dtype: torch.dtype) -> "_Tower":
        """The same tower in another number type; weights that are of that type are shared."""
        own = [*self.visual.parameters(), *self.visual.buffers()]
        converted: dict[int, Any] = {
            id(tensor): _converted(tensor, dtype) for tensor in own if tensor.is_floating_point()
        }
        return _Tower(deepcopy(self.visual, converted))

    def encode(self, pictures: torch.Tensor) -> _Encoded:
        """Embeddings `[B D]` and tokens `[B P D]` or None, not yet of unit norm."""
        return self._encode(pictures)

    def timed(self, pictures: torch.Tensor) -> tuple[float, int]:
        """Seconds and bytes of working memory that one of these pictures takes."""
        typed = pictures.to(next(self.visual.parameters()).dtype)
        seconds, needed = [], 0
        with torch.inference_mode():
            for run in range(2):
                with MemoryMeter(self.visual, typed.device, active=run == 0) as meter:
                    start = time.perf_counter()
                    self.encode(typed)
                    if typed.device.type == "cuda":
                        torch.cuda.synchronize(typed.device)
                    seconds.append(time.perf_counter() - start)
                needed = max(needed, meter.needed_bytes)
                # A slow first run already tells enough.
                if seconds[0] > _SLOW_S:
                    break
        return seconds[-1] / len(typed), needed // len(typed)

    def _whole_only(self, pictures: torch.Tensor) -> _Encoded:
        return self.visual(pictures), None

    def _vit(self, pictures: torch.Tensor) -> _Encoded:
        visual = self.visual
        visual.output_tokens = True
        pooled, tokens = visual(pictures)
        if visual.final_ln_after_pool:
            tokens = visual.ln_post(tokens)
        return pooled, tokens if visual.proj is None else tokens @ visual.proj

    def _attention_pooled(self, pictures: torch.Tensor) -> _Encoded:
        trunk, head = self.visual.trunk, self.visual.head
        features = trunk.forward_features(pictures)
        batch, count, width = features.shape
        alone = features.reshape(batch * count, 1, width)
        tokens = head(trunk.forward_head(alone)).reshape(batch, count, -1)
        return head(trunk.forward_head(features)), tokens


def _converted(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    converted = tensor.detach().to(dtype)
    if isinstance(tensor, torch.nn.Parameter):
        return torch.nn.Parameter(converted, requires_grad=False)
    return converted


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(vectors.to(torch.float32), dim=-1)


def _register_own_architecture(arch: str) -> None:
    """Make `models/<arch>/<arch>.json` known to open_clip, if it is one of ours."""
    if arch not in open_clip.list_models():
        open_clip.add_model_config(asset_folder("models") / arch / f"{arch}.json")


def _preprocessing(name: EncoderName, weights: Path) -> Preprocessing:
    size = open_clip.get_model_config(name.arch)["vision_cfg"].get("image_size", 224)
    tags = open_clip.list_pretrained_tags_by_model(name.arch)
    stated = {tag: open_clip.get_pretrained_cfg(name.arch, tag) for tag in tags}
    return stated_preprocessing(name, weights, size if isinstance(size, int) else size[0], stated)


def _tokenizer(arch: str, folder: Path) -> Callable[[Sequence[str]], torch.Tensor]:
    """The tokenizer of an architecture; files beside the weights are taken before the hub's cache.

    Nothing is fetched: one that is not on this machine is an error with the remedy.
    """
    text = open_clip.get_model_config(arch)["text_cfg"]
    hub_name = text.get("hf_tokenizer_name")
    if not hub_name:
        tokenizer: Callable[[Sequence[str]], torch.Tensor] = open_clip.get_tokenizer(arch)
        return tokenizer
    source = str(folder) if (folder / "tokenizer.json").is_file() else hub_name
    try:
        tokenizer = open_clip.tokenizer.HFTokenizer(
            source,
            context_length=text.get("context_length"),
            tokenizer_mode=text.get("tokenizer_mode"),
            local_files_only=True,
            **text.get("tokenizer_kwargs", {}),
        )
    except ImportError as error:
        raise MissingError(
            f"texts for {arch} need the package transformers",
            hint="pip install 'streammem[vlm]'",
            code="missing_package",
        ) from error
    except (OSError, ValueError) as error:
        raise MissingError(
            f"the tokenizer {hub_name} of {arch} is not on this machine",
            hint=f"pull a model of {arch}, or put its tokenizer.json beside the weights",
            code="missing_tokenizer",
        ) from error
    return tokenizer
