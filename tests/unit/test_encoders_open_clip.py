"""The open_clip adapter, proven with checkpoints made here and read by the real loading code."""

import json
import os
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from streammem.core.assets import asset_folder
from streammem.core.errors import MissingError, UsageError
from streammem.core.types import RuntimeChoice
from streammem.encoders._devices import resolve_device
from streammem.encoders._open_clip import _Tower
from streammem.encoders.load import load_encoder
from streammem.encoders.names import parse_name
from streammem.encoders.preprocess import Preprocessing, prepare_reference
from streammem.encoders.preprocess_facts import stated_preprocessing

ARCH = "open_clip:tiny-clip"
SINGLE = RuntimeChoice(device="cpu", dtype="float32", batch_size=8, threads=1)
CLIP_LIKE = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.2, 0.2)}


def random_model(arch: str = "tiny-clip", seed: int = 0) -> torch.nn.Module:
    if arch not in open_clip.list_models():
        open_clip.add_model_config(asset_folder("models") / arch / f"{arch}.json")
    torch.manual_seed(seed)
    return open_clip.create_model(arch).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same random weights as .pt and .safetensors, and others as other.pt."""
    path = tmp_path_factory.mktemp("weights")
    state = random_model().state_dict()
    torch.save(state, path / "same.pt")
    save_file(
        {name: value.contiguous() for name, value in state.items()}, path / "same.safetensors"
    )
    torch.save(random_model(seed=1).state_dict(), path / "other.pt")
    return path


@pytest.fixture(scope="module")
def encoder(folder):
    """The tiny model with the .pt weights."""
    return load_encoder(ARCH, weights=str(folder / "same.pt"), runtime=SINGLE)


def pictures(count: int, height: int = 32, width: int = 57) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, 3, height, width), dtype=np.uint8)


def test_weights_file_names_the_encoder(encoder):
    """Architecture and stem; sizes from the configuration."""
    spec = encoder.spec

    assert spec.id == "open_clip:tiny-clip/same"
    assert (spec.dim, spec.image_size_px, spec.token_grid) == (32, 32, (4, 4))
    assert spec.mean == (0.48145466, 0.4578275, 0.40821073)
    assert spec.interpolation == "bicubic"


def test_embeddings_equal_open_clip_itself(encoder):
    """Pictures and texts come out as the library's own model and tokenizer make them."""
    model = random_model()
    batch = pictures(3)
    wanted = Preprocessing(32, encoder.spec.mean, encoder.spec.std)
    ready = torch.from_numpy(np.stack([prepare_reference(picture, wanted) for picture in batch]))
    with torch.inference_mode():
        image = model.encode_image(ready, normalize=True).numpy()
        text = model.encode_text(open_clip.get_tokenizer("tiny-clip")(["a dog"]), normalize=True)

    np.testing.assert_allclose(encoder.encode_images(batch).embeddings, image, atol=1e-6)
    np.testing.assert_allclose(encoder.encode_text("a dog").embedding, text[0].numpy(), atol=1e-6)


def test_tokens_are_patches_in_the_text_space(encoder):
    """Last norm and projection of each patch, computed here step by step."""
    visual = random_model().visual
    batch = pictures(2, 32, 32)
    wanted = Preprocessing(32, encoder.spec.mean, encoder.spec.std)
    ready = torch.from_numpy(np.stack([prepare_reference(picture, wanted) for picture in batch]))
    with torch.inference_mode():
        last = visual.transformer(visual._embeds(ready))
        projected = visual.ln_post(last) @ visual.proj
        expected = torch.nn.functional.normalize(projected, dim=-1).numpy()

    features = encoder.encode_images(batch)

    np.testing.assert_allclose(features.tokens, expected[:, 1:], atol=1e-6)
    np.testing.assert_allclose(features.embeddings, expected[:, 0], atol=1e-6)


