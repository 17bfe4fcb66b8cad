"""Digests of files: those of large weights are remembered, and never beyond a change."""

import hashlib
import os
import shutil
import time
from pathlib import Path

import pytest

from streammem.encoders import digests
from streammem.encoders.digests import digest_of, file_digest, remembered_digest


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that counts as large and as settled."""
    monkeypatch.setattr(digests, "_REMEMBERED_FROM_BYTES", 1)
    monkeypatch.setattr(digests, "_SETTLED_S", -1.0)
    path = tmp_path / "weights.bin"
    path.write_bytes(b"first")
    return path


def _remember_something_else(folder: Path) -> str:
    """Replaces what is remembered, so that a test sees whether it is used."""
    (entry,) = folder.iterdir()
    other = hashlib.sha256(b"other").hexdigest()
    entry.write_text(other)
    return other


def test_a_large_file_is_read_once(weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"

    assert remembered_digest(weights, folder) == hashlib.sha256(b"first").hexdigest()
    other = _remember_something_else(folder)
    assert remembered_digest(weights, folder) == other
    assert file_digest(weights) == hashlib.sha256(b"first").hexdigest()


def test_changed_weights_are_read_again_even_with_their_old_time(
    weights: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "cache"
    remembered_digest(weights, folder)
    before = weights.stat()
    time.sleep(0.05)
    weights.write_bytes(b"other")
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert weights.stat().st_size == before.st_size
    assert remembered_digest(weights, folder) == hashlib.sha256(b"other").hexdigest()


def test_what_changed_just_now_is_not_remembered(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_SETTLED_S", 60.0)
    folder = tmp_path / "cache"

    remembered_digest(weights, folder)

    assert not folder.exists()


@pytest.mark.parametrize("content", ["", "not a digest", "0" * 63, "é" * 64])
def test_a_spoiled_entry_is_replaced(weights: Path, tmp_path: Path, content: str) -> None:
    folder = tmp_path / "cache"
    remembered_digest(weights, folder)
    (entry,) = folder.iterdir()
    entry.write_text(content, encoding="utf-8")

    assert remembered_digest(weights, folder) == hashlib.sha256(b"first").hexdigest()
    assert entry.read_text() == hashlib.sha256(b"first").hexdigest()


def test_a_cache_that_cannot_be_written_costs_only_time(weights: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")

    assert remembered_digest(weights, blocked) == hashlib.sha256(b"first").hexdigest()
    assert blocked.read_text() == "a file where the folder should be"


def test_a_small_file_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "small.bin"
    path.write_bytes(b"first")
    folder = tmp_path / "cache"

    assert remembered_digest(path, folder) == hashlib.sha256(b"first").hexdigest()
    assert not folder.exists()


def test_a_copy_under_another_name_is_read_for_itself(weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    remembered_digest(weights, folder)
    _remember_something_else(folder)
    copy = tmp_path / "copy.bin"
    shutil.copy2(weights, copy)

    assert remembered_digest(copy, folder) == hashlib.sha256(b"first").hexdigest()


def test_facts_and_files_both_matter(weights: Path) -> None:
    plain = digest_of({"a": 1})

    assert digest_of({"a": 1}, files={"weights": weights}) != plain
    assert digest_of({"a": 2}) != plain
