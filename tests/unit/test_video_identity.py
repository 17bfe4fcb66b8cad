"""Fingerprints, public names and memory names of sources."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from streammem.core.errors import SourceError
from streammem.video.identity import (
    BLOCK_BYTES,
    block_offsets,
    fingerprint,
    redact,
    source_stem,
)


def test_fingerprint_is_of_the_content_not_the_place(tmp_path: Path):
    """A copy under another name has the same fingerprint, 64 hexadecimal digits."""
    one, other = tmp_path / "a.mp4", tmp_path / "elsewhere" / "b.mkv"
    other.parent.mkdir()
    one.write_bytes(b"x" * 5_000_000)
    other.write_bytes(b"x" * 5_000_000)
    assert fingerprint(str(one)) == fingerprint(str(other))
    assert len(bytes.fromhex(fingerprint(str(one)))) == 32


@pytest.mark.parametrize("change_at", [0, 100, 2_500_000, 4_999_999])
def test_fingerprint_notices_changes_in_its_blocks(tmp_path: Path, change_at: int):
    """A byte changed at the head, the tail or in the middle block changes the fingerprint."""
    path = tmp_path / "a.mp4"
    data = bytearray(5_000_000)
    path.write_bytes(data)
    before = fingerprint(str(path))
    nearest = min(block_offsets(len(data)), key=lambda at: abs(at - change_at))
    data[max(nearest, min(change_at, nearest + BLOCK_BYTES - 1))] = 1
    path.write_bytes(data)
    assert fingerprint(str(path)) != before


def test_fingerprint_notices_a_longer_file(tmp_path: Path):
    """Growth alone changes the fingerprint, also of files of equal bytes."""
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(100))
    before = fingerprint(str(path))
    path.write_bytes(bytes(101))
    assert fingerprint(str(path)) != before


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES, BLOCK_BYTES + 7, 10**9])
def test_block_offsets_cover_head_and_tail(size: int):
    """The first block starts at 0, the last one ends at the end, and there are 16 at most."""
    offsets = block_offsets(size)
    assert offsets[0] == 0
    assert offsets[-1] == max(0, size - BLOCK_BYTES)
    assert len(offsets) <= 16


def test_fingerprint_of_images_is_free_of_names_but_not_of_order(tmp_path: Path):
    """A renamed folder of images stays itself; swapping two pictures changes it."""
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder, names in zip(folders, (("1", "2"), ("a", "b"), ("2", "1")), strict=True):
        folder.mkdir()
        for name, colour in zip(names, ("red", "blue"), strict=True):
            Image.new("RGB", (4, 4), colour).save(folder / f"{name}.png")
    one, two, three = (fingerprint(str(folder)) for folder in folders)
    assert one == two
    assert one != three


def test_fingerprint_of_a_url_leaves_credentials_out():
    """Another password or token does not make another source; another path does."""
    base = "https://cam.example/live.m3u8"
    assert fingerprint("https://me:a@cam.example/live.m3u8") == fingerprint(base)
    assert fingerprint(f"{base}?token=1") == fingerprint(f"{base}?token=2")
    assert fingerprint("https://cam.example/other.m3u8") != fingerprint(base)


def test_fingerprint_of_a_synthetic_stream_is_of_its_description():
    """Equal descriptions are equal, another seed is another source."""
    assert fingerprint("synthetic:1") == fingerprint("synthetic:1")
    assert fingerprint("synthetic:1") != fingerprint("synthetic:2")


def test_fingerprint_of_a_missing_file_says_so(tmp_path: Path):
    """A path that is not there is reported by its name with a code."""
    with pytest.raises(SourceError, match=r"gone\.mp4 does not exist") as error:
        fingerprint(str(tmp_path / "gone.mp4"))
    assert error.value.code == "not_found"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rtsp://admin:secret@10.0.0.2:554/h264", "rtsp://10.0.0.2:554/h264"),
        ("https://a.b/v.mp4?x=1&access_token=abc", "https://a.b/v.mp4?x=1&access_token=***"),
        ("https://a.b/v.mp4?x=1", "https://a.b/v.mp4?x=1"),
        ("https://u@a.b/v.mp4#t", "https://a.b/v.mp4"),
        ("/videos/a@b.mp4", "/videos/a@b.mp4"),
        ("synthetic:7?duration=3", "synthetic:7?duration=3"),
    ],
)
def test_redact_leaves_no_credentials(source: str, shown: str):
    """User, password and secret query values go; everything else stays."""
    assert redact(source) == shown


@pytest.mark.parametrize(
    ("source", "stem"),
    [
        ("/videos/my holiday.mp4", "my holiday"),
        ("/videos/archive.tar.mp4", "archive.tar"),
        ("https://u:p@cam.example/a/live%20view.m3u8?token=1", "live view"),
        ("rtsp://10.0.0.2:554", "10.0.0.2"),
        ("synthetic:7?duration=3", "synthetic-7"),
        ("/videos/a:b|c<.mp4", "a-b-c"),
        ("/videos/Übung.mp4", "Übung"),
        ("/videos/....mp4", "stream"),
    ],
)
def test_source_stem_is_a_safe_file_name(source: str, stem: str):
    """The stem of the file, with what no file system takes replaced."""
    assert source_stem(source) == stem


def test_source_stem_of_a_folder_and_a_pattern_is_the_folder(tmp_path: Path):
    """A folder of images, named itself or by a glob, is called as the folder."""
    folder = tmp_path / "frames.v2"
    folder.mkdir()
    assert source_stem(str(folder)) == "frames.v2"
    assert source_stem(f"{folder}/*.png") == "frames.v2"


def test_source_stem_is_bounded(tmp_path: Path):
    """Even the longest name leaves room for a suffix on every file system."""
    assert len(source_stem("/v/" + "ü" * 250 + ".mp4").encode()) <= 120


def test_identifying_a_source_loads_no_decoder():
    """Fingerprints and names, needed to see that nothing changed, import no heavy package."""
    code = (
        "import sys, streammem.video.reader, streammem.video.identity, streammem.video.discover;"
        "print([m for m in ('av', 'decord', 'torch', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