def test_pt_and_safetensors_give_the_same_vectors(folder, encoder):
    """The file format does not matter for the vectors; the digest still tells the files apart."""
    other = load_encoder(ARCH, weights=str(folder / "same.safetensors"), runtime=SINGLE)

    batch = pictures(2)
    np.testing.assert_array_equal(
        other.encode_images(batch).embeddings, encoder.encode_images(batch).embeddings
    )
    assert other.spec.digest != encoder.spec.digest


def test_digest_changes_with_weights_and_with_preprocessing(folder, tmp_path, encoder):
    """Other weights, or other preprocessing for the same weights: another digest."""
    other = load_encoder(ARCH, weights=str(folder / "other.pt"), runtime=SINGLE)
    moved = tmp_path / "same.pt"
    moved.write_bytes((folder / "same.pt").read_bytes())
    same = load_encoder(ARCH, weights=str(moved), runtime=SINGLE)
    side_file = {"preprocess_cfg": {**CLIP_LIKE, "interpolation": "bilinear"}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(side_file))
    prepared_otherwise = load_encoder(ARCH, weights=str(moved), runtime=SINGLE)

    digests = {e.spec.digest for e in (encoder, other, same, prepared_otherwise)}

    assert same.spec == encoder.spec
    assert len(digests) == 3
    assert prepared_otherwise.spec.interpolation == "bilinear"


def test_reference_preprocessing_equals_open_clip():
    """Value for value what open_clip's own transform gives, for both ways of resizing."""
    for mode in ("shortest", "squash"):
        for interpolation in ("bicubic", "bilinear"):
            wanted = Preprocessing(24, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4), interpolation, mode)
            theirs = open_clip.transform.image_transform_v2(
                open_clip.transform.PreprocessCfg(
                    24, "RGB", wanted.mean, wanted.std, interpolation, mode
                ),
                is_train=False,
            )
            for height, width in ((50, 37), (24, 24), (31, 90), (10, 13), (25, 24)):
                picture = pictures(1, height, width)[0]
                expected = theirs(Image.fromarray(picture.transpose(1, 2, 0))).numpy()

                ours = prepare_reference(picture, wanted)

                np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_preprocessing_is_taken_from_the_tag_or_where_all_agree(tmp_path):
    """A stated tag decides; without one only what all published weights agree on counts."""
    weights = tmp_path / "w.pt"
    other = {**CLIP_LIKE, "resize_mode": "squash"}

    agreed = stated_preprocessing(parse_name("open_clip:RN50"), weights, 8, {"a": CLIP_LIKE})
    tagged = stated_preprocessing(
        parse_name("open_clip:RN50/b"), weights, 8, {"a": CLIP_LIKE, "b": other}
    )

    assert agreed.resize_mode == "shortest"
    assert tagged.resize_mode == "squash"


@pytest.mark.parametrize("published", [{}, {"a": CLIP_LIKE, "b": {**CLIP_LIKE, "std": (1, 1, 1)}}])
def test_unknown_preprocessing_is_never_guessed(tmp_path, published):
    """Nothing published, or published weights that differ: an error with the remedy."""
    with pytest.raises(UsageError, match="is not known") as caught:
        stated_preprocessing(parse_name("open_clip:RN50/x"), tmp_path / "w.pt", 8, published)

    assert "open_clip_config.json" in str(caught.value.hint)


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04broken"])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_damaged_weights_file_is_named(tmp_path, content, suffix):
    """Exit 5 and the path, never a traceback."""
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)

    with pytest.raises(MissingError, match="holds no usable weights") as caught:
        load_encoder(ARCH, weights=str(path))

    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 5


def test_weights_of_another_architecture_are_named(folder):
    """Weights that do not fit the architecture are refused."""
    with pytest.raises(MissingError, match="holds no usable weights of ViT-S-32-alt"):
        load_encoder("open_clip:ViT-S-32-alt/openai", weights=_with_side_file(folder))


