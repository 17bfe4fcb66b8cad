"""What a source may make the decoder open: the allow-lists for protocols and container formats.

A playlist names further files. One from the network must not reach files of this machine, and one
on this disk must not reach beyond its own folder.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from streammem.core.errors import SourceError
from streammem.video.discover import SourceKind, kind_of, local_path
from streammem.video.identity import redact, unreadable

LIVE_SCHEMES = frozenset({"rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "tcp", "tls"})
SCHEMES = LIVE_SCHEMES | {"http", "https"}
# Everything a network source needs below it; "file" is missing on purpose.
NETWORK_PROTOCOLS = "http,https,httpproxy,tcp,tls,udp,rtp,srtp,rtmp,rtmps,rtmpt,crypto"
LOCAL_PROTOCOLS = "file,crypto"
OPEN_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 15.0

_FILE_FORMATS = (
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,vvc,av1,obu,ivf,flv,live_flv,asf,ogg,"
    "gif,apng,mxf,nut,rm,dv,vc1,mjpeg,mpjpeg,yuv4mpegpipe,wtv,gxf,h261,h263,dirac,swf,"
    "wav,w64,flac,mp3,aac,ac3,eac3,dts,amr,aiff,caf,au,tta,ape,wv"
)
_PLAYLIST_FORMATS = "hls,webvtt,srt"
_NETWORK_FORMATS = "dash,rtsp,rtp,sdp,rtmp"

_HEAD_BYTES = 4096
_MAX_PLAYLIST_BYTES = 4 * 1024 * 1024
_MAX_PLAYLISTS = 64
_URI_ATTRIBUTE = re.compile(r'URI="([^"]*)"')
_HAS_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")


@dataclass(frozen=True, slots=True)
class OpenPlan:
    """How a source is handed to the demuxer: its address, options and time limits (open, read).

    `kind` names the container by its first bytes where they are known, for error messages;
    `whole` says whether a file is as long as its header announces, None where that is not told;
    `format` is the demuxer's name where it cannot be found out by looking.
    """

    address: str
    options: dict[str, str]
    timeouts_s: tuple[float, float] | None
    live: bool = False
    kind: str | None = None
    whole: bool | None = None
    format: str | None = None


def plan_open(source: str) -> OpenPlan:
    """Check what `source` is and choose the allow-lists that it is opened with.

    Raises:
        SourceError: the protocol or playlist is not allowed, or the file cannot be read.
    """
    if kind_of(source) is SourceKind.URL:
        return _plan_url(source)
    path = local_path(source)
    head = _read_head(path, source)
    kind = container_kind(head)
    formats = _FILE_FORMATS
    if kind == HLS:
        check_playlist(path)
        formats = f"{_FILE_FORMATS},{_PLAYLIST_FORMATS}"
    elif kind in _REFUSED_KINDS:
        raise SourceError(
            f"{source} is a {kind}, which names other files and is not opened",
            hint="give the media files themselves",
            code="protocol_not_allowed",
        )
    options = {"protocol_whitelist": LOCAL_PROTOCOLS, "format_whitelist": formats}
    whole = matroska_is_whole(head, path.stat().st_size) if kind == MATROSKA else None
    return OpenPlan(f"file:{path.absolute()}", options, None, kind=kind, whole=whole)


def _plan_url(source: str) -> OpenPlan:
    scheme = source.partition(":")[0].lower()
    if scheme not in SCHEMES:
        raise SourceError(
            f"the protocol {scheme!r} of {redact(source)} is not allowed",
            hint=f"allowed are files and {', '.join(sorted(SCHEMES))}",
            code="protocol_not_allowed",
        )
    options = {
        "protocol_whitelist": NETWORK_PROTOCOLS,
        "format_whitelist": f"{_FILE_FORMATS},{_PLAYLIST_FORMATS},{_NETWORK_FORMATS}",
    }
    if scheme in ("rtsp", "rtsps"):
        options["rtsp_flags"] = "prefer_tcp"
    return OpenPlan(source, options, (OPEN_TIMEOUT_S, READ_TIMEOUT_S), live=scheme in LIVE_SCHEMES)


def _read_head(path: Path, source: str) -> bytes:
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise SourceError(
                f"{source} is a device or a pipe, not a file",
                hint="give a file or a URL",
                code="not_media",
            )
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except ValueError as error:
        raise unreadable(source, FileNotFoundError(str(error))) from error
    except OSError as error:
        raise unreadable(source, error) from error
    if not head:
        raise SourceError(
            f"{source} is empty (0 bytes)", hint="copy or download it again", code="empty_file"
        )
    return head


MATROSKA = "Matroska or WebM"
HLS = "HLS playlist"
_SEGMENT_ID = b"\x18\x53\x80\x67"
_MAGIC = (
    (0, b"\x1aE\xdf\xa3", MATROSKA),
    (4, b"ftyp", "MP4 or QuickTime"),
    (4, b"moov", "MP4 or QuickTime"),
    (4, b"mdat", "MP4 or QuickTime"),
    (8, b"AVI ", "AVI"),
    (8, b"WAVE", "WAV"),
    (0, b"OggS", "Ogg"),
    (0, b"FLV", "FLV"),
    (0, b"\x30\x26\xb2\x75", "ASF or WMV"),
    (0, b"\x00\x00\x01\xba", "MPEG program stream"),
)
_REFUSED_KINDS = frozenset(
    {"concat script", "DASH manifest", "session description", "ASX playlist"}
)


def container_kind(head: bytes) -> str | None:
    """The container or playlist that a file's first bytes announce, None where they say nothing."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"#EXTM3U"):
        return HLS
    if text.startswith(b"ffconcat"):
        return "concat script"
    if text.startswith(b"v=0"):
        return "session description"
    if b"<MPD" in text:
        return "DASH manifest"
    if text[:5].lower() in (b"<asx ", b"[refe"):
        return "ASX playlist"
    for offset, magic, name in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return name
    return None


