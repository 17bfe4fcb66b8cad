"""What makes a source the same source wherever it lies, and how it may be named in public."""

import hashlib
import os
import re
import unicodedata
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

from streammem.core.errors import SourceError, UsageError
from streammem.video.discover import SourceKind, image_files, is_pattern, kind_of, local_path

BLOCK_BYTES = 64 * 1024
BLOCKS = 16
_MAX_STEM_BYTES = 120
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')
_SECRET = re.compile(
    r"(?:^|[_-])(?:token|key|apikey|secret|signature|sig|password|passwd|pwd|auth|credential)$",
    re.IGNORECASE,
)


def fingerprint(source: str) -> str:
    """SHA-256, in hexadecimal, of what the source holds; its path and name do not matter.

    A file counts by its size and 16 evenly spaced blocks of 64 KiB, first and last included; images
    by the ordered content of all of them; a URL by its text without credentials; a synthetic
    stream by its description.

    Raises:
        SourceError: a file is not there or cannot be read.
        UsageError: it is standard input.
    """
    kind = kind_of(source)
    if kind is SourceKind.STDIN:
        raise UsageError(
            "what comes through a pipe passes once and cannot be resumed",
            hint="`streammem watch -` remembers it while it runs",
            code="standard_input",
        )
    digest = hashlib.sha256()
    if kind is SourceKind.SYNTHETIC:
        digest.update(b"synthetic\0" + source.encode())
    elif kind is SourceKind.URL:
        digest.update(b"url\0" + redact(source).encode())
    elif kind is SourceKind.IMAGES:
        digest.update(b"images\0")
        for path in image_files(source):
            digest.update(_file_digest(path))
    else:
        return _file_digest(local_path(source)).hex()
    return digest.hexdigest()


def _file_digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            digest.update(size.to_bytes(8, "little"))
            for offset in block_offsets(size):
                file.seek(offset)
                digest.update(file.read(BLOCK_BYTES))
    except ValueError as error:
        raise unreadable(str(path), FileNotFoundError(str(error))) from error
    except OSError as error:
        raise unreadable(str(path), error) from error
    return digest.digest()


def block_offsets(size: int) -> list[int]:
    """Where the sampled blocks of a file of `size` bytes start, without repeats."""
    last = max(0, size - BLOCK_BYTES)
    return sorted({last * i // (BLOCKS - 1) for i in range(BLOCKS)})


def unreadable(source: str, error: OSError) -> SourceError:
    """The error for a file that the operating system does not give."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return SourceError(
            f"{source} does not exist", hint="check the path and its spelling", code="not_found"
        )
    if isinstance(error, PermissionError):
        return SourceError(
            f"{source} may not be read by this user",
            hint="change its permissions or run as its owner",
            code="permission_denied",
        )
    if isinstance(error, IsADirectoryError):
        return SourceError(f"{source} is a folder", hint="give the files in it", code="is_a_folder")
    return SourceError(f"{source} cannot be read: {error.strerror or error}", code="unreadable")


def redact(source: str) -> str:
    """`source` as it may be printed and stored: a URL without user, password and secret values."""
    if kind_of(source) is not SourceKind.URL:
        return source
    try:
        parts = urlsplit(source)
    except ValueError:
        return re.sub(r"//[^/@]*@", "//", source)
    host = parts.netloc.rpartition("@")[2]
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = parts.query
    if any(_SECRET.search(name) for name, _ in pairs):
        query = "&".join(
            f"{quote(name)}={'***' if _SECRET.search(name) else quote(value)}"
            for name, value in pairs
        )
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


def source_stem(source: str) -> str:
    """The name for a memory of this source: the file's stem, safe on every file system."""
    kind = kind_of(source)
    if kind is SourceKind.URL:
        parts = urlsplit(redact(source))
        name = PurePosixPath(unquote(parts.path)).stem or (parts.hostname or "")
    elif kind is SourceKind.SYNTHETIC:
        name = "synthetic-" + source.partition(":")[2].partition("?")[0]
    elif is_pattern(source):
        name = local_path(source).absolute().parent.name
    else:
        path = local_path(source).absolute()
        name = path.name if path.is_dir() else path.stem
    cleaned = _UNSAFE.sub("-", unicodedata.normalize("NFC", name)).strip(" .-")
    short = cleaned.encode("utf-8", "ignore")[:_MAX_STEM_BYTES].decode("utf-8", "ignore")
    return short.rstrip(" .-") or "stream"