def _with_side_file(folder: Path) -> str:
    other = folder / "elsewhere"
    other.mkdir()
    (other / "open_clip_config.json").write_text(json.dumps({"preprocess_cfg": CLIP_LIKE}))
    (other / "same.pt").write_bytes((folder / "same.pt").read_bytes())
    return str(other / "same.pt")


def test_a_pickled_object_is_not_executed(tmp_path):
    """A checkpoint that holds code is refused, and the code does not run."""
    torch.save({"weights": _Exploding(tmp_path / "ran")}, tmp_path / "evil.pt")

    with pytest.raises(MissingError, match="holds no usable weights"):
        load_encoder(ARCH, weights=str(tmp_path / "evil.pt"))

    assert not (tmp_path / "ran").exists()


class _Exploding:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_runtime_is_measured_when_none_is_given(folder):
    """The choice names what was timed, and running it gives unit vectors."""
    encoder = load_encoder(ARCH, weights=str(folder / "same.pt"), device="cpu")

    runtime = encoder.runtime

    assert runtime.device == "cpu"
    assert runtime.dtype in ("float32", "bfloat16")
    assert 8 <= runtime.batch_size <= 64
    assert runtime.reason.startswith("timed 4 pictures: float32 ")
    norms = np.linalg.norm(encoder.encode_images(pictures(2)).embeddings, axis=1)
    np.testing.assert_allclose(norms, 1.0, atol=1e-5)


def test_bfloat16_pictures_stay_near_and_texts_stay_equal(folder, encoder):
    """The number type changes picture vectors by rounding only, and text vectors not at all."""
    short = RuntimeChoice(device="cpu", dtype="bfloat16", batch_size=8, threads=1)
    other = load_encoder(ARCH, weights=str(folder / "same.pt"), runtime=short)
    batch = pictures(4)

    near = other.encode_images(batch).embeddings
    exact = encoder.encode_images(batch).embeddings

    assert (near * exact).sum(axis=1).min() > 0.999
    np.testing.assert_array_equal(
        other.encode_text("a dog").embedding, encoder.encode_text("a dog").embedding
    )


def test_batch_sizes_agree_within_rounding(encoder):
    """float32 on one thread: cosine over 0.999999 whatever the batch."""
    batch = pictures(7)

    together = encoder.encode_images(batch)
    alone = [encoder.encode_images(batch[i : i + 1]) for i in range(7)]

    single = np.concatenate([features.embeddings for features in alone])
    assert (together.embeddings * single).sum(axis=1).min() > 0.999999


def test_background_is_generic_phrases_where_nothing_is_calibrated(encoder):
    """Kind text, one row a phrase, made once."""
    background = encoder.background()

    assert background.kind == "text"
    assert background.vectors.shape == (72, 32)
    assert encoder.background() is background


def test_attention_pooled_tokens_agree_with_the_pooled_vector():
    """SigLIP's head: where all patches are alike, each token is the picture's embedding."""
    timm_config = {
        "embed_dim": 192,
        "vision_cfg": {
            "image_size": 224,
            "timm_model_name": "vit_tiny_patch16_224",
            "timm_pool": "map",
            "timm_proj": "none",
        },
        "text_cfg": {"width": 32, "heads": 2, "layers": 1, "context_length": 8},
    }
    torch.manual_seed(0)
    trunk_config = open_clip.model.CLIPVisionCfg(**timm_config["vision_cfg"])
    visual = open_clip.model._build_vision_tower(192, trunk_config).eval()
    trunk = visual.trunk
    # As in SigLIP: no class token.
    trunk.cls_token, trunk.num_prefix_tokens = None, 0
    trunk.pos_embed = torch.nn.Parameter(torch.zeros(1, 196, 192))
    tower = _Tower(visual)

    with torch.inference_mode():
        pooled, tokens = tower.encode(torch.full((2, 3, 224, 224), 0.3))
        whole = visual(torch.full((2, 3, 224, 224), 0.3))

    assert tower.token_grid == (14, 14)
    assert tokens.shape == (2, 196, 192)
    np.testing.assert_allclose(pooled.numpy(), whole.numpy(), atol=1e-5)
    np.testing.assert_allclose(tokens[0, 17].numpy(), pooled[0].numpy(), atol=1e-4)


