"""What the user named, turned into sources: files, folders, globs, URLs and synthetic streams."""

import glob
import os
import re
from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from streammem.core.errors import SourceError, reason_of
from streammem.video.content import HEAD_BYTES, Content, content_of

# fmt: off
VIDEO_SUFFIXES = frozenset({
    ".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".divx", ".ts", ".m2ts", ".mts",
    ".mpg", ".mpeg", ".mpe", ".vob", ".flv", ".f4v", ".wmv", ".asf", ".3gp", ".3g2", ".ogv", ".ogm",
    ".mxf", ".nut", ".dv", ".rm", ".rmvb", ".ivf", ".h264", ".264", ".hevc", ".265", ".gif",
})
SOUND_SUFFIXES = frozenset({
    ".aac", ".ac3", ".aif", ".aiff", ".amr", ".flac", ".m4a", ".m4b", ".mka", ".mp2", ".mp3",
    ".oga", ".ogg", ".opus", ".wav", ".weba", ".wma", ".wv",
})
IMAGE_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm",
})
# fmt: on
MEMORY_SUFFIX = ".smem"
# What lies beside memories and videos and is never one, and names that texts have as well.
_LEFT_OUT = IMAGE_SUFFIXES | frozenset(
    {
        MEMORY_SUFFIX,
        ".smem-wal",
        ".smem-shm",
        ".lock",
        ".usage",
        ".part",
        ".crdownload",
        ".tmp",
    }
)
_SHARED_SUFFIXES = frozenset({".ts", ".mts"})

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+):")
_GLOB_SIGNS = frozenset("*?[")


class SourceKind(Enum):
    """How a source has to be opened."""

    FILE = "file"
    IMAGES = "images"
    URL = "url"
    SYNTHETIC = "synthetic"
    STDIN = "stdin"


def kind_of(source: str) -> SourceKind:
    """What kind of source a text names; something on this disk wins over a look-alike."""
    if source == "-":
        return SourceKind.STDIN
    if source.startswith("synthetic:"):
        return SourceKind.SYNTHETIC
    scheme = _SCHEME.match(source)
    if scheme and scheme.group(1).lower() != "file" and not is_there(Path(source)):
        return SourceKind.URL
    path = local_path(source)
    pattern = is_pattern(source)
    if (is_there(path) and path.is_dir()) or pattern or path.suffix.lower() in IMAGE_SUFFIXES:
        return SourceKind.IMAGES
    return SourceKind.FILE


def is_pattern(text: str) -> bool:
    """Whether a text is a glob and not the name of something that is there."""
    return bool(_GLOB_SIGNS.intersection(text)) and not is_there(local_path(text))


def is_there(path: Path) -> bool:
    """Whether something of this name exists; names that cannot exist do not."""
    try:
        return path.exists()
    except OSError:
        return False


