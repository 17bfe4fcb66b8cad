"""Whether a packet that is not decoded at least holds a picture.

A decoder told to skip pictures that no other one needs drops a packet of zeros without a word, so
the structure of H.264 and H.265 packets is looked at here instead.
"""

_START = b"\x00\x00\x01"
_MAX_UNITS = 64


def length_bytes(codec: str, extradata: bytes | None) -> int:
    """Bytes of the length before each unit, as the track's header says; 0 for start codes."""
    if not extradata or extradata[0] != 1:
        return 0
    at = 4 if codec == "h264" else 21
    return (extradata[at] & 3) + 1 if len(extradata) > at else 0


def holds_picture(data: memoryview, codec: str, length_size: int) -> bool:
    """Whether a packet has a unit of picture data before anything that cannot be a unit."""
    if length_size == 0:
        return _holds_picture_by_start_codes(bytes(data), codec)
    at = 0
    for _ in range(_MAX_UNITS):
        begin = at + length_size
        if begin >= len(data):
            return False
        length = int.from_bytes(data[at:begin])
        if length == 0 or begin + length > len(data):
            return False
        if _is_picture(data[begin], codec):
            return True
        at = begin + length
    return False


def _holds_picture_by_start_codes(data: bytes, codec: str) -> bool:
    at = data.find(_START)
    for _ in range(_MAX_UNITS):
        if at < 0 or at + len(_START) >= len(data):
            return False
        if _is_picture(data[at + len(_START)], codec):
            return True
        at = data.find(_START, at + len(_START))
    return False


def _is_picture(header: int, codec: str) -> bool:
    """Whether a unit's first byte is that of a slice; the top bit is always 0."""
    if header & 0x80:
        return False
    return 1 <= header & 0x1F <= 5 if codec == "h264" else (header >> 1) & 0x3F <= 31
