"""The encoder that ships with streammem: nouns learned by a small network, colours measured."""

import os
from functools import cached_property, partial
from typing import Final

import numpy as np

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
from streammem.encoders._descriptor import DescriptorEncoder
from streammem.encoders.base import Encoder, Labels, check_pictures
from streammem.encoders.descriptor_text import LABELS
from streammem.encoders.digests import digest_of
from streammem.encoders.embedded_text import Nouns, TextTower
from streammem.encoders.embedded_tower import ImageTower
from streammem.encoders.manifest import Manifest, read_background, read_manifest
from streammem.encoders.names import EMBEDDED_ID
from streammem.encoders.preprocess import Preprocessing, fit
from streammem.encoders.runtime_choice import has_fast_bfloat16

WEIGHTS_FILE: Final = "weights.safetensors"
WORDS_FILE: Final = "words.txt"
VECTORS_FILE: Final = "words.safetensors"
# The share of a vector's squared norm that the learned part takes; the descriptor has the rest.
LEARNED_SHARE: Final = 0.6
# A noun is offered as a name for what is seen where it was measured to be this reliable.
NAMING_PRECISION: Final = 0.5
_BATCH_SIZE: Final = 32


class EmbeddedEncoder(Encoder):
    """A picture's vector is the learned one beside the descriptor's, and so is each token.

    Equal batches give equal bits under an equal runtime. The text side needs NumPy only.
    """

    def __init__(self, runtime: RuntimeChoice | None = None) -> None:
        self._manifest = read_manifest(asset_folder("models") / EMBEDDED_ID)
        self._given_runtime = runtime
        self._measured = DescriptorEncoder()
        size, preprocessing = self._measured.spec, _preprocessing(self._manifest)
        self._preprocessing = preprocessing
        self._spec = EncoderSpec(
            id=EMBEDDED_ID,
            digest=digest_of(
                {
                    "encoder": EMBEDDED_ID,
                    "preprocessing": preprocessing.to_json(),
                    "files": dict(self._manifest.files),
                    "learned_share": LEARNED_SHARE,
                    "descriptor": size.digest,
                }
            ),
            image_size_px=preprocessing.image_size_px,
            mean=preprocessing.mean,
            std=preprocessing.std,
            interpolation=preprocessing.name,
            dim=self._manifest.dim or 0,
            token_grid=size.token_grid,
        )

    @property
    def spec(self) -> EncoderSpec:
        """The digest covers the weights, words, preprocessing and the descriptor's design."""
        return self._spec

    @cached_property
    def runtime(self) -> RuntimeChoice:
        """The number type that the processor is made for, on the cores there are; nothing timed."""
        if self._given_runtime is not None:
            return self._given_runtime
        dtype = "bfloat16" if has_fast_bfloat16() else "float32"
        return RuntimeChoice(
            dtype=dtype,
            batch_size=_BATCH_SIZE,
            threads=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1,
            reason=f"the embedded encoder runs in {dtype} on the cores of this process",
        )

    def encode_images(self, pixels: Pixels) -> FrameFeatures:
        """Embeddings `[B D]` and a 6 x 6 grid of tokens `[B 36 D]` in the same space."""
        check_pictures(pixels)
        learned = self._tower.start(pixels, partial(fit, wanted=self._preprocessing))
        measured = self._measured.encode_images(pixels)
        assert measured.tokens is not None
        whole, tokens = learned()
        return FrameFeatures(_joined(whole, measured.embeddings), _joined(tokens, measured.tokens))

    def encode_text(self, text: str) -> TextFeatures:
        """What the known words ask for; zeros where there is none, with all words listed."""
        vector, unknown = self._text.embed(text)
        return TextFeatures(vector, unknown, self._text.found_share(text))

    def background(self) -> Background | None:
        """Picture vectors of `models/embedded-v1`."""
        return self._background

    def labels(self) -> Labels:
        """The nouns that were measured to be reliable, then colours, light and texture."""
        return self._labels

    def close(self) -> None:
        """End the network's threads, if it was used."""
        if "_tower" in self.__dict__:
            self._tower.close()

    @cached_property
    def _tower(self) -> ImageTower:
        runtime = self.runtime
        weights = self._manifest.file(WEIGHTS_FILE)
        return ImageTower(weights, threads=runtime.threads, dtype=runtime.dtype)

    @cached_property
    def _text(self) -> TextTower:
        from safetensors.numpy import load_file

        lines = self._manifest.file(WORDS_FILE).read_text(encoding="utf-8").splitlines()
        words = {word: row for row, line in enumerate(lines) for word in line.split(",")}
        held = load_file(self._manifest.file(VECTORS_FILE))
        vectors = held["codes"].astype(np.float32) * held["scales"].astype(np.float32)[:, None]
        nouns = Nouns(words, vectors, held["precision"], held["found"])
        return TextTower(nouns, self._background.vectors)

    @cached_property
    def _background(self) -> Background:
        background = read_background(self._manifest)
        if background is None:
            raise MissingError(
                f"model {EMBEDDED_ID!r} has no background in {self._manifest.folder}",
                hint="reinstall streammem",
                code="missing_assets",
            )
        return background

    @cached_property
    def _labels(self) -> Labels:
        nouns = [noun for noun, found in self._manifest.nouns.items() if found >= NAMING_PRECISION]
        words = (*nouns, *LABELS)
        return Labels(words, np.stack([self._text.embed(phrase)[0] for phrase in words]))


def _preprocessing(manifest: Manifest) -> Preprocessing:
    if manifest.preprocessing is None:
        raise MissingError(
            f"the manifest of {manifest.id!r} does not say how pictures are prepared",
            hint="reinstall streammem",
            code="bad_manifest",
        )
    return manifest.preprocessing


def _joined(learned: Floats, measured: Floats) -> Floats:
    """Unit vectors of both parts as unit vectors of the whole space."""
    shares = np.float32(np.sqrt(LEARNED_SHARE)), np.float32(np.sqrt(1 - LEARNED_SHARE))
    joined: Floats = np.concatenate([learned * shares[0], measured * shares[1]], axis=-1)
    return joined
