"""The image side of the trained encoder: shapes, exactness, and what is refused."""

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch.nn import functional

from streammem.core.errors import MissingError, UsageError
from streammem.core.types import RuntimeChoice
from streammem.encoders._embedded import LEARNED_SHARE, EmbeddedEncoder
from streammem.encoders.embedded_tower import ImageTower
from streammem.encoders.load import load_encoder
from streammem.encoders.preprocess import Preprocessing, fit
from tests.unit._leaning_tokens import leaning_tokens, unit


@pytest.fixture(scope="module")
def encoder() -> EmbeddedEncoder:
    return EmbeddedEncoder(RuntimeChoice(threads=1))


def _pictures(count: int, height: int = 90, width: int = 120, seed: int = 0):
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (count, 3, height // 10, width // 10))
    return blocks.repeat(10, axis=2).repeat(10, axis=3).astype(np.uint8)


def test_vectors_have_the_shape_of_the_spec_and_norm_1(encoder):
    features = encoder.encode_images(_pictures(3))
    spec = encoder.spec

    assert features.embeddings.shape == (3, spec.dim)
    assert features.tokens.shape == (3, spec.token_count, spec.dim)
    np.testing.assert_allclose(np.linalg.norm(features.embeddings, axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(features.tokens, axis=-1), 1, atol=1e-5)


def test_equal_batches_give_equal_bits(encoder):
    pictures = _pictures(4)

    first, second = encoder.encode_images(pictures), encoder.encode_images(pictures)

    assert np.array_equal(first.embeddings, second.embeddings)
    assert np.array_equal(first.tokens, second.tokens)


def test_a_picture_alone_is_as_in_a_batch(encoder):
    """But for motion, which looks at neighbours, and for the last bits of float32."""
    pictures = _pictures(4)
    batch = encoder.encode_images(pictures).embeddings
    alone = encoder.encode_images(pictures[2:3]).embeddings[0]
    learned = encoder.spec.dim - load_encoder("descriptor").spec.dim

    np.testing.assert_allclose(alone[:learned], batch[2, :learned], atol=1e-4)


def test_the_descriptor_is_the_other_part(encoder):
    """Colours are measured, not learned: exactly the descriptor's vector, scaled."""
    pictures = _pictures(2)
    measured = load_encoder("descriptor").encode_images(pictures)
    features = encoder.encode_images(pictures)
    width = measured.embeddings.shape[1]

    share = np.float32(np.sqrt(1 - LEARNED_SHARE))
    assert np.array_equal(features.embeddings[:, -width:], measured.embeddings * share)
    assert np.array_equal(features.tokens[..., -width:], measured.tokens * share)


def test_tokens_lie_where_their_part_of_the_picture_is(encoder):
    """A change in one corner must change the tokens of that corner most."""
    base = np.full((1, 3, 192, 192), 128, np.uint8)
    changed = base.copy()
    changed[:, :, :48, :48] = _pictures(1, 50, 50)[:, :, :48, :48]
    learned = encoder.spec.dim - load_encoder("descriptor").spec.dim
    before, after = (encoder.encode_images(each).tokens[0, :, :learned] for each in (base, changed))
    moved = np.linalg.norm(after - before, axis=1).reshape(6, 6)

    assert moved[:2, :2].mean() > 2 * moved[3:, 3:].mean()


@pytest.mark.parametrize("size", [(1, 1), (192, 192), (17, 900), (1080, 20)])
def test_any_size_of_picture_is_taken(encoder, size):
    pictures = np.zeros((1, 3, *size), np.uint8)

    assert np.isfinite(encoder.encode_images(pictures).embeddings).all()


def test_what_is_no_picture_is_refused(encoder):
    with pytest.raises(UsageError):
        encoder.encode_images(np.zeros((1, 3, 8, 8), np.float32))


def test_the_runtime_of_a_memory_is_kept(encoder):
    assert encoder.runtime.threads == 1
    assert encoder.runtime.dtype == "float32"


@pytest.mark.parametrize(("fast", "dtype"), [(True, "bfloat16"), (False, "float32")])
def test_the_processor_decides_the_number_type(monkeypatch, fast, dtype):
    monkeypatch.setattr("streammem.encoders._embedded.has_fast_bfloat16", lambda: fast)

    assert EmbeddedEncoder().runtime.dtype == dtype


def test_bfloat16_gives_nearly_the_vectors_of_float32(encoder):
    """So that memories of machines with and without it can be asked alike."""
    rounded = EmbeddedEncoder(RuntimeChoice(threads=1, dtype="bfloat16"))
    pictures = _pictures(6)
    exact, found = encoder.encode_images(pictures), rounded.encode_images(pictures)

    assert (exact.embeddings * found.embeddings).sum(-1).min() > 0.999
    assert (exact.tokens * found.tokens).sum(-1).min() > 0.995


def test_another_number_type_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'int8' is none of float32, bfloat16"):
        ImageTower(tmp_path / "weights.safetensors", threads=1, dtype="int8")


def test_the_digest_covers_the_weights(monkeypatch, tmp_path):
    """Vectors of other weights must never be compared with these."""
    own = EmbeddedEncoder()
    files = dict(own._manifest.files) | {"weights.safetensors": "0" * 64}
    manifest = own._manifest.__class__(
        **{
            field: files if field == "files" else getattr(own._manifest, field)
            for field in own._manifest.__slots__
        }
    )
    monkeypatch.setattr("streammem.encoders._embedded.read_manifest", lambda _: manifest)
    other = EmbeddedEncoder()

    assert other.spec.digest != own.spec.digest
    with pytest.raises(MissingError) as refusal:
        other.encode_images(np.zeros((1, 3, 8, 8), np.uint8))
    assert refusal.value.code == "digest_mismatch"


def test_the_tower_is_the_network_it_says(tmp_path):
    """A patch convolution and a bottleneck against plain torch, from a file of the same form."""
    rng = np.random.default_rng(5)

    def drawn(*shape: int):
        return (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    names = {
        "body.0": (16, 3, 4, 4),
        "body.1.branch.0": (8, 16, 1, 1),
        "body.1.branch.1": (8, 8, 3, 3),
        "body.1.branch.2": (16, 8, 1, 1),
    }
    tensors = {f"{name}.weight": drawn(*shape) for name, shape in names.items()}
    tensors |= {f"{name}.bias": drawn(shape[0], 1)[:, 0] for name, shape in names.items()}
    tensors |= {
        "input.scale": np.full((1, 3, 1, 1), 1 / 255, np.float32),
        "input.shift": np.full((1, 3, 1, 1), -0.5, np.float32),
        "project.weight": drawn(5, 16),
        "project.bias": drawn(5, 1)[:, 0],
    }
    save_file(tensors, tmp_path / "weights.safetensors")
    pictures = rng.integers(0, 256, (2, 3, 24, 24)).astype(np.uint8)

    whole, tokens = ImageTower(tmp_path / "weights.safetensors", threads=1).encode(pictures)

    held = {name: torch.from_numpy(value) for name, value in tensors.items()}
    values = torch.from_numpy(pictures).float() / 255 - 0.5
    grid = functional.conv2d(values, held["body.0.weight"], held["body.0.bias"], 4).relu()
    inner = grid
    for place, padding in ((0, 0), (1, 1), (2, 0)):
        name = f"body.1.branch.{place}"
        inner = functional.conv2d(
            inner, held[f"{name}.weight"], held[f"{name}.bias"], padding=padding
        )
        inner = inner.relu() if place < 2 else inner
    features = (grid + inner).relu().flatten(2).transpose(1, 2)
    projected = features @ held["project.weight"].T + held["project.bias"]
    mean = features.mean(1) @ held["project.weight"].T + held["project.bias"]
    np.testing.assert_allclose(whole, functional.normalize(mean, dim=-1), atol=1e-5)
    leaning = leaning_tokens(unit(mean.numpy()), unit(projected.numpy()))
    np.testing.assert_allclose(tokens, leaning, atol=1e-5)


def test_layers_that_do_not_follow_each_other_are_refused(tmp_path):
    tensors = {
        "input.scale": np.ones((1, 3, 1, 1), np.float32),
        "input.shift": np.zeros((1, 3, 1, 1), np.float32),
        "project.weight": np.zeros((2, 4), np.float32),
        "project.bias": np.zeros(2, np.float32),
        "body.1.weight": np.zeros((4, 3, 4, 4), np.float32),
        "body.1.bias": np.zeros(4, np.float32),
    }
    save_file(tensors, tmp_path / "weights.safetensors")

    with pytest.raises(ValueError, match="1 layers in the weights, 0 in a row"):
        ImageTower(tmp_path / "weights.safetensors", threads=1)


def test_already_square_pictures_of_the_right_size_are_not_resized():
    """Preprocessing is the shared one: squashed to a square, nothing of the frame is cut off."""
    wanted = Preprocessing(192, (0, 0, 0), (1, 1, 1), "bilinear", "squash")
    picture = _pictures(1, 200, 400)

    assert fit(picture, wanted).shape == (1, 3, 192, 192)
    assert fit(fit(picture, wanted), wanted) is not None
