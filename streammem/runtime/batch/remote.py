"""Sources in stores such as s3: listed there, copied here while they are read, then removed."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from streammem.core.errors import MissingError, SourceError, StreamMemError
from streammem.storage.batch_journal import FileMark
from streammem.video.content import Content, content_of_bytes
from streammem.video.discover import (
    IMAGE_SUFFIXES,
    SOUND_SUFFIXES,
    VIDEO_SUFFIXES,
    expand_sources,
    is_there,
    natural_key,
)
from streammem.video.identity import redact

if TYPE_CHECKING:
    from streammem.runtime.batch._fsspec import RemoteStore

# http and the live protocols are not among them: these the decoder reads by itself.
STORES = frozenset({
    "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oci", "oss", "hdfs", "webhdfs", "sftp", "ssh",
    "smb", "ftp", "webdav", "local",
})  # fmt: skip
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://")
_GLOB_SIGNS = frozenset("*?[")
_HEAD_BYTES = 4096


def is_remote(source: str) -> bool:
    """Whether a source lies in a store that has to be copied from."""
    scheme = _SCHEME.match(source)
    if scheme is None or scheme.group(1).lower() not in STORES:
        return False
    return not is_there(Path(source))


def named_sources(named: Sequence[str]) -> list[str]:
    """What the texts stand for, here and in stores, without repeats.

    Raises:
        SourceError: a list or a store cannot be read.
        MissingError: a store's package is not installed.
    """
    found: dict[str, None] = {}
    for source in expand_sources(named, recursive=True):
        for one in _below(source) if is_remote(source) else [source]:
            found.setdefault(one)
    return list(found)


def mark_of(source: str) -> FileMark | None:
    """What tells whether a file is still the same; None for no file and where it is not reached."""
    if not is_remote(source):
        return FileMark.of(source)
    try:
        with _store(source) as store:
            size, changes = store.mark()
    except StreamMemError:
        # Reading it reports the error.
        return None
    return FileMark(source, size, changes, settled=True)


@contextmanager
def fetched(source: str) -> Iterator[Path]:
    """A copy of a source under its own name, which goes again.

    Raises:
        SourceError: it cannot be fetched.
        MissingError: the store's package is not installed.
    """
    name = PurePosixPath(source.partition("://")[2]).name or "source"
    with tempfile.TemporaryDirectory(prefix="streammem-fetched-") as folder:
        copy = Path(folder) / name
        with _store(source) as store:
            store.copy_to(copy)
        yield copy


def _below(address: str) -> list[str]:
    pattern = bool(_GLOB_SIGNS.intersection(address))
    with _store(address) as store:
        found = store.below(pattern=pattern)
    if found is None:
        return [address]
    inside = [one for one in found if _is_media(one, believe=pattern)]
    return sorted(inside, key=natural_key)


def _is_media(address: str, *, believe: bool) -> bool:
    path = PurePosixPath(address)
    suffix = path.suffix.lower()
    if path.name.startswith(".") or suffix in IMAGE_SUFFIXES:
        return False
    if believe or suffix in VIDEO_SUFFIXES or suffix in SOUND_SUFFIXES:
        return True
    with _store(address) as store:
        return content_of_bytes(store.head(_HEAD_BYTES)) is Content.MEDIA


@contextmanager
def _store(address: str) -> Iterator["RemoteStore"]:
    shown = redact(address)
    try:
        from streammem.runtime.batch._fsspec import RemoteStore

        yield RemoteStore(address)
    except ImportError as error:
        raise MissingError(
            f"{shown} cannot be read: {error}",
            hint='pip install "streammem[remote]" and the package of this store, s3fs or gcsfs',
            code="missing_package",
        ) from error
    except FileNotFoundError as error:
        raise SourceError(
            f"{shown} does not exist", hint="check the address", code="not_found"
        ) from error
    except StreamMemError:
        raise
    except Exception as error:
        # Each store's package has errors of its own.
        raise SourceError(
            f"{shown} cannot be read: {type(error).__name__}: {error}",
            hint="check the address and the credentials that the store's package looks for",
            code="unreachable",
        ) from error
