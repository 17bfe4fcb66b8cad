"""One body of promises that every encoder keeps."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streammem.core.errors import UsageError
from streammem.core.types import EncoderSpec, RuntimeChoice
from streammem.encoders.base import Encoder
from streammem.encoders.load import load_encoder

SINGLE = RuntimeChoice(device="cpu", dtype="float32", batch_size=8, threads=1)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random checkpoint of the tiny architecture."""
    import open_clip
    import torch

    from streammem.core.assets import asset_folder

    open_clip.add_model_config(asset_folder("models") / "tiny-clip" / "tiny-clip.json")
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "random.pt"
    torch.save(open_clip.create_model("tiny-clip").state_dict(), path)
    return path


@pytest.fixture(scope="module", params=["descriptor", "open_clip:tiny-clip"])
def encoder(request: pytest.FixtureRequest, tmp_path_factory) -> Iterator[Encoder]:
    """Each encoder, loaded as users load it."""
    if request.param == "descriptor":
        yield load_encoder("descriptor")
        return
    path = request.getfixturevalue("checkpoint")
    with load_encoder(request.param, weights=str(path), runtime=SINGLE) as loaded:
        yield loaded


def pictures(count: int, height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    """Blocky random pictures: noise at a scale that both encoders resolve."""
    small = np.random.default_rng(seed).integers(0, 256, (count, 3, 6, 8), dtype=np.uint8)
    return small.repeat(height // 6, axis=2).repeat(width // 8, axis=3)


def test_shapes_and_types_follow_the_spec(encoder):
    """Embeddings [B D] and tokens [B P D], float32, as the spec says."""
    features = encoder.encode_images(pictures(3))

    assert features.embeddings.shape == (3, encoder.spec.dim)
    assert features.embeddings.dtype == np.float32
    assert features.tokens is not None
    assert features.tokens.shape == (3, encoder.spec.token_count, encoder.spec.dim)
    assert features.tokens.dtype == np.float32


def test_image_vectors_have_norm_one(encoder):
    """Embeddings and tokens alike."""
    features = encoder.encode_images(pictures(4))

    for vectors in (features.embeddings, features.tokens):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=-1), 1.0, atol=1e-5)


@pytest.mark.parametrize("text", ["a red ball on the left", "something blue"])
def test_text_vectors_have_norm_one_and_repeat(encoder, text):
    """Asked twice, the same bits."""
    first, second = encoder.encode_text(text), encoder.encode_text(text)

    assert first.embedding.shape == (encoder.spec.dim,)
    assert first.embedding.dtype == np.float32
    assert np.linalg.norm(first.embedding) == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_array_equal(first.embedding, second.embedding)


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_a_blank_text_is_zeros(encoder, text):
    """No words, no direction, no unknown words."""
    features = encoder.encode_text(text)

    assert not features.embedding.any()
    assert features.unknown_words == ()


@pytest.mark.parametrize("text", ["ß∂ƒ 日本語", "x" * 5000, "a " * 400, "<|endoftext|>", "\x00"])
def test_any_text_gives_finite_numbers(encoder, text):
    """Foreign scripts, long and odd texts are no error."""
    assert np.isfinite(encoder.encode_text(text).embedding).all()


def test_equal_batches_give_equal_bits(encoder):
    """The same call twice is bit for bit the same."""
    first, second = (encoder.encode_images(pictures(5)) for _ in range(2))

    np.testing.assert_array_equal(first.embeddings, second.embeddings)
    np.testing.assert_array_equal(first.tokens, second.tokens)


def test_vectors_do_not_depend_on_the_batch(encoder):
    """Alone or among others: the same direction up to rounding and, for the descriptor, motion."""
    batch = pictures(5)

    together = encoder.encode_images(batch).embeddings
    alone = np.concatenate([encoder.encode_images(batch[i : i + 1]).embeddings for i in range(5)])

    cosines = (together * alone).sum(axis=1)
    assert cosines.min() > 0.98


def test_vectors_of_a_batch_follow_its_order(encoder):
    """Each row belongs to its picture: nearest to the same picture alone."""
    batch = pictures(5, seed=3)

    together = encoder.encode_images(batch).embeddings
    alone = np.concatenate([encoder.encode_images(batch[i : i + 1]).embeddings for i in range(5)])

    assert (together @ alone.T).argmax(axis=1).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 2), (224, 398)])
def test_odd_pictures_give_finite_unit_vectors(encoder, value, size):
    """Single pixels, lines, all black and all white."""
    features = encoder.encode_images(np.full((2, 3, *size), value, np.uint8))

    np.testing.assert_allclose(np.linalg.norm(features.embeddings, axis=1), 1.0, atol=1e-5)
    assert np.isfinite(features.tokens).all()


def test_an_empty_batch_is_refused(encoder):
    """No pictures is a mistake of the caller and named as such."""
    with pytest.raises(UsageError, match="hold nothing"):
        encoder.encode_images(np.zeros((0, 3, 8, 8), np.uint8))


def test_background_and_labels_live_in_the_same_space(encoder):
    """Unit rows as wide as the spec, with sensible constants."""
    background, labels = encoder.background(), encoder.labels()

    assert background is not None
    assert background.kind in ("image", "text")
    assert background.scale > 0
    for vectors in (background.vectors, labels.vectors):
        assert vectors.dtype == np.float32
        assert vectors.shape[1] == encoder.spec.dim
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=2e-3)
    assert len(labels.words) == len(set(labels.words)) == len(labels.vectors)


def test_spec_and_runtime_survive_storage(encoder):
    """Both come back from JSON as they were, and the digest is a SHA-256."""
    assert EncoderSpec.from_json(encoder.spec.to_json()) == encoder.spec
    assert RuntimeChoice.from_json(encoder.runtime.to_json()) == encoder.runtime
    assert len(encoder.spec.digest) == 64
    assert 1 <= encoder.runtime.batch_size <= 64


def test_a_stored_runtime_is_used_as_it_is(encoder, request):
    """What a memory stored is what runs, also where this machine would choose otherwise."""
    stored = replace(SINGLE, batch_size=3, reason="stored")
    weights = None
    if encoder.spec.id != "descriptor":
        weights = str(request.getfixturevalue("checkpoint"))

    again = load_encoder(encoder.spec.id, weights=weights, runtime=stored)

    assert again.runtime == stored
    assert again.spec == encoder.spec
