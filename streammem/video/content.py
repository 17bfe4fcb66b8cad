"""Tells from a file's first bytes whether it is media, whatever its name says."""

from enum import Enum
from pathlib import Path

HEAD_BYTES = 64 * 1024
_FIRST_BYTES = 4096


class Content(Enum):
    """What a file holds, as far as its first bytes say."""

    MEDIA = "media"
    PICTURE = "picture"
    OTHER = "other"
    UNKNOWN = "unknown"


# (offset, bytes); what RIFF, FORM and ISO files hold is told apart below.
_MEDIA = (
    (0, b"\x1a\x45\xdf\xa3"),  # Matroska, WebM
    (0, b"OggS"), (0, b"FLV\x01"), (0, b"fLaC"), (0, b"wvpk"), (0, b"ID3"), (0, b".RMF"),
    (0, b"GIF87a"), (0, b"GIF89a"), (0, b"DKIF"), (0, b"nut/multimedia container\x00"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # ASF: wmv, wma
    (0, b"\x00\x00\x01\xba"), (0, b"\x00\x00\x01\xb3"),  # MPEG program and video streams
    (0, b"\x06\x0e\x2b\x34\x02\x05\x01\x01"),  # MXF
    (0, b"#!AMR"), (0, b"YUV4MPEG2 "), (0, b"\x0b\x77"),
)  # fmt: skip
_PICTURES = (
    (0, b"\xff\xd8\xff"), (0, b"\x89PNG\r\n\x1a\n"), (0, b"BM"), (0, b"II*\x00"), (0, b"MM\x00*"),
    (0, b"8BPS"), (0, b"\x00\x00\x01\x00"),
)  # fmt: skip
_OTHERS = (
    (0, b"%PDF"), (0, b"PK\x03\x04"), (0, b"\x7fELF"), (0, b"\x1f\x8b"), (0, b"BZh"),
    (0, b"\xfd7zXZ"), (0, b"7z\xbc\xaf"), (0, b"Rar!"), (0, b"SQLite format 3"), (0, b"MZ"),
    (257, b"ustar"), (0, b"\x28\xb5\x2f\xfd"), (0, b"\x93NUMPY"), (0, b"\x89HDF"),
    (0, b"\xca\xfe\xba\xbe"), (0, b"wOF"), (0, b"\xd0\xcf\x11\xe0"),
)  # fmt: skip
_RIFF_MEDIA = frozenset({b"AVI ", b"WAVE", b"AIFF", b"AIFC"})
_ISO_PICTURES = frozenset({b"heic", b"heix", b"mif1", b"msf1", b"avif", b"jp2 "})
_ISO_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_PACKET_BYTES = ((188, 0), (192, 4), (204, 0))
_SYNC = 0x47
_SYNCS = 5


def content_of(path: Path) -> Content:
    """What a file holds; one that cannot be read is unknown."""
    try:
        with path.open("rb") as file:
            return content_of_bytes(file.read(_FIRST_BYTES))
    except OSError:
        return Content.UNKNOWN


def content_of_bytes(head: bytes) -> Content:
    """What a file with these first bytes holds."""
    for signs, content in (
        (_OTHERS, Content.OTHER),
        (_MEDIA, Content.MEDIA),
        (_PICTURES, Content.PICTURE),
    ):
        if any(head.startswith(sign, offset) for offset, sign in signs):
            return content
    kind = head[8:12]
    if head[:4] in (b"RIFF", b"RF64", b"FORM"):
        if kind == b"WEBP":
            return Content.PICTURE
        return Content.MEDIA if kind in _RIFF_MEDIA else Content.OTHER
    if head[4:8] in _ISO_BOXES:
        return Content.PICTURE if kind in _ISO_PICTURES else Content.MEDIA
    if _is_transport_stream(head):
        return Content.MEDIA
    return Content.OTHER if not head or is_text(head) else Content.UNKNOWN


def _is_transport_stream(head: bytes) -> bool:
    for length, offset in _PACKET_BYTES:
        syncs = head[offset : offset + length * _SYNCS : length]
        if len(syncs) == _SYNCS and set(syncs) == {_SYNC}:
            return True
    return False


def is_text(head: bytes) -> bool:
    """Whether bytes read like text: UTF-8 without control characters."""
    try:
        # The last character may be cut.
        text = head.decode("utf-8", "strict") if len(head) < _FIRST_BYTES else _decoded(head)
    except UnicodeDecodeError:
        return False
    return all(sign >= " " or sign in "\t\n\r\f\x1b" for sign in text)


def _decoded(head: bytes) -> str:
    for cut in range(4):
        try:
            return head[: len(head) - cut].decode("utf-8")
        except UnicodeDecodeError as error:
            last = error
    raise last
