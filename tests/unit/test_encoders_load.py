"""Choosing an encoder: by name, by what is on this machine, and with errors that help."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from streammem.core.config import EncodersConfig, model_cache_folder
from streammem.core.errors import MissingError, UsageError
from streammem.encoders.load import choose_encoder, load_encoder
from streammem.encoders.names import architectures, parse_name
from streammem.encoders.registry import PUBLISHED
from streammem.encoders.weights import find_weights, hub_cache_folder

VIT = "open_clip:ViT-B-32/laion2b_s34b_b79k"
MOBILE = "open_clip:MobileCLIP2-S2/dfndr2b"
SIGLIP = "open_clip:ViT-B-16-SigLIP2/webli"
DEFAULT_LIST = EncodersConfig().auto


def pretend_pulled(model_id: str) -> Path:
    folder = model_cache_folder() / parse_name(model_id).slug
    folder.mkdir(parents=True)
    path = folder / "weights.safetensors"
    path.write_bytes(b"x")
    (folder / "pulled.json").write_text(json.dumps({"file": path.name, "sha256": "0"}))
    return path


def pretend_cached(repository: str, revision: str = "abc") -> Path:
    folder = hub_cache_folder() / f"models--{repository.replace('/', '--')}"
    path = folder / "snapshots" / revision / "open_clip_model.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    return path


def test_auto_is_the_embedded_encoder_where_no_weights_are_here():
    """On a machine without weights the reason says that none of the list is here."""
    choice = choose_encoder("auto", DEFAULT_LIST)

    assert (choice.id, choice.weights) == ("embedded-v1", None)
    assert "no weights of another encoder" in choice.reason


def test_auto_takes_the_first_of_the_list_that_is_here():
    """Of two whose weights are here, the earlier one is taken, with its file."""
    pretend_pulled(VIT)
    path = pretend_pulled(MOBILE)

    choice = choose_encoder("auto", DEFAULT_LIST)

    assert (choice.id, choice.weights) == (MOBILE, str(path))
    assert "first of the list" in choice.reason


def test_auto_finds_weights_in_the_hub_cache():
    """What another program of this user fetched counts as being here."""
    path = pretend_cached("laion/CLIP-ViT-B-32-laion2B-s34B-b79K")

    choice = choose_encoder("auto", DEFAULT_LIST)

    assert (choice.id, choice.weights) == (VIT, str(path))
    assert "Hugging Face cache" in choice.reason


def test_auto_ignores_a_cached_checkpoint_outside_its_list():
    """Weights that are here but not in the list are never taken."""
    pretend_cached("laion/CLIP-ViT-B-32-DataComp.XL-s13B-b90K")

    assert choose_encoder("auto", DEFAULT_LIST).id == "embedded-v1"


def test_auto_passes_over_weights_that_lack_a_package(monkeypatch):
    """Weights whose questions need an absent package are passed over, and the reason says so."""
    pretend_pulled(SIGLIP)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(
        "streammem.encoders.names.architectures", lambda: (SIGLIP.split(":")[1].split("/")[0],)
    )

    choice = choose_encoder("auto", (SIGLIP, "embedded"))

    assert choice.id == "embedded-v1"
    assert "needs the package transformers" in choice.reason


def test_an_unfinished_pull_does_not_count():
    """A folder without the record that a pull writes last is no model."""
    path = pretend_pulled(VIT)
    (path.parent / "pulled.json").unlink()

    assert find_weights(parse_name(VIT)) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("embedded", "embedded-v1"),
        ("embedded-v1", "embedded-v1"),
        ("descriptor", "descriptor"),
    ],
)
def test_embedded_is_the_trained_encoder(name, expected):
    """An alias and its id choose and load the same encoder; the older one has its own name."""
    assert choose_encoder(name, DEFAULT_LIST).id == expected
    assert load_encoder(name).spec.id == expected


def test_a_weights_file_names_the_encoder_by_its_stem():
    """Without a tag the file's stem stands for it, so that the stored id says which weights."""
    choice = choose_encoder("open_clip:ViT-B-32", DEFAULT_LIST, "folder/mine.v2.pt")

    assert (choice.id, choice.weights) == ("open_clip:ViT-B-32/mine.v2", "folder/mine.v2.pt")


def test_a_stated_tag_stays_beside_a_weights_file():
    """The tag says how the file's pictures are prepared, so the stem does not replace it."""
    choice = choose_encoder("open_clip:ViT-B-32/openai", DEFAULT_LIST, "mine.pt")

    assert choice.id == "open_clip:ViT-B-32/openai"


def test_missing_weights_name_both_remedies():
    """Exit 5, the model and the command that fetches it."""
    with pytest.raises(MissingError, match="laion2b_s34b_b79k") as caught:
        choose_encoder(VIT, DEFAULT_LIST)

    assert caught.value.exit_code == 5
    assert f"streammem models pull {VIT}" in str(caught.value.hint)
    assert "--weights" in str(caught.value.hint)


def test_an_architecture_without_tag_names_both_remedies():
    """A bare architecture says that a tag or a file is needed."""
    with pytest.raises(MissingError, match="does not say which weights") as caught:
        choose_encoder("open_clip:ViT-B-32", DEFAULT_LIST)

    assert "--weights" in str(caught.value.hint)
    assert "models pull" in str(caught.value.hint)


def test_an_unknown_architecture_names_the_nearest():
    """A slip of the pen gets close matches."""
    with pytest.raises(UsageError, match="'ViT-B32'") as caught:
        choose_encoder("open_clip:ViT-B32/openai", DEFAULT_LIST)

    assert "ViT-B-32" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["clip", "open_clip:", "embedded:x", ""])
def test_an_unknown_family_is_a_usage_error(name):
    """Only auto, embedded and open_clip:ARCH[/TAG] are encoders."""
    with pytest.raises(UsageError, match="there is no encoder"):
        choose_encoder(name, DEFAULT_LIST)


@pytest.mark.parametrize("name", ["auto", "embedded"])
def test_weights_without_a_model_are_refused(name):
    """A file cannot belong to an encoder that takes none."""
    with pytest.raises(UsageError, match=r"mine\.pt"):
        choose_encoder(name, DEFAULT_LIST, "mine.pt")


def test_a_missing_weights_file_is_named():
    """Exit 5 with the path."""
    with pytest.raises(MissingError, match=r"nowhere\.pt does not exist"):
        load_encoder("open_clip:ViT-B-32", weights="nowhere.pt")


def test_every_published_model_has_a_known_architecture():
    """The list of models that can be pulled fits the installed open_clip."""
    for entry in PUBLISHED:
        assert parse_name(entry.id).arch in architectures()


def test_choosing_and_asking_import_neither_torch_nor_open_clip_nor_pil():
    """The path of a cold question stays light."""
    code = (
        "import sys\n"
        "from streammem.encoders.load import choose_encoder, load_encoder\n"
        "encoder = load_encoder(choose_encoder('auto', ['embedded']))\n"
        "encoder.encode_text('a red ball'); encoder.background(); encoder.labels()\n"
        "heavy = {'torch', 'open_clip', 'torchvision', 'PIL', 'huggingface_hub', 'av'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


@pytest.mark.parametrize("name", ["embedded", "descriptor"])
def test_a_device_that_is_not_here_is_refused_also_where_none_is_needed(name: str) -> None:
    with pytest.raises(MissingError, match="cuda:99") as caught:
        load_encoder(name, device="cuda:99")
    assert caught.value.code == "missing_device"
    assert load_encoder(name, device="cpu").spec.dim > 0