def test_a_convolutional_tower_has_no_tokens():
    """Where no map to the text space exists for patches, there is no token grid."""
    config = open_clip.model.CLIPVisionCfg(layers=(1, 1, 1, 1), width=8, image_size=32)
    tower = _Tower(open_clip.model._build_vision_tower(16, config).eval())

    with torch.inference_mode():
        pooled, tokens = tower.encode(torch.zeros(1, 3, 32, 32))

    assert tower.token_grid is None
    assert tokens is None
    assert pooled.shape == (1, 16)


def test_a_missing_tokenizer_names_the_remedy(monkeypatch, tmp_path):
    """Texts for SigLIP need a package and files; what is missing is said, with exit 5."""
    from streammem.encoders._open_clip import _tokenizer

    with pytest.raises(MissingError, match="ViT-B-16-SigLIP2") as caught:
        _tokenizer("ViT-B-16-SigLIP2", tmp_path)

    assert caught.value.exit_code == 5
    assert caught.value.hint


@pytest.mark.parametrize("device", ["gpu0", "cuda:99"])
def test_a_device_that_is_not_here_is_named(device):
    """Neither a made-up name nor a missing card is silently replaced."""
    with pytest.raises((UsageError, MissingError), match=device):
        resolve_device(device)


@pytest.fixture
def cuda_device() -> str:
    """The first CUDA device; its absence skips, or fails where STREAMMEM_REQUIRE_CUDA asks."""
    if not torch.cuda.is_available():
        if os.environ.get("STREAMMEM_REQUIRE_CUDA") == "1":
            pytest.fail("STREAMMEM_REQUIRE_CUDA is set and no CUDA device is here")
        pytest.skip("no CUDA device")
    return "cuda"


@pytest.mark.needs_cuda
def test_cuda_agrees_with_the_cpu(folder, encoder, cuda_device):
    """A short number type on the GPU stays near float32 on the CPU, and repeats its bits."""
    on_gpu = load_encoder(ARCH, weights=str(folder / "same.pt"), device=cuda_device)
    batch = pictures(8)

    first, second = on_gpu.encode_images(batch), on_gpu.encode_images(batch)

    assert on_gpu.runtime.device.startswith("cuda")
    assert on_gpu.runtime.dtype in ("float16", "bfloat16")
    np.testing.assert_array_equal(first.embeddings, second.embeddings)
    exact = encoder.encode_images(batch)
    assert (first.embeddings * exact.embeddings).sum(axis=1).min() > 0.995
    assert (first.tokens * exact.tokens).sum(axis=2).min() > 0.99


@pytest.mark.slow
def test_vit_b_32_with_random_weights(tmp_path):
    """The published architecture at its full size: loads, chooses, encodes, has 7 x 7 tokens."""
    path = tmp_path / "random.safetensors"
    state = random_model("ViT-B-32").state_dict()
    save_file({name: value.contiguous() for name, value in state.items()}, path)

    encoder = load_encoder("open_clip:ViT-B-32", weights=str(path), runtime=SINGLE)
    features = encoder.encode_images(pictures(2, 224, 398))

    assert (encoder.spec.dim, encoder.spec.token_grid) == (512, (7, 7))
    assert features.embeddings.shape == (2, 512)
    assert features.tokens.shape == (2, 49, 512)
    np.testing.assert_allclose(np.linalg.norm(features.tokens, axis=2), 1.0, atol=1e-5)
    assert encoder.encode_text("a dog").embedding.shape == (512,)
