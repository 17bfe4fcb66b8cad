"""The structure of H.264 and H.265 packets that are not decoded."""

import pytest

from streammem.video.nal_units import holds_picture, length_bytes

SLICE, SEI, KEY = b"\x41abcdef", b"\x06xyz", b"\x65abcdef"
HEVC_SLICE, HEVC_SEI = b"\x02\x01abc", b"\x4e\x01abc"


def sized(*units: bytes, size: int = 4) -> memoryview:
    """Units with their length before each."""
    return memoryview(b"".join(len(u).to_bytes(size) + u for u in units))


@pytest.mark.parametrize(
    ("data", "codec", "size", "expected"),
    [
        (sized(SLICE), "h264", 4, True),
        (sized(SEI, KEY), "h264", 4, True),
        (sized(SEI, SLICE, size=2), "h264", 2, True),
        (sized(SEI), "h264", 4, False),
        (memoryview(bytes(500)), "h264", 4, False),
        (sized(SLICE)[:-1], "h264", 4, False),
        (memoryview(b""), "h264", 4, False),
        (sized(b"\xc1abc"), "h264", 4, False),
        (sized(HEVC_SEI, HEVC_SLICE), "hevc", 4, True),
        (sized(HEVC_SEI), "hevc", 4, False),
        (memoryview(b"\0\0\0\1" + SEI + b"\0\0\1" + SLICE), "h264", 0, True),
        (memoryview(b"\0\0\1" + SEI), "h264", 0, False),
        (memoryview(bytes(500)), "h264", 0, False),
    ],
)
def test_holds_picture_looks_for_a_slice(data: memoryview, codec: str, size: int, expected: bool):
    """A packet passes with a slice in a sound structure; zeros and stumps do not."""
    assert holds_picture(data, codec, size) is expected


@pytest.mark.parametrize(
    ("codec", "extradata", "expected"),
    [
        ("h264", b"\x01d\x00\x0a\xff\xe1", 4),
        ("h264", b"\x01d\x00\x0a\xfd\xe1", 2),
        ("h264", b"\x00\x00\x01gd", 0),
        ("h264", b"\x01d", 0),
        ("hevc", b"\x01" + bytes(20) + b"\x0f", 4),
        ("h264", None, 0),
    ],
)
def test_length_bytes_reads_the_track_header(codec: str, extradata: bytes | None, expected: int):
    """MP4 and Matroska say how long the lengths are; start codes have none."""
    assert length_bytes(codec, extradata) == expected