def local_path(source: str) -> Path:
    """The path that a source names, `file://` addresses included."""
    if source[:5].lower() == "file:" and not is_there(Path(source)):
        return Path(url2pathname(urlsplit(source).path))
    try:
        return Path(source).expanduser()
    except RuntimeError:
        # `~name` of a user that is not known here is an ordinary name.
        return Path(source)


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts `frame2` before `frame10`; texts that differ only in leading zeros stay apart."""
    parts = re.findall(r"\d+|\D+", name)
    numbered = (
        (0, int(part), part) if part.isdecimal() else (1, 0, part.casefold()) for part in parts
    )
    return (*numbered, (2, 0, name))


def image_files(source: str) -> list[Path]:
    """The images of a folder, of a glob or the one named, in natural order.

    Raises:
        SourceError: there are none.
    """
    path = local_path(source)
    if is_pattern(source):
        listed: Iterable[Path] = _matches(path)
    elif is_there(path):
        if not path.is_dir():
            return [path]
        listed = path.iterdir()
    else:
        raise SourceError(
            f"{source} does not exist", hint="check the path and its spelling", code="not_found"
        )
    files = [p for p in listed if not p.name.startswith(".")]
    images = [p for p in files if _is(p, IMAGE_SUFFIXES)]
    if images:
        return sorted(images, key=lambda p: natural_key(p.name))
    videos = sum(_is(p, VIDEO_SUFFIXES) for p in files)
    if videos:
        raise SourceError(
            f"{source} stands for {videos} videos, not for one stream",
            hint="give them one by one",
            code="no_media",
        )
    if not path.is_dir() and not files:
        raise SourceError(f"nothing matches {source}", hint="check the pattern", code="not_found")
    raise SourceError(
        f"{source} holds no media: there is neither a picture nor a video in it",
        hint="`streammem batch` searches the folders inside it too"
        if any(p.is_dir() for p in files)
        else None,
        code="no_media",
    )


def _matches(pattern: Path) -> list[Path]:
    # A pattern may be absolute and have signs in any part, which Path.glob does not take.
    return [Path(match) for match in glob.glob(str(pattern), recursive=True)]  # noqa: PTH207


def expand_sources(named: Sequence[str], recursive: bool = False) -> list[str]:
    """Every source that the texts name, in the order named, without repeats.

    A folder stands for its videos and sound files in natural order, or for itself where it holds
    images and no videos; with `recursive` so do the folders inside it, and what files hold counts
    as well as what they are called. A glob stands for what it matches, or for one sequence where
    it matches only images; `@FILE` for what the lines of a text file name. What is not there is
    kept, so that its own error is reported.

    Raises:
        SourceError: a text file of sources cannot be read.
    """
    found: dict[str, None] = {}
    for text in named:
        for line in _listed(text):
            for source in _expand(line, recursive):
                found.setdefault(source)
    return list(found)


def _listed(text: str) -> list[str]:
    """The lines of `@FILE`, relative names counted from its folder; any other text is itself."""
    if not text.startswith("@") or is_there(Path(text)):
        return [text]
    path = Path(text[1:]).expanduser()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise SourceError(
            f"the list of sources {path} cannot be read: {reason_of(error)}",
            hint="it must be a text file with one source a line",
            code="not_found" if isinstance(error, FileNotFoundError) else "unreadable",
        ) from error
    named = (line.strip() for line in lines)
    return [_beside(path, line) for line in named if line and not line.startswith("#")]


def _beside(path: Path, line: str) -> str:
    elsewhere = _SCHEME.match(line) or line.startswith("~") or Path(line).is_absolute()
    return line if elsewhere else str(path.parent / line)


def _expand(text: str, recursive: bool) -> list[str]:
    if text == "-" or kind_of(text) in (SourceKind.URL, SourceKind.SYNTHETIC):
        return [text]
    path = local_path(text)
    if not is_pattern(text):
        inside = _in_folder(path, recursive) if is_there(path) and path.is_dir() else []
        return inside or [text]
    matches = sorted(_matches(path), key=lambda match: natural_key(str(match)))
    visible = [match for match in matches if match.suffix.lower() != MEMORY_SUFFIX]
    if visible and all(_is(match, IMAGE_SUFFIXES) for match in visible):
        return [text]
    sources: list[str] = []
    for match in visible:
        sources += _in_folder(match, recursive) if match.is_dir() else [str(match)]
    return sources or [text]


def _in_folder(folder: Path, recursive: bool) -> list[str]:
    sources: list[str] = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted((f for f in folders if not f.startswith(".")), key=natural_key)
        paths = [Path(place) / name for name in sorted(names, key=natural_key)]
        known = VIDEO_SUFFIXES | SOUND_SUFFIXES
        media = [path for path in paths if (is_media(path) if recursive else _is(path, known))]
        only_sound = all(path.suffix.lower() in SOUND_SUFFIXES for path in media)
        if only_sound and any(_is(path, IMAGE_SUFFIXES) for path in paths):
            sources.append(place)
        else:
            sources += map(str, media)
        if not recursive:
            break
    return sources


def is_media(path: Path) -> bool:
    """Whether a file is a video or sound, by what it holds or by its name.

    A name of a video is believed, so that a damaged file is reported and not passed over, but
    where texts have such names too. Other files are judged by their first bytes, and where these
    say nothing, by whether they decode.
    """
    suffix = path.suffix.lower()
    if path.name.startswith(".") or suffix in _LEFT_OUT or not path.is_file():
        return False
    named = suffix in VIDEO_SUFFIXES or suffix in SOUND_SUFFIXES
    if named and suffix not in _SHARED_SUFFIXES:
        return True
    content = content_of(path)
    if content is not Content.UNKNOWN:
        return content is Content.MEDIA
    return named or _decodes(path)


def _decodes(path: Path) -> bool:
    from streammem.video._pyav_probe import decodes

    try:
        with path.open("rb") as file:
            return decodes(file.read(HEAD_BYTES))
    except OSError:
        return False


def _is(path: Path, suffixes: frozenset[str]) -> bool:
    return path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file()
