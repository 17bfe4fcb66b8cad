"""Manifests: what they say is read, and files they list are checked."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from streammem.core.errors import MissingError
from streammem.encoders.manifest import read_background, read_manifest, read_manifests
from streammem.encoders.preprocess import Preprocessing

HEAD = 'id = "x"\nkind = "embedded"\nlicence = "Apache-2.0"\nsummary = "for a test"\n'


def write(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "manifest.toml").write_text(text, encoding="utf-8")
    return folder


def with_background(folder: Path) -> Path:
    folder.mkdir()
    vectors = np.eye(3, dtype=np.float16)
    save_file({"vectors": vectors}, folder / "background.safetensors")
    digest = hashlib.sha256((folder / "background.safetensors").read_bytes()).hexdigest()
    calibration = '[calibration]\nkind = "image"\nmidpoint = 2.5\nscale = 0.5\n'
    return write(folder, f'{HEAD}{calibration}[files]\n"background.safetensors" = "{digest}"\n')


def test_read_manifest_reads_every_table(tmp_path):
    """Preprocessing becomes a value; the folder is remembered."""
    table = (
        "[preprocessing]\nimage_size_px = 8\nmean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\n"
        'interpolation = "bilinear"\nresize_mode = "squash"\n'
    )

    manifest = read_manifest(write(tmp_path / "m", HEAD + table))

    assert manifest.id == "x"
    assert manifest.folder == tmp_path / "m"
    assert manifest.preprocessing == Preprocessing(
        8, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "bilinear", "squash"
    )


@pytest.mark.parametrize("text", ["id = ", 'id = "x"\n', HEAD + "[calibration]\nkind = 3\n"])
def test_read_manifest_names_a_damaged_file(tmp_path, text):
    """Bad TOML and missing fields end as an error that names the file."""
    with pytest.raises(MissingError, match=r"manifest\.toml"):
        read_manifest(write(tmp_path / "m", text))


def test_read_background_gives_vectors_and_constants(tmp_path):
    """Half-precision vectors come back as float32 beside the calibration."""
    background = read_background(read_manifest(with_background(tmp_path / "m")))

    assert background is not None
    assert background.vectors.dtype == np.float32
    np.testing.assert_array_equal(background.vectors, np.eye(3))
    assert (background.kind, background.midpoint, background.scale) == ("image", 2.5, 0.5)


def test_a_changed_file_is_refused(tmp_path):
    """One flipped bit in a listed file is an error with the code digest_mismatch."""
    folder = with_background(tmp_path / "m")
    path = folder / "background.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)

    with pytest.raises(MissingError, match="digest") as caught:
        read_background(read_manifest(folder))

    assert caught.value.code == "digest_mismatch"


def test_every_shipped_manifest_is_readable_and_its_files_are_right():
    """The folders under models/ hold what their manifests list."""
    manifests = read_manifests()

    assert {manifest.id for manifest in manifests} >= {"descriptor", "tiny-clip"}
    for manifest in manifests:
        assert manifest.id == manifest.folder.name
        for name in manifest.files:
            assert manifest.file(name).is_file()