def matroska_is_whole(head: bytes, size: int) -> bool | None:
    """Whether a Matroska file of `size` bytes is as long as its segment says; None if it does not.

    `head` is the beginning of the file.
    """
    at = head.find(_SEGMENT_ID) + len(_SEGMENT_ID)
    if at < len(_SEGMENT_ID) or at >= len(head) or head[at] == 0:
        return None
    length = 9 - head[at].bit_length()
    value = int.from_bytes(head[at : at + length]) & ((1 << 7 * length) - 1)
    if value == (1 << 7 * length) - 1:
        return None
    return size >= at + length + value


def playlist_uris(text: str) -> list[str]:
    """Every address in an HLS playlist: segments, keys, maps and further playlists."""
    uris: list[str] = []
    for line in map(str.strip, text.splitlines()):
        if line.startswith("#"):
            uris += _URI_ATTRIBUTE.findall(line)
        elif line:
            uris.append(line)
    return uris


def check_playlist(path: Path) -> None:
    """Follow a local HLS playlist and those it names; all of it must lie in its folder.

    Raises:
        SourceError: an address is absolute, has a protocol, or leads out of the folder.
    """
    root = path.resolve().parent
    waiting, seen = [path.resolve()], set[Path]()
    while waiting:
        playlist = waiting.pop()
        if playlist in seen or not playlist.is_file():
            continue
        seen.add(playlist)
        with playlist.open("rb") as file:
            data = file.read(_MAX_PLAYLIST_BYTES + 1)
        too_large = len(data) > _MAX_PLAYLIST_BYTES or len(seen) > _MAX_PLAYLISTS
        if container_kind(data[:_HEAD_BYTES]) != HLS:
            continue
        if too_large:
            raise SourceError(
                f"{path} is too large or too deeply nested a playlist",
                hint="give the media files themselves",
                code="protocol_not_allowed",
            )
        uris = playlist_uris(data.decode("utf-8", "replace"))
        waiting += [_inside(root, playlist.parent, uri, path) for uri in uris]


def _inside(root: Path, folder: Path, uri: str, playlist: Path) -> Path:
    target = (folder / uri).resolve()
    if _HAS_SCHEME.match(uri) or uri.startswith(("/", "\\")) or not target.is_relative_to(root):
        raise SourceError(
            f"the playlist {playlist} names {redact(uri)}, which is outside its folder",
            hint="a local playlist may name only files in its own folder, by relative paths",
            code="protocol_not_allowed",
        )
    return target


def refused_in_playlist(source: str) -> str | None:
    """The first address in a playlist at `source` (http) that its allow-list keeps out, if any.

    Asked only after a failure, to say why.
    """
    if source.partition(":")[0].lower() not in ("http", "https"):
        return None
    try:
        request = Request(source, headers={"Range": f"bytes=0-{_MAX_PLAYLIST_BYTES - 1}"})
        with urlopen(request, timeout=OPEN_TIMEOUT_S) as answer:
            head = answer.read(_HEAD_BYTES)
            if container_kind(head) != HLS:
                return None
            text = (head + answer.read(_MAX_PLAYLIST_BYTES)).decode("utf-8", "replace")
    except (URLError, OSError, ValueError):
        return None
    for uri in playlist_uris(text):
        scheme = urlsplit(uri).scheme.lower()
        if scheme and scheme not in ("http", "https"):
            return uri
    return None
