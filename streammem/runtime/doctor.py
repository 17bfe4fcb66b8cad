"""What `streammem doctor` checks: each line says what was seen and, if it failed, what to run."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import numpy as np

from streammem.core.budget import GIB, format_bytes
from streammem.core.errors import StreamMemError
from streammem.core.results import Check
from streammem.encoders.embedded_check import TOLERANCES, deviations
from streammem.encoders.load import load_encoder
from streammem.encoders.names import EMBEDDED_ID
from streammem.runtime.doctor_words import check_words
from streammem.storage.database import database_facts
from streammem.storage.library import LibraryFolder
from streammem.storage.memory_file import read_meta
from streammem.video.reader import ReaderOptions, open_reader

_LOW_DISK_BYTES = GIB


def run_checks(folder: Path) -> list[Check]:
    """Run every check; one that fails never hides the others."""
    checks: list[Callable[[], Iterator[Check]]] = [
        _python,
        _packages,
        _database,
        _decoding,
        _encoding,
        _shipped_weights,
        _device,
        check_words,
        lambda: _disk(folder),
        lambda: _library(folder),
    ]
    return [result for check in checks for result in check()]


def _python() -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Check("python", "ok", f"{version} on {sys.platform}, {os.cpu_count()} processors")


def _packages() -> Iterator[Check]:
    for name in ("numpy", "av", "torch", "torchvision", "open-clip-torch"):
        try:
            yield Check(name, "ok", metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Check(name, "failed", "not installed", "pip install streammem")
    extra = "here" if importlib.util.find_spec("decord") else "not installed"
    yield Check("decord", "ok", f"{extra} (optional reader)")


def _database() -> Iterator[Check]:
    version, has_fts5 = database_facts()
    if has_fts5:
        yield Check("sqlite", "ok", f"{version} with full-text search")
    else:
        fix = "use a Python whose sqlite3 has FTS5"
        yield Check("sqlite", "failed", f"{version} lacks FTS5", fix)


def _decoding() -> Iterator[Check]:
    try:
        with open_reader("synthetic:1?duration=2", ReaderOptions(short_side_px=32)) as reader:
            count = sum(1 for _ in reader.frames())
    except StreamMemError as error:
        yield Check("reader", "failed", error.message, error.hint)
        return
    yield Check("reader", "ok", f"{count} frames of a rendered stream")


def _encoding() -> Iterator[Check]:
    """The built-in encoder must give the same vector for the same picture on every machine."""
    try:
        encoder = load_encoder("embedded")
    except StreamMemError as error:
        yield Check("encoder", "failed", error.message, error.hint)
        return
    red = np.zeros((1, 3, 64, 64), np.uint8)
    red[:, 0] = 255
    embedding = encoder.encode_images(red).embeddings[0]
    score = float(embedding @ encoder.encode_text("red").embedding)
    other = float(embedding @ encoder.encode_text("blue").embedding)
    if score > other + 0.2:
        yield Check("encoder", "ok", f"{encoder.spec.id} tells red from blue")
    else:
        detail = f"{encoder.spec.id} scores red {score:.2f}, blue {other:.2f} on a red picture"
        yield Check("encoder", "failed", detail, "pip install --force-reinstall streammem")


def _shipped_weights() -> Iterator[Check]:
    """Weights, preprocessing and words must give the vectors that they gave when they were made."""
    try:
        found = deviations()
    except StreamMemError as error:
        yield Check("weights", "failed", error.message, error.hint)
        return
    listed = ", ".join(f"{deviation:.1e} in {dtype}" for dtype, deviation in found.items())
    detail = f"{EMBEDDED_ID} deviates from its shipped vectors by {listed}"
    if all(deviation <= TOLERANCES[dtype] for dtype, deviation in found.items()):
        yield Check("weights", "ok", detail)
    else:
        yield Check("weights", "failed", detail, "pip install --force-reinstall streammem")


def _device() -> Iterator[Check]:
    from streammem.encoders.load import describe_devices

    yield Check("device", "ok", describe_devices())


def _disk(folder: Path) -> Iterator[Check]:
    place = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(place).free
    status = "ok" if free >= _LOW_DISK_BYTES else "warning"
    fix = None if status == "ok" else "free some space, or choose another --library"
    yield Check("disk", status, f"{format_bytes(free)} free at {place}", fix)


def _library(folder: Path) -> Iterator[Check]:
    library = LibraryFolder(folder)
    damaged = []
    names = list(library.ids())
    for name in names:
        try:
            read_meta(library.path_of(name))
        except StreamMemError:
            damaged.append(name)
    if damaged:
        fix = f"streammem verify {damaged[0]} --library {folder}"
        yield Check("library", "failed", f"cannot read {', '.join(damaged)}", fix)
    else:
        yield Check("library", "ok", f"{len(names)} memories in {folder}")
